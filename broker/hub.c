/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/hub.h"

#include <string.h>

#include "broker/qmf_node.h"
#include "core/clock.h"

#define SWEEP_S 1.0

/* --- what time does -------------------------------------------------------------------- */

static bool is_over(const struct node *node, uint64_t now)
{
	return node->deserted_ms && !node->queue->consumers &&
		node->deserted_ms + node->auto_delete_ms <= now;
}

/* Returns whether the queue must be looked at again. */
static bool sweep_queue(struct hub *hub, struct node *node, uint64_t now)
{
	queue_expire(node->queue, now);
	if (is_over(node, now)) {
		nodes_remove(&hub->nodes, node);
		return false;
	}
	return node->queue->expiring || node->deserted_ms;
}

static void on_sweep(void *context)
{
	struct hub *hub = context;
	struct name *n = names_next(&hub->nodes.names, NULL), *next;
	uint64_t now = clock_monotonic_ms();
	bool again = false;

	for (; n; n = next) {
		struct node *node = (struct node *)n;

		next = names_next(&hub->nodes.names, n);
		if (node->kind == NODE_QUEUE && sweep_queue(hub, node, now))
			again = true;
	}
	if (again)
		return;
	loop_timer_stop(hub->sweeper);
	hub->sweeping = false;
}

static void start_sweeping(struct hub *hub)
{
	if (hub->sweeping)
		return;
	loop_timer_start(hub->sweeper, SWEEP_S, SWEEP_S);
	hub->sweeping = true;
}

enum gofer_err hub_init(struct hub *hub, struct loop *loop, size_t queue_messages,
                        size_t queue_bytes, size_t message_bytes)
{
	memset(hub, 0, sizeof(*hub));
	hub->loop = loop;
	hub->message_bytes = message_bytes;
	hub->sweeper = loop_timer_new(loop, on_sweep, hub);
	if (!hub->sweeper)
		return GOFER_NOMEM;
	return nodes_init(&hub->nodes, queue_messages, queue_bytes);
}

void hub_release(struct hub *hub)
{
	loop_timer_free(hub->sweeper);
	nodes_release(&hub->nodes);
	targets_release(&hub->targets);
	buf_release(&hub->sections);
	buf_release(&hub->header);
}

/* --- delivering ------------------------------------------------------------------------ */

static enum gofer_err is_full(const struct queue *q, struct error *error)
{
	return error_set(error, GOFER_FULL, "queue %s is full: %zu messages, %zu bytes",
	                 q->node ? q->node->text : "", q->messages, q->bytes);
}

static enum gofer_err put(struct hub *hub, struct queue *q, struct blob *blob, bool settled,
                          struct error *error)
{
	enum gofer_err err = queue_put(q, blob, settled);

	if (err == GOFER_FULL)
		return is_full(q, error);
	if (err)
		return error_set(error, err, "out of memory");
	if (blob->expires_ms)
		start_sweeping(hub);
	return GOFER_OK;
}

static enum gofer_err put_all(struct hub *hub, struct blob *blob, bool settled, struct error *error)
{
	struct targets *t = &hub->targets;

	for (size_t i = 0; !settled && i < t->count; i++)
		if (queue_is_full(t->items[i]))
			return is_full(t->items[i], error);
	for (size_t i = 0; i < t->count; i++) {
		enum gofer_err err = put(hub, t->items[i], blob, settled, error);

		if (err && !settled)
			return err;
	}
	return GOFER_OK;
}

static enum gofer_err route(struct hub *hub, const struct address *to, struct blob *blob,
                            const struct message *message, bool settled, struct error *error)
{
	struct slice key = to->has_key ? to->key : message->subject;

	targets_clear(&hub->targets);
	if (exchange_route(to->node->exchange, key, &hub->targets))
		return error_set(error, GOFER_NOMEM, "out of memory");
	if (!hub->targets.count)
		return error_set(error, GOFER_NOTFOUND,
		                 "no queue is bound to exchange %s with key %.*s", to->node->text,
		                 (int)(key.size < 256 ? key.size : 256), key.size ? key.data : "");
	return put_all(hub, blob, settled, error);
}

enum gofer_err hub_deliver(struct hub *hub, const struct address *to, struct blob *blob,
                           const struct message *message, bool settled, struct error *error)
{
	hub->received++;
	switch (to->node->kind) {
	case NODE_QUEUE: return put(hub, to->node->queue, blob, settled, error);
	case NODE_EXCHANGE: return route(hub, to, blob, message, settled, error);
	case NODE_MANAGEMENT: break;
	}
	return qmf_node_handle(hub, blob, error);
}

enum gofer_err hub_relay(struct hub *hub, struct blob *blob, const struct message *message,
                         bool settled, struct error *error)
{
	struct address to;
	enum gofer_err err;

	if (!message->to.size)
		return error_set(error, GOFER_INVALID,
		                 "a message without `to` on an anonymous link");
	err = nodes_resolve(&hub->nodes, message->to, &to, error);
	return err ? err : hub_deliver(hub, &to, blob, message, settled, error);
}

/* --- consuming ------------------------------------------------------------------------- */

static enum gofer_err bind(struct node *exchange, struct node *queue, struct slice key,
                           struct error *error)
{
	enum gofer_err err = exchange_bind(exchange->exchange, queue->queue, key);

	if (err == GOFER_FULL)
		return error_set(error, err, "exchange %s has %d bindings already", exchange->text,
		                 EXCHANGE_BINDINGS_MAX);
	return err ? error_set(error, err, "out of memory") : GOFER_OK;
}

/* Without a key a direct exchange gives what has none itself, a topic everything. */
static struct slice binding_key(const struct source *source, const struct address *at)
{
	if (at->has_key)
		return at->key;
	if (source->key.data)
		return source->key;
	if (exchange_type(at->node->exchange) == EXCHANGE_TOPIC)
		return (struct slice){"#", 1};
	return (struct slice){"", 0};
}

/* A queue of the consumer's own, bound to the exchange if there is one. */
static enum gofer_err own_queue(struct hub *hub, struct node *exchange, const struct slice *key,
                                struct node **out, struct error *error)
{
	struct node *queue;
	enum gofer_err err = nodes_add_dynamic(&hub->nodes, &queue, error);

	if (err)
		return err;
	if (exchange)
		err = bind(exchange, queue, key ? *key : queue->name.text, error);
	if (err)
		nodes_remove(&hub->nodes, queue);
	else
		*out = queue;
	return err;
}

static enum gofer_err dynamic_source(struct hub *hub, const struct source *source,
                                     struct node **out, struct error *error)
{
	struct address at = {NULL, false, {NULL, 0}};

	if (!source->exchange.data)
		return own_queue(hub, NULL, NULL, out, error);
	if (nodes_resolve(&hub->nodes, source->exchange, &at, error))
		return GOFER_NOTFOUND;
	if (at.node->kind != NODE_EXCHANGE || at.has_key)
		return error_set(error, GOFER_NOTFOUND, "%.*s is no exchange",
		                 (int)source->exchange.size, source->exchange.data);
	return own_queue(hub, at.node, NULL, out, error);
}

enum gofer_err hub_source(struct hub *hub, const struct source *source, struct node **out,
                          bool *owned, struct error *error)
{
	struct address at;
	struct slice key;
	enum gofer_err err;

	*owned = source->dynamic;
	if (source->dynamic)
		return dynamic_source(hub, source, out, error);
	err = nodes_attach(&hub->nodes, source->address, source->flags, &at, error);
	if (err)
		return err;
	if (at.node->kind == NODE_MANAGEMENT)
		return error_set(error, GOFER_INVALID, "nothing can be received from %s",
		                 at.node->text);
	if (at.node->kind == NODE_QUEUE) {
		*out = at.node;
		return GOFER_OK;
	}
	*owned = true;
	key = binding_key(source, &at);
	return own_queue(hub, at.node, &key, out, error);
}

void hub_leave(struct hub *hub, struct consumer *c)
{
	struct queue *q = c->queue;

	if (!q)
		return;
	queue_leave(c);
	if (q->consumers || !q->node->flags.auto_delete)
		return;
	if (!q->node->auto_delete_ms) {
		nodes_remove(&hub->nodes, q->node);
		return;
	}
	q->node->deserted_ms = clock_monotonic_ms();
	start_sweeping(hub);
}

enum gofer_err hub_unbind(struct hub *hub, struct node *exchange, struct queue *q, struct slice key)
{
	enum gofer_err err = exchange_unbind(exchange->exchange, q, key);

	if (!err && exchange->flags.auto_delete && !exchange_bindings(exchange->exchange) &&
	    !node_is_builtin(exchange))
		nodes_remove(&hub->nodes, exchange);
	return err;
}
