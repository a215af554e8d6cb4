/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/instance.h"

#include <stdlib.h>
#include <string.h>

#include "agent/execution.h"
#include "agent/intake.h"
#include "core/log.h"

#define PACKAGE "agent.instance"
#define PAUSE_S 1.0

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Asks for more, a quarter of what may be on its way at least: not message by message. Less is
 * asked for later, when a call is over or what is on its way is here. */
static void top_up(struct instance *in)
{
	size_t backlog = in->descriptor->backlog, window = least(INSTANCE_CREDIT_MAX, backlog);
	size_t taken = in->count + in->credit, room = taken < backlog ? backlog - taken : 0;
	size_t wanted = in->credit < window ? least(window - in->credit, room) : 0;

	if (!in->open || in->paused || in->bytes > INSTANCE_BYTES_MAX)
		return;
	if (wanted == 0 || wanted < window / 4)
		return;
	in->credit += (unsigned)wanted;
	receiver_credit(in->receiver, (unsigned)wanted);
}

static void on_resume(void *context)
{
	struct instance *in = context;

	in->paused = false;
	top_up(in);
}

static void on_open(struct receiver *r, const char *address, void *context)
{
	struct instance *in = context;
	(void)r;
	(void)address;
	log_info(PACKAGE, "plugin %s%s on queue %s at %s", in->descriptor->name,
	         in->tried ? " is back" : "", in->descriptor->queue, in->label);
	in->open = in->tried = true;
	in->refused = false;
	in->why.text[0] = '\0';
	in->credit = 0;
	top_up(in);
	in->services->on_change(in->services->context);
}

static void on_message(struct receiver *r, struct delivery *d, void *context)
{
	struct instance *in = context;

	(void)r;
	if (in->credit)
		in->credit--;
	intake_receive(in, d);
	top_up(in);
}

/* The loss of the connection is the uplink's to tell; what is told here is the queue's own. */
static void on_down(struct receiver *r, const struct error *why, double retry_s, void *context)
{
	struct instance *in = context;

	(void)r;
	if (retry_s >= 0 && !in->refused)
		log_warning(PACKAGE,
		            "plugin %s, queue %s at %s: %s; trying again until it is there",
		            in->descriptor->name, in->descriptor->queue, in->label, why->text);
	in->open = false;
	in->link++;
	in->refused = in->tried = true;
	in->why = *why;
	in->credit = 0;
	in->services->on_change(in->services->context);
}

static const struct receiver_events receiver_events = {on_open, on_message, on_down};

/* --- life ----------------------------------------------------------------------------- */

static void on_idle(void *context)
{
	struct instance *in = context;

	in->services->on_change(in->services->context);
}

/* What is left from before may be more than what is taken now; and every action may wait too. */
static size_t pool_backlog(const struct instance *in, const struct descriptor *d)
{
	size_t backlog = d->backlog + journal_count(in->services->journal);

	for (const struct action *a = d->plugin->actions; a && a->name; a++)
		backlog++;
	return backlog;
}

static enum gofer_err make(struct instance *in)
{
	const struct descriptor *d = in->descriptor;

	in->pool = pool_new(d->name, d->threads, pool_backlog(in, d));
	in->resume = loop_timer_new(in->services->loop, on_resume, in);
	if (in->pool)
		in->actions = actions_new(in->services->loop, in->pool, on_idle, in);
	return in->resume && in->actions ? GOFER_OK : GOFER_NOMEM;
}

struct instance *instance_new(const struct instance_services *services, struct module *module,
                              struct error *error)
{
	struct instance *in = calloc(1, sizeof *in);

	if (in) {
		pthread_mutex_init(&in->lock, NULL);
		in->services = services;
		in->module = module_ref(module);
		in->descriptor = module->descriptor;
		if (make(in) == GOFER_OK)
			return in;
	}
	error_set(error, GOFER_NOMEM, "out of memory");
	instance_free(in);
	return NULL;
}

void instance_start(struct instance *in)
{
	if (actions_start(in->actions, in->module))
		log_error(PACKAGE, "plugin %s: no memory for its actions", in->descriptor->name);
}

void instance_join(struct instance *in)
{
	pool_free(in->pool);
	in->pool = NULL;
}

void instance_free(struct instance *in)
{
	if (!in)
		return;
	instance_join(in);
	for (struct execution *next, *e = in->executions; e; e = next) {
		next = execution_next(e);
		execution_free(e);
	}
	actions_free(in->actions);
	loop_timer_free(in->resume);
	module_unref(in->module);
	buf_release(&in->scratch);
	pthread_mutex_destroy(&in->lock);
	free(in);
}

/* --- its queue ------------------------------------------------------------------------ */

enum gofer_err instance_attach(struct instance *in, struct connection *connection,
                               struct outbox *outbox, const char *label)
{
	const struct receiver_options options = {
		.address = in->descriptor->queue,
		.durable = true,
	};

	in->outbox = outbox_hold(outbox);
	in->label = label;
	in->receiver = receiver_open(connection, &options, &receiver_events, in);
	return in->receiver ? GOFER_OK : GOFER_NOMEM;
}

bool instance_was_tried(const struct instance *in)
{
	return in->tried;
}

void instance_detach(struct instance *in)
{
	ASSERT_LOOP_THREAD(in->services->loop);
	in->open = in->refused = false;
	in->link++;
	in->credit = 0;
	if (in->receiver)
		receiver_close(in->receiver);
	in->receiver = NULL;
	outbox_let_go(in->outbox);
	in->outbox = NULL;
}

/* --- its module ----------------------------------------------------------------------- */

static void cancel_running(struct instance *in)
{
	for (struct execution *e = in->executions; e; e = execution_next(e))
		if (execution_is_running(e))
			execution_cancel(e);
}

void instance_change(struct instance *in, struct module *module, bool hard)
{
	const struct descriptor *d = module->descriptor;
	struct module *before = in->module;

	ASSERT_LOOP_THREAD(in->services->loop);
	if (hard)
		cancel_running(in);
	pthread_mutex_lock(&in->lock);
	in->module = module_ref(module);
	pthread_mutex_unlock(&in->lock);
	in->descriptor = d;
	pool_resize(in->pool, d->threads, pool_backlog(in, d));
	instance_start(in);
	module_unref(before);
	top_up(in);
}

struct module *instance_module(struct instance *in)
{
	struct module *m;

	pthread_mutex_lock(&in->lock);
	m = module_ref(in->module);
	pthread_mutex_unlock(&in->lock);
	return m;
}

struct module *instance_target(struct instance *in, const char *classname)
{
	const struct instance_services *services = in->services;
	struct module *own = instance_module(in), *other;

	if (catalog_has_class(own->catalog, classname) || !services->forward)
		return own;
	other = services->forward(services->context, in, classname);
	if (!other)
		return own;
	module_unref(own);
	return other;
}

/* --- its calls ------------------------------------------------------------------------ */

void instance_stop(struct instance *in)
{
	ASSERT_LOOP_THREAD(in->services->loop);
	in->stopping = true;
	in->open = false;
	loop_timer_stop(in->resume);
	actions_stop(in->actions);
	if (in->receiver)
		receiver_close(in->receiver);
	in->receiver = NULL;
	if (in->pool)
		pool_stop(in->pool, false);
}

void instance_cut(struct instance *in, bool keep)
{
	ASSERT_LOOP_THREAD(in->services->loop);
	for (struct execution *e = in->executions; e; e = execution_next(e))
		execution_cut(e, keep);
	if (in->pool)
		pool_stop(in->pool, true);
}

void instance_mark(struct instance *in)
{
	for (struct execution *e = in->executions; e; e = execution_next(e))
		execution_mark(e);
}

void instance_sweep(struct instance *in)
{
	for (struct execution *next, *e = in->executions; e; e = next) {
		next = execution_next(e);
		execution_sweep(e);
	}
}

size_t instance_busy(const struct instance *in)
{
	return in->count + actions_running(in->actions);
}

size_t instance_running(const struct instance *in)
{
	size_t count = actions_running(in->actions);

	for (struct execution *e = in->executions; e; e = execution_next(e))
		count += execution_is_running(e);
	return count;
}

void instance_add(struct instance *in, struct execution *e, size_t size)
{
	execution_link(e, &in->executions);
	in->count++;
	in->bytes += size;
}

void instance_remove(struct instance *in, struct execution *e, size_t size)
{
	execution_unlink(e);
	in->count--;
	in->bytes -= size;
	top_up(in);
	if (in->count == 0)
		in->services->on_change(in->services->context);
}

void instance_pause(struct instance *in, const char *why)
{
	if (!in->paused)
		log_warning(PACKAGE, "plugin %s: %s; taking no requests for a while",
		            in->descriptor->name, why);
	in->paused = true;
	loop_timer_start(in->resume, PAUSE_S, 0);
}
