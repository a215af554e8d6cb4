/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/clock.h"
#include "core/nearest.h"

#define SHOWN_MAX 60 /* bytes of a wrong value that a fault shows */
#define NAMES_MAX 200

/* --- the schema --- */

const struct config_property *config_property(const struct config_property *schema,
                                              const char *section, const char *key)
{
	const struct config_property *any = NULL;

	for (; schema->section; schema++) {
		if (strcmp(schema->section, section))
			continue;
		if (strcmp(schema->key, key) == 0)
			return schema;
		if (strcmp(schema->key, "*") == 0)
			any = schema;
	}
	return any;
}

bool config_knows_section(const struct config_property *schema, const char *section)
{
	for (; schema->section; schema++)
		if (strcmp(schema->section, section) == 0)
			return true;
	return false;
}

/* --- kinds --- */

struct parsed {
	bool truth;
	long long whole;
	double seconds;
};

static bool parse_bool(const char *text, struct parsed *out)
{
	static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]))
			continue;
		out->truth = i % 2;
		return true;
	}
	return false;
}

/* Digits, a minus where there may be one; *end is what follows. */
static bool parse_digits(const char *text, const char **end, long long *out)
{
	char *stop;

	if (!strchr("-0123456789", *text) || (*text == '-' && !strchr("0123456789", text[1])))
		return false;
	errno = 0;
	*out = strtoll(text, &stop, 10);
	*end = stop;
	return !errno && stop > text;
}

static bool is_within(const struct config_property *p, long long value)
{
	return (!p->min && !p->max) || (value >= p->min && value <= p->max);
}

static bool parse_integer(const struct config_property *p, const char *text, struct parsed *out)
{
	const char *end;

	return parse_digits(text, &end, &out->whole) && !*end && is_within(p, out->whole);
}

static bool parse_size(const struct config_property *p, const char *text, struct parsed *out)
{
	static const char suffixes[] = "kmgKMG";
	const char *end;

	if (!parse_digits(text, &end, &out->whole) || out->whole < 0)
		return false;
	const char *suffix = *end ? strchr(suffixes, *end) : NULL;
	if (*end && (!suffix || end[1]))
		return false;
	if (suffix) {
		int shift = 10 * ((int)(suffix - suffixes) % 3 + 1);
		if (out->whole > 0x7FFFFFFFFFFFFFFFLL >> shift)
			return false;
		out->whole <<= shift;
	}
	return is_within(p, out->whole);
}

/* The choice of which `*at` begins; moves to the next one. Size 0: there is none left. */
static struct slice next_choice(const char **at)
{
	struct slice choice = {*at, strcspn(*at, "|")};

	*at += choice.size + ((*at)[choice.size] == '|');
	return choice;
}

static bool is_choice(const char *choices, const char *text)
{
	while (*choices) {
		struct slice choice = next_choice(&choices);
		if (strlen(text) == choice.size && memcmp(text, choice.data, choice.size) == 0)
			return true;
	}
	return false;
}

static bool parse(const struct config_property *p, const char *text, struct parsed *out)
{
	switch (p->kind) {
	case CONFIG_TEXT: return true;
	case CONFIG_BOOL: return parse_bool(text, out);
	case CONFIG_INTEGER: return parse_integer(p, text, out);
	case CONFIG_SIZE: return parse_size(p, text, out);
	case CONFIG_DURATION: return clock_duration(text, &out->seconds, NULL) == GOFER_OK;
	case CONFIG_CHOICE: return is_choice(p->choices, text);
	}
	return false;
}

static void describe_choices(struct buf *out, const char *choices)
{
	const char *comma = "one of ";

	while (*choices) {
		struct slice choice = next_choice(&choices);
		buf_puts(out, comma);
		buf_append(out, choice.data, choice.size);
		comma = ", ";
	}
}

/* What would be right: "a whole number from 1 to 10". */
static void describe_kind(struct buf *out, const struct config_property *p)
{
	static const char *const words[] = {
		[CONFIG_TEXT] = "text",
		[CONFIG_BOOL] = "1 or 0, true or false, yes or no, on or off",
		[CONFIG_INTEGER] = "a whole number",
		[CONFIG_DURATION] = "a time, as in 90, 1.5, 10s, 2m, 1h, 3d",
		[CONFIG_SIZE] = "a number of bytes, as in 65536, 64k, 8m, 1g",
	};

	if (p->kind == CONFIG_CHOICE)
		describe_choices(out, p->choices);
	else
		buf_puts(out, words[p->kind]);
	if ((p->kind == CONFIG_INTEGER || p->kind == CONFIG_SIZE) && (p->min || p->max))
		buf_printf(out, "%s from %lld to %lld", p->kind == CONFIG_SIZE ? "," : "", p->min,
		           p->max);
}

/* --- checking --- */

/* How much of `text` is shown; a character isn't cut in two. */
static size_t shown_size(const char *text)
{
	size_t size = strlen(text);

	if (size <= SHOWN_MAX)
		return size;
	size = SHOWN_MAX;
	while (size && ((unsigned char)text[size] & 0xC0) == 0x80)
		size--;
	return size;
}

static void fault_of_kind(const struct config_property *p, const struct config_value *value,
                          struct config_faults *faults)
{
	struct buf right = BUF_INIT;
	size_t shown = shown_size(value->text);

	describe_kind(&right, p);
	config_fault(faults, value->file, value->line, "[%s] %s: must be %s; not \"%.*s%s\"",
	             value->section, value->key, buf_text(&right), (int)shown, value->text,
	             value->text[shown] ? "..." : "");
	buf_release(&right);
}

/* Where else in the schema a key is known; NULL: nowhere. */
static const char *other_section(const struct config_property *schema, const char *key)
{
	for (; schema->section; schema++)
		if (strcmp(schema->key, key) == 0)
			return schema->section;
	return NULL;
}

static const char *nearest_key(const struct config_property *schema, const char *section,
                               const char *key)
{
	const char *names[NAMES_MAX + 1];
	size_t count = 0;

	for (; schema->section && count < NAMES_MAX; schema++)
		if (strcmp(schema->section, section) == 0)
			names[count++] = schema->key;
	names[count] = NULL;
	return nearest(key, names);
}

static void fault_of_key(const struct config *c, const struct config_value *value,
                         struct config_faults *faults)
{
	const char *near = nearest_key(c->schema, value->section, value->key);
	const char *other = other_section(c->schema, value->key);

	if (near)
		config_fault(faults, value->file, value->line,
		             "[%s] unknown key `%s`; did you mean `%s`?", value->section,
		             value->key, near);
	else if (other)
		config_fault(faults, value->file, value->line,
		             "[%s] unknown key `%s`; it belongs to [%s]", value->section,
		             value->key, other);
	else
		config_fault(faults, value->file, value->line, "[%s] unknown key `%s`",
		             value->section, value->key);
}

static void check_value(const struct config *c, struct config_value *value,
                        struct config_faults *faults)
{
	const struct config_property *p = config_property(c->schema, value->section, value->key);
	struct parsed parsed;

	value->refused = false;
	if (!config_knows_section(c->schema, value->section))
		return;
	if (!p) {
		fault_of_key(c, value, faults);
	} else if (*value->text && !parse(p, value->text, &parsed)) {
		value->refused = true;
		fault_of_kind(p, value, faults);
	}
}

static void check_required(const struct config *c, const struct config_property *p,
                           struct config_faults *faults)
{
	const struct config_value *value = config_find(c, p->section, p->key);
	const struct config_section *section = config_find_section(c, p->section);

	if (!p->required || (value && *value->text))
		return;
	if (value)
		config_fault(faults, value->file, value->line, "[%s] %s: is required, and empty",
		             p->section, p->key);
	else
		config_fault(faults, section ? section->file : c->file, section ? section->line : 0,
		             "[%s] %s: is required, and missing", p->section, p->key);
}

enum gofer_err config_check(struct config *c, struct config_faults *faults)
{
	size_t before = faults->count;

	for (size_t i = 0; i < c->values_count; i++)
		check_value(c, &c->values[i], faults);
	for (const struct config_property *p = c->schema; p->section; p++)
		check_required(c, p, faults);
	return faults->count > before ? GOFER_INVALID : GOFER_OK;
}

/* --- values --- */

const char *config_text(const struct config *c, const char *section, const char *key)
{
	const struct config_value *value = config_find(c, section, key);
	const struct config_property *p = config_property(c->schema, section, key);

	if (value && !value->refused && (*value->text || !p))
		return value->text;
	return p ? p->initial : NULL;
}

/* `kind` is that of a key which the schema doesn't have. */
static struct parsed get(const struct config *c, const char *section, const char *key,
                         enum config_kind kind)
{
	const struct config_property own = {.section = section, .key = key, .kind = kind};
	const struct config_property *p = config_property(c->schema, section, key);
	const char *text = config_text(c, section, key);
	struct parsed out = {0};

	if (!p)
		p = &own;
	if (text && parse(p, text, &out))
		return out;
	out = (struct parsed){0};
	if (p->initial && !parse(p, p->initial, &out))
		out = (struct parsed){0};
	return out;
}

bool config_bool(const struct config *c, const char *section, const char *key)
{
	return get(c, section, key, CONFIG_BOOL).truth;
}

long long config_integer(const struct config *c, const char *section, const char *key)
{
	return get(c, section, key, CONFIG_INTEGER).whole;
}

double config_duration(const struct config *c, const char *section, const char *key)
{
	return get(c, section, key, CONFIG_DURATION).seconds;
}

size_t config_size(const struct config *c, const char *section, const char *key)
{
	return (size_t)get(c, section, key, CONFIG_SIZE).whole;
}

/* --- documentation --- */

enum gofer_err config_print_schema(struct buf *out, const struct config_property *schema)
{
	for (; schema->section; schema++) {
		buf_printf(out, "`[%s] %s`: ", schema->section, schema->key);
		describe_kind(out, schema);
		if (schema->required)
			buf_puts(out, "; required");
		if (schema->initial)
			buf_printf(out, "; default `%s`", schema->initial);
		buf_printf(out, ".\n%s\n\n", schema->help);
	}
	return buf_ok(out) ? GOFER_OK : GOFER_NOMEM;
}
