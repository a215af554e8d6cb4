/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct timespec now(clockid_t id)
{
	struct timespec ts = {0, 0};

	clock_gettime(id, &ts);
	return ts;
}

uint64_t clock_monotonic_us(void)
{
	struct timespec ts = now(CLOCK_MONOTONIC);

	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_monotonic_ms(void)
{
	return clock_monotonic_us() / 1000;
}

uint64_t clock_wall_ms(void)
{
	struct timespec ts = now(CLOCK_REALTIME);

	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void put_digits(char *at, int width, unsigned value)
{
	while (width-- > 0) {
		at[width] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* Written by hand, as it is part of every reply and strftime() is slow. */
void clock_stamp(char text[CLOCK_STAMP_SIZE], time_t when)
{
	static const char shape[CLOCK_STAMP_SIZE] = "0000-00-00T00:00:00Z";
	struct tm tm = {0};

	gmtime_r(&when, &tm);
	memcpy(text, shape, sizeof(shape));
	put_digits(text, 4, (unsigned)(tm.tm_year + 1900));
	put_digits(text + 5, 2, (unsigned)(tm.tm_mon + 1));
	put_digits(text + 8, 2, (unsigned)tm.tm_mday);
	put_digits(text + 11, 2, (unsigned)tm.tm_hour);
	put_digits(text + 14, 2, (unsigned)tm.tm_min);
	put_digits(text + 17, 2, (unsigned)tm.tm_sec);
}

static double suffix_seconds(const char *suffix)
{
	static const struct {
		const char *text;
		double seconds;
	} table[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(suffix, table[i].text) == 0)
			return table[i].seconds;
	return 0;
}

/* Digits with at most one point among them; -1 if there is no digit. By hand, since strtod() takes
 * more ("1e3", "0x10", "inf") and its point depends on the locale. */
static double decimal(const char **text)
{
	const char *at = *text;
	double value = 0, scale = 1;
	bool digits = false, point = false;

	for (;; at++) {
		if (*at >= '0' && *at <= '9') {
			value = value * 10 + (*at - '0');
			scale *= point ? 10 : 1;
			digits = true;
		} else if (*at == '.' && !point) {
			point = true;
		} else {
			break;
		}
	}
	*text = at;
	return digits ? value / scale : -1;
}

enum gofer_err clock_duration(const char *text, double *seconds, struct error *error)
{
	const char *at = text;
	double value = decimal(&at), unit = suffix_seconds(at);

	if (value < 0 || unit == 0 || !isfinite(value * unit))
		return error_set(error, GOFER_INVALID,
		                 "\"%s\" is no duration: expected seconds, or a number with "
		                 "s, m, h or d, as 90, 1.5, 10s, 2m, 1h, 3d",
		                 text);
	*seconds = value * unit;
	return GOFER_OK;
}

void clock_timedelta(char text[48], uint64_t seconds)
{
	uint64_t days = seconds / 86400, rest = seconds % 86400;
	int n = 0;

	if (days > 0)
		n = snprintf(text, 48, "%" PRIu64 " day%s, ", days, days == 1 ? "" : "s");
	snprintf(text + n, 48 - (size_t)n, "%u:%02u:%02u", (unsigned)(rest / 3600),
	         (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
}
