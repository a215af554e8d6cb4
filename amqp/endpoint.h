/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint: one link in a session of its own.
 *
 * Of its own, because there are brokers that answer every fault of a link by ending its session: the
 * neighbours must not go with it. Tells apart an attach that was answered from one that was refused
 * (an empty answer, then a detach), takes detach and end of session for the same thing, and buries
 * links in the order that the protocol wants (never before the answer to their begin has come: the
 * engine would take that for a fault of the peer's).
 *
 * Embedded; whoever embeds one gives it its operations. After on_end the endpoint is as before the
 * attach. Thread: the loop's.
 */
#ifndef GOFER_AMQP_ENDPOINT_H
#define GOFER_AMQP_ENDPOINT_H

#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/session.h>

#include "amqp/client.h"
#include "amqp/condition.h"

struct endpoint;

struct endpoint_ops {
	void (*on_open)(struct endpoint *e);
	void (*on_end)(struct endpoint *e, enum condition_kind kind, const struct error *why);
	void (*on_flow)(struct endpoint *e);
	void (*on_delivery)(struct endpoint *e, pn_delivery_t *delivery);
};

struct endpoint {
	const struct endpoint_ops *ops;
	struct client *client;
	pn_session_t *session; /* NULL: neither attached nor attaching */
	pn_link_t *link;
	bool begun, open; /* the begin was answered; the attach was, and not refused */
};

/* Makes the link, with termini to be filled in; endpoint_open() then sends the attach. GOFER_FULL: the
 * peer allows no more sessions; GOFER_NOMEM. `name` NULL: one that is unique on this connection. */
enum gofer_err endpoint_make(struct endpoint *e, bool sender, const char *name,
                             struct error *error);
void endpoint_open(struct endpoint *e);
/* Detaches. Nothing is called back. */
void endpoint_close(struct endpoint *e);
/* The connection is gone, or going. */
void endpoint_lost(struct endpoint *e);

/* What came in on a receiver, if it is complete: its size, to be read with endpoint_read(); negative: not
 * yet, or never. Ends the connection of a peer that sends more than it was allowed to. */
ssize_t endpoint_arrived(struct endpoint *e, pn_delivery_t *delivery);
bool endpoint_read(struct endpoint *e, char *bytes, size_t size);

/* Handles the events of links and sessions. */
void endpoint_event(struct client *c, pn_event_t *event);

#endif
