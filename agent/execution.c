/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "agent/execution_private.h"
#include "core/clock.h"
#include "core/log.h"

/* --- life ---------------------------------------------------------------------------- */

void execution_news_free(struct execution_news *news)
{
	for (struct execution_news *next; news; news = next) {
		next = news->next;
		buf_release(&news->body);
		cJSON_Delete(news->details);
		free(news);
	}
}

void execution_free(struct execution *e)
{
	if (!e)
		return;
	if (e->delivery)
		delivery_settle(e->delivery, OUTCOME_RELEASED, NULL);
	if (e->pending.call)
		pending_remove(e->instance->services->pending, &e->pending);
	call_unref(e->call);
	cJSON_Delete(e->details);
	execution_news_free(e->news);
	buf_release(&e->started_body);
	buf_release(&e->result);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

struct execution *execution_next(struct execution *e)
{
	return e->next;
}

void execution_link(struct execution *e, struct execution **list)
{
	e->next = *list;
	e->link = list;
	if (e->next)
		e->next->link = &e->next;
	*list = e;
}

void execution_unlink(struct execution *e)
{
	*e->link = e->next;
	if (e->next)
		e->next->link = e->link;
}

bool execution_is_running(const struct execution *e)
{
	return e->call && call_state(e->call) == CALL_RUNNING;
}

void execution_look(const struct execution *e, struct execution_sight *sight)
{
	const struct request *request = e->call ? call_request(e->call) : NULL;

	*sight = (struct execution_sight){
		.sn = e->sn,
		.classname = request ? request->classname : NULL,
		.method = request ? request->method : NULL,
		.state = e->call ? call_state(e->call) : CALL_FINISHED,
		.durable = e->durable,
		.cancelled = e->call && call_cancelled(e->call),
		.accepted_ms = e->accepted_ms,
		.total = e->total,
		.completed = e->completed,
		.details = e->details,
	};
}

struct reply_head execution_head(const struct execution *e)
{
	const struct request *request = call_request(e->call);

	return (struct reply_head){request->sn, e->replyto, request->data};
}

/* --- what the worker told ------------------------------------------------------------ */

static struct outbox_reply reply_of(const struct execution *e, const struct buf *body, bool durable)
{
	return (struct outbox_reply){
		.address = e->replyto,
		.kind = e->kind,
		.durable = durable,
		.correlation = {e->sn, strlen(e->sn)},
		.body = {body->data, body->size},
	};
}

void execution_send_status(struct execution *e, const struct buf *body)
{
	struct outbox_reply reply = reply_of(e, body, false);

	if (body->size)
		outbox_send(e->outbox, &reply);
}

void execution_leave(struct execution *e)
{
	struct outbox *outbox = e->outbox;

	instance_remove(e->instance, e, e->size);
	execution_free(e);
	outbox_let_go(outbox);
}

static void end(struct execution *e)
{
	size_t size = e->result.size;

	tracker_finish_take(e->instance->services->tracker, e->tracked, buf_take(&e->result, NULL),
	                    size);
	execution_leave(e);
}

void execution_on_sent(struct outbox_wait *wait, enum outcome outcome)
{
	struct execution *e = EXECUTION_OF(wait, sent);

	if (outcome != OUTCOME_LOST)
		journal_done(e->instance->services->journal, e->entry);
	end(e);
}

void execution_send_result(struct execution *e)
{
	struct outbox_reply reply = reply_of(e, &e->result, e->durable);

	outbox_send_last(e->outbox, &reply, &e->sent);
}

/* A caller that waits for it is better served by one that may come twice than by none. */
static void tell_not_stored(const struct execution *e)
{
	log_warning(EXECUTION_PACKAGE,
	            "request %.100s: its result is not in the journal, sent all the same", e->sn);
}

static void on_result_stored(struct journal_wait *wait, enum gofer_err result)
{
	struct execution *e = EXECUTION_OF(wait, stored);

	if (result)
		tell_not_stored(e);
	execution_send_result(e);
}

static enum metrics_outcome outcome_of(const struct call *call)
{
	const struct exception *x;

	if (call_state(call) == CALL_DISCARDED)
		return METRICS_CANCELLED;
	if (!call_raised(call))
		return METRICS_RETURNED;
	x = call_exception(call);
	return call_cancelled(call) && x->xclass && strcmp(x->xclass, "Cancelled") == 0
		? METRICS_CANCELLED
		: METRICS_RAISED;
}

static void count(struct execution *e)
{
	uint64_t now_us = clock_monotonic_us();
	bool ran = call_state(e->call) != CALL_DISCARDED;

	metrics_count(&e->instance->metrics, outcome_of(e->call),
	              ran ? (double)(now_us - e->taken_us) / 1e6 : -1);
}

/* Once it may have been seen, a result is the only one that there is: so it is stored first, where the
 * request is worth it. Admin's always is: what it has cancelled is stored before it. */
static void on_finished(struct execution *e)
{
	struct journal *journal = e->instance->services->journal;
	struct journal_wait *wait = e->durable || e->is_admin ? &e->stored : NULL;
	enum gofer_err rc;

	e->marked = true;
	if (e->kept) {
		end(e);
		return;
	}
	count(e);
	if (!e->result.size) {
		journal_done(journal, e->entry);
		end(e);
		return;
	}
	e->stored.stored = on_result_stored;
	rc = journal_result(journal, e->entry, (struct slice){e->result.data, e->result.size},
	                    wait);
	if (rc)
		tell_not_stored(e);
	if (rc || !wait)
		execution_send_result(e);
}

static void take_progress(struct execution *e, struct execution_news *news)
{
	execution_send_status(e, &news->body);
	e->total = news->total;
	e->completed = news->completed;
	cJSON_Delete(e->details);
	e->details = news->details;
	news->details = NULL;
}

void execution_on_told(struct loop_task *task)
{
	struct execution *e = EXECUTION_OF(task, task);
	struct buf started_body;
	struct execution_news *news;
	bool started, finished;

	pthread_mutex_lock(&e->lock);
	started = e->started;
	finished = e->finished;
	started_body = e->started_body;
	news = e->news;
	e->told = e->started = false;
	e->started_body = (struct buf)BUF_INIT;
	e->news = NULL;
	e->news_end = &e->news;
	e->news_count = 0;
	pthread_mutex_unlock(&e->lock);

	if (started && !e->marked)
		journal_started(e->instance->services->journal, e->entry);
	execution_send_status(e, &started_body);
	for (struct execution_news *n = news; n; n = n->next)
		take_progress(e, n);
	buf_release(&started_body);
	execution_news_free(news);
	if (finished)
		on_finished(e);
}

/* --- cancelling ---------------------------------------------------------------------- */

/* No worker has it, nor ever will. */
void execution_finish_cancelled(struct execution *e)
{
	execution_print(e);
	on_finished(e);
}

void execution_cancel(struct execution *e)
{
	if (e->call)
		call_cancel(e->call);
}

/* One that is not accepted is the broker's still: the journal must not know anything of it but that. */
void execution_mark(struct execution *e)
{
	if (!e->call || !call_cancelled(e->call) || e->delivery || e->marked || e->kept)
		return;
	if (call_state(e->call) != CALL_FINISHED)
		journal_cancelled(e->instance->services->journal, e->entry);
	e->marked = true;
}

/* Who takes it out of the queue knows that nobody has cancelled it before; nor shall anybody later. */
void execution_cut(struct execution *e, bool keep)
{
	if (!e->call || !call_cancel(e->call) || !keep || !e->durable)
		return;
	e->kept = true;
	if (e->pending.call)
		pending_remove(e->instance->services->pending, &e->pending);
	e->pending.call = NULL;
}

void execution_sweep(struct execution *e)
{
	if (e->call && e->marked && call_state(e->call) == CALL_DISCARDED &&
	    pool_withdraw(e->pool, &e->job))
		execution_finish_cancelled(e);
}
