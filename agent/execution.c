/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/execution.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/dispatch.h"
#include "core/log.h"

#define PACKAGE "agent.execution"
#define CONTAINER(pointer, member) \
	((struct execution *)((char *)(pointer)-offsetof(struct execution, member)))

/* One progress report on its way to the loop. */
struct news {
	struct news *next;
	struct buf body;
};

struct execution {
	/* immutable once submitted */
	struct instance *instance;
	struct call *call; /* NULL: its result is all that is left of it */
	const struct catalog *catalog;
	struct pool *pool;
	double latency_s;
	enum message_body kind;
	bool durable;
	size_t size; /* of the request's body */
	const char *sn;
	const char *replyto; /* NULL: nobody wants to know */

	/* loop only */
	struct execution *next, **link;
	struct tracked *tracked;
	struct journal_entry *entry;
	struct journal_wait stored;
	struct delivery *delivery; /* NULL once settled */
	struct outbox_wait sent;

	/* the worker's from the submission until `finished` is told, then the loop's */
	struct pool_job job;
	struct buf result;
	bool kept; /* in the journal, for the next start: it was durable, and its pool has ended */

	struct loop_task task; /* in the loop's list while `told` */
	pthread_mutex_t lock;

	/* guarded by lock */
	bool told, started, finished;
	struct buf started_body;
	struct news *news, **news_end;
	size_t news_count;
};

/* --- life ----------------------------------------------------------------------------- */

static void news_free(struct news *news)
{
	for (struct news *next; news; news = next) {
		next = news->next;
		buf_release(&news->body);
		free(news);
	}
}

void execution_free(struct execution *e)
{
	if (!e)
		return;
	if (e->delivery)
		delivery_settle(e->delivery, OUTCOME_RELEASED, NULL);
	call_unref(e->call);
	news_free(e->news);
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

void execution_cancel(struct execution *e)
{
	if (e->call)
		call_cancel(e->call);
}

bool execution_is_running(const struct execution *e)
{
	return e->call && call_state(e->call) == CALL_RUNNING;
}

static struct reply_head head_of(const struct execution *e)
{
	const struct request *request = call_request(e->call);

	return (struct reply_head){request->sn, e->replyto, request->data};
}

/* --- in the worker -------------------------------------------------------------------- */

/* Has the loop listen, unless it is about to anyway. From the unlocking on, `e` is the loop's if it
 * was told that all is finished. */
static void tell_and_unlock(struct execution *e)
{
	struct loop *loop = e->instance->services->loop;
	bool first = !e->told;

	e->told = true;
	pthread_mutex_unlock(&e->lock);
	if (first)
		loop_post(loop, &e->task);
}

static void tell_started(struct execution *e)
{
	struct reply_head head = head_of(e);
	struct buf body = BUF_INIT;

	if (e->replyto && reply_status(&body, &head, "started"))
		buf_release(&body);
	pthread_mutex_lock(&e->lock);
	e->started = true;
	e->started_body = body;
	tell_and_unlock(e);
}

static void tell_finished(struct execution *e)
{
	pthread_mutex_lock(&e->lock);
	e->finished = true;
	tell_and_unlock(e);
}

/* Takes the body. Beyond the bound the last one waiting is replaced: the newest is what counts. */
static void add_news_locked(struct execution *e, struct news *news)
{
	if (e->news_count == EXECUTION_PROGRESS_MAX) {
		struct news **last = &e->news;

		while ((*last)->next)
			last = &(*last)->next;
		news_free(*last);
		e->news_end = last;
		e->news_count--;
	}
	*e->news_end = news;
	e->news_end = &news->next;
	e->news_count++;
}

static void tell_progress(void *context, struct call *call, long long total, long long completed,
                          const struct cJSON *details)
{
	struct execution *e = context;
	struct reply_head head = head_of(e);
	struct news *news;

	(void)call;
	if (!e->replyto)
		return;
	news = calloc(1, sizeof *news);
	if (!news || reply_progress(&news->body, &head, total, completed, details)) {
		news_free(news);
		return;
	}
	pthread_mutex_lock(&e->lock);
	add_news_locked(e, news);
	tell_and_unlock(e);
}

static const struct call_sink sink = {.progress = tell_progress};

static void print_result(struct execution *e)
{
	struct reply_head head = head_of(e);

	if (e->replyto && call_print_result(&e->result, e->call, &head)) {
		buf_release(&e->result);
		log_error(PACKAGE, "request %.100s: no memory for its result", head.sn);
	}
}

static void run_job(struct pool_job *job)
{
	struct execution *e = CONTAINER(job, job);

	if (e->latency_s > 0)
		call_sleep(e->call, e->latency_s);
	if (call_start(e->call)) {
		tell_started(e);
		dispatch_run(e->catalog, e->call, &e->instance->services->offers);
	}
	print_result(e);
	tell_finished(e);
}

static void drop_job(struct pool_job *job)
{
	struct execution *e = CONTAINER(job, job);

	call_cancel(e->call);
	e->kept = e->durable;
	if (!e->kept)
		print_result(e);
	tell_finished(e);
}

/* --- in the loop: what the worker told ------------------------------------------------ */

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

static void send_status(struct execution *e, const struct buf *body)
{
	struct outbox_reply reply = reply_of(e, body, false);

	if (body->size)
		outbox_send(e->instance->outbox, &reply);
}

static void end(struct execution *e)
{
	struct instance *in = e->instance;
	size_t size = e->result.size;

	tracker_finish_take(in->tracker, e->tracked, buf_take(&e->result, NULL), size);
	instance_remove(in, e, e->size);
	execution_free(e);
}

static void on_sent(struct outbox_wait *wait, enum outcome outcome)
{
	struct execution *e = CONTAINER(wait, sent);

	if (outcome != OUTCOME_LOST)
		journal_done(e->instance->services->journal, e->entry);
	end(e);
}

static void send_result(struct execution *e)
{
	struct outbox_reply reply = reply_of(e, &e->result, e->durable);

	outbox_send_last(e->instance->outbox, &reply, &e->sent);
}

/* A caller that waits for it is better served by one that may come twice than by none. */
static void tell_not_stored(const struct execution *e)
{
	log_warning(PACKAGE, "request %.100s: its result is not in the journal, sent all the same",
	            e->sn);
}

static void on_result_stored(struct journal_wait *wait, enum gofer_err result)
{
	struct execution *e = CONTAINER(wait, stored);

	if (result)
		tell_not_stored(e);
	send_result(e);
}

/* Once it may have been seen, a result is the only one that there is: so it is stored first, where the
 * request is worth it. */
static void on_finished(struct execution *e)
{
	struct journal *journal = e->instance->services->journal;
	struct journal_wait *wait = e->durable ? &e->stored : NULL;
	enum gofer_err rc;

	if (!e->result.size) {
		if (!e->kept)
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
		send_result(e);
}

static void on_told(struct loop_task *task)
{
	struct execution *e = CONTAINER(task, task);
	struct buf started_body;
	struct news *news;
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

	if (started)
		journal_started(e->instance->services->journal, e->entry);
	send_status(e, &started_body);
	for (const struct news *n = news; n; n = n->next)
		send_status(e, &n->body);
	buf_release(&started_body);
	news_free(news);
	if (finished)
		on_finished(e);
}

/* --- in the loop: taking a request ---------------------------------------------------- */

static void settle(struct execution *e, enum outcome outcome)
{
	delivery_settle(e->delivery, outcome, NULL);
	e->delivery = NULL;
}

/* Gives it back: as if it had never come. */
static void give_back(struct execution *e)
{
	struct instance *in = e->instance;

	tracker_forget(in->tracker, e->tracked);
	settle(e, OUTCOME_RELEASED);
	instance_remove(in, e, e->size);
	execution_free(e);
}

/* It is safe: it is run, and its caller told so. The worker is woken first, it has the longer way. */
static void accept(struct execution *e)
{
	struct instance *in = e->instance;
	struct reply_head head = head_of(e);
	enum gofer_err rc = in->stopping ? GOFER_CANCELLED : pool_submit(e->pool, &e->job);

	if (rc) {
		if (rc != GOFER_CANCELLED)
			instance_pause(in, "no thread could be started");
		journal_done(in->services->journal, e->entry);
		give_back(e);
		return;
	}
	buf_clear(&in->scratch);
	if (e->replyto && reply_status(&in->scratch, &head, "accepted") == GOFER_OK)
		send_status(e, &in->scratch);
	settle(e, OUTCOME_ACCEPTED);
}

static void on_stored(struct journal_wait *wait, enum gofer_err result)
{
	struct execution *e = CONTAINER(wait, stored);

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

static void choose_runner(struct execution *e)
{
	struct instance *in = e->instance;

	e->catalog = in->catalog;
	e->pool = in->pool;
	e->latency_s = in->descriptor->latency_s;
}

static void choose_admin(struct execution *e)
{
	struct admin *admin = e->instance->services->admin;

	e->catalog = admin_catalog(admin);
	e->pool = admin_pool(admin);
}

static void init(struct execution *e, struct instance *in, const struct message *m)
{
	pthread_mutex_init(&e->lock, NULL);
	e->instance = in;
	e->kind = m->body_kind;
	e->durable = m->durable;
	e->news_end = &e->news;
	e->task.run = on_told;
	e->stored.stored = on_stored;
	e->sent.done = on_sent;
}

static struct execution *execution_new_take(struct instance *in, struct request *request,
                                            const struct message *m)
{
	bool is_admin = admin_provides(request->classname);
	struct plugin_context *context =
		is_admin ? admin_context(in->services->admin) : in->context;
	struct execution *e = calloc(1, sizeof *e + m->reply_to.size + 1);

	if (!e) {
		request_release(request);
		return NULL;
	}
	e->call = call_new_take(request, context, &sink, e);
	if (!e->call) {
		free(e);
		return NULL;
	}
	e->sn = call_sn(e->call);
	init(e, in, m);
	e->size = m->body.size;
	e->job = (struct pool_job){.run = run_job, .drop = drop_job};
	choose_replyto(e, m);
	(is_admin ? choose_admin : choose_runner)(e);
	return e;
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
	e->tracked = entry;
	e->delivery = d;
	tracked_own(entry, e);
	instance_add(in, e, e->size);
	if (!e->durable)
		accept(e);
	return GOFER_OK;
}

/* --- in the loop: what is left from before -------------------------------------------- */

static struct message message_of(const struct journal_request *request)
{
	return (struct message){
		.durable = request->durable,
		.reply_to = {request->replyto, request->replyto ? strlen(request->replyto) : 0},
		.body_kind = (enum message_body)request->body_kind,
		.body = request->body,
	};
}

static void own(struct execution *e, struct tracked *tracked, struct journal_entry *entry)
{
	e->tracked = tracked;
	e->entry = entry;
	tracked_own(tracked, e);
	instance_add(e->instance, e, e->size);
}

enum gofer_err execution_resume_take(struct instance *in, struct request *request,
                                     struct tracked *tracked, struct journal_entry *entry,
                                     const struct journal_record *record)
{
	const struct message m = message_of(&record->request);
	struct execution *e = execution_new_take(in, request, &m);
	struct buf body = BUF_INIT;
	struct reply_head head;
	enum gofer_err rc;

	if (!e)
		return GOFER_NOMEM;
	rc = pool_submit(e->pool, &e->job);
	if (rc) {
		execution_free(e);
		return rc;
	}
	own(e, tracked, entry);
	head = head_of(e);
	if (e->replyto && record->state == JOURNAL_ACCEPTED &&
	    reply_status(&body, &head, "accepted") == GOFER_OK)
		send_status(e, &body);
	buf_release(&body);
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
	e->replyto = (char *)(e + 1);
	e->sn = tracked_sn(tracked);
	init(e, in, &m);
	buf_append(&e->result, record->result.data, record->result.size);
	if (!buf_ok(&e->result)) {
		execution_free(e);
		return GOFER_NOMEM;
	}
	own(e, tracked, entry);
	send_result(e);
	return GOFER_OK;
}
