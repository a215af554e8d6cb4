/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "agent/execution_private.h"
#include "core/dispatch.h"
#include "core/log.h"

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
	struct reply_head head = execution_head(e);
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
static void add_news_locked(struct execution *e, struct execution_news *news)
{
	if (e->news_count == EXECUTION_PROGRESS_MAX) {
		struct execution_news **last = &e->news;

		while ((*last)->next)
			last = &(*last)->next;
		execution_news_free(*last);
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
	struct reply_head head = execution_head(e);
	struct execution_news *news = calloc(1, sizeof *news);

	(void)call;
	if (!news ||
	    (e->replyto && reply_progress(&news->body, &head, total, completed, details))) {
		execution_news_free(news);
		return;
	}
	news->total = total;
	news->completed = completed;
	news->details = json_copy(details);
	pthread_mutex_lock(&e->lock);
	add_news_locked(e, news);
	tell_and_unlock(e);
}

const struct call_sink execution_sink = {.progress = tell_progress};

void execution_print(struct execution *e)
{
	struct reply_head head = execution_head(e);

	if (e->replyto && call_print_result(&e->result, e->call, &head)) {
		buf_release(&e->result);
		log_error(EXECUTION_PACKAGE, "request %.100s: no memory for its result", head.sn);
	}
}

static void wait_latency(struct execution *e)
{
	struct module *m = instance_module(e->instance);
	double latency_s = m->descriptor->latency_s;

	module_unref(m);
	if (latency_s > 0)
		call_sleep(e->call, latency_s);
}

/* The plugin may have been reloaded until now, not from now on. */
static void run_method(struct execution *e)
{
	struct module *m = instance_target(e->instance, call_request(e->call)->classname);

	call_set_context(e->call, m->context);
	tell_started(e);
	dispatch_run(m->catalog, e->call, &e->instance->services->offers);
	module_unref(m);
}

static void run_admin(struct execution *e)
{
	struct admin *admin = e->instance->services->admin;

	call_set_context(e->call, admin_context(admin));
	tell_started(e);
	dispatch_run(admin_catalog(admin), e->call, NULL);
}

void execution_run_job(struct pool_job *job)
{
	struct execution *e = EXECUTION_OF(job, job);

	if (!e->is_admin)
		wait_latency(e);
	if (call_start(e->call))
		(e->is_admin ? run_admin : run_method)(e);
	execution_print(e);
	tell_finished(e);
}

void execution_drop_job(struct pool_job *job)
{
	struct execution *e = EXECUTION_OF(job, job);

	call_cancel(e->call);
	execution_print(e);
	tell_finished(e);
}
