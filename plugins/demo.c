/* SPDX-License-Identifier: Apache-2.0 */
/* demo: a plugin to try gofer with, and to begin one's own from. */
#include "core/plugin.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 1000000
#define SECONDS_MAX 86400

static enum gofer_err demo_hello(struct call *call)
{
	return call_return_string(call, "Hello, I am the demo plugin");
}

static enum gofer_err demo_echo(struct call *call)
{
	return call_return_copy(call, call_arg(call, "something"));
}

/* A number of seconds that can be slept. */
static enum gofer_err arg_seconds(struct call *call, const char *name, double *seconds)
{
	enum gofer_err err = call_arg_double(call, name, seconds);

	if (err)
		return err;
	if (*seconds >= 0 && *seconds <= SECONDS_MAX)
		return GOFER_OK;
	return call_raise(call, "ValueError", "%s must be from 0 to %d, not %g", name, SECONDS_MAX,
	                  *seconds);
}

/* A whole number within bounds. */
static enum gofer_err arg_within(struct call *call, const char *name, long long min, long long max,
                                 long long *value)
{
	enum gofer_err err = call_arg_integer(call, name, value);

	if (err)
		return err;
	if (*value >= min && *value <= max)
		return GOFER_OK;
	return call_raise(call, "ValueError", "%s must be from %lld to %lld, not %lld", name, min,
	                  max, *value);
}

static enum gofer_err demo_sleep(struct call *call)
{
	double seconds;
	enum gofer_err err = arg_seconds(call, "seconds", &seconds);

	if (!err)
		err = call_sleep(call, seconds);
	return err ? err : call_return_copy(call, call_arg(call, "seconds"));
}

static enum gofer_err count_to(struct call *call, long long total, double delay)
{
	char details[64];

	for (long long n = 1; n <= total; n++) {
		if (call_sleep(call, delay))
			return call_raise_cancelled(call);
		snprintf(details, sizeof(details), "%lld of %lld", n, total);
		call_progress(call, total, n, details);
	}
	return call_return_copy(call, call_arg(call, "total"));
}

static enum gofer_err demo_count(struct call *call)
{
	long long total;
	double delay;

	if (arg_within(call, "total", 0, COUNT_MAX, &total) || arg_seconds(call, "delay", &delay))
		return GOFER_FAILED;
	return count_to(call, total, delay);
}

static enum gofer_err demo_fail(struct call *call)
{
	const char *message;

	if (call_arg_string(call, "message", &message))
		return GOFER_FAILED;
	return call_raise(call, "Exception", "%s", message);
}

static enum gofer_err forked_pid(struct call *call)
{
	return call_return_take(call, cJSON_CreateNumber(getpid()));
}

/* As one that waits for something which can't be called off. */
static enum gofer_err forked_sleep(struct call *call)
{
	double seconds;

	if (arg_seconds(call, "seconds", &seconds))
		return GOFER_FAILED;
	struct timespec left = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};
	while (nanosleep(&left, &left) && errno == EINTR)
		;
	return call_return_copy(call, call_arg(call, "seconds"));
}

static enum gofer_err forked_say(struct call *call)
{
	const char *words;
	long long times;

	if (call_arg_string(call, "words", &words) ||
	    arg_within(call, "times", 0, COUNT_MAX, &times))
		return GOFER_FAILED;
	for (long long n = 0; n < times; n++)
		puts(words);
	return call_return_copy(call, call_arg(call, "times"));
}

static enum gofer_err forked_die(struct call *call)
{
	static const struct rlimit no_core = {0, 0};
	long long number;

	if (arg_within(call, "signal", 1, SIGRTMAX, &number))
		return GOFER_FAILED;
	setrlimit(RLIMIT_CORE, &no_core);
	signal((int)number, SIG_DFL);
	kill(getpid(), (int)number);
	return call_raise(call, "ValueError", "signal %lld ends no process", number);
}

static enum gofer_err forked_exit(struct call *call)
{
	long long status;

	if (arg_within(call, "status", 0, 255, &status))
		return GOFER_FAILED;
	exit((int)status);
}

static enum gofer_err greeter_greet(struct call *call)
{
	const char *greeting, *name;
	struct buf text = BUF_INIT;

	if (call_cntr_arg_string(call, "name", &name) ||
	    call_cntr_arg_string(call, "greeting", &greeting))
		return GOFER_FAILED;
	buf_printf(&text, "%s, %s", greeting, name);
	enum gofer_err err =
		buf_ok(&text) ? call_return_string(call, buf_text(&text)) : GOFER_NOMEM;
	buf_release(&text);
	return err;
}

static const struct method demo_methods[] = {
	{.name = "hello", .run = demo_hello, .help = "Say hello."},
	{.name = "echo",
         .params = "something",
         .run = demo_echo,
         .help = "Return what was passed, as it was."},
	{.name = "sleep",
         .params = "seconds",
         .run = demo_sleep,
         .help = "Sleep, then return the seconds."},
	{.name = "count",
         .params = "total, delay=0",
         .run = demo_count,
         .help = "Count to total, report each step, pause for delay seconds before it."},
	{.name = "fail",
         .params = "message",
         .run = demo_fail,
         .help = "Raise an Exception with the message."},
	{0},
};

static const struct method forked_methods[] = {
	{.name = "pid",
         .run = forked_pid,
         .model = CALL_FORK,
         .help = "Return the number of the process that it runs in."},
	{.name = "echo",
         .params = "something",
         .run = demo_echo,
         .model = CALL_FORK,
         .help = "Return what was passed, as it was."},
	{.name = "sleep",
         .params = "seconds",
         .run = forked_sleep,
         .model = CALL_FORK,
         .help = "Sleep without an eye for being cancelled, then return the seconds."},
	{.name = "count",
         .params = "total, delay=0",
         .run = demo_count,
         .model = CALL_FORK,
         .help = "Count to total, report each step, pause for delay seconds before it."},
	{.name = "fail",
         .params = "message",
         .run = demo_fail,
         .model = CALL_FORK,
         .help = "Raise an Exception with the message."},
	{.name = "say",
         .params = "words, times=1",
         .run = forked_say,
         .model = CALL_FORK,
         .help = "Write the words to standard output, which goes to the log."},
	{.name = "die",
         .params = "signal=9",
         .run = forked_die,
         .model = CALL_FORK,
         .help = "Send itself the signal."},
	{.name = "exit",
         .params = "status=0",
         .run = forked_exit,
         .model = CALL_FORK,
         .help = "End the process with that status, and no result."},
	{0},
};

static const struct method greeter_methods[] = {
	{.name = "greet", .run = greeter_greet, .help = "Return the greeting and the name."},
	{0},
};

static const struct class demo_classes[] = {
	{.name = "Demo", .help = "What a remote method can do.", .methods = demo_methods},
	{.name = "Forked",
         .help = "What a method in a process of its own can do, and what may become of it.",
         .methods = forked_methods},
	{.name = "Greeter",
         .params = "name, greeting='hello'",
         .help = "Greets the one that it was made for.",
         .methods = greeter_methods},
	{0},
};

static const struct method demo_functions[] = {
	{.name = "echo",
         .params = "something",
         .run = demo_echo,
         .help = "Return what was passed, as it was."},
	{0},
};

const struct plugin demo_plugin = {
	.name = "demo",
	.summary = "Methods to try gofer with: hello, echo, sleep, count, fail",
	.classes = demo_classes,
	.functions = demo_functions,
};
