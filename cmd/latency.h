/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency: how long many things took: percentiles and a picture, in memory that does not grow.
 *
 * Times up to 256 us are kept to the microsecond, longer ones to within 0.8 %; the maximum is exact.
 * Thread: one at a time.
 */
#ifndef GOFER_CMD_LATENCY_H
#define GOFER_CMD_LATENCY_H

#include <stdint.h>

#include "core/buf.h"

#define LATENCY_BITS 7 /* steps within a power of two */
#define LATENCY_STEPS (1u << LATENCY_BITS)
#define LATENCY_BUCKETS ((40 - LATENCY_BITS) * LATENCY_STEPS)

struct latency {
	uint64_t count, max_us;
	uint64_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *l, uint64_t us);
/* The time within which `percent` of all were done, rounded up to what is kept; 0 if there were none. */
uint64_t latency_percentile(const struct latency *l, double percent);
/* Appends a row for each power of two in which there were any, with a bar. */
void latency_print(struct buf *out, const struct latency *l);

#endif
