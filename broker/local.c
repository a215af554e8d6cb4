/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/local.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"

/* A receiver whose queue was deleted, or could not be made, tries again after so long. */
#define RETRY_S 1.0

struct event;
TAILQ_HEAD(event_list, event);

/* Something to be told at the end of the turn. */
struct event {
	TAILQ_ENTRY(event) link;
	void (*tell)(struct local *l, struct event *e); /* it is in no list; may free it, and `l` */
	bool queued;
};

/* Lives on after the connection is freed, until the loop has called it. */
struct turn {
	struct loop_task task;
	struct local *local; /* NULL: freed */
	bool deferred, running;
};

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
	struct event_list queued;
	size_t queued_count;
	struct turn *turn;
	struct event up, down, closed;
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
	struct event open, down;
	struct error why; /* of `down` */
	double retry_s;
};

struct local_delivery {
	struct delivery base; /* first */
	struct event message;
	struct blob *blob;
	struct entry *entry; /* NULL: it is nobody's any more */
	struct buf sections;
};

struct local_outcome {
	struct event event; /* first */
	void (*on_outcome)(void *context, enum outcome outcome, const struct error *why);
	void *context;
	enum outcome outcome;
	struct error *why; /* NULL: accepted, or no memory for it */
};

static struct local *local_of(struct connection *c)
{
	return (struct local *)c;
}

#define CONTAINER(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* --- telling --------------------------------------------------------------------------- */

static void tell_later(struct local *l, struct event *e)
{
	if (e->queued)
		return;
	e->queued = true;
	TAILQ_INSERT_TAIL(&l->queued, e, link);
	l->queued_count++;
	if (l->turn->deferred)
		return;
	l->turn->deferred = true;
	loop_defer(l->loop, &l->turn->task);
}

static void unqueue(struct local *l, struct event *e)
{
	if (!e->queued)
		return;
	e->queued = false;
	TAILQ_REMOVE(&l->queued, e, link);
	l->queued_count--;
}

/* What comes up meanwhile is told in the next turn. */
static void tell_queued(struct turn *turn)
{
	struct event *e;

	for (size_t n = turn->local->queued_count; n && turn->local; n--) {
		e = TAILQ_FIRST(&turn->local->queued);
		if (!e)
			break;
		unqueue(turn->local, e);
		e->tell(turn->local, e);
	}
}

static void on_turn(struct loop_task *task)
{
	struct turn *turn = CONTAINER(task, struct turn, task);

	turn->deferred = false;
	turn->running = true;
	if (turn->local)
		tell_queued(turn);
	turn->running = false;
	if (!turn->local && !turn->deferred)
		free(turn);
}

static void turn_release(struct turn *turn)
{
	turn->local = NULL;
	if (!turn->deferred && !turn->running)
		free(turn);
}

static void tell_up(struct local *l, struct event *e)
{
	(void)e;
	l->state = LOCAL_UP;
	l->events->on_up(&l->base, l->context);
}

static void tell_down(struct local *l, struct event *e)
{
	struct error why;

	(void)e;
	error_set(&why, GOFER_UNREACHABLE, "the broker in this process has stopped");
	l->events->on_down(&l->base, &why, -1, l->context);
}

static void tell_closed(struct local *l, struct event *e)
{
	(void)e;
	if (l->events->on_closed)
		l->events->on_closed(&l->base, l->context);
}

static void tell_open(struct local *l, struct event *e)
{
	struct local_receiver *r = CONTAINER(e, struct local_receiver, open);

	(void)l;
	r->events->on_open(&r->base, r->consumer.queue->node->text, r->context);
}

static void tell_receiver_down(struct local *l, struct event *e)
{
	struct local_receiver *r = CONTAINER(e, struct local_receiver, down);
	struct error why = r->why;

	(void)l;
	r->events->on_down(&r->base, &why, r->retry_s, r->context);
}

static void tell_message(struct local *l, struct event *e)
{
	struct local_delivery *d = CONTAINER(e, struct local_delivery, message);
	struct local_receiver *r = CONTAINER(d->entry->holder, struct local_receiver, consumer);

	(void)l;
	d->base.decoded =
		!message_decode(&d->base.message, d->blob->data, d->blob->size, &d->sections, NULL);
	if (d->base.decoded)
		blob_header(d->blob, d->entry->failures, &d->base.message);
	r->events->on_message(&r->base, &d->base, r->context);
}

static void outcome_free(struct local_outcome *o)
{
	free(o->why);
	free(o);
}

static void tell_outcome(struct local *l, struct event *e)
{
	struct local_outcome *o = (struct local_outcome *)e;
	struct local_outcome told = *o;

	(void)l;
	o->why = NULL;
	outcome_free(o);
	told.on_outcome(told.context, told.outcome, told.why);
	free(told.why);
}

/* --- deliveries ------------------------------------------------------------------------ */

static void delivery_free(struct local_delivery *d)
{
	blob_unref(d->blob);
	buf_release(&d->sections);
	free(d);
}

static void apply(struct entry *e, enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_ACCEPTED:
	case OUTCOME_REJECTED: queue_remove(e); break;
	case OUTCOME_RELEASED: queue_return(e, false, false); break;
	case OUTCOME_MODIFIED:
	case OUTCOME_LOST: queue_return(e, true, false); break;
	}
}

static void local_settle(struct delivery *base, enum outcome outcome, const struct error *why)
{
	struct local_delivery *d = (struct local_delivery *)base;

	(void)why;
	if (d->entry)
		apply(d->entry, outcome);
	delivery_free(d);
}

/* The delivery leads nowhere any more; one that nobody has seen goes. */
static void disown(struct local *l, struct entry *e)
{
	struct local_delivery *d = e->tag;

	d->entry = NULL;
	if (!d->message.queued)
		return;
	unqueue(l, &d->message);
	delivery_free(d);
}

static const struct connection_ops local_ops;

static enum gofer_err on_offer(struct consumer *c, struct entry *e)
{
	struct local_receiver *r = CONTAINER(c, struct local_receiver, consumer);
	struct local_delivery *d = malloc(sizeof(*d));

	if (!d)
		return GOFER_NOMEM;
	d->base.ops = &local_ops;
	d->base.decoded = false;
	d->message.tell = tell_message;
	d->message.queued = false;
	d->blob = blob_ref(e->blob);
	d->entry = e;
	d->sections = (struct buf)BUF_INIT;
	e->tag = d;
	r->local->hub->delivered++;
	tell_later(r->local, &d->message);
	return GOFER_OK;
}

static void on_forget(struct consumer *c, struct entry *e)
{
	disown(CONTAINER(c, struct local_receiver, consumer)->local, e);
}

/* --- receivers ------------------------------------------------------------------------- */

static void receiver_down(struct local_receiver *r, double retry_s)
{
	r->retry_s = retry_s;
	unqueue(r->local, &r->open);
	tell_later(r->local, &r->down);
	if (retry_s >= 0)
		loop_timer_start(r->retry, retry_s, 0);
}

static void on_gone(struct consumer *c)
{
	struct local_receiver *r = CONTAINER(c, struct local_receiver, consumer);

	r->owned = NULL;
	error_set(&r->why, GOFER_NOTFOUND, "the queue was deleted");
	receiver_down(r, RETRY_S);
}

static const struct consumer_ops consumer_ops = {on_offer, on_gone, on_forget};

static struct slice text_slice(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

static void attach(struct local_receiver *r)
{
	struct source source = {
		.dynamic = !r->address,
		.address = text_slice(r->address),
		.flags = {.durable = r->durable},
		.exchange = text_slice(r->exchange),
	};
	struct node *node;
	bool owned;
	enum gofer_err err = hub_source(r->local->hub, &source, &node, &owned, &r->why);

	if (err) {
		receiver_down(r, err == GOFER_INVALID ? -1 : RETRY_S);
		return;
	}
	r->owned = owned ? node : NULL;
	queue_join(node->queue, &r->consumer);
	tell_later(r->local, &r->open);
}

static void on_retry(void *context)
{
	attach(context);
}

/* Off its queue; nothing is told of it any more. */
static void detach(struct local_receiver *r)
{
	struct entry *e;

	unqueue(r->local, &r->open);
	unqueue(r->local, &r->down);
	loop_timer_stop(r->retry);
	if (!r->consumer.queue)
		return;
	TAILQ_FOREACH(e, &r->consumer.held, link)
	disown(r->local, e);
	if (r->owned) {
		queue_leave(&r->consumer);
		nodes_remove(&r->local->hub->nodes, r->owned);
		r->owned = NULL;
	} else {
		hub_leave(r->local->hub, &r->consumer);
	}
}

static void receiver_free(struct local_receiver *r)
{
	if (!r)
		return;
	loop_timer_free(r->retry);
	free(r->address);
	free(r->exchange);
	free(r);
}

static bool copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

static struct receiver *local_receiver_open(struct connection *c,
                                            const struct receiver_options *options,
                                            const struct receiver_events *events, void *context)
{
	struct local *l = local_of(c);
	struct local_receiver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->retry = loop_timer_new(l->loop, on_retry, r);
	if (!r->retry || !copy_text(&r->address, options->address) ||
	    !copy_text(&r->exchange, options->exchange)) {
		receiver_free(r);
		return NULL;
	}
	r->base.ops = &local_ops;
	r->local = l;
	r->consumer.ops = &consumer_ops;
	r->events = events;
	r->context = context;
	r->durable = options->durable;
	r->open.tell = tell_open;
	r->down.tell = tell_receiver_down;
	LIST_INSERT_HEAD(&l->receivers, r, entry);
	if (l->state <= LOCAL_UP)
		attach(r);
	return &r->base;
}

static void local_receiver_credit(struct receiver *base, unsigned n)
{
	struct local_receiver *r = (struct local_receiver *)base;

	if (r->consumer.queue)
		queue_credit(&r->consumer, r->consumer.credit + n);
}

static void local_receiver_close(struct receiver *base)
{
	struct local_receiver *r = (struct local_receiver *)base;

	detach(r);
	LIST_REMOVE(r, entry);
	receiver_free(r);
}

/* --- sending --------------------------------------------------------------------------- */

static enum gofer_err make_blob(struct hub *hub, const struct send_options *options,
                                struct message *message, struct blob **out)
{
	struct blob *blob;

	*message = *options->message;
	message->to = text_slice(options->address);
	buf_clear(&hub->header);
	if (message_encode(&hub->header, message))
		return GOFER_NOMEM;
	blob = blob_new(hub->header.size);
	if (!blob)
		return GOFER_NOMEM;
	memcpy(blob->data, hub->header.data, blob->size);
	blob_describe(blob, message);
	*out = blob;
	return GOFER_OK;
}

static enum gofer_err deliver(struct hub *hub, struct blob *blob, const struct message *message,
                              struct error *why)
{
	if (blob->size > hub->message_bytes)
		return error_set(why, GOFER_INVALID, "a message of %zu bytes, the largest is %zu",
		                 blob->size, hub->message_bytes);
	return hub_relay(hub, blob, message, false, why);
}

static enum outcome outcome_of(enum gofer_err err)
{
	if (!err)
		return OUTCOME_ACCEPTED;
	return err == GOFER_INVALID ? OUTCOME_REJECTED : OUTCOME_RELEASED;
}

static void set_outcome(struct local_outcome *o, enum gofer_err err, const struct error *why)
{
	o->outcome = outcome_of(err);
	o->why = err ? malloc(sizeof(*o->why)) : NULL;
	if (o->why)
		*o->why = *why;
}

static struct local_outcome *outcome_new(const struct send_options *options)
{
	struct local_outcome *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->event.tell = tell_outcome;
	o->on_outcome = options->on_outcome;
	o->context = options->context;
	return o;
}

static enum gofer_err local_send(struct connection *c, const struct send_options *options)
{
	struct local *l = local_of(c);
	struct error why = ERROR_NONE;
	struct local_outcome *o = NULL;
	struct blob *blob = NULL;
	struct message message;
	enum gofer_err err;

	if (l->state > LOCAL_UP)
		return GOFER_CANCELLED;
	if (options->on_outcome && !(o = outcome_new(options)))
		return GOFER_NOMEM;
	err = make_blob(l->hub, options, &message, &blob);
	if (err) {
		free(o);
		return err;
	}
	err = deliver(l->hub, blob, &message, &why);
	blob_unref(blob);
	if (err)
		log_debug("broker", "a message to %s is not taken: %s", options->address, why.text);
	if (o) {
		set_outcome(o, err, &why);
		tell_later(l, &o->event);
	}
	return GOFER_OK;
}

/* --- the connection -------------------------------------------------------------------- */

static bool local_is_up(const struct connection *c)
{
	return ((const struct local *)c)->state == LOCAL_UP;
}

static const char *local_product(const struct connection *c)
{
	(void)c;
	return "gofer";
}

static enum message_body local_request_body(const struct connection *c)
{
	(void)c;
	return MESSAGE_STRING;
}

/* Outcomes and all else that was to be told. */
static void drop_queued(struct local *l)
{
	struct event *e;

	while ((e = TAILQ_FIRST(&l->queued))) {
		unqueue(l, e);
		if (e->tell == tell_outcome)
			outcome_free((struct local_outcome *)e);
	}
}

static void detach_all(struct local *l)
{
	struct local_receiver *r;

	LIST_FOREACH(r, &l->receivers, entry)
	detach(r);
}

static void local_close(struct connection *c)
{
	struct local *l = local_of(c);

	if (l->state == LOCAL_CLOSED)
		return;
	detach_all(l);
	drop_queued(l);
	l->state = LOCAL_CLOSED;
	tell_later(l, &l->closed);
}

static void local_free(struct connection *c)
{
	struct local *l = local_of(c);
	struct local_receiver *r;

	detach_all(l);
	drop_queued(l);
	while ((r = LIST_FIRST(&l->receivers))) {
		LIST_REMOVE(r, entry);
		receiver_free(r);
	}
	if (l->hub)
		LIST_REMOVE(l, entry);
	turn_release(l->turn);
	free(l);
}

static const struct connection_ops local_ops = {
	.close = local_close,
	.free = local_free,
	.is_up = local_is_up,
	.product = local_product,
	.request_body = local_request_body,
	.send = local_send,
	.receiver_open = local_receiver_open,
	.receiver_credit = local_receiver_credit,
	.receiver_close = local_receiver_close,
	.delivery_settle = local_settle,
};

struct connection *local_new(struct hub *hub, struct local_list *list,
                             const struct connection_events *events, void *context)
{
	struct local *l = calloc(1, sizeof(*l));
	struct turn *turn = calloc(1, sizeof(*turn));

	if (!l || !turn) {
		free(l);
		free(turn);
		return NULL;
	}
	turn->task.run = on_turn;
	turn->local = l;
	l->base.ops = &local_ops;
	l->turn = turn;
	l->loop = hub->loop;
	l->hub = hub;
	l->events = events;
	l->context = context;
	l->up.tell = tell_up;
	l->down.tell = tell_down;
	l->closed.tell = tell_closed;
	TAILQ_INIT(&l->queued);
	LIST_INIT(&l->receivers);
	LIST_INSERT_HEAD(list, l, entry);
	tell_later(l, &l->up);
	return &l->base;
}

static void take_down(struct local *l)
{
	struct local_receiver *r;

	unqueue(l, &l->up);
	l->state = LOCAL_DOWN;
	LIST_FOREACH(r, &l->receivers, entry)
	{
		detach(r);
		error_set(&r->why, GOFER_UNREACHABLE, "the broker in this process has stopped");
		receiver_down(r, -1);
	}
	tell_later(l, &l->down);
}

void local_down_all(struct local_list *list)
{
	struct local *l;

	LIST_FOREACH(l, list, entry)
	if (l->state <= LOCAL_UP)
		take_down(l);
}

void local_orphan_all(struct local_list *list)
{
	struct local *l;

	while ((l = LIST_FIRST(list))) {
		LIST_REMOVE(l, entry);
		l->hub = NULL;
	}
}
