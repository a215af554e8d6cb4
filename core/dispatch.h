/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch: finds the method that a call asks for, checks that its caller may, binds the
 * arguments, runs it. Every way in which this goes wrong ends as the exception that the protocol
 * names for it; a call that went through here always has an outcome.
 *
 * Knows no queue and no network. Thread: a worker. May block as long as the method does.
 */
#ifndef GOFER_CORE_DISPATCH_H
#define GOFER_CORE_DISPATCH_H

#include "core/call.h"
#include "core/catalog.h"

struct host;

/* What the machine has to offer. */
struct dispatch_host {
	/* Its password service, asked for REQUIRE_USER: whether the password is that user's. NULL: no
	 * user can be authenticated. */
	bool (*authenticate)(void *context, const char *user, const char *password,
	                     const char *service);
	void *context;
	/* Runs a method of CALL_FORK, as a method's `run` does; host_run(). NULL: none can be run. */
	enum gofer_err (*fork)(struct host *processes, const struct plugin *plugin,
	                       struct call *call);
	struct host *processes;
};

/* Runs `call`, which call_start() has started, against `catalog` and finishes it. `host` may be NULL:
 * it has nothing to offer. */
void dispatch_run(const struct catalog *catalog, struct call *call,
                  const struct dispatch_host *host);
/* The same in the child that dispatch_run() has had made: its caller was checked there, and
 * whatever the model, it runs here. */
void dispatch_run_forked(const struct catalog *catalog, struct call *call);

#endif
