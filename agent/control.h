/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: what may be asked of a running agent: management requests (management.h).
 *
 *   c = control_new(&options, &error);
 *   control_renew(c, settings);      // SIGHUP
 *   control_close(c); control_free(c);
 *
 * The requests: show, load, reload, unload, cancel, status, calls, metrics; docs/operations.md says what each takes
 * and gives.
 *
 * Thread: the loop's. Reads a descriptor's file where it is asked to (load, reload), and blocks on that; nothing
 * else here blocks.
 */
#ifndef GOFER_AGENT_CONTROL_H
#define GOFER_AGENT_CONTROL_H

#include "agent/roster.h"
#include "agent/settings.h"

struct control;

/* All are borrowed. */
struct control_options {
	const struct instance_services *services;
	struct roster *roster;
	const struct settings *settings;
};

/* Listens. NULL: `error`. */
struct control *control_new(const struct control_options *options, struct error *error);
/* Takes no more requests; who still waits for an answer gets none. Before roster_join(). NULL is taken. */
void control_close(struct control *c);
/* After roster_join(), and what that has posted, and journal_stop(). NULL is taken. */
void control_free(struct control *c);

/* What is loaded from now on is read by these settings; they are borrowed until the next time. */
void control_renew(struct control *c, const struct settings *settings);

#endif
