/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/latency.h"

#define BAR 40

/* Bucket i of the first two powers' worth is i microseconds; from there on each power of two has
 * LATENCY_STEPS buckets, its `shift` lowest bits being left out. */
static unsigned bucket_of(uint64_t us)
{
	unsigned bits = us ? 64 - (unsigned)__builtin_clzll(us) : 0;
	unsigned shift = bits > LATENCY_BITS + 1 ? bits - LATENCY_BITS - 1 : 0;
	uint64_t bucket = (uint64_t)shift * LATENCY_STEPS + (us >> shift);

	return bucket < LATENCY_BUCKETS ? (unsigned)bucket : LATENCY_BUCKETS - 1;
}

static uint64_t bucket_first(unsigned bucket)
{
	unsigned shift = bucket < 2 * LATENCY_STEPS ? 0 : bucket / LATENCY_STEPS - 1;

	return (uint64_t)(bucket - shift * LATENCY_STEPS) << shift;
}

void latency_add(struct latency *l, uint64_t us)
{
	l->count++;
	l->buckets[bucket_of(us)]++;
	if (us > l->max_us)
		l->max_us = us;
}

uint64_t latency_percentile(const struct latency *l, double percent)
{
	double wanted = (double)l->count * percent / 100;
	uint64_t seen = 0;

	/* The last bucket has no end. */
	for (unsigned i = 0; i < LATENCY_BUCKETS - 1 && l->count; i++) {
		seen += l->buckets[i];
		if (seen && (double)seen >= wanted) {
			uint64_t last = bucket_first(i + 1) - 1;

			return last < l->max_us ? last : l->max_us;
		}
	}
	return l->max_us;
}

static void print_time(struct buf *out, uint64_t us)
{
	if (us < 1000)
		buf_printf(out, "%5llu us", (unsigned long long)us);
	else if (us < 1000000)
		buf_printf(out, "%5.4g ms", (double)us / 1e3);
	else
		buf_printf(out, "%5.4g s ", (double)us / 1e6);
}

/* The rows: below 1 us, then each power of two. */
#define ROWS 41

static unsigned row_of(unsigned bucket)
{
	uint64_t us = bucket_first(bucket);

	return us ? 64 - (unsigned)__builtin_clzll(us) : 0;
}

void latency_print(struct buf *out, const struct latency *l)
{
	uint64_t rows[ROWS] = {0}, most = 1;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		rows[row_of(i)] += l->buckets[i];
	for (unsigned r = 0; r < ROWS; r++)
		most = rows[r] > most ? rows[r] : most;
	for (unsigned r = 0; r < ROWS; r++) {
		if (!rows[r])
			continue;
		buf_puts(out, "  under ");
		print_time(out, UINT64_C(1) << r);
		buf_printf(out, " %9llu ", (unsigned long long)rows[r]);
		for (uint64_t i = 0; i < (rows[r] * BAR + most - 1) / most; i++)
			buf_putc(out, '#');
		buf_putc(out, '\n');
	}
}
