/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host: runs a method in a process of its own, this program started afresh (CALL_FORK).
 *
 *   host = host_new(NULL);
 *   struct dispatch_host offers = { .fork = host_run, .processes = host };
 *   dispatch_run(catalog, call, &offers);
 *
 * The child is `gofer plugin host NAME` (cmd/plugin_host.h). The two talk in JSON, a line a
 * message, over the child's descriptor 3:
 *
 *   to it    {"op": "load", "plugin": what the loaded plugin is called, "level": of the log,
 *             "config": {section: {key: text}}}
 *            {"op": "call", "id": sn, "class", "method", "args", "kws", "cntr", "data"}
 *   from it  {"op": "loaded"}
 *            {"op": "log", "level", "package", "message"}
 *            {"op": "progress", "id", "total", "completed", "details"}
 *            {"op": "return", "id", "retval"}, or
 *            {"op": "raise", "id", "exval", "xmodule", "xclass", "xargs", "xstate"}
 *
 * Values are exact, as core/json.h has them. Who may call and what with was looked at before;
 * nothing secret of the request is handed on. The child runs one call and ends; it has
 * HOST_LEAVE_S for that once its result is here, then it and its process group are killed, as
 * they are when the call is cancelled. It dies with the thread that runs it, and when its
 * descriptor 3 has come to its end.
 *
 * Thread: host_new() and host_free() one; host_run() any, and it blocks as long as the method
 * takes.
 */
#ifndef GOFER_CORE_HOST_H
#define GOFER_CORE_HOST_H

#include "core/call.h"

#define HOST_LINE_MAX (64 << 20) /* bytes */
#define HOST_LEAVE_S 5
/* Of what a child writes to standard output and error, so many lines are logged, and no longer
 * ones. */
#define HOST_OUTPUT_LINES 1000
#define HOST_OUTPUT_SIZE 2000

struct host;

/* `program` is the path of the executable; NULL: of this one. Takes back that SIGCHLD is ignored,
 * if the process was started so. NULL: out of memory. */
struct host *host_new(const char *program);
void host_free(struct host *host); /* NULL is taken; no call runs any more */

/* Runs what `call` (started, its arguments bound once to see that they can be) asks for of
 * `plugin`, and gives it its outcome; returns what a method returns. */
enum gofer_err host_run(struct host *host, const struct plugin *plugin, struct call *call);

#endif
