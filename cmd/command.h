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
	const char *alias;        /* as the Python system called it: "rmi"; NULL: none */
	const char *args;         /* "[ADDRESS[,ADDRESS...]] CLASS.METHOD [ARGUMENT...]" */
	const char *summary;      /* one line */
	const char *details;      /* paragraphs for --help, or NULL */
	const char *const *words; /* what its first argument may be, NULL ends it; NULL: anything */
	const struct option_spec *options; /* ends with kind OPTION_END */
	size_t options_size;               /* of the struct that the options are stored in */
	/* `options` is zeroed, then set from the command line; argc and argv hold what is left (argv[0] is the first
	 * argument). The result is the exit code. */
	int (*run)(void *options, int argc, char **argv);
};

/* Sorted by name; NULL ends it. */
extern const struct command *const commands[];
/* By name or alias; NULL: there is none. */
const struct command *command_find(const char *name);
/* The name or alias nearest to `word`, or NULL. */
const char *command_nearest(const char *word);
/* Reads client.conf, parses the options, runs. `argv[0]` is what stands behind the command's name. Tells what is
 * wrong with the command line; the result is the exit code. */
int command_run(const struct command *command, int argc, char **argv);
/* Appends --help of a command. */
void command_print_help(struct buf *out, const struct command *command);
/* Appends what `gofer help` says: the commands with their summaries. */
void command_print_overview(struct buf *out);

#endif
