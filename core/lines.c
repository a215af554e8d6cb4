/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 65536

void lines_release(struct lines *l)
{
	buf_release(&l->text);
	*l = (struct lines)LINES_INIT;
}

enum gofer_err lines_read(struct lines *l, int fd)
{
	ssize_t n;

	buf_consume(&l->text, l->start);
	l->seen -= l->start;
	l->start = 0;
	char *at = buf_reserve(&l->text, READ_SIZE);
	if (!at)
		return GOFER_NOMEM;
	do {
		n = read(fd, at, READ_SIZE);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		buf_added(&l->text, (size_t)n);
		return GOFER_OK;
	}
	if (n == 0 || errno == ECONNRESET)
		return GOFER_NOTFOUND;
	return errno == EAGAIN ? GOFER_TIMEOUT : GOFER_IO;
}

bool lines_next(struct lines *l, struct slice *line)
{
	size_t left = l->text.size - l->seen;
	const char *end = left ? memchr(l->text.data + l->seen, '\n', left) : NULL;

	if (!end) {
		l->seen = l->text.size;
		return false;
	}
	line->data = l->text.data + l->start;
	line->size = (size_t)(end - line->data);
	l->start = l->seen = (size_t)(end + 1 - l->text.data);
	return true;
}

size_t lines_left(const struct lines *l)
{
	return l->text.size - l->start;
}

struct slice lines_take_left(struct lines *l)
{
	struct slice left = {l->text.data + l->start, lines_left(l)};

	l->start = l->seen = l->text.size;
	return left;
}
