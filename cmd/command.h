/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: the sub-commands of the one executable.
 *
 * To add one: write cmd/<name>.c that exports `const struct command command_<name>`, and add it to the table in
 * cmd/commands.c. Its options table makes the parsing, --help, the completions and
 * the check in the tests.
 */
#ifndef GOFER_CMD_COMMAND_H
#define GOFER_CMD_COMMAND_H

#include <stddef.h>

#include "cmd/options.h"

struct command {
	const char *name;
	const char *alias;   /* as the Python system called it: "rmi"; NULL: none */
	const char *args;    /* "[ADDRESS[,ADDRESS...]] CLASS.METHOD [ARGUMENT...]" */
	const char *summary; /* one line */
	const char *details; /* paragraphs for --help, or NULL */
	const struct option_spec *options; /* ends with kind OPTION_END */
	size_t options_size; /* of the struct that the options are stored in */
	/* `options` is zeroed, then set from the command line; argc and argv hold what is left (argv[0] is the first
	 * argument). The result is the exit code. */
	int (*run)(void *options, int argc, char **argv);
};

/* Sorted by name; NULL ends it. */
extern const struct command *const commands[];
const struct command *command_find(const char *name);
/* Runs what argv asks for: argv[0]'s name ("goferd", "gofer-call") or the first argument. */
int command_main(int argc, char **argv);

#endif
