/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/delivery.h"
#include "amqp/endpoint.h"
#include "amqp/qmf.h"
#include "amqp/sender.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/uuid.h"

/* A receiver that was open this long may attach again at once. */
#define LASTING_MS 1000

enum receiver_state {
	RECEIVER_DOWN, /* with its connection */
	RECEIVER_ATTACHING,
	RECEIVER_DECLARING, /* the queue was not there */
	RECEIVER_BINDING,   /* attached; the exchange does not know the queue yet */
	RECEIVER_OPEN,
	RECEIVER_BACKOFF,
};

struct client_receiver {
	struct receiver base; /* first: a receiver's address is this one's */
	struct endpoint endpoint;
	struct client_receiver *prev, *next;

	/* immutable */
	const struct receiver_events *events;
	void *context;
	char *address, *exchange; /* as given */
	bool durable;

	enum receiver_state state;
	struct loop_timer *timer;
	struct backoff backoff;
	uint64_t opened_ms;
	bool declared, fallback; /* what this attempt has come to already */
	bool to_report;          /* was open when the connection was lost */
	struct client_queue *kept;
	struct buf reply; /* the address given to on_open */
	unsigned held;    /* credit not told to the broker yet */
	struct client_delivery *deliveries;
};

/* A temporary queue on a broker that has none: an ordinary one, which nothing deletes. It is used again
 * by the next temporary receiver, and by the same one after a reconnect. */
struct client_queue {
	struct client_queue *next;
	char name[UUID_TEXT_SIZE];
	bool taken;
};

static struct client_receiver *of_endpoint(struct endpoint *e)
{
	return (struct client_receiver *)((char *)e - offsetof(struct client_receiver, endpoint));
}

/* --- credit ------------------------------------------------------------------------------ */

static void tell_credit(struct client_receiver *r)
{
	pn_link_flow(r->endpoint.link, (int)r->held);
	r->held = 0;
	driver_wake(r->endpoint.client->driver);
}

/* Held back while the broker still has as much as would be told: a frame for half a window and not for
 * each message. */
void client_receiver_credit(struct receiver *base, unsigned n)
{
	struct client_receiver *r = (struct client_receiver *)base;

	if (r->state != RECEIVER_OPEN)
		return;
	r->held = n > INT_MAX - r->held ? INT_MAX : r->held + n;
	if (r->held && (int)r->held >= pn_link_credit(r->endpoint.link))
		tell_credit(r);
}

/* --- messages ---------------------------------------------------------------------------- */

static void on_delivery(struct endpoint *e, pn_delivery_t *pn)
{
	struct client_receiver *r = of_endpoint(e);
	ssize_t size = endpoint_arrived(e, pn);
	struct delivery *d;

	if (size < 0)
		return;
	d = delivery_new(&r->deliveries, e, pn, (size_t)size);
	if (!d) {
		client_violation(e->client, "out of memory for its messages");
		return;
	}
	if (r->held && (int)r->held >= pn_link_credit(e->link))
		tell_credit(r);
	if (r->state == RECEIVER_OPEN)
		r->events->on_message(&r->base, d, r->context);
	else
		client_delivery_settle(d, OUTCOME_RELEASED, NULL);
}

/* --- attaching --------------------------------------------------------------------------- */

static void fail_in(struct client_receiver *r, const struct error *why, double delay)
{
	struct error prefixed = *why;

	if (r->address)
		error_prefix(&prefixed, "%s", r->address);
	r->declared = r->fallback = false;
	r->state = RECEIVER_BACKOFF;
	loop_timer_start(r->timer, delay, 0);
	log_debug("amqp", "receiver: %s", prefixed.text);
	if (r->events->on_down)
		r->events->on_down(&r->base, &prefixed, delay, r->context);
}

static void fail(struct client_receiver *r, const struct error *why)
{
	endpoint_close(&r->endpoint);
	fail_in(r, why, backoff_next(&r->backoff));
}

/* Nothing but another broker would help. */
static void fail_long(struct client_receiver *r, const struct error *why)
{
	fail_in(r, why, backoff_next_long(&r->backoff));
}

static struct client_queue *take_queue(struct client *c)
{
	struct client_queue *q = c->queues;

	while (q && q->taken)
		q = q->next;
	if (!q) {
		q = calloc(1, sizeof(*q));
		if (!q)
			return NULL;
		uuid_generate(q->name);
		if (!c->queues)
			log_info(
				"amqp",
				"%s: %s has no temporary queues: replies go to the queue %s, which stays "
				"there and has to be deleted with the broker's own tools",
				c->peer, c->product, q->name);
		q->next = c->queues;
		c->queues = q;
	}
	q->taken = true;
	return q;
}

/* The queue's own name; NULL: the broker is to make one up. */
static const char *queue_name(const struct client_receiver *r)
{
	struct slice exchange, queue;

	if (!r->address)
		return r->kept ? r->kept->name : NULL;
	if (r->endpoint.client->dialect->qmf && dialect_split(r->address, &exchange, &queue))
		return queue.data;
	return r->address;
}

/* What the queue has to be bound to; false: nothing. */
static bool exchange_name(const struct client_receiver *r, struct slice *exchange)
{
	struct slice queue;

	if (!r->address && r->exchange) {
		*exchange = (struct slice){r->exchange, strlen(r->exchange)};
		return true;
	}
	return r->address && r->endpoint.client->dialect->qmf &&
		dialect_split(r->address, exchange, &queue);
}

static enum gofer_err spell_source(struct client_receiver *r, struct buf *node, struct error *error)
{
	const struct client *c = r->endpoint.client;
	struct slice exchange;
	enum gofer_err err;

	if (exchange_name(r, &exchange) && !c->dialect->qmf)
		return error_set(
			error, GOFER_INVALID,
			"%s binds no queue to an exchange over AMQP 1.0: leave the exchange "
			"(%.*s) out",
			*c->product ? c->product : "this broker", (int)exchange.size,
			exchange.data);
	if (!r->address && !c->dialect->dynamic && !r->kept &&
	    !(r->kept = take_queue(r->endpoint.client)))
		return error_set(error, GOFER_NOMEM, "out of memory");
	if (!queue_name(r))
		return GOFER_OK;
	err = c->dialect->source(node, queue_name(r), r->fallback, error);
	if (!err && !buf_ok(node))
		err = error_set(error, GOFER_NOMEM, "out of memory");
	return err;
}

static void set_source(struct client_receiver *r, const char *node)
{
	const struct dialect *dialect = r->endpoint.client->dialect;
	pn_terminus_t *source = pn_link_source(r->endpoint.link);

	if (!node) {
		pn_terminus_set_dynamic(source, true);
		return;
	}
	pn_terminus_set_address(source, node);
	if (r->durable && r->address && dialect->durability)
		pn_terminus_set_durability(source, PN_DELIVERIES);
	if (dialect->capability)
		pn_data_put_symbol(pn_terminus_capabilities(source),
		                   pn_bytes(strlen(dialect->capability), dialect->capability));
}

/* The link's name may become part of the queue's, beside the container's: somebody else may have the same
 * one, unless it was made up here. */
static enum gofer_err make_endpoint(struct client_receiver *r, const char *node,
                                    struct error *error)
{
	char unique[UUID_TEXT_SIZE];

	if (node || r->endpoint.client->fresh_container)
		return endpoint_make(&r->endpoint, false, NULL, error);
	uuid_generate(unique);
	return endpoint_make(&r->endpoint, false, unique, error);
}

static void attach(struct client_receiver *r)
{
	struct buf node = BUF_INIT;
	struct error error;
	const char *name;

	if (spell_source(r, &node, &error)) {
		buf_release(&node);
		fail_long(r, &error);
		return;
	}
	name = node.size ? buf_text(&node) : NULL;
	if (make_endpoint(r, name, &error)) {
		buf_release(&node);
		sender_make_room(r->endpoint.client->sender);
		fail(r, &error);
		return;
	}
	set_source(r, name);
	buf_release(&node);
	pn_link_set_max_message_size(r->endpoint.link, CLIENT_MESSAGE_MAX);
	endpoint_open(&r->endpoint);
	r->state = RECEIVER_ATTACHING;
	loop_timer_start(r->timer, r->endpoint.client->timeout_s, 0);
}

static void on_timer(void *context)
{
	struct client_receiver *r = context;
	struct client *c = r->endpoint.client;
	struct error why;

	client_enter(c);
	if (r->state == RECEIVER_BACKOFF) {
		attach(r);
	} else {
		error_set(&why, GOFER_TIMEOUT, "the broker does not answer the attach");
		fail(r, &why);
	}
	client_leave(c);
}

/* --- opening ----------------------------------------------------------------------------- */

static void opened(struct client_receiver *r)
{
	r->state = RECEIVER_OPEN;
	r->opened_ms = clock_monotonic_ms();
	r->declared = false;
	r->held = 0;
	r->events->on_open(&r->base, buf_text(&r->reply), r->context);
}

static void on_bound(void *context, const struct error *why)
{
	struct client_receiver *r = context;

	if (why)
		fail(r, why);
	else
		opened(r);
}

static void bind(struct client_receiver *r, struct slice exchange, const char *queue)
{
	struct client *c = r->endpoint.client;
	struct error error;

	r->state = RECEIVER_BINDING;
	if (!qmf_bind(c->qmf, exchange, queue, on_bound, r))
		return;
	error_set(&error, GOFER_NOMEM, "out of memory");
	fail(r, &error);
}

static void on_open(struct endpoint *e)
{
	struct client_receiver *r = of_endpoint(e);
	const char *queue = queue_name(r);
	struct slice exchange;
	struct error error;

	loop_timer_stop(r->timer);
	if (!queue)
		queue = pn_terminus_get_address(pn_link_remote_source(e->link));
	if (!queue || !*queue) {
		error_set(&error, GOFER_PROTOCOL,
		          "the broker gives the temporary queue no address");
		fail(r, &error);
		return;
	}
	buf_clear(&r->reply);
	if (!exchange_name(r, &exchange)) {
		buf_puts(&r->reply, queue);
		opened(r);
		return;
	}
	buf_printf(&r->reply, "%.*s/%s", (int)exchange.size, exchange.data, queue);
	bind(r, exchange, queue);
}

/* --- ending ------------------------------------------------------------------------------ */

static void on_declared(void *context, const struct error *why)
{
	struct client_receiver *r = context;

	if (why) {
		fail(r, why);
		return;
	}
	r->declared = true;
	attach(r);
}

static void declare(struct client_receiver *r)
{
	struct client *c = r->endpoint.client;
	struct error error;

	r->state = RECEIVER_DECLARING;
	if (!qmf_create_queue(c->qmf, queue_name(r), r->durable, on_declared, r))
		return;
	error_set(&error, GOFER_NOMEM, "out of memory");
	fail(r, &error);
}

static void refused(struct client_receiver *r, enum condition_kind kind, const struct error *why)
{
	const struct dialect *dialect = r->endpoint.client->dialect;

	if (kind == CONDITION_MISSING && dialect->qmf && queue_name(r) && !r->declared) {
		declare(r);
	} else if (kind == CONDITION_MISMATCH && dialect->fallback && !r->fallback) {
		r->fallback = true;
		attach(r);
	} else {
		fail(r, why);
	}
}

static void on_end(struct endpoint *e, enum condition_kind kind, const struct error *why)
{
	struct client_receiver *r = of_endpoint(e);
	bool was_open = r->state == RECEIVER_OPEN;

	loop_timer_stop(r->timer);
	deliveries_orphan(&r->deliveries);
	qmf_forget(e->client->qmf, r);
	if (!was_open) {
		refused(r, kind, why);
	} else if (clock_monotonic_ms() - r->opened_ms >= LASTING_MS) {
		backoff_reset(&r->backoff);
		fail_in(r, why, 0);
	} else {
		fail(r, why);
	}
}

/* --- with the connection ----------------------------------------------------------------- */

/* In a turn of their own: each may fail, and the user be called. */
void client_receivers_up(struct client *c)
{
	for (struct client_receiver *r = c->receivers; r; r = r->next) {
		r->state = RECEIVER_BACKOFF;
		loop_timer_start(r->timer, 0, 0);
	}
}

static void put_down(struct client_receiver *r)
{
	loop_timer_stop(r->timer);
	endpoint_lost(&r->endpoint);
	deliveries_orphan(&r->deliveries);
	r->declared = r->fallback = false;
	r->state = RECEIVER_DOWN;
}

void client_receivers_lost(struct client *c)
{
	for (struct client_receiver *r = c->receivers; r; r = r->next) {
		r->to_report = r->state == RECEIVER_OPEN;
		put_down(r);
	}
}

static struct client_receiver *next_to_report(struct client *c)
{
	struct client_receiver *r = c->receivers;

	while (r && !r->to_report)
		r = r->next;
	return r;
}

/* Any of them may be gone after each call. */
void client_receivers_report(struct client *c, const struct error *why)
{
	struct client_receiver *r;

	while (!c->freed && !c->closed && (r = next_to_report(c))) {
		r->to_report = false;
		if (r->events->on_down)
			r->events->on_down(&r->base, why, -1, r->context);
	}
}

static void detach(struct client_receiver *r)
{
	qmf_forget(r->endpoint.client->qmf, r);
	endpoint_close(&r->endpoint);
	put_down(r);
}

void client_receivers_detach(struct client *c)
{
	for (struct client_receiver *r = c->receivers; r; r = r->next)
		detach(r);
}

/* --- making and freeing ------------------------------------------------------------------ */

static const struct endpoint_ops receiver_ops = {
	.on_open = on_open,
	.on_end = on_end,
	.on_delivery = on_delivery,
};

static void receiver_free(struct client_receiver *r)
{
	if (r->kept)
		r->kept->taken = false;
	loop_timer_free(r->timer);
	buf_release(&r->reply);
	free(r->address);
	free(r->exchange);
	free(r);
}

static struct client_receiver *receiver_new(struct client *c,
                                            const struct receiver_options *options)
{
	struct client_receiver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->base.ops = c->base.ops;
	r->endpoint.ops = &receiver_ops;
	r->endpoint.client = c;
	r->durable = options->durable;
	r->backoff = (struct backoff)CLIENT_LINK_BACKOFF;
	r->timer = loop_timer_new(c->loop, on_timer, r);
	r->address = options->address ? strdup(options->address) : NULL;
	r->exchange = options->exchange ? strdup(options->exchange) : NULL;
	if (r->timer && (r->address || !options->address) && (r->exchange || !options->exchange))
		return r;
	receiver_free(r);
	return NULL;
}

struct receiver *client_receiver_open(struct connection *base,
                                      const struct receiver_options *options,
                                      const struct receiver_events *events, void *context)
{
	struct client *c = client_of(base);
	struct client_receiver *r = receiver_new(c, options);

	if (!r)
		return NULL;
	r->events = events;
	r->context = context;
	r->next = c->receivers;
	if (r->next)
		r->next->prev = r;
	c->receivers = r;
	if (c->state == CLIENT_UP) {
		r->state = RECEIVER_BACKOFF;
		loop_timer_start(r->timer, 0, 0);
	}
	return &r->base;
}

void client_receiver_close(struct receiver *base)
{
	struct client_receiver *r = (struct client_receiver *)base;
	struct client *c = r->endpoint.client;

	detach(r);
	*(r->prev ? &r->prev->next : &c->receivers) = r->next;
	if (r->next)
		r->next->prev = r->prev;
	receiver_free(r);
}

void client_receivers_free(struct client *c)
{
	struct client_queue *q;

	while (c->receivers)
		client_receiver_close(&c->receivers->base);
	while ((q = c->queues)) {
		c->queues = q->next;
		free(q);
	}
}
