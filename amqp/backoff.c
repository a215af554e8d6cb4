/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/backoff.h"

#include <math.h>
#include <stdint.h>
#include <sys/random.h>

#include "core/clock.h"

/* In [0, 1). */
static double random_fraction(void)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
		bits = clock_monotonic_us() * UINT64_C(0x9e3779b97f4a7c15);
	return (double)(bits >> 11) * 0x1p-53;
}

double backoff_next(struct backoff *b)
{
	double top = ldexp(b->first_s, b->failures < 32 ? (int)b->failures : 32);

	b->failures++;
	return random_fraction() * (top < b->limit_s ? top : b->limit_s);
}

double backoff_next_long(struct backoff *b)
{
	b->failures++;
	return b->limit_s * (0.5 + 0.5 * random_fraction());
}

void backoff_reset(struct backoff *b)
{
	b->failures = 0;
}
