/* SPDX-License-Identifier: Apache-2.0 */
/* clock: the two clocks, and durations as people write them. Thread: any. */
#ifndef GOFER_CORE_CLOCK_H
#define GOFER_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "core/error.h"

#define CLOCK_STAMP_SIZE 21 /* "2026-11-23T16:15:38Z" and a NUL */

uint64_t clock_monotonic_us(void); /* microseconds since some start; never goes back */
uint64_t clock_monotonic_ms(void);
uint64_t clock_wall_ms(void); /* milliseconds since 1970, UTC */

/* The time as `%Y-%m-%dT%H:%M:%SZ`, UTC. */
void clock_stamp(char text[CLOCK_STAMP_SIZE], time_t when);

/* "90", "1.5", "10s", "2m", "1h", "3d" to seconds. GOFER_INVALID and `error` on anything else,
 * negative and infinite included. */
enum gofer_err clock_duration(const char *text, double *seconds, struct error *error);

/* Seconds as Python prints a timedelta: "0:01:30", "1 day, 0:00:00", "36500 days, 0:00:00". */
void clock_timedelta(char text[48], uint64_t seconds);

#endif
