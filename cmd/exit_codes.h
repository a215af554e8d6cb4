/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exit_codes: what gofer's exit codes mean; one table for all commands, for `gofer help exit-codes`
 * and for the check of the manual page. Thread: any.
 */
#ifndef GOFER_CMD_EXIT_CODES_H
#define GOFER_CMD_EXIT_CODES_H

#include "core/buf.h"
#include "core/error.h"

enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_RAISED = 1, /* for commands other than call: it failed */
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_REJECTED = 4,
	EXIT_CODE_UNREACHABLE = 69,
	EXIT_CODE_IO = 74,
	EXIT_CODE_PROTOCOL = 76,
	EXIT_CODE_AUTH = 77,
	EXIT_CODE_TIMEOUT = 124,
	EXIT_CODE_INTERRUPTED = 130,
};

struct exit_code_row {
	enum exit_code code;
	const char *name, *meaning; /* name NULL ends the table */
};
extern const struct exit_code_row exit_codes[];

/* The code for a failure of that kind. */
enum exit_code exit_code_of(enum gofer_err err);
void exit_codes_print(struct buf *out);

#endif
