/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/qmf.h"

#include <inttypes.h>
#include <proton/message.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/endpoint.h"

#define NODE "qmf.default.direct"
#define BROKER "org.apache.qpid.broker:broker:amqp-broker"
/* What fails because it's there already, or because it isn't there: the text alone tells which. */
#define CODE_FAILED 7
#define REQUEST_MAX 65536

struct qmf_call {
	struct qmf_call *next;
	const char *type; /* "queue" or "binding" */
	bool durable;
	uint64_t id;
	qmf_done *done; /* NULL: forgotten */
	void *context;
	char name[];
};

struct qmf {
	struct client *client;
	struct endpoint in, out;
	char *reply_to;
	uint64_t ids;
	struct qmf_call *head, **tail;
	bool begun, sent; /* the first one: has its limit of time; is on its way */
	struct loop_timer *timer;
};

/* --- requests ------------------------------------------------------------------------------- */

static pn_bytes_t bytes_of(const char *text)
{
	return pn_bytes(strlen(text), text);
}

static void put_key(pn_data_t *map, const char *key)
{
	pn_data_put_string(map, bytes_of(key));
}

static void put_pair(pn_data_t *map, const char *key, const char *value)
{
	put_key(map, key);
	pn_data_put_string(map, bytes_of(value));
}

static void put_bool(pn_data_t *map, const char *key, bool value)
{
	put_key(map, key);
	pn_data_put_bool(map, value);
}

static void begin_map(pn_data_t *map, const char *key)
{
	if (key)
		put_key(map, key);
	pn_data_put_map(map);
	pn_data_enter(map);
}

static void put_properties(pn_data_t *map, const struct qmf_call *call)
{
	begin_map(map, "properties");
	if (!strcmp(call->type, "queue")) {
		put_bool(map, "durable", call->durable);
		put_bool(map, "auto-delete", false);
		put_bool(map, "exclusive", false);
	}
	pn_data_exit(map);
}

static void put_body(pn_data_t *body, const struct qmf_call *call)
{
	begin_map(body, NULL);
	begin_map(body, "_object_id");
	put_pair(body, "_object_name", BROKER);
	pn_data_exit(body);
	put_pair(body, "_method_name", "create");
	begin_map(body, "_arguments");
	put_bool(body, "strict", true);
	put_pair(body, "name", call->name);
	put_pair(body, "type", call->type);
	put_properties(body, call);
	pn_data_exit(body);
	pn_data_exit(body);
}

static void print_id(char text[24], const struct qmf_call *call)
{
	snprintf(text, 24, "%" PRIu64, call->id);
}

static void fill_request(pn_message_t *m, const struct qmf *q, const struct qmf_call *call)
{
	pn_data_t *properties = pn_message_properties(m);
	pn_atom_t id = {.type = PN_STRING};
	char text[24];

	print_id(text, call);
	id.u.as_bytes = bytes_of(text);
	pn_message_set_correlation_id(m, id);
	pn_message_set_address(m, NODE);
	pn_message_set_subject(m, "broker");
	pn_message_set_reply_to(m, q->reply_to);
	begin_map(properties, NULL);
	put_pair(properties, "qmf.opcode", "_method_request");
	put_pair(properties, "x-amqp-0-10.app-id", "qmf2");
	put_pair(properties, "method", "request");
	pn_data_exit(properties);
	put_body(pn_message_body(m), call);
}

static enum gofer_err encode_request(struct buf *out, const struct qmf *q,
                                     const struct qmf_call *call)
{
	pn_message_t *m = pn_message();
	size_t room = 1024;
	int status = PN_OVERFLOW;

	if (!m)
		return GOFER_NOMEM;
	fill_request(m, q, call);
	for (; status == PN_OVERFLOW && room <= REQUEST_MAX; room *= 2) {
		size_t size = room;
		char *to = buf_reserve(out, room);

		if (!to)
			break;
		status = pn_message_encode(m, to, &size);
		if (!status)
			buf_added(out, size);
	}
	pn_message_free(m);
	return status ? GOFER_INVALID : GOFER_OK;
}

/* --- calls ---------------------------------------------------------------------------------- */

static struct qmf_call *take_head(struct qmf *q)
{
	struct qmf_call *call = q->head;

	q->head = call->next;
	if (!q->head)
		q->tail = &q->head;
	q->begun = q->sent = false;
	loop_timer_stop(q->timer);
	return call;
}

static void proceed(struct qmf *q);

/* May free the client's contents: the user may be called. */
static void finish_head(struct qmf *q, const struct error *why)
{
	struct client *c = q->client;
	struct qmf_call *call = take_head(q);

	if (call->done)
		call->done(call->context, why);
	free(call);
	if (!c->freed)
		proceed(q);
}

static void transmit(struct qmf *q)
{
	pn_delivery_tag_t tag = pn_dtag((const char *)&q->head->id, sizeof(q->head->id));
	pn_link_t *link = q->out.link;
	struct buf bytes = BUF_INIT;
	struct error why;

	if (encode_request(&bytes, q, q->head)) {
		error_set(&why, GOFER_INVALID, "no management request can be made of this name");
		finish_head(q, &why);
	} else if (pn_delivery(link, tag) != pn_link_current(link)) {
		client_violation(q->client, "it sent a message on a link that sends to it");
	} else {
		pn_link_send(link, bytes.data, bytes.size);
		pn_link_advance(link);
		driver_wake(q->client->driver);
		q->sent = true;
	}
	buf_release(&bytes);
}

static void open_in(struct qmf *q, struct error *error)
{
	pn_terminus_t *source;
	pn_data_t *properties;

	if (endpoint_make(&q->in, false, NULL, error))
		return;
	source = pn_link_source(q->in.link);
	pn_terminus_set_dynamic(source, true);
	/* What a router routes by; a broker has no use for it. */
	properties = pn_terminus_properties(source);
	pn_data_put_map(properties);
	pn_data_enter(properties);
	pn_data_put_symbol(properties, bytes_of("x-opt-qd.address"));
	pn_data_put_string(properties, bytes_of(NODE));
	pn_data_exit(properties);
	endpoint_open(&q->in);
}

static void open_out(struct qmf *q, struct error *error)
{
	if (endpoint_make(&q->out, true, NULL, error))
		return;
	pn_terminus_set_address(pn_link_target(q->out.link), NODE);
	endpoint_open(&q->out);
}

/* The next step for the first call: a link, or the request itself. */
static void proceed(struct qmf *q)
{
	struct error error = ERROR_NONE;

	if (!q->head || q->sent)
		return;
	if (!q->begun)
		loop_timer_start(q->timer, q->client->timeout_s, 0);
	q->begun = true;
	if (!q->in.session)
		open_in(q, &error);
	else if (q->in.open && !q->out.session)
		open_out(q, &error);
	else if (q->out.open && pn_link_credit(q->out.link) > 0)
		transmit(q);
	if (error.code)
		finish_head(q, &error);
}

static void close_links(struct qmf *q)
{
	endpoint_close(&q->in);
	endpoint_close(&q->out);
	free(q->reply_to);
	q->reply_to = NULL;
}

/* Every call that waits now fails, and none that comes meanwhile. */
static void fail_all(struct qmf *q, const struct error *why)
{
	struct client *c = q->client;
	uint64_t last = q->ids;
	struct error prefixed = *why;

	error_prefix(&prefixed, "management");
	close_links(q);
	q->sent = false;
	while (!c->freed && q->head && q->head->id <= last) {
		struct qmf_call *call = take_head(q);

		if (call->done)
			call->done(call->context, &prefixed);
		free(call);
	}
	if (!c->freed)
		proceed(q);
}

static void on_timer(void *context)
{
	struct qmf *q = context;
	struct client *c = q->client;
	struct error why;

	client_enter(c);
	error_set(&why, GOFER_TIMEOUT, "the broker does not answer");
	if (q->begun)
		fail_all(q, &why);
	else
		proceed(q);
	client_leave(c);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Moves into the map at hand, to the value of `key`. */
static bool find(pn_data_t *data, const char *key)
{
	if (pn_data_type(data) != PN_MAP || !pn_data_enter(data))
		return false;
	while (pn_data_next(data)) {
		pn_bytes_t name = pn_data_get_bytes(data);
		bool found = name.start && name.size == strlen(key) &&
			!memcmp(name.start, key, name.size);

		if (!pn_data_next(data))
			return false;
		if (found)
			return true;
	}
	return false;
}

/* Moves to body[outer][inner]. */
static bool find_in_body(pn_data_t *body, const char *outer, const char *inner)
{
	pn_data_rewind(body);
	return pn_data_next(body) && find(body, outer) && find(body, inner);
}

static bool is_exception(pn_message_t *m)
{
	static const char exception[] = "_exception";
	pn_data_t *properties = pn_message_properties(m);
	pn_bytes_t opcode;

	pn_data_rewind(properties);
	if (!pn_data_next(properties) || !find(properties, "qmf.opcode"))
		return false;
	opcode = pn_data_get_bytes(properties);
	return opcode.size == sizeof(exception) - 1 &&
		!memcmp(opcode.start, exception, opcode.size);
}

static uint32_t error_code(pn_data_t *body)
{
	if (!find_in_body(body, "_values", "error_code"))
		return 0;
	switch (pn_data_type(body)) {
	case PN_UBYTE: return pn_data_get_ubyte(body);
	case PN_USHORT: return pn_data_get_ushort(body);
	case PN_UINT: return pn_data_get_uint(body);
	case PN_INT: return (uint32_t)pn_data_get_int(body);
	case PN_ULONG: return (uint32_t)pn_data_get_ulong(body);
	case PN_LONG: return (uint32_t)pn_data_get_long(body);
	default: return 0;
	}
}

/* False: it is done, or was done before. To create a queue fails so when it's there; to bind one never
 * does, and fails for what is missing. */
static bool explain(pn_message_t *m, const struct qmf_call *call, struct error *why)
{
	pn_data_t *body = pn_message_body(m);
	pn_bytes_t text = {0, NULL};
	uint32_t code;

	if (!is_exception(m))
		return false;
	code = error_code(body);
	if (code == CODE_FAILED && !strcmp(call->type, "queue"))
		return false;
	if (find_in_body(body, "_values", "error_text"))
		text = pn_data_get_bytes(body);
	error_set(why, code == CODE_FAILED ? GOFER_NOTFOUND : GOFER_FAILED,
	          "the broker refuses to make the %s %s: %.*s (error %u)", call->type, call->name,
	          (int)text.size, text.start ? text.start : "", (unsigned)code);
	return true;
}

static bool answers_head(const struct qmf *q, pn_message_t *m)
{
	pn_atom_t id = pn_message_get_correlation_id(m);
	char text[24];

	if (!q->head || !q->sent || id.type != PN_STRING)
		return false;
	print_id(text, q->head);
	return id.u.as_bytes.size == strlen(text) &&
		!memcmp(id.u.as_bytes.start, text, id.u.as_bytes.size);
}

static void on_answer(struct qmf *q, const char *bytes, size_t size)
{
	pn_message_t *m = pn_message();
	bool ours, failed = false;
	struct error why;

	if (!m)
		return;
	ours = !pn_message_decode(m, bytes, size) && answers_head(q, m);
	if (ours)
		failed = explain(m, q->head, &why);
	pn_message_free(m);
	if (ours)
		finish_head(q, failed ? &why : NULL);
}

static void on_in_delivery(struct endpoint *e, pn_delivery_t *delivery)
{
	struct qmf *q = (struct qmf *)((char *)e - offsetof(struct qmf, in));
	ssize_t size = endpoint_arrived(e, delivery);
	struct buf bytes = BUF_INIT;
	char *to;

	if (size < 0)
		return;
	to = buf_reserve(&bytes, (size_t)size + 1);
	if (to)
		endpoint_read(e, to, (size_t)size);
	pn_delivery_update(delivery, PN_ACCEPTED);
	pn_delivery_settle(delivery);
	pn_link_flow(e->link, 1);
	driver_wake(e->client->driver);
	if (to)
		on_answer(q, to, (size_t)size);
	buf_release(&bytes);
}

/* --- links ------------------------------------------------------------------------------------- */

static void on_in_open(struct endpoint *e)
{
	struct qmf *q = (struct qmf *)((char *)e - offsetof(struct qmf, in));
	const char *address = pn_terminus_get_address(pn_link_remote_source(e->link));
	struct error why;

	q->reply_to = address ? strdup(address) : NULL;
	if (!q->reply_to) {
		error_set(&why, GOFER_PROTOCOL, "the broker gives no address to be answered at");
		fail_all(q, &why);
		return;
	}
	pn_link_flow(e->link, 1);
	proceed(q);
}

static void on_in_end(struct endpoint *e, enum condition_kind kind, const struct error *why)
{
	(void)kind;
	fail_all((struct qmf *)((char *)e - offsetof(struct qmf, in)), why);
}

static void on_out_ready(struct endpoint *e)
{
	proceed((struct qmf *)((char *)e - offsetof(struct qmf, out)));
}

static void on_out_end(struct endpoint *e, enum condition_kind kind, const struct error *why)
{
	(void)kind;
	fail_all((struct qmf *)((char *)e - offsetof(struct qmf, out)), why);
}

/* What counts is the answer. */
static void on_out_delivery(struct endpoint *e, pn_delivery_t *delivery)
{
	if (pn_delivery_remote_state(delivery) || pn_delivery_settled(delivery)) {
		pn_delivery_settle(delivery);
		driver_wake(e->client->driver);
	}
}

static const struct endpoint_ops in_ops = {
	.on_open = on_in_open,
	.on_end = on_in_end,
	.on_delivery = on_in_delivery,
};
static const struct endpoint_ops out_ops = {
	.on_open = on_out_ready,
	.on_end = on_out_end,
	.on_flow = on_out_ready,
	.on_delivery = on_out_delivery,
};

/* --- what others call ---------------------------------------------------------------------------- */

struct qmf *qmf_new(struct client *c)
{
	struct qmf *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->client = c;
	q->in.ops = &in_ops;
	q->out.ops = &out_ops;
	q->in.client = q->out.client = c;
	q->tail = &q->head;
	q->timer = loop_timer_new(c->loop, on_timer, q);
	if (!q->timer) {
		free(q);
		return NULL;
	}
	return q;
}

void qmf_lost(struct qmf *q)
{
	endpoint_lost(&q->in);
	endpoint_lost(&q->out);
	free(q->reply_to);
	q->reply_to = NULL;
	while (q->head)
		free(take_head(q));
}

void qmf_free(struct qmf *q)
{
	if (!q)
		return;
	qmf_lost(q);
	loop_timer_free(q->timer);
	free(q);
}

static enum gofer_err enqueue(struct qmf *q, const char *type, bool durable, const char *name,
                              qmf_done *done, void *context)
{
	struct qmf_call *call = malloc(sizeof(*call) + strlen(name) + 1);

	if (!call)
		return GOFER_NOMEM;
	strcpy(call->name, name);
	call->next = NULL;
	call->type = type;
	call->durable = durable;
	call->id = ++q->ids;
	call->done = done;
	call->context = context;
	/* Begun in a turn of its own: it may fail, and the user be called. */
	if (!q->head)
		loop_timer_start(q->timer, 0, 0);
	*q->tail = call;
	q->tail = &call->next;
	return GOFER_OK;
}

enum gofer_err qmf_create_queue(struct qmf *q, const char *name, bool durable, qmf_done *done,
                                void *context)
{
	return enqueue(q, "queue", durable, name, done, context);
}

enum gofer_err qmf_bind(struct qmf *q, struct slice exchange, const char *queue, qmf_done *done,
                        void *context)
{
	struct buf name = BUF_INIT;
	enum gofer_err err = GOFER_NOMEM;

	buf_printf(&name, "%.*s/%s/%s", (int)exchange.size, exchange.data, queue, queue);
	if (buf_ok(&name))
		err = enqueue(q, "binding", false, buf_text(&name), done, context);
	buf_release(&name);
	return err;
}

void qmf_forget(struct qmf *q, void *context)
{
	for (struct qmf_call *call = q->head; call; call = call->next)
		if (call->context == context)
			call->done = NULL;
}
