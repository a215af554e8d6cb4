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

static const struct config_property strict[] = {
	{"main", "name", CONFIG_TEXT, .required = true, .help = "Its name."},
	{.section = NULL},
};

/* --- merging --- */

static bool append_pair(void *arg, const char *key, const char *value)
{
	buf_printf(arg, "%s=%s;", key, value);
	return true;
}

static void later_files_win_and_know_their_lines(void **state)
{
	struct place p;
	const char *file = NULL;
	unsigned line = 0;
	struct buf pairs = BUF_INIT;

	(void)state;
	place_enter(&p, place_schema);
	place_read(&p, "a.conf", "[main]\nthreads=2\nenabled=1\n[own]\na=1\nb=2\n");
	place_read(&p, "b.conf", "\n[own]\nc=3\na=4\n[main]\nthreads=3\n");
	place_assert_faults(&p, "");
	assert_int_equal(config_integer(p.c, "main", "threads"), 3);
	assert_true(config_bool(p.c, "main", "enabled"));
	assert_true(config_where(p.c, "main", "threads", &file, &line));
	assert_string_equal(file, "b.conf");
	assert_int_equal(line, 6);
	config_each(p.c, "own", append_pair, &pairs);
	assert_string_equal(buf_text(&pairs), "a=4;b=2;c=3;");
	buf_release(&pairs);

	assert_int_equal(config_set(p.c, "main", "threads", "500", "--threads"), GOFER_OK);
	assert_true(config_where(p.c, "main", "threads", &file, &line));
	assert_string_equal(file, "--threads");
	assert_int_equal(line, 0);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	place_assert_faults(&p,
	                    "--threads: [main] threads: must be a whole number from 1 to 100; "
	                    "not \"500\"\n");
	place_leave(&p);
}

static bool append_value(void *arg, const char *section, const char *key, const char *value)
{
	buf_printf(arg, "%s.%s=%s;", section, key, value);
	return strcmp(value, "stop") != 0;
}

static void every_value_that_is_right_is_told(void **state)
{
	struct place p;
	struct buf values = BUF_INIT;

	(void)state;
	place_enter(&p, place_schema);
	place_read(&p, "a.conf", "[main]\nthreads=500\nenabled=1\n[own]\na=1\nb=stop\nc=3\n");
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	config_each_value(p.c, append_value, &values);
	assert_string_equal(buf_text(&values), "main.enabled=1;own.a=1;own.b=stop;");
	buf_release(&values);
	place_leave(&p);
}

static bool stop_at_once(void *arg, const char *key, const char *value)
{
	(void)key;
	(void)value;
	return ++*(int *)arg < 2;
}

static void whoever_asks_for_each_may_stop(void **state)
{
	struct place p;
	int count = 0;

	(void)state;
	place_enter(&p, place_schema);
	place_read(&p, "a.conf", "[own]\na=1\nb=2\nc=3\n");
	config_each(p.c, "own", stop_at_once, &count);
	assert_int_equal(count, 2);
	place_leave(&p);
}

static void a_directory_is_read_by_name(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	assert_int_equal(config_read_directory(p.c, "conf.d", &p.faults), GOFER_OK);
	mkdir("conf.d", 0700);
	assert_int_equal(config_read_directory(p.c, "conf.d", &p.faults), GOFER_OK);
	place_write("conf.d/20-b.conf", "[own]\na=20\n");
	place_write("conf.d/10-a.json", "{\"own\": {\"a\": 10, \"b\": 10}}");
	place_write("conf.d/.hidden.conf", "[own]\nhidden=1\n");
	place_write("conf.d/30-c.conf.bak", "[own]\na=bak\n");
	place_write("conf.d/conf", "[own]\na=conf\n");
	assert_int_equal(config_read_directory(p.c, "conf.d", &p.faults), GOFER_OK);
	place_assert_faults(&p, "");
	place_assert_text(&p, "own", "a", "20");
	place_assert_text(&p, "own", "b", "10");
	place_assert_text(&p, "own", "hidden", NULL);
	place_leave(&p);
}

static void all_files_of_a_directory_are_read_whatever_is_wrong(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	mkdir("conf.d", 0700);
	mkdir("conf.d/10-directory.conf", 0700);
	assert_int_equal(mkfifo("conf.d/20-pipe.conf", 0600), 0);
	assert_int_equal(symlink("nowhere", "conf.d/30-dangling.conf"), 0);
	place_write("conf.d/40-bad.conf", "x\n");
	place_write("conf.d/50-good.conf", "[own]\na=1\n");
	assert_int_equal(config_read_directory(p.c, "conf.d", &p.faults), GOFER_INVALID);
	place_assert_faults(&p,
	                    "conf.d/10-directory.conf: not a file\n"
	                    "conf.d/20-pipe.conf: not a file\n"
	                    "conf.d/30-dangling.conf: can't be opened: No such file or directory\n"
	                    "conf.d/40-bad.conf:1: neither a [section] nor key = value\n");
	place_assert_text(&p, "own", "a", "1");
	place_leave(&p);
}

static void what_is_no_directory_is_told(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	place_write("conf.d", "");
	assert_int_equal(config_read_directory(p.c, "conf.d", &p.faults), GOFER_INVALID);
	place_assert_faults(&p, "conf.d: can't be read: Not a directory\n");
	place_leave(&p);
}

static void files_that_cannot_be_read_are_told(void **state)
{
	struct place p;
	char *big = calloc(1, CONFIG_FILE_MAX + 1);

	(void)state;
	place_enter(&p, place_schema);
	assert_int_equal(config_read_file(p.c, "nosuch.conf", &p.faults), GOFER_NOTFOUND);
	assert_int_equal(config_read_file(p.c, "nosuch/a.conf", &p.faults), GOFER_NOTFOUND);
	place_assert_faults(&p, "");
	mkdir("dir.conf", 0700);
	assert_int_equal(config_read_file(p.c, "dir.conf", &p.faults), GOFER_INVALID);
	assert_int_equal(symlink("loop.conf", "loop.conf"), 0);
	assert_int_equal(config_read_file(p.c, "loop.conf", &p.faults), GOFER_INVALID);
	memset(big, '#', CONFIG_FILE_MAX + 1);
	place_write_bytes("big.conf", big, CONFIG_FILE_MAX);
	assert_int_equal(config_read_file(p.c, "big.conf", &p.faults), GOFER_OK);
	place_write_bytes("big.conf", big, CONFIG_FILE_MAX + 1);
	assert_int_equal(config_read_file(p.c, "big.conf", &p.faults), GOFER_INVALID);
	place_assert_faults(&p,
	                    "dir.conf: can't be read: Is a directory\n"
	                    "loop.conf: can't be opened: Too many levels of symbolic links\n"
	                    "big.conf: larger than 1048576 bytes\n");
	free(big);
	place_leave(&p);
}

/* --- checking --- */

static void unknown_keys_are_told_with_the_nearest(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	place_read(&p, "a.conf",
	           "[main]\n"
	           "thread = 1\n"
	           "url = x\n"
	           "colour = red\n"
	           "[logging]\n"
	           "anything = debug\n"
	           "[own]\n"
	           "anything = debug\n");
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	place_assert_faults(&p,
	                    "a.conf:2: [main] unknown key `thread`; did you mean `threads`?\n"
	                    "a.conf:3: [main] unknown key `url`; it belongs to [messaging]\n"
	                    "a.conf:4: [main] unknown key `colour`\n");
	place_assert_text(&p, "logging", "anything", "debug");
	place_assert_text(&p, "own", "anything", "debug");
	place_leave(&p);
}

static void values_must_be_of_their_kind(void **state)
{
	static const struct {
		const char *section, *key, *value;
		bool right;
	} cases[] = {
		{"main", "threads", "1", true},
		{"main", "threads", "100", true},
		{"main", "threads", "0", false},
		{"main", "threads", "101", false},
		{"main", "threads", "-1", false},
		{"main", "threads", "1.5", false},
		{"main", "threads", "+1", false},
		{"main", "threads", "1x", false},
		{"main", "threads", "0x10", false},
		{"main", "threads", "99999999999999999999", false},
		{"main", "offset", "-5", true},
		{"main", "offset", "-", false},
		{"main", "enabled", "TRUE", true},
		{"main", "enabled", "off", true},
		{"main", "enabled", "No", true},
		{"main", "enabled", "2", false},
		{"main", "enabled", "y", false},
		{"main", "latency", "0", true},
		{"main", "latency", "1h", true},
		{"main", "latency", "-1", false},
		{"main", "latency", "1w", false},
		{"main", "latency", "nan", false},
		{"messaging", "max", "1024", true},
		{"messaging", "max", "1G", true},
		{"messaging", "max", "2g", false},
		{"messaging", "max", "1", false},
		{"messaging", "max", "1mb", false},
		{"messaging", "max", "-4k", false},
		{"messaging", "max", "9007199254740992g", false},
		{"model", "kind", "direct", true},
		{"model", "kind", "fork", true},
		{"model", "kind", "direct|fork", false},
		{"model", "kind", "Fork", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place p;
		place_enter(&p, place_schema);
		config_set(p.c, cases[i].section, cases[i].key, cases[i].value, "--x");
		if (config_check(p.c, &p.faults) != (cases[i].right ? GOFER_OK : GOFER_INVALID))
			fail_msg("%s = %s: %s", cases[i].key, cases[i].value,
			         buf_text(&p.faults.text));
		place_leave(&p);
	}
}

static void faults_of_kind_say_what_would_be_right(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	place_read(&p, "a.conf",
	           "[main]\nthreads=x\nenabled=2\nlatency=soon\noffset=1.5\n"
	           "[messaging]\nmax=huge\n[model]\nkind=a value that is too long to be shown as a "
	           "whole\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\n");
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	place_assert_faults(
		&p,
		"a.conf:2: [main] threads: must be a whole number from 1 to 100; not \"x\"\n"
		"a.conf:3: [main] enabled: must be 1 or 0, true or false, yes or no, on or off; "
		"not \"2\"\n"
		"a.conf:4: [main] latency: must be a time, as in 90, 1.5, 10s, 2m, 1h, 3d; not "
		"\"soon\"\n"
		"a.conf:5: [main] offset: must be a whole number; not \"1.5\"\n"
		"a.conf:7: [messaging] max: must be a number of bytes, as in 65536, 64k, 8m, 1g, "
		"from 1024 to 1073741824; not \"huge\"\n"
		"a.conf:9: [model] kind: must be one of direct, fork; not \"a value that is too "
		"long to be shown as a whole\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9...\"\n");
	/* what is wrong does as if not set */
	assert_int_equal(config_integer(p.c, "main", "threads"), 1);
	assert_false(config_bool(p.c, "main", "enabled"));
	assert_true(config_duration(p.c, "main", "latency") == 1.5);
	assert_int_equal(config_integer(p.c, "main", "offset"), 0);
	place_assert_text(&p, "main", "offset", NULL);
	place_assert_text(&p, "model", "kind", "direct");
	place_leave(&p);
}

static void typed_getters_give_the_default_for_what_was_not_checked(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	place_read(&p, "a.conf", "[main]\nthreads=x\n[own]\nsize=4k\nn=7\nt=1m\nb=on\nbad=x\n");
	assert_int_equal(config_integer(p.c, "main", "threads"), 1);
	assert_int_equal(config_size(p.c, "own", "size"), 4096);
	assert_int_equal(config_integer(p.c, "own", "n"), 7);
	assert_true(config_duration(p.c, "own", "t") == 60);
	assert_true(config_bool(p.c, "own", "b"));
	assert_int_equal(config_integer(p.c, "own", "bad"), 0);
	place_leave(&p);
}

static void required_keys_must_be_there(void **state)
{
	static const char *const cases[][2] = {
		{"", "a.conf: [main] name: is required, and missing\n"},
		{"\n[main]\n", "a.conf:2: [main] name: is required, and missing\n"},
		{"[main]\n[own]\n[main]\n", "a.conf:3: [main] name: is required, and missing\n"},
		{"[main]\nname =\n", "a.conf:2: [main] name: is required, and empty\n"},
		{"[main]\nname = x\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place p;
		place_enter(&p, strict);
		assert_int_equal(place_read(&p, "a.conf", cases[i][0]), GOFER_OK);
		config_set(p.c, "own", "x", "y", "--x"); /* has nothing to do with it */
		config_check(p.c, &p.faults);
		place_assert_faults(&p, cases[i][1]);
		place_leave(&p);
	}
}

static void without_a_file_no_file_is_told(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, strict);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	place_assert_faults(&p, "[main] name: is required, and missing\n");
	place_leave(&p);
}

static void a_fault_is_one_line(void **state)
{
	struct config_faults faults = {0};

	(void)state;
	config_fault(&faults, "f", 3, "a\nb%s", "\x1b[31m");
	config_fault(&faults, NULL, 3, "c");
	assert_string_equal(buf_text(&faults.text), "f:3: a?b?[31m\nc\n");
	assert_int_equal(faults.count, 2);
	config_faults_release(&faults);
	assert_int_equal(faults.count, 0);
	config_faults_release(&faults);
	config_free(NULL);
}

static void the_schema_is_the_documentation(void **state)
{
	static const struct config_property some[] = {
		{"main", "threads", CONFIG_INTEGER, "1", .min = 1, .max = 9, .help = "How many."},
		{"main", "name", CONFIG_TEXT, .required = true, .help = "Which."},
		{"main", "max", CONFIG_SIZE, "8m", .help = "How big."},
		{"model", "kind", CONFIG_CHOICE, "a", .choices = "a|b|c", .help = "In what way."},
		{"logging", "*", CONFIG_TEXT, .help = "Levels."},
		{.section = NULL},
	};
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(config_print_schema(&out, some), GOFER_OK);
	assert_string_equal(buf_text(&out),
	                    "`[main] threads`: a whole number from 1 to 9; default `1`.\n"
	                    "How many.\n"
	                    "\n"
	                    "`[main] name`: text; required.\n"
	                    "Which.\n"
	                    "\n"
	                    "`[main] max`: a number of bytes, as in 65536, 64k, 8m, 1g; default "
	                    "`8m`.\n"
	                    "How big.\n"
	                    "\n"
	                    "`[model] kind`: one of a, b, c; default `a`.\n"
	                    "In what way.\n"
	                    "\n"
	                    "`[logging] *`: text.\n"
	                    "Levels.\n"
	                    "\n");
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later_files_win_and_know_their_lines),
		cmocka_unit_test(every_value_that_is_right_is_told),
		cmocka_unit_test(whoever_asks_for_each_may_stop),
		cmocka_unit_test(a_directory_is_read_by_name),
		cmocka_unit_test(all_files_of_a_directory_are_read_whatever_is_wrong),
		cmocka_unit_test(what_is_no_directory_is_told),
		cmocka_unit_test(files_that_cannot_be_read_are_told),
		cmocka_unit_test(unknown_keys_are_told_with_the_nearest),
		cmocka_unit_test(values_must_be_of_their_kind),
		cmocka_unit_test(faults_of_kind_say_what_would_be_right),
		cmocka_unit_test(typed_getters_give_the_default_for_what_was_not_checked),
		cmocka_unit_test(required_keys_must_be_there),
		cmocka_unit_test(without_a_file_no_file_is_told),
		cmocka_unit_test(a_fault_is_one_line),
		cmocka_unit_test(the_schema_is_the_documentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
