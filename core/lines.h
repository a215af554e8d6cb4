/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines: what comes from a descriptor, a line at a time.
 *
 *   struct lines l = LINES_INIT;
 *   while (lines_read(&l, fd) == GOFER_OK)
 *       while (lines_next(&l, &line)) ...
 *   lines_release(&l);
 *
 * It sets no bound: who reads looks at lines_left(), and stops when that is too much.
 *
 * Thread: one at a time. lines_read() blocks as the descriptor does.
 */
#ifndef GOFER_CORE_LINES_H
#define GOFER_CORE_LINES_H

#include "core/buf.h"
#include "core/error.h"

struct lines {
	struct buf text;
	size_t start, seen; /* of the first line; how far there is no end of it */
};

/* clang-format off */
#define LINES_INIT { BUF_INIT, 0, 0 }
/* clang-format on */

void lines_release(struct lines *l);
/* Reads once. GOFER_NOTFOUND: that was the end, or the peer is gone. GOFER_TIMEOUT: nothing is
 * there yet, and the descriptor doesn't block. GOFER_NOMEM, GOFER_IO: errno. */
enum gofer_err lines_read(struct lines *l, int fd);
/* The next whole line, without its end; valid until lines_read(). False: there is none. */
bool lines_next(struct lines *l, struct slice *line);
/* Once lines_next() has said false: how much there is of a line that has no end. */
size_t lines_left(const struct lines *l);
/* Takes that for a line. */
struct slice lines_take_left(struct lines *l);

#endif
