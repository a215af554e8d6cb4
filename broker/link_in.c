/* SPDX-License-Identifier: Apache-2.0 */
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/terminus.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/map.h"
#include "amqp/message.h"
#include "broker/link.h"
#include "core/log.h"

/* All messages that a peer has sent half may together be this many times the largest one. */
#define ASSEMBLING_MAX 4

struct link_in {
	struct link link;         /* first */
	struct producer producer; /* in a queue's list, if the target is one */
	struct node *owned;       /* a dynamic target */
	struct slice address;     /* of an exchange or the management; data NULL: another kind */
	size_t assembling;
	size_t largest; /* message so far */
	bool modifies;  /* its source has the outcome `modified` */
	char text[];    /* of `address` */
};

static struct link_in *in_of(struct link *l)
{
	return (struct link_in *)l;
}

static struct link_in *in_of_producer(struct producer *p)
{
	return (struct link_in *)((char *)p - offsetof(struct link_in, producer));
}

/* --- credit ---------------------------------------------------------------------------- */

/* How many messages like those seen so far a queue can take. */
static size_t room(const struct link_in *in)
{
	const struct queue *q = in->producer.queue;
	size_t messages = queue_room(q), fit;

	if (!messages)
		return 0;
	fit = (q->bytes_max - q->bytes) / (in->largest ? in->largest : 1);
	if (!fit)
		return 1;
	return fit < messages ? fit : messages;
}

/* In batches: credit is topped up when half of it is used. */
static void top_up(struct link_in *in)
{
	int credit = pn_link_credit(in->link.pn), target = LINK_WINDOW;
	size_t most = in->producer.queue ? room(in) : LINK_WINDOW;

	if (most < LINK_WINDOW)
		target = (int)most;
	if (!target && credit <= 0) {
		queue_await_room(&in->producer);
	} else if (credit <= target / 2) {
		pn_link_flow(in->link.pn, target - credit);
		peer_wake(in->link.peer);
	}
}

static void on_room(struct producer *p)
{
	top_up(in_of_producer(p));
}

/* --- messages -------------------------------------------------------------------------- */

static const struct verdict {
	enum gofer_err err;
	uint64_t state;
} verdicts[] = {
	{GOFER_OK, PN_ACCEPTED},    {GOFER_NOTFOUND, PN_RELEASED}, {GOFER_FULL, PN_RELEASED},
	{GOFER_NOMEM, PN_RELEASED}, {GOFER_INVALID, PN_REJECTED},  {GOFER_PROTOCOL, PN_REJECTED},
};

static bool is_passing(enum gofer_err err)
{
	return err == GOFER_FULL || err == GOFER_NOMEM;
}

static uint64_t state_of(enum gofer_err err)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (verdicts[i].err == err)
			return verdicts[i].state;
	return PN_RELEASED;
}

/* Who knows `modified` is told by it that there is no room: the message may be sent again. To others
 * that is the same as that nobody is there. */
static void settle(const struct link_in *in, pn_delivery_t *delivery, enum gofer_err err,
                   const struct error *why)
{
	uint64_t state = in->modifies && is_passing(err) ? PN_MODIFIED : state_of(err);
	pn_condition_t *condition;

	if (state == PN_REJECTED) {
		condition = pn_disposition_condition(pn_delivery_local(delivery));
		pn_condition_set_name(condition,
		                      err == GOFER_PROTOCOL ? "amqp:decode-error"
		                                            : "amqp:not-found");
		pn_condition_set_description(condition, why->text);
	}
	pn_delivery_update(delivery, state);
	pn_delivery_settle(delivery);
}

static enum gofer_err deliver(struct link_in *in, struct blob *blob, bool settled,
                              struct error *error)
{
	struct hub *hub = in->link.peer->server->hub;
	struct address to = {NULL, false, {NULL, 0}};
	struct message message = MESSAGE_INIT;
	enum gofer_err err;

	buf_clear(&hub->sections);
	err = message_decode(&message, blob->data, blob->size, &hub->sections, error);
	if (err)
		return GOFER_PROTOCOL;
	blob_describe(blob, &message);
	if (in->producer.queue)
		to.node = in->producer.queue->node;
	else if (!in->address.data)
		return hub_relay(hub, blob, &message, settled, error);
	else if (nodes_resolve(&hub->nodes, in->address, &to, error))
		return GOFER_NOTFOUND;
	return hub_deliver(hub, &to, blob, &message, settled, error);
}

/* The bytes of the current delivery, which is complete; NULL: out of memory. */
static struct blob *take(struct link_in *in, pn_delivery_t *delivery)
{
	size_t size = pn_delivery_pending(delivery);
	struct blob *blob = blob_new(size);

	if (size > in->largest)
		in->largest = size;
	if (blob && size && pn_link_recv(in->link.pn, blob->data, size) != (ssize_t)size) {
		blob_unref(blob);
		blob = NULL;
	}
	pn_link_advance(in->link.pn);
	return blob;
}

static void receive(struct link_in *in, pn_delivery_t *delivery)
{
	bool settled = pn_delivery_settled(delivery);
	struct error why = ERROR_NONE;
	struct blob *blob = take(in, delivery);
	enum gofer_err err = blob ? deliver(in, blob, settled, &why) : GOFER_NOMEM;

	blob_unref(blob);
	if (err)
		log_debug("broker", "%s: not taken: %s", in->link.peer->name, why.text);
	settle(in, delivery, err, &why);
}

static void assembled(struct link_in *in, size_t size)
{
	in->link.peer->assembling += size - in->assembling;
	in->assembling = size;
}

/* Whether the message may become so large. The link is gone if not. */
static bool check_size(struct link_in *in, size_t size)
{
	struct peer *p = in->link.peer;
	size_t most = p->server->hub->message_bytes;
	struct error why;

	if (size > most) {
		error_set(&why, GOFER_FULL, "a message of more than %zu bytes", most);
		link_detach(&in->link, "amqp:link:message-size-exceeded", why.text);
		return false;
	}
	if (p->assembling - in->assembling + size <= most * ASSEMBLING_MAX)
		return true;
	link_detach(&in->link, "amqp:resource-limit-exceeded", "too many messages sent in part");
	return false;
}

/* The exchange that the link was attached to may have been deleted since. */
static bool is_orphan(const struct link_in *in)
{
	struct address to;

	return in->address.data &&
		nodes_resolve(&in->link.peer->server->hub->nodes, in->address, &to, NULL);
}

static void on_delivery(struct link *l, pn_delivery_t *delivery)
{
	struct link_in *in = in_of(l);

	if (pn_delivery_aborted(delivery)) {
		assembled(in, 0);
		pn_delivery_settle(delivery);
		top_up(in);
		return;
	}
	if (!pn_delivery_readable(delivery) || !check_size(in, pn_delivery_pending(delivery)))
		return;
	assembled(in, pn_delivery_partial(delivery) ? pn_delivery_pending(delivery) : 0);
	if (pn_delivery_partial(delivery))
		return;
	if (pn_link_credit(l->pn) <= 0) {
		link_detach(l, "amqp:link:transfer-limit-exceeded", "more messages than credit");
	} else if (is_orphan(in)) {
		link_detach(l, "amqp:resource-deleted", "the exchange was deleted");
	} else {
		receive(in, delivery);
		top_up(in);
	}
}

/* --- life ------------------------------------------------------------------------------ */

static void on_flow(struct link *l)
{
	top_up(in_of(l));
}

static void in_free(struct link *l)
{
	struct link_in *in = in_of(l);

	assembled(in, 0);
	queue_exit(&in->producer);
	if (in->owned)
		nodes_remove(&l->peer->server->hub->nodes, in->owned);
	free(in);
}

static void on_gone(struct producer *p)
{
	struct link_in *in = in_of_producer(p);

	in->owned = NULL;
	link_detach(&in->link, "amqp:resource-deleted", "the queue was deleted");
}

static const struct link_ops in_ops = {on_delivery, on_flow, in_free};
static const struct producer_ops producer_ops = {on_room, on_gone};

static enum gofer_err find_target(struct hub *hub, pn_terminus_t *target, struct address *to,
                                  struct error *error)
{
	if (pn_terminus_is_dynamic(target))
		return nodes_add_dynamic(&hub->nodes, &to->node, error);
	return nodes_attach(&hub->nodes, link_address(target), link_flags(target), to, error);
}

static void answer(pn_link_t *pn, const struct node *owned)
{
	pn_terminus_t *target = pn_link_target(pn);

	pn_terminus_copy(pn_link_source(pn), pn_link_remote_source(pn));
	pn_terminus_copy(target, pn_link_remote_target(pn));
	pn_data_clear(pn_terminus_capabilities(target));
	if (owned)
		pn_terminus_set_address(target, owned->text);
	pn_link_set_snd_settle_mode(pn, pn_link_remote_snd_settle_mode(pn));
	pn_link_set_rcv_settle_mode(pn, PN_RCV_FIRST);
}

static bool lists_modified(pn_data_t *outcomes)
{
	bool found = false;

	pn_data_rewind(outcomes);
	if (!pn_data_next(outcomes) || pn_data_type(outcomes) != PN_ARRAY)
		return false;
	pn_data_enter(outcomes);
	while (!found && pn_data_next(outcomes))
		found = map_equals(pn_data_get_bytes(outcomes), "amqp:modified:list");
	pn_data_rewind(outcomes);
	return found;
}

static void start(struct peer *p, pn_link_t *pn, struct link_in *in, const struct address *to,
                  bool owned)
{
	link_init(&in->link, p, pn, &in_ops);
	in->producer.ops = &producer_ops;
	if (to->node && to->node->kind == NODE_QUEUE)
		queue_enter(to->node->queue, &in->producer);
	in->owned = owned ? to->node : NULL;
	in->modifies = lists_modified(pn_terminus_outcomes(pn_link_remote_source(pn)));
	answer(pn, in->owned);
	pn_link_set_max_message_size(pn, p->server->hub->message_bytes);
	pn_link_open(pn);
	top_up(in);
	peer_wake(p);
}

void link_in_open(struct peer *p, pn_link_t *pn)
{
	struct hub *hub = p->server->hub;
	pn_terminus_t *target = pn_link_remote_target(pn);
	bool dynamic = pn_terminus_is_dynamic(target);
	struct slice text = link_address(target);
	struct address to = {NULL, false, {NULL, 0}};
	struct error why = ERROR_NONE;
	enum gofer_err err = GOFER_OK;
	struct link_in *in;

	if (pn_terminus_get_type(target) == PN_COORDINATOR) {
		link_refuse(p, pn, "amqp:not-implemented", "there are no transactions here");
		return;
	}
	if (dynamic || text.size)
		err = find_target(hub, target, &to, &why);
	in = err ? NULL : calloc(1, sizeof(*in) + text.size);
	if (!in) {
		if (!err && dynamic)
			nodes_remove(&hub->nodes, to.node);
		link_refuse(p, pn, link_condition(err ? err : GOFER_NOMEM), why.text);
		return;
	}
	if (to.node && to.node->kind != NODE_QUEUE) {
		memcpy(in->text, text.data, text.size);
		in->address = (struct slice){in->text, text.size};
	}
	start(p, pn, in, &to, dynamic);
}
