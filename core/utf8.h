/* SPDX-License-Identifier: Apache-2.0 */
/* utf8: one character of UTF-8 at a time, strictly as in RFC 3629. Thread: any. */
#ifndef GOFER_CORE_UTF8_H
#define GOFER_CORE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_INVALID UINT32_MAX
#define UTF8_REPLACEMENT 0xFFFD

/* Reads the character at `text`, of which `size` bytes (at least 1) are there; returns how many
 * bytes it has. Where there is none (overlong forms, surrogates, cut short) `*code` is UTF8_INVALID
 * and the result is how many bytes to take as one wrong character, as Python does it. */
size_t utf8_decode(const char *text, size_t size, uint32_t *code);

/* Writes `code` (up to 10FFFF, surrogates too) and returns how many bytes it has. */
size_t utf8_encode(char text[4], uint32_t code);

#endif
