/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent: all moving parts of the daemon, from the first connection to the last result.
 *
 * Owns the broker (if it is one), a connection for each distinct broker, an instance for each enabled
 * plugin, the class Admin and the journal. It reads no files, takes no signals and ends no process.
 *
 *   agent = agent_new(loop, settings, &events, context, &error);
 *   loop_run(loop);          // on_ready ... agent_stop() ... on_stopped -> loop_stop()
 *   agent_free(agent);
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AGENT_AGENT_H
#define GOFER_AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/settings.h"
#include "amqp/loop.h"

struct agent;

struct agent_events {
	/* Each plugin's queue was opened, or could not be for now. Once. */
	void (*on_ready)(void *context);
	/* After agent_stop(): nothing is left to do. */
	void (*on_stopped)(void *context);
};

/* Listens where it shall and starts to connect. A plugin that can't be loaded is told in the log and left
 * out. `settings` is borrowed, `events` constant. NULL: `error`. */
struct agent *agent_new(struct loop *loop, const struct settings *settings,
                        const struct agent_events *events, void *context, struct error *error);

/* Takes no more requests, lets those that were accepted end for `grace` seconds, sends their results and
 * closes. Called again, or at the end of that time: what is left is ended now (those that wait are
 * answered with Cancelled, but for durable ones, which the next start runs). on_stopped follows, within some
 * 5 s then, whatever the methods do. */
void agent_stop(struct agent *agent);
/* The configuration was read again, and is taken: plugins whose descriptor has changed are loaded, reloaded or
 * unloaded; what concerns the agent itself counts from now on where it can (grace). Not after agent_stop(). */
void agent_renew_take(struct agent *agent, struct settings *settings);
/* Methods that still run though all is over: nobody can end them but the end of the process. */
size_t agent_abandoned(const struct agent *agent);

/* After on_stopped, with nothing abandoned, or before loop_run(); not from a callback. Waits for the
 * workers. NULL is taken. */
void agent_free(struct agent *agent);

/* How many plugins are loaded. */
size_t agent_instances(const struct agent *agent);
/* The port of the broker that the agent is; 0 if it is none. */
uint16_t agent_port(const struct agent *agent);

#endif
