/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/link_out.h"

#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <stdlib.h>
#include <string.h>

#include "broker/filter.h"
#include "core/log.h"

/* Encoded messages that a session may have ahead of its connection. A consumer with much credit on
 * a slow connection would else have a copy of its whole queue made. */
#define CHOKE_BYTES (1024 * 1024)

static struct link_out *out_of(struct link *l)
{
	return (struct link_out *)l;
}

static struct link_out *out_of_consumer(struct consumer *c)
{
	return (struct link_out *)((char *)c - offsetof(struct link_out, consumer));
}

/* --- sending --------------------------------------------------------------------------- */

static bool has_enough(const struct link_out *out)
{
	return pn_session_outgoing_bytes(pn_link_session(out->link.pn)) >= CHOKE_BYTES;
}

static void choke(struct link_out *out)
{
	queue_pause(&out->consumer);
	if (out->choked)
		return;
	out->choked = true;
	LIST_INSERT_HEAD(&out->link.peer->choked, out, choke);
}

static void unchoke(struct link_out *out)
{
	if (!out->choked)
		return;
	out->choked = false;
	LIST_REMOVE(out, choke);
}

static enum gofer_err send_bytes(struct link_out *out, const struct entry *e, pn_delivery_t **made)
{
	struct slice bytes;
	pn_delivery_t *delivery;

	if (blob_bytes(e->blob, e->failures, &out->link.peer->server->hub->header, &bytes))
		return GOFER_NOMEM;
	out->tag++;
	delivery = pn_delivery(out->link.pn, pn_dtag((const char *)&out->tag, sizeof(out->tag)));
	if (!delivery)
		return GOFER_NOMEM;
	pn_link_send(out->link.pn, bytes.data, bytes.size);
	pn_link_advance(out->link.pn);
	*made = delivery;
	return GOFER_OK;
}

static enum gofer_err on_offer(struct consumer *c, struct entry *e)
{
	struct link_out *out = out_of_consumer(c);
	pn_delivery_t *delivery;

	if (send_bytes(out, e, &delivery))
		return GOFER_NOMEM;
	out->link.peer->server->hub->delivered++;
	peer_wake(out->link.peer);
	if (out->settles) {
		pn_delivery_settle(delivery);
		queue_remove(e);
	} else {
		pn_delivery_set_context(delivery, e);
	}
	if (has_enough(out))
		choke(out);
	return GOFER_OK;
}

/* --- outcomes -------------------------------------------------------------------------- */

static void apply(struct entry *e, pn_delivery_t *delivery, uint64_t state)
{
	switch (state) {
	case PN_ACCEPTED:
	case PN_REJECTED: queue_remove(e); break;
	case PN_RELEASED: queue_return(e, false, false); break;
	case PN_MODIFIED:
		queue_return(e, true,
		             pn_disposition_is_undeliverable(pn_delivery_remote(delivery)));
		break;
	default: queue_return(e, true, false); /* settled without an outcome */
	}
}

static bool is_outcome(uint64_t state)
{
	return state >= PN_ACCEPTED && state <= PN_MODIFIED;
}

static void on_delivery(struct link *l, pn_delivery_t *delivery)
{
	uint64_t state = pn_delivery_remote_state(delivery);
	struct entry *e = pn_delivery_get_context(delivery);

	(void)l;
	if (!pn_delivery_updated(delivery))
		return;
	pn_delivery_clear(delivery);
	if (!is_outcome(state) && !pn_delivery_settled(delivery))
		return;
	pn_delivery_set_context(delivery, NULL);
	if (e)
		apply(e, delivery, state);
	if (!pn_delivery_settled(delivery))
		pn_delivery_update(delivery, state);
	pn_delivery_settle(delivery);
}

/* --- credit ---------------------------------------------------------------------------- */

/* Who asked for a drain gets what there is and gives up the rest of its credit. */
static void drain(struct link_out *out)
{
	if (out->choked || !pn_link_get_drain(out->link.pn) || pn_link_credit(out->link.pn) <= 0)
		return;
	queue_pause(&out->consumer);
	pn_link_drained(out->link.pn);
	peer_wake(out->link.peer);
}

static void on_flow(struct link *l)
{
	struct link_out *out = out_of(l);
	int credit = pn_link_credit(l->pn);

	if (has_enough(out)) {
		choke(out);
		return;
	}
	unchoke(out);
	queue_credit(&out->consumer, credit > 0 ? (unsigned)credit : 0);
	drain(out);
}

void link_out_unchoke(struct peer *p)
{
	struct link_out *out, *next;

	for (out = LIST_FIRST(&p->choked); out; out = next) {
		next = LIST_NEXT(out, choke);
		if (!has_enough(out))
			on_flow(&out->link);
	}
}

/* --- life ------------------------------------------------------------------------------ */

static void out_free(struct link *l)
{
	struct link_out *out = out_of(l);
	struct hub *hub = l->peer->server->hub;

	unchoke(out);
	if (out->owned) {
		queue_leave(&out->consumer);
		nodes_remove(&hub->nodes, out->owned);
	} else {
		hub_leave(hub, &out->consumer);
	}
	free(out);
}

static void on_gone(struct consumer *c)
{
	struct link_out *out = out_of_consumer(c);

	out->owned = NULL;
	link_detach(&out->link, "amqp:resource-deleted", "the queue was deleted");
}

static const struct link_ops out_ops = {on_delivery, on_flow, out_free};
static const struct consumer_ops consumer_ops = {on_offer, on_gone, NULL};

static void answer(pn_link_t *pn, const struct link_out *out)
{
	pn_terminus_t *source = pn_link_source(pn), *asked = pn_link_remote_source(pn);

	pn_terminus_copy(source, asked);
	pn_terminus_copy(pn_link_target(pn), pn_link_remote_target(pn));
	pn_data_clear(pn_terminus_capabilities(source));
	filter_confirm(pn_terminus_filter(source), pn_terminus_filter(asked));
	if (pn_terminus_is_dynamic(asked))
		pn_terminus_set_address(source, out->owned->text);
	pn_link_set_snd_settle_mode(pn, out->settles ? PN_SND_SETTLED : PN_SND_UNSETTLED);
	pn_link_set_rcv_settle_mode(pn, PN_RCV_FIRST);
}

static void start(struct peer *p, pn_link_t *pn, struct node *node, bool owned)
{
	struct link_out *out = calloc(1, sizeof(*out));

	if (!out) {
		if (owned)
			nodes_remove(&p->server->hub->nodes, node);
		link_refuse(p, pn, "amqp:resource-limit-exceeded", "out of memory");
		return;
	}
	link_init(&out->link, p, pn, &out_ops);
	out->consumer.ops = &consumer_ops;
	out->consumer.largest = pn_link_remote_max_message_size(pn);
	out->owned = owned ? node : NULL;
	out->settles = pn_link_remote_snd_settle_mode(pn) == PN_SND_SETTLED;
	answer(pn, out);
	pn_link_open(pn);
	peer_wake(p);
	queue_join(node->queue, &out->consumer);
	on_flow(&out->link);
}

/* What can't be had, in words; NULL: nothing of the kind is asked for. */
static const char *unsupported(pn_terminus_t *source)
{
	if (pn_terminus_get_distribution_mode(source) == PN_DIST_MODE_COPY)
		return "messages are given away here, not shown";
	return NULL;
}

void link_out_open(struct peer *p, pn_link_t *pn)
{
	pn_terminus_t *asked = pn_link_remote_source(pn);
	struct source source = {
		.dynamic = pn_terminus_is_dynamic(asked),
		.address = link_address(asked),
		.flags = link_flags(asked),
		.key = filter_key(pn_terminus_filter(asked)),
	};
	struct error why = ERROR_NONE;
	struct node *node = NULL;
	bool owned = false;
	enum gofer_err err;

	if (unsupported(asked)) {
		link_refuse(p, pn, "amqp:not-implemented", unsupported(asked));
		return;
	}
	err = hub_source(p->server->hub, &source, &node, &owned, &why);
	if (err)
		link_refuse(p, pn, link_condition(err), why.text);
	else
		start(p, pn, node, owned);
}
