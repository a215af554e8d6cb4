/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 128

void buf_release(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

void buf_clear(struct buf *b)
{
	b->size = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

/* Doubles, so that a run of appends costs what it writes. */
static bool grow(struct buf *b, size_t size)
{
	size_t capacity = b->capacity ? b->capacity : CAPACITY_MIN;

	if (b->failed || size > SIZE_MAX / 2 - b->size - 1) {
		b->failed = true;
		return false;
	}
	while (capacity < b->size + size + 1)
		capacity *= 2;
	char *data = realloc(b->data, capacity);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

/* One byte is kept for the NUL. */
static bool has_room(struct buf *b, size_t size)
{
	if (!b->failed && size < b->capacity - b->size)
		return true;
	return grow(b, size);
}

void buf_append(struct buf *b, const void *data, size_t size)
{
	if (!has_room(b, size))
		return;
	if (size > 0)
		memcpy(b->data + b->size, data, size);
	buf_added(b, size);
}

void buf_puts(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

void buf_putc(struct buf *b, char c)
{
	if (!has_room(b, 1))
		return;
	b->data[b->size] = c;
	buf_added(b, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap, again;

	va_start(ap, format);
	va_copy(again, ap);
	int size = vsnprintf(NULL, 0, format, ap);
	if (size < 0)
		b->failed = true;
	else if (has_room(b, (size_t)size))
		buf_added(b, (size_t)vsnprintf(b->data + b->size, (size_t)size + 1, format, again));
	va_end(again);
	va_end(ap);
}

char *buf_reserve(struct buf *b, size_t size)
{
	return has_room(b, size) ? b->data + b->size : NULL;
}

void buf_added(struct buf *b, size_t size)
{
	b->size += size;
	b->data[b->size] = '\0';
}

void buf_truncate(struct buf *b, size_t size)
{
	if (size >= b->size)
		return;
	b->size = size;
	b->data[size] = '\0';
}

void buf_consume(struct buf *b, size_t size)
{
	if (size == 0 || !b->data)
		return;
	if (size > b->size)
		size = b->size;
	b->size -= size;
	memmove(b->data, b->data + size, b->size + 1);
}

const char *buf_text(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_take(struct buf *b, size_t *size)
{
	char *data = NULL;

	if (size)
		*size = 0;
	if (has_room(b, 0)) {
		data = b->data;
		data[b->size] = '\0';
		if (size)
			*size = b->size;
		*b = (struct buf)BUF_INIT;
	}
	buf_release(b);
	return data;
}
