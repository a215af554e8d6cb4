/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local_parts: a connection inside the process, for its parts: local.c, the connection itself and
 * what is sent through it; local_receiver.c, its receivers and their deliveries.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_BROKER_LOCAL_PARTS_H
#define GOFER_BROKER_LOCAL_PARTS_H

#include <stddef.h>

#include "amqp/connection_ops.h"
#include "broker/local.h"
#include "broker/teller.h"

enum local_state { LOCAL_STARTING, LOCAL_UP, LOCAL_DOWN, LOCAL_CLOSED };

struct local {
	struct connection base; /* first: a connection's address is its local's */
	LIST_ENTRY(local) entry;
	struct loop *loop;
	struct hub *hub; /* NULL: the broker is gone */
	const struct connection_events *events;
	void *context;
	enum local_state state;
	LIST_HEAD(, local_receiver) receivers;
	struct teller *teller;
	struct tidings up, down, closed;
};

struct local_receiver {
	struct receiver base; /* first */
	struct local *local;
	LIST_ENTRY(local_receiver) entry;
	struct consumer consumer;
	const struct receiver_events *events;
	void *context;
	char *address, *exchange; /* NULL: a temporary queue; not bound */
	bool durable;
	struct node *owned;
	struct loop_timer *retry;
	struct tidings open, down;
	struct error why; /* of `down` */
	double retry_s;
};

#define LOCAL_STOPPED "the broker in this process has stopped"

#define CONTAINER(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

extern const struct connection_ops local_ops;

struct receiver *local_receiver_open(struct connection *c, const struct receiver_options *options,
                                     const struct receiver_events *events, void *context);
void local_receiver_credit(struct receiver *base, unsigned n);
void local_receiver_close(struct receiver *base);
void local_delivery_settle(struct delivery *base, enum outcome outcome, const struct error *why);

/* Off its queue; nothing is told of it any more. */
void local_receiver_detach(struct local_receiver *r);
/* The broker stops: detached for good, and told so. */
void local_receiver_stop(struct local_receiver *r);
void local_receiver_free(struct local_receiver *r); /* detached before */

#endif
