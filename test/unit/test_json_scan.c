/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/json_scan.h"

static const struct {
	const char *text;
	enum json_scan_state state;
	size_t used;
} cases[] = {
	{"", JSON_SCAN_MORE, 0},
	{" \r\n\t", JSON_SCAN_MORE, 4},
	{"{}", JSON_SCAN_DONE, 2},
	{" {} {}", JSON_SCAN_DONE, 3},
	{"{\"a\": [1, {\"b\": 2}]}x", JSON_SCAN_DONE, 20},
	{"{\"}\"}", JSON_SCAN_DONE, 5},
	{"{\"\\\"}\"}", JSON_SCAN_DONE, 7},
	{"{\"\\\\\"}", JSON_SCAN_DONE, 6},
	{"{\"a", JSON_SCAN_MORE, 3},
	{"{\"a\": [}", JSON_SCAN_MORE, 8},
	{"{]", JSON_SCAN_DONE, 2},
	{"[]", JSON_SCAN_WRONG, 1},
	{" x", JSON_SCAN_WRONG, 2},
	{"}", JSON_SCAN_WRONG, 1},
};

static void at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json_scan scan = JSON_SCAN_INIT;
		size_t used = 99;

		assert_int_equal(json_scan(&scan, cases[i].text, strlen(cases[i].text), &used),
		                 cases[i].state);
		assert_int_equal(used, cases[i].used);
	}
}

static void byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct json_scan scan = JSON_SCAN_INIT;
		enum json_scan_state got = JSON_SCAN_MORE;
		size_t at = 0, used = 0;

		while (cases[i].text[at] && got == JSON_SCAN_MORE) {
			got = json_scan(&scan, cases[i].text + at, 1, &used);
			at += used;
		}
		assert_int_equal(got, cases[i].state);
		assert_int_equal(at, cases[i].used);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_once),
		cmocka_unit_test(byte_by_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
