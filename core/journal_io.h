/* SPDX-License-Identifier: Apache-2.0 */
/* journal_io: a journal's reads and writes, whole or not at all. Thread: any; all of it blocks. */
#ifndef GOFER_CORE_JOURNAL_IO_H
#define GOFER_CORE_JOURNAL_IO_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

/* What `errno` means: GOFER_FULL (no room on the disk) or GOFER_IO. */
enum gofer_err journal_io_failure(void);
/* Writes at `offset`. Where it fails, a part may have been written. */
enum gofer_err journal_io_write(int fd, const char *bytes, size_t size, size_t offset);
/* Appends what stands at `offset` to `out`; false: it is not all there, or there is no memory (buf_ok() tells). */
bool journal_io_read(int fd, struct buf *out, size_t offset, size_t size);
/* Makes a file that ends at `from` end at `to`, with zeros that are written and not only promised; false: it ends
 * where it did. */
bool journal_io_extend(int fd, size_t from, size_t to);

#endif
