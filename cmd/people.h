/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people: values as people read them on a terminal, and words that others chose: what would steer the
 * terminal, or let text seem to be where it is not, is shown as '?'. Thread: any.
 */
#ifndef GOFER_CMD_PEOPLE_H
#define GOFER_CMD_PEOPLE_H

#include <limits.h>
#include <stddef.h>

#include "core/buf.h"

/* Appends text of several lines: line breaks and tabs stay. */
void people_text(struct buf *out, const char *text, size_t size);
/* Appends text as a part of one line, at most so many characters; line breaks and tabs become spaces. */
void people_line(struct buf *out, const char *text, unsigned columns);
#define PEOPLE_WHOLE UINT_MAX
/* How many characters people_line() has appended. */
unsigned people_width(const char *text);

/* Appends "0.4s", "12s", "3m12s", "2h05m", "3d04h". */
void people_age(struct buf *out, double seconds);
/* Appends "512 B", "4.0 KiB", "1.5 GiB". */
void people_bytes(struct buf *out, double bytes);

#endif
