/* SPDX-License-Identifier: Apache-2.0 */
#include "core/error.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[GOFER_OK] = "ok",
	[GOFER_FAILED] = "failed",
	[GOFER_NOMEM] = "out of memory",
	[GOFER_INVALID] = "invalid",
	[GOFER_NOTFOUND] = "not found",
	[GOFER_EXISTS] = "exists",
	[GOFER_FULL] = "full",
	[GOFER_IO] = "input/output",
	[GOFER_UNREACHABLE] = "unreachable",
	[GOFER_PROTOCOL] = "protocol",
	[GOFER_AUTH] = "authentication",
	[GOFER_TIMEOUT] = "timeout",
	[GOFER_CANCELLED] = "cancelled",
};

/* A character cut in two at the end of the buffer is dropped whole: the text stays UTF-8. */
static void drop_partial_character(char *text, size_t size)
{
	size_t lead = size;

	while (lead > 0 && size - lead < 3 && ((unsigned char)text[lead - 1] & 0xC0) == 0x80)
		lead--;
	if (lead == 0 || (unsigned char)text[lead - 1] < 0xC0)
		return;
	unsigned char c = (unsigned char)text[lead - 1];
	size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
	if (size - (lead - 1) < length)
		text[lead - 1] = '\0';
}

static void tidy(char *text, size_t capacity, int wanted)
{
	if (wanted >= 0 && (size_t)wanted >= capacity)
		drop_partial_character(text, strlen(text));
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7F)
			*text = '?';
}

enum gofer_err error_vset(struct error *error, enum gofer_err code, const char *format, va_list ap)
{
	char text[sizeof(error->text)];

	if (!error)
		return code;
	/* The arguments may be the text of `error` itself. */
	int wanted = vsnprintf(text, sizeof(text), format, ap);
	if (wanted < 0)
		text[0] = '\0';
	tidy(text, sizeof(text), wanted);
	error->code = code;
	memcpy(error->text, text, strlen(text) + 1);
	return code;
}

enum gofer_err error_set(struct error *error, enum gofer_err code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	error_vset(error, code, format, ap);
	va_end(ap);
	return code;
}

enum gofer_err error_errno(struct error *error, enum gofer_err code, int errno_value,
                           const char *format, ...)
{
	char text[sizeof(error->text)], reason[128];
	va_list ap;

	if (!error)
		return code;
	va_start(ap, format);
	if (vsnprintf(text, sizeof(text), format, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	return error_set(error, code, "%s: %s", text,
	                 strerror_r(errno_value, reason, sizeof(reason)));
}

enum gofer_err error_prefix(struct error *error, const char *format, ...)
{
	char text[sizeof(error->text)];
	va_list ap;

	if (!error)
		return GOFER_FAILED;
	va_start(ap, format);
	if (vsnprintf(text, sizeof(text), format, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	return error_set(error, error->code, "%s: %s", text, error->text);
}

const char *error_name(enum gofer_err code)
{
	size_t i = (size_t)code;

	return i < sizeof(names) / sizeof(names[0]) && names[i] ? names[i] : "unknown";
}
