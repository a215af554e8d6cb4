/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client_conf.h"
#include "cmd/command.h"
#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "core/nearest.h"

extern const struct command command_admin, command_agentd, command_broker, command_call,
	command_help, command_plugin;

const struct command *const commands[] = {
	&command_admin, &command_agentd, &command_broker,
	&command_call,  &command_help,   &command_plugin,
	NULL,
};

#define NAMES_MAX (2 * sizeof(commands) / sizeof(*commands))

const struct command *command_find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++) {
		if (!strcmp((*c)->name, name) || ((*c)->alias && !strcmp((*c)->alias, name)))
			return *c;
	}
	return NULL;
}

const char *command_nearest(const char *word)
{
	const char *names[NAMES_MAX + 1];
	size_t count = 0;

	for (const struct command *const *c = commands; *c; c++) {
		names[count++] = (*c)->name;
		if ((*c)->alias)
			names[count++] = (*c)->alias;
	}
	names[count] = NULL;
	return nearest(word, names);
}

void command_print_help(struct buf *out, const struct command *command)
{
	bool goferd = command->alias && !strncmp(command->alias, "gofer", 5);

	buf_printf(out, "Usage: gofer %s [OPTION...]%s%s\n", command->name,
	           command->args && *command->args ? " " : "", command->args ? command->args : "");
	buf_printf(out, "\n%s.", command->summary);
	if (command->alias)
		buf_printf(out, " Also known as %s%s.", goferd ? "" : "gofer ", command->alias);
	buf_puts(out, "\n\nOptions:\n");
	options_print_help(out, command->options);
	if (command->details)
		buf_printf(out, "\n%s\n", command->details);
}

void command_print_overview(struct buf *out)
{
	buf_puts(out,
	         "Usage: gofer COMMAND [OPTION...] [ARGUMENT...]\n\n"
	         "Calls methods on agents over AMQP 1.0, and runs the agents.\n\nCommands:\n");
	for (const struct command *const *c = commands; *c; c++)
		buf_printf(out, "  %-15s %s\n", (*c)->name, (*c)->summary);
	buf_puts(out,
	         "\nOptions:\n"
	         "  -h, --help      print this and stop\n"
	         "      --version   print the versions of gofer and of its libraries\n"
	         "      --list      print the names of the commands\n\n"
	         "\"gofer help COMMAND\" says more of a command, \"gofer help exit-codes\"\n"
	         "what exit codes mean.\n");
}

static int print_help(const struct command *command)
{
	struct buf text = BUF_INIT;

	command_print_help(&text, command);
	output_take(&text);
	return EXIT_CODE_OK;
}

static int parse_and_run(const struct command *command, void *options, const struct config *config,
                         const struct config_faults *faults, int argc, char **argv)
{
	struct error error = ERROR_NONE;
	int taken = options_parse(command->options, options, argc, argv, config, &error);

	if (taken == -2)
		return print_help(command);
	if (faults->count) {
		fputs(buf_text(&faults->text), stderr);
		return EXIT_CODE_USAGE;
	}
	if (taken < 0) {
		fprintf(stderr, "gofer %s: %s\n", command->name, error.text);
		return exit_code_of(error.code);
	}
	return command->run(options, argc - taken, argv + taken);
}

int command_run(const struct command *command, int argc, char **argv)
{
	struct config_faults faults = {.text = BUF_INIT, .count = 0};
	struct config *config = client_conf_read(command->options, &faults);
	void *options = calloc(1, command->options_size ? command->options_size : 1);
	int code = EXIT_CODE_IO;

	if (options)
		code = parse_and_run(command, options, config, &faults, argc, argv);
	else
		fprintf(stderr, "gofer %s: out of memory\n", command->name);

	if (options)
		options_release(command->options, options);
	free(options);
	config_free(config);
	config_faults_release(&faults);
	return code;
}
