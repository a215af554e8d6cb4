/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/utf8.h"

static void every_character_comes_back(void **state)
{
	uint32_t code;
	char text[4];

	(void)state;
	for (uint32_t i = 0; i <= 0x10FFFF; i++) {
		size_t length = utf8_encode(text, i);
		size_t read = utf8_decode(text, length, &code);
		if (i >= 0xD800 && i <= 0xDFFF) {
			assert_int_equal(length, 3);
			assert_int_equal(code, UTF8_INVALID);
		} else if (code != i || read != length) {
			fail_msg("U+%04X is read as %u of %zu bytes", (unsigned)i, (unsigned)code,
			         read);
		}
	}
}

static void what_is_none(void **state)
{
	static const struct {
		const char *text;
		size_t taken;
	} cases[] = {
		{"\x80", 1},
		{"\xBF", 1},
		{"\xC0\x80", 1},
		{"\xC1\xBF", 1},
		{"\xC3", 1},
		{"\xC3x", 1},
		{"\xE0\x9F\xBF", 1},
		{"\xE2\x98", 2},
		{"\xE2\x98x", 2},
		{"\xED\xA0\x80", 1},
		{"\xF0\x8F\xBF\xBF", 1},
		{"\xF0\x9F\x98", 3},
		{"\xF4\x90\x80\x80", 1},
		{"\xF5\x80\x80\x80", 1},
		{"\xFF", 1},
	};
	uint32_t code;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		code = 0;
		assert_int_equal(utf8_decode(cases[i].text, strlen(cases[i].text), &code),
		                 cases[i].taken);
		assert_int_equal(code, UTF8_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_comes_back),
		cmocka_unit_test(what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
