/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cmd/progress.h"
#include "cmd/show.h"

/* What `print` makes of the reply in `body`. */
static void assert_printed(void (*print)(struct buf *, const struct reply *), const char *body,
                           const char *expected)
{
	struct buf out = BUF_INIT;
	struct error error = ERROR_NONE;
	struct reply reply;

	assert_int_equal(show_decode(&reply, (struct slice){body, strlen(body)}, &error), GOFER_OK);
	print(&out, &reply);
	assert_string_equal(buf_text(&out), expected);
	buf_release(&out);
	reply_release(&reply);
}

static void print_retval(struct buf *out, const struct reply *reply)
{
	show_value(out, reply->retval);
}

#define REPLY "{\"sn\": \"1\", \"version\": \"2.0\", \"routing\": [null, \"r\"], \"data\": null, "
#define RETURNED(value) REPLY "\"result\": {\"retval\": " value "}}"
#define RAISED(xclass, xargs, exval) \
	REPLY "\"result\": {\"exval\": \"" exval \
	      "\", \"xmodule\": \"builtins\", \"xclass\": \"" xclass "\", \"xargs\": " xargs \
	      ", \"xstate\": {\"trace\": \"\"}}}"

static void values(void **state)
{
	(void)state;
	assert_printed(print_retval, RETURNED("\"a\\nb\""), "a\nb");
	assert_printed(print_retval, RETURNED("\"\\u00e9\""), "\xc3\xa9");
	assert_printed(print_retval, RETURNED("\"\\ud800x\""), "\xef\xbf\xbdx");
	assert_printed(print_retval, RETURNED("null"), "null");
	assert_printed(print_retval, RETURNED("[1.0,\"x\"]"), "[1.0, \"x\"]");
}

static void a_nul_is_printed_as_one(void **state)
{
	static const char body[] = RETURNED("\"a\\u0000b\"");
	struct buf out = BUF_INIT;
	struct reply reply;

	(void)state;
	assert_int_equal(show_decode(&reply, (struct slice){body, strlen(body)}, NULL), GOFER_OK);
	show_value(&out, reply.retval);
	assert_int_equal(out.size, 3);
	assert_memory_equal(out.data, "a\0b", 3);
	buf_release(&out);
	reply_release(&reply);
}

static void exceptions(void **state)
{
	(void)state;
	assert_printed(show_exception, RAISED("TypeError", "[\"bark() missing\"]", "x"),
	               "TypeError: bark() missing");
	assert_printed(show_exception, RAISED("OSError", "[2, \"No such file\"]", "x"),
	               "OSError: [Errno 2] No such file");
	assert_printed(show_exception, RAISED("OSError", "[2, \"No such file\", \"/x\"]", "x"),
	               "OSError: [Errno 2] No such file: /x");
	assert_printed(show_exception, RAISED("E", "[1, {\"a\": 2}]", "x"), "E: 1, {\"a\": 2}");
	assert_printed(show_exception, RAISED("E", "[]", "Traceback\\nmod.E: why\\n"),
	               "mod.E: why");
	assert_printed(show_exception, RAISED("E", "[]", ""), "E");
	assert_printed(show_exception, RAISED("E", "[\"\\u001b[2Jx\\u0007\"]", ""), "E: ?[2Jx?");
}

static void lines(void **state)
{
	(void)state;
	assert_printed(show_line, REPLY "\"status\": \"accepted\"}", "1 accepted\n");
	assert_printed(show_line, REPLY "\"status\": \"started\"}", "1 started\n");
	assert_printed(show_line,
	               REPLY "\"status\": \"progress\", \"total\": 3, \"completed\": 1, "
	                     "\"details\": \"half\"}",
	               "1 progress 1/3 half\n");
	assert_printed(show_line,
	               REPLY "\"status\": \"progress\", \"total\": 3, \"completed\": 1, "
	                     "\"details\": null}",
	               "1 progress 1/3\n");
	assert_printed(show_line,
	               REPLY "\"status\": \"rejected\", \"code\": \"c\", \"description\": \"d\", "
	                     "\"details\": \"e\"}",
	               "1 rejected c: d: e\n");
	assert_printed(show_line, RETURNED("5"), "1 returned 5\n");
	assert_printed(show_line, RAISED("E", "[\"m\"]", ""), "1 raised E: m\n");
}

static void a_signed_reply_is_taken_out_of_its_envelope(void **state)
{
	(void)state;
	assert_printed(print_retval,
	               "{\"message\": \"{\\\"sn\\\": \\\"1\\\", \\\"version\\\": \\\"2.0\\\", "
	               "\\\"routing\\\": [null, \\\"r\\\"], \\\"data\\\": null, "
	               "\\\"result\\\": {\\\"retval\\\": 7}}\", \"signature\": \"YWJj\"}",
	               "7");
}

static void what_is_no_reply_is_told(void **state)
{
	static const char *const bodies[] = {"", "[]", "{", "{}",
	                                     "{\"message\": \"x\", \"signature\": \"\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct error error = ERROR_NONE;
		struct reply reply;
		struct slice body = {bodies[i], strlen(bodies[i])};

		assert_int_equal(show_decode(&reply, body, &error), GOFER_PROTOCOL);
		assert_true(*error.text);
		reply_release(&reply);
	}
}

static void assert_progress(const char *state, long long total, long long completed,
                            const char *details, unsigned seconds, unsigned columns,
                            const char *expected)
{
	struct buf out = BUF_INIT;

	progress_print(&out, state, total, completed, details, seconds, columns);
	assert_string_equal(buf_text(&out), expected);
	buf_release(&out);
}

static void progress_lines(void **state)
{
	(void)state;
	assert_progress("sent", 0, 0, NULL, 0, 80, "sent  0:00");
	assert_progress("started", 0, 7, "x", 61, 80, "7 x  1:01");
	assert_progress("started", 4, 1, "a\nb\x1b[2J", 3601, 60,
	                "[#####---------------] 25% 1/4 a b?[2J  1:00:01");
	assert_progress("started", 2, 5, NULL, 0, 80,
	                "[##########################] 100% 5/2  0:00");
	assert_progress("started", 2, -5, NULL, 0, 30, "[----------] 0% -5/2  0:00");
}

static void a_progress_line_fits(void **state)
{
	char details[1000];

	(void)state;
	memset(details, 'x', sizeof(details));
	details[sizeof(details) - 1] = '\0';
	for (unsigned columns = 20; columns < 200; columns++) {
		struct buf out = BUF_INIT;

		progress_print(&out, "started", 100, 50, details, 5, columns);
		assert_true(out.size < columns);
		buf_release(&out);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(a_nul_is_printed_as_one),
		cmocka_unit_test(exceptions),
		cmocka_unit_test(lines),
		cmocka_unit_test(a_signed_reply_is_taken_out_of_its_envelope),
		cmocka_unit_test(what_is_no_reply_is_told),
		cmocka_unit_test(progress_lines),
		cmocka_unit_test(a_progress_line_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
