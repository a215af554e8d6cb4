/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/call_args.h"

static struct call_args args;
static struct error error;

static int reset(void **state)
{
	(void)state;
	call_args_release(&args);
	error = (struct error)ERROR_NONE;
	return 0;
}

static enum gofer_err words(int argc, const char *const *argv)
{
	return call_args_words(&args, argc, (char **)argv, &error);
}

static void assert_json(const struct cJSON *value, const char *expected)
{
	char *text = json_text(value);

	assert_string_equal(text, expected);
	free(text);
}

static void each_form_is_what_it_says(void **state)
{
	static const char *const argv[] = {
		"hello",
		"5",
		"-7",
		"123456789012345678901234567890",
		"007",
		"+5",
		"1.5",
		"",
		":={\"a\": [1, 1e400]}",
		"http://x/?y=z",
		"a b=c",
		"1a=2",
		":=null",
		"true",
	};

	(void)state;
	assert_int_equal(words(sizeof(argv) / sizeof(*argv), argv), GOFER_OK);
	assert_json(args.args,
	            "[\"hello\", 5, -7, 123456789012345678901234567890, \"007\", \"+5\", \"1.5\", "
	            "\"\", {\"a\": [1, 1e400]}, \"http://x/?y=z\", \"a b=c\", \"1a=2\", null, "
	            "\"true\"]");
	assert_json(args.kws, "{}");
}

static void keywords(void **state)
{
	static const char *const argv[] = {"a=1", "b=x=y", "c=", "_d:=[true]", "x", "e2:=\"@x\""};

	(void)state;
	assert_int_equal(words(6, argv), GOFER_OK);
	assert_json(args.args, "[\"x\"]");
	assert_json(args.kws,
	            "{\"_d\": [true], \"a\": 1, \"b\": \"x=y\", \"c\": \"\", \"e2\": \"@x\"}");
}

static void a_keyword_given_twice_is_wrong(void **state)
{
	static const char *const argv[] = {"a=1", "a:=2"};

	(void)state;
	assert_int_equal(words(2, argv), GOFER_INVALID);
	assert_string_equal(error.text, "\"a\" is given twice");
}

static void wrong_json_is_told(void **state)
{
	static const char *const argv[] = {"a:={"};

	(void)state;
	assert_int_equal(words(1, argv), GOFER_INVALID);
	assert_non_null(strstr(error.text, "a:={: no JSON: "));
}

static void text_that_is_no_utf8_is_refused(void **state)
{
	static const char *const argv[] = {"ab\xff"};

	(void)state;
	assert_int_equal(words(1, argv), GOFER_INVALID);
	assert_non_null(strstr(error.text, "no UTF-8 at byte 2"));
}

static void with_file(const char *content, size_t size, const char *format, char *word)
{
	char path[] = "/tmp/gofer-args-XXXXXX";
	int fd = mkstemp(path);
	const char *argv[] = {word};

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, size), (ssize_t)size);
	close(fd);
	sprintf(word, format, path);
	words(1, argv);
	unlink(path);
}

static void files_come_to_the_byte(void **state)
{
	char word[64];

	(void)state;
	with_file("a\nb\0c\n", 6, "@%s", word);
	assert_int_equal(error.code, GOFER_OK);
	assert_json(args.args, "[\"a\\nb\\u0000c\\n\"]");
	with_file("5", 1, "n=@%s", word);
	assert_json(args.kws, "{\"n\": \"5\"}");
	with_file(" [1.0]\n", 7, "n:=@%s", word);
	assert_json(args.kws, "{\"n\": [1.0]}");
	with_file("", 0, "@%s", word);
	assert_json(args.args, "[\"\"]");
	with_file("x\xff", 2, "@%s", word);
	assert_int_equal(error.code, GOFER_INVALID);
	assert_non_null(strstr(error.text, "no UTF-8 at byte 1"));
}

static void a_missing_file_is_told(void **state)
{
	static const char *const argv[] = {"@/nonexistent/file"};

	(void)state;
	assert_int_equal(words(1, argv), GOFER_INVALID);
	assert_non_null(strstr(error.text, "/nonexistent/file: No such file"));
}

static void targets(void **state)
{
	static const char *const wrong[] = {"", "a", ".a", "a.", "."};

	(void)state;
	assert_int_equal(call_args_target(&args, "Dog.bark", &error), GOFER_OK);
	assert_string_equal(args.classname, "Dog");
	assert_string_equal(args.method, "bark");
	assert_int_equal(call_args_target(&args, "a.b.c", &error), GOFER_OK);
	assert_string_equal(args.method, "b.c");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(call_args_target(&args, wrong[i], &error), GOFER_INVALID);
	assert_true(call_args_is_target("Dog.bark"));
	assert_false(call_args_is_target("web"));
	assert_false(call_args_is_target("web.example.com"));
	assert_false(call_args_is_target("exchange/queue.a"));
}

static void pairs(void **state)
{
	static const char *const wrong[] = {"[]", "{}", "[[]]", "[[], {}, 1]", "[{}, []]", "[1"};

	(void)state;
	assert_int_equal(call_args_input(&args, "[[1, \"a\"], {\"x\": 2.0}]", &error), GOFER_OK);
	assert_json(args.args, "[1, \"a\"]");
	assert_json(args.kws, "{\"x\": 2.0}");
	assert_int_equal(call_args_cntr(&args, "[[], {}]", &error), GOFER_OK);
	assert_json(args.cntr_args, "[]");
	assert_json(args.cntr_kws, "{}");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(call_args_input(&args, wrong[i], &error), GOFER_INVALID);
	assert_json(args.args, "[1, \"a\"]");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_form_is_what_it_says, reset, reset),
		cmocka_unit_test_setup_teardown(keywords, reset, reset),
		cmocka_unit_test_setup_teardown(a_keyword_given_twice_is_wrong, reset, reset),
		cmocka_unit_test_setup_teardown(wrong_json_is_told, reset, reset),
		cmocka_unit_test_setup_teardown(text_that_is_no_utf8_is_refused, reset, reset),
		cmocka_unit_test_setup_teardown(files_come_to_the_byte, reset, reset),
		cmocka_unit_test_setup_teardown(a_missing_file_is_told, reset, reset),
		cmocka_unit_test_setup_teardown(targets, reset, reset),
		cmocka_unit_test_setup_teardown(pairs, reset, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
