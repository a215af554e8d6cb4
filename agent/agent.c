/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/control.h"
#include "agent/renewal.h"
#include "agent/resume.h"
#include "agent/roster.h"
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
	AGENT_LEAVING,  /* the broker's connections, and what still runs */
	AGENT_STOPPED,
};

struct agent {
	/* immutable */
	struct loop *loop;
	const struct settings *settings;
	const struct agent_events *events;
	void *context;
	struct instance_services services;
	struct journal *journal;
	struct tracker *tracker;
	struct pending *pending;
	struct admin *admin;
	struct host *host;
	struct broker *broker; /* NULL: it is none */
	struct roster *roster;
	struct control *control;
	struct loop_timer *timer;

	/* loop only */
	struct renewal renewal;
	struct settings *renewed; /* instead of `settings`; NULL: never */
	struct resume_left *left; /* in the journal, of plugins that are not loaded */
	enum phase phase;
	unsigned polls; /* left, while leaving */
	size_t abandoned;
	uint64_t plugins; /* roster_version() of what Admin.help() tells */
	bool review_due;
	struct loop_task review;

	/* posted by whoever has something stored; in the loop's list while it is there */
	struct loop_task journal_task;
};

static void advance(struct agent *agent, enum phase phase);

static const struct settings *current(const struct agent *agent)
{
	return agent->renewed ? agent->renewed : agent->settings;
}

/* --- what the state of the parts means ------------------------------------------------ */

static bool all_tried(const struct agent *agent)
{
	return roster_was_tried(agent->roster);
}

static bool all_done(const struct agent *agent)
{
	return roster_is_idle(agent->roster);
}

static bool all_closed(const struct agent *agent)
{
	return roster_is_closed(agent->roster);
}

/* A plugin may be on its way out, still. */
static bool has_left(const struct agent *agent)
{
	return (!agent->broker || broker_is_closed(agent->broker)) &&
		!roster_running(agent->roster);
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

/* What Admin.help() tells; as it was, where memory is short. */
static void set_help(struct agent *agent)
{
	struct catalog_entry *entries = calloc(roster_count(agent->roster) + 1, sizeof *entries);
	const struct instance *in = NULL;
	size_t count = 0;

	while (entries && (in = roster_next(agent->roster, in)))
		entries[count++] =
			(struct catalog_entry){in->descriptor->name, in->module->catalog};
	if (!entries || admin_set_help(agent->admin, entries, count))
		log_error(PACKAGE, "no memory for what Admin.help() tells");
	agent->plugins = roster_version(agent->roster);
	free(entries);
}

/* A plugin may have been loaded that could not be at the start. */
static void take_up_left(struct agent *agent)
{
	struct instance *in = NULL;

	while (agent->left && (in = roster_next(agent->roster, in)))
		if (roster_uplink(agent->roster, in))
			resume_left(&agent->left, in);
}

static void on_review(struct loop_task *task)
{
	struct agent *agent = (struct agent *)((char *)task - offsetof(struct agent, review));

	agent->review_due = false;
	roster_tidy(agent->roster);
	renewal_review(&agent->renewal);
	if (agent->plugins != roster_version(agent->roster)) {
		set_help(agent);
		take_up_left(agent);
	}
	while (phases[agent->phase].over && phases[agent->phase].over(agent))
		advance(agent, phases[agent->phase].next);
}

/* Parts tell of changes from deep inside of what they do: looked at when they are done. */
static void on_change(void *context)
{
	struct agent *agent = context;

	if (agent->review_due || agent->phase == AGENT_STOPPED)
		return;
	agent->review_due = true;
	loop_defer(agent->loop, &agent->review);
}

/* --- the phases ----------------------------------------------------------------------- */

static void tell_ready(struct agent *agent)
{
	size_t count = roster_count(agent->roster);

	log_info(PACKAGE, "gofer %s ready: %zu plugin%s", GOFER_VERSION, count,
	         count == 1 ? "" : "s");
	agent->events->on_ready(agent->context);
}

static void drain(struct agent *agent)
{
	roster_stop(agent->roster);
	loop_timer_start(agent->timer, current(agent)->grace_s, 0);
}

static void cut(struct agent *agent)
{
	size_t left = roster_cut(agent->roster);

	pool_stop(admin_pool(agent->admin), true);
	if (left)
		log_warning(PACKAGE, "%zu call%s not over yet, ended now", left,
		            left == 1 ? " is" : "s are");
	loop_timer_start(agent->timer, CUT_S, 0);
}

static void close_links(struct agent *agent)
{
	roster_close(agent->roster);
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
	agent->abandoned = roster_running(agent->roster);
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

/* A phase has had its time; what is left when leaving tells nobody when it is over, so it is asked. */
static void on_timer(void *context)
{
	struct agent *agent = context;
	enum phase next =
		agent->phase == AGENT_DRAINING ? AGENT_CUTTING : phases[agent->phase].next;

	if (agent->phase == AGENT_LEAVING && agent->polls > 0)
		agent->polls--;
	else
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

static struct module *forward(void *context, struct instance *in, const char *classname)
{
	struct agent *agent = context;

	return roster_forward(agent->roster, in, classname);
}

static void on_cancel(void *context)
{
	struct agent *agent = context;

	if (agent->phase != AGENT_STOPPED) /* its pools may be gone, and nobody waits in them */
		roster_sweep(agent->roster);
}

static void load_plugins(struct agent *agent)
{
	for (struct descriptor *d = agent->settings->descriptors; d; d = d->next) {
		struct error error = ERROR_NONE;

		if (d->enabled && roster_load_now(agent->roster, d, &error))
			log_error(PACKAGE, "%s: %s; going on without plugin %s", d->origin,
			          error.text, d->name);
	}
}

/* Whether a plugin of that name may be back: it is faulty, or not enabled, or could not be loaded. */
static bool is_wanted(const struct agent *agent, const char *name)
{
	for (const struct descriptor *d = agent->settings->descriptors; d; d = d->next)
		if (d->name && strcmp(d->name, name) == 0 &&
		    (d->faulty || !d->enabled || d->broker.attached))
			return true;
	return false;
}

static void on_replay(void *context, struct journal_entry *entry,
                      const struct journal_record *record)
{
	struct agent *agent = context;
	const char *sn = record->request.sn, *plugin = record->request.plugin;
	struct instance *in = roster_find(agent->roster, plugin);

	if (in && roster_uplink(agent->roster, in)) {
		resume_entry(in, entry, record);
	} else if (!in && is_wanted(agent, plugin)) {
		resume_leave(&agent->left, entry, record);
	} else {
		log_warning(PACKAGE, "request %.100s discarded: plugin %s has no url any more", sn,
		            plugin);
		journal_done(agent->journal, entry);
	}
}

static void on_answered(void *context, const struct fingerprint *print)
{
	struct agent *agent = context;

	tracker_remember(agent->tracker, print);
}

static enum gofer_err make_roster(struct agent *agent, struct error *error)
{
	const struct roster_options options = {
		.services = &agent->services,
		.broker = agent->broker,
		.listen = agent->settings->listen.urls,
	};

	agent->services = (struct instance_services){
		.loop = agent->loop,
		.journal = agent->journal,
		.tracker = agent->tracker,
		.admin = agent->admin,
		.pending = agent->pending,
		.offers = {.fork = host_run, .processes = agent->host},
		.body_max = agent->settings->body_max,
		.forward = forward,
		.on_change = on_change,
		.context = agent,
	};
	agent->roster = roster_new(&options, error);
	agent->renewal.roster = agent->roster;
	return agent->roster ? GOFER_OK : GOFER_FAILED;
}

static enum gofer_err make_control(struct agent *agent, struct error *error)
{
	const struct control_options options = {
		.services = &agent->services,
		.roster = agent->roster,
		.settings = agent->settings,
	};

	agent->control = control_new(&options, error);
	return agent->control ? GOFER_OK : GOFER_FAILED;
}

static enum gofer_err make(struct agent *agent, struct error *error)
{
	const struct journal_options journal = {
		.directory = agent->settings->journal,
		.notify = notify_journal,
		.context = agent,
	};
	enum gofer_err rc;

	agent->timer = loop_timer_new(agent->loop, on_timer, agent);
	agent->pending = pending_new(agent->loop, on_cancel, agent);
	agent->host = host_new(NULL);
	if (!agent->timer || !agent->pending || !agent->host)
		return error_set(error, GOFER_NOMEM, "out of memory");
	agent->journal = journal_new(&journal, error);
	agent->admin = admin_new(agent->pending, error);
	if (!agent->journal || !agent->admin)
		return GOFER_FAILED;
	agent->tracker = tracker_new(&(struct tracker_options){.key = journal_key(agent->journal)});
	if (!agent->tracker)
		return error_set(error, GOFER_NOMEM, "out of memory");
	rc = listen_all(agent, error);
	if (!rc)
		rc = make_roster(agent, error);
	return rc ? rc : make_control(agent, error);
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
	load_plugins(agent);
	set_help(agent);
	journal_replay(agent->journal, on_replay, agent);
	journal_answered(agent->journal, TRACKER_AGE_S, on_answered, agent);
	on_change(agent);
	return agent;
}

void agent_renew_take(struct agent *agent, struct settings *settings)
{
	struct settings *before = agent->renewed;

	ASSERT_LOOP_THREAD(agent->loop);
	renewal_renew(&agent->renewal, current(agent), settings);
	control_renew(agent->control, settings);
	agent->renewed = settings;
	settings_free(before);
}

/* Whatever the workers still have to tell is listened to before those who would send it go. */
static void end_workers(struct agent *agent)
{
	if (agent->roster)
		roster_join(agent->roster);
	admin_join(agent->admin);
	loop_run_once(agent->loop, 0);
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	agent->phase = AGENT_STOPPED;
	control_close(agent->control);
	end_workers(agent);
	journal_stop(agent->journal);
	control_free(agent->control);
	roster_free(agent->roster);
	admin_free(agent->admin);
	host_free(agent->host);
	broker_free(agent->broker);
	journal_free(agent->journal);
	agent->journal = NULL;
	loop_run_once(agent->loop, 0); /* what its thread had told by then */
	pending_free(agent->pending);
	tracker_free(agent->tracker);
	loop_timer_free(agent->timer);
	settings_free(agent->renewed);
	renewal_release(&agent->renewal);
	resume_forget(&agent->left);
	free(agent);
}

size_t agent_instances(const struct agent *agent)
{
	return roster_count(agent->roster);
}

uint16_t agent_port(const struct agent *agent)
{
	return agent->broker ? broker_port(agent->broker) : 0;
}
