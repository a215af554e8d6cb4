/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "agent/execution_private.h"
#include "core/clock.h"

/* --- taking a request ---------------------------------------------------------------- */

static void settle(struct execution *e, enum outcome outcome)
{
	delivery_settle(e->delivery, outcome, NULL);
	e->delivery = NULL;
}

/* Gives it back: as if it had never come. */
static void give_back(struct execution *e)
{
	tracker_forget(e->instance->services->tracker, e->tracked);
	settle(e, OUTCOME_RELEASED);
	execution_leave(e);
}

/* It is safe: it is run, and its caller told so. From now on it can be cancelled. The worker is woken first,
 * it has the longer way. */
static void accept(struct execution *e)
{
	struct instance *in = e->instance;
	struct reply_head head = execution_head(e);
	bool back = in->stopping || e->came_by != in->link; /* at the broker */
	enum gofer_err rc = back ? GOFER_CANCELLED : pool_submit(e->pool, &e->job);

	if (rc) {
		if (rc != GOFER_CANCELLED)
			instance_pause(in, "no thread could be started");
		journal_done(in->services->journal, e->entry);
		give_back(e);
		return;
	}
	buf_clear(&in->scratch);
	if (e->replyto && reply_status(&in->scratch, &head, "accepted") == GOFER_OK)
		execution_send_status(e, &in->scratch);
	settle(e, OUTCOME_ACCEPTED);
	pending_add(in->services->pending, &e->pending, e->call);
}

static void on_stored(struct journal_wait *wait, enum gofer_err result)
{
	struct execution *e = EXECUTION_OF(wait, stored);

	if (result == GOFER_OK) {
		accept(e);
		return;
	}
	instance_pause(e->instance, "the journal could not be written");
	give_back(e);
}

/* A reply address of the message's own serves where the body has none. */
static void choose_replyto(struct execution *e, const struct message *m)
{
	char *own = (char *)(e + 1);

	e->replyto = call_request(e->call)->replyto;
	if (e->replyto || !m->reply_to.size)
		return;
	memcpy(own, m->reply_to.data, m->reply_to.size);
	e->replyto = own;
}

static void init(struct execution *e, struct instance *in, const struct message *m)
{
	pthread_mutex_init(&e->lock, NULL);
	e->instance = in;
	e->outbox = in->outbox;
	e->accepted_ms = clock_wall_ms();
	e->taken_us = clock_monotonic_us();
	e->kind = m->body_kind;
	e->durable = m->durable;
	e->news_end = &e->news;
	e->task.run = execution_on_told;
	e->stored.stored = on_stored;
	e->sent.done = execution_on_sent;
}

static struct execution *execution_new_take(struct instance *in, struct request *request,
                                            const struct message *m)
{
	struct execution *e = calloc(1, sizeof *e + m->reply_to.size + 1);

	if (!e) {
		request_release(request);
		return NULL;
	}
	e->call = call_new_take(request, NULL, &execution_sink, e);
	if (!e->call) {
		free(e);
		return NULL;
	}
	e->sn = call_sn(e->call);
	init(e, in, m);
	e->size = m->body.size;
	e->job = (struct pool_job){.run = execution_run_job, .drop = execution_drop_job};
	choose_replyto(e, m);
	e->is_admin = admin_provides(call_request(e->call)->classname);
	e->pool = e->is_admin ? admin_pool(in->services->admin) : in->pool;
	return e;
}

static void own(struct execution *e, struct tracked *tracked, struct journal_entry *entry)
{
	e->tracked = tracked;
	e->entry = entry;
	tracked_own(tracked, e);
	instance_add(e->instance, e, e->size);
	outbox_hold(e->outbox);
}

static enum gofer_err enter(struct execution *e, const struct message *m)
{
	const struct journal_request request = {
		.plugin = e->instance->descriptor->name,
		.sn = call_sn(e->call),
		.replyto = e->replyto,
		.body_kind = (int)e->kind,
		.durable = e->durable,
		.body = m->body,
	};

	return journal_accept(e->instance->services->journal, &request,
	                      e->durable ? &e->stored : NULL, &e->entry);
}

enum gofer_err execution_begin_take(struct instance *in, struct request *request,
                                    struct tracked *entry, struct delivery *d)
{
	const struct message *m = delivery_message(d);
	struct execution *e = execution_new_take(in, request, m);
	enum gofer_err rc = e ? enter(e, m) : GOFER_NOMEM;

	if (rc) {
		execution_free(e);
		return rc;
	}
	e->delivery = d;
	e->came_by = in->link;
	own(e, entry, e->entry);
	if (!e->durable)
		accept(e);
	return GOFER_OK;
}

bool execution_adopt(struct execution *e, struct delivery *d)
{
	if (!e->delivery || e->came_by == e->instance->link)
		return false;
	settle(e, OUTCOME_RELEASED);
	e->delivery = d;
	e->came_by = e->instance->link;
	return true;
}

/* --- what is left from before -------------------------------------------------------- */

static struct message message_of(const struct journal_request *request)
{
	return (struct message){
		.durable = request->durable,
		.reply_to = {request->replyto, request->replyto ? strlen(request->replyto) : 0},
		.body_kind = (enum message_body)request->body_kind,
		.body = request->body,
	};
}

static void send_accepted(struct execution *e)
{
	struct reply_head head = execution_head(e);
	struct buf body = BUF_INIT;

	if (e->replyto && reply_status(&body, &head, "accepted") == GOFER_OK)
		execution_send_status(e, &body);
	buf_release(&body);
}

enum gofer_err execution_resume_take(struct instance *in, struct request *request,
                                     struct tracked *tracked, struct journal_entry *entry,
                                     const struct journal_record *record)
{
	const struct message m = message_of(&record->request);
	struct execution *e = execution_new_take(in, request, &m);
	bool cancelled = record->state == JOURNAL_CANCELLED;
	enum gofer_err rc;

	if (!e)
		return GOFER_NOMEM;
	rc = cancelled ? GOFER_OK : pool_submit(e->pool, &e->job);
	if (rc) {
		execution_free(e);
		return rc;
	}
	e->accepted_ms = record->accepted_ms;
	own(e, tracked, entry);
	pending_add(in->services->pending, &e->pending, e->call);
	if (cancelled) {
		call_cancel(e->call);
		execution_finish_cancelled(e);
	} else if (record->state == JOURNAL_ACCEPTED) {
		send_accepted(e);
	}
	return GOFER_OK;
}

enum gofer_err execution_resend(struct instance *in, struct tracked *tracked,
                                struct journal_entry *entry, const struct journal_record *record)
{
	const struct message m = message_of(&record->request);
	struct execution *e = calloc(1, sizeof *e + m.reply_to.size + 1);

	if (!e)
		return GOFER_NOMEM;
	memcpy(e + 1, record->request.replyto, m.reply_to.size);
	init(e, in, &m);
	e->replyto = (char *)(e + 1);
	e->sn = tracked_sn(tracked);
	e->accepted_ms = record->accepted_ms;
	buf_append(&e->result, record->result.data, record->result.size);
	if (!buf_ok(&e->result)) {
		execution_free(e);
		return GOFER_NOMEM;
	}
	own(e, tracked, entry);
	execution_send_result(e);
	return GOFER_OK;
}
