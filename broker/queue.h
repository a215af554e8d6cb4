/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue: messages in order, and those who wait for them; within bounds.
 *
 * Knows neither AMQP nor the loop. Who takes messages is a `struct consumer`, who waits for room is
 * a `struct producer`: both are embedded in what their owner allocates (a link, a receiver inside
 * this process).
 *
 * A message in a queue is an `entry`: it waits, or a consumer holds it until its fate is told by
 * queue_remove() or queue_return(). Consumers that have credit are served in turn. A message that
 * comes back takes its old place. Expired ones are dropped when they are met, and by
 * queue_expire().
 *
 *   q = queue_new(100000, 256 << 20);
 *   queue_join(q, &c);  queue_credit(&c, 10);      -> c.ops->offer(&c, entry), ...
 *   queue_put(q, blob, false);                     GOFER_FULL: the message was not taken
 *   queue_remove(entry);  or  queue_return(entry, true, false);
 *   queue_leave(&c);  queue_free(q);
 *
 * The bounds are on what waits and is held together. A queue that has reached one takes nothing
 * that its sender can still keep; what a sender has forgotten already (settled) is taken up to
 * twice the bound, for it may have been on its way, and is dropped above that.
 *
 * Thread: the loop's. Callbacks must not call back into the queue, with the exceptions named.
 */
#ifndef GOFER_BROKER_QUEUE_H
#define GOFER_BROKER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "broker/blob.h"
#include "core/error.h"

struct binding; /* exchange.h */
struct consumer;
struct node; /* node.h */
struct producer;
struct queue;
struct refusal; /* the queue's own */

struct entry {
	TAILQ_ENTRY(entry) link; /* among those that wait, or those that its holder holds */
	struct queue *queue;
	struct blob *blob;
	uint64_t place;
	uint32_t failures;        /* failed deliveries from here, on top of what the header says */
	struct consumer *holder;  /* NULL: it waits */
	struct refusal *refusals; /* consumers that do not want to see it again */
	void *tag;                /* its holder's own */
};
TAILQ_HEAD(entry_list, entry);

struct consumer_ops {
	/* `e` is the consumer's to hold; its credit is one less. May call queue_remove(e) and
	 * queue_pause(c). On failure the message stays in the queue and the consumer's credit is
	 * gone. */
	enum gofer_err (*offer)(struct consumer *c, struct entry *e);
	/* The queue is deleted. The consumer has left it, and what it held does not exist any more
	 * (the tags were last seen by `forget`). */
	void (*gone)(struct consumer *c);
	/* An entry that the consumer holds is about to go with its queue. NULL: it keeps no
	 * tags. */
	void (*forget)(struct consumer *c, struct entry *e);
};

struct consumer {
	const struct consumer_ops *ops;
	size_t largest; /* it gets no message of more bytes: those are left to others; 0: any */
	/* the queue's */
	struct queue *queue; /* NULL: in none */
	TAILQ_ENTRY(consumer) link, turn;
	struct entry_list held;
	uint64_t id;
	unsigned credit;
};
TAILQ_HEAD(consumer_list, consumer);

struct producer_ops {
	void (*room)(struct producer *p); /* there is room again; it waits no longer */
	void (*gone)(struct producer *p); /* the queue is deleted; it has left it */
};

struct producer {
	const struct producer_ops *ops;
	/* the queue's */
	struct queue *queue; /* NULL: in none */
	bool waits;
	TAILQ_ENTRY(producer) link;
};
TAILQ_HEAD(producer_list, producer);

struct queue {
	/* immutable */
	size_t messages_max, bytes_max;
	/* read by others */
	size_t messages, bytes; /* waiting and held */
	size_t held;
	size_t consumers;
	bool had_consumer;
	/* others' */
	struct node *node;             /* the registry's; NULL outside of one */
	LIST_HEAD(, binding) bindings; /* the exchanges' */
	size_t bindings_count;
	uint64_t route; /* the last routing that found it: once a message is enough */
	/* its own */
	struct entry_list waiting;
	struct entry *returned; /* where the last one came back, if it is still there */
	struct consumer_list all, ready;
	size_t ready_count;
	struct producer_list producers, starved;
	size_t refused;          /* entries that some consumer refused */
	size_t expiring;         /* waiting entries with a time limit */
	uint64_t next_expiry_ms; /* none of them expires before */
	uint64_t next_place, next_id;
};

/* NULL: out of memory. */
struct queue *queue_new(size_t messages_max, size_t bytes_max);
/* Everyone is told `gone`; messages go with it. NULL is taken. */
void queue_free(struct queue *q);

bool queue_is_full(const struct queue *q);
/* How many messages may still come. */
size_t queue_room(const struct queue *q);

/* Adds a reference to `b`, or gives it to a consumer at once. `settled`: its sender has forgotten
 * it. GOFER_FULL (not settled: it is the sender's still; settled: it is dropped), GOFER_NOMEM. */
enum gofer_err queue_put(struct queue *q, struct blob *b, bool settled);

/* A consumer comes, without credit. */
void queue_join(struct queue *q, struct consumer *c);
/* It goes; what it holds returns as failed. Nothing if it is in none. */
void queue_leave(struct consumer *c);
/* It can take `credit` messages from now on; gets those that wait, before this returns. */
void queue_credit(struct consumer *c, unsigned credit);
/* It takes no more until it gets credit again. Allowed in `offer`. */
void queue_pause(struct consumer *c);

/* The message is done with. */
void queue_remove(struct entry *e);
/* It goes back to its place. `failed`: the delivery counts; `not_here`: not to this consumer
 * again. */
void queue_return(struct entry *e, bool failed, bool not_here);

/* Drops up to `count` of those that wait (0: all); returns how many there were. */
size_t queue_purge(struct queue *q, size_t count);
/* Drops what has expired by now (monotonic, ms). */
void queue_expire(struct queue *q, uint64_t now_ms);

void queue_enter(struct queue *q, struct producer *p);
void queue_exit(struct producer *p); /* nothing if it is in none */
/* Tells `room` once, when there is some. */
void queue_await_room(struct producer *p);

#endif
