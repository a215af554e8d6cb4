/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "host_fixture.h"
#include "plugins/table.h"

static struct catalog *catalog;
static struct dispatch_host offers = {.fork = host_run};

static int set_up(void **state)
{
	(void)state;
	catalog = catalog_new(plugin_table_find("demo"), NULL);
	offers.processes = host_new(NULL);
	return catalog && offers.processes ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	catalog_free(catalog);
	host_free(offers.processes);
	return 0;
}

/* What was told on the way, as text: "1/5 1 of 5;". */
static void hear(void *context, struct call *call, long long total, long long completed,
                 const struct cJSON *details)
{
	(void)call;
	buf_printf(context, "%lld/%lld %s;", completed, total, json_string(details));
}

static const struct call_sink sink = {hear};

/* Started, but not run. */
static struct call *call_of(const char *target, const char *args, const char *cntr,
                            struct buf *heard)
{
	const char *dot = strchr(target, '.');
	struct request request = {0};
	struct rejection rejection = {0};
	struct buf body = BUF_INIT;

	buf_printf(&body,
	           "{\"version\": \"2.0\", \"sn\": \"1\", \"request\": {\"classname\": \"%.*s\", "
	           "\"method\": \"%s\", \"args\": %s, \"cntr\": %s}}",
	           (int)(dot - target), target, dot + 1, args, cntr);
	if (request_decode(&request, buf_text(&body), body.size, &rejection))
		fail_msg("%s: %s", buf_text(&body), rejection.details);
	buf_release(&body);
	struct call *call = call_new_take(&request, NULL, heard ? &sink : NULL, heard);
	assert_true(call_start(call));
	return call;
}

static void assert_returns(const char *target, const char *args, const char *cntr,
                           const char *retval)
{
	struct call *call = call_of(target, args, cntr, NULL);

	dispatch_run(catalog, call, &offers);
	if (call_raised(call))
		fail_msg("%s: %s", target, call_exception(call)->exval);
	char *text = json_text(call_retval(call));
	assert_string_equal(text, retval);
	free(text);
	call_unref(call);
}

static void assert_raises(const char *target, const char *args, const char *cntr, const char *exval)
{
	struct call *call = call_of(target, args, cntr, NULL);

	dispatch_run(catalog, call, &offers);
	assert_true(call_raised(call));
	assert_string_equal(call_exception(call)->exval, exval);
	call_unref(call);
}

static void hello_is_said(void **state)
{
	(void)state;
	assert_returns("Demo.hello", "[]", "null", "\"Hello, I am the demo plugin\"");
}

static void an_echo_is_exact(void **state)
{
	static const char *const values[] = {
		"null",  "\"\\u0000\\ud800\"", "9007199254740993",
		"1e400", "{\"a\": [1.0, {}]}", "-0.0",
	};
	char args[64];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(args, sizeof(args), "[%s]", values[i]);
		assert_returns("Demo.echo", args, "null", values[i]);
		assert_returns("demo.echo", args, "null", values[i]);
	}
}

static void a_sleep_gives_back_its_seconds(void **state)
{
	uint64_t before = clock_monotonic_ms();

	(void)state;
	assert_returns("Demo.sleep", "[0.050]", "null", "0.050");
	assert_true(clock_monotonic_ms() - before >= 50);
	assert_returns("Demo.sleep", "[0]", "null", "0");
}

static void a_count_tells_each_step(void **state)
{
	struct buf heard = BUF_INIT;
	struct call *call = call_of("Demo.count", "[3]", "null", &heard);

	(void)state;
	dispatch_run(catalog, call, &offers);
	assert_int_equal(call_retval(call)->valueint, 3);
	assert_string_equal(buf_text(&heard), "1/3 1 of 3;2/3 2 of 3;3/3 3 of 3;");
	call_unref(call);
	buf_release(&heard);
	assert_returns("Demo.count", "[0]", "null", "0");
	assert_returns("Demo.count", "[2, 0.01]", "null", "2");
}

static void a_failure_has_its_message(void **state)
{
	(void)state;
	assert_raises("Demo.fail", "[\"as you like\"]", "null", "Exception: as you like");
	assert_raises("Demo.fail", "[\"100%s\"]", "null", "Exception: 100%s");
}

static void a_greeter_greets_the_one_it_was_made_for(void **state)
{
	(void)state;
	assert_returns("Greeter.greet", "[]", "[[\"Ann\"], {}]", "\"hello, Ann\"");
	assert_returns("Greeter.greet", "[]", "[[\"Ann\"], {\"greeting\": \"bye\"}]",
	               "\"bye, Ann\"");
	assert_raises(
		"Greeter.greet", "[]", "null",
		"TypeError: Greeter.__init__() missing 1 required positional argument: 'name'");
	assert_raises("Greeter.greet", "[]", "[[1], {}]", "TypeError: name must be str, not int");
	assert_raises("Greeter.greet", "[]", "[[\"a\", null], {}]",
	              "TypeError: greeting must be str, not NoneType");
}

static void a_process_of_its_own_does_the_same(void **state)
{
	struct buf heard = BUF_INIT;
	struct call *call = call_of("Forked.count", "[3]", "null", &heard);

	(void)state;
	dispatch_run(catalog, call, &offers);
	assert_int_equal(call_retval(call)->valueint, 3);
	assert_string_equal(buf_text(&heard), "1/3 1 of 3;2/3 2 of 3;3/3 3 of 3;");
	call_unref(call);
	buf_release(&heard);
	assert_returns("Forked.echo", "[[\"\\u0000\\ud800\", 9007199254740993]]", "null",
	               "[\"\\u0000\\ud800\", 9007199254740993]");
	assert_returns("Forked.sleep", "[0.050]", "null", "0.050");
	assert_returns("Forked.say", "[\"a word in the log\", 1]", "null", "1");
	assert_raises("Forked.fail", "[\"as you like\"]", "null", "Exception: as you like");
}

static void a_process_of_its_own_is_another_one(void **state)
{
	struct call *call = call_of("Forked.pid", "[]", "null", NULL);

	(void)state;
	dispatch_run(catalog, call, &offers);
	assert_true(call_retval(call)->valueint > 1);
	assert_int_not_equal(call_retval(call)->valueint, getpid());
	call_unref(call);
}

static void how_it_ended_is_told(void **state)
{
	(void)state;
	assert_raises("Forked.die", "[]", "null",
	              "Exception: the child of Forked.die died: signal 9 (Killed)");
	assert_raises("Forked.die", "[15]", "null",
	              "Exception: the child of Forked.die died: signal 15 (Terminated)");
	assert_raises("Forked.exit", "[]", "null",
	              "Exception: the child of Forked.exit ended with exit status 0 and without a "
	              "result");
	assert_raises(
		"Forked.exit", "[255]", "null",
		"Exception: the child of Forked.exit ended with exit status 255 and without a "
		"result");
}

static void bad_values_are_told(void **state)
{
	static const char *const cases[][3] = {
		{"Demo.sleep", "[-1]", "ValueError: seconds must be from 0 to 86400, not -1"},
		{"Demo.sleep", "[86401]", "ValueError: seconds must be from 0 to 86400, not 86401"},
		{"Demo.sleep", "[1e400]", "ValueError: seconds must be from 0 to 86400, not inf"},
		{"Demo.sleep", "[\"1\"]", "TypeError: seconds must be a number, not str"},
		{"Demo.count", "[-1]", "ValueError: total must be from 0 to 1000000, not -1"},
		{"Demo.count", "[1000001]",
	         "ValueError: total must be from 0 to 1000000, not 1000001"},
		{"Demo.count", "[1, -0.5]", "ValueError: delay must be from 0 to 86400, not -0.5"},
		{"Demo.count", "[1.5]", "TypeError: total must be int, not float"},
		{"Demo.count", "[10000000000000000000]", "ValueError: total must fit into 64 bits"},
		{"Demo.fail", "[null]", "TypeError: message must be str, not NoneType"},
		{"Forked.sleep", "[-1]", "ValueError: seconds must be from 0 to 86400, not -1"},
		{"Forked.say", "[1]", "TypeError: words must be str, not int"},
		{"Forked.say", "[\"x\", -1]",
	         "ValueError: times must be from 0 to 1000000, not -1"},
		{"Forked.die", "[0]", "ValueError: signal must be from 1 to 64, not 0"},
		{"Forked.die", "[17]", "ValueError: signal 17 ends no process"},
		{"Forked.exit", "[256]", "ValueError: status must be from 0 to 255, not 256"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_raises(cases[i][0], cases[i][1], "null", cases[i][2]);
}

static void *cancel_soon(void *arg)
{
	usleep(30000);
	call_cancel(arg);
	return NULL;
}

static void what_takes_long_can_be_cancelled(void **state)
{
	static const char *const cases[][2] = {
		{"Demo.sleep", "[60]"},
		{"Demo.count", "[5, 60]"},
		{"Forked.sleep", "[60]"},
		{"Forked.count", "[5, 60]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct call *call = call_of(cases[i][0], cases[i][1], "null", NULL);
		uint64_t before = clock_monotonic_ms();
		pthread_t thread;
		pthread_create(&thread, NULL, cancel_soon, call);
		dispatch_run(catalog, call, &offers);
		pthread_join(thread, NULL);
		assert_true(clock_monotonic_ms() - before < 20000);
		assert_string_equal(call_exception(call)->xclass, "Cancelled");
		call_unref(call);
	}
}

static void the_table_is_sorted_and_finds_by_name(void **state)
{
	(void)state;
	assert_non_null(plugin_table[0]);
	for (size_t i = 0; plugin_table[i]; i++) {
		struct error error = ERROR_NONE;
		struct catalog *c = catalog_new(plugin_table[i], &error);
		if (!c)
			fail_msg("%s", error.text);
		catalog_free(c);
		assert_ptr_equal(plugin_table_find(plugin_table[i]->name), plugin_table[i]);
		if (i)
			assert_true(strcmp(plugin_table[i - 1]->name, plugin_table[i]->name) < 0);
	}
	assert_null(plugin_table_find("nosuch"));
	assert_null(plugin_table_find(""));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_is_said),
		cmocka_unit_test(an_echo_is_exact),
		cmocka_unit_test(a_sleep_gives_back_its_seconds),
		cmocka_unit_test(a_count_tells_each_step),
		cmocka_unit_test(a_failure_has_its_message),
		cmocka_unit_test(a_greeter_greets_the_one_it_was_made_for),
		cmocka_unit_test(a_process_of_its_own_does_the_same),
		cmocka_unit_test(a_process_of_its_own_is_another_one),
		cmocka_unit_test(how_it_ended_is_told),
		cmocka_unit_test(bad_values_are_told),
		cmocka_unit_test(what_takes_long_can_be_cancelled),
		cmocka_unit_test(the_table_is_sorted_and_finds_by_name),
	};
	int code;

	if (host_fixture_is_child(argc, argv, plugin_table_find("demo"), &code))
		return code;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
