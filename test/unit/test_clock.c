/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void the_monotonic_clock_goes_on(void **state)
{
	uint64_t us = clock_monotonic_us(), ms = clock_monotonic_ms();

	(void)state;
	usleep(3000);
	uint64_t passed = clock_monotonic_us() - us;
	assert_in_range(passed, 3000, 60000000);
	assert_in_range(clock_monotonic_ms() - ms, 2, 60000);
	assert_in_range(ms, us / 1000, us / 1000 + 60000);
}

static void the_wall_clock_is_utc_in_milliseconds(void **state)
{
	uint64_t before = (uint64_t)time(NULL);
	uint64_t ms = clock_wall_ms();

	(void)state;
	assert_in_range(ms / 1000, before - 1, before + 60);
}

static void stamps_are_utc(void **state)
{
	static const struct {
		time_t when;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00Z"},
		{951827696, "2000-02-29T12:34:56Z"},
		{1795450538, "2026-11-23T16:15:38Z"},
		{4102444799, "2099-12-31T23:59:59Z"},
	};
	char text[CLOCK_STAMP_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		clock_stamp(text, cases[i].when);
		assert_string_equal(text, cases[i].text);
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		double seconds;
	} cases[] = {
		{"90", 90},  {"0", 0},     {"1.5", 1.5},   {".5", 0.5},  {"2.", 2},  {"10s", 10},
		{"2m", 120}, {"1h", 3600}, {"3d", 259200}, {"0.5m", 30}, {"007", 7}, {"0.25", 0.25},
	};
	struct error error = ERROR_NONE;
	double seconds;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		seconds = -1;
		assert_int_equal(clock_duration(cases[i].text, &seconds, &error), GOFER_OK);
		assert_true(seconds == cases[i].seconds);
	}
}

static void what_is_no_duration(void **state)
{
	static const char *const cases[] = {"",    " ",   "s",   "-1",  "+1",      "1 s", " 1",
	                                    "1S",  "1ms", "1w",  "1e3", "0x1",     "..",  "1.2.3",
	                                    "inf", "nan", "1h2", "1,5", "\xc2\xb2"};
	struct error error;
	double seconds = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		error = (struct error)ERROR_NONE;
		assert_int_equal(clock_duration(cases[i], &seconds, &error), GOFER_INVALID);
		assert_non_null(strstr(error.text, "is no duration: expected "));
	}
	assert_true(seconds == 7);
	assert_int_equal(clock_duration("x", &seconds, NULL), GOFER_INVALID);
}

static void endless_durations_are_refused(void **state)
{
	char text[400];
	double seconds;

	(void)state;
	memset(text, '9', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(clock_duration(text, &seconds, NULL), GOFER_INVALID);
	text[308] = '\0';
	assert_int_equal(clock_duration(text, &seconds, NULL), GOFER_OK);
	text[307] = 'd';
	assert_int_equal(clock_duration(text, &seconds, NULL), GOFER_INVALID);
	memset(text, '0', sizeof(text));
	text[1] = '.';
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(clock_duration(text, &seconds, NULL), GOFER_OK);
	assert_true(seconds == 0);
}

static void timedeltas(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{0, "0:00:00"},
		{90, "0:01:30"},
		{500, "0:08:20"},
		{3599, "0:59:59"},
		{36000, "10:00:00"},
		{86400, "1 day, 0:00:00"},
		{172801, "2 days, 0:00:01"},
		{36500ULL * 86400, "36500 days, 0:00:00"},
		{UINT64_MAX, "213503982334601 days, 7:00:15"},
	};
	char text[48];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		clock_timedelta(text, cases[i].seconds);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_monotonic_clock_goes_on),
		cmocka_unit_test(the_wall_clock_is_utc_in_milliseconds),
		cmocka_unit_test(stamps_are_utc),
		cmocka_unit_test(durations),
		cmocka_unit_test(what_is_no_duration),
		cmocka_unit_test(endless_durations_are_refused),
		cmocka_unit_test(timedeltas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
