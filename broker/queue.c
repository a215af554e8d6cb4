/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/queue.h"

#include <limits.h>
#include <stdlib.h>

#include "core/clock.h"

struct refusal {
	struct refusal *next;
	uint64_t consumer;
};

static void dispatch(struct queue *q);

struct queue *queue_new(size_t messages_max, size_t bytes_max)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->messages_max = messages_max;
	q->bytes_max = bytes_max;
	q->next_expiry_ms = UINT64_MAX;
	LIST_INIT(&q->bindings);
	TAILQ_INIT(&q->waiting);
	TAILQ_INIT(&q->all);
	TAILQ_INIT(&q->ready);
	TAILQ_INIT(&q->producers);
	TAILQ_INIT(&q->starved);
	return q;
}

/* --- bounds --------------------------------------------------------------------------- */

bool queue_is_full(const struct queue *q)
{
	return q->messages >= q->messages_max || q->bytes >= q->bytes_max;
}

size_t queue_room(const struct queue *q)
{
	return queue_is_full(q) ? 0 : q->messages_max - q->messages;
}

static bool takes(const struct queue *q, bool settled)
{
	if (!queue_is_full(q))
		return true;
	return settled && q->messages / 2 < q->messages_max && q->bytes / 2 < q->bytes_max;
}

/* A quarter must be free before senders are woken: else they would be woken for every message. */
static bool has_ample_room(const struct queue *q)
{
	return q->messages_max - q->messages_max / 4 > q->messages &&
		q->bytes_max - q->bytes_max / 4 > q->bytes;
}

static void wake_starved(struct queue *q)
{
	struct producer *last = TAILQ_LAST(&q->starved, producer_list), *p = NULL;

	while (p != last && has_ample_room(q)) {
		p = TAILQ_FIRST(&q->starved);
		TAILQ_REMOVE(&q->starved, p, link);
		TAILQ_INSERT_TAIL(&q->producers, p, link);
		p->waits = false;
		p->ops->room(p);
	}
}

/* --- entries -------------------------------------------------------------------------- */

static struct entry *entry_new(struct queue *q, struct blob *b)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->queue = q;
	e->blob = blob_ref(b);
	e->place = q->next_place++;
	q->messages++;
	q->bytes += b->size;
	return e;
}

static void refusals_free(struct entry *e)
{
	struct refusal *next;

	if (e->refusals)
		e->queue->refused--;
	for (struct refusal *r = e->refusals; r; r = next) {
		next = r->next;
		free(r);
	}
}

/* The entry is in no list any more. */
static void entry_free(struct entry *e)
{
	e->queue->messages--;
	e->queue->bytes -= e->blob->size;
	refusals_free(e);
	blob_unref(e->blob);
	free(e);
}

static void count_expiry(struct queue *q, const struct entry *e)
{
	if (!e->blob->expires_ms)
		return;
	q->expiring++;
	if (e->blob->expires_ms < q->next_expiry_ms)
		q->next_expiry_ms = e->blob->expires_ms;
}

static void wait_last(struct queue *q, struct entry *e)
{
	TAILQ_INSERT_TAIL(&q->waiting, e, link);
	count_expiry(q, e);
}

/* The one that waits right before the place of `e`. Entries come back in runs, so the search starts
 * where the last one came back. */
static struct entry *predecessor(struct queue *q, const struct entry *e)
{
	struct entry *at = q->returned ? q->returned : TAILQ_FIRST(&q->waiting), *next;

	while (at && at->place > e->place)
		at = TAILQ_PREV(at, entry_list, link);
	while (at && (next = TAILQ_NEXT(at, link)) && next->place < e->place)
		at = next;
	return at;
}

static void wait_in_place(struct queue *q, struct entry *e)
{
	struct entry *before = predecessor(q, e);

	if (before)
		TAILQ_INSERT_AFTER(&q->waiting, before, e, link);
	else
		TAILQ_INSERT_HEAD(&q->waiting, e, link);
	q->returned = e;
	count_expiry(q, e);
}

static void stop_waiting(struct queue *q, struct entry *e)
{
	if (q->returned == e)
		q->returned = TAILQ_NEXT(e, link);
	TAILQ_REMOVE(&q->waiting, e, link);
	if (e->blob->expires_ms)
		q->expiring--;
}

static void stop_holding(struct entry *e)
{
	TAILQ_REMOVE(&e->holder->held, e, link);
	e->holder = NULL;
	e->tag = NULL;
	e->queue->held--;
}

static void drop_waiting(struct queue *q, struct entry *e)
{
	stop_waiting(q, e);
	entry_free(e);
}

static bool is_refused(const struct entry *e, const struct consumer *c)
{
	for (const struct refusal *r = e->refusals; r; r = r->next)
		if (r->consumer == c->id)
			return true;
	return false;
}

/* Without the memory to remember it by, the consumer will see the message again. */
static void refuse(struct entry *e, const struct consumer *c)
{
	struct refusal *r = malloc(sizeof(*r));

	if (!r)
		return;
	if (!e->refusals)
		e->queue->refused++;
	r->consumer = c->id;
	r->next = e->refusals;
	e->refusals = r;
}

/* --- consumers ------------------------------------------------------------------------ */

void queue_join(struct queue *q, struct consumer *c)
{
	c->queue = q;
	c->id = q->next_id++;
	c->credit = 0;
	TAILQ_INIT(&c->held);
	TAILQ_INSERT_TAIL(&q->all, c, link);
	q->consumers++;
	q->had_consumer = true;
}

static void set_credit(struct consumer *c, unsigned credit)
{
	struct queue *q = c->queue;

	if (credit && !c->credit) {
		TAILQ_INSERT_TAIL(&q->ready, c, turn);
		q->ready_count++;
	} else if (!credit && c->credit) {
		TAILQ_REMOVE(&q->ready, c, turn);
		q->ready_count--;
	}
	c->credit = credit;
}

static void leave(struct consumer *c)
{
	set_credit(c, 0);
	TAILQ_REMOVE(&c->queue->all, c, link);
	c->queue->consumers--;
	c->queue = NULL;
}

void queue_leave(struct consumer *c)
{
	struct queue *q = c->queue;
	struct entry *e;

	if (!q)
		return;
	leave(c);
	while ((e = TAILQ_FIRST(&c->held))) {
		stop_holding(e);
		e->failures++;
		wait_in_place(q, e);
	}
	dispatch(q);
}

void queue_pause(struct consumer *c)
{
	set_credit(c, 0);
}

void queue_credit(struct consumer *c, unsigned credit)
{
	set_credit(c, credit);
	if (credit)
		dispatch(c->queue);
}

/* --- dispatching ---------------------------------------------------------------------- */

static bool is_expired(const struct entry *e)
{
	return e->blob->expires_ms && blob_is_expired(e->blob, clock_monotonic_ms());
}

static bool suits(const struct entry *e, const struct consumer *c)
{
	return (!c->largest || e->blob->size <= c->largest) && (!e->refusals || !is_refused(e, c));
}

/* The first that waits and that `c` may have. */
static struct entry *first_for(struct queue *q, const struct consumer *c)
{
	struct entry *e = TAILQ_FIRST(&q->waiting), *next;

	for (; e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (is_expired(e))
			drop_waiting(q, e);
		else if (suits(e, c))
			return e;
	}
	return NULL;
}

static void hold(struct consumer *c, struct entry *e)
{
	e->holder = c;
	TAILQ_INSERT_TAIL(&c->held, e, link);
	e->queue->held++;
}

/* `e` is in no list. */
static void give(struct queue *q, struct consumer *c, struct entry *e)
{
	hold(c, e);
	set_credit(c, c->credit - 1);
	if (c->ops->offer(c, e)) {
		stop_holding(e);
		wait_in_place(q, e);
		queue_pause(c);
	}
}

static struct consumer *next_in_turn(struct queue *q)
{
	struct consumer *c = TAILQ_FIRST(&q->ready);

	TAILQ_REMOVE(&q->ready, c, turn);
	TAILQ_INSERT_TAIL(&q->ready, c, turn);
	return c;
}

static void dispatch(struct queue *q)
{
	size_t idle = 0;

	while (idle < q->ready_count && TAILQ_FIRST(&q->waiting)) {
		struct consumer *c = next_in_turn(q);
		struct entry *e = first_for(q, c);

		if (!e) {
			idle++;
			continue;
		}
		idle = 0;
		stop_waiting(q, e);
		give(q, c, e);
	}
	wake_starved(q);
}

/* --- messages ------------------------------------------------------------------------- */

enum gofer_err queue_put(struct queue *q, struct blob *b, bool settled)
{
	struct entry *e;

	if (!takes(q, settled))
		return GOFER_FULL;
	e = entry_new(q, b);
	if (!e)
		return GOFER_NOMEM;
	wait_last(q, e);
	if (q->ready_count)
		dispatch(q);
	return GOFER_OK;
}

void queue_remove(struct entry *e)
{
	struct queue *q = e->queue;

	if (e->holder)
		stop_holding(e);
	else
		stop_waiting(q, e);
	entry_free(e);
	wake_starved(q);
}

void queue_return(struct entry *e, bool failed, bool not_here)
{
	struct queue *q = e->queue;

	if (not_here)
		refuse(e, e->holder);
	if (failed)
		e->failures++;
	stop_holding(e);
	wait_in_place(q, e);
	dispatch(q);
}

size_t queue_purge(struct queue *q, size_t count)
{
	struct entry *e;
	size_t dropped = 0;

	while ((e = TAILQ_FIRST(&q->waiting)) && (!count || dropped < count)) {
		drop_waiting(q, e);
		dropped++;
	}
	wake_starved(q);
	return dropped;
}

void queue_expire(struct queue *q, uint64_t now_ms)
{
	struct entry *e, *next;

	if (!q->expiring || q->next_expiry_ms > now_ms)
		return;
	q->next_expiry_ms = UINT64_MAX;
	for (e = TAILQ_FIRST(&q->waiting); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (blob_is_expired(e->blob, now_ms))
			drop_waiting(q, e);
		else if (e->blob->expires_ms && e->blob->expires_ms < q->next_expiry_ms)
			q->next_expiry_ms = e->blob->expires_ms;
	}
	wake_starved(q);
}

/* --- producers ------------------------------------------------------------------------ */

void queue_enter(struct queue *q, struct producer *p)
{
	p->queue = q;
	p->waits = false;
	TAILQ_INSERT_TAIL(&q->producers, p, link);
}

static struct producer_list *list_of(const struct producer *p)
{
	return p->waits ? &p->queue->starved : &p->queue->producers;
}

void queue_exit(struct producer *p)
{
	if (!p->queue)
		return;
	TAILQ_REMOVE(list_of(p), p, link);
	p->queue = NULL;
	p->waits = false;
}

void queue_await_room(struct producer *p)
{
	if (p->waits)
		return;
	TAILQ_REMOVE(&p->queue->producers, p, link);
	TAILQ_INSERT_TAIL(&p->queue->starved, p, link);
	p->waits = true;
}

/* --- the end -------------------------------------------------------------------------- */

static void expel_consumer(struct consumer *c)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&c->held))) {
		if (c->ops->forget)
			c->ops->forget(c, e);
		stop_holding(e);
		entry_free(e);
	}
	leave(c);
	c->ops->gone(c);
}

static void expel_producers(struct producer_list *list)
{
	struct producer *p;

	while ((p = TAILQ_FIRST(list))) {
		queue_exit(p);
		p->ops->gone(p);
	}
}

void queue_free(struct queue *q)
{
	struct consumer *c;
	struct entry *e;

	if (!q)
		return;
	while ((e = TAILQ_FIRST(&q->waiting)))
		drop_waiting(q, e);
	while ((c = TAILQ_FIRST(&q->all)))
		expel_consumer(c);
	expel_producers(&q->producers);
	expel_producers(&q->starved);
	free(q);
}
