/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/instance.h"

#include <stdlib.h>
#include <string.h>

#include "agent/execution.h"
#include "agent/intake.h"
#include "core/log.h"

#define PACKAGE "agent.instance"
#define PAUSE_S 1.0
#define TRACKER_MIN 1000

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
	size_t wanted = least(window - in->credit, room);

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
	in->refused = in->tried = true;
	in->credit = 0;
	in->services->on_change(in->services->context);
}

static const struct receiver_events receiver_events = {on_open, on_message, on_down};

static enum gofer_err load(struct instance *in, struct error *error)
{
	const struct plugin *plugin = in->descriptor->plugin;
	enum gofer_err rc = plugin->load ? plugin->load(in->context) : GOFER_OK;

	in->loaded = !rc;
	return rc ? error_set(error, rc, "its load() failed: %s", error_name(rc)) : GOFER_OK;
}

static enum gofer_err make(struct instance *in, struct error *error)
{
	const struct descriptor *d = in->descriptor;
	struct tracker_options tracker = {
		.finished_max = d->backlog > TRACKER_MIN ? d->backlog : TRACKER_MIN,
	};

	in->catalog = catalog_new(d->plugin, error);
	if (!in->catalog)
		return GOFER_INVALID;
	in->context = plugin_context_new(d->name, d->config);
	/* What is left from before may be more than what is taken now. */
	in->pool = pool_new(d->name, d->threads, d->backlog + journal_count(in->services->journal));
	in->tracker = tracker_new(&tracker);
	in->resume = loop_timer_new(in->services->loop, on_resume, in);
	if (!in->context || !in->pool || !in->tracker || !in->resume)
		return error_set(error, GOFER_NOMEM, "out of memory");
	return load(in, error);
}

struct instance *instance_new(const struct instance_services *services,
                              const struct descriptor *descriptor, struct error *error)
{
	struct instance *in = calloc(1, sizeof *in);

	if (!in) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	in->services = services;
	in->descriptor = descriptor;
	if (make(in, error) == GOFER_OK)
		return in;
	instance_free(in);
	return NULL;
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
	if (in->loaded && in->descriptor->plugin->unload)
		in->descriptor->plugin->unload(in->context);
	loop_timer_free(in->resume);
	tracker_free(in->tracker);
	plugin_context_free(in->context);
	catalog_free(in->catalog);
	buf_release(&in->scratch);
	free(in);
}

enum gofer_err instance_attach(struct instance *in, struct connection *connection,
                               struct outbox *outbox, const char *label)
{
	const struct receiver_options options = {
		.address = in->descriptor->queue,
		.durable = true,
	};

	in->outbox = outbox;
	in->label = label;
	in->receiver = receiver_open(connection, &options, &receiver_events, in);
	return in->receiver ? GOFER_OK : GOFER_NOMEM;
}

bool instance_was_tried(const struct instance *in)
{
	return in->tried;
}

void instance_stop(struct instance *in)
{
	ASSERT_LOOP_THREAD(in->services->loop);
	in->stopping = true;
	in->open = false;
	loop_timer_stop(in->resume);
	if (in->receiver)
		receiver_close(in->receiver);
	in->receiver = NULL;
	if (in->pool)
		pool_stop(in->pool, false);
}

void instance_cut(struct instance *in)
{
	ASSERT_LOOP_THREAD(in->services->loop);
	if (in->pool)
		pool_stop(in->pool, true);
	for (struct execution *e = in->executions; e; e = execution_next(e))
		execution_cancel(e);
}

size_t instance_count(const struct instance *in)
{
	return in->count;
}

size_t instance_running(const struct instance *in)
{
	size_t count = 0;

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
