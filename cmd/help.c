/* SPDX-License-Identifier: Apache-2.0 */
/* gofer help: the overview, a command's help, the exit codes, and the shell's completions. */
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/completion.h"
#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "core/nearest.h"

struct help_options {
	const char *completion;
};

/* clang-format off */
static const struct option_spec options[] = {
	{.name = "completion", .kind = OPTION_TEXT,
	 .offset = offsetof(struct help_options, completion), .argument = "SHELL",
	 .help = "print the completions for a shell; bash is the one there is"},
	{.kind = OPTION_END},
};
/* clang-format on */

static const char *const topics[] = {
	"admin", "agentd", "broker", "call", "exit-codes", "help", "plugin", NULL,
};

static int print_completion(const char *shell)
{
	struct buf text = BUF_INIT;

	if (strcmp(shell, "bash")) {
		fprintf(stderr, "gofer help: no completions for \"%s\"; there are some for bash\n",
		        shell);
		return EXIT_CODE_USAGE;
	}
	completion_print_bash(&text);
	output_take(&text);
	return EXIT_CODE_OK;
}

static int unknown_topic(const char *word)
{
	const char *near = nearest(word, topics);

	fprintf(stderr, "gofer help: no command \"%s\"%s%s%s\n", word,
	        near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return EXIT_CODE_USAGE;
}

static int run(void *opaque, int argc, char **argv)
{
	const struct help_options *o = opaque;
	const struct command *command;
	struct buf text = BUF_INIT;

	if (argc > 1) {
		fprintf(stderr, "gofer help: one command at a time, not \"%s\"\n", argv[1]);
		return EXIT_CODE_USAGE;
	}
	if (o->completion)
		return print_completion(o->completion);
	command = argc ? command_find(argv[0]) : NULL;
	if (!argc)
		command_print_overview(&text);
	else if (!strcmp(argv[0], "exit-codes"))
		exit_codes_print(&text);
	else if (command)
		command_print_help(&text, command);
	else
		return unknown_topic(argv[0]);
	output_take(&text);
	return EXIT_CODE_OK;
}

const struct command command_help = {
	.name = "help",
	.args = "[COMMAND | exit-codes]",
	.summary = "What there is, and how it is used",
	.words = topics,
	.options = options,
	.options_size = sizeof(struct help_options),
	.run = run,
};
