/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress: how far a call is, in one line on the terminal, for as long as it takes.
 *
 *   [##########--------------------] 33% 1/3 downloading  0:04
 *
 * Shown once a call has taken a moment, drawn again each second, gone when it is over. Only on
 * standard error, only where that is a terminal and NO_COLOR is not set.
 *
 * Thread: main, which runs the loop.
 */
#ifndef GOFER_CMD_PROGRESS_H
#define GOFER_CMD_PROGRESS_H

#include <stdbool.h>

#include "amqp/loop.h"
#include "core/buf.h"

struct progress;

/* NULL: nothing is to be shown (or no memory is left); all functions take that. */
struct progress *progress_new(struct loop *loop, bool quiet);
void progress_free(struct progress *p); /* removes the line */

/* "sent", "accepted", "started"; a constant. */
void progress_state(struct progress *p, const char *state);
/* `details` is copied; NULL: none. */
void progress_update(struct progress *p, long long total, long long completed, const char *details);
/* Takes the line away until the next change, before something else is written. */
void progress_clear(struct progress *p);

/* Appends the line, at most `columns` wide: what progress_update() draws. */
void progress_print(struct buf *out, const char *state, long long total, long long completed,
                    const char *details, unsigned seconds, unsigned columns);

#endif
