/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cmd/latency.h"

static struct latency l;

static int reset(void **state)
{
	(void)state;
	memset(&l, 0, sizeof(l));
	return 0;
}

static void of_nothing(void **state)
{
	(void)state;
	assert_int_equal(latency_percentile(&l, 50), 0);
}

static void small_times_are_exact(void **state)
{
	(void)state;
	for (uint64_t us = 1; us <= 200; us++)
		latency_add(&l, us);
	assert_int_equal(latency_percentile(&l, 50), 100);
	assert_int_equal(latency_percentile(&l, 90), 180);
	assert_int_equal(latency_percentile(&l, 99), 198);
	assert_int_equal(latency_percentile(&l, 100), 200);
	assert_int_equal(l.max_us, 200);
	assert_int_equal(l.count, 200);
}

static void one_time_is_all_percentiles(void **state)
{
	static const uint64_t times[] = {0, 1, 255, 256, 257, 1000, 123456, 90000000, UINT64_MAX};

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		reset(state);
		latency_add(&l, times[i]);
		assert_int_equal(latency_percentile(&l, 99), times[i]);
	}
}

static void long_times_are_near(void **state)
{
	(void)state;
	for (uint64_t us = 100; us < 1000000000; us = us * 21 / 20) {
		uint64_t p;

		memset(&l, 0, sizeof(l));
		latency_add(&l, us);
		latency_add(&l, us * 4);
		p = latency_percentile(&l, 50);
		assert_true(p >= us);
		assert_true((double)p <= (double)us * 1.008);
	}
}

static void a_picture(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	for (int i = 0; i < 80; i++)
		latency_add(&l, 100);
	latency_add(&l, 3000);
	latency_print(&out, &l);
	assert_string_equal(out.data,
	                    "  under   128 us        80 "
	                    "########################################\n"
	                    "  under 4.096 ms         1 #\n");
	buf_release(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(of_nothing, reset),
		cmocka_unit_test_setup(small_times_are_exact, reset),
		cmocka_unit_test_setup(one_time_is_all_percentiles, reset),
		cmocka_unit_test_setup(long_times_are_near, reset),
		cmocka_unit_test_setup(a_picture, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
