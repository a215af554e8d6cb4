/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally: a plugin that keeps books of what was run, in a file that survives the agent. It replaces
 * plugins/table.c in the program of the torture tests.
 *
 * The file is named by TALLY_FILE in the environment. Every run of a method appends a line when it
 * begins and, unless it was cancelled or killed, one when it ends:
 *
 *   begin SN RUN
 *   end SN RUN
 *
 * RUN is another one for each run, and is what the method returns: a result says which run it is
 * of.
 */
#include "core/plugin.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plugins/table.h"

#define RUN_SIZE 48
#define LINE_SIZE 400
#define GATE_POLL_S 0.01

/* What a loaded plugin has. */
struct tally {
	int fd;
	uintmax_t since; /* when it was loaded */
	atomic_ulong runs;
};

static enum gofer_err tally_load(struct plugin_context *context)
{
	const char *path = getenv("TALLY_FILE");
	struct tally *t = calloc(1, sizeof *t);
	struct timespec now;

	if (!t)
		return GOFER_NOMEM;
	clock_gettime(CLOCK_MONOTONIC, &now);
	t->since = (uintmax_t)now.tv_sec * 1000000000 + (uintmax_t)now.tv_nsec;
	t->fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (t->fd < 0) {
		free(t);
		return GOFER_IO;
	}
	plugin_context_set_state(context, t);
	return GOFER_OK;
}

static void tally_unload(struct plugin_context *context)
{
	struct tally *t = plugin_context_state(context);

	close(t->fd);
	free(t);
}

/* --- the book ------------------------------------------------------------------------- */

static enum gofer_err put(struct call *call, const char *what, const char *run)
{
	const struct tally *t = plugin_context_state(call_context(call));
	char line[LINE_SIZE];
	int size = snprintf(line, sizeof line, "%s %.255s %s\n", what, call_sn(call), run);

	if (write(t->fd, line, (size_t)size) == size)
		return GOFER_OK;
	return call_raise(call, "OSError", "the tally can't be written");
}

static enum gofer_err begin(struct call *call, char run[RUN_SIZE])
{
	struct tally *t = plugin_context_state(call_context(call));

	snprintf(run, RUN_SIZE, "%ld-%jx-%lu", (long)getpid(), t->since,
	         atomic_fetch_add(&t->runs, 1));
	return put(call, "begin", run);
}

static enum gofer_err end(struct call *call, const char *run)
{
	enum gofer_err err = put(call, "end", run);

	return err ? err : call_return_string(call, run);
}

/* --- methods -------------------------------------------------------------------------- */

static enum gofer_err tally_mark(struct call *call)
{
	char run[RUN_SIZE];
	double seconds;

	if (call_arg_double(call, "seconds", &seconds) || begin(call, run))
		return GOFER_FAILED;
	if (seconds > 0 && call_sleep(call, seconds))
		return call_raise_cancelled(call);
	return end(call, run);
}

static enum gofer_err tally_count(struct call *call)
{
	char run[RUN_SIZE];
	long long total;
	double delay;

	if (call_arg_integer(call, "total", &total) || call_arg_double(call, "delay", &delay) ||
	    begin(call, run))
		return GOFER_FAILED;
	for (long long n = 1; n <= total; n++) {
		if (call_sleep(call, delay))
			return call_raise_cancelled(call);
		call_progress(call, total, n, NULL);
	}
	return end(call, run);
}

static enum gofer_err tally_gate(struct call *call)
{
	const char *path;
	char run[RUN_SIZE];

	if (call_arg_string(call, "path", &path) || begin(call, run))
		return GOFER_FAILED;
	while (access(path, F_OK) != 0)
		if (call_sleep(call, GATE_POLL_S))
			return call_raise_cancelled(call);
	return end(call, run);
}

static const struct method methods[] = {
	{.name = "mark",
         .params = "seconds=0, padding=None",
         .run = tally_mark,
         .help = "Take the seconds; the padding makes a longer request."},
	{.name = "apart",
         .params = "seconds=0, padding=None",
         .run = tally_mark,
         .model = CALL_FORK,
         .help = "Take the seconds, in a process of its own."},
	{.name = "count",
         .params = "total, delay",
         .run = tally_count,
         .help = "Report each step, with a delay before it."},
	{.name = "gate",
         .params = "path",
         .run = tally_gate,
         .help = "Wait until there is something at the path."},
	{0},
};

static const struct class classes[] = {
	{.name = "Tally", .help = "What is run is written down.", .methods = methods},
	{0},
};

static const struct plugin tally_plugin = {
	.name = "tally",
	.summary = "Keeps books of what was run",
	.classes = classes,
	.load = tally_load,
	.unload = tally_unload,
};

/* --- the table ------------------------------------------------------------------------ */

extern const struct plugin demo_plugin;

const struct plugin *const plugin_table[] = {
	&demo_plugin,
	&tally_plugin,
	NULL,
};

const struct plugin *plugin_table_find(const char *name)
{
	for (const struct plugin *const *plugin = plugin_table; *plugin; plugin++)
		if (strcmp((*plugin)->name, name) == 0)
			return *plugin;
	return NULL;
}
