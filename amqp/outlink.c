/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/outlink.h"

#include <stdlib.h>
#include <string.h>

#include "amqp/sender.h"
#include "core/clock.h"
#include "core/log.h"

/* A link that was open this long may be attached again at once. */
#define LASTING_MS 1000

/* --- lists ------------------------------------------------------------------------------- */

static void insert_before(struct send_list *list, struct send *at, struct send *m)
{
	m->next = at;
	m->prev = at ? at->prev : list->tail;
	*(m->prev ? &m->prev->next : &list->head) = m;
	*(at ? &at->prev : &list->tail) = m;
	list->count++;
}

void send_append(struct send_list *list, struct send *m)
{
	insert_before(list, NULL, m);
}

void send_remove(struct send_list *list, struct send *m)
{
	*(m->prev ? &m->prev->next : &list->head) = m->next;
	*(m->next ? &m->next->prev : &list->tail) = m->prev;
	m->prev = m->next = NULL;
	list->count--;
}

void send_merge(struct send_list *into, struct send_list *from)
{
	struct send *at = into->head, *m;

	while ((m = from->head)) {
		while (at && at->seq < m->seq)
			at = at->next;
		send_remove(from, m);
		insert_before(into, at, m);
	}
}

void send_list_free(struct send_list *list)
{
	struct send *m;

	while ((m = list->head)) {
		send_remove(list, m);
		free(m->why);
		free(m);
	}
}

/* --- giving up --------------------------------------------------------------------------- */

static void fail_list(struct outlink *l, struct send_list *list, enum outcome outcome,
                      const struct error *why)
{
	struct send *m;

	while ((m = list->head)) {
		send_remove(list, m);
		sender_fail(l->sender, m, outcome, why);
	}
}

static void fail_missing(struct outlink *l)
{
	struct error why;

	error_set(&why, GOFER_NOTFOUND, "no such address: %s", l->address);
	fail_list(l, &l->waiting, OUTCOME_RELEASED, &why);
}

static const char *name_of(const struct outlink *l)
{
	return l->address ? l->address : "the link to no node";
}

static void fail_waiting(struct outlink *l, enum condition_kind kind, const struct error *why)
{
	struct error prefixed = *why;

	error_prefix(&prefixed, "%s", name_of(l));
	if (kind == CONDITION_MISSING)
		fail_missing(l);
	else
		fail_list(l, &l->waiting,
		          kind == CONDITION_PASSING || kind == CONDITION_DELETED ? OUTCOME_RELEASED
		                                                                 : OUTCOME_REJECTED,
		          &prefixed);
}

/* --- attaching --------------------------------------------------------------------------- */

static void back_off(struct outlink *l)
{
	l->state = OUTLINK_BACKOFF;
	loop_timer_start(l->timer, backoff_next(&l->backoff), 0);
}

static bool has_request(const struct outlink *l)
{
	for (const struct send *m = l->waiting.head; m; m = m->next)
		if (m->request)
			return true;
	return false;
}

/* A binding can't be looked for, and attaching to an exchange would make a queue. */
static bool is_to_probe(const struct outlink *l)
{
	struct slice exchange, queue;

	return l->endpoint.client->dialect->probe && l->address && *l->address != '/' &&
		!dialect_split(l->address, &exchange, &queue) && has_request(l);
}

static enum gofer_err spell(struct outlink *l, bool probe, struct buf *node, struct error *error)
{
	const struct dialect *dialect = l->endpoint.client->dialect;
	enum gofer_err err = probe ? dialect->source(node, l->address, true, error)
				   : dialect->target(node, l->address, error);

	if (!err && !buf_ok(node))
		err = error_set(error, GOFER_NOMEM, "out of memory");
	return err;
}

static void put_symbol(pn_data_t *data, const char *text)
{
	pn_data_put_symbol(data, pn_bytes(strlen(text), text));
}

static void list_outcomes(pn_data_t *outcomes)
{
	pn_data_put_array(outcomes, false, PN_SYMBOL);
	pn_data_enter(outcomes);
	put_symbol(outcomes, "amqp:accepted:list");
	put_symbol(outcomes, "amqp:rejected:list");
	put_symbol(outcomes, "amqp:released:list");
	put_symbol(outcomes, "amqp:modified:list");
	pn_data_exit(outcomes);
}

static void set_termini(struct outlink *l, bool probe, const char *node)
{
	pn_link_t *link = l->endpoint.link;
	const struct dialect *dialect = l->endpoint.client->dialect;
	pn_terminus_t *terminus = probe ? pn_link_source(link) : pn_link_target(link);

	pn_terminus_set_address(terminus, node);
	if (node && dialect->capability)
		put_symbol(pn_terminus_capabilities(terminus), dialect->capability);
	if (!probe && dialect->tells_full)
		list_outcomes(pn_terminus_outcomes(pn_link_source(link)));
}

static void attach(struct outlink *l, bool probe)
{
	struct buf node = BUF_INIT;
	struct error error;
	enum gofer_err err;

	loop_timer_stop(l->timer);
	if (l->address && spell(l, probe, &node, &error)) {
		fail_list(l, &l->waiting, OUTCOME_REJECTED, &error);
		buf_release(&node);
		sender_link_over(l->sender, l);
		return;
	}
	err = endpoint_make(&l->endpoint, !probe, NULL, &error);
	if (!err) {
		set_termini(l, probe, l->address ? buf_text(&node) : NULL);
		endpoint_open(&l->endpoint);
		l->state = probe ? OUTLINK_PROBING : OUTLINK_ATTACHING;
		loop_timer_start(l->timer, l->endpoint.client->timeout_s, 0);
	} else if (err == GOFER_FULL) {
		l->state = OUTLINK_PARKED;
		sender_make_room(l->sender);
	} else {
		back_off(l);
	}
	buf_release(&node);
}

static void start(struct outlink *l)
{
	attach(l, is_to_probe(l));
}

void outlink_unpark(struct outlink *l)
{
	start(l);
}

/* --- sending ----------------------------------------------------------------------------- */

static bool is_too_large(struct outlink *l, struct send *m)
{
	uint64_t most = pn_link_remote_max_message_size(l->endpoint.link);
	struct error why;

	if (!most || m->size <= most)
		return false;
	send_remove(&l->waiting, m);
	error_set(&why, GOFER_INVALID,
	          "%s: a message of %zu bytes, and the broker takes no more than %llu", m->address,
	          m->size, (unsigned long long)most);
	sender_fail(l->sender, m, OUTCOME_REJECTED, &why);
	return true;
}

static void transmit(struct outlink *l, struct send *m)
{
	pn_link_t *link = l->endpoint.link;
	pn_delivery_t *delivery = pn_delivery(link, pn_dtag((const char *)&m->seq, sizeof(m->seq)));

	if (!delivery || pn_link_current(link) != delivery) {
		client_violation(l->endpoint.client,
		                 "it sent a message on a link that sends to it");
		return;
	}
	send_remove(&l->waiting, m);
	send_append(&l->unsettled, m);
	m->delivery = delivery;
	pn_delivery_set_context(delivery, m);
	pn_link_send(link, m->bytes, m->size);
	pn_link_advance(link);
}

static void pump(struct outlink *l)
{
	pn_link_t *link = l->endpoint.link;
	bool sent = false;
	struct send *m;

	while ((m = l->waiting.head) && pn_link_credit(link) > 0 &&
	       !(l->careful && l->unsettled.head)) {
		if (is_too_large(l, m))
			continue;
		transmit(l, m);
		if (m->delivery == NULL)
			return;
		sent = true;
	}
	if (!m && pn_link_get_drain(link))
		sent |= pn_link_drained(link) > 0;
	if (sent)
		driver_wake(l->endpoint.client->driver);
}

static void note_idle(struct outlink *l)
{
	if (!l->waiting.head && !l->unsettled.head)
		sender_link_idle(l->sender, l);
}

void outlink_add(struct outlink *l, struct send *m)
{
	send_append(&l->waiting, m);
	sender_link_busy(l->sender, l);
	if (l->state == OUTLINK_OPEN)
		pump(l);
	else if (l->state == OUTLINK_DETACHED)
		start(l);
}

/* --- outcomes ---------------------------------------------------------------------------- */

static void explain_rejected(const struct send *m, pn_delivery_t *delivery, struct error *why)
{
	pn_condition_t *condition = pn_disposition_condition(pn_delivery_remote(delivery));

	condition_error(condition, "the broker rejected the message", why);
	error_prefix(why, "%s", m->address);
}

/* It may be a delivery that has failed, or one that there was no room for. */
static enum outcome explain_modified(const struct outlink *l, const struct send *m,
                                     pn_delivery_t *delivery, struct error *why)
{
	pn_disposition_t *remote = pn_delivery_remote(delivery);

	if (!l->endpoint.client->dialect->tells_full || pn_disposition_is_failed(remote) ||
	    pn_disposition_is_undeliverable(remote)) {
		error_set(why, GOFER_FAILED, "%s: the message could not be delivered", m->address);
		return OUTCOME_MODIFIED;
	}
	error_set(why, GOFER_FULL, "there is no room at this address now: %s", m->address);
	return OUTCOME_RELEASED;
}

/* False: not over yet. */
static bool outcome_of(const struct outlink *l, const struct send *m, pn_delivery_t *delivery,
                       enum outcome *outcome, struct error *why)
{
	switch (pn_delivery_remote_state(delivery)) {
	case PN_REJECTED:
		*outcome = OUTCOME_REJECTED;
		explain_rejected(m, delivery, why);
		return true;
	case PN_RELEASED:
		*outcome = OUTCOME_RELEASED;
		error_set(why, GOFER_NOTFOUND, "nobody takes messages at this address now: %s",
		          m->address);
		return true;
	case PN_MODIFIED: *outcome = explain_modified(l, m, delivery, why); return true;
	case PN_ACCEPTED: *outcome = OUTCOME_ACCEPTED; return true;
	default:
		/* Who settles without a word has it. */
		*outcome = OUTCOME_ACCEPTED;
		return pn_delivery_settled(delivery);
	}
}

static void unsettle(struct outlink *l, struct send *m)
{
	send_remove(&l->unsettled, m);
	m->delivery = NULL;
	if (l->careful)
		l->careful--;
}

/* A delivery that is over keeps a context, so that later news of it are no news of a stranger's. */
static char settled_context;

static void on_delivery(struct endpoint *e, pn_delivery_t *delivery)
{
	struct outlink *l = (struct outlink *)e;
	struct sender *sender = l->sender;
	struct send *m = pn_delivery_get_context(delivery);
	enum outcome outcome;
	struct error why;

	if (!m) {
		client_violation(e->client, "it sent a message on a link that sends to it");
		return;
	}
	if ((void *)m == &settled_context || !outcome_of(l, m, delivery, &outcome, &why))
		return;
	pn_delivery_set_context(delivery, &settled_context);
	pn_delivery_settle(delivery);
	driver_wake(e->client->driver);
	unsettle(l, m);
	pump(l);
	note_idle(l); /* may free it */
	sender_done(sender, m, outcome, outcome == OUTCOME_ACCEPTED ? NULL : &why);
}

/* --- opening and ending ------------------------------------------------------------------ */

static void on_open(struct endpoint *e)
{
	struct outlink *l = (struct outlink *)e;

	if (l->state == OUTLINK_PROBING) {
		endpoint_close(e);
		attach(l, false);
		return;
	}
	l->state = OUTLINK_OPEN;
	l->opened_ms = clock_monotonic_ms();
	loop_timer_stop(l->timer);
	pump(l);
	note_idle(l);
}

static void on_flow(struct endpoint *e)
{
	pump((struct outlink *)e);
}

static bool is_final(enum condition_kind kind)
{
	return kind != CONDITION_PASSING && kind != CONDITION_DELETED;
}

/* The attach was refused. */
static void refused(struct outlink *l, enum condition_kind kind, const struct error *why)
{
	loop_timer_stop(l->timer);
	l->state = OUTLINK_DETACHED;
	log_debug("amqp", "%s: %s", name_of(l), why->text);
	if (!l->address && is_final(kind)) {
		sender_relay_over(l->sender, l);
	} else if (is_final(kind) || !l->endpoint.client->persistent) {
		fail_waiting(l, kind, why);
		sender_link_over(l->sender, l);
	} else {
		back_off(l);
	}
}

/* An open link has ended for a reason that will come again: because of one of the messages that were on
 * their way. The only one it was, or else one that is found by sending them singly. */
static void blame(struct outlink *l, enum condition_kind kind, const struct error *why)
{
	struct send *m = l->unsettled.head;
	struct error prefixed = *why;

	if (l->unsettled.count != 1) {
		l->careful = l->unsettled.count;
		return;
	}
	unsettle(l, m);
	error_prefix(&prefixed, "%s", m->address);
	sender_fail(l->sender, m, kind == CONDITION_MISSING ? OUTCOME_RELEASED : OUTCOME_REJECTED,
	            &prefixed);
}

static void reclaim(struct outlink *l)
{
	for (struct send *m = l->unsettled.head; m; m = m->next)
		m->delivery = NULL;
	send_merge(&l->waiting, &l->unsettled);
}

static void was_open(struct outlink *l, enum condition_kind kind, const struct error *why)
{
	bool lasted = clock_monotonic_ms() - l->opened_ms >= LASTING_MS;

	log_debug("amqp", "%s: link lost: %s", name_of(l), why->text);
	if (is_final(kind))
		blame(l, kind, why);
	reclaim(l);
	l->state = OUTLINK_DETACHED;
	if (lasted)
		backoff_reset(&l->backoff);
	if (!l->waiting.head)
		sender_link_over(l->sender, l);
	else if (lasted || l->careful)
		start(l);
	else
		back_off(l);
}

static void on_end(struct endpoint *e, enum condition_kind kind, const struct error *why)
{
	struct outlink *l = (struct outlink *)e;

	if (l->state == OUTLINK_OPEN)
		was_open(l, kind, why);
	else if (l->state == OUTLINK_PROBING && kind != CONDITION_MISSING)
		attach(l,
		       false); /* it is there, but not for a receiver of ours: somebody has it alone */
	else
		refused(l, kind, why);
}

static void on_timer(void *context)
{
	struct outlink *l = context;
	struct client *c = l->endpoint.client;
	struct error why;

	client_enter(c);
	if (l->state == OUTLINK_BACKOFF) {
		start(l);
	} else {
		error_set(&why, GOFER_TIMEOUT, "the broker does not answer the attach");
		endpoint_close(&l->endpoint);
		refused(l, CONDITION_PASSING, &why);
	}
	client_leave(c);
}

/* --- making and freeing ------------------------------------------------------------------ */

static const struct endpoint_ops outlink_ops = {on_open, on_end, on_flow, on_delivery};

struct outlink *outlink_new(struct sender *s, struct client *c, const char *address)
{
	struct outlink *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->endpoint.ops = &outlink_ops;
	l->endpoint.client = c;
	l->sender = s;
	l->backoff = (struct backoff)CLIENT_LINK_BACKOFF;
	l->timer = loop_timer_new(c->loop, on_timer, l);
	l->address = address ? strdup(address) : NULL;
	if (l->timer && (l->address || !address))
		return l;
	loop_timer_free(l->timer);
	free(l->address);
	free(l);
	return NULL;
}

void outlink_free(struct outlink *l, struct send_list *left)
{
	reclaim(l);
	if (left)
		send_merge(left, &l->waiting);
	if (l->endpoint.client->driver)
		endpoint_close(&l->endpoint);
	loop_timer_free(l->timer);
	free(l->address);
	free(l);
}
