/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/exit_codes.h"

#include <stddef.h>

const struct exit_code_row exit_codes[] = {
	{EXIT_CODE_OK, "ok",
         "the answer is here (or, asked not to wait, the request is the broker's)"},
	{EXIT_CODE_RAISED, "raised", "the method raised an exception; another command failed"},
	{EXIT_CODE_USAGE, "usage",
         "the command line, a configuration file or an argument is wrong"},
	{EXIT_CODE_REJECTED, "rejected", "the agent rejected the request"},
	{EXIT_CODE_UNREACHABLE, "unreachable", "no such address, or nothing could be reached"},
	{EXIT_CODE_IO, "io",
         "this machine failed: the output could not be written, no memory is left"},
	{EXIT_CODE_PROTOCOL, "protocol", "the peer broke the protocol"},
	{EXIT_CODE_AUTH, "auth", "authentication failed, here or at the broker"},
	{EXIT_CODE_TIMEOUT, "timeout", "no answer in time"},
	{EXIT_CODE_INTERRUPTED, "interrupted", "interrupted"},
	{0, NULL, NULL},
};

enum exit_code exit_code_of(enum gofer_err err)
{
	static const enum exit_code codes[] = {
		[GOFER_OK] = EXIT_CODE_OK,
		[GOFER_FAILED] = EXIT_CODE_RAISED,
		[GOFER_NOMEM] = EXIT_CODE_IO,
		[GOFER_INVALID] = EXIT_CODE_USAGE,
		[GOFER_NOTFOUND] = EXIT_CODE_UNREACHABLE,
		[GOFER_EXISTS] = EXIT_CODE_RAISED,
		[GOFER_FULL] = EXIT_CODE_UNREACHABLE,
		[GOFER_IO] = EXIT_CODE_IO,
		[GOFER_UNREACHABLE] = EXIT_CODE_UNREACHABLE,
		[GOFER_PROTOCOL] = EXIT_CODE_PROTOCOL,
		[GOFER_AUTH] = EXIT_CODE_AUTH,
		[GOFER_TIMEOUT] = EXIT_CODE_TIMEOUT,
		[GOFER_CANCELLED] = EXIT_CODE_INTERRUPTED,
	};

	if ((size_t)err >= sizeof(codes) / sizeof(*codes))
		return EXIT_CODE_RAISED;
	return codes[err];
}

void exit_codes_print(struct buf *out)
{
	for (const struct exit_code_row *row = exit_codes; row->name; row++)
		buf_printf(out, "%5d  %-12s %s\n", row->code, row->name, row->meaning);
}
