/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_connection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF(pointer, member) \
	((struct fake_connection *)((char *)(pointer)-offsetof(struct fake_connection, member)))

static char *text_of(struct slice s)
{
	return s.data ? strndup(s.data, s.size) : NULL;
}

static void fake_close(struct connection *c)
{
	OF(c, base)->closed = true;
}

static void fake_free_op(struct connection *c)
{
	(void)c;
}

static bool fake_is_up(const struct connection *c)
{
	return !OF(c, base)->closed;
}

static const char *fake_product(const struct connection *c)
{
	(void)c;
	return "fake";
}

static enum message_body fake_request_body(const struct connection *c)
{
	(void)c;
	return MESSAGE_STRING;
}

static enum gofer_err fake_send(struct connection *c, const struct send_options *options)
{
	struct fake_connection *f = OF(c, base);
	const struct message *m = options->message;
	struct fake_sent *s;

	if (f->refuse)
		return f->refuse;
	assert(f->sent_count < FAKE_MAX);
	s = &f->sent[f->sent_count++];
	s->address = strdup(options->address);
	s->body = text_of(m->body);
	s->correlation = text_of(m->correlation_id);
	s->message_id = text_of(m->message_id);
	s->content_type = text_of(m->content_type);
	s->kind = m->body_kind;
	s->durable = m->durable;
	s->on_outcome = options->on_outcome;
	s->context = options->context;
	return GOFER_OK;
}

static struct receiver *fake_receiver_open(struct connection *c,
                                           const struct receiver_options *options,
                                           const struct receiver_events *events, void *context)
{
	struct fake_connection *f = OF(c, base);

	snprintf(f->address, sizeof f->address, "%s", options->address);
	f->events = events;
	f->context = context;
	f->opened = true;
	return &f->receiver;
}

static void fake_receiver_credit(struct receiver *r, unsigned n)
{
	OF(r, receiver)->credit += n;
	OF(r, receiver)->credit_calls++;
}

static void fake_receiver_close(struct receiver *r)
{
	OF(r, receiver)->opened = false;
}

static void fake_delivery_settle(struct delivery *d, enum outcome outcome, const struct error *why)
{
	struct fake_delivery *delivery = (struct fake_delivery *)d;

	assert(!delivery->settled);
	delivery->settled = true;
	delivery->outcome = outcome;
	snprintf(delivery->why, sizeof delivery->why, "%s", why ? why->text : "");
	/* The bytes of a message go with its settlement. */
	memset(delivery->body, '#', strlen(delivery->body));
	if (delivery->reply_to)
		memset(delivery->reply_to, '#', strlen(delivery->reply_to));
}

static const struct connection_ops ops = {
	.close = fake_close,
	.free = fake_free_op,
	.is_up = fake_is_up,
	.product = fake_product,
	.request_body = fake_request_body,
	.send = fake_send,
	.receiver_open = fake_receiver_open,
	.receiver_credit = fake_receiver_credit,
	.receiver_close = fake_receiver_close,
	.delivery_settle = fake_delivery_settle,
};

struct fake_connection *fake_new(void)
{
	struct fake_connection *f = calloc(1, sizeof *f);

	f->base.ops = &ops;
	f->receiver.ops = &ops;
	return f;
}

void fake_free(struct fake_connection *f)
{
	for (size_t i = 0; i < f->sent_count; i++) {
		free(f->sent[i].address);
		free(f->sent[i].body);
		free(f->sent[i].correlation);
		free(f->sent[i].message_id);
		free(f->sent[i].content_type);
	}
	for (size_t i = 0; i < f->deliveries_count; i++) {
		free(f->deliveries[i]->body);
		free(f->deliveries[i]->reply_to);
		free(f->deliveries[i]->correlation);
		free(f->deliveries[i]);
	}
	free(f);
}

void fake_open(struct fake_connection *f)
{
	f->credit = 0;
	f->events->on_open(&f->receiver, f->address, f->context);
}

void fake_down(struct fake_connection *f, const char *why, double retry_s)
{
	struct error error = ERROR_NONE;

	error_set(&error, GOFER_UNREACHABLE, "%s", why);
	f->credit = 0;
	f->events->on_down(&f->receiver, &error, retry_s, f->context);
}

static struct fake_delivery *deliver(struct fake_connection *f, struct fake_delivery *d)
{
	assert(f->deliveries_count < FAKE_MAX && f->opened);
	d->base.ops = &ops;
	f->deliveries[f->deliveries_count++] = d;
	if (f->credit)
		f->credit--;
	f->events->on_message(&f->receiver, &d->base, f->context);
	return d;
}

struct fake_delivery *fake_deliver(struct fake_connection *f, const struct message *like,
                                   const char *body, size_t size, const char *reply_to)
{
	struct fake_delivery *d = calloc(1, sizeof *d);

	d->body = calloc(1, size + 1);
	memcpy(d->body, body, size);
	d->reply_to = reply_to ? strdup(reply_to) : NULL;
	d->correlation = text_of(like->correlation_id);
	d->base.decoded = true;
	d->base.message = *like;
	d->base.message.body = (struct slice){d->body, size};
	if (reply_to)
		d->base.message.reply_to = (struct slice){d->reply_to, strlen(reply_to)};
	if (d->correlation)
		d->base.message.correlation_id =
			(struct slice){d->correlation, strlen(d->correlation)};
	return deliver(f, d);
}

struct fake_delivery *fake_deliver_garbage(struct fake_connection *f)
{
	struct fake_delivery *d = calloc(1, sizeof *d);

	d->body = strdup("");
	return deliver(f, d);
}

void fake_settle(struct fake_connection *f, size_t i, enum outcome outcome)
{
	fake_settle_why(f, i, outcome, GOFER_UNREACHABLE);
}

void fake_settle_why(struct fake_connection *f, size_t i, enum outcome outcome, enum gofer_err code)
{
	struct error why = ERROR_NONE;

	if (f->sent[i].settled || !f->sent[i].on_outcome)
		return;
	error_set(&why, code, "said the test");
	f->sent[i].settled = true;
	f->sent[i].on_outcome(f->sent[i].context, outcome, &why);
}

void fake_settle_all(struct fake_connection *f, enum outcome outcome)
{
	for (size_t i = 0; i < f->sent_count; i++)
		fake_settle(f, i, outcome);
}
