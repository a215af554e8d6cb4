/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/qmf_node.h"

#include <proton/message.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/message.h"
#include "broker/hub.h"
#include "broker/value.h"
#include "core/log.h"

/* Codes of Qpid's management exceptions. */
enum qmf_code {
	QMF_OK = 0,
	QMF_UNKNOWN_OBJECT = 1,
	QMF_UNKNOWN_METHOD = 2,
	QMF_NOT_IMPLEMENTED = 3,
	QMF_EXCEPTION = 7,
};

#define QUEUE_PREFIX "org.apache.qpid.broker:queue:"
#define EXCHANGE_PREFIX "org.apache.qpid.broker:exchange:"
#define BROKER_OBJECT "org.apache.qpid.broker:broker:amqp-broker"

struct request {
	struct hub *hub;
	pn_message_t *message, *reply;
	pn_data_t *body, *answer; /* of the two */
	struct error error;       /* the text of a failure */
};

#define PATH(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}
#define ARGUMENT(...) PATH("_arguments", __VA_ARGS__)
#define PROPERTY(name) PATH("_arguments", "properties", name)

static bool equal(struct slice s, const char *text)
{
	return s.data && s.size == strlen(text) && !memcmp(s.data, text, s.size);
}

/* What follows the prefix; data NULL: something else is in front. */
static struct slice after(struct slice s, const char *prefix)
{
	size_t size = strlen(prefix);

	if (!s.data || s.size < size || memcmp(s.data, prefix, size))
		return (struct slice){NULL, 0};
	return (struct slice){s.data + size, s.size - size};
}

static enum qmf_code fail(struct request *r, const char *what, struct slice name)
{
	error_set(&r->error, GOFER_FAILED, "%s: %.*s", what,
	          (int)(name.size < NODE_NAME_MAX ? name.size : NODE_NAME_MAX),
	          name.size ? name.data : "");
	return QMF_EXCEPTION;
}

static struct node *find(const struct request *r, struct slice name, enum node_kind kind)
{
	struct node *node = nodes_find(&r->hub->nodes, name);

	return node && node->kind == kind ? node : NULL;
}

static struct node_flags flags_of(struct request *r)
{
	struct node_flags flags = {
		.durable = value_bool_at(r->body, PROPERTY("durable")),
		.auto_delete = value_bool_at(r->body, PROPERTY("auto-delete")),
		.exclusive = value_bool_at(r->body, PROPERTY("exclusive")),
	};

	return flags;
}

/* --- queues and exchanges --------------------------------------------------------------- */

static bool is_reserved(struct slice name)
{
	return after(name, "amq.").data || after(name, "qmf.").data;
}

static enum qmf_code create_queue(struct request *r, struct slice name)
{
	struct node *node;

	if (is_reserved(name) && !nodes_find(&r->hub->nodes, name))
		return fail(r, "not-allowed: reserved name", name);
	if (nodes_add_queue(&r->hub->nodes, name, flags_of(r),
	                    value_number_at(r->body, PROPERTY("qpid.max_count")),
	                    value_number_at(r->body, PROPERTY("qpid.max_size")), &node, &r->error))
		return QMF_EXCEPTION;
	node->auto_delete_ms =
		value_number_at(r->body, PROPERTY("qpid.auto_delete_timeout")) * 1000;
	return QMF_OK;
}

static enum qmf_code delete_queue(struct request *r, struct slice name)
{
	struct node *node = find(r, name, NODE_QUEUE);

	if (!node)
		return fail(r, "not-found: Delete failed. No such queue", name);
	nodes_remove(&r->hub->nodes, node);
	return QMF_OK;
}

/* Python gofer puts the type beside the properties. */
static enum qmf_code create_exchange(struct request *r, struct slice name)
{
	struct slice text = value_text_at(r->body, PROPERTY("exchange-type"));
	enum exchange_type type = EXCHANGE_TOPIC;

	if (!text.data)
		text = value_text_at(r->body, ARGUMENT("exchange-type"));
	if (text.data && exchange_type_parse(text, &type))
		return fail(r, "not-implemented: Exchange type not known", text);
	if (is_reserved(name) && !nodes_find(&r->hub->nodes, name))
		return fail(r, "not-allowed: reserved name", name);
	if (nodes_add_exchange(&r->hub->nodes, name, type, flags_of(r), NULL, &r->error))
		return QMF_EXCEPTION;
	return QMF_OK;
}

static enum qmf_code delete_exchange(struct request *r, struct slice name)
{
	struct node *node = find(r, name, NODE_EXCHANGE);

	if (!node)
		return fail(r, "not-found: Delete failed. No such exchange", name);
	if (node_is_builtin(node))
		return fail(r, "not-allowed: Delete failed. Exchange of the broker's own", name);
	nodes_remove(&r->hub->nodes, node);
	return QMF_OK;
}

/* --- bindings --------------------------------------------------------------------------- */

struct binding_name {
	struct slice exchange, queue, key;
};

/* The next part, up to the slash number `skip` from `from`. False: there is no such slash. */
static bool cut(struct slice from, unsigned skip, struct slice *part, struct slice *rest)
{
	const char *at = from.data, *end = from.data + from.size, *slash;

	while ((slash = memchr(at, '/', (size_t)(end - at))) && skip--)
		at = slash + 1;
	if (!slash)
		return false;
	*part = (struct slice){from.data, (size_t)(slash - from.data)};
	*rest = (struct slice){slash + 1, (size_t)(end - slash - 1)};
	return true;
}

/* Names may have slashes in them, so "exchange/queue/key" is cut where there are such an exchange
 * and such a queue; failing that at the first two slashes. False: it has not got two. */
static bool split(const struct request *r, struct slice name, struct binding_name *out)
{
	struct binding_name b;
	struct slice rest;

	for (unsigned i = 0; cut(name, i, &b.exchange, &rest); i++) {
		for (unsigned j = 0; cut(rest, j, &b.queue, &b.key); j++) {
			if (find(r, b.exchange, NODE_EXCHANGE) && find(r, b.queue, NODE_QUEUE)) {
				*out = b;
				return true;
			}
		}
		if (i >= 16)
			break;
	}
	return cut(name, 0, &out->exchange, &rest) && cut(rest, 0, &out->queue, &out->key);
}

static enum qmf_code both_ends(struct request *r, struct slice name, struct binding_name *b,
                               struct node **exchange, struct node **queue)
{
	if (!name.size || !split(r, name, b))
		return fail(r, "invalid binding", name);
	*exchange = find(r, b->exchange, NODE_EXCHANGE);
	*queue = find(r, b->queue, NODE_QUEUE);
	if (!*exchange)
		return fail(r, "not-found: Exchange not found", b->exchange);
	if (!*queue)
		return fail(r, "not-found: Queue not found", b->queue);
	return QMF_OK;
}

static enum qmf_code create_binding(struct request *r, struct slice name)
{
	struct binding_name b;
	struct node *exchange, *queue;
	enum qmf_code code = both_ends(r, name, &b, &exchange, &queue);

	if (code)
		return code;
	if (exchange_bind(exchange->exchange, queue->queue, b.key))
		return fail(r, "resource-limit-exceeded: no more bindings", name);
	return QMF_OK;
}

static enum qmf_code delete_binding(struct request *r, struct slice name)
{
	struct binding_name b;
	struct node *exchange, *queue;
	enum qmf_code code = both_ends(r, name, &b, &exchange, &queue);

	if (!code)
		hub_unbind(r->hub, exchange, queue->queue, b.key);
	return code;
}

/* --- methods ---------------------------------------------------------------------------- */

typedef enum qmf_code operation(struct request *r, struct slice name);

static const struct object_type {
	const char *name;
	operation *create, *delete;
} object_types[] = {
	{"queue", create_queue, delete_queue},
	{"exchange", create_exchange, delete_exchange},
	{"binding", create_binding, delete_binding},
};

static enum qmf_code of_type(struct request *r, bool create)
{
	struct slice type = value_text_at(r->body, ARGUMENT("type"));
	struct slice name = value_text_at(r->body, ARGUMENT("name"));

	for (size_t i = 0; i < sizeof(object_types) / sizeof(object_types[0]); i++)
		if (equal(type, object_types[i].name))
			return (create ? object_types[i].create : object_types[i].delete)(r, name);
	fail(r, "NotImplemented: object type", type);
	return QMF_NOT_IMPLEMENTED;
}

static enum qmf_code run_create(struct request *r, struct slice object)
{
	(void)object;
	return of_type(r, true);
}

static enum qmf_code run_delete(struct request *r, struct slice object)
{
	(void)object;
	return of_type(r, false);
}

static enum qmf_code run_purge(struct request *r, struct slice object)
{
	struct node *node = find(r, object, NODE_QUEUE);

	if (!node) {
		fail(r, "unknown object", object);
		return QMF_UNKNOWN_OBJECT;
	}
	queue_purge(node->queue, value_number_at(r->body, ARGUMENT("request")));
	return QMF_OK;
}

static const struct qmf_method {
	const char *object; /* what the object's name begins with */
	const char *name;
	operation *run;
} methods[] = {
	{BROKER_OBJECT, "create", run_create},
	{BROKER_OBJECT, "delete", run_delete},
	{QUEUE_PREFIX, "purge", run_purge},
};

static enum qmf_code run_method(struct request *r)
{
	struct slice object = value_text_at(r->body, PATH("_object_id", "_object_name"));
	struct slice name = value_text_at(r->body, PATH("_method_name"));
	bool known = false;

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct slice rest = after(object, methods[i].object);

		if (!rest.data)
			continue;
		known = true;
		if (equal(name, methods[i].name))
			return methods[i].run(r, rest);
	}
	if (!known) {
		fail(r, "unknown object", object);
		return QMF_UNKNOWN_OBJECT;
	}
	fail(r, "UnknownMethod", name);
	return QMF_UNKNOWN_METHOD;
}

/* --- queries ---------------------------------------------------------------------------- */

static void put_queue(pn_data_t *out, const struct node *node)
{
	const struct queue *q = node->queue;

	value_put_number(out, "msgDepth", q->messages);
	value_put_number(out, "byteDepth", q->bytes);
	value_put_number(out, "unackedMessages", q->held);
	value_put_number(out, "consumerCount", q->consumers);
	value_put_number(out, "bindingCount", q->bindings_count);
	value_put_bool(out, "exclusive", node->flags.exclusive);
}

static void put_exchange(pn_data_t *out, const struct node *node)
{
	value_put_text(out, "type", exchange_type_name(exchange_type(node->exchange)));
	value_put_number(out, "bindingCount", exchange_bindings(node->exchange));
}

static const struct object_class {
	const char *prefix, *name;
	enum node_kind kind;
	void (*put)(pn_data_t *out, const struct node *node);
} object_classes[] = {
	{QUEUE_PREFIX, "queue", NODE_QUEUE, put_queue},
	{EXCHANGE_PREFIX, "exchange", NODE_EXCHANGE, put_exchange},
};

static void put_object(pn_data_t *out, const struct object_class *class, const struct node *node,
                       struct slice object_name)
{
	pn_data_put_map(out);
	pn_data_enter(out);
	value_put_key(out, "_object_id");
	pn_data_put_map(out);
	pn_data_enter(out);
	value_put_key(out, "_object_name");
	pn_data_put_string(out, pn_bytes(object_name.size, object_name.data));
	pn_data_exit(out);
	value_put_key(out, "_schema_id");
	pn_data_put_map(out);
	pn_data_enter(out);
	value_put_text(out, "_package_name", "org.apache.qpid.broker");
	value_put_text(out, "_class_name", class->name);
	pn_data_exit(out);
	value_put_key(out, "_values");
	pn_data_put_map(out);
	pn_data_enter(out);
	value_put_text(out, "name", node->text);
	value_put_bool(out, "durable", node->flags.durable);
	value_put_bool(out, "autoDelete", node->flags.auto_delete);
	class->put(out, node);
	pn_data_exit(out);
	pn_data_exit(out);
}

static void answer_query(struct request *r)
{
	struct slice name = value_text_at(r->body, PATH("_object_id", "_object_name"));

	pn_data_put_list(r->answer);
	pn_data_enter(r->answer);
	for (size_t i = 0; i < sizeof(object_classes) / sizeof(object_classes[0]); i++) {
		const struct object_class *class = &object_classes[i];
		struct slice rest = after(name, class->prefix);
		struct node *node = rest.data ? find(r, rest, class->kind) : NULL;

		if (node)
			put_object(r->answer, class, node, name);
	}
	pn_data_exit(r->answer);
}

/* --- replies ---------------------------------------------------------------------------- */

static void describe_reply(struct request *r, const char *opcode, const char *content_type)
{
	pn_data_t *properties = pn_message_properties(r->reply);

	pn_message_set_content_type(r->reply, content_type);
	pn_message_set_address(r->reply, pn_message_get_reply_to(r->message));
	pn_message_set_correlation_id(r->reply, pn_message_get_correlation_id(r->message));
	pn_data_put_map(properties);
	pn_data_enter(properties);
	value_put_text(properties, "method", "response");
	value_put_text(properties, "qmf.agent", "broker");
	value_put_text(properties, "qmf.opcode", opcode);
	value_put_text(properties, "x-amqp-0-10.app-id", "qmf2");
	pn_data_exit(properties);
}

static void answer_exception(struct request *r, enum qmf_code code)
{
	pn_data_t *out = r->answer;

	describe_reply(r, "_exception", "amqp/map");
	pn_data_put_map(out);
	pn_data_enter(out);
	value_put_key(out, "_values");
	pn_data_put_map(out);
	pn_data_enter(out);
	value_put_key(out, "error_code");
	pn_data_put_uint(out, code);
	value_put_key(out, "error_text");
	pn_data_put_binary(out, pn_bytes(strlen(r->error.text), r->error.text));
	pn_data_exit(out);
	pn_data_exit(out);
}

static void answer_success(struct request *r)
{
	describe_reply(r, "_method_response", "amqp/map");
	pn_data_put_map(r->answer);
	pn_data_enter(r->answer);
	value_put_key(r->answer, "_arguments");
	pn_data_put_map(r->answer);
	pn_data_exit(r->answer);
}

static void handle_method(struct request *r)
{
	enum qmf_code code = run_method(r);

	if (code) {
		log_debug("broker", "management: %s", r->error.text);
		answer_exception(r, code);
	} else {
		answer_success(r);
	}
}

static void handle_query(struct request *r)
{
	describe_reply(r, "_query_response", "amqp/list");
	answer_query(r);
}

static const struct opcode {
	const char *name;
	void (*handle)(struct request *r);
} opcodes[] = {
	{"_method_request", handle_method},
	{"_query_request", handle_query},
};

static const struct opcode *opcode_of(pn_message_t *message)
{
	pn_data_t *properties = pn_message_properties(message);
	struct slice name = value_text_at(properties, PATH("qmf.opcode"));

	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
		if (equal(name, opcodes[i].name) &&
		    equal(value_text_at(properties, PATH("x-amqp-0-10.app-id")), "qmf2"))
			return &opcodes[i];
	return NULL;
}

static struct blob *encode(pn_message_t *message)
{
	struct blob *blob = NULL;
	size_t room = 512, size;
	int result;

	do {
		room *= 2;
		blob_unref(blob);
		size = room;
		blob = blob_new(room);
		result = blob ? pn_message_encode(message, blob->data, &size) : PN_OUT_OF_MEMORY;
	} while (result == PN_OVERFLOW && room < 1024 * 1024);
	if (result) {
		blob_unref(blob);
		return NULL;
	}
	blob->size = size;
	return blob;
}

static enum gofer_err send_reply(struct request *r, struct error *error)
{
	struct blob *blob = encode(r->reply);
	struct message message;
	enum gofer_err err;

	if (!blob)
		return error_set(error, GOFER_NOMEM, "out of memory");
	err = message_decode(&message, blob->data, blob->size, &r->hub->sections, error);
	if (!err) {
		blob_describe(blob, &message);
		err = hub_relay(r->hub, blob, &message, true, error);
	}
	if (err)
		log_debug("broker", "management: a reply is lost: %s", error->text);
	blob_unref(blob);
	return GOFER_OK;
}

static enum gofer_err handle(struct request *r, struct error *error)
{
	const struct opcode *opcode = opcode_of(r->message);

	if (!opcode) {
		log_debug("broker", "management: a message that is no request");
		return GOFER_OK;
	}
	opcode->handle(r);
	return pn_message_get_reply_to(r->message) ? send_reply(r, error) : GOFER_OK;
}

enum gofer_err qmf_node_handle(struct hub *hub, struct blob *blob, struct error *error)
{
	struct request r = {.hub = hub, .message = pn_message(), .reply = pn_message()};
	struct error ignored = ERROR_NONE;
	enum gofer_err err;

	if (!r.message || !r.reply) {
		err = error_set(error, GOFER_NOMEM, "out of memory");
	} else if (pn_message_decode(r.message, blob->data, blob->size)) {
		err = error_set(error, GOFER_PROTOCOL, "no message that can be read");
	} else {
		r.body = pn_message_body(r.message);
		r.answer = pn_message_body(r.reply);
		err = handle(&r, error ? error : &ignored);
	}
	if (r.message)
		pn_message_free(r.message);
	if (r.reply)
		pn_message_free(r.reply);
	return err;
}
