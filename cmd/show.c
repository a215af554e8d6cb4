/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "core/utf8.h"

/* --- values ------------------------------------------------------------------------------ */

/* The very characters: core/json.h says what stands for a NUL and for a lone surrogate. */
static void print_string(struct buf *out, const char *text)
{
	size_t size = strlen(text);

	while (size) {
		uint32_t code;
		size_t n = utf8_decode(text, size, &code);

		if (code != UTF8_INVALID) {
			buf_append(out, text, n);
		} else if (size > 1 && !memcmp(text, "\xc0\x80", 2)) {
			buf_putc(out, '\0');
			n = 2;
		} else {
			buf_puts(out, "\xef\xbf\xbd");
			n = size > 2 && (unsigned char)*text == 0xed ? 3 : n;
		}
		text += n;
		size -= n;
	}
}

void show_value(struct buf *out, const struct cJSON *value)
{
	const char *text = json_string(value);

	if (text)
		print_string(out, text);
	else
		json_print(out, value);
}

/* --- what goes to standard error --------------------------------------------------------- */

/* Text of a peer's: no control characters reach the terminal but line ends and tabs. */
static void print_harmless(struct buf *out, const char *text)
{
	for (; *text; text++) {
		bool control = (unsigned char)*text < 0x20 || *text == 0x7f;

		buf_putc(out, control && *text != '\n' && *text != '\t' ? '?' : *text);
	}
}

static void print_os_error(struct buf *out, const struct cJSON *args)
{
	const struct cJSON *path = cJSON_GetArrayItem(args, 2);

	buf_puts(out, "[Errno ");
	json_print(out, cJSON_GetArrayItem(args, 0));
	buf_puts(out, "] ");
	show_value(out, cJSON_GetArrayItem(args, 1));
	if (path) {
		buf_puts(out, ": ");
		show_value(out, path);
	}
}

static void print_arguments(struct buf *out, const struct reply *reply)
{
	int count = cJSON_GetArraySize(reply->xargs);
	const struct cJSON *arg;

	if (count >= 2 && !strcmp(reply->xclass, "OSError")) {
		print_os_error(out, reply->xargs);
		return;
	}
	cJSON_ArrayForEach(arg, reply->xargs)
	{
		if (arg != reply->xargs->child)
			buf_puts(out, ", ");
		show_value(out, arg);
	}
}

/* An exception that brought no arguments may say more in the last line of its text. */
static void print_last_line(struct buf *out, const char *exval)
{
	size_t end = strlen(exval), start;

	while (end && exval[end - 1] == '\n')
		end--;
	start = end;
	while (start && exval[start - 1] != '\n')
		start--;
	buf_append(out, exval + start, end - start);
}

void show_exception(struct buf *out, const struct reply *reply)
{
	struct buf text = BUF_INIT;

	if (cJSON_GetArraySize(reply->xargs) > 0) {
		buf_printf(&text, "%s: ", reply->xclass);
		print_arguments(&text, reply);
	} else if (*reply->exval) {
		print_last_line(&text, reply->exval);
	} else {
		buf_puts(&text, reply->xclass);
	}
	print_harmless(out, buf_text(&text));
	buf_release(&text);
}

void show_rejection(struct buf *out, const struct reply *reply)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s: %s", reply->code, reply->description);
	if (*reply->details_text)
		buf_printf(&text, ": %s", reply->details_text);
	print_harmless(out, buf_text(&text));
	buf_release(&text);
}

static void print_trace(struct buf *out, const struct reply *reply)
{
	const char *trace = json_string(json_get(reply->xstate, "trace"));

	if (!trace || !*trace)
		trace = reply->exval;
	print_harmless(out, trace);
	if (*trace && trace[strlen(trace) - 1] != '\n')
		buf_putc(out, '\n');
}

/* --- replies ----------------------------------------------------------------------------- */

void show_json(struct buf *out, const struct reply *reply)
{
	json_print(out, reply->root);
	buf_putc(out, '\n');
}

static void print_progress(struct buf *out, const struct reply *reply)
{
	buf_printf(out, "progress %lld/%lld", reply->completed, reply->total);
	if (reply->details && !cJSON_IsNull(reply->details)) {
		buf_putc(out, ' ');
		show_value(out, reply->details);
	}
}

void show_line(struct buf *out, const struct reply *reply)
{
	buf_printf(out, "%s ", reply->sn ? reply->sn : "-");
	switch (reply->kind) {
	case REPLY_ACCEPTED: buf_puts(out, "accepted"); break;
	case REPLY_STARTED: buf_puts(out, "started"); break;
	case REPLY_PROGRESS: print_progress(out, reply); break;
	case REPLY_REJECTED:
		buf_puts(out, "rejected ");
		show_rejection(out, reply);
		break;
	case REPLY_RETURNED:
		buf_puts(out, "returned ");
		show_value(out, reply->retval);
		break;
	case REPLY_RAISED:
		buf_puts(out, "raised ");
		show_exception(out, reply);
		break;
	}
	buf_putc(out, '\n');
}

enum gofer_err show_decode(struct reply *reply, struct slice body, struct error *error)
{
	enum gofer_err err = reply_decode(reply, body.data, body.size, error);
	unsigned char *signature = NULL;
	char *inner = NULL;
	size_t size, signature_size;

	if (!err || err == GOFER_NOMEM)
		return err;
	if (!envelope_open(body.data, body.size, &inner, &size, &signature, &signature_size)) {
		reply_release(reply);
		err = reply_decode(reply, inner, size, error);
	}
	free(inner);
	free(signature);
	return err;
}

int show_code(const struct reply *reply)
{
	switch (reply->kind) {
	case REPLY_RETURNED: return EXIT_CODE_OK;
	case REPLY_RAISED: return EXIT_CODE_RAISED;
	case REPLY_REJECTED: return EXIT_CODE_REJECTED;
	default: return -1;
	}
}

static void tell_failure(const struct reply *reply, bool trace)
{
	struct buf text = BUF_INIT;

	if (reply->kind == REPLY_REJECTED) {
		buf_puts(&text, "rejected: ");
		show_rejection(&text, reply);
	} else {
		if (trace)
			print_trace(&text, reply);
		show_exception(&text, reply);
	}
	fprintf(stderr, "%s\n", buf_text(&text));
	buf_release(&text);
}

int show_result(const struct reply *reply, bool json, bool trace)
{
	struct buf text = BUF_INIT;

	if (json) {
		show_json(&text, reply);
	} else if (reply->kind == REPLY_RETURNED) {
		show_value(&text, reply->retval);
		buf_putc(&text, '\n');
	}
	output_take(&text);
	output_flush();
	if (reply->kind != REPLY_RETURNED)
		tell_failure(reply, trace);
	return show_code(reply);
}
