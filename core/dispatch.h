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

/* The host's password service, asked for REQUIRE_USER: whether the password is that user's. */
struct dispatch_host {
	bool (*authenticate)(void *context, const char *user, const char *password,
	                     const char *service);
	void *context;
};

/* Runs `call`, which call_start() has started, against `catalog` and finishes it. `host` may be NULL:
 * then no user can be authenticated. */
void dispatch_run(const struct catalog *catalog, struct call *call,
                  const struct dispatch_host *host);

#endif
