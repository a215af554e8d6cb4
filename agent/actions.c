/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/actions.h"

#include <stddef.h>
#include <stdlib.h>

#include "core/log.h"

#define PACKAGE "agent.actions"
#define RETRY_S 1.0

struct slot {
	struct slot *next;
	struct actions *actions;
	const struct action *action;
	struct loop_timer *timer;
	bool running; /* a worker's, or waits for one: until `over` is run */
	struct pool_job job;
	struct loop_task over;
	enum gofer_err result; /* the worker's, then the loop's */
};

struct actions {
	/* immutable */
	struct loop *loop;
	struct pool *pool;
	void (*on_idle)(void *context);
	void *context;

	/* loop only */
	struct module *module; /* whose the slots are; NULL: none */
	struct module *coming; /* whose they will be when none of them runs */
	struct slot *slots;
	size_t running;
};

static const char *plugin_name(const struct slot *s)
{
	return s->actions->module->descriptor->name;
}

/* --- in the worker -------------------------------------------------------------------- */

static void run_job(struct pool_job *job)
{
	struct slot *s = (struct slot *)((char *)job - offsetof(struct slot, job));

	s->result = s->action->run(s->actions->module->context);
	loop_post(s->actions->loop, &s->over);
}

static void drop_job(struct pool_job *job)
{
	struct slot *s = (struct slot *)((char *)job - offsetof(struct slot, job));

	s->result = GOFER_CANCELLED;
	loop_post(s->actions->loop, &s->over);
}

/* --- in the loop ---------------------------------------------------------------------- */

static void fire(void *context)
{
	struct slot *s = context;
	struct actions *a = s->actions;
	enum gofer_err rc;

	if (s->action->interval_s)
		loop_timer_start(s->timer, s->action->interval_s, 0);
	if (s->running)
		return;
	rc = pool_submit(a->pool, &s->job);
	if (rc == GOFER_CANCELLED)
		return;
	if (rc) {
		loop_timer_start(s->timer, RETRY_S, 0);
		return;
	}
	log_debug(PACKAGE, "plugin %s: action %s begins", plugin_name(s), s->action->name);
	s->running = true;
	a->running++;
}

static void free_slots(struct actions *a)
{
	for (struct slot *next, *s = a->slots; s; s = next) {
		next = s->next;
		loop_timer_free(s->timer);
		free(s);
	}
	a->slots = NULL;
	module_unref(a->module);
	a->module = NULL;
}

static void on_over(struct loop_task *task);

static enum gofer_err add_slot(struct actions *a, const struct action *action)
{
	struct slot *s = calloc(1, sizeof *s);

	if (!s)
		return GOFER_NOMEM;
	s->actions = a;
	s->action = action;
	s->job = (struct pool_job){.run = run_job, .drop = drop_job};
	s->over.run = on_over;
	s->timer = loop_timer_new(a->loop, fire, s);
	if (!s->timer) {
		free(s);
		return GOFER_NOMEM;
	}
	s->next = a->slots;
	a->slots = s;
	loop_timer_start(s->timer, 0, 0);
	return GOFER_OK;
}

/* The coming module's turn. */
static enum gofer_err change(struct actions *a)
{
	const struct action *action = a->coming->descriptor->plugin->actions;
	enum gofer_err rc = GOFER_OK;

	free_slots(a);
	a->module = a->coming;
	a->coming = NULL;
	for (; action && action->name && !rc; action++)
		rc = add_slot(a, action);
	return rc;
}

static void on_over(struct loop_task *task)
{
	struct slot *s = (struct slot *)((char *)task - offsetof(struct slot, over));
	struct actions *a = s->actions;

	s->running = false;
	a->running--;
	if (s->result && s->result != GOFER_CANCELLED)
		log_warning(PACKAGE, "plugin %s: action %s failed: %s", plugin_name(s),
		            s->action->name, error_name(s->result));
	if (a->running)
		return;
	if (a->coming && change(a))
		log_error(PACKAGE, "plugin %s: no memory for its actions",
		          a->module->descriptor->name);
	a->on_idle(a->context);
}

/* --- life ----------------------------------------------------------------------------- */

struct actions *actions_new(struct loop *loop, struct pool *pool, void (*on_idle)(void *context),
                            void *context)
{
	struct actions *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->loop = loop;
	a->pool = pool;
	a->on_idle = on_idle;
	a->context = context;
	return a;
}

void actions_free(struct actions *a)
{
	if (!a)
		return;
	module_unref(a->coming);
	free_slots(a);
	free(a);
}

static void stop_timers(struct actions *a)
{
	for (struct slot *s = a->slots; s; s = s->next)
		loop_timer_stop(s->timer);
}

enum gofer_err actions_start(struct actions *a, struct module *module)
{
	ASSERT_LOOP_THREAD(a->loop);
	stop_timers(a);
	module_unref(a->coming);
	a->coming = module_ref(module);
	return a->running ? GOFER_OK : change(a);
}

void actions_stop(struct actions *a)
{
	ASSERT_LOOP_THREAD(a->loop);
	stop_timers(a);
	module_unref(a->coming);
	a->coming = NULL;
}

size_t actions_running(const struct actions *a)
{
	return a->running;
}
