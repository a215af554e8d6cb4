/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "core/error.h"

static void set_fills_and_returns_the_code(void **state)
{
	struct error error = ERROR_NONE;

	(void)state;
	assert_int_equal(error_set(&error, GOFER_TIMEOUT, "no answer in %d s", 5), GOFER_TIMEOUT);
	assert_int_equal(error.code, GOFER_TIMEOUT);
	assert_string_equal(error.text, "no answer in 5 s");
}

static void no_error_to_fill_is_fine(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, GOFER_IO, "x"), GOFER_IO);
	assert_int_equal(error_errno(NULL, GOFER_IO, ENOENT, "x"), GOFER_IO);
	assert_int_equal(error_prefix(NULL, "x"), GOFER_FAILED);
}

static void text_stays_one_line(void **state)
{
	struct error error = ERROR_NONE;

	(void)state;
	error_set(&error, GOFER_INVALID,
	          "a\nb\tc\x7f"
	          "d \xc3\xa9");
	assert_string_equal(error.text, "a?b?c?d \xc3\xa9");
}

static void long_text_is_cut(void **state)
{
	struct error error = ERROR_NONE;
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	error_set(&error, GOFER_INVALID, "%s", text);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

static void text_is_never_cut_inside_a_character(void **state)
{
	static const char *const characters[] = {"\xc3\xa9", "\xe2\x98\x83", "\xf0\x9f\x98\x80"};
	struct error error = ERROR_NONE;
	char text[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
		size_t length = strlen(characters[i]);
		for (size_t before = 0; before < length; before++) {
			memset(text, 'x', before);
			text[before] = '\0';
			while (strlen(text) < 1000)
				strcat(text, characters[i]);
			error_set(&error, GOFER_INVALID, "%s", text);
			assert_int_equal((strlen(error.text) - before) % length, 0);
			assert_true(strlen(error.text) + length >= sizeof(error.text));
		}
	}
}

static void errno_is_told(void **state)
{
	struct error error = ERROR_NONE;

	(void)state;
	assert_int_equal(error_errno(&error, GOFER_IO, ENOENT, "can't open %s", "/x"), GOFER_IO);
	assert_string_equal(error.text, "can't open /x: No such file or directory");
}

static void prefixes_gather(void **state)
{
	struct error error = ERROR_NONE;

	(void)state;
	error_set(&error, GOFER_INVALID, "expected a number");
	assert_int_equal(error_prefix(&error, "line %d", 3), GOFER_INVALID);
	assert_int_equal(error_prefix(&error, "demo.conf"), GOFER_INVALID);
	assert_string_equal(error.text, "demo.conf: line 3: expected a number");
}

static void an_error_may_quote_itself(void **state)
{
	struct error error = ERROR_NONE;

	(void)state;
	error_set(&error, GOFER_INVALID, "inner");
	error_set(&error, GOFER_FAILED, "outer (%s)", error.text);
	assert_string_equal(error.text, "outer (inner)");
}

static void every_code_has_a_name(void **state)
{
	(void)state;
	for (int code = GOFER_OK; code <= GOFER_CANCELLED; code++)
		assert_string_not_equal(error_name((enum gofer_err)code), "unknown");
	assert_string_equal(error_name(GOFER_TIMEOUT), "timeout");
	assert_string_equal(error_name((enum gofer_err)999), "unknown");
	assert_string_equal(error_name((enum gofer_err) - 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_fills_and_returns_the_code),
		cmocka_unit_test(no_error_to_fill_is_fine),
		cmocka_unit_test(text_stays_one_line),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(text_is_never_cut_inside_a_character),
		cmocka_unit_test(errno_is_told),
		cmocka_unit_test(prefixes_gather),
		cmocka_unit_test(an_error_may_quote_itself),
		cmocka_unit_test(every_code_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
