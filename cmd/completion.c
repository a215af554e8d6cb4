/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/completion.h"

#include <string.h>

#include "cmd/command.h"

static void print_pattern(struct buf *out, const struct command *command)
{
	buf_printf(out, "\t%s", command->name);
	if (command->alias)
		buf_printf(out, "|%s", command->alias);
}

static void print_options(struct buf *out, const struct command *command)
{
	print_pattern(out, command);
	buf_puts(out, ") echo \"-h --help");
	for (const struct option_spec *s = command->options; s->kind != OPTION_END; s++) {
		if (s->letter)
			buf_printf(out, " -%c", s->letter);
		if (s->name)
			buf_printf(out, " --%s", s->name);
	}
	buf_puts(out, "\" ;;\n");
}

static void print_words(struct buf *out, const struct command *command)
{
	if (!command->words)
		return;
	print_pattern(out, command);
	buf_puts(out, ") echo \"");
	for (const char *const *word = command->words; *word; word++)
		buf_printf(out, "%s%s", word == command->words ? "" : " ", *word);
	buf_puts(out, "\" ;;\n");
}

/* "file", "value" or nothing, by what the option's argument is called. */
static const char *value_kind(const struct option_spec *spec)
{
	static const char *const files[] = {"FILE", "PATH", "DIR"};

	if (!spec->argument)
		return NULL;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (strstr(spec->argument, files[i]))
			return "file";
	}
	return "value";
}

static void print_values(struct buf *out, const struct command *command)
{
	for (const struct option_spec *s = command->options; s->kind != OPTION_END; s++) {
		const char *kind = value_kind(s);

		if (!kind)
			continue;
		buf_puts(out, "\t");
		if (s->letter)
			buf_printf(out, "%s:-%c%s", command->name, s->letter, s->name ? "|" : "");
		if (s->name)
			buf_printf(out, "%s:--%s", command->name, s->name);
		buf_printf(out, ") echo %s ;;\n", kind);
	}
}

static void print_function(struct buf *out, const char *name, const char *subject,
                           void (*each)(struct buf *out, const struct command *command))
{
	buf_printf(out, "%s()\n{\n\tcase %s in\n", name, subject);
	for (const struct command *const *c = commands; *c; c++)
		each(out, *c);
	buf_puts(out, "\tesac\n}\n\n");
}

static void print_links(struct buf *out)
{
	buf_puts(out, "complete -F _gofer gofer goferd");
	for (const struct command *const *c = commands; *c; c++)
		buf_printf(out, " gofer-%s", (*c)->name);
	buf_putc(out, '\n');
}

/* What the words so far, taken for an address and options, lead to. */
static void print_methods(struct buf *out)
{
	buf_puts(out,
	         "_gofer_methods()\n{\n"
	         "\t\"${COMP_WORDS[@]:0:COMP_CWORD}\" --describe -w 2 2>/dev/null"
	         " | sed 's/(.*//'\n"
	         "}\n\n");
}

void completion_print_bash(struct buf *out)
{
	buf_puts(out, "# Made by: gofer help --completion bash\n\n_gofer_commands=\"");
	for (const struct command *const *c = commands; *c; c++)
		buf_printf(out, "%s%s", c == commands ? "" : " ", (*c)->name);
	buf_puts(out, "\"\n\n");
	print_function(out, "_gofer_options", "\"$1\"", print_options);
	print_function(out, "_gofer_words", "\"$1\"", print_words);
	print_function(out, "_gofer_value", "\"$1:$2\"", print_values);
	print_methods(out);
	buf_puts(
		out,
		"_gofer()\n{\n"
		"\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
		"\tlocal command=${COMP_WORDS[0]##*/} first=1\n"
		"\tcase $command in\n"
		"\tgoferd) command=agentd ;;\n"
		"\tgofer-*) command=${command#gofer-} ;;\n"
		"\t*) command=${COMP_WORDS[1]} first=2 ;;\n"
		"\tesac\n"
		"\tCOMPREPLY=()\n"
		"\tif [ \"$COMP_CWORD\" -lt \"$first\" ]; then\n"
		"\t\tmapfile -t COMPREPLY < <(compgen -W \"$_gofer_commands --help --version --list\""
		" -- \"$current\")\n"
		"\t\treturn\n"
		"\tfi\n"
		"\tcase $(_gofer_value \"$command\" \"$before\") in\n"
		"\tfile) mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;;\n"
		"\tvalue) return ;;\n"
		"\tesac\n"
		"\tcase $current in\n"
		"\t-*) mapfile -t COMPREPLY < <(compgen -W \"$(_gofer_options \"$command\")\""
		" -- \"$current\") ;;\n"
		"\t*)\n"
		"\t\tif [ \"$COMP_CWORD\" = \"$first\" ]; then\n"
		"\t\t\tmapfile -t COMPREPLY < <(compgen -W \"$(_gofer_words \"$command\")\""
		" -- \"$current\")\n"
		"\t\telif [ \"$command\" = call ] || [ \"$command\" = rmi ]; then\n"
		"\t\t\tmapfile -t COMPREPLY < <(compgen -W \"$(_gofer_methods)\" -- \"$current\")\n"
		"\t\tfi\n"
		"\t\t[ ${#COMPREPLY[@]} -gt 0 ] || [ \"$COMP_CWORD\" = \"$first\" ] ||\n"
		"\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
		"\tesac\n"
		"}\n\n");
	print_links(out);
}
