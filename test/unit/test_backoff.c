/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "amqp/backoff.h"

static void grows_up_to_its_limit(void **state)
{
	static const double tops[] = {0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60};

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct backoff b = {.first_s = 0.5, .limit_s = 60};

		for (size_t i = 0; i < sizeof(tops) / sizeof(*tops); i++) {
			double wait = backoff_next(&b);

			assert_true(wait >= 0 && wait < tops[i]);
		}
	}
}

/* Full jitter: anywhere below the top, the lowest tenth and the highest included. */
static void is_spread_out(void **state)
{
	unsigned low = 0, high = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct backoff b = {.first_s = 1, .limit_s = 60};
		double wait = backoff_next(&b);

		low += wait < 0.1;
		high += wait >= 0.9;
	}
	assert_in_range(low, 40, 200);
	assert_in_range(high, 40, 200);
}

static void a_long_one_is_never_short(void **state)
{
	struct backoff b = {.first_s = 0.5, .limit_s = 60};

	(void)state;
	for (int i = 0; i < 200; i++) {
		double wait = backoff_next_long(&b);

		assert_true(wait >= 30 && wait <= 60);
	}
}

static void begins_again(void **state)
{
	struct backoff b = {.first_s = 0.5, .limit_s = 60};

	(void)state;
	for (int i = 0; i < 5000; i++)
		assert_true(backoff_next(&b) < 60);
	backoff_reset(&b);
	assert_true(backoff_next(&b) < 0.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_up_to_its_limit),
		cmocka_unit_test(is_spread_out),
		cmocka_unit_test(a_long_one_is_never_short),
		cmocka_unit_test(begins_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
