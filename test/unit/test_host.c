/* SPDX-License-Identifier: Apache-2.0 */
#include "host_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"

#define THREADS 4
#define CALLS_EACH 50
#define PATIENCE_MS 60000

static struct host *host;
static struct catalog *catalog;

/* --- what was told on the way --- */

struct heard {
	pthread_mutex_t lock;
	struct buf progress, log;
	long total, completed;
	atomic_int count; /* of progress */
};

static struct heard heard = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void hear_progress(void *context, struct call *call, long long total, long long completed,
                          const struct cJSON *details)
{
	(void)context, (void)call;
	pthread_mutex_lock(&heard.lock);
	buf_printf(&heard.progress, "%lld/%lld ", completed, total);
	json_print(&heard.progress, details);
	buf_puts(&heard.progress, "; ");
	heard.total = (long)total;
	heard.completed = (long)completed;
	pthread_mutex_unlock(&heard.lock);
	atomic_fetch_add(&heard.count, 1);
}

static const struct call_sink sink = {hear_progress};

static void hear_log(void *context, const char *package, enum log_level level, const char *message)
{
	(void)context;
	pthread_mutex_lock(&heard.lock);
	buf_printf(&heard.log, "%s %s: %s\n", log_level_name(level), package, message);
	pthread_mutex_unlock(&heard.lock);
}

static int set_up(void **state)
{
	(void)state;
	buf_clear(&heard.progress);
	buf_clear(&heard.log);
	atomic_store(&heard.count, 0);
	log_level("", LOG_LEVEL_INFO);
	log_open_sink(hear_log, NULL);
	host = host_new(NULL);
	catalog = catalog_new(&host_fixture_plugin, NULL);
	return host && catalog ? 0 : -1;
}

/* Nothing is left behind by any test. */
static int tear_down(void **state)
{
	(void)state;
	host_free(host);
	catalog_free(catalog);
	buf_release(&heard.progress);
	buf_release(&heard.log);
	log_close();
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
}

/* --- running --- */

static void run(struct call *call)
{
	const struct dispatch_host offers = {.fork = host_run, .processes = host};

	dispatch_run(catalog, call, &offers);
	assert_int_equal(call_state(call), CALL_FINISHED);
}

static struct call *run_new(const char *method, const char *args)
{
	struct call *call = host_fixture_call(method, args, "null", NULL, &sink, NULL);

	run(call);
	return call;
}

static void assert_returned(const struct call *call, const char *retval)
{
	char *text = json_text(call_retval(call));

	if (call_raised(call))
		fail_msg("%s", call_exception(call)->exval);
	assert_string_equal(text, retval);
	free(text);
}

static void assert_returns(const char *method, const char *args, const char *retval)
{
	struct call *call = run_new(method, args);

	assert_returned(call, retval);
	call_unref(call);
}

static void assert_raises(const char *method, const char *args, const char *exval)
{
	struct call *call = run_new(method, args);

	assert_true(call_raised(call));
	assert_string_equal(call_exception(call)->exval, exval);
	call_unref(call);
}

static char *result_of(const struct call *call)
{
	const struct reply_head head = {"sn-1", "there", call_request(call)->data};
	struct buf out = BUF_INIT;
	struct slice result;

	assert_int_equal(call_print_result(&out, call, &head), GOFER_OK);
	assert_true(json_member_text(out.data, out.size, "result", &result));
	char *text = strndup(result.data, result.size);
	buf_release(&out);
	return text;
}

static void wait_for_progress(void)
{
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;

	while (!atomic_load(&heard.count) && clock_monotonic_ms() < end)
		usleep(1000);
	assert_true(atomic_load(&heard.count) > 0);
}

static void wait_until_gone(long pid)
{
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;

	assert_true(pid > 1);
	while (host_fixture_lives(pid) && clock_monotonic_ms() < end)
		usleep(1000);
	assert_false(host_fixture_lives(pid));
}

/* --- results --- */

static void results_are_those_of_a_direct_call(void **state)
{
	static const char *const cases[][3] = {
		{"echo", "[null]", "null"},
		{"echo", "[\"\\u0000\\ud800 \\u00e9\\n\"]", "[[], {}]"},
		{"echo", "[[9007199254740993, 1.0, 1e400, -0.0, 0.1000000000000000055511]]",
	         "null"},
		{"echo", "[{\"b\": {\"a\": [true, false, {}]}, \"\": 1}]", "null"},
		{"whoami", "[]", "null"},
		{"whoami", "[]", "[[\"me\"], {\"size\": 12345678901234567890}]"},
		{"whoami", "[]", "[[], {}]"},
		{"whoami", "[]", "[[1, 2, 3], {}]"},
		{"nothing", "[]", "null"},
		{"nothing", "[1]", "null"},
		{"nosuch", "[]", "null"},
		{"value_error", "[]", "null"},
		{"os_error", "[]", "null"},
		{"memory_error", "[]", "null"},
		{"own_error", "[]", "null"},
		{"cancelled", "[]", "null"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct call *forked =
			host_fixture_call(cases[i][0], cases[i][1], cases[i][2], NULL, NULL, NULL);
		struct call *direct =
			host_fixture_call(cases[i][0], cases[i][1], cases[i][2], NULL, NULL, NULL);
		run(forked);
		dispatch_run_forked(catalog, direct);
		char *a = result_of(forked), *b = result_of(direct);
		assert_string_equal(a, b);
		free(a);
		free(b);
		call_unref(forked);
		call_unref(direct);
	}
}

static void progress_comes_as_it_is_told(void **state)
{
	(void)state;
	assert_returns("progress", "[\"three\\u0000\"]", "null");
	assert_string_equal(buf_text(&heard.progress),
	                    "1/3 \"one\"; 9007199254740993/-1 null; 3/3 \"three\\u0000\"; ");
}

static void the_plugin_is_loaded_with_its_options(void **state)
{
	static const struct config_property schema[] = {{.section = NULL}};
	struct config *config = config_new(schema);
	struct plugin_context *context = plugin_context_new("other name", config);

	(void)state;
	config_set(config, "own", "color",
	           "r\xc3\xa9"
	           "d \"x\"",
	           "test");
	config_set(config, "main", "name", "other", "test");
	struct call *call = host_fixture_call("options", "[]", "null", context, NULL, NULL);
	run(call);
	assert_returned(call, "[\"other name\", \"r\\u00e9d \\\"x\\\"\", \"1\", \"loaded\"]");
	call_unref(call);
	assert_string_equal(buf_text(&heard.log), "info hosted: unloads loaded\n");

	config_set(config, "own", "fail", "1", "test");
	call = host_fixture_call("options", "[]", "null", context, NULL, NULL);
	run(call);
	assert_string_equal(call_exception(call)->exval,
	                    "Exception: plugin hosted could not be loaded in a child process: "
	                    "input/output");
	call_unref(call);
	plugin_context_free(context);
	config_free(config);
}

static void an_unload_that_hangs_is_cut_off(void **state)
{
	static const struct config_property schema[] = {{.section = NULL}};
	struct config *config = config_new(schema);
	struct plugin_context *context = plugin_context_new("hosted", config);

	(void)state;
	config_set(config, "own", "hang", "1", "test");
	struct call *call = host_fixture_call("echo", "[5]", "null", context, NULL, NULL);
	run(call);
	assert_returned(call, "5");
	call_unref(call);
	assert_non_null(strstr(buf_text(&heard.log),
	                       "warning plugin.hosted: call sn-1: its child "
	                       "did not end within 5 s, cut off\n"));
	plugin_context_free(context);
	config_free(config);
}

/* --- the log --- */

static void what_is_logged_comes_with_level_and_package(void **state)
{
	(void)state;
	assert_returns("log", "[\"two\\nlines\"]", "null");
	assert_string_equal(buf_text(&heard.log),
	                    "error hosted.part: two\nlines\n"
	                    "info hosted: unloads loaded\n");
}

static void output_goes_to_the_log(void **state)
{
	(void)state;
	assert_returns("flood", "[2]", "\"flooded\"");
	assert_non_null(strstr(buf_text(&heard.log),
	                       "info plugin.hosted: line 0\n"
	                       "info plugin.hosted: line 1\n"));
	assert_non_null(strstr(buf_text(&heard.log), "info plugin.hosted: without an end\n"));
	assert_returns("print_long", "[]", "null");
	assert_non_null(strstr(buf_text(&heard.log), "a\ninfo plugin.hosted: bbbbbbbbbb\n"));
}

static void a_flood_of_output_is_cut_off(void **state)
{
	size_t lines = 0;

	(void)state;
	assert_returns("flood", "[300000]", "\"flooded\"");
	for (const char *at = buf_text(&heard.log); (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, HOST_OUTPUT_LINES + 2);
	assert_non_null(strstr(buf_text(&heard.log), "line 999\n"));
	assert_null(strstr(buf_text(&heard.log), "line 1000\n"));
	assert_non_null(strstr(buf_text(&heard.log),
	                       "warning plugin.hosted: call sn-1: more than "
	                       "1000 lines of output, the rest is left out\n"));
}

/* --- where it runs --- */

static void a_child_has_nothing_of_its_parents(void **state)
{
	sigset_t all, before;
	int leak = fcntl(0, F_DUPFD, 10);

	(void)state;
	assert_true(leak >= 10);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	signal(SIGTERM, SIG_IGN);
	assert_returns("surroundings", "[]", "[[0, 1, 2, 3], 0, true, 0]");
	signal(SIGTERM, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(leak);
}

/* --- deaths --- */

static void a_death_is_told(void **state)
{
	(void)state;
	assert_raises("die", "[]",
	              "Exception: the child of Hosted.die died: signal 11 (Segmentation fault)");
	assert_raises("leave", "[]",
	              "Exception: the child of Hosted.leave ended with exit status 3 and without a "
	              "result");
}

/* As it is if whoever started the agent ignored it. */
static void a_death_is_told_though_sigchld_was_ignored(void **state)
{
	(void)state;
	host_free(host);
	signal(SIGCHLD, SIG_IGN);
	host = host_new(NULL);
	assert_raises("leave", "[]",
	              "Exception: the child of Hosted.leave ended with exit status 3 and without a "
	              "result");
}

static void a_program_that_is_another_is_told(void **state)
{
	(void)state;
	host_free(host);
	host = host_new("/bin/false");
	assert_raises("nothing", "[]",
	              "Exception: the child of Hosted.nothing ended with exit status 1 and without "
	              "a result, before it had loaded plugin hosted");
	host_free(host);
	host = host_new("/no/such/program");
	assert_raises("nothing", "[]", "OSError: 2, No such file or directory, /no/such/program");
}

/* It is killed, in the end. */
static void one_that_hangs_up_is_told(void **state)
{
	static const char script[] = "#!/bin/sh\nexec 3>&-\nwhile :; do sleep 1; done\n";
	char path[] = "/tmp/test_host.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, script, strlen(script)), strlen(script));
	fchmod(fd, 0700);
	close(fd);
	host_free(host);
	host = host_new(path);
	assert_raises("nothing", "[]",
	              "Exception: the child of Hosted.nothing closed its descriptor 3 and went on, "
	              "before it had loaded plugin hosted");
	unlink(path);
}

static void nonsense_is_told(void **state)
{
	(void)state;
	assert_raises("babble", "[\"{}\\n\"]",
	              "Exception: the child of Hosted.babble said what nobody understands: op is "
	              "missing");
	assert_raises(
		"babble", "[\"{\\\"op\\\": \\\"dance\\\"}\\n\"]",
		"Exception: the child of Hosted.babble said what nobody understands: op dance");
	struct call *call = run_new("babble", "[\"{oh\\n\"]");
	assert_non_null(strstr(call_exception(call)->exval, "said what is no JSON: "));
	call_unref(call);
	assert_returns("babble", "[\"{\\\"op\\\": \\\"return\\\", \\\"retval\\\": 5}\\n{oh\\n\"]",
	               "5");
}

static void assert_too_long(const char *method, const char *args)
{
	struct call *call = run_new(method, args);

	assert_string_equal(call_exception(call)->xclass, "ValueError");
	assert_non_null(strstr(call_exception(call)->exval,
	                       " bytes is too long for that; 67108864 is the most"));
	call_unref(call);
}

static void a_line_that_is_too_long_is_told(void **state)
{
	char *args = malloc(HOST_LINE_MAX + 16);

	(void)state;
	assert_raises("babble_long", "[]",
	              "Exception: the child of Hosted.babble_long said more than 67108864 bytes in "
	              "one line");
	assert_too_long("return_long", "[]");
	memset(args, 'x', HOST_LINE_MAX + 8);
	memcpy(args, "[\"", 2);
	memcpy(args + HOST_LINE_MAX + 6, "\"]", 3);
	assert_too_long("echo", args);
	free(args);
}

static void a_want_of_descriptors_is_an_error_of_the_system(void **state)
{
	struct rlimit before, few;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 4;
	setrlimit(RLIMIT_NOFILE, &few);
	struct call *call = run_new("nothing", "[]");
	setrlimit(RLIMIT_NOFILE, &before);
	assert_string_equal(call_exception(call)->xclass, "OSError");
	assert_int_equal(call_exception(call)->xargs->child->valueint, EMFILE);
	call_unref(call);
}

/* --- being cancelled --- */

static void *run_in_thread(void *call)
{
	run(call);
	return NULL;
}

static struct call *start_thread(const char *method, const char *args, pthread_t *thread)
{
	struct call *call = host_fixture_call(method, args, "null", NULL, &sink, NULL);

	assert_int_equal(pthread_create(thread, NULL, run_in_thread, call), 0);
	return call;
}

static void assert_cancelled(struct call *call, pthread_t thread)
{
	pthread_join(thread, NULL);
	assert_true(call_raised(call));
	assert_string_equal(call_exception(call)->exval, "gofer.rmi.dispatcher.Cancelled: sn-1");
	call_unref(call);
}

static void a_cancellation_takes_the_whole_group(void **state)
{
	pthread_t thread;
	struct call *call = start_thread("family", "[]", &thread);

	(void)state;
	wait_for_progress();
	assert_true(host_fixture_lives(heard.total));
	assert_true(host_fixture_lives(heard.completed));
	call_cancel(call);
	assert_cancelled(call, thread);
	wait_until_gone(heard.total);
	wait_until_gone(heard.completed);
}

static void what_a_child_leaves_behind_goes_with_it(void **state)
{
	(void)state;
	assert_returns("family", "[true]", "\"left behind\"");
	wait_until_gone(heard.completed);
}

static void a_flooding_child_can_be_cancelled(void **state)
{
	pthread_t thread;
	struct call *call = start_thread("flood", "[9223372036854775807]", &thread);
	uint64_t end = clock_monotonic_ms() + PATIENCE_MS;
	bool floods = false;

	(void)state;
	while (!floods && clock_monotonic_ms() < end) {
		usleep(1000);
		pthread_mutex_lock(&heard.lock);
		floods = strstr(buf_text(&heard.log), "is left out") != NULL;
		pthread_mutex_unlock(&heard.lock);
	}
	assert_true(floods);
	call_cancel(call);
	assert_cancelled(call, thread);
}

/* At whatever time it comes. */
static void a_cancellation_is_never_missed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		pthread_t thread;
		struct call *call = start_thread("wait", "[]", &thread);
		usleep(i * 100);
		call_cancel(call);
		call_cancel(call);
		assert_cancelled(call, thread);
	}
}

static void one_that_was_cancelled_before_starts_nothing(void **state)
{
	struct call *call = host_fixture_call("wait", "[]", "null", NULL, &sink, NULL);
	pthread_t thread;

	(void)state;
	host_free(host);
	host = host_new("/no/such/program");
	call_cancel(call);
	pthread_create(&thread, NULL, run_in_thread, call);
	assert_cancelled(call, thread);
}

/* --- many --- */

static size_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void *run_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < CALLS_EACH; i++) {
		char args[16];
		snprintf(args, sizeof(args), "[%d]", i);
		struct call *call = host_fixture_call("echo", args, "null", NULL, NULL, NULL);
		run(call);
		assert_false(call_raised(call));
		assert_int_equal(call_retval(call)->valueint, i);
		call_unref(call);
	}
	return NULL;
}

static void many_at_a_time_leave_no_descriptor_open(void **state)
{
	size_t before = count_descriptors();
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run_many, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count_descriptors(), before);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(results_are_those_of_a_direct_call),
		TEST(progress_comes_as_it_is_told),
		TEST(the_plugin_is_loaded_with_its_options),
		TEST(an_unload_that_hangs_is_cut_off),
		TEST(what_is_logged_comes_with_level_and_package),
		TEST(output_goes_to_the_log),
		TEST(a_flood_of_output_is_cut_off),
		TEST(a_child_has_nothing_of_its_parents),
		TEST(a_death_is_told),
		TEST(a_death_is_told_though_sigchld_was_ignored),
		TEST(a_program_that_is_another_is_told),
		TEST(one_that_hangs_up_is_told),
		TEST(nonsense_is_told),
		TEST(a_line_that_is_too_long_is_told),
		TEST(a_want_of_descriptors_is_an_error_of_the_system),
		TEST(a_cancellation_takes_the_whole_group),
		TEST(what_a_child_leaves_behind_goes_with_it),
		TEST(a_flooding_child_can_be_cancelled),
		TEST(a_cancellation_is_never_missed),
		TEST(one_that_was_cancelled_before_starts_nothing),
		TEST(many_at_a_time_leave_no_descriptor_open),
	};
	int code;

	if (host_fixture_is_child(argc, argv, NULL, &code))
		return code;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
