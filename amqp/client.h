/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: the kind of connection that speaks AMQP 1.0 to a broker through a driver; for its parts.
 *
 * The client owns the way up and down: an explicit state machine, moved by the connector, the driver
 * and one timer, never by recursion. What happens on an open connection belongs to the parts:
 *
 *   endpoint    a link in a session of its own        receiver.c  messages in
 *   dialect     how this broker spells it             sender      messages out
 *   qmf         queues and bindings, where by QMF
 *
 * Callbacks into the user's code come from the loop only. What is on the stack under one must hold
 * client_enter(): the user may free the connection, which then goes with the last client_leave().
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AMQP_CLIENT_H
#define GOFER_AMQP_CLIENT_H

#include <stdint.h>

#include "amqp/backoff.h"
#include "amqp/connection_ops.h"
#include "amqp/connector.h"
#include "amqp/dialect.h"
#include "amqp/driver.h"
#include "amqp/loop.h"
#include "amqp/tls.h"

struct client_receiver;
struct client_queue;
struct qmf;
struct sender;

/* Waits between attempts at one link. */
#define CLIENT_LINK_BACKOFF \
	{ \
		.first_s = 1.0, .limit_s = 30.0 \
	}
/* The largest message that is taken from a broker. */
#define CLIENT_MESSAGE_MAX ((size_t)64 << 20)

enum client_state {
	CLIENT_IDLE,     /* the next attempt comes in the next turn */
	CLIENT_REACHING, /* the connector looks the name up and connects */
	CLIENT_OPENING,  /* TLS, SASL, open frames */
	CLIENT_UP,
	CLIENT_BACKOFF,  /* down, waiting for the next attempt */
	CLIENT_FLUSHING, /* closed by the user: what was sent is still to be settled */
	CLIENT_CLOSING,  /* close frames are on their way, or there is nothing left to close */
	CLIENT_OVER,     /* closed, or failed for good */
};

struct client {
	struct connection base; /* first: a connection's address is its client's */

	/* immutable */
	struct loop *loop;
	struct connector *connector;
	const struct connection_events *events;
	void *context;
	struct url url;
	char *peer; /* "host:port", for messages */
	char *container;
	bool fresh_container; /* made up here, so that nobody else has it */
	struct tls *tls;      /* NULL: none */
	double heartbeat_s;
	double timeout_s; /* of one attempt to connect, of one attach, of one management request */
	bool persistent;

	enum client_state state;
	bool closed; /* by the user: no callbacks but on_closed */
	bool freed;  /* by the user: goes when `busy` and `deferred` allow it */
	unsigned busy;
	struct loop_task task;
	bool deferred; /* `task` is in the loop's list */

	/* the way up */
	struct loop_timer *timer;
	struct backoff backoff;
	uint64_t up_since_ms;
	bool vhost_prefixed, vhost_retried;
	struct error why;     /* what the peer said when it closed */
	struct error refusal; /* of the first spelling of the virtual host */

	/* the connection: NULL and stale while there is none */
	struct driver *driver;
	char *product;
	const struct dialect *dialect;
	bool broken; /* the peer broke the rules: what else it did is not looked at */
	bool relay;  /* messages may go through a link to no node */
	unsigned sessions, sessions_max;
	uint64_t links; /* made so far: their names */

	/* the parts */
	struct client_receiver *receivers;
	struct client_queue *queues; /* temporary queues that outlive their receivers */
	struct sender *sender;
	struct qmf *qmf;
};

/* As connection_new(), over any connector, which is taken (on failure too). */
struct connection *client_new(struct loop *loop, const struct connection_options *options,
                              struct connector *connector, const struct connection_events *events,
                              void *context, struct error *error);

static inline struct client *client_of(struct connection *c)
{
	return (struct client *)c;
}

void client_enter(struct client *c);
void client_leave(struct client *c); /* may free it */
/* Has sender_report() called in this turn or the next, from the loop. */
void client_defer(struct client *c);
/* Tells that the sender has nothing left to do. */
void client_flushed(struct client *c);
/* Ends the connection because of what the peer did. */
void client_violation(struct client *c, const char *what);

/* delivery.c */
void client_delivery_settle(struct delivery *base, enum outcome outcome, const struct error *why);

/* receiver.c */
struct receiver *client_receiver_open(struct connection *base,
                                      const struct receiver_options *options,
                                      const struct receiver_events *events, void *context);
void client_receiver_credit(struct receiver *base, unsigned n);
void client_receiver_close(struct receiver *base);
void client_receivers_up(struct client *c);
/* The connection is gone: nothing is attached any more, deliveries lead nowhere. No callbacks. */
void client_receivers_lost(struct client *c);
/* Tells those that client_receivers_lost() has found open. */
void client_receivers_report(struct client *c, const struct error *why);
/* Detaches all for good: no callbacks any more. */
void client_receivers_detach(struct client *c);
void client_receivers_free(struct client *c);

#endif
