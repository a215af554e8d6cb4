/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const unsigned char *data, size_t size)
{
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t bits = (uint32_t)data[i] << 16;

		if (left > 1)
			bits |= (uint32_t)data[i + 1] << 8;
		if (left > 2)
			bits |= data[i + 2];
		char text[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63],
		                left > 1 ? alphabet[bits >> 6 & 63] : '=',
		                left > 2 ? alphabet[bits & 63] : '='};
		buf_append(out, text, sizeof(text));
	}
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which the last `padding` count as zero; -1 where one is wrong or where bits
 * that the padding leaves over are set. */
static int32_t decode_group(const char *text, size_t padding)
{
	int32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? value_of(text[i]) : 0;
		if (value < 0)
			return -1;
		bits = bits << 6 | value;
	}
	return bits & ((1 << 8 * padding) - 1) ? -1 : bits;
}

enum gofer_err base64_decode(struct buf *out, const char *text, size_t size)
{
	size_t before = out->size, padding = 0;

	if (size % 4 != 0)
		return GOFER_INVALID;
	if (size > 0 && text[size - 1] == '=')
		padding = text[size - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < size; i += 4) {
		size_t missing = i + 4 == size ? padding : 0;
		int32_t bits = decode_group(text + i, missing);
		if (bits < 0) {
			if (out->size > before)
				buf_truncate(out, before);
			return GOFER_INVALID;
		}
		char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
		buf_append(out, bytes, 3 - missing);
	}
	return buf_ok(out) ? GOFER_OK : GOFER_NOMEM;
}
