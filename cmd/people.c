/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/people.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/utf8.h"

/* Controls, and what changes the direction of what is around it. */
static bool is_harmful(uint32_t code)
{
	return code == UTF8_INVALID || code < 0x20 || (code >= 0x7f && code < 0xa0) ||
		code == 0x061c || code == 0x200e || code == 0x200f ||
		(code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
		code == 0xfeff;
}

static size_t put_one(struct buf *out, const char *text, size_t size)
{
	uint32_t code;
	size_t n = utf8_decode(text, size, &code);

	if (is_harmful(code))
		buf_putc(out, '?');
	else
		buf_append(out, text, n);
	return n;
}

static bool is_space(char c)
{
	return c == '\n' || c == '\t';
}

void people_text(struct buf *out, const char *text, size_t size)
{
	while (size) {
		size_t n = 1;

		if (is_space(*text))
			buf_putc(out, *text);
		else
			n = put_one(out, text, size);
		text += n;
		size -= n;
	}
}

void people_line(struct buf *out, const char *text, unsigned columns)
{
	size_t size = strlen(text);

	while (size && columns--) {
		size_t n = 1;

		if (is_space(*text))
			buf_putc(out, ' ');
		else
			n = put_one(out, text, size);
		text += n;
		size -= n;
	}
}

unsigned people_width(const char *text)
{
	unsigned width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void people_age(struct buf *out, double seconds)
{
	unsigned long long s = seconds < 1e15 && seconds > 0 ? (unsigned long long)seconds : 0;

	if (seconds < 10)
		buf_printf(out, "%.1fs", seconds > 0 ? seconds : 0);
	else if (s < 60)
		buf_printf(out, "%llus", s);
	else if (s < 3600)
		buf_printf(out, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		buf_printf(out, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		buf_printf(out, "%llud%02lluh", s / 86400, s / 3600 % 24);
}

void people_bytes(struct buf *out, double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t i = 0;

	for (; bytes >= 1024 && i < sizeof(units) / sizeof(*units) - 1; i++)
		bytes /= 1024;
	buf_printf(out, i ? "%.1f %s" : "%.0f %s", bytes, units[i]);
}
