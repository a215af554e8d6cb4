/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outlink: one link that messages go out through, and the messages that are its own until their
 * outcome, in order. Retries a link that was refused or lost for a passing reason, gives the
 * messages up where the reason is no passing one. Part of the sender.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AMQP_OUTLINK_H
#define GOFER_AMQP_OUTLINK_H

#include <stdint.h>

#include "amqp/endpoint.h"

struct sender;

/* One message. The text and the bytes are behind it in the same allocation. */
struct send {
	struct send *prev, *next;
	uint64_t seq; /* the order of the calls */
	const char *address, *bytes;
	size_t size;
	const struct dialect *dialect; /* that its `to` and `subject` were written for */
	bool request;
	pn_delivery_t *delivery; /* while unsettled */
	void (*on_outcome)(void *context, enum outcome outcome, const struct error *why);
	void *context;
	/* of one that has failed, until it is reported */
	enum outcome outcome;
	struct error *why;
};

struct send_list {
	struct send *head, *tail;
	size_t count;
};
void send_append(struct send_list *list, struct send *m);
void send_remove(struct send_list *list, struct send *m);
/* Moves all of `from` in, so that the order of the calls holds. Both are in order. */
void send_merge(struct send_list *into, struct send_list *from);
void send_list_free(struct send_list *list);

enum outlink_state {
	OUTLINK_DETACHED,
	OUTLINK_PROBING, /* a receiver's attach tells whether the node is there */
	OUTLINK_ATTACHING,
	OUTLINK_OPEN,
	OUTLINK_BACKOFF,
	OUTLINK_PARKED, /* the broker allows no more sessions */
};

struct outlink {
	struct endpoint endpoint; /* first: an endpoint's address is its link's */
	struct sender *sender;
	char *address; /* NULL: to no node */
	enum outlink_state state;
	struct send_list waiting, unsettled;
	size_t careful; /* so many are sent one by one, to find the one that breaks the link */
	struct loop_timer *timer;
	struct backoff backoff;
	uint64_t opened_ms;

	/* the sender's */
	struct outlink *next; /* of one hash value */
	struct outlink *idle_prev, *idle_next;
	bool idle;
	uint64_t idle_since_ms;
};

/* NULL: out of memory. */
struct outlink *outlink_new(struct sender *s, struct client *c, const char *address);
/* Takes what it still has to `left`; NULL: it has nothing. */
void outlink_free(struct outlink *l, struct send_list *left);
/* A message more. Attaches if need be. */
void outlink_add(struct outlink *l, struct send *m);
/* Tries a parked one again. */
void outlink_unpark(struct outlink *l);

/* What the sender does for its links. */
void sender_link_idle(struct sender *s, struct outlink *l);
void sender_link_busy(struct sender *s, struct outlink *l);
/* The message is off every list and has its outcome: calls back at once, or in a later turn. */
void sender_done(struct sender *s, struct send *m, enum outcome outcome, const struct error *why);
void sender_fail(struct sender *s, struct send *m, enum outcome outcome, const struct error *why);
/* The link has neither messages nor use any more: it is freed. */
void sender_link_over(struct sender *s, struct outlink *l);
/* The broker won't have the link to no node after all: its messages go by links of their own. */
void sender_relay_over(struct sender *s, struct outlink *l);

#endif
