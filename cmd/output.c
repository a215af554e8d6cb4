/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/exit_codes.h"

/* The errno of the first write that failed. */
static int failure;

static void note_failure(void)
{
	if (!failure)
		failure = errno ? errno : EIO;
}

void output_append(const char *data, size_t size)
{
	if (fwrite(data, 1, size, stdout) != size)
		note_failure();
}

void output_puts(const char *text)
{
	output_append(text, strlen(text));
}

void output_take(struct buf *text)
{
	if (!buf_ok(text)) {
		errno = ENOMEM;
		note_failure();
	}
	output_append(buf_text(text), text->size);
	buf_release(text);
}

enum gofer_err output_flush(void)
{
	if (fflush(stdout) || ferror(stdout))
		note_failure();
	return failure ? GOFER_IO : GOFER_OK;
}

int output_finish(int code)
{
	if (!output_flush() || failure == EPIPE)
		return code;
	fprintf(stderr, "gofer: writing to standard output: %s\n", strerror(failure));
	return code == EXIT_CODE_OK ? EXIT_CODE_IO : code;
}
