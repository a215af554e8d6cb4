/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- help ----------------------------------------------------------------------------- */

static struct cJSON *parse_bytes(const char *text, size_t size)
{
	struct error error = ERROR_NONE;
	/* As long as the text, so that a read past its end is seen. */
	char *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, text, size);
	struct cJSON *value = json_parse(copy, size, &error);
	free(copy);
	if (!value)
		fail_msg("%s: %s", text, error.text);
	return value;
}

static struct cJSON *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void assert_prints(const struct cJSON *value, const char *expected)
{
	char *text = json_text(value);

	assert_string_equal(text, expected);
	free(text);
}

static void assert_becomes(const char *text, const char *expected)
{
	struct cJSON *value = parse(text);

	assert_prints(value, expected);
	cJSON_Delete(value);
}

static void assert_refused_bytes(const char *text, size_t size, const char *expected)
{
	struct error error = ERROR_NONE;
	char *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, text, size);
	struct cJSON *value = json_parse(copy, size, &error);
	free(copy);
	if (value)
		fail_msg("%s was taken, not refused: %s", text, expected);
	assert_int_equal(error.code, GOFER_INVALID);
	assert_string_equal(error.text, expected);
}

static void assert_refused(const char *text, const char *expected)
{
	assert_refused_bytes(text, strlen(text), expected);
}

static char *repeated(const char *piece, size_t count)
{
	size_t size = strlen(piece);
	char *text = malloc(size * count + 1);

	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		memcpy(text + i * size, piece, size);
	text[size * count] = '\0';
	return text;
}

/* --- exactness ------------------------------------------------------------------------ */

static void values_come_back_as_they_were(void **state)
{
	static const char *const cases[] = {
		"null",
		"true",
		"false",
		"0",
		"-1",
		"42",
		"[]",
		"{}",
		"\"\"",
		"[1, 2.5, null, true, {\"u\": \"\\u2603\"}]",
		"{\"a\": {\"b\": {\"c\": []}}, \"b\": {}}",
		/* what a double or a C string can't hold */
		"9007199254740993",
		"-9007199254740993",
		"123456789012345678901234567890",
		"999999999999999",
		"1234567890123456",
		"1.0",
		"-0",
		"-0.0",
		"0.10",
		"1e400",
		"-1E+400",
		"1e-400",
		"1E5",
		"0e0",
		"3.141592653589793238462643383279502884197",
		"\"a\\u0000b\"",
		"\"\\u0000\"",
		"{\"\\u0000\": 1}",
		"\"\\ud800\"",
		"\"\\udfff\"",
		"\"\\udc00\\ud800\"",
		"\"\\ud800\\ud800\\udc00\"",
		"\"\\ud83d\\ude00\"",
		"\"\\udbff\\udfff\"",
		"\"\\u007f\\u0080\\u07ff\\u0800\\ud7ff\\ue000\\ufffd\\uffff\"",
		"\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\"",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_becomes(cases[i], cases[i]);
}

static void other_spellings_are_written_in_one(void **state)
{
	static const char *const cases[][2] = {
		{" \t\r\n[ 1 ,\n2 ] ", "[1, 2]"},
		{"{\"b\":1,\"a\":2}", "{\"a\": 2, \"b\": 1}"},
		{"\"\\/\\u0041\\u00E9\"", "\"/A\\u00e9\""},
		{"\"h\xc3\xa9 \xe2\x98\x83 \xf0\x9f\x98\x80\"",
	         "\"h\\u00e9 \\u2603 \\ud83d\\ude00\""},
		{"\"\x7f\"", "\"\\u007f\""},
		{"\"\\uD83D\\uDE00\"", "\"\\ud83d\\ude00\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_becomes(cases[i][0], cases[i][1]);
}

static void nul_and_lone_surrogates_are_held_as_the_header_says(void **state)
{
	struct cJSON *value = parse("\"a\\u0000\\ud800b\"");

	(void)state;
	assert_string_equal(json_string(value),
	                    "a\xC0\x80\xED\xA0\x80"
	                    "b");
	assert_false(json_string_is_plain(value));
	cJSON_Delete(value);
}

static void plain_strings(void **state)
{
	static const char *const plain[] = {"\"\"", "\"x\"",
	                                    "\"\xc3\xa9\\ud7ff\\ue000\\ud83d\\ude00\""};
	static const char *const other[] = {"\"\\u0000\"", "\"x\\udfff\"", "1", "null", "[]"};

	(void)state;
	for (size_t i = 0; i < COUNT(plain); i++) {
		struct cJSON *value = parse(plain[i]);
		assert_true(json_string_is_plain(value));
		cJSON_Delete(value);
	}
	for (size_t i = 0; i < COUNT(other); i++) {
		struct cJSON *value = parse(other[i]);
		assert_false(json_string_is_plain(value));
		cJSON_Delete(value);
	}
	assert_false(json_string_is_plain(NULL));
}

/* --- objects -------------------------------------------------------------------------- */

static void keys_are_sorted_by_their_characters(void **state)
{
	(void)state;
	assert_becomes("{\"b\": 1, \"\": 2, \"aa\": 3, \"a\": 4, \"B\": 5}",
	               "{\"\": 2, \"B\": 5, \"a\": 4, \"aa\": 3, \"b\": 1}");
	assert_becomes(
		"{\"\\u00e9\": 1, \"\\ud83d\\ude00\": 2, \"\\uffff\": 3, \"\\ud800\": 4, \"z\": 5}",
		"{\"z\": 5, \"\\u00e9\": 1, \"\\ud800\": 4, \"\\uffff\": 3, "
		"\"\\ud83d\\ude00\": 2}");
	assert_becomes("{\"a\\u0001\": 1, \"a\\u0000\": 2, \"a\": 3, \"a \": 4, \"a\\u0000b\": 5}",
	               "{\"a\": 3, \"a\\u0000\": 2, \"a\\u0000b\": 5, \"a\\u0001\": 1, \"a \": 4}");
}

static void the_last_of_equal_keys_counts(void **state)
{
	struct cJSON *value = parse("{\"b\": 1, \"a\": 2, \"b\": 3, \"a\": 4, \"b\": 5}");

	(void)state;
	assert_int_equal(cJSON_GetArraySize(value), 2);
	assert_true(json_get(value, "a")->valuedouble == 4);
	assert_true(json_get(value, "b")->valuedouble == 5);
	assert_prints(value, "{\"a\": 4, \"b\": 5}");
	cJSON_Delete(value);
	assert_becomes("{\"a\": 1, \"a\": 2}", "{\"a\": 2}");
	assert_becomes("{\"a\": 1, \"\\u0061\": {}}", "{\"a\": {}}");
}

/* cJSON's own functions go on from where the parser leaves a tree. */
static void a_parsed_tree_can_be_changed(void **state)
{
	struct cJSON *value = parse("{\"c\": [1], \"a\": 2}"), *array = json_get(value, "c");

	(void)state;
	cJSON_AddItemToArray(array, cJSON_CreateNumber(2));
	cJSON_AddStringToObject(value, "b", "new");
	cJSON_AddNullToObject(value, "a");
	assert_prints(value, "{\"a\": null, \"b\": \"new\", \"c\": [1, 2]}");
	cJSON_DeleteItemFromObjectCaseSensitive(value, "b");
	assert_prints(value, "{\"a\": null, \"c\": [1, 2]}");
	assert_true(cJSON_IsNull(json_get(value, "a")));
	cJSON_Delete(value);
}

static void links_are_whole_after_sorting(void **state)
{
	struct cJSON *value = parse("{\"d\": 1, \"b\": 2, \"c\": 3, \"a\": 4, \"b\": 5}");
	const struct cJSON *last = NULL;

	(void)state;
	for (const struct cJSON *m = value->child; m; m = m->next) {
		if (last)
			assert_ptr_equal(m->prev, last);
		last = m;
	}
	assert_ptr_equal(value->child->prev, last);
	cJSON_Delete(value);
}

static void members_are_found(void **state)
{
	struct cJSON *value = parse("{\"a\": 1, \"A\": 2}");

	(void)state;
	assert_true(json_get(value, "A")->valuedouble == 2);
	assert_null(json_get(value, "b"));
	assert_null(json_get(json_get(value, "a"), "a"));
	assert_null(json_get(NULL, "a"));
	assert_null(json_string(json_get(value, "a")));
	assert_null(json_string(NULL));
	cJSON_Delete(value);
}

/* --- numbers -------------------------------------------------------------------------- */

static void doubles_are_written_as_python_does(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{0, "0"},
		{-0.0, "-0.0"},
		{3, "3"},
		{-17, "-17"},
		{1000000, "1000000"},
		{9007199254740991.0, "9007199254740991"},
		{-9007199254740991.0, "-9007199254740991"},
		{9007199254740992.0, "9007199254740992.0"},
		{9999999999999998.0, "9999999999999998.0"},
		{1e16, "1e+16"},
		{-1.5e16, "-1.5e+16"},
		{12345678901234567890.0, "1.2345678901234567e+19"},
		{1e22, "1e+22"},
		{1e300, "1e+300"},
		{DBL_MAX, "1.7976931348623157e+308"},
		{0.1, "0.1"},
		{2.5, "2.5"},
		{1.0 / 3, "0.3333333333333333"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1125899906842624.5, "1125899906842624.5"},
		{0.0001, "0.0001"},
		{0.00001, "1e-05"},
		{1.5e-7, "1.5e-07"},
		{DBL_MIN, "2.2250738585072014e-308"},
		{5e-324, "5e-324"},
		{3.5e-320, "3.5e-320"},
		{INFINITY, "null"},
		{-INFINITY, "null"},
		{NAN, "null"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cJSON *value = cJSON_CreateNumber(cases[i].value);
		assert_prints(value, cases[i].text);
		cJSON_Delete(value);
	}
}

static void numbers_made_from_text(void **state)
{
	struct cJSON *value = json_number_from_text("12345678901234567890");

	(void)state;
	assert_prints(value, "12345678901234567890");
	assert_true(value->valuedouble == 12345678901234567890.0);
	cJSON_Delete(value);
	value = json_number_from_text("-12");
	assert_true(value->valuedouble == -12 && value->valueint == -12);
	assert_prints(value, "-12");
	cJSON_Delete(value);
}

static void the_double_is_set_too(void **state)
{
	struct cJSON *value = parse("[2.5e3, 9007199254740993, 1e400, -1e400, 1e-400, 3000000000]");
	static const double expected[] = {2500, 9007199254740992.0, INFINITY, -INFINITY, 0, 3e9};

	(void)state;
	for (int i = 0; i < (int)COUNT(expected); i++)
		assert_true(cJSON_GetArrayItem(value, i)->valuedouble == expected[i]);
	assert_int_equal(cJSON_GetArrayItem(value, 5)->valueint, INT32_MAX);
	assert_int_equal(cJSON_GetArrayItem(value, 3)->valueint, INT32_MIN);
	cJSON_Delete(value);
}

static void whole_numbers(void **state)
{
	static const struct {
		const char *text;
		long long value;
	} cases[] = {
		{"0", 0},
		{"-0", 0},
		{"0.000", 0},
		{"0e99", 0},
		{"7", 7},
		{"1.0", 1},
		{"1e2", 100},
		{"1.25e2", 125},
		{"100e-2", 1},
		{"-3.0", -3},
		{"9007199254740993", 9007199254740993},
		{"9007199254740993.0", 9007199254740993},
		{"900719925474099300e-2", 9007199254740993},
		{"9223372036854775807", INT64_MAX},
		{"-9223372036854775808", INT64_MIN},
		{"9.223372036854775807E18", INT64_MAX},
		{"0.0000001e7", 1},
	};
	static const char *const others[] = {
		"1.5",
		"0.1",
		"1e-1",
		"1e400",
		"9223372036854775808",
		"-9223372036854775809",
		"1e19",
		"1e99999999999999999999",
		"1e-99999999999999999999",
		"true",
		"\"1\"",
		"null",
		"[1]",
	};
	long long out;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cJSON *value = parse(cases[i].text);
		out = -99;
		assert_true(json_integer(value, &out));
		assert_true(out == cases[i].value);
		cJSON_Delete(value);
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		struct cJSON *value = parse(others[i]);
		if (json_integer(value, &out))
			fail_msg("%s is %lld", others[i], out);
		cJSON_Delete(value);
	}
	assert_false(json_integer(NULL, &out));
}

static void whole_numbers_made_in_c(void **state)
{
	static const double others[] = {0.5, 9223372036854775808.0, -1e30, INFINITY, NAN};
	struct cJSON value = {.type = cJSON_Number, .valuedouble = -9223372036854775808.0};
	long long out;

	(void)state;
	assert_true(json_integer(&value, &out));
	assert_true(out == INT64_MIN);
	for (size_t i = 0; i < COUNT(others); i++) {
		value.valuedouble = others[i];
		assert_false(json_integer(&value, &out));
	}
}

/* --- printing what C made ------------------------------------------------------------- */

static void bytes_that_are_not_utf8_become_the_replacement(void **state)
{
	static const char *const cases[][2] = {
		{"a\xff"
	         "b",
	         "\"a\\ufffdb\""},
		{"\xc3", "\"\\ufffd\""},
		{"\xe2\x98", "\"\\ufffd\""},
		{"\xe2\x98z", "\"\\ufffdz\""},
		{"\xc1\xbf", "\"\\ufffd\\ufffd\""},
		{"\xed\xa0", "\"\\ufffd\\ufffd\""},
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cJSON *value = cJSON_CreateString(cases[i][0]);
		assert_prints(value, cases[i][1]);
		cJSON_Delete(value);
	}
}

static void strings_with_a_length(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(json_print_string(&b, "a\0b", 3), GOFER_OK);
	assert_string_equal(buf_text(&b), "\"a\\u0000b\"");
	buf_clear(&b);
	assert_int_equal(json_print_string(&b, "\xe2\x98\x83", 2), GOFER_OK);
	assert_string_equal(buf_text(&b), "\"\\ufffd\"");
	buf_release(&b);
}

static void objects_made_in_c_are_sorted(void **state)
{
	struct cJSON *value = cJSON_CreateObject();

	(void)state;
	cJSON_AddNumberToObject(value, "b", 1);
	cJSON_AddNumberToObject(value, "a", 2);
	cJSON_AddNumberToObject(value, "c", 3);
	cJSON_AddNumberToObject(value, "a", 4);
	assert_prints(value, "{\"a\": 4, \"b\": 1, \"c\": 3}");
	assert_true(json_get(value, "a")->valuedouble == 4);
	assert_string_equal(value->child->string, "b");
	cJSON_Delete(value);
}

static void nothing_is_null_and_raw_is_raw(void **state)
{
	struct cJSON *value = cJSON_CreateRaw("{ \"raw\":1}");

	(void)state;
	assert_prints(NULL, "null");
	assert_prints(value, "{ \"raw\":1}");
	cJSON_Delete(value);
}

static void printing_appends(void **state)
{
	struct cJSON *value = parse("[1]");
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "x ");
	assert_int_equal(json_print(&b, value), GOFER_OK);
	assert_string_equal(buf_text(&b), "x [1]");
	b.failed = true;
	assert_int_equal(json_print(&b, value), GOFER_NOMEM);
	buf_release(&b);
	cJSON_Delete(value);
}

/* --- refusals ------------------------------------------------------------------------- */

static void what_is_wrong_is_told_with_its_place(void **state)
{
	static const char *const cases[][2] = {
		{"", "line 1 column 1: expected a value, found the end of the text"},
		{"  \n ", "line 2 column 2: expected a value, found the end of the text"},
		{"{not json", "line 1 column 2: expected a key in double quotes, found n"},
		{"{'a': 1}", "line 1 column 2: expected a key in double quotes, found '"},
		{"{\"a\" 1}", "line 1 column 6: expected : after the key, found 1"},
		{"{\"a\": }", "line 1 column 7: expected a value, found }"},
		{"{\"a\": 1,}", "line 1 column 9: expected a key in double quotes, found }"},
		{"{\"a\": 1", "line 1 column 8: expected a comma or }, found the end of the text"},
		{"{\"a\": 1]", "line 1 column 8: expected a comma or }, found ]"},
		{"[1,]", "line 1 column 4: expected a value, found ]"},
		{"[1 2]", "line 1 column 4: expected a comma or ], found 2"},
		{"[", "line 1 column 2: expected a value, found the end of the text"},
		{"[1}", "line 1 column 3: expected a comma or ], found }"},
		{"]", "line 1 column 1: expected a value, found ]"},
		{"1 2", "line 1 column 3: expected the end of the text, found 2"},
		{"{}\n\n{}", "line 3 column 1: expected the end of the text, found {"},
		{"nul", "line 1 column 1: expected a value, found n"},
		{"nullx", "line 1 column 5: expected the end of the text, found x"},
		{"+1", "line 1 column 1: expected a value, found +"},
		{".5", "line 1 column 1: expected a value, found ."},
		{"-", "line 1 column 2: expected a digit, found the end of the text"},
		{"-x", "line 1 column 2: expected a digit, found x"},
		{"01", "line 1 column 1: a number that starts with 0, expected no digit behind it"},
		{"-01",
	         "line 1 column 2: a number that starts with 0, expected no digit behind it"},
		{"1.",
	         "line 1 column 3: expected a digit behind the point, found the end of the text"},
		{"[1.]", "line 1 column 4: expected a digit behind the point, found ]"},
		{"1e",
	         "line 1 column 3: expected a digit of the exponent, found the end of the text"},
		{"1e+-2", "line 1 column 4: expected a digit of the exponent, found -"},
		{"0x10", "line 1 column 2: expected the end of the text, found x"},
		{"NaN", "line 1 column 1: NaN is not JSON, expected a number or null"},
		{"[Infinity]", "line 1 column 2: Infinity is not JSON, expected a number or null"},
		{"-Infinity", "line 1 column 1: -Infinity is not JSON, expected a number or null"},
		{"[None]", "line 1 column 2: None is not JSON, expected null"},
		{"True", "line 1 column 1: True is not JSON, expected true"},
		{"False", "line 1 column 1: False is not JSON, expected false"},
		{"\"abc", "line 1 column 1: a string that does not end, expected \""},
		{"[\"a\\\"]", "line 1 column 2: a string that does not end, expected \""},
		{"\"\\", "line 1 column 1: a string that does not end, expected \""},
		{"\"\\x\"",
	         "line 1 column 2: no such escape, expected one of "
	         "\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u"},
		{"\"\\u12g4\"", "line 1 column 2: expected four hexadecimal digits after \\u"},
		{"\"\\u12\"", "line 1 column 2: expected four hexadecimal digits after \\u"},
		{"\"a\nb\"",
	         "line 1 column 3: a control character (0x0a) inside a string, expected "
	         "an escape as \\n or \\u000a"},
		{"\"\x1b\"",
	         "line 1 column 2: a control character (0x1b) inside a string, expected "
	         "an escape as \\n or \\u001b"},
		{"\xef\xbb\xbf{}", "line 1 column 1: a byte order mark, expected a value"},
		{"\"\xc0\x80\"", "line 1 column 2: the byte 0xc0 is not UTF-8 here"},
		{"\"\xed\xa0\x80\"", "line 1 column 2: the byte 0xed is not UTF-8 here"},
		{"\"\xc3\xa9\xff\"", "line 1 column 3: the byte 0xff is not UTF-8 here"},
		{"\"\xe2\x98\"", "line 1 column 2: the byte 0xe2 is not UTF-8 here"},
		{"\"\xf5\x80\x80\x80\"", "line 1 column 2: the byte 0xf5 is not UTF-8 here"},
		{"[\n  1,\n  \xc3\xa9", "line 3 column 3: expected a value, found the byte 0xc3"},
		{"[\"\xc3\xa9\xe2\x98\x83\", x]", "line 1 column 8: expected a value, found x"},
		{"\x01", "line 1 column 1: expected a value, found the byte 0x01"},
		{"[1]\x0b", "line 1 column 4: expected the end of the text, found the byte 0x0b"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_refused(cases[i][0], cases[i][1]);
}

static void a_nul_in_the_text_is_no_end(void **state)
{
	(void)state;
	assert_refused_bytes("[1]\0", 4,
	                     "line 1 column 4: expected the end of the text, found the byte 0x00");
	assert_refused_bytes("\"a\0b\"", 5,
	                     "line 1 column 3: a control character (0x00) inside a string, "
	                     "expected an escape as \\n or \\u0000");
	assert_refused_bytes("\"\\\0\"", 4,
	                     "line 1 column 2: no such escape, expected one of "
	                     "\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
}

static void only_the_bytes_given_are_read(void **state)
{
	struct cJSON *value = parse_bytes("12345", 3);

	(void)state;
	assert_prints(value, "123");
	cJSON_Delete(value);
	value = parse_bytes("12.5", 2);
	assert_prints(value, "12");
	cJSON_Delete(value);
	assert_refused_bytes("true", 3, "line 1 column 1: expected a value, found t");
	assert_refused_bytes("\"\\u0041\"", 6,
	                     "line 1 column 1: a string that does not end, expected \"");
}

static void no_error_struct_is_needed(void **state)
{
	(void)state;
	assert_null(json_parse("[1,", 3, NULL));
}

static void depth_has_a_limit(void **state)
{
	char *open = repeated("[", 10000), *close = repeated("]", JSON_MAX_DEPTH);
	char text[2 * JSON_MAX_DEPTH + 1];

	(void)state;
	assert_refused(open,
	               "line 1 column 201: too deep, expected at most 200 arrays and objects "
	               "inside one another");
	snprintf(text, sizeof(text), "%.*s%s", JSON_MAX_DEPTH, open, close);
	assert_becomes(text, text);
	free(open);
	free(close);

	open = repeated("{\"a\": ", 10000);
	assert_refused(open,
	               "line 1 column 1201: too deep, expected at most 200 arrays and objects "
	               "inside one another");
	free(open);
	/* Side by side they are not deep. */
	open = repeated("[[]],", 1000);
	open[strlen(open) - 1] = '\0';
	struct buf b = BUF_INIT;
	buf_printf(&b, "[%s]", open);
	cJSON_Delete(parse(buf_text(&b)));
	buf_release(&b);
	free(open);
}

/* --- size ----------------------------------------------------------------------------- */

#define LARGE 10000000

static void ten_megabytes_of_garbage(void **state)
{
	char *text = malloc(LARGE);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', LARGE);
	assert_refused_bytes(text, LARGE, "line 1 column 1: expected a value, found x");
	memset(text, ' ', LARGE);
	assert_refused_bytes(text, LARGE,
	                     "line 1 column 10000001: expected a value, found the end of the text");
	memset(text, '"', 1);
	memset(text + 1, '\\', LARGE - 1);
	assert_refused_bytes(text, LARGE,
	                     "line 1 column 1: a string that does not end, expected \"");
	free(text);
}

static void ten_megabytes_of_string(void **state)
{
	char *text = malloc(LARGE);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', LARGE);
	text[0] = text[LARGE - 1] = '"';
	struct cJSON *value = parse_bytes(text, LARGE);
	assert_int_equal(strlen(json_string(value)), LARGE - 2);
	cJSON_Delete(value);
	free(text);
}

/* Each costs what its length says: were one of them quadratic it would take hours. */
static void large_objects_and_arrays_are_quick(void **state)
{
	enum { MEMBERS = 100000 };
	struct buf b = BUF_INIT;
	clock_t start = clock();

	(void)state;
	buf_puts(&b, "{\"list\": [0");
	for (int i = 0; i < MEMBERS; i++)
		buf_puts(&b, ",0");
	buf_puts(&b, "]");
	for (int i = MEMBERS; i-- > 0;)
		buf_printf(&b, ",\"k%d\":%d", i, i);
	for (int i = 0; i < MEMBERS; i++)
		buf_printf(&b, ",\"k%d\":%d", i % 1000, i);
	buf_puts(&b, "}");
	struct cJSON *value = parse_bytes(b.data, b.size);
	assert_int_equal(cJSON_GetArraySize(value), MEMBERS + 1);
	assert_true(json_get(value, "k999")->valuedouble == MEMBERS - 1);
	struct cJSON *copy = json_copy(value);
	assert_true(json_equal(value, copy));
	char *text = json_text(value);
	assert_non_null(text);
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20);
	free(text);
	cJSON_Delete(copy);
	cJSON_Delete(value);
	buf_release(&b);
}

/* --- equality ------------------------------------------------------------------------- */

static void equal_values(void **state)
{
	static const char *const cases[][2] = {
		{"null", "null"},
		{"true", "true"},
		{"1", "1.0"},
		{"100", "1e2"},
		{"0", "-0.0"},
		{"0", "0e5"},
		{"0.1", "0.10"},
		{"0.001", "1E-3"},
		{"1e400", "10e399"},
		{"1.50e1", "15"},
		{"9007199254740993", "9007199254740993.000"},
		{"\"\\u0041\"", "\"A\""},
		{"[1, [2]]", "[1.0, [2]]"},
		{"{\"a\": 1, \"b\": [2]}", "{\"b\": [2], \"a\": 1}"},
		{"{\"a\": 0, \"a\": 1}", "{\"a\": 1}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cJSON *a = parse(cases[i][0]), *b = parse(cases[i][1]);
		if (!json_equal(a, b) || !json_equal(b, a))
			fail_msg("%s is not %s", cases[i][0], cases[i][1]);
		cJSON_Delete(a);
		cJSON_Delete(b);
	}
}

static void unequal_values(void **state)
{
	static const char *const cases[][2] = {
		{"null", "false"},
		{"true", "false"},
		{"1", "true"},
		{"1", "\"1\""},
		{"1", "-1"},
		{"1", "10"},
		{"1", "1.01"},
		{"0", "0.0000001"},
		{"9007199254740992", "9007199254740993"},
		{"1e400", "1e401"},
		{"0.1", "0.1000000000000000055"},
		{"\"a\"", "\"A\""},
		{"\"a\"", "\"a\\u0000\""},
		{"[1]", "[1, 1]"},
		{"[1, 2]", "[2, 1]"},
		{"[]", "{}"},
		{"{\"a\": 1}", "{\"a\": 2}"},
		{"{\"a\": 1}", "{\"b\": 1}"},
		{"{\"a\": 1}", "{\"a\": 1, \"b\": 2}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cJSON *a = parse(cases[i][0]), *b = parse(cases[i][1]);
		if (json_equal(a, b) || json_equal(b, a))
			fail_msg("%s is %s", cases[i][0], cases[i][1]);
		cJSON_Delete(a);
		cJSON_Delete(b);
	}
}

static void values_made_in_c_compare_too(void **state)
{
	struct cJSON *parsed = parse("{\"a\": 0.10, \"b\": 3.0}"), *made = cJSON_CreateObject();

	(void)state;
	cJSON_AddNumberToObject(made, "b", 3);
	cJSON_AddNumberToObject(made, "a", 0.1);
	assert_true(json_equal(parsed, made));
	assert_true(json_equal(made, made));
	assert_true(json_equal(NULL, NULL));
	assert_false(json_equal(made, NULL));
	cJSON_Delete(parsed);
	cJSON_Delete(made);
}

static void copies_are_deep_and_exact(void **state)
{
	const char *text = "{\"a\": [9007199254740993, 1.0, \"\\u0000\"], \"b\": {\"c\": null}}";
	struct cJSON *value = parse(text), *copy = json_copy(value);

	(void)state;
	cJSON_Delete(value);
	assert_prints(copy, text);
	cJSON_AddItemToArray(json_get(copy, "a"), cJSON_CreateNull());
	assert_int_equal(cJSON_GetArraySize(json_get(copy, "a")), 4);
	cJSON_Delete(copy);
	assert_null(json_copy(NULL));
}

/* --- a member's own text -------------------------------------------------------------- */

static void members_in_their_own_text(void **state)
{
	static const char *const cases[][2] = {
		{"{\"data\": null}", "null"},
		{"{\"data\":{ \"b\":1.0,\"a\":[ ]  }}", "{ \"b\":1.0,\"a\":[ ]  }"},
		{"{\"a\": {\"data\": 1}, \"data\": 2}", "2"},
		{" {\n\"x\":[{\"]\":\"}\"}],\t\"data\" :\t1e400 , \"z\": 1}", "1e400"},
		{"{\"data\": 1, \"data\": [2]}", "[2]"},
		{"{\"d\\u0061ta\": true}", "true"},
		{"{\"data\\u0000\": 1, \"data\": \"\\\"]}\\\\\"}", "\"\\\"]}\\\\\""},
		{"{\"data\": -1}", "-1"},
		{"{\"data\": \"h\xc3\xa9\"}", "\"h\xc3\xa9\""},
	};
	static const char *const none[] = {"{}", "{\"a\": 1}", "[\"data\", 1]", "\"data\"", "1"};
	struct slice out;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		cJSON_Delete(parse(cases[i][0]));
		out = (struct slice){NULL, 0};
		assert_true(json_member_text(cases[i][0], strlen(cases[i][0]), "data", &out));
		assert_int_equal(out.size, strlen(cases[i][1]));
		assert_memory_equal(out.data, cases[i][1], out.size);
	}
	for (size_t i = 0; i < COUNT(none); i++)
		assert_false(json_member_text(none[i], strlen(none[i]), "data", &out));
}

static void types_have_pythons_names(void **state)
{
	static const char *const cases[][2] = {
		{"\"x\"", "str"}, {"1", "int"},      {"-12345678901234567890", "int"},
		{"1.0", "float"}, {"1e2", "float"},  {"1E400", "float"},
		{"true", "bool"}, {"false", "bool"}, {"null", "NoneType"},
		{"[]", "list"},   {"{}", "dict"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cJSON *value = parse(cases[i][0]);
		assert_string_equal(json_type_name(value), cases[i][1]);
		cJSON_Delete(value);
	}
	struct cJSON number = {.type = cJSON_Number, .valuedouble = 3};
	assert_string_equal(json_type_name(&number), "int");
	number.valuedouble = 3.5;
	assert_string_equal(json_type_name(&number), "float");
	assert_string_equal(json_type_name(NULL), "NoneType");
}

/* --- memory --------------------------------------------------------------------------- */

static long allocations_left;

static void *scarce_malloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

/* With one allocation more each time until it is enough; a sanitizer sees what would leak. */
static void running_out_of_memory_is_told(void **state)
{
	const char *text = "{\"b\": [1, 2.5, \"x\", \"\\u0041\"], \"a\": {}, \"b\": [true, null]}";
	cJSON_Hooks hooks = {scarce_malloc, free};
	struct cJSON *value = NULL;
	struct error error;
	long enough = 0;

	(void)state;
	cJSON_InitHooks(&hooks);
	for (; !value; enough++) {
		error = (struct error)ERROR_NONE;
		allocations_left = enough;
		value = json_parse(text, strlen(text), &error);
		if (!value)
			assert_int_equal(error.code, GOFER_NOMEM);
	}
	assert_true(enough > 15);
	struct cJSON *copy = NULL;
	for (enough = 0; !copy; enough++) {
		allocations_left = enough;
		copy = json_copy(value);
	}
	assert_true(enough > 6);
	cJSON_InitHooks(NULL);
	cJSON_Delete(copy);
	cJSON_Delete(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_back_as_they_were),
		cmocka_unit_test(other_spellings_are_written_in_one),
		cmocka_unit_test(nul_and_lone_surrogates_are_held_as_the_header_says),
		cmocka_unit_test(plain_strings),
		cmocka_unit_test(keys_are_sorted_by_their_characters),
		cmocka_unit_test(the_last_of_equal_keys_counts),
		cmocka_unit_test(a_parsed_tree_can_be_changed),
		cmocka_unit_test(links_are_whole_after_sorting),
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(doubles_are_written_as_python_does),
		cmocka_unit_test(numbers_made_from_text),
		cmocka_unit_test(the_double_is_set_too),
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(whole_numbers_made_in_c),
		cmocka_unit_test(bytes_that_are_not_utf8_become_the_replacement),
		cmocka_unit_test(strings_with_a_length),
		cmocka_unit_test(objects_made_in_c_are_sorted),
		cmocka_unit_test(nothing_is_null_and_raw_is_raw),
		cmocka_unit_test(printing_appends),
		cmocka_unit_test(what_is_wrong_is_told_with_its_place),
		cmocka_unit_test(a_nul_in_the_text_is_no_end),
		cmocka_unit_test(only_the_bytes_given_are_read),
		cmocka_unit_test(no_error_struct_is_needed),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(ten_megabytes_of_garbage),
		cmocka_unit_test(ten_megabytes_of_string),
		cmocka_unit_test(large_objects_and_arrays_are_quick),
		cmocka_unit_test(equal_values),
		cmocka_unit_test(unequal_values),
		cmocka_unit_test(values_made_in_c_compare_too),
		cmocka_unit_test(copies_are_deep_and_exact),
		cmocka_unit_test(members_in_their_own_text),
		cmocka_unit_test(types_have_pythons_names),
		cmocka_unit_test(running_out_of_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
