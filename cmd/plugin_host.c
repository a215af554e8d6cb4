/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/plugin_host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/schema.h"
#include "cmd/exit_codes.h"
#include "core/call.h"
#include "core/catalog.h"
#include "core/child.h"
#include "core/dispatch.h"
#include "core/host.h"
#include "core/lines.h"

struct process {
	const struct plugin *plugin;
	struct lines in;
	struct config *config;
	struct catalog *catalog;
	struct plugin_context *context;
	struct call *call;

	pthread_mutex_t lock; /* a line is written by one thread at a time */
};

/* --- its end --- */

/* This one included. */
static void end_group(int signum)
{
	(void)signum;
	kill(0, SIGKILL);
}

static void *wait_for_end(void *arg)
{
	char byte;
	ssize_t n;

	(void)arg;
	do {
		n = read(CHILD_CHANNEL, &byte, 1);
	} while (n > 0 || (n < 0 && errno == EINTR));
	end_group(0);
	return NULL;
}

static bool watch_end(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN + 65536);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, wait_for_end, NULL);
	pthread_attr_destroy(&attr);
	return !rc;
}

/* First of all: from here on it dies with the thread that made it. Had that gone before, the
 * channel is at its end, and that is seen where it is read. */
static bool tie_to_parent(void)
{
	int type = 0;
	socklen_t size = sizeof(type);

	if (getsockopt(CHILD_CHANNEL, SOL_SOCKET, SO_TYPE, &type, &size) || getpgrp() != getpid()) {
		fputs("gofer plugin host: gofer starts this itself, for a method that runs in a "
		      "process of its own\n",
		      stderr);
		return false;
	}
	signal(SIGHUP, end_group);
	prctl(PR_SET_PDEATHSIG, SIGHUP);
	fcntl(CHILD_CHANNEL, F_SETFD, FD_CLOEXEC);
	close_range(CHILD_CHANNEL + 1, UINT_MAX, 0); /* what others have left open */
	setvbuf(stdout, NULL, _IOLBF, 0);
	return true;
}

/* --- saying --- */

static enum gofer_err write_all(const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(CHILD_CHANNEL, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return GOFER_IO;
		data += n;
		size -= (size_t)n;
	}
	return GOFER_OK;
}

/* Ends the line and writes it. */
static enum gofer_err say(struct process *p, struct buf *line)
{
	enum gofer_err rc = GOFER_NOMEM;

	buf_puts(line, "}\n");
	if (buf_ok(line)) {
		pthread_mutex_lock(&p->lock);
		rc = write_all(line->data, line->size);
		pthread_mutex_unlock(&p->lock);
	}
	buf_release(line);
	return rc;
}

static void put_text(struct buf *line, const char *key, const char *text)
{
	buf_printf(line, ", \"%s\": ", key);
	json_print_string(line, text, strlen(text));
}

static void put_value(struct buf *line, const char *key, const struct cJSON *value)
{
	buf_printf(line, ", \"%s\": ", key);
	json_print(line, value);
}

static void begin(struct process *p, struct buf *line, const char *op)
{
	buf_printf(line, "{\"op\": \"%s\"", op);
	put_text(line, "id", call_sn(p->call));
}

static void on_progress(void *context, struct call *call, long long total, long long completed,
                        const struct cJSON *details)
{
	struct buf line = BUF_INIT;

	(void)call;
	begin(context, &line, "progress");
	buf_printf(&line, ", \"total\": %lld, \"completed\": %lld", total, completed);
	put_value(&line, "details", details);
	say(context, &line);
}

static const struct call_sink sink = {.progress = on_progress};

static void on_log(void *context, const char *package, enum log_level level, const char *message)
{
	struct buf line = BUF_INIT;

	buf_puts(&line, "{\"op\": \"log\"");
	put_text(&line, "level", log_level_name(level));
	put_text(&line, "package", package);
	put_text(&line, "message", message);
	say(context, &line);
}

/* What could not be kept for want of memory is told as that. */
static void put_exception(struct buf *line, const struct exception *x)
{
	bool whole = x->xclass && x->xargs;

	put_text(line, "xmodule", whole ? x->xmodule : "builtins");
	put_text(line, "xclass", whole ? x->xclass : "MemoryError");
	put_text(line, "exval", whole ? x->exval : "MemoryError");
	if (whole)
		put_value(line, "xargs", x->xargs);
	if (whole && x->xstate)
		put_value(line, "xstate", x->xstate);
}

static enum gofer_err say_outcome(struct process *p)
{
	const struct request *request = call_request(p->call);
	struct exception too_long = {0};
	struct buf line = BUF_INIT;

	begin(p, &line, call_raised(p->call) ? "raise" : "return");
	if (call_raised(p->call))
		put_exception(&line, call_exception(p->call));
	else
		put_value(&line, "retval", call_retval(p->call));
	if (line.size < HOST_LINE_MAX && buf_ok(&line))
		return say(p, &line);
	if (buf_ok(&line))
		exception_set(&too_long, "builtins", "ValueError",
		              "%s.%s() runs in a child process, and an outcome of %zu bytes is too "
		              "long for that; %d is the most",
		              request->classname, request->method, line.size, HOST_LINE_MAX);
	buf_release(&line);
	begin(p, &line, "raise");
	put_exception(&line, &too_long);
	exception_release(&too_long);
	return say(p, &line);
}

/* --- listening --- */

/* The next message, to be freed; NULL if there is none, or it is none. */
static struct cJSON *hear(struct process *p, const char *op)
{
	struct slice text;
	struct cJSON *line;
	const char *said;

	while (!lines_next(&p->in, &text)) {
		if (lines_read(&p->in, CHILD_CHANNEL))
			return NULL;
	}
	line = json_parse(text.data, text.size, NULL);
	said = json_string(json_get(line, "op"));
	if (said && !strcmp(said, op))
		return line;
	cJSON_Delete(line);
	return NULL;
}

static enum gofer_err take_config(struct process *p, const struct cJSON *sections)
{
	const struct cJSON *section, *key;
	enum gofer_err rc = GOFER_OK;

	p->config = config_new(schema_plugin);
	if (!p->config)
		return GOFER_NOMEM;
	cJSON_ArrayForEach(section, sections)
	{
		cJSON_ArrayForEach(key, section)
		{
			const char *value = json_string(key);

			if (!rc && value)
				rc = config_set(p->config, section->string, key->string, value,
				                "the agent");
		}
	}
	return rc;
}

static enum gofer_err take_load(struct process *p, const struct cJSON *line)
{
	const char *name = json_string(json_get(line, "plugin"));
	const char *level = json_string(json_get(line, "level"));
	enum log_level loudest = LOG_LEVEL_INFO;
	struct error error = ERROR_NONE;
	enum gofer_err rc = take_config(p, json_get(line, "config"));

	if (rc)
		return rc;
	if (level)
		log_level_parse(level, &loudest);
	log_level("", loudest);
	p->catalog = catalog_new(p->plugin, &error);
	p->context = plugin_context_new(name ? name : p->plugin->name, p->config);
	return p->catalog && p->context ? GOFER_OK : GOFER_NOMEM;
}

static enum gofer_err take_call(struct process *p, struct cJSON *line)
{
	const struct cJSON *cntr = json_get(line, "cntr");
	struct request request = {
		.root = line,
		.sn = json_string(json_get(line, "id")),
		.classname = json_string(json_get(line, "class")),
		.method = json_string(json_get(line, "method")),
		.args = json_get(line, "args"),
		.kws = json_get(line, "kws"),
		.cntr_args = cJSON_GetArrayItem(cntr, 0),
		.cntr_kws = cJSON_GetArrayItem(cntr, 1),
		.data = json_text(json_get(line, "data")),
	};

	if (!request.sn || !request.classname || !request.method || !request.data) {
		request_release(&request);
		return GOFER_PROTOCOL;
	}
	p->call = call_new_take(&request, p->context, &sink, p);
	return p->call ? GOFER_OK : GOFER_NOMEM;
}

static enum gofer_err listen_to_parent(struct process *p)
{
	struct cJSON *load = hear(p, "load"), *call = load ? hear(p, "call") : NULL;
	enum gofer_err rc = call ? take_load(p, load) : GOFER_PROTOCOL;

	cJSON_Delete(load);
	if (!rc)
		return take_call(p, call);
	cJSON_Delete(call);
	return rc;
}

/* --- running --- */

static enum gofer_err run_loaded(struct process *p)
{
	struct buf line = BUF_INIT;
	enum gofer_err rc;

	buf_puts(&line, "{\"op\": \"loaded\"");
	rc = say(p, &line);
	if (rc)
		return rc;
	dispatch_run_forked(p->catalog, p->call);
	rc = say_outcome(p);
	if (p->plugin->unload)
		p->plugin->unload(p->context);
	return rc;
}

static enum gofer_err run(struct process *p)
{
	enum gofer_err rc = p->plugin->load ? p->plugin->load(p->context) : GOFER_OK;

	if (!call_start(p->call))
		return GOFER_CANCELLED;
	if (!rc)
		return run_loaded(p);
	call_raise(p->call, "Exception", "plugin %s could not be loaded in a child process: %s",
	           p->plugin->name, error_name(rc));
	call_finish(p->call, rc);
	return say_outcome(p);
}

static void release(struct process *p)
{
	log_close();
	call_unref(p->call);
	plugin_context_free(p->context);
	catalog_free(p->catalog);
	config_free(p->config);
	lines_release(&p->in);
}

int plugin_host(const struct plugin *plugin)
{
	struct process p = {.plugin = plugin, .in = LINES_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};
	enum gofer_err rc;

	if (!tie_to_parent())
		return EXIT_CODE_USAGE;
	log_open_sink(on_log, &p);
	rc = listen_to_parent(&p);
	if (!rc)
		rc = watch_end() ? run(&p) : GOFER_NOMEM;
	release(&p);
	return rc ? exit_code_of(rc) : EXIT_CODE_OK;
}
