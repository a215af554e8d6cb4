/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "broker/local_parts.h"

/* A receiver whose queue was deleted, or could not be made, tries again after so long. */
#define RETRY_S 1.0

struct local_delivery {
	struct delivery base; /* first */
	struct tidings message;
	struct blob *blob;
	struct entry *entry; /* NULL: it is nobody's any more */
	struct buf sections;
};

/* --- telling --------------------------------------------------------------------------- */

static void tell_open(struct tidings *t)
{
	struct local_receiver *r = CONTAINER(t, struct local_receiver, open);

	r->events->on_open(&r->base, r->consumer.queue->node->text, r->context);
}

static void tell_down(struct tidings *t)
{
	struct local_receiver *r = CONTAINER(t, struct local_receiver, down);
	struct error why = r->why;

	r->events->on_down(&r->base, &why, r->retry_s, r->context);
}

static void tell_message(struct tidings *t)
{
	struct local_delivery *d = CONTAINER(t, struct local_delivery, message);
	struct local_receiver *r = CONTAINER(d->entry->holder, struct local_receiver, consumer);

	d->base.decoded =
		!message_decode(&d->base.message, d->blob->data, d->blob->size, &d->sections, NULL);
	if (d->base.decoded)
		blob_header(d->blob, d->entry->failures, &d->base.message);
	r->events->on_message(&r->base, &d->base, r->context);
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

void local_delivery_settle(struct delivery *base, enum outcome outcome, const struct error *why)
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
	teller_remove(l->teller, &d->message);
	delivery_free(d);
}

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
	teller_add(r->local->teller, &d->message);
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
	teller_remove(r->local->teller, &r->open);
	teller_add(r->local->teller, &r->down);
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
	teller_add(r->local->teller, &r->open);
}

static void on_retry(void *context)
{
	attach(context);
}

void local_receiver_detach(struct local_receiver *r)
{
	struct entry *e;

	teller_remove(r->local->teller, &r->open);
	teller_remove(r->local->teller, &r->down);
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

void local_receiver_stop(struct local_receiver *r)
{
	local_receiver_detach(r);
	error_set(&r->why, GOFER_UNREACHABLE, LOCAL_STOPPED);
	receiver_down(r, -1);
}

void local_receiver_free(struct local_receiver *r)
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

struct receiver *local_receiver_open(struct connection *c, const struct receiver_options *options,
                                     const struct receiver_events *events, void *context)
{
	struct local *l = (struct local *)c;
	struct local_receiver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->retry = loop_timer_new(l->loop, on_retry, r);
	if (!r->retry || !copy_text(&r->address, options->address) ||
	    !copy_text(&r->exchange, options->exchange)) {
		local_receiver_free(r);
		return NULL;
	}
	r->base.ops = &local_ops;
	r->local = l;
	r->consumer.ops = &consumer_ops;
	r->events = events;
	r->context = context;
	r->durable = options->durable;
	r->open.tell = tell_open;
	r->down.tell = tell_down;
	LIST_INSERT_HEAD(&l->receivers, r, entry);
	if (l->state <= LOCAL_UP)
		attach(r);
	return &r->base;
}

void local_receiver_credit(struct receiver *base, unsigned n)
{
	struct local_receiver *r = (struct local_receiver *)base;

	if (r->consumer.queue)
		queue_credit(&r->consumer, r->consumer.credit + n);
}

void local_receiver_close(struct receiver *base)
{
	struct local_receiver *r = (struct local_receiver *)base;

	local_receiver_detach(r);
	LIST_REMOVE(r, entry);
	local_receiver_free(r);
}
