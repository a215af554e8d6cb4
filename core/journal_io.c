/* SPDX-License-Identifier: Apache-2.0 */
#include "core/journal_io.h"

#include <errno.h>
#include <unistd.h>

#define ZEROS ((size_t)64 << 10)

enum gofer_err journal_io_failure(void)
{
	return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? GOFER_FULL : GOFER_IO;
}

enum gofer_err journal_io_write(int fd, const char *bytes, size_t size, size_t offset)
{
	while (size) {
		ssize_t n = pwrite(fd, bytes, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return journal_io_failure();
		bytes += n;
		size -= (size_t)n;
		offset += (size_t)n;
	}
	return GOFER_OK;
}

bool journal_io_read(int fd, struct buf *out, size_t offset, size_t size)
{
	char *to = buf_reserve(out, size);
	size_t got = 0;

	while (to && got < size) {
		ssize_t n = pread(fd, to + got, size - got, (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	if (to)
		buf_added(out, got);
	return to && got == size;
}

bool journal_io_extend(int fd, size_t from, size_t to)
{
	static const char zeros[ZEROS];

	for (size_t at = from; at < to;) {
		size_t size = to - at < ZEROS ? to - at : ZEROS;

		if (journal_io_write(fd, zeros, size, at)) {
			(void)!ftruncate(fd, (off_t)from);
			return false;
		}
		at += size;
	}
	return true;
}
