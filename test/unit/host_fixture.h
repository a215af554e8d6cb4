/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_fixture: a plugin whose methods run in child processes, which are the test program itself.
 *
 * The plugin "hosted" has the class Hosted, made with (name=None, size=1); see host_fixture.c. Its
 * methods are all CALL_FORK; dispatch_run_forked() runs them here.
 */
#ifndef GOFER_TEST_HOST_FIXTURE_H
#define GOFER_TEST_HOST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/catalog.h"
#include "core/dispatch.h"
#include "core/host.h"

extern const struct plugin host_fixture_plugin;

/* What main() of such a test begins with: true, and `*code` is what to end with, if this is the
 * child. `other` is a plugin that it may be asked for, too, or NULL. */
bool host_fixture_is_child(int argc, char **argv, const struct plugin *other, int *code);

/* A started call to Hosted.`method`; `args` and `cntr` are JSON ("[1, 2]", "null"). */
struct call *host_fixture_call(const char *method, const char *args, const char *cntr,
                               struct plugin_context *context, const struct call_sink *sink,
                               void *sink_context);

/* Whether there is a process of that number that is not about to go. */
bool host_fixture_lives(long pid);

#endif
