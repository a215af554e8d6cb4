/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/nearest.h"

#define CONFIG_SECTION "call"
#define WORD_MAX 40

struct parser {
	const struct option_spec *specs;
	char *out;
	int argc;
	char **argv;
	int next; /* in argv: the word to be looked at */
	const struct config *config;
	uint64_t given;
	struct error *error;
};

static const struct option_spec help_spec = {.name = "help",
                                             .letter = 'h',
                                             .kind = OPTION_FLAG,
                                             .help = "print this and stop"};

/* --- values ------------------------------------------------------------------------------ */

static enum gofer_err parse_flag(const char *text, bool *flag, struct error *error)
{
	static const char *const yes[] = {"1", "true", "yes", "on"};
	static const char *const no[] = {"0", "false", "no", "off"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		if (!strcasecmp(text, yes[i])) {
			*flag = true;
			return GOFER_OK;
		}
		if (!strcasecmp(text, no[i])) {
			*flag = false;
			return GOFER_OK;
		}
	}
	return error_set(error, GOFER_INVALID, "\"%s\" is neither 1 nor 0", text);
}

static enum gofer_err parse_integer(const struct option_spec *spec, const char *text,
                                    long long *value, struct error *error)
{
	char *end = NULL;

	errno = 0;
	*value = strtoll(text, &end, 10);
	if (end == text || *end || isspace((unsigned char)*text))
		return error_set(error, GOFER_INVALID, "\"%s\" is no whole number", text);
	if (errno || ((spec->min || spec->max) && (*value < spec->min || *value > spec->max)))
		return error_set(error, GOFER_INVALID, "%s is not in %lld..%lld", text, spec->min,
		                 spec->max);
	return GOFER_OK;
}

static enum gofer_err check_json(const char *text, struct error *error)
{
	struct cJSON *value = json_parse(text, strlen(text), error);

	if (!value)
		return error_prefix(error, "no JSON");
	cJSON_Delete(value);
	return GOFER_OK;
}

static enum gofer_err append_item(struct option_list *list, const char *text, struct error *error)
{
	const char **items = reallocarray(list->items, list->count + 1, sizeof(*items));

	if (!items)
		return error_set(error, GOFER_NOMEM, "out of memory");
	list->items = items;
	items[list->count++] = text;
	return GOFER_OK;
}

static enum gofer_err copy_secret(char **field, const char *text, struct error *error)
{
	char *copy = strdup(text);

	if (!copy)
		return error_set(error, GOFER_NOMEM, "out of memory");
	free(*field);
	*field = copy;
	return GOFER_OK;
}

static enum gofer_err store(struct parser *p, const struct option_spec *spec, const char *text)
{
	void *field = p->out + spec->offset;

	switch (spec->kind) {
	case OPTION_FLAG: return parse_flag(text, field, p->error);
	case OPTION_INTEGER: return parse_integer(spec, text, field, p->error);
	case OPTION_DURATION: return clock_duration(text, field, p->error);
	case OPTION_LIST: return append_item(field, text, p->error);
	case OPTION_SECRET: return copy_secret(field, text, p->error);
	case OPTION_JSON:
		if (check_json(text, p->error))
			return GOFER_INVALID;
		break;
	case OPTION_TEXT:
	case OPTION_END: break;
	}
	*(const char **)field = text;
	return GOFER_OK;
}

/* --- the command line -------------------------------------------------------------------- */

static const struct option_spec *find_long(const struct option_spec *specs, const char *name,
                                           size_t size)
{
	if (size == strlen(help_spec.name) && !strncmp(name, help_spec.name, size))
		return &help_spec;
	for (; specs->kind != OPTION_END; specs++) {
		if (specs->name && strlen(specs->name) == size && !strncmp(specs->name, name, size))
			return specs;
	}
	return NULL;
}

static const struct option_spec *find_letter(const struct option_spec *specs, char letter)
{
	for (; specs->kind != OPTION_END; specs++) {
		if (specs->letter == letter)
			return specs;
	}
	return letter == help_spec.letter ? &help_spec : NULL;
}

static enum gofer_err unknown_long(struct parser *p, const char *name, size_t size)
{
	const char *names[OPTIONS_MAX + 2], *near;
	char word[WORD_MAX + 1];
	size_t count = 0;

	for (const struct option_spec *s = p->specs; s->kind != OPTION_END; s++) {
		if (s->name && count < OPTIONS_MAX)
			names[count++] = s->name;
	}
	names[count++] = help_spec.name;
	names[count] = NULL;
	if (size > WORD_MAX)
		size = WORD_MAX;
	memcpy(word, name, size);
	word[size] = '\0';
	near = nearest(word, names);
	if (!near)
		return error_set(p->error, GOFER_INVALID, "unknown option \"--%s\"", word);
	return error_set(p->error, GOFER_INVALID, "unknown option \"--%s\"; did you mean \"--%s\"?",
	                 word, near);
}

static enum gofer_err unknown_letter(struct parser *p, char letter)
{
	char other = isupper((unsigned char)letter) ? (char)tolower((unsigned char)letter)
						    : (char)toupper((unsigned char)letter);

	if (other == letter || !find_letter(p->specs, other))
		return error_set(p->error, GOFER_INVALID, "unknown option \"-%c\"", letter);
	return error_set(p->error, GOFER_INVALID, "unknown option \"-%c\"; did you mean \"-%c\"?",
	                 letter, other);
}

static void mark_given(struct parser *p, const struct option_spec *spec)
{
	p->given |= UINT64_C(1) << (spec - p->specs);
	if (spec->given)
		*(bool *)(p->out + spec->given) = true;
}

/* `value`: what stood behind "=" or the letter; NULL: the next word is it. */
static enum gofer_err take_value(struct parser *p, const struct option_spec *spec,
                                 const char *shown, char *value)
{
	enum gofer_err err;

	if (!value && p->next >= p->argc)
		return error_set(p->error, GOFER_INVALID, "option \"%s\" needs a value: %s", shown,
		                 spec->argument);
	if (!value)
		value = p->argv[p->next++];
	err = store(p, spec, value);
	if (spec->kind == OPTION_SECRET)
		memset(value, 'x', strlen(value));
	if (err)
		return error_prefix(p->error, "option \"%s\"", shown);
	mark_given(p, spec);
	return GOFER_OK;
}

static void set_flag(struct parser *p, const struct option_spec *spec)
{
	*(bool *)(p->out + spec->offset) = true;
	mark_given(p, spec);
}

/* GOFER_CANCELLED: --help. */
static enum gofer_err take_long(struct parser *p, char *word)
{
	const struct option_spec *spec;
	char shown[WORD_MAX + 3];
	char *equals = strchr(word, '=');
	size_t size = equals ? (size_t)(equals - word) : strlen(word);

	spec = find_long(p->specs, word + 2, size - 2);
	if (!spec)
		return unknown_long(p, word + 2, size - 2);
	if (spec == &help_spec)
		return GOFER_CANCELLED;
	snprintf(shown, sizeof(shown), "--%s", spec->name);
	if (spec->kind != OPTION_FLAG)
		return take_value(p, spec, shown, equals ? equals + 1 : NULL);
	if (equals)
		return error_set(p->error, GOFER_INVALID, "option \"%s\" takes no value", shown);
	set_flag(p, spec);
	return GOFER_OK;
}

static enum gofer_err take_letters(struct parser *p, char *word)
{
	for (char *at = word + 1; *at; at++) {
		const struct option_spec *spec = find_letter(p->specs, *at);
		char shown[] = {'-', *at, '\0'};

		if (!spec)
			return unknown_letter(p, *at);
		if (spec == &help_spec)
			return GOFER_CANCELLED;
		if (spec->kind != OPTION_FLAG)
			return take_value(p, spec, shown, at[1] ? at + 1 : NULL);
		set_flag(p, spec);
	}
	return GOFER_OK;
}

static bool is_number(const char *text)
{
	char *end = NULL;

	if (!isdigit((unsigned char)text[1]) && text[1] != '.')
		return false;
	strtod(text, &end);
	return end != text && !*end;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] && !is_number(word);
}

static enum gofer_err take_words(struct parser *p, char **options, int *options_count,
                                 char **arguments, int *arguments_count)
{
	bool ended = false;

	while (p->next < p->argc) {
		int first = p->next;
		char *word = p->argv[p->next++];
		enum gofer_err err = GOFER_OK;

		if (ended || !is_option(word)) {
			arguments[(*arguments_count)++] = word;
			continue;
		}
		if (!strcmp(word, "--"))
			ended = true;
		else
			err = word[1] == '-' ? take_long(p, word) : take_letters(p, word);
		if (err)
			return err;
		while (first < p->next)
			options[(*options_count)++] = p->argv[first++];
	}
	return GOFER_OK;
}

/* --- defaults ---------------------------------------------------------------------------- */

static enum gofer_err default_from_config(struct parser *p, const struct option_spec *spec,
                                          const char *text)
{
	const char *file = NULL;
	unsigned line = 0;

	if (!store(p, spec, text))
		return GOFER_OK;
	if (!config_where(p->config, CONFIG_SECTION, spec->config, &file, &line))
		file = "client.conf";
	return error_prefix(p->error, "%s:%u: %s", file, line, spec->config);
}

static enum gofer_err set_default(struct parser *p, const struct option_spec *spec)
{
	const char *text = spec->environment ? getenv(spec->environment) : NULL;

	if (text && *text)
		return store(p, spec, text) ? error_prefix(p->error, "%s", spec->environment)
					    : GOFER_OK;
	text = spec->config && p->config ? config_text(p->config, CONFIG_SECTION, spec->config)
					 : NULL;
	if (text && *text)
		return default_from_config(p, spec, text);
	return spec->initial ? store(p, spec, spec->initial) : GOFER_OK;
}

static enum gofer_err set_defaults(struct parser *p)
{
	for (const struct option_spec *s = p->specs; s->kind != OPTION_END; s++) {
		enum gofer_err err = GOFER_OK;

		if (!(p->given & (UINT64_C(1) << (s - p->specs))))
			err = set_default(p, s);
		if (err)
			return err;
	}
	return GOFER_OK;
}

int options_parse(const struct option_spec *specs, void *out, int argc, char **argv,
                  const struct config *config, struct error *error)
{
	struct parser p = {.specs = specs,
	                   .out = out,
	                   .argc = argc,
	                   .argv = argv,
	                   .config = config,
	                   .error = error};
	int options_count = 0, arguments_count = 0;
	char **words = calloc(2 * (size_t)argc + 1, sizeof(*words));
	enum gofer_err err;

	if (!words) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return -1;
	}
	err = take_words(&p, words, &options_count, words + argc, &arguments_count);
	if (!err) {
		memcpy(argv, words, (size_t)options_count * sizeof(*words));
		memcpy(argv + options_count, words + argc,
		       (size_t)arguments_count * sizeof(*words));
		err = set_defaults(&p);
	}
	free(words);
	if (err)
		return err == GOFER_CANCELLED ? -2 : -1;
	return options_count;
}

void options_release(const struct option_spec *specs, void *out)
{
	for (; specs->kind != OPTION_END; specs++) {
		void *field = (char *)out + specs->offset;

		if (specs->kind == OPTION_LIST) {
			free(((struct option_list *)field)->items);
			*(struct option_list *)field = (struct option_list){NULL, 0};
		} else if (specs->kind == OPTION_SECRET) {
			char *secret = *(char **)field;

			if (secret)
				explicit_bzero(secret, strlen(secret));
			free(secret);
			*(char **)field = NULL;
		}
	}
}

/* --- help -------------------------------------------------------------------------------- */

#define HELP_COLUMN 28
#define HELP_WIDTH 80

static void pad(struct buf *out, size_t count)
{
	while (count-- > 0)
		buf_putc(out, ' ');
}

/* Words from the help column on, broken at the width. */
static void print_wrapped(struct buf *out, const char *text)
{
	size_t column = HELP_COLUMN;

	while (*text) {
		size_t size = strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + size > HELP_WIDTH) {
			buf_putc(out, '\n');
			pad(out, HELP_COLUMN);
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			buf_putc(out, ' ');
			column++;
		}
		buf_append(out, text, size);
		column += size;
		text += size + strspn(text + size, " ");
	}
	buf_putc(out, '\n');
}

static void add_source(struct buf *text, bool *first, const char *what, const char *value)
{
	if (!value)
		return;
	buf_printf(text, "%s%s%s", *first ? " (" : "; ", what, value);
	*first = false;
}

static void print_option(struct buf *out, const struct option_spec *spec)
{
	struct buf text = BUF_INIT;
	size_t start = out->size;
	bool first = true;

	buf_puts(out, "  ");
	if (spec->letter)
		buf_printf(out, "-%c", spec->letter);
	if (spec->letter && spec->name)
		buf_puts(out, ", ");
	if (spec->name)
		buf_printf(out, "%s--%s", spec->letter ? "" : "    ", spec->name);
	if (spec->argument)
		buf_printf(out, " %s", spec->argument);
	if (out->size - start + 2 > HELP_COLUMN) {
		buf_putc(out, '\n');
		start = out->size;
	}
	pad(out, HELP_COLUMN - (out->size - start));

	buf_puts(&text, spec->help);
	add_source(&text, &first, "", spec->environment);
	add_source(&text, &first, "client.conf: ", spec->config);
	add_source(&text, &first, "default ", spec->initial);
	if (!first)
		buf_putc(&text, ')');
	print_wrapped(out, buf_text(&text));
	buf_release(&text);
}

void options_print_help(struct buf *out, const struct option_spec *specs)
{
	for (; specs->kind != OPTION_END; specs++)
		print_option(out, specs);
	print_option(out, &help_spec);
}
