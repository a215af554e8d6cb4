/* SPDX-License-Identifier: Apache-2.0 */
#include "core/utf8.h"

static unsigned char second_byte_low(unsigned char lead)
{
	return lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
}

static unsigned char second_byte_high(unsigned char lead)
{
	return lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
}

size_t utf8_decode(const char *text, size_t size, uint32_t *code)
{
	const unsigned char *at = (const unsigned char *)text;
	unsigned char lead = at[0];

	*code = lead;
	if (lead < 0x80)
		return 1;
	if (lead < 0xC2 || lead > 0xF4) {
		*code = UTF8_INVALID;
		return 1;
	}
	size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
	unsigned char low = second_byte_low(lead), high = second_byte_high(lead);
	*code = lead & (0x7Fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (i >= size || at[i] < low || at[i] > high) {
			*code = UTF8_INVALID;
			return i;
		}
		*code = *code << 6 | (at[i] & 0x3Fu);
		low = 0x80;
		high = 0xBF;
	}
	return length;
}

size_t utf8_encode(char text[4], uint32_t code)
{
	static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};

	if (code < 0x80) {
		text[0] = (char)code;
		return 1;
	}
	size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	for (size_t i = length - 1; i > 0; i--) {
		text[i] = (char)(0x80 | (code & 0x3F));
		code >>= 6;
	}
	text[0] = (char)(leads[length] | code);
	return length;
}
