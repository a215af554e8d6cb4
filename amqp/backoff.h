/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff: how long to wait before trying again: longer each time, and at random (full jitter), so that
 * many who lost the same broker don't come back in step. Embedded; thread: the owner's.
 */
#ifndef GOFER_AMQP_BACKOFF_H
#define GOFER_AMQP_BACKOFF_H

struct backoff {
	double first_s, limit_s; /* the longest first wait, the longest of all */
	unsigned failures;       /* in a row */
};

/* Counts a failure; seconds to wait, between 0 and first * 2^(failures - 1), the limit at most. */
double backoff_next(struct backoff *b);
/* Counts a failure that will not pass by itself: between half the limit and the limit. */
double backoff_next_long(struct backoff *b);
void backoff_reset(struct backoff *b);

#endif
