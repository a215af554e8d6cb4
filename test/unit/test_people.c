/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cmd/people.h"

static void assert_line(const char *text, unsigned columns, const char *expected)
{
	struct buf out = BUF_INIT;

	people_line(&out, text, columns);
	assert_string_equal(buf_text(&out), expected);
	buf_release(&out);
}

static void words_of_others_are_harmless(void **state)
{
	(void)state;
	assert_line("plain, gr\xc3\xbcn \xe6\xbc\xa2 \xf0\x9f\x98\x80", PEOPLE_WHOLE,
	            "plain, gr\xc3\xbcn \xe6\xbc\xa2 \xf0\x9f\x98\x80");
	assert_line("a\tb\nc", PEOPLE_WHOLE, "a b c");
	assert_line("\033[2J\a\r\x7f", PEOPLE_WHOLE, "?[2J???");
	assert_line("\xc2\x9b"
	            "2J",
	            PEOPLE_WHOLE, "?2J"); /* CSI in one character */
	assert_line("\xff\xc3x", PEOPLE_WHOLE, "??x");
	assert_line("\xe2\x80\xae\xe2\x80\xa8\xe2\x81\xa6\xd8\x9c", PEOPLE_WHOLE, "????");
	assert_line("\xc0\x80", PEOPLE_WHOLE, "??");
}

static void a_line_is_cut_by_characters(void **state)
{
	(void)state;
	assert_line("\xc3\xa9\xc3\xa9\xc3\xa9", 2, "\xc3\xa9\xc3\xa9");
	assert_line("abc", 3, "abc");
	assert_line("abc", 0, "");
	assert_int_equal(people_width("\xc3\xa9"
	                              "a\xe6\xbc\xa2"),
	                 3);
}

static void lines_stay_in_text(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	people_text(&out, "a\tb\n\033c\0d", 8);
	assert_string_equal(buf_text(&out), "a\tb\n?c?d");
	buf_release(&out);
}

static void ages(void **state)
{
	static const struct {
		double seconds;
		const char *text;
	} cases[] = {
		{-1, "0.0s"},     {0, "0.0s"},       {0.44, "0.4s"},     {9.9, "9.9s"},
		{10, "10s"},      {59.9, "59s"},     {60, "1m00s"},      {192.5, "3m12s"},
		{3599, "59m59s"}, {3600, "1h00m"},   {7500, "2h05m"},    {86399, "23h59m"},
		{86400, "1d00h"}, {273600, "3d04h"}, {1e9, "11574d01h"}, {1e300, "0s"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT;

		people_age(&out, cases[i].seconds);
		assert_string_equal(buf_text(&out), cases[i].text);
		buf_release(&out);
	}
}

static void bytes(void **state)
{
	static const struct {
		double bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},          {1023, "1023 B"}, {1024, "1.0 KiB"}, {1536 * 1024., "1.5 MiB"},
		{1e15, "909.5 TiB"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT;

		people_bytes(&out, cases[i].bytes);
		assert_string_equal(buf_text(&out), cases[i].text);
		buf_release(&out);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_others_are_harmless),
		cmocka_unit_test(a_line_is_cut_by_characters),
		cmocka_unit_test(lines_stay_in_text),
		cmocka_unit_test(ages),
		cmocka_unit_test(bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
