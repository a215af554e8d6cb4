/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/local.h"

#include <stdlib.h>
#include <string.h>

#include "broker/local_parts.h"
#include "core/log.h"

struct local_outcome {
	struct tidings tidings; /* first */
	void (*on_outcome)(void *context, enum outcome outcome, const struct error *why);
	void *context;
	enum outcome outcome;
	struct error *why; /* NULL: accepted, or no memory for it */
};

static struct local *local_of(struct connection *c)
{
	return (struct local *)c;
}

/* --- telling --------------------------------------------------------------------------- */

static void tell_up(struct tidings *t)
{
	struct local *l = CONTAINER(t, struct local, up);

	l->state = LOCAL_UP;
	l->events->on_up(&l->base, l->context);
}

static void tell_down(struct tidings *t)
{
	struct local *l = CONTAINER(t, struct local, down);
	struct error why;

	error_set(&why, GOFER_UNREACHABLE, LOCAL_STOPPED);
	l->events->on_down(&l->base, &why, -1, l->context);
}

static void tell_closed(struct tidings *t)
{
	struct local *l = CONTAINER(t, struct local, closed);

	if (l->events->on_closed)
		l->events->on_closed(&l->base, l->context);
}

static void outcome_free(struct local_outcome *o)
{
	free(o->why);
	free(o);
}

static void tell_outcome(struct tidings *t)
{
	struct local_outcome *o = (struct local_outcome *)t;
	struct local_outcome told = *o;

	free(o);
	told.on_outcome(told.context, told.outcome, told.why);
	free(told.why);
}

static struct slice text_slice(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
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
	o->tidings.tell = tell_outcome;
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
		teller_add(l->teller, &o->tidings);
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
	struct tidings *t;

	while ((t = teller_take(l->teller)))
		if (t->tell == tell_outcome)
			outcome_free((struct local_outcome *)t);
}

static void detach_all(struct local *l)
{
	struct local_receiver *r;

	LIST_FOREACH(r, &l->receivers, entry)
	local_receiver_detach(r);
}

static void local_close(struct connection *c)
{
	struct local *l = local_of(c);

	if (l->state == LOCAL_CLOSED)
		return;
	detach_all(l);
	drop_queued(l);
	l->state = LOCAL_CLOSED;
	teller_add(l->teller, &l->closed);
}

static void local_free(struct connection *c)
{
	struct local *l = local_of(c);
	struct local_receiver *r;

	detach_all(l);
	drop_queued(l);
	while ((r = LIST_FIRST(&l->receivers))) {
		LIST_REMOVE(r, entry);
		local_receiver_free(r);
	}
	if (l->hub)
		LIST_REMOVE(l, entry);
	teller_free(l->teller);
	free(l);
}

const struct connection_ops local_ops = {
	.close = local_close,
	.free = local_free,
	.is_up = local_is_up,
	.product = local_product,
	.request_body = local_request_body,
	.send = local_send,
	.receiver_open = local_receiver_open,
	.receiver_credit = local_receiver_credit,
	.receiver_close = local_receiver_close,
	.delivery_settle = local_delivery_settle,
};

struct connection *local_new(struct hub *hub, struct local_list *list,
                             const struct connection_events *events, void *context)
{
	struct local *l = calloc(1, sizeof(*l));
	struct teller *teller = teller_new(hub->loop);

	if (!l || !teller) {
		free(l);
		teller_free(teller);
		return NULL;
	}
	l->base.ops = &local_ops;
	l->teller = teller;
	l->loop = hub->loop;
	l->hub = hub;
	l->events = events;
	l->context = context;
	l->up.tell = tell_up;
	l->down.tell = tell_down;
	l->closed.tell = tell_closed;
	LIST_INIT(&l->receivers);
	LIST_INSERT_HEAD(list, l, entry);
	teller_add(l->teller, &l->up);
	return &l->base;
}

static void take_down(struct local *l)
{
	struct local_receiver *r;

	teller_remove(l->teller, &l->up);
	l->state = LOCAL_DOWN;
	LIST_FOREACH(r, &l->receivers, entry)
	local_receiver_stop(r);
	teller_add(l->teller, &l->down);
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
