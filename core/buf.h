/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf: a byte buffer that grows.
 *
 * Bytes are appended and the whole is taken or borrowed. A failed allocation is remembered in
 * `failed` and every later append does nothing: a run of appends is checked once, at its end, by
 * buf_ok() or by buf_take() returning NULL. There is always a NUL behind the last byte once
 * anything was appended, so text can be used as a C string.
 *
 *   struct buf b = BUF_INIT;
 *   buf_puts(&b, "x=");
 *   buf_printf(&b, "%d", 1);
 *   if (!buf_ok(&b)) ...
 *   buf_release(&b);
 *
 * Thread: a buffer belongs to one thread at a time.
 */
#ifndef GOFER_CORE_BUF_H
#define GOFER_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* NULL while empty and never grown */
	size_t size, capacity;
	bool failed;
};

/* A piece of somebody else's bytes: no NUL at its end, not owned; data NULL: absent. */
struct slice {
	const char *data;
	size_t size;
};

/* clang-format off */
#define BUF_INIT { NULL, 0, 0, false }
/* clang-format on */

void buf_release(struct buf *b); /* frees; `b` is as after BUF_INIT */
void buf_clear(struct buf *b);   /* empties, keeps the memory */
void buf_append(struct buf *b, const void *data, size_t size);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for at least `size` more bytes, and where they go; NULL on failure. buf_added() then says
 * how many were really put there. */
char *buf_reserve(struct buf *b, size_t size);
void buf_added(struct buf *b, size_t size);
/* Removes what is behind the first `size` bytes. */
void buf_truncate(struct buf *b, size_t size);
/* Removes the first `size` bytes. */
void buf_consume(struct buf *b, size_t size);
static inline bool buf_ok(const struct buf *b)
{
	return !b->failed;
}
/* The text, never NULL; valid until the next change of the buffer. */
const char *buf_text(const struct buf *b);
/* Gives the bytes to the caller, who frees them; NULL if an append failed. `size` may be NULL.
 * The buffer is empty afterwards. */
char *buf_take(struct buf *b, size_t *size);

#endif
