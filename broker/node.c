/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/node.h"

#include <stdlib.h>
#include <string.h>

#include "core/uuid.h"

#define DYNAMIC_PREFIX "temp."

static const char *const reserved_prefixes[] = {"amq.", "qmf.", DYNAMIC_PREFIX, NULL};

static struct slice text_slice(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static bool starts_with(struct slice text, const char *prefix)
{
	size_t size = strlen(prefix);

	return text.size >= size && !memcmp(text.data, prefix, size);
}

static bool is_reserved(struct slice name)
{
	for (size_t i = 0; reserved_prefixes[i]; i++)
		if (starts_with(name, reserved_prefixes[i]))
			return true;
	return false;
}

bool node_is_builtin(const struct node *node)
{
	return node->kind != NODE_QUEUE &&
		(starts_with(node->name.text, "amq.") || starts_with(node->name.text, "qmf."));
}

static enum gofer_err check_name(struct slice name, struct error *error)
{
	if (!name.size)
		return error_set(error, GOFER_INVALID, "an empty name");
	if (name.size > NODE_NAME_MAX)
		return error_set(error, GOFER_INVALID, "a name of %zu bytes, the longest is %d",
		                 name.size, NODE_NAME_MAX);
	if (memchr(name.data, 0, name.size))
		return error_set(error, GOFER_INVALID, "a name with a NUL byte in it");
	return GOFER_OK;
}

static void node_free(struct node *node)
{
	if (!node)
		return;
	queue_free(node->queue);
	exchange_free(node->exchange);
	free(node);
}

static struct node *node_new(enum node_kind kind, struct slice name)
{
	struct node *node = calloc(1, sizeof(*node) + name.size + 1);

	if (!node)
		return NULL;
	node->kind = kind;
	memcpy(node->text, name.data, name.size);
	node->name.text = (struct slice){node->text, name.size};
	return node;
}

static enum gofer_err no_memory(struct error *error)
{
	return error_set(error, GOFER_NOMEM, "out of memory");
}

/* Checks the name and makes the node, which nobody can find yet. */
static enum gofer_err prepare(struct nodes *nodes, enum node_kind kind, struct slice name,
                              struct node **out, struct error *error)
{
	enum gofer_err err = check_name(name, error);

	if (err)
		return err;
	if (nodes_find(nodes, name))
		return error_set(error, GOFER_EXISTS, "object already exists: %.*s", (int)name.size,
		                 name.data);
	if (nodes->names.count >= NODES_MAX)
		return error_set(error, GOFER_FULL, "there are %d queues and exchanges already",
		                 NODES_MAX);
	*out = node_new(kind, name);
	return *out ? GOFER_OK : no_memory(error);
}

/* Takes the node, on failure too. */
static enum gofer_err publish_take(struct nodes *nodes, struct node *node, struct node **out,
                                   struct error *error)
{
	if ((!node->queue && !node->exchange && node->kind != NODE_MANAGEMENT) ||
	    names_add(&nodes->names, &node->name)) {
		node_free(node);
		return no_memory(error);
	}
	if (out)
		*out = node;
	return GOFER_OK;
}

static size_t bound(size_t wanted, size_t most)
{
	return wanted && wanted < most ? wanted : most;
}

enum gofer_err nodes_add_queue(struct nodes *nodes, struct slice name, struct node_flags flags,
                               size_t messages_max, size_t bytes_max, struct node **out,
                               struct error *error)
{
	struct node *node = NULL;
	enum gofer_err err = prepare(nodes, NODE_QUEUE, name, &node, error);

	if (err)
		return err;
	node->flags = flags;
	node->queue = queue_new(bound(messages_max, nodes->queue_messages),
	                        bound(bytes_max, nodes->queue_bytes));
	if (node->queue)
		node->queue->node = node;
	err = publish_take(nodes, node, out, error);
	if (!err)
		nodes->queues++;
	return err;
}

enum gofer_err nodes_add_exchange(struct nodes *nodes, struct slice name, enum exchange_type type,
                                  struct node_flags flags, struct node **out, struct error *error)
{
	struct node *node = NULL;
	enum gofer_err err = prepare(nodes, NODE_EXCHANGE, name, &node, error);

	if (err)
		return err;
	node->flags = flags;
	node->exchange = exchange_new(type);
	return publish_take(nodes, node, out, error);
}

enum gofer_err nodes_add_dynamic(struct nodes *nodes, struct node **out, struct error *error)
{
	char name[sizeof(DYNAMIC_PREFIX) + UUID_TEXT_SIZE] = DYNAMIC_PREFIX;

	uuid_generate(name + strlen(DYNAMIC_PREFIX));
	return nodes_add_queue(nodes, text_slice(name), (struct node_flags){.dynamic = true}, 0, 0,
	                       out, error);
}

static enum gofer_err add_builtins(struct nodes *nodes)
{
	static const struct {
		const char *name;
		enum exchange_type type;
	} exchanges[] = {
		{"amq.direct", EXCHANGE_DIRECT},
		{"amq.topic", EXCHANGE_TOPIC},
		{"amq.fanout", EXCHANGE_FANOUT},
	};
	struct node_flags flags = {.durable = true};
	struct node *management = NULL;
	enum gofer_err err = GOFER_OK;

	for (size_t i = 0; !err && i < sizeof(exchanges) / sizeof(exchanges[0]); i++)
		err = nodes_add_exchange(nodes, text_slice(exchanges[i].name), exchanges[i].type,
		                         flags, NULL, NULL);
	if (!err)
		err = prepare(nodes, NODE_MANAGEMENT, text_slice(NODE_MANAGEMENT_NAME), &management,
		              NULL);
	return err ? err : publish_take(nodes, management, NULL, NULL);
}

enum gofer_err nodes_init(struct nodes *nodes, size_t queue_messages, size_t queue_bytes)
{
	memset(nodes, 0, sizeof(*nodes));
	names_init(&nodes->names);
	nodes->queue_messages = queue_messages;
	nodes->queue_bytes = queue_bytes;
	return add_builtins(nodes);
}

struct node *nodes_find(const struct nodes *nodes, struct slice name)
{
	return (struct node *)names_find(&nodes->names, name.data, name.size);
}

/* The shortest prefix before a slash that names an exchange. */
static bool resolve_key(const struct nodes *nodes, struct slice text, struct address *out)
{
	const char *at = text.data, *end = text.data + text.size, *slash;

	for (; (slash = memchr(at, '/', (size_t)(end - at))); at = slash + 1) {
		struct node *node =
			nodes_find(nodes, (struct slice){text.data, (size_t)(slash - text.data)});

		if (node && node->kind == NODE_EXCHANGE) {
			out->node = node;
			out->has_key = true;
			out->key = (struct slice){slash + 1, (size_t)(end - slash - 1)};
			return true;
		}
	}
	return false;
}

enum gofer_err nodes_resolve(const struct nodes *nodes, struct slice text, struct address *out,
                             struct error *error)
{
	memset(out, 0, sizeof(*out));
	if (text.size && text.size <= 2 * NODE_NAME_MAX) {
		out->node = nodes_find(nodes, text);
		if (out->node || resolve_key(nodes, text, out))
			return GOFER_OK;
	}
	return error_set(error, GOFER_NOTFOUND, "no such queue or exchange: %.*s",
	                 (int)(text.size > NODE_NAME_MAX ? NODE_NAME_MAX : text.size), text.data);
}

enum gofer_err nodes_attach(struct nodes *nodes, struct slice text, struct node_flags flags,
                            struct address *out, struct error *error)
{
	enum gofer_err err = nodes_resolve(nodes, text, out, error);

	if (err != GOFER_NOTFOUND || is_reserved(text))
		return err;
	return nodes_add_queue(nodes, text, flags, 0, 0, &out->node, error);
}

void nodes_remove(struct nodes *nodes, struct node *node)
{
	names_remove(&nodes->names, &node->name);
	if (node->queue) {
		nodes->queues--;
		exchange_unbind_queue(node->queue);
	}
	node_free(node);
}

/* Queues first: exchanges let go of what is bound to them. */
static void remove_kind(struct nodes *nodes, enum node_kind kind)
{
	struct name *n = names_next(&nodes->names, NULL), *next;

	for (; n; n = next) {
		next = names_next(&nodes->names, n);
		if (((struct node *)n)->kind == kind)
			nodes_remove(nodes, (struct node *)n);
	}
}

void nodes_release(struct nodes *nodes)
{
	remove_kind(nodes, NODE_QUEUE);
	remove_kind(nodes, NODE_EXCHANGE);
	remove_kind(nodes, NODE_MANAGEMENT);
	names_release(&nodes->names);
}
