/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the commands: whole, in order, and in the manual pages. Run at the project's root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/completion.h"
#include "cmd/exit_codes.h"

/* The text of a manual page without the backslashes of its "\-". */
static char *read_page(const char *path)
{
	FILE *file = fopen(path, "r");
	struct buf text = BUF_INIT;
	int c;

	if (!file)
		fail_msg("%s: no such page", path);
	while ((c = fgetc(file)) != EOF) {
		if (c != '\\')
			buf_putc(&text, (char)c);
	}
	fclose(file);
	return buf_take(&text, NULL);
}

static const char *page_of(const struct command *command)
{
	return strcmp(command->name, "agentd") ? "man/gofer.1" : "man/goferd.8";
}

static void commands_are_sorted_and_found(void **state)
{
	(void)state;
	for (const struct command *const *c = commands; *c; c++) {
		if (c > commands)
			assert_true(strcmp(c[-1]->name, (*c)->name) < 0);
		assert_ptr_equal(command_find((*c)->name), *c);
		if ((*c)->alias)
			assert_ptr_equal(command_find((*c)->alias), *c);
		assert_non_null((*c)->run);
		assert_non_null((*c)->summary);
	}
	assert_null(command_find("nonsense"));
	assert_string_equal(command_nearest("agent"), "agentd");
	assert_null(command_nearest("nonsense"));
}

static bool has_item(const char *const *words, const char *word)
{
	while (*words && strcmp(*words, word))
		words++;
	return *words;
}

static void help_knows_every_command(void **state)
{
	const char *const *topics = command_find("help")->words;
	size_t count = 0;

	(void)state;
	for (const struct command *const *c = commands; *c; c++, count++) {
		if (!has_item(topics, (*c)->name))
			fail_msg("gofer help does not know %s", (*c)->name);
	}
	assert_true(has_item(topics, "exit-codes"));
	assert_null(topics[count + 1]);
}

static void every_option_is_whole(void **state)
{
	(void)state;
	for (const struct command *const *c = commands; *c; c++) {
		for (const struct option_spec *s = (*c)->options; s->kind != OPTION_END; s++) {
			assert_true(s->name || s->letter);
			assert_non_null(s->help);
			assert_true(*s->help);
			assert_true((s->kind == OPTION_FLAG) == (s->argument == NULL));
			assert_true(s->offset < (*c)->options_size);
			assert_true(s->given < (*c)->options_size);
			assert_true(s - (*c)->options < OPTIONS_MAX);
		}
	}
}

static void no_option_is_there_twice(void **state)
{
	(void)state;
	for (const struct command *const *c = commands; *c; c++) {
		for (const struct option_spec *s = (*c)->options; s->kind != OPTION_END; s++) {
			assert_true(s->letter != 'h');
			for (const struct option_spec *t = (*c)->options; t < s; t++) {
				assert_true(!s->letter || s->letter != t->letter);
				assert_true(!s->name || !t->name || strcmp(s->name, t->name));
			}
		}
	}
}

/* Whether `text` has the word, and no longer one there. */
static bool has_word(const char *text, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at++) {
		char next = at[size];

		if (next != '-' && next != '_' && !(next >= 'a' && next <= 'z'))
			return true;
	}
	return false;
}

static void every_option_is_in_its_help(void **state)
{
	(void)state;
	for (const struct command *const *c = commands; *c; c++) {
		struct buf help = BUF_INIT;

		command_print_help(&help, *c);
		for (const struct option_spec *s = (*c)->options; s->kind != OPTION_END; s++) {
			char word[64];

			snprintf(word, sizeof(word), "--%s", s->name ? s->name : "");
			if (s->name && !has_word(help.data, word))
				fail_msg("%s is not in the help of %s", word, (*c)->name);
		}
		buf_release(&help);
	}
}

static void require_word(const char *page, const char *text, const char *command, const char *word)
{
	if (!has_word(text, word))
		fail_msg("%s: %s of gofer %s is missing", page, word, command);
}

static void every_option_is_in_its_page(void **state)
{
	(void)state;
	for (const struct command *const *c = commands; *c; c++) {
		const char *page = page_of(*c);
		char *text = read_page(page), word[64];

		for (const struct option_spec *s = (*c)->options; s->kind != OPTION_END; s++) {
			snprintf(word, sizeof(word), "--%s", s->name ? s->name : "");
			if (s->name)
				require_word(page, text, (*c)->name, word);
			snprintf(word, sizeof(word), "-%c", s->letter);
			if (s->letter)
				require_word(page, text, (*c)->name, word);
			if (s->environment)
				require_word(page, text, (*c)->name, s->environment);
			if (s->config)
				require_word(page, text, (*c)->name, s->config);
		}
		free(text);
	}
}

static void exit_codes_are_in_the_page(void **state)
{
	char *text = read_page("man/gofer.1");

	(void)state;
	for (const struct exit_code_row *row = exit_codes; row->name; row++) {
		char line[160];

		snprintf(line, sizeof(line), ".TP\n.B %d\n%s\n", row->code, row->meaning);
		if (!strstr(text, line))
			fail_msg("man/gofer.1: not as in the table: %s", line);
		assert_true(row == exit_codes || row[-1].code < row->code);
	}
	free(text);
}

static void errors_have_exit_codes(void **state)
{
	(void)state;
	assert_int_equal(exit_code_of(GOFER_OK), EXIT_CODE_OK);
	assert_int_equal(exit_code_of(GOFER_INVALID), EXIT_CODE_USAGE);
	assert_int_equal(exit_code_of(GOFER_UNREACHABLE), EXIT_CODE_UNREACHABLE);
	assert_int_equal(exit_code_of((enum gofer_err)1000), EXIT_CODE_RAISED);
	for (int err = GOFER_FAILED; err <= GOFER_CANCELLED; err++)
		assert_int_not_equal(exit_code_of((enum gofer_err)err), EXIT_CODE_OK);
}

static void completions_name_every_option(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	completion_print_bash(&out);
	for (const struct command *const *c = commands; *c; c++) {
		for (const struct option_spec *s = (*c)->options; s->kind != OPTION_END; s++) {
			char word[64];

			snprintf(word, sizeof(word), " --%s", s->name);
			if (s->name)
				assert_true(has_word(out.data, word));
		}
	}
	buf_release(&out);
}

/* etc/client.conf shows each key that there is, commented out. */
static void the_example_configuration_has_every_key(void **state)
{
	char *text = read_page("etc/client.conf");
	const struct command *call = command_find("call");

	(void)state;
	for (const struct option_spec *s = call->options; s->kind != OPTION_END; s++) {
		char line[64];

		snprintf(line, sizeof(line), "\n#%s = ", s->config);
		if (s->config && !strstr(text, line))
			fail_msg("etc/client.conf: no #%s", s->config);
	}
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_sorted_and_found),
		cmocka_unit_test(help_knows_every_command),
		cmocka_unit_test(every_option_is_whole),
		cmocka_unit_test(no_option_is_there_twice),
		cmocka_unit_test(every_option_is_in_its_help),
		cmocka_unit_test(every_option_is_in_its_page),
		cmocka_unit_test(exit_codes_are_in_the_page),
		cmocka_unit_test(errors_have_exit_codes),
		cmocka_unit_test(completions_name_every_option),
		cmocka_unit_test(the_example_configuration_has_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
