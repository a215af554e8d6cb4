/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect: what is different from broker to broker, as a table; picked by what the broker says it is.
 *
 * Addresses are gofer's, "queue" or "exchange/queue". Each dialect says how they are spelt for a
 * source, a target and a message, and what the broker can do. Nothing is configured: the `product`
 * of the broker's open frame decides, and what isn't known is "plain": nodes that are made when they
 * are attached to, or are no queues at all (a router).
 *
 * Thread: any; constant.
 */
#ifndef GOFER_AMQP_DIALECT_H
#define GOFER_AMQP_DIALECT_H

#include <stdbool.h>

#include "amqp/message.h"
#include "core/buf.h"
#include "core/error.h"

struct dialect {
	const char *product; /* NULL: any other */
	bool vhost_prefix;   /* a virtual host is written "vhost:NAME" */

	bool relay;        /* links to no node are worth asking for, where they are offered */
	bool request_link; /* a request goes through a link to its node all the same: only an attach
	                      * shows that the node is missing, or when there is somebody to take it */
	bool probe;        /* not even a sender's attach shows it: a receiver's does */
	bool plain_outcomes; /* `modified` is not to be sent: `released` instead */
	bool tells_full; /* says `modified` of a message that there is no room for now, to a sender
	                      * whose source lists that outcome; `released`: nobody is there */

	bool dynamic;  /* makes temporary queues; otherwise one of ours is made, and stays behind */
	bool qmf;      /* queues are made and bound by QMF */
	bool fallback; /* a source that is there otherwise than asked for has another spelling */
	bool durability;        /* a source's durability is the queue's */
	const char *capability; /* of a named terminus; NULL: none */

	enum message_body request_body;

	/* Appends the node to attach to. GOFER_INVALID and `error`: this broker can't do that. */
	enum gofer_err (*source)(struct buf *node, const char *queue, bool fallback,
	                         struct error *error);
	enum gofer_err (*target)(struct buf *node, const char *address, struct error *error);
	/* The `to` and `subject` of a message; slices of the address. */
	void (*properties)(const char *address, struct slice *to, struct slice *subject);
};

/* Never NULL. */
const struct dialect *dialect_find(const char *product);

/* Splits "exchange/queue" at the first slash; false: there is none, or nothing on one side of it. */
bool dialect_split(const char *address, struct slice *exchange, struct slice *queue);

#endif
