/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roster: the plugins that are loaded: each an instance, on a queue of a broker; loading, reloading and
 * unloading them while the agent runs.
 *
 * A plugin's load() and unload() run in a thread of the roster's own, one at a time, and the loop goes on
 * meanwhile. A plugin that can't be loaded leaves all as it was: of a reload, the old one goes on.
 *
 *   r = roster_new(&options, &error);
 *   roster_load_now(r, descriptor, &error);              // before the loop runs
 *   roster_load(r, descriptor, false, done, context, &error);   // while it does; done() later
 *   roster_stop(r); ... roster_is_idle(r) ... roster_cut(r);
 *   roster_join(r); roster_free(r);
 *
 * Thread: the loop's, but for roster_forward().
 */
#ifndef GOFER_AGENT_ROSTER_H
#define GOFER_AGENT_ROSTER_H

#include "agent/instance.h"
#include "agent/uplinks.h"

struct roster;

struct roster_options {
	const struct instance_services *services; /* borrowed */
	struct broker *broker;                    /* in this process; NULL: none. Borrowed */
	const struct url *listen;                 /* where that is */
};

struct roster *roster_new(const struct roster_options *options, struct error *error);
/* Stops, ends and waits for all workers, load() and unload() included; what they have posted is still to be
 * run by the loop. */
void roster_join(struct roster *r);
/* After roster_join(); the journal must call nobody back any more. NULL is taken. */
void roster_free(struct roster *r);

/* Loads a plugin here and now, which blocks. The descriptor is referred to. */
enum gofer_err roster_load_now(struct roster *r, struct descriptor *descriptor,
                               struct error *error);

/* How a change went: `error` NULL, or why nothing was changed. */
struct roster_done {
	void (*done)(void *context, const struct error *error);
	void *context;
};
/* Loads the plugin, or, where one of its name is loaded, puts it in its place: what runs goes on and is answered,
 * what waits is the new one's; `hard`: what runs is asked to stop. The descriptor is referred to. On GOFER_OK
 * `done` is called once, later, unless the roster is joined before. GOFER_EXISTS: one of that name is just being
 * loaded or unloaded. */
enum gofer_err roster_load(struct roster *r, struct descriptor *descriptor, bool hard,
                           const struct roster_done *done, struct error *error);
/* The plugin takes no more requests; those that it has are run to their end, and then it is gone. `hard`: those
 * that wait are answered with Cancelled, those that run asked to stop. May be called again. */
void roster_unload(struct roster *r, struct instance *in, bool hard);

/* Whether one of that name is just being loaded or unloaded. */
bool roster_is_changing(const struct roster *r, const char *name);
/* NULL: there is none of that name. */
struct instance *roster_find(const struct roster *r, const char *name);
/* The next instance, `in` NULL: the first. NULL: there is no more. */
struct instance *roster_next(const struct roster *r, const struct instance *in);
size_t roster_count(const struct roster *r);
/* Another number each time that a plugin was loaded, reloaded or unloaded. */
uint64_t roster_version(const struct roster *r);
struct uplink *roster_uplink(const struct roster *r,
                             const struct instance *in); /* NULL: on no queue */
const struct uplinks *roster_uplinks(const struct roster *r);

/* Where `in` forwards calls of that class to; see instance_services. Any thread. */
struct module *roster_forward(struct roster *r, struct instance *in, const char *classname);

/* Whether each queue was opened, or could not be for now. */
bool roster_was_tried(const struct roster *r);
/* Whether no call and no action is left. */
bool roster_is_idle(const struct roster *r);
bool roster_is_closed(const struct roster *r);
/* Methods, actions and hooks that still run. */
size_t roster_running(const struct roster *r);
/* Removes what is over: plugins that were unloaded, connections of no use. Not from a callback of these. */
void roster_tidy(struct roster *r);
/* Tells the journal of calls that were cancelled. */
void roster_mark(struct roster *r);
/* The same, and once that is written, answers those of them that wait for a thread. */
void roster_sweep(struct roster *r);

/* All take no more requests; what was accepted goes on. */
void roster_stop(struct roster *r);
/* Ends what is left; durable calls that wait stay in the journal. Returns how many calls and actions there were. */
size_t roster_cut(struct roster *r);
/* Closes the connections. */
void roster_close(struct roster *r);

#endif
