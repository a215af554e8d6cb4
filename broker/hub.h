/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub: the middle of the broker: takes a message from whoever sent it to whoever gets it.
 *
 * Knows no connections: links of remote peers, receivers inside this process and the management all
 * come to it with a message and an address, or with a consumer.
 *
 * What becomes of a message whose queue is full: an address that a link is attached to gives no
 * credit, so it is rare there; where the address comes with the message (anonymous relay, an
 * exchange) the outcome is `released` and the sender has it still. To hold the outcome back until
 * there is room would let one queue that nobody empties use up the credit of a link, and with it
 * stop everyone else that is reached over the same link. With several queues behind an exchange it
 * is all or nothing: one that is full releases the message, so that a second try makes no
 * duplicates.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_BROKER_HUB_H
#define GOFER_BROKER_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/loop.h"
#include "amqp/message.h"
#include "broker/blob.h"
#include "broker/node.h"
#include "core/buf.h"
#include "core/error.h"

struct hub {
	/* immutable */
	struct loop *loop;
	size_t message_bytes; /* the largest message */

	struct nodes nodes;
	uint64_t received, delivered; /* messages, since the start */

	/* memory that is used again and again */
	struct targets targets;
	struct buf sections; /* bodies of several sections, while decoding */
	struct buf header;   /* messages whose header changed, on their way out */

	struct loop_timer *sweeper;
	bool sweeping;
};

/* GOFER_NOMEM. hub_release() in every case, when no consumer and no producer is left. */
enum gofer_err hub_init(struct hub *hub, struct loop *loop, size_t queue_messages,
                        size_t queue_bytes, size_t message_bytes);
void hub_release(struct hub *hub);

/*
 * Delivers. `message` is the decoded `blob`; `settled`: the sender has forgotten it, and cares
 * about no outcome. GOFER_OK: taken; GOFER_NOTFOUND: nobody is there; GOFER_FULL: not now;
 * GOFER_INVALID: never; GOFER_NOMEM.
 */
enum gofer_err hub_deliver(struct hub *hub, const struct address *to, struct blob *blob,
                           const struct message *message, bool settled, struct error *error);
/* The same, to where the message's `to` says. */
enum gofer_err hub_relay(struct hub *hub, struct blob *blob, const struct message *message,
                         bool settled, struct error *error);

/* What a consumer wants. */
struct source {
	bool dynamic;            /* a queue of its own */
	struct slice address;    /* otherwise */
	struct node_flags flags; /* of a queue that has to be made */
	struct slice key;        /* to bind to an exchange with; data NULL: what suits it */
	struct slice exchange;   /* dynamic: bind it to this one by its own name; data NULL: none */
};
/* Finds or makes the queue. `*owned`: it was made for this consumer alone, who must remove it
 * (nodes_remove()). GOFER_NOTFOUND, GOFER_INVALID (no queue), GOFER_FULL, GOFER_NOMEM. */
enum gofer_err hub_source(struct hub *hub, const struct source *source, struct node **out,
                          bool *owned, struct error *error);
/* The consumer leaves its queue, which goes too if it is made so. */
void hub_leave(struct hub *hub, struct consumer *c);

/* Binding, with what follows from the flags. */
enum gofer_err hub_unbind(struct hub *hub, struct node *exchange, struct queue *q,
                          struct slice key);

#endif
