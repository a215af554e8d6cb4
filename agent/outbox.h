/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox: replies on their way to one broker.
 *
 * Makes a reply's body into a message (correlation-id, message-id, content type) and sends it through the
 * connection, which keeps it over reconnects. What the connection has no room for is dropped if it
 * says only how far a call is, and kept and tried again if it is the end of one. So is the end of a call
 * whose reply queue is full, for OUTBOX_FULL_S, while others pass it by. An address that cannot be reached is
 * told once in the log, and what was for it is dropped.
 *
 *   outbox_send(o, &reply);                        // accepted, started, progress
 *   outbox_send_last(o, &reply, &wait);            // the result; wait.done() says what became of it
 *
 * Bounded by its users: each has one `wait` at most.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AGENT_OUTBOX_H
#define GOFER_AGENT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/connection.h"
#include "amqp/loop.h"

#define OUTBOX_FULL_S 60

struct outbox;

struct outbox_reply {
	const char *address;
	enum message_body kind; /* the request's */
	bool durable;
	struct slice correlation; /* data NULL: none */
	struct slice body;
};

/* Somebody who wants to know; embedded in what it belongs to. Belongs to the outbox from
 * outbox_send_last() until `done` is called; so does all that its reply points to. */
struct outbox_wait {
	struct outbox_wait *next; /* the outbox's, as the next three */
	struct outbox *outbox;
	struct outbox_reply reply;
	uint64_t until_ms; /* its queue was found full: how long it is tried; 0: never yet */
	/* The broker has it, or (`outcome` other than OUTCOME_ACCEPTED) nobody ever will. */
	void (*done)(struct outbox_wait *wait, enum outcome outcome);
};

/* The connection is borrowed. `on_unused` (NULL allowed) is called when the last who held it has let go,
 * not before somebody did hold it. NULL: out of memory. */
struct outbox *outbox_new(struct loop *loop, struct connection *connection,
                          void (*on_unused)(void *context), void *context);
/* Those who still wait are forgotten, and not called. The connection must be freed before: it may know
 * of them too. NULL is taken. */
void outbox_free(struct outbox *o);

/* Who may still have something to send holds it. */
struct outbox *outbox_hold(struct outbox *o);
void outbox_let_go(struct outbox *o);          /* NULL is taken */
bool outbox_is_unused(const struct outbox *o); /* it was held, and is not now */

/* Sends, or drops where there is no room. */
void outbox_send(struct outbox *o, const struct outbox_reply *reply);
/* Sends, as soon as there is room; `wait->done` is called once, never before this returns. */
void outbox_send_last(struct outbox *o, const struct outbox_reply *reply, struct outbox_wait *wait);

#endif
