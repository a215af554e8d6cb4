/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/literal.h"

static void literals_have_a_value_and_an_end(void **state)
{
	static const struct {
		const char *text, *value, *behind;
	} cases[] = {
		{"None", "null", ""},
		{" True,", "true", ","},
		{"False)", "false", ")"},
		{"0", "0", ""},
		{"-12 ", "-12", " "},
		{"+3", "3", ""},
		{"1.50", "1.50", ""},
		{"1e-3", "1e-3", ""},
		{"9007199254740993", "9007199254740993", ""},
		{"''", "\"\"", ""},
		{"'a\"b'", "\"a\\\"b\"", ""},
		{"\"it's\" x", "\"it's\"", " x"},
		{"'\\\\ \\' \\\" \\a\\b\\f\\n\\r\\t\\v'",
	         "\"\\\\ ' \\\" \\u0007\\b\\f\\n\\r\\t\\u000b\"", ""},
		{"'\\x41\\xe9\\u20ac\\U0001f600'", "\"A\\u00e9\\u20ac\\ud83d\\ude00\"", ""},
		{"'\\x00\\ud800'", "\"\\u0000\\ud800\"", ""},
		{"'\xC3\xA9'", "\"\\u00e9\"", ""},
		{"[]", "[]", ""},
		{"[ 1 , 'a', ]", "[1, \"a\"]", ""},
		{"{}", "{}", ""},
		{"{'b': [None], 'a' : {},}", "{\"a\": {}, \"b\": [null]}", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *at = cases[i].text;
		struct error error = ERROR_NONE;
		struct cJSON *value = literal_parse(&at, &error);
		if (!value)
			fail_msg("%s: %s", cases[i].text, error.text);
		char *text = json_text(value);
		assert_string_equal(text, cases[i].value);
		assert_string_equal(at, cases[i].behind);
		free(text);
		cJSON_Delete(value);
	}
}

static void faults_are_told_where_they_are(void **state)
{
	static const char word[] = "not a literal", number[] = "not a number",
			  quote[] = "without its closing quote", escape[] = "not an escape";
	static const struct {
		const char *text, *fault;
		size_t at;
	} cases[] = {
		{"", word, 0},
		{"null", word, 0},
		{"Nonesuch", word, 0},
		{"(1, 2)", word, 0},
		{"b'x'", word, 0},
		{"01", number, 0},
		{"1.", number, 0},
		{".5", number, 0},
		{"1e", number, 0},
		{"0x1f", number, 0},
		{"1_000", number, 0},
		{"-", number, 0},
		{"'abc", quote, 4},
		{"'a\nb'", quote, 2},
		{"'\\", escape, 1},
		{"'\\q'", escape, 1},
		{"'\\x4'", escape, 1},
		{"'\\u12g4'", escape, 1},
		{"'\\U00110000'", escape, 1},
		{"[1", "`,` or `]` expected", 2},
		{"[1,,2]", word, 3},
		{"{1: 2}", "the key of a dict must be a string", 1},
		{"{'a' 2}", "`:` expected", 5},
		{"{'a': 2", "`,` or `}` expected", 7},
		{"{'a", quote, 3},
		{"{'a':", word, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *at = cases[i].text;
		struct error error = ERROR_NONE;
		assert_null(literal_parse(&at, &error));
		assert_int_equal(error.code, GOFER_INVALID);
		if (!strstr(error.text, cases[i].fault))
			fail_msg("%s: %s", cases[i].text, error.text);
		assert_int_equal(at - cases[i].text, cases[i].at);
	}
}

static void depth_has_an_end(void **state)
{
	char text[4 * LITERAL_MAX_DEPTH];
	struct error error = ERROR_NONE;

	(void)state;
	for (int depth = LITERAL_MAX_DEPTH; depth <= LITERAL_MAX_DEPTH + 1; depth++) {
		memset(text, '[', (size_t)depth);
		memset(text + depth, ']', (size_t)depth);
		text[2 * depth] = '\0';
		const char *at = text;
		struct cJSON *value = literal_parse(&at, &error);
		assert_int_equal(value != NULL, depth <= LITERAL_MAX_DEPTH);
		cJSON_Delete(value);
	}
	assert_string_equal(error.text, "lists and dicts too deep in one another");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_have_a_value_and_an_end),
		cmocka_unit_test(faults_are_told_where_they_are),
		cmocka_unit_test(depth_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
