/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/call.h"
#include "core/clock.h"

static struct cJSON *json(const char *text)
{
	struct cJSON *value = json_parse(text, strlen(text), NULL);

	assert_non_null(value);
	return value;
}

static struct call *call_with(const struct call_sink *sink, void *context)
{
	static const char body[] =
		"{\"version\": \"2.0\", \"sn\": \"sn-1\", \"data\": {\"n\": 1.50}, \"request\": "
		"{\"classname\": \"Dog\", \"method\": \"bark\", \"args\": [], \"kws\": {}}}";
	struct request request = {0};
	struct rejection rejection = {0};

	assert_int_equal(request_decode(&request, body, strlen(body), &rejection), GOFER_OK);
	struct call *call = call_new_take(&request, NULL, sink, context);
	assert_non_null(call);
	assert_null(request.root);
	request_release(&request); /* there is nothing left in it */
	return call;
}

static struct call *call_plain(void)
{
	return call_with(NULL, NULL);
}

static struct call *call_running(void)
{
	struct call *call = call_plain();

	assert_true(call_start(call));
	return call;
}

/* The `result` of the reply, as text. */
static char *result_of(const struct call *call)
{
	const struct reply_head head = {"sn-1", "there", call_request(call)->data};
	struct buf out = BUF_INIT;
	struct slice result;

	assert_int_equal(call_print_result(&out, call, &head), GOFER_OK);
	assert_non_null(strstr(buf_text(&out), "\"data\": {\"n\": 1.50}"));
	assert_true(json_member_text(out.data, out.size, "result", &result));
	char *text = strndup(result.data, result.size);
	buf_release(&out);
	return text;
}

static void assert_result(const struct call *call, const char *result)
{
	char *text = result_of(call);

	assert_string_equal(text, result);
	free(text);
}

static void assert_raised(const struct call *call, const char *xmodule, const char *xclass,
                          const char *xargs)
{
	assert_int_equal(call_state(call), CALL_FINISHED);
	assert_true(call_raised(call));
	const struct exception *x = call_exception(call);
	char *args = json_text(x->xargs);
	assert_string_equal(x->xmodule, xmodule);
	assert_string_equal(x->xclass, xclass);
	assert_string_equal(args, xargs);
	free(args);
}

/* --- states --- */

static void a_call_is_queued_runs_and_is_finished(void **state)
{
	struct call *call = call_plain();

	(void)state;
	assert_int_equal(call_state(call), CALL_QUEUED);
	assert_string_equal(call_sn(call), "sn-1");
	assert_string_equal(call_request(call)->method, "bark");
	assert_null(call_context(call));
	assert_true(call_start(call));
	assert_int_equal(call_state(call), CALL_RUNNING);
	assert_false(call_start(call));
	assert_int_equal(call_return_string(call, "woof"), GOFER_OK);
	call_finish(call, GOFER_OK);
	assert_int_equal(call_state(call), CALL_FINISHED);
	assert_false(call_raised(call));
	assert_string_equal(json_string(call_retval(call)), "woof");
	assert_result(call, "{\"retval\": \"woof\"}");
	call_unref(call);
}

static void a_queued_call_that_is_cancelled_never_starts(void **state)
{
	struct call *call = call_plain();

	(void)state;
	assert_true(call_cancel(call));
	assert_int_equal(call_state(call), CALL_DISCARDED);
	assert_false(call_start(call));
	assert_false(call_cancel(call));
	char *text = result_of(call);
	assert_non_null(strstr(text,
	                       "\"xargs\": [\"sn-1\"], \"xclass\": \"Cancelled\", "
	                       "\"xmodule\": \"gofer.rmi.dispatcher\""));
	free(text);
	call_unref(call);
}

static void a_running_call_sees_that_it_is_cancelled(void **state)
{
	struct call *call = call_running();

	(void)state;
	assert_false(call_cancelled(call));
	assert_false(call_cancel(call));
	assert_true(call_cancelled(call));
	assert_int_equal(call_state(call), CALL_RUNNING);
	assert_int_equal(call_sleep(call, 60), GOFER_CANCELLED);
	call_finish(call, GOFER_CANCELLED);
	assert_raised(call, "gofer.rmi.dispatcher", "Cancelled", "[\"sn-1\"]");
	assert_false(call_cancel(call));
	call_unref(call);
}

static void what_a_cancelled_method_returns_stands(void **state)
{
	struct call *call = call_running();

	(void)state;
	call_cancel(call);
	call_return_string(call, "cancelled");
	call_finish(call, GOFER_OK);
	assert_result(call, "{\"retval\": \"cancelled\"}");
	call_unref(call);
}

static void references_keep_it(void **state)
{
	struct call *call = call_plain();

	(void)state;
	assert_ptr_equal(call_ref(call), call);
	call_unref(call);
	assert_string_equal(call_sn(call), "sn-1");
	call_unref(call);
	call_unref(NULL);
}

/* Either the worker starts it or the canceller takes it. */
static void *start_it(void *arg)
{
	return call_start(arg) ? arg : NULL;
}

static void a_start_and_a_cancellation_never_both_win(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct call *call = call_plain();
		pthread_t thread;
		void *started;
		pthread_create(&thread, NULL, start_it, call);
		bool discarded = call_cancel(call);
		pthread_join(thread, &started);
		assert_int_equal(discarded, started == NULL);
		assert_int_equal(call_state(call), discarded ? CALL_DISCARDED : CALL_RUNNING);
		call_unref(call);
	}
}

/* --- sleeping --- */

static void a_sleep_lasts_as_long_as_was_said(void **state)
{
	struct call *call = call_running();
	uint64_t before = clock_monotonic_us();

	(void)state;
	assert_int_equal(call_sleep(call, 0.05), GOFER_OK);
	assert_true(clock_monotonic_us() - before >= 50000);
	before = clock_monotonic_us();
	assert_int_equal(call_sleep(call, 0), GOFER_OK);
	assert_int_equal(call_sleep(call, -5), GOFER_OK);
	assert_int_equal(call_sleep(call, NAN), GOFER_OK);
	assert_true(clock_monotonic_us() - before < 5000000);
	call_unref(call);
}

static void *cancel_now(void *arg)
{
	call_cancel(arg);
	return NULL;
}

static void *cancel_soon(void *arg)
{
	usleep(30000);
	call_cancel(arg);
	return NULL;
}

static void a_sleeper_is_woken_by_the_cancellation(void **state)
{
	static const double times[] = {30, 1e300, INFINITY};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct call *call = call_running();
		uint64_t before = clock_monotonic_us();
		pthread_t thread;
		pthread_create(&thread, NULL, cancel_soon, call);
		assert_int_equal(call_sleep(call, times[i]), GOFER_CANCELLED);
		pthread_join(thread, NULL);
		assert_true(clock_monotonic_us() - before < 20000000);
		call_unref(call);
	}
}

/* --- who waits for something else --- */

static void count_it(void *context)
{
	++*(int *)context;
}

static void a_cancellation_wakes_who_asked_for_it(void **state)
{
	struct call *call = call_running();
	int woken = 0;

	(void)state;
	call_on_cancel(call, count_it, &woken);
	assert_int_equal(woken, 0);
	call_cancel(call);
	assert_int_equal(woken, 1);
	call_cancel(call);
	assert_int_equal(woken, 2);
	call_on_cancel(call, NULL, NULL);
	call_cancel(call);
	assert_int_equal(woken, 2);
	call_on_cancel(call, count_it, &woken); /* too late to be told later */
	assert_int_equal(woken, 3);
	call_unref(call);
}

/* Once it was taken back, nobody calls it any more: what it works on may go. */
static void who_takes_it_back_is_left_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct call *call = call_running();
		int *woken = calloc(1, sizeof(*woken));
		pthread_t thread;
		call_on_cancel(call, count_it, woken);
		pthread_create(&thread, NULL, cancel_now, call);
		call_on_cancel(call, NULL, NULL);
		free(woken);
		pthread_join(thread, NULL);
		call_unref(call);
	}
}

/* --- outcomes --- */

static void values_of_all_kinds_are_returned(void **state)
{
	struct call *call = call_running();
	struct cJSON *value = json("[9007199254740993, {\"a\": null}]");

	(void)state;
	assert_int_equal(call_return_copy(call, value), GOFER_OK);
	cJSON_Delete(value);
	call_finish(call, GOFER_OK);
	assert_result(call, "{\"retval\": [9007199254740993, {\"a\": null}]}");
	call_unref(call);

	call = call_running();
	assert_int_equal(call_return_take(call, cJSON_CreateTrue()), GOFER_OK);
	call_finish(call, GOFER_OK);
	assert_result(call, "{\"retval\": true}");
	call_unref(call);

	call = call_running();
	assert_int_equal(call_return_copy(call, NULL), GOFER_OK);
	call_finish(call, GOFER_OK);
	assert_result(call, "{\"retval\": null}");
	call_unref(call);
}

static void exceptions_are_raised(void **state)
{
	struct call *call = call_running();

	(void)state;
	assert_int_equal(call_raise(call, "ValueError", "%d is too %s", 9, "large"), GOFER_FAILED);
	call_finish(call, GOFER_FAILED);
	assert_raised(call, "builtins", "ValueError", "[\"9 is too large\"]");
	assert_result(call,
	              "{\"exval\": \"ValueError: 9 is too large\", "
	              "\"xargs\": [\"9 is too large\"], \"xclass\": \"ValueError\", "
	              "\"xmodule\": \"builtins\", "
	              "\"xstate\": {\"trace\": \"ValueError: 9 is too large\"}}");
	call_unref(call);

	call = call_running();
	assert_int_equal(call_raise_module(call, "my.module", "Mine", "%s", "x"), GOFER_FAILED);
	call_finish(call, GOFER_OK);
	assert_raised(call, "my.module", "Mine", "[\"x\"]");
	call_unref(call);

	call = call_running();
	assert_int_equal(call_raise_cancelled(call), GOFER_FAILED);
	call_finish(call, GOFER_FAILED);
	assert_raised(call, "gofer.rmi.dispatcher", "Cancelled", "[\"sn-1\"]");
	call_unref(call);
}

static void an_exception_is_raised_as_it_is(void **state)
{
	struct call *call = call_running();
	struct exception x = {
		.xmodule = strdup("my.module"),
		.xclass = strdup("Mine"),
		.exval = strdup("a trace"),
		.xargs = json("[1, null]"),
		.xstate = json("{\"a\": 1.0}"),
	};

	(void)state;
	assert_int_equal(call_raise_take(call, &x), GOFER_FAILED);
	assert_null(x.xclass);
	x.xclass = strdup("Second");
	assert_int_equal(call_raise_take(call, &x), GOFER_INVALID);
	assert_null(x.xclass);
	call_finish(call, GOFER_FAILED);
	assert_result(call,
	              "{\"exval\": \"a trace\", \"xargs\": [1, null], \"xclass\": \"Mine\", "
	              "\"xmodule\": \"my.module\", \"xstate\": {\"a\": 1.0}}");
	call_unref(call);
}

static void errors_of_the_system_have_their_number(void **state)
{
	struct call *call = call_running();

	(void)state;
	assert_int_equal(call_raise_errno(call, ENOENT, NULL), GOFER_FAILED);
	call_finish(call, GOFER_FAILED);
	assert_raised(call, "builtins", "OSError", "[2, \"No such file or directory\"]");
	call_unref(call);

	call = call_running();
	assert_int_equal(call_raise_errno(call, EACCES, "/root/x"), GOFER_FAILED);
	call_finish(call, GOFER_FAILED);
	assert_raised(call, "builtins", "OSError", "[13, \"Permission denied\", \"/root/x\"]");
	call_unref(call);
}

static void of_two_outcomes_the_first_stands(void **state)
{
	struct call *call = call_running();

	(void)state;
	assert_int_equal(call_return_string(call, "first"), GOFER_OK);
	assert_int_equal(call_return_string(call, "second"), GOFER_INVALID);
	assert_int_equal(call_return_take(call, NULL), GOFER_INVALID);
	assert_int_equal(call_raise(call, "ValueError", "third"), GOFER_INVALID);
	assert_int_equal(call_raise_errno(call, ENOENT, NULL), GOFER_INVALID);
	assert_int_equal(call_raise_cancelled(call), GOFER_INVALID);
	call_finish(call, GOFER_FAILED);
	assert_result(call, "{\"retval\": \"first\"}");
	assert_int_equal(call_return_string(call, "late"), GOFER_INVALID);
	call_unref(call);

	call = call_running();
	assert_int_equal(call_raise(call, "ValueError", "first"), GOFER_FAILED);
	assert_int_equal(call_return_take(call, cJSON_CreateTrue()), GOFER_INVALID);
	call_finish(call, GOFER_OK);
	assert_raised(call, "builtins", "ValueError", "[\"first\"]");
	call_unref(call);
}

static void a_method_without_an_outcome_is_answered_for(void **state)
{
	struct call *call = call_running();

	(void)state;
	call_finish(call, GOFER_OK);
	assert_result(call, "{\"retval\": null}");
	call_unref(call);

	call = call_running();
	call_finish(call, GOFER_TIMEOUT);
	assert_raised(call, "builtins", "Exception", "[\"timeout\"]");
	call_unref(call);

	call = call_running();
	call_finish(call, GOFER_NOMEM);
	assert_true(call_raised(call));
	assert_null(call_exception(call)->xclass);
	assert_result(call,
	              "{\"exval\": \"MemoryError\", \"xargs\": [], "
	              "\"xclass\": \"MemoryError\", \"xmodule\": \"builtins\", "
	              "\"xstate\": {\"trace\": \"MemoryError\"}}");
	call_unref(call);
}

/* --- progress --- */

struct heard {
	struct call *call;
	int count;
	long long total, completed;
	char details[32];
};

static void hear(void *context, struct call *call, long long total, long long completed,
                 const struct cJSON *details)
{
	struct heard *heard = context;

	*heard = (struct heard){call, heard->count + 1, total, completed, ""};
	if (details)
		strncpy(heard->details, json_string(details), sizeof(heard->details) - 1);
}

static void progress_goes_to_the_sink(void **state)
{
	static const struct call_sink sink = {hear}, deaf = {NULL};
	struct heard heard = {0};
	struct call *call = call_with(&sink, &heard);

	(void)state;
	call_start(call);
	call_progress(call, 10, 3, "three");
	assert_ptr_equal(heard.call, call);
	assert_int_equal(heard.total, 10);
	assert_int_equal(heard.completed, 3);
	assert_string_equal(heard.details, "three");
	call_progress(call, 10, 4, NULL);
	assert_int_equal(heard.count, 2);
	assert_string_equal(heard.details, "");
	call_unref(call);

	call = call_with(&deaf, NULL);
	call_progress(call, 1, 1, "x");
	call_unref(call);
	call = call_plain();
	call_progress(call, 1, 1, "x");
	call_unref(call);
}

/* --- arguments --- */

static struct call *call_bound(const char *args)
{
	struct call *call = call_running();

	call_bind_take(call, json(args), json("{\"name\": \"rex\", \"age\": 3}"));
	return call;
}

static void arguments_are_found_by_name(void **state)
{
	struct call *call = call_bound("{\"a\": \"x\", \"b\": null}");
	const char *text = NULL;

	(void)state;
	assert_true(cJSON_IsNull(call_arg(call, "b")));
	assert_null(call_arg(call, "c"));
	assert_int_equal(call_arg_string(call, "a", &text), GOFER_OK);
	assert_string_equal(text, "x");
	assert_int_equal(call_cntr_arg_string(call, "name", &text), GOFER_OK);
	assert_string_equal(text, "rex");
	assert_int_equal(call_cntr_arg(call, "age")->valueint, 3);
	call_bind_take(call, NULL, NULL);
	assert_null(call_arg(call, "a"));
	assert_null(call_cntr_arg(call, "name"));
	call_unref(call);
}

static void numbers_are_what_they_are(void **state)
{
	struct call *call = call_bound("{\"i\": 5, \"f\": 1.5, \"w\": 2.0, \"e\": 1e2, "
	                               "\"min\": -9223372036854775808, \"huge\": 1e400}");
	long long i;
	double d;

	(void)state;
	assert_int_equal(call_arg_integer(call, "i", &i), GOFER_OK);
	assert_int_equal(i, 5);
	assert_int_equal(call_arg_integer(call, "w", &i), GOFER_OK);
	assert_int_equal(i, 2);
	assert_int_equal(call_arg_integer(call, "e", &i), GOFER_OK);
	assert_int_equal(i, 100);
	assert_int_equal(call_arg_integer(call, "min", &i), GOFER_OK);
	assert_true(i == INT64_MIN);
	assert_int_equal(call_arg_double(call, "i", &d), GOFER_OK);
	assert_true(d == 5);
	assert_int_equal(call_arg_double(call, "f", &d), GOFER_OK);
	assert_true(d == 1.5);
	assert_int_equal(call_arg_double(call, "huge", &d), GOFER_OK);
	assert_true(isinf(d));
	call_unref(call);
}

enum wanted { STRING, DOUBLE, INTEGER, CNTR_STRING };

static enum gofer_err ask(struct call *call, enum wanted wanted)
{
	const char *text;
	double d;
	long long i;

	switch (wanted) {
	case STRING: return call_arg_string(call, "a", &text);
	case DOUBLE: return call_arg_double(call, "a", &d);
	case INTEGER: return call_arg_integer(call, "a", &i);
	default: return call_cntr_arg_string(call, "age", &text);
	}
}

static void wrong_types_are_raised_as_python_names_them(void **state)
{
	static const struct {
		const char *args;
		enum wanted wanted;
		const char *xclass, *xargs;
	} cases[] = {
		{"{\"a\": 1}", STRING, "TypeError", "[\"a must be str, not int\"]"},
		{"{\"a\": null}", STRING, "TypeError", "[\"a must be str, not NoneType\"]"},
		{"{\"a\": \"x\"}", DOUBLE, "TypeError", "[\"a must be a number, not str\"]"},
		{"{\"a\": true}", DOUBLE, "TypeError", "[\"a must be a number, not bool\"]"},
		{"{\"a\": true}", INTEGER, "TypeError", "[\"a must be int, not bool\"]"},
		{"{\"a\": 1.5}", INTEGER, "TypeError", "[\"a must be int, not float\"]"},
		{"{\"a\": []}", INTEGER, "TypeError", "[\"a must be int, not list\"]"},
		{"{\"a\": {}}", INTEGER, "TypeError", "[\"a must be int, not dict\"]"},
		{"{\"a\": 9223372036854775808}", INTEGER, "ValueError",
	         "[\"a must fit into 64 bits\"]"},
		{"{}", CNTR_STRING, "TypeError", "[\"age must be str, not int\"]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct call *call = call_bound(cases[i].args);
		assert_int_equal(ask(call, cases[i].wanted), GOFER_FAILED);
		call_finish(call, GOFER_FAILED);
		assert_raised(call, "builtins", cases[i].xclass, cases[i].xargs);
		call_unref(call);
	}
}

/* --- the plugin's context --- */

static void a_context_has_a_name_options_and_a_state(void **state)
{
	static const struct config_property schema[] = {
		{.section = "main", .key = "size", .kind = CONFIG_TEXT, .initial = "small"},
		{.section = NULL},
	};
	struct config *config = config_new(schema);
	char mine[] = "mine", name[] = "demo";
	struct plugin_context *context = plugin_context_new(name, config);

	(void)state;
	assert_non_null(context);
	assert_int_equal(config_set(config, "own", "color", "red", "test"), GOFER_OK);
	name[0] = 'x';
	assert_string_equal(plugin_context_name(context), "demo");
	assert_ptr_equal(plugin_context_config(context), config);
	assert_string_equal(plugin_context_option(context, "own", "color"), "red");
	assert_string_equal(plugin_context_option(context, "main", "size"), "small");
	assert_null(plugin_context_option(context, "own", "size"));
	assert_null(plugin_context_state(context));
	plugin_context_set_state(context, mine);
	assert_ptr_equal(plugin_context_state(context), mine);
	plugin_context_free(context);
	config_free(config);

	context = plugin_context_new("other", NULL);
	assert_null(plugin_context_option(context, "own", "color"));
	plugin_context_free(context);
	plugin_context_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_queued_runs_and_is_finished),
		cmocka_unit_test(a_queued_call_that_is_cancelled_never_starts),
		cmocka_unit_test(a_running_call_sees_that_it_is_cancelled),
		cmocka_unit_test(what_a_cancelled_method_returns_stands),
		cmocka_unit_test(references_keep_it),
		cmocka_unit_test(a_start_and_a_cancellation_never_both_win),
		cmocka_unit_test(a_sleep_lasts_as_long_as_was_said),
		cmocka_unit_test(a_sleeper_is_woken_by_the_cancellation),
		cmocka_unit_test(a_cancellation_wakes_who_asked_for_it),
		cmocka_unit_test(who_takes_it_back_is_left_alone),
		cmocka_unit_test(values_of_all_kinds_are_returned),
		cmocka_unit_test(exceptions_are_raised),
		cmocka_unit_test(an_exception_is_raised_as_it_is),
		cmocka_unit_test(errors_of_the_system_have_their_number),
		cmocka_unit_test(of_two_outcomes_the_first_stands),
		cmocka_unit_test(a_method_without_an_outcome_is_answered_for),
		cmocka_unit_test(progress_goes_to_the_sink),
		cmocka_unit_test(arguments_are_found_by_name),
		cmocka_unit_test(numbers_are_what_they_are),
		cmocka_unit_test(wrong_types_are_raised_as_python_names_them),
		cmocka_unit_test(a_context_has_a_name_options_and_a_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
