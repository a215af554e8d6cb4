/* SPDX-License-Identifier: Apache-2.0 */
#include "host_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/plugin_host.h"
#include "core/child.h"

#define LONG_SIZE ((size_t)HOST_LINE_MAX + 1024)

/* --- what is given back --- */

static enum gofer_err echo(struct call *call)
{
	return call_return_copy(call, call_arg(call, "x"));
}

static enum gofer_err whoami(struct call *call)
{
	struct cJSON *array = cJSON_CreateArray();

	cJSON_AddItemToArray(array, json_copy(call_cntr_arg(call, "name")));
	cJSON_AddItemToArray(array, json_copy(call_cntr_arg(call, "size")));
	return call_return_take(call, array);
}

static enum gofer_err nothing(struct call *call)
{
	(void)call;
	return GOFER_OK;
}

static enum gofer_err value_error(struct call *call)
{
	return call_raise(call, "ValueError", "no \"%s\" here\n", "such");
}

static enum gofer_err os_error(struct call *call)
{
	return call_raise_errno(call, EACCES, "/some/where");
}

static enum gofer_err memory_error(struct call *call)
{
	(void)call;
	return GOFER_NOMEM;
}

static enum gofer_err own_error(struct call *call)
{
	return call_raise_module(call, "my.module", "Mine", "%s", "\xff is no UTF-8");
}

static enum gofer_err cancelled(struct call *call)
{
	return call_raise_cancelled(call);
}

static enum gofer_err progress(struct call *call)
{
	call_progress(call, 3, 1, "one");
	call_progress(call, -1, 9007199254740993, NULL);
	call_progress(call, 3, 3, json_string(call_arg(call, "x")));
	return GOFER_OK;
}

/* [the plugin's name, an option that was set, one that has a default, the state] */
static enum gofer_err options(struct call *call)
{
	struct plugin_context *context = call_context(call);
	const char *color = plugin_context_option(context, "own", "color");
	const char *threads = plugin_context_option(context, "main", "threads");
	struct cJSON *array = cJSON_CreateArray();

	cJSON_AddItemToArray(array, cJSON_CreateString(plugin_context_name(context)));
	cJSON_AddItemToArray(array, color ? cJSON_CreateString(color) : cJSON_CreateNull());
	cJSON_AddItemToArray(array, threads ? cJSON_CreateString(threads) : cJSON_CreateNull());
	cJSON_AddItemToArray(array, cJSON_CreateString(plugin_context_state(context)));
	return call_return_take(call, array);
}

static enum gofer_err log_it(struct call *call)
{
	log_error("hosted.part", "%s", json_string(call_arg(call, "x")));
	log_debug("hosted.part", "too much");
	return GOFER_OK;
}

/* --- what it finds --- */

/* The descriptors that are open, but for the one that looks. */
static void add_descriptors(struct cJSON *array)
{
	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			cJSON_AddItemToArray(array, cJSON_CreateNumber(fd));
}

static int signals_changed(void)
{
	struct sigaction action;
	sigset_t mask;
	int count = 0;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < SIGRTMIN; i++)
		count += sigismember(&mask, i) == 1;
	for (int i = 1; i < SIGRTMIN; i++)
		count += i != SIGHUP && sigaction(i, NULL, &action) == 0 &&
			action.sa_handler == SIG_IGN;
	return count;
}

/* [descriptors, signals blocked or ignored, leads its group, what there is to read] */
static enum gofer_err surroundings(struct call *call)
{
	struct cJSON *array = cJSON_CreateArray(), *descriptors = cJSON_CreateArray();
	char byte;

	add_descriptors(descriptors);
	cJSON_AddItemToArray(array, descriptors);
	cJSON_AddItemToArray(array, cJSON_CreateNumber(signals_changed()));
	cJSON_AddItemToArray(array, cJSON_CreateBool(getpgrp() == getpid()));
	cJSON_AddItemToArray(array, cJSON_CreateNumber((double)read(0, &byte, 1)));
	return call_return_take(call, array);
}

/* --- what becomes of it --- */

static void stay(void) __attribute__((noreturn));
static void stay(void)
{
	for (;;)
		pause();
}

static enum gofer_err die(struct call *call)
{
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	(void)call;
	return GOFER_OK;
}

static enum gofer_err leave(struct call *call)
{
	(void)call;
	_exit(3);
}

static void say_at_channel(const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(CHILD_CHANNEL, text, size);
		if (n < 0)
			return;
		text += n;
		size -= (size_t)n;
	}
}

static enum gofer_err babble(struct call *call)
{
	const char *text = json_string(call_arg(call, "x"));

	say_at_channel(text, strlen(text));
	stay();
}

static char *long_text(void)
{
	char *text = malloc(LONG_SIZE + 1);

	if (text) {
		memset(text, 'x', LONG_SIZE);
		text[LONG_SIZE] = '\0';
	}
	return text;
}

static enum gofer_err babble_long(struct call *call)
{
	char *text = long_text();

	say_at_channel(text, LONG_SIZE);
	free(text);
	(void)call;
	stay();
}

static enum gofer_err return_long(struct call *call)
{
	char *text = long_text();
	enum gofer_err err = call_return_string(call, text);

	free(text);
	return err;
}

/* --- what goes on --- */

static enum gofer_err flood(struct call *call)
{
	long long lines;

	if (call_arg_integer(call, "x", &lines))
		return GOFER_FAILED;
	for (long long i = 0; i < lines; i++)
		printf("line %lld\n", i);
	fputs("without an end", stdout);
	return call_return_string(call, "flooded");
}

static enum gofer_err print_long(struct call *call)
{
	for (int i = 0; i < HOST_OUTPUT_SIZE + 10; i++)
		fputc(i < HOST_OUTPUT_SIZE ? 'a' : 'b', stderr);
	fputc('\n', stderr);
	(void)call;
	return GOFER_OK;
}

/* Two processes that mind no SIGTERM; tells the number of the second. */
static enum gofer_err family(struct call *call)
{
	char shell[] = "sh", option[] = "-c", script[] = "trap '' TERM; while :; do sleep 1; done";
	char *const argv[] = {shell, option, script, NULL};
	char number[24];
	pid_t pid;

	signal(SIGTERM, SIG_IGN);
	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ))
		return GOFER_IO;
	snprintf(number, sizeof(number), "%ld", (long)pid);
	call_progress(call, getpid(), pid, number);
	if (cJSON_IsTrue(call_arg(call, "x")))
		return call_return_string(call, "left behind");
	stay();
}

static enum gofer_err wait_long(struct call *call)
{
	call_progress(call, 0, 0, "waits");
	stay();
}

static enum gofer_err load(struct plugin_context *context)
{
	static char state[] = "loaded";
	const char *fail = plugin_context_option(context, "own", "fail");

	plugin_context_set_state(context, state);
	return fail ? GOFER_IO : GOFER_OK;
}

static void unload(struct plugin_context *context)
{
	const char *hang = plugin_context_option(context, "own", "hang");

	log_info("hosted", "unloads %s", (const char *)plugin_context_state(context));
	while (hang)
		pause();
}

#define FORKED(called, parameters, runs) \
	{ \
		.name = (called), .params = (parameters), .run = (runs), .model = CALL_FORK, \
		.help = "For tests." \
	}

static const struct method methods[] = {
	FORKED("echo", "x", echo),
	FORKED("whoami", NULL, whoami),
	FORKED("nothing", NULL, nothing),
	FORKED("value_error", NULL, value_error),
	FORKED("os_error", NULL, os_error),
	FORKED("memory_error", NULL, memory_error),
	FORKED("own_error", NULL, own_error),
	FORKED("cancelled", NULL, cancelled),
	FORKED("progress", "x", progress),
	FORKED("options", NULL, options),
	FORKED("log", "x", log_it),
	FORKED("surroundings", NULL, surroundings),
	FORKED("die", NULL, die),
	FORKED("leave", NULL, leave),
	FORKED("babble", "x", babble),
	FORKED("babble_long", NULL, babble_long),
	FORKED("return_long", NULL, return_long),
	FORKED("flood", "x", flood),
	FORKED("print_long", NULL, print_long),
	FORKED("family", "x=False", family),
	FORKED("wait", NULL, wait_long),
	{0},
};
static const struct class classes[] = {
	{.name = "Hosted", .params = "name=None, size=1", .help = "For tests.", .methods = methods},
	{0},
};
const struct plugin host_fixture_plugin = {
	.name = "hosted",
	.summary = "for tests",
	.classes = classes,
	.load = load,
	.unload = unload,
};

/* --- around it --- */

bool host_fixture_is_child(int argc, char **argv, const struct plugin *other, int *code)
{
	if (argc != 4 || strcmp(argv[1], "plugin") != 0 || strcmp(argv[2], "host") != 0)
		return false;
	*code = 2;
	if (strcmp(argv[3], host_fixture_plugin.name) == 0)
		*code = plugin_host(&host_fixture_plugin);
	else if (other && strcmp(argv[3], other->name) == 0)
		*code = plugin_host(other);
	return true;
}

struct call *host_fixture_call(const char *method, const char *args, const char *cntr,
                               struct plugin_context *context, const struct call_sink *sink,
                               void *sink_context)
{
	struct request request = {0};
	struct rejection rejection = {0};
	struct buf body = BUF_INIT;

	buf_printf(&body,
	           "{\"version\": \"2.0\", \"sn\": \"sn-1\", \"data\": [1.50,\n2], \"request\": "
	           "{\"classname\": \"Hosted\", \"method\": \"%s\", \"args\": %s, \"cntr\": %s}}",
	           method, args, cntr);
	if (request_decode(&request, buf_text(&body), body.size, &rejection))
		fail_msg("%s: %s", buf_text(&body), rejection.details);
	buf_release(&body);
	struct call *call = call_new_take(&request, context, sink, sink_context);
	assert_true(call_start(call));
	return call;
}

bool host_fixture_lives(long pid)
{
	char path[40], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	fclose(file);
	return state != 'Z' && state != 'X';
}
