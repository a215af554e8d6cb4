/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cmd/admin_show.h"

static const struct grid_view view = {false, 0, 0};

static struct cJSON *parse(const char *text)
{
	struct cJSON *value = json_parse(text, strlen(text), NULL);

	assert_non_null(value);
	return value;
}

static void assert_text(struct buf *out, const char *expected)
{
	assert_string_equal(buf_text(out), expected);
	buf_release(out);
}

static void what_is_an_answer(void **state)
{
	static const char *const wrong[] = {"null", "[]", "\"x\"", "{}", "{\"plugins\": {}}"};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct cJSON *value = parse(wrong[i]);

		assert_false(admin_is_status(value));
		assert_true(admin_is_calls(value) == (i == 1));
		cJSON_Delete(value);
	}
	assert_false(admin_is_status(NULL));
	assert_false(admin_is_calls(NULL));
}

static void anything_may_be_missing(void **state)
{
	struct cJSON *status =
		parse("{\"plugins\": [{}, 5, {\"why\": \"y\"}], \"brokers\": [null]}");
	struct buf out = BUF_INIT;

	(void)state;
	assert_true(admin_is_status(status));
	admin_print_agent(&out, status, &view);
	admin_print_brokers(&out, status, &view);
	admin_print_journal(&out, status, &view);
	assert_text(&out,
	            "gofer -, process -, up 0.0s\n"
	            "BROKER  RECONNECTS  STATE\n"
	            "-                -  down\n");
	admin_print_plugins(&out, status, NULL, 0, &view);
	assert_non_null(strstr(out.data, "  -       y\n"));
	buf_release(&out);
	cJSON_Delete(status);
}

static void rates(void **state)
{
	struct cJSON *before =
		parse("{\"plugins\": [{\"name\": \"a\", \"done\": 10, \"failed\": 1},"
	              "{\"name\": \"b\", \"done\": 7}]}");
	struct cJSON *now = parse("{\"plugins\": [{\"name\": \"a\", \"done\": 14, \"failed\": 2},"
	                          "{\"name\": \"b\", \"done\": 0}, {\"name\": \"c\"}]}");
	struct buf out = BUF_INIT;

	(void)state;
	admin_print_plugins(&out, now, before, 2, &view);
	assert_non_null(strstr(out.data, "  PENDING  CALLS/S  DONE  "));
	assert_non_null(strstr(out.data, "        -      2.5    14       2  "));
	assert_non_null(strstr(strstr(out.data, "\nb "), "        -        -     0       -  "));
	assert_non_null(strstr(strstr(out.data, "\nc "), "        -        -     -       -  "));
	buf_release(&out);
	cJSON_Delete(before);
	cJSON_Delete(now);
}

static void the_journal(void **state)
{
	struct cJSON *status =
		parse("{\"journal\": {\"entries\": 3, \"bytes\": 100, \"segments\": 2,"
	              " \"file_bytes\": 2048, \"failing\": true, \"damaged\": 2}}");
	struct buf out = BUF_INIT;

	(void)state;
	admin_print_journal(&out, status, &view);
	assert_text(&out,
	            "journal: 3 pending, 100 B; 2 files of 2.0 KiB; set aside: 2 damaged "
	            "records; the last write failed\n");
	cJSON_Delete(status);
}

static void states_have_colours(void **state)
{
	static const struct grid_view coloured = {true, 0, 0};
	struct cJSON *status =
		parse("{\"plugins\": [{\"state\": \"attached\"}, {\"state\": "
	              "\"refused\"}, {\"state\": \"connecting\"}, {\"state\": \"?\"}]}");
	struct buf out = BUF_INIT;

	(void)state;
	admin_print_plugins(&out, status, NULL, 0, &coloured);
	assert_non_null(strstr(out.data, "\033[32mattached\033[0m    "));
	assert_non_null(strstr(out.data, "\033[31mrefused\033[0m     "));
	assert_non_null(strstr(out.data, "\033[33mconnecting\033[0m  "));
	assert_non_null(strstr(out.data, "  ?           "));
	buf_release(&out);
	cJSON_Delete(status);
}

static void calls(void **state)
{
	struct cJSON *list = parse(
		"[{\"sn\": \"1\", \"plugin\": \"p\", \"method\": \"C.m\", \"state\": \"running\", \"age\": "
		"61, \"durable\": true, \"total\": 0, \"completed\": 7, \"details\": {\"a\": 1}}]");
	struct buf out = BUF_INIT;

	(void)state;
	admin_print_calls(&out, list, &view);
	assert_text(&out,
	            "SN  PLUGIN  METHOD  DURABLE  STATE      AGE  PROGRESS  DETAILS\n"
	            "1   p       C.m     yes      running  1m01s         7  {\"a\": 1}\n");
	cJSON_Delete(list);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_an_answer),
		cmocka_unit_test(anything_may_be_missing),
		cmocka_unit_test(rates),
		cmocka_unit_test(the_journal),
		cmocka_unit_test(states_have_colours),
		cmocka_unit_test(calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
