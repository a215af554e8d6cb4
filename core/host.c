/* SPDX-License-Identifier: Apache-2.0 */
#include "core/host.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child.h"
#include "core/clock.h"
#include "core/lines.h"

#define SELF "/proc/self/exe"
#define PACKAGE_SIZE 48
#define LOOK_MS 1000 /* how often a child that says nothing is looked at */
#define NAP_MAX_MS 64
#define DRAIN_MAX 1024 /* reads of what a child has left behind */

struct host {
	char *program;
};

struct run {
	struct call *call;
	const struct plugin *plugin;
	char package[PACKAGE_SIZE];
	struct child child;
	struct buf out;
	size_t written;
	struct lines in, output;
	unsigned output_lines;
	bool loaded;
	bool closed; /* the channel came to its end */
	bool ended;  /* the call has its outcome: */
	enum gofer_err code;
	bool over; /* the child may go */
	uint64_t leave_by_ms;
	int nap_ms;
};

/* --- life --- */

/* The path that it was run by serves where there is no /proc. */
static char *own_program(void)
{
	const char *path = (const char *)getauxval(AT_EXECFN);
	char *real = NULL;

	if (access(SELF, X_OK) && path)
		real = realpath(path, NULL);
	return real ? real : strdup(SELF);
}

struct host *host_new(const char *program)
{
	struct host *host = calloc(1, sizeof(*host));
	struct sigaction action;

	if (!host)
		return NULL;
	if (!sigaction(SIGCHLD, NULL, &action) && action.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
	host->program = program ? strdup(program) : own_program();
	if (host->program)
		return host;
	free(host);
	return NULL;
}

void host_free(struct host *host)
{
	if (!host)
		return;
	free(host->program);
	free(host);
}

/* --- what it is told --- */

static void put_text(struct buf *out, const char *key, const char *text)
{
	buf_printf(out, ", \"%s\": ", key);
	json_print_string(out, text, strlen(text));
}

static void put_value(struct buf *out, const char *key, const struct cJSON *value,
                      const char *otherwise)
{
	buf_printf(out, ", \"%s\": ", key);
	if (value)
		json_print(out, value);
	else
		buf_puts(out, otherwise);
}

static bool add_option(void *arg, const char *section, const char *key, const char *value)
{
	struct cJSON *sections = arg, *keys = json_get(sections, section);

	if (!keys)
		keys = cJSON_AddObjectToObject(sections, section);
	return keys && cJSON_AddStringToObject(keys, key, value);
}

static void put_load(struct run *run)
{
	struct plugin_context *context = call_context(run->call);
	const struct config *config = context ? plugin_context_config(context) : NULL;
	struct cJSON *sections = cJSON_CreateObject();

	if (config)
		config_each_value(config, add_option, sections);
	buf_puts(&run->out, "{\"op\": \"load\"");
	put_text(&run->out, "plugin", context ? plugin_context_name(context) : run->plugin->name);
	put_text(&run->out, "level", log_level_name(log_loudest()));
	put_value(&run->out, "config", sections, "{}");
	buf_puts(&run->out, "}\n");
	cJSON_Delete(sections);
}

static void put_constructor(struct buf *out, const struct request *request)
{
	struct cJSON no_args = {.type = cJSON_Array}, no_kws = {.type = cJSON_Object};

	if (!request->cntr_args && !request->cntr_kws) {
		buf_puts(out, ", \"cntr\": null");
		return;
	}
	buf_puts(out, ", \"cntr\": [");
	json_print(out, request->cntr_args ? request->cntr_args : &no_args);
	buf_puts(out, ", ");
	json_print(out, request->cntr_kws ? request->cntr_kws : &no_kws);
	buf_puts(out, "]");
}

static void put_call(struct run *run)
{
	const struct request *request = call_request(run->call);

	buf_puts(&run->out, "{\"op\": \"call\"");
	put_text(&run->out, "id", request->sn);
	put_text(&run->out, "class", request->classname);
	put_text(&run->out, "method", request->method);
	put_value(&run->out, "args", request->args, "[]");
	put_value(&run->out, "kws", request->kws, "{}");
	put_constructor(&run->out, request);
	put_value(&run->out, "data", json_get(request->root, "data"), "null");
	buf_puts(&run->out, "}\n");
}

static enum gofer_err compose(struct run *run)
{
	const struct request *request = call_request(run->call);
	size_t load_size;

	put_load(run);
	load_size = run->out.size;
	put_call(run);
	if (!buf_ok(&run->out))
		return GOFER_NOMEM;
	if (run->out.size - load_size <= HOST_LINE_MAX)
		return GOFER_OK;
	return call_raise(run->call, "ValueError",
	                  "%s.%s() runs in a child process, and a request of %zu bytes is too long "
	                  "for that; %d is the most",
	                  request->classname, request->method, run->out.size - load_size,
	                  HOST_LINE_MAX);
}

/* --- its end --- */

static void end(struct run *run, enum gofer_err code)
{
	run->ended = true;
	run->code = code;
	run->leave_by_ms = clock_monotonic_ms() + HOST_LEAVE_S * 1000;
}

static void fail(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Nothing more is expected of it. The first reason stands. */
static void fail(struct run *run, const char *format, ...)
{
	const struct request *request = call_request(run->call);
	struct error why = ERROR_NONE;
	va_list ap;

	run->over = true;
	if (run->ended)
		return;
	va_start(ap, format);
	error_vset(&why, GOFER_FAILED, format, ap);
	va_end(ap);
	end(run,
	    call_raise(run->call, "Exception", "the child of %s.%s %s%s%s", request->classname,
	               request->method, why.text,
	               run->loaded ? "" : ", before it had loaded plugin ",
	               run->loaded ? "" : run->plugin->name));
}

static void fail_by_status(struct run *run, int status)
{
	if (WIFSIGNALED(status))
		fail(run, "died: signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		fail(run, "ended with exit status %d and without a result", WEXITSTATUS(status));
}

/* --- what it says --- */

static void on_loaded(struct run *run, struct cJSON *line)
{
	(void)line;
	run->loaded = true;
}

static void on_progress(struct run *run, struct cJSON *line)
{
	long long total = 0, completed = 0;

	json_integer(json_get(line, "total"), &total);
	json_integer(json_get(line, "completed"), &completed);
	call_progress(run->call, total, completed, json_string(json_get(line, "details")));
}

static void on_return(struct run *run, struct cJSON *line)
{
	struct cJSON *value = cJSON_DetachItemFromObjectCaseSensitive(line, "retval");

	end(run, call_return_take(run->call, value));
}

static char *copy_text(const struct cJSON *line, const char *key, const char *otherwise)
{
	const char *text = json_string(json_get(line, key));

	return strdup(text ? text : otherwise);
}

static void on_raise(struct run *run, struct cJSON *line)
{
	struct exception x = {
		.xmodule = copy_text(line, "xmodule", "builtins"),
		.xclass = copy_text(line, "xclass", "Exception"),
		.exval = copy_text(line, "exval", ""),
	};

	if (cJSON_IsArray(json_get(line, "xargs")))
		x.xargs = cJSON_DetachItemFromObjectCaseSensitive(line, "xargs");
	else
		x.xargs = cJSON_CreateArray();
	if (cJSON_IsObject(json_get(line, "xstate")))
		x.xstate = cJSON_DetachItemFromObjectCaseSensitive(line, "xstate");
	end(run, call_raise_take(run->call, &x));
}

static bool is_package(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return name && strlen(name) < PACKAGE_SIZE && !name[strspn(name, letters)];
}

static void on_log(struct run *run, struct cJSON *line)
{
	const char *package = json_string(json_get(line, "package"));
	const char *name = json_string(json_get(line, "level"));
	const char *message = json_string(json_get(line, "message"));
	enum log_level level = LOG_LEVEL_INFO;

	if (name)
		log_level_parse(name, &level);
	log_write(is_package(package) ? package : run->package, level, "%s",
	          message ? message : "");
}

static const struct {
	const char *op;
	void (*take)(struct run *run, struct cJSON *line);
	bool late; /* may come behind the outcome */
} ops[] = {
	{"loaded", on_loaded, false}, {"progress", on_progress, false},
	{"return", on_return, false}, {"raise", on_raise, false},
	{"log", on_log, true},
};

static void take_op(struct run *run, struct cJSON *line)
{
	const char *op = json_string(json_get(line, "op"));

	for (size_t i = 0; op && i < sizeof(ops) / sizeof(*ops); i++) {
		if (strcmp(ops[i].op, op) != 0)
			continue;
		if (ops[i].late || !run->ended)
			ops[i].take(run, line);
		return;
	}
	fail(run, "said what nobody understands: op %.60s", op ? op : "is missing");
}

static void take_line(struct run *run, const struct slice *text)
{
	struct error error = ERROR_NONE;
	struct cJSON *line = json_parse(text->data, text->size, &error);

	if (line)
		take_op(run, line);
	else if (error.code == GOFER_NOMEM && !run->ended)
		end(run, GOFER_NOMEM);
	else
		fail(run, "said what is no JSON: %s", error.text);
	cJSON_Delete(line);
}

static void on_closed(struct run *run)
{
	run->closed = true;
	if (!run->ended)
		run->leave_by_ms = clock_monotonic_ms() + HOST_LEAVE_S * 1000;
}

/* Whether there may be more. */
static bool read_channel(struct run *run)
{
	enum gofer_err rc = lines_read(&run->in, run->child.channel);
	struct slice line;

	if (rc == GOFER_NOTFOUND || rc == GOFER_IO)
		on_closed(run);
	else if (rc == GOFER_NOMEM && !run->ended)
		end(run, GOFER_NOMEM);
	if (rc)
		return false;
	while (!run->over && lines_next(&run->in, &line))
		take_line(run, &line);
	if (!run->over && lines_left(&run->in) > HOST_LINE_MAX)
		fail(run, "said more than %d bytes in one line", HOST_LINE_MAX);
	return !run->over;
}

static void log_output(struct run *run, struct slice line)
{
	while (run->output_lines < HOST_OUTPUT_LINES) {
		size_t size = line.size < HOST_OUTPUT_SIZE ? line.size : HOST_OUTPUT_SIZE;

		log_info(run->package, "%.*s", (int)size, line.data);
		line.data += size;
		line.size -= size;
		run->output_lines++;
		if (!line.size)
			return;
	}
	if (run->output_lines > HOST_OUTPUT_LINES)
		return;
	log_warning(run->package, "call %.100s: more than %d lines of output, the rest is left out",
	            call_sn(run->call), HOST_OUTPUT_LINES);
	run->output_lines++;
}

static bool read_output(struct run *run)
{
	enum gofer_err rc = lines_read(&run->output, run->child.output);
	struct slice line;

	while (!rc && lines_next(&run->output, &line))
		log_output(run, line);
	if (lines_left(&run->output) >= (rc == GOFER_NOTFOUND ? 1 : HOST_OUTPUT_SIZE))
		log_output(run, lines_take_left(&run->output));
	if (rc && rc != GOFER_TIMEOUT) {
		close(run->child.output);
		run->child.output = -1;
	}
	return !rc;
}

/* --- talking --- */

static bool has_to_write(const struct run *run)
{
	return !run->closed && run->written < run->out.size;
}

static void write_channel(struct run *run)
{
	ssize_t n = send(run->child.channel, run->out.data + run->written,
	                 run->out.size - run->written, MSG_NOSIGNAL);

	if (n > 0)
		run->written += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		run->written = run->out.size; /* it has hung up; what it said is still to be read */
}

static int patience_ms(struct run *run)
{
	if (!run->closed)
		return LOOK_MS;
	if (run->nap_ms < NAP_MAX_MS)
		run->nap_ms = run->nap_ms ? 2 * run->nap_ms : 1;
	return run->nap_ms;
}

static void cut_off(struct run *run)
{
	if (run->ended)
		log_warning(run->package, "call %.100s: its child did not end within %d s, cut off",
		            call_sn(run->call), HOST_LEAVE_S);
	fail(run, "closed its descriptor %d and went on", CHILD_CHANNEL);
}

/* An end of the channel is the end of the child, nearly always: only its status is still to come. That may
 * also be without one: a process that it has started could hold the channel open. */
static void look(struct run *run, bool idle)
{
	if (run->closed && run->ended)
		run->over = true;
	else if ((idle || run->closed) && child_has_ended(&run->child))
		run->over = true;
	else if ((run->closed || run->ended) && clock_monotonic_ms() >= run->leave_by_ms)
		cut_off(run);
}

static void converse(struct run *run)
{
	while (!run->over) {
		struct pollfd fds[] = {
			{.fd = run->closed ? -1 : run->child.channel,
		         .events = has_to_write(run) ? POLLIN | POLLOUT : POLLIN},
			{.fd = run->child.output, .events = POLLIN},
		};
		int n = poll(fds, 2, patience_ms(run));

		if (n > 0 && (fds[0].revents & POLLOUT))
			write_channel(run);
		if (n > 0 && (fds[0].revents & ~POLLOUT))
			read_channel(run);
		if (n > 0 && fds[1].revents)
			read_output(run);
		if (!run->over)
			look(run, n == 0);
	}
}

static void on_cancel(void *context)
{
	child_kill(context);
}

/* What was said and not yet heard; whoever is out of its group may still say something. */
static void drain(struct run *run)
{
	run->over = run->ended;
	for (int i = 0; i < DRAIN_MAX && !run->over && !run->closed && read_channel(run); i++)
		run->over = run->ended;
	for (int i = 0; i < DRAIN_MAX && run->child.output >= 0 && read_output(run); i++)
		;
	if (lines_left(&run->output))
		log_output(run, lines_take_left(&run->output));
}

static void attend(struct run *run)
{
	int status;

	call_on_cancel(run->call, on_cancel, &run->child);
	converse(run);
	call_on_cancel(run->call, NULL, NULL);
	status = child_reap(&run->child);
	drain(run);
	child_close(&run->child);
	if (!run->ended && call_cancelled(run->call))
		end(run, GOFER_CANCELLED);
	else if (!run->ended)
		fail_by_status(run, status);
}

static enum gofer_err spawn_and_attend(struct run *run, const struct host *host)
{
	char gofer[] = "gofer", plugin[] = "plugin", child[] = "host";
	char *const argv[] = {gofer, plugin, child, (char *)run->plugin->name, NULL};
	int err = child_spawn(&run->child, host->program, argv);

	if (err)
		return call_raise_errno(run->call, err, host->program);
	attend(run);
	return run->code;
}

enum gofer_err host_run(struct host *host, const struct plugin *plugin, struct call *call)
{
	struct run run = {.call = call, .plugin = plugin, .in = LINES_INIT, .output = LINES_INIT};
	enum gofer_err rc = call_cancelled(call) ? GOFER_CANCELLED : compose(&run);

	snprintf(run.package, sizeof(run.package), "plugin.%s", plugin->name);
	if (!rc)
		rc = spawn_and_attend(&run, host);
	buf_release(&run.out);
	lines_release(&run.in);
	lines_release(&run.output);
	return rc;
}
