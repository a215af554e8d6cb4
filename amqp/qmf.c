/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/qmf.h"

#include <stdlib.h>
#include <string.h>

#include "amqp/endpoint.h"
#include "amqp/map.h"
#include "amqp/qmf_message.h"

/* What fails because it's there already, or because it isn't there: the text alone tells which. */
#define CODE_FAILED 7

struct qmf_call {
	struct qmf_call *next;
	struct qmf_request request;
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

/* --- calls ------------------------------------------------------------------------------- */

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
	struct qmf_request *request = &q->head->request;
	pn_link_t *link = q->out.link;
	struct buf bytes = BUF_INIT;
	struct error why;

	request->reply_to = q->reply_to;
	if (qmf_encode(&bytes, request)) {
		error_set(&why, GOFER_INVALID, "no management request can be made of this name");
		finish_head(q, &why);
	} else if (pn_delivery(link, pn_dtag((const char *)&request->id, sizeof(request->id))) !=
	           pn_link_current(link)) {
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
	static const char key[] = "x-opt-qd.address";
	pn_terminus_t *source;
	pn_data_t *properties;

	if (endpoint_make(&q->in, false, NULL, error))
		return;
	source = pn_link_source(q->in.link);
	pn_terminus_set_dynamic(source, true);
	/* What a router routes by; a broker has no use for it. */
	properties = pn_terminus_properties(source);
	map_begin(properties, NULL);
	pn_data_put_symbol(properties, pn_bytes(sizeof(key) - 1, key));
	pn_data_put_string(properties, pn_bytes(sizeof(QMF_NODE) - 1, QMF_NODE));
	map_end(properties);
	endpoint_open(&q->in);
}

static void open_out(struct qmf *q, struct error *error)
{
	if (endpoint_make(&q->out, true, NULL, error))
		return;
	pn_terminus_set_address(pn_link_target(q->out.link), QMF_NODE);
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
	while (!c->freed && q->head && q->head->request.id <= last) {
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

/* --- answers ----------------------------------------------------------------------------- */

/* False: it is done, or was done before. To create a queue fails so when it's there; to bind one never
 * does, and fails for what is missing. */
static bool is_refused(const struct qmf_request *request, const struct qmf_answer *answer,
                       struct error *why)
{
	bool usual = answer->code == CODE_FAILED;

	if (!answer->failed || (usual && request->type == QMF_QUEUE))
		return false;
	error_set(why, usual ? GOFER_NOTFOUND : GOFER_FAILED,
	          "the broker refuses to %s %s: %s (error %u)",
	          request->type == QMF_QUEUE ? "make the queue" : "make the binding", request->name,
	          answer->text, (unsigned)answer->code);
	return true;
}

static void on_answer(struct qmf *q, const char *bytes, size_t size)
{
	struct qmf_answer answer;
	struct error why;

	if (!qmf_decode(&answer, bytes, size) || !q->sent || answer.id != q->head->request.id)
		return;
	finish_head(q, is_refused(&q->head->request, &answer, &why) ? &why : NULL);
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

/* --- links ------------------------------------------------------------------------------- */

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

/* --- what others call -------------------------------------------------------------------- */

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

static enum gofer_err enqueue(struct qmf *q, enum qmf_type type, bool durable, const char *name,
                              qmf_done *done, void *context)
{
	struct qmf_call *call = calloc(1, sizeof(*call) + strlen(name) + 1);

	if (!call)
		return GOFER_NOMEM;
	strcpy(call->name, name);
	call->request = (struct qmf_request){
		.type = type,
		.name = call->name,
		.durable = durable,
		.id = ++q->ids,
	};
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
	return enqueue(q, QMF_QUEUE, durable, name, done, context);
}

enum gofer_err qmf_bind(struct qmf *q, struct slice exchange, const char *queue, qmf_done *done,
                        void *context)
{
	struct buf name = BUF_INIT;
	enum gofer_err err = GOFER_NOMEM;

	buf_printf(&name, "%.*s/%s/%s", (int)exchange.size, exchange.data, queue, queue);
	if (buf_ok(&name))
		err = enqueue(q, QMF_BINDING, false, buf_text(&name), done, context);
	buf_release(&name);
	return err;
}

void qmf_forget(struct qmf *q, void *context)
{
	for (struct qmf_call *call = q->head; call; call = call->next)
		if (call->context == context)
			call->done = NULL;
}
