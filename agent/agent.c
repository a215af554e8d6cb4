/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/instance.h"
#include "agent/resume.h"
#include "agent/uplink.h"
#include "broker/broker.h"
#include "core/host.h"
#include "core/log.h"

#define PACKAGE "agent"
#define CUT_S 1.0   /* for methods to see that they shall end */
#define CLOSE_S 2.0 /* for the connections, which take a second at most */
#define POLL_S 0.01

enum phase {
	AGENT_STARTING,
	AGENT_RUNNING,
	AGENT_DRAINING, /* no more requests; calls end in their own time */
	AGENT_CUTTING,  /* calls are being ended */
	AGENT_CLOSING,  /* connections */
	AGENT_LEAVING,  /* the broker's connections */
	AGENT_STOPPED,
};

struct member {
	struct member *next;
	struct instance *instance;
	struct uplink *uplink; /* NULL: not attached */
};

struct link {
	struct link *next;
	struct uplink *uplink;
};

struct agent {
	/* immutable */
	struct loop *loop;
	const struct settings *settings;
	const struct agent_events *events;
	void *context;
	struct instance_services services;
	struct journal *journal;
	struct admin *admin;
	struct host *host;
	struct broker *broker; /* NULL: it is none */
	struct loop_timer *timer;

	/* loop only */
	struct member *members;
	struct link *links;
	size_t members_count;
	enum phase phase;
	unsigned polls; /* left, while leaving */
	size_t abandoned;
	bool review_due;
	struct loop_task review;

	/* posted by whoever has something stored; in the loop's list while it is there */
	struct loop_task journal_task;
};

static void advance(struct agent *agent, enum phase phase);

/* --- what the state of the parts means ------------------------------------------------ */

static bool all_tried(const struct agent *agent)
{
	for (const struct member *m = agent->members; m; m = m->next)
		if (m->uplink && !instance_was_tried(m->instance) &&
		    (uplink_is_up(m->uplink) || !uplink_was_tried(m->uplink)))
			return false;
	return true;
}

static bool all_done(const struct agent *agent)
{
	for (const struct member *m = agent->members; m; m = m->next)
		if (instance_count(m->instance))
			return false;
	return true;
}

static bool all_closed(const struct agent *agent)
{
	for (const struct link *l = agent->links; l; l = l->next)
		if (!uplink_is_closed(l->uplink))
			return false;
	return true;
}

static bool has_left(const struct agent *agent)
{
	return !agent->broker || broker_is_closed(agent->broker);
}

/* What ends a phase, and which comes then; by time at the latest. */
static const struct {
	bool (*over)(const struct agent *agent);
	enum phase next;
} phases[] = {
	[AGENT_STARTING] = {all_tried, AGENT_RUNNING},
	[AGENT_DRAINING] = {all_done, AGENT_CLOSING},
	[AGENT_CUTTING] = {all_done, AGENT_CLOSING},
	[AGENT_CLOSING] = {all_closed, AGENT_LEAVING},
	[AGENT_LEAVING] = {has_left, AGENT_STOPPED},
	[AGENT_STOPPED] = {NULL, AGENT_STOPPED},
};

static void on_review(struct loop_task *task)
{
	struct agent *agent = (struct agent *)((char *)task - offsetof(struct agent, review));

	agent->review_due = false;
	while (phases[agent->phase].over && phases[agent->phase].over(agent))
		advance(agent, phases[agent->phase].next);
}

/* Parts tell of changes from deep inside of what they do: looked at when they are done. */
static void on_change(void *context)
{
	struct agent *agent = context;

	if (agent->review_due || !phases[agent->phase].over)
		return;
	agent->review_due = true;
	loop_defer(agent->loop, &agent->review);
}

/* --- the phases ----------------------------------------------------------------------- */

static void tell_ready(struct agent *agent)
{
	log_info(PACKAGE, "gofer %s ready: %zu plugin%s", GOFER_VERSION, agent->members_count,
	         agent->members_count == 1 ? "" : "s");
	agent->events->on_ready(agent->context);
}

static void drain(struct agent *agent)
{
	for (struct member *m = agent->members; m; m = m->next)
		instance_stop(m->instance);
	loop_timer_start(agent->timer, agent->settings->grace_s, 0);
}

static void cut(struct agent *agent)
{
	size_t left = 0;

	for (struct member *m = agent->members; m; m = m->next) {
		left += instance_count(m->instance);
		instance_cut(m->instance);
	}
	pool_stop(admin_pool(agent->admin), true);
	if (left)
		log_warning(PACKAGE, "%zu call%s not over yet, ended now", left,
		            left == 1 ? " is" : "s are");
	loop_timer_start(agent->timer, CUT_S, 0);
}

static void close_links(struct agent *agent)
{
	for (struct member *m = agent->members; m; m = m->next)
		agent->abandoned += instance_running(m->instance);
	for (struct link *l = agent->links; l; l = l->next)
		uplink_close(l->uplink);
	loop_timer_start(agent->timer, CLOSE_S, 0);
}

static void leave(struct agent *agent)
{
	if (agent->broker)
		broker_close(agent->broker);
	agent->polls = (unsigned)(CLOSE_S / POLL_S);
	loop_timer_start(agent->timer, POLL_S, POLL_S);
}

static void stopped(struct agent *agent)
{
	loop_timer_stop(agent->timer);
	agent->events->on_stopped(agent->context);
}

static void advance(struct agent *agent, enum phase phase)
{
	static void (*const enter[])(struct agent *) = {
		[AGENT_RUNNING] = tell_ready,  [AGENT_DRAINING] = drain, [AGENT_CUTTING] = cut,
		[AGENT_CLOSING] = close_links, [AGENT_LEAVING] = leave,  [AGENT_STOPPED] = stopped,
	};

	agent->phase = phase;
	enter[phase](agent);
}

/* A phase has had its time. */
static void on_timer(void *context)
{
	struct agent *agent = context;
	enum phase next =
		agent->phase == AGENT_DRAINING ? AGENT_CUTTING : phases[agent->phase].next;

	advance(agent, next);
	on_change(agent);
}

void agent_stop(struct agent *agent)
{
	ASSERT_LOOP_THREAD(agent->loop);
	if (agent->phase > AGENT_DRAINING)
		return;
	advance(agent, agent->phase == AGENT_DRAINING ? AGENT_CUTTING : AGENT_DRAINING);
	on_change(agent);
}

size_t agent_abandoned(const struct agent *agent)
{
	return agent->abandoned;
}

/* --- set-up --------------------------------------------------------------------------- */

static void on_journal(struct loop_task *task)
{
	struct agent *agent = (struct agent *)((char *)task - offsetof(struct agent, journal_task));

	if (agent->journal)
		journal_run(agent->journal);
}

static void notify_journal(void *context)
{
	struct agent *agent = context;

	loop_post(agent->loop, &agent->journal_task);
}

static enum gofer_err listen_all(struct agent *agent, struct error *error)
{
	const struct listen_settings *s = &agent->settings->listen;
	const struct broker_options options = {
		.users = s->users,
		.allow_anonymous = s->allow_anonymous,
		.cert = s->cert,
		.key = s->key,
		.queue_messages = s->queue_messages,
		.queue_bytes = s->queue_bytes,
		.message_bytes = s->message_bytes,
		.connections = s->connections,
		.idle_timeout_s = s->idle_timeout_s,
	};

	if (!s->count)
		return GOFER_OK;
	agent->broker = broker_new(agent->loop, &options, error);
	if (!agent->broker)
		return error ? error->code : GOFER_FAILED;
	for (size_t i = 0; i < s->count; i++) {
		enum gofer_err rc = broker_listen(agent->broker, &s->urls[i], error);
		if (rc)
			return rc;
	}
	return GOFER_OK;
}

static struct uplink *find_uplink(const struct agent *agent, const struct broker_settings *settings)
{
	for (const struct link *l = agent->links; l; l = l->next)
		if (uplink_matches(l->uplink, settings))
			return l->uplink;
	return NULL;
}

static struct uplink *add_uplink(struct agent *agent, const struct broker_settings *settings,
                                 struct error *error)
{
	const struct uplink_events events = {on_change, agent};
	struct link *l = calloc(1, sizeof *l);

	if (!l) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	l->uplink = settings->own ? uplink_new_own(agent->loop, settings, agent->broker,
	                                           agent->settings->listen.urls, &events, error)
				  : uplink_new(agent->loop, settings, &events, error);
	if (!l->uplink) {
		free(l);
		return NULL;
	}
	l->next = agent->links;
	agent->links = l;
	return l->uplink;
}

static enum gofer_err attach(struct agent *agent, struct member *m, const struct descriptor *d,
                             struct error *error)
{
	if (!d->broker.attached) {
		log_info(PACKAGE, "plugin %s: no url, so on no queue", d->name);
		return GOFER_OK;
	}
	m->uplink = find_uplink(agent, &d->broker);
	if (!m->uplink)
		m->uplink = add_uplink(agent, &d->broker, error);
	if (!m->uplink)
		return GOFER_FAILED;
	if (instance_attach(m->instance, uplink_connection(m->uplink), uplink_outbox(m->uplink),
	                    uplink_label(m->uplink)))
		return error_set(error, GOFER_NOMEM, "out of memory");
	return GOFER_OK;
}

static void member_free(struct member *m)
{
	if (!m)
		return;
	if (m->instance)
		instance_stop(m->instance);
	instance_free(m->instance);
	free(m);
}

static void add_member(struct agent *agent, const struct descriptor *d)
{
	struct error error = {GOFER_NOMEM, "out of memory"};
	struct member *m = calloc(1, sizeof *m), **last = &agent->members;

	if (m)
		m->instance = instance_new(&agent->services, d, &error);
	if (!m || !m->instance || attach(agent, m, d, &error)) {
		log_error(PACKAGE, "%s: %s; going on without plugin %s", d->origin, error.text,
		          d->name);
		member_free(m);
		return;
	}
	while (*last)
		last = &(*last)->next;
	*last = m;
	agent->members_count++;
}

static struct member *find_member(const struct agent *agent, const char *name)
{
	struct member *m = agent->members;

	while (m && strcmp(m->instance->descriptor->name, name) != 0)
		m = m->next;
	return m;
}

/* Whether a plugin of that name is wanted: it may be back at the next start. */
static bool is_wanted(const struct agent *agent, const char *name)
{
	for (const struct descriptor *d = agent->settings->descriptors; d; d = d->next)
		if (d->name && strcmp(d->name, name) == 0 && (d->faulty || d->broker.attached))
			return true;
	return false;
}

static void on_replay(void *context, struct journal_entry *entry,
                      const struct journal_record *record)
{
	struct agent *agent = context;
	const char *sn = record->request.sn, *plugin = record->request.plugin;
	struct member *m = find_member(agent, plugin);

	if (m && m->uplink) {
		resume_entry(m->instance, entry, record);
	} else if (!m && is_wanted(agent, plugin)) {
		log_warning(PACKAGE, "request %.100s left in the journal: plugin %s is not loaded",
		            sn, plugin);
	} else {
		log_warning(PACKAGE, "request %.100s discarded: plugin %s has no url any more", sn,
		            plugin);
		journal_done(agent->journal, entry);
	}
}

static enum gofer_err set_help(struct agent *agent)
{
	struct catalog_entry *entries = calloc(agent->members_count + 1, sizeof *entries);
	size_t count = 0;

	if (!entries)
		return GOFER_NOMEM;
	for (const struct member *m = agent->members; m; m = m->next) {
		entries[count].name = m->instance->descriptor->name;
		entries[count++].catalog = m->instance->catalog;
	}
	enum gofer_err rc = admin_set_help(agent->admin, entries, count);
	free(entries);
	return rc;
}

static enum gofer_err make(struct agent *agent, struct error *error)
{
	const struct journal_options journal = {
		.directory = agent->settings->journal,
		.notify = notify_journal,
		.context = agent,
	};

	agent->journal = journal_new(&journal, error);
	agent->admin = admin_new(error);
	if (!agent->journal || !agent->admin)
		return GOFER_FAILED;
	agent->timer = loop_timer_new(agent->loop, on_timer, agent);
	agent->host = host_new(NULL);
	if (!agent->timer || !agent->host)
		return error_set(error, GOFER_NOMEM, "out of memory");
	agent->services = (struct instance_services){
		.loop = agent->loop,
		.journal = agent->journal,
		.admin = agent->admin,
		.body_max = agent->settings->body_max,
		.offers = {.fork = host_run, .processes = agent->host},
		.on_change = on_change,
		.context = agent,
	};
	return listen_all(agent, error);
}

struct agent *agent_new(struct loop *loop, const struct settings *settings,
                        const struct agent_events *events, void *context, struct error *error)
{
	struct agent *agent = calloc(1, sizeof *agent);

	if (!agent) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	agent->loop = loop;
	agent->settings = settings;
	agent->events = events;
	agent->context = context;
	agent->review.run = on_review;
	agent->journal_task.run = on_journal;
	if (make(agent, error)) {
		agent_free(agent);
		return NULL;
	}
	for (const struct descriptor *d = settings->descriptors; d; d = d->next)
		if (d->enabled)
			add_member(agent, d);
	if (set_help(agent)) {
		error_set(error, GOFER_NOMEM, "out of memory");
		agent_free(agent);
		return NULL;
	}
	journal_replay(agent->journal, on_replay, agent);
	on_change(agent);
	return agent;
}

/* Whatever the workers still have to tell is listened to before those who would send it go. */
static void end_workers(struct agent *agent)
{
	for (struct member *m = agent->members; m; m = m->next) {
		instance_stop(m->instance);
		instance_cut(m->instance);
		instance_join(m->instance);
	}
	admin_join(agent->admin);
	loop_run_once(agent->loop, 0);
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	agent->phase = AGENT_STOPPED;
	end_workers(agent);
	journal_stop(agent->journal);
	for (struct link *next, *l = agent->links; l; l = next) {
		next = l->next;
		uplink_free(l->uplink);
		free(l);
	}
	for (struct member *next, *m = agent->members; m; m = next) {
		next = m->next;
		instance_free(m->instance);
		free(m);
	}
	admin_free(agent->admin);
	host_free(agent->host);
	broker_free(agent->broker);
	journal_free(agent->journal);
	agent->journal = NULL;
	loop_run_once(agent->loop, 0); /* what its thread had told by then */
	loop_timer_free(agent->timer);
	free(agent);
}

size_t agent_instances(const struct agent *agent)
{
	return agent->members_count;
}

uint16_t agent_port(const struct agent *agent)
{
	return agent->broker ? broker_port(agent->broker) : 0;
}
