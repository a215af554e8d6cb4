/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/nearest.h"

static const char *const names[] = {"threads",         "thread_name", "url", "uuid",
                                    "host_validation", "a",           NULL};

static void a_slip_finds_its_name(void **state)
{
	static const char *const cases[][2] = {
		{"thread", "threads"},  {"treads", "threads"},
		{"thraeds", "threads"}, {"ulr", "url"},
		{"uid", "uuid"},        {"host", "host_validation"},
		{"threads", "threads"}, {"host_valdation", "host_validation"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(nearest(cases[i][0], names), cases[i][1]);
}

static void what_is_far_finds_nothing(void **state)
{
	static const char *const cases[] = {
		"",
		"x",
		"b",
		"latency",
		"zzz",
		"urls_of_brokers",
		"xxxxthreads",
		"a_name_of_more_than_forty_letters_is_near_to_nothing",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_null(nearest(cases[i], names));
}

static void names_that_are_too_long_are_passed_over(void **state)
{
	static const char *const some[] = {"a_name_of_more_than_forty_letters_is_passed_over",
	                                   "url", NULL};

	(void)state;
	assert_string_equal(nearest("urk", some), "url");
	assert_null(nearest("a_name", some));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_finds_its_name),
		cmocka_unit_test(what_is_far_finds_nothing),
		cmocka_unit_test(names_that_are_too_long_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
