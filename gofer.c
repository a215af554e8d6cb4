/* SPDX-License-Identifier: Apache-2.0 */
/* The one executable: argv[0] or argv[1] picks a command. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "amqp/version.h"
#include "cmd/command.h"
#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "core/buf.h"
#include "core/nearest.h"

/* A descriptor that was closed would become a socket's, and output would go into it: what stands in
 * its place can be neither read nor written. */
static void fill_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/", O_RDONLY | O_DIRECTORY) != fd)
			return;
	}
}

static int overview(void)
{
	struct buf text = BUF_INIT;

	command_print_overview(&text);
	output_take(&text);
	return EXIT_CODE_OK;
}

static int version(void)
{
	struct buf text = BUF_INIT;

	buf_puts(&text, "gofer " GOFER_VERSION "\n");
	amqp_print_versions(&text);
	output_take(&text);
	return EXIT_CODE_OK;
}

static int list(void)
{
	for (const struct command *const *c = commands; *c; c++) {
		output_puts((*c)->name);
		output_puts("\n");
	}
	return EXIT_CODE_OK;
}

static const struct {
	const char *word;
	int (*run)(void);
} words[] = {
	{"-h", overview},
	{"--help", overview},
	{"--version", version},
	{"--list", list},
};

static int unknown(const char *word)
{
	static const char *const options[] = {"--help", "--version", "--list", NULL};
	bool option = *word == '-';
	const char *near = option ? nearest(word, options) : command_nearest(word);

	fprintf(stderr, "gofer: unknown %s \"%s\"; ", option ? "option" : "command", word);
	if (near)
		fprintf(stderr, "did you mean \"%s\"?\n", near);
	else
		fputs("\"gofer help\" lists what there is\n", stderr);
	return EXIT_CODE_USAGE;
}

/* "gofer-call" and the like, and "goferd". */
static const struct command *by_program_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (!strcmp(name, "goferd"))
		return command_find("agentd");
	return strncmp(name, "gofer-", 6) ? NULL : command_find(name + 6);
}

static int run(int argc, char **argv)
{
	const struct command *command = argc > 0 ? by_program_name(argv[0]) : NULL;

	if (command)
		return command_run(command, argc - 1, argv + 1);
	if (argc < 2)
		return overview();
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcmp(argv[1], words[i].word))
			return words[i].run();
	}
	command = command_find(argv[1]);
	return command ? command_run(command, argc - 2, argv + 2) : unknown(argv[1]);
}

int main(int argc, char **argv)
{
	fill_descriptors();
	signal(SIGPIPE, SIG_IGN);
	return output_finish(run(argc, argv));
}
