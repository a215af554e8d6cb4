/* SPDX-License-Identifier: Apache-2.0 */
/* base64: RFC 4648, strictly: padded, one line, no other character in it. Thread: any. */
#ifndef GOFER_CORE_BASE64_H
#define GOFER_CORE_BASE64_H

#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

/* Appends the text of `data`; a failed allocation is left to buf_ok(). */
void base64_encode(struct buf *out, const unsigned char *data, size_t size);

/* Appends the bytes that `text` stands for; GOFER_INVALID (and nothing appended) if it is no
 * base64, GOFER_NOMEM. */
enum gofer_err base64_decode(struct buf *out, const char *text, size_t size);

#endif
