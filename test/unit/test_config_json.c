/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/config_fixture.h"

static void a_json_file_is_read(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	assert_int_equal(place_read(&p, "a.json",
	                            "{\n"
	                            " \"main\": {\"threads\": 5, \"enabled\": true},\n"
	                            " \"messaging\": {\"url\": \"amqp://h; #\\n\"},\n"
	                            " \"own\": {\"list\": [1, {\"a\": 2.0}], \"n\": 1e400,\n"
	                            "         \"no\": null, \"f\": false}\n"
	                            "}\n"),
	                 GOFER_OK);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_OK);
	place_assert_faults(&p, "");
	assert_int_equal(config_integer(p.c, "main", "threads"), 5);
	assert_true(config_bool(p.c, "main", "enabled"));
	place_assert_text(&p, "messaging", "url", "amqp://h; #\n");
	place_assert_text(&p, "own", "list", "[1, {\"a\": 2.0}]");
	place_assert_text(&p, "own", "n", "1e400");
	place_assert_text(&p, "own", "f", "false");
	place_assert_text(&p, "own", "no", NULL);
	place_leave(&p);
}

static void null_takes_back_what_was_set(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	place_read(&p, "a.conf", "[own]\na=1\nb=2\nc=3\n[main]\nthreads=9\n");
	assert_int_equal(place_read(&p, "b.json",
	                            "{\"own\": {\"b\": null, \"z\": null}, "
	                            "\"main\": {\"threads\": null}}"),
	                 GOFER_OK);
	place_assert_text(&p, "own", "a", "1");
	place_assert_text(&p, "own", "b", NULL);
	place_assert_text(&p, "own", "c", "3");
	assert_int_equal(config_integer(p.c, "main", "threads"), 1);
	place_leave(&p);
}

static void faults_of_a_json_file_are_told_by_line(void **state)
{
	static const char *const cases[][2] = {
		{"", "a.json:1: column 1: expected a value, found the end of the text\n"},
		{"[]",
	         "a.json:1: must be an object, {\"section\": {\"key\": value}}; found list\n"},
		{"{\"main\": {}\n,\n}",
	         "a.json:3: column 1: expected a key in double quotes, found "
	         "}\n"},
		{"{\n\"main\": 1}",
	         "a.json:2: [main]: must be an object, {\"key\": value}; found int\n"},
		{"{\"main\": {\n\"threads\": [],\n\n\"enabled\": {}}}",
	         "a.json:4: [main] enabled: must be text, a number, true, false or null; found dict\n"
	         "a.json:2: [main] threads: must be text, a number, true, false or null; found "
	         "list\n"},
		{"{\"own\": {\"a\": 1,\n \"b\": \"x\\u0000y\"}}",
	         "a.json:2: [own] b: must be text without \\u0000 and lone surrogates\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place p;
		place_enter(&p, place_schema);
		assert_int_equal(place_read(&p, "a.json", cases[i][0]), GOFER_INVALID);
		place_assert_faults(&p, cases[i][1]);
		place_leave(&p);
	}
}

static void a_json_value_knows_its_line(void **state)
{
	struct place p;
	const char *file = NULL;
	unsigned line = 0;

	(void)state;
	place_enter(&p, place_schema);
	place_read(&p, "a.json",
	           "{\"other\": {\"threads\": 1},\n\"main\": {\n\"x\": {},\n\"threads\":\n 500}}");
	p.faults.count = 0;
	buf_clear(&p.faults.text);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	place_assert_faults(&p,
	                    "a.json:5: [main] threads: must be a whole number from 1 to 100; "
	                    "not \"500\"\n");
	assert_true(config_where(p.c, "main", "threads", &file, &line));
	assert_string_equal(file, "a.json");
	assert_int_equal(line, 5);
	place_leave(&p);
}

static void of_very_many_faults_in_json_some_are_told(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;

	(void)state;
	place_enter(&p, place_schema);
	buf_puts(&text, "{");
	for (int i = 0; i < 300; i++)
		buf_printf(&text, "%s\"s%d\": 1", i ? ", " : "", i);
	buf_puts(&text, "}");
	assert_int_equal(place_read(&p, "a.json", buf_text(&text)), GOFER_INVALID);
	assert_int_equal(p.faults.count, CONFIG_FAULTS_MAX);
	buf_release(&text);
	place_leave(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_json_file_is_read),
		cmocka_unit_test(null_takes_back_what_was_set),
		cmocka_unit_test(faults_of_a_json_file_are_told_by_line),
		cmocka_unit_test(a_json_value_knows_its_line),
		cmocka_unit_test(of_very_many_faults_in_json_some_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
