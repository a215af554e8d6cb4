/* SPDX-License-Identifier: Apache-2.0 */
#include "core/literal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

struct parser {
	const char *at;
	struct error *error;
	unsigned depth;
};

static struct cJSON *parse_value(struct parser *p);

static void *fail(struct parser *p, const char *what)
{
	error_set(p->error, GOFER_INVALID, "%s", what);
	return NULL;
}

static void *no_memory(struct parser *p)
{
	error_set(p->error, GOFER_NOMEM, "out of memory");
	return NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static void skip_space(struct parser *p)
{
	p->at += strspn(p->at, " \t\r\n");
}

/* --- words and numbers --- */

static struct cJSON *parse_word(struct parser *p)
{
	static const struct {
		const char *word;
		cJSON *(*make)(void);
	} words[] = {
		{"None", cJSON_CreateNull},
		{"True", cJSON_CreateTrue},
		{"False", cJSON_CreateFalse},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t size = strlen(words[i].word);
		if (strncmp(p->at, words[i].word, size) || is_word(p->at[size]))
			continue;
		p->at += size;
		struct cJSON *value = words[i].make();
		return value ? value : no_memory(p);
	}
	return fail(p,
	            "not a literal; None, True, False, a number, a string, a list or a dict "
	            "would be right");
}

/* Moves over digits; false if there are none. */
static bool skip_digits(const char **at)
{
	const char *start = *at;

	while (is_digit(**at))
		(*at)++;
	return *at > start;
}

static bool skip_number(const char **at)
{
	if (**at == '-')
		(*at)++;
	bool zero = **at == '0';
	const char *start = *at;
	if (!skip_digits(at) || (zero && *at > start + 1))
		return false;
	if (**at == '.' && (++*at, !skip_digits(at)))
		return false;
	if (**at != 'e' && **at != 'E')
		return !is_word(**at);
	(*at)++;
	if (**at == '-' || **at == '+')
		(*at)++;
	return skip_digits(at) && !is_word(**at);
}

static struct cJSON *parse_number(struct parser *p)
{
	if (*p->at == '+')
		p->at++;
	const char *end = p->at;
	if (!skip_number(&end))
		return fail(
			p, "not a number; decimal digits, as in 0, -1, 1.5 or 1e3, would be right");
	char *text = strndup(p->at, (size_t)(end - p->at));
	struct cJSON *value = text ? json_number_from_text(text) : NULL;
	free(text);
	p->at = end;
	return value ? value : no_memory(p);
}

/* --- strings --- */

/* NUL as json.h holds it: C0 80. */
static void put_character(struct buf *out, unsigned long c)
{
	char bytes[4] = "\xC0\x80";

	buf_append(out, bytes, c ? utf8_encode(bytes, (uint32_t)c) : 2);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)((found - digits) % 16) : -1;
}

static bool parse_hex_escape(struct parser *p, struct buf *out, unsigned digits)
{
	unsigned long c = 0;

	for (unsigned i = 0; i < digits; i++) {
		int digit = hex_digit(p->at[i]);
		if (digit < 0)
			return false;
		c = c << 4 | (unsigned long)digit;
	}
	if (c > 0x10FFFF)
		return false;
	p->at += digits;
	put_character(out, c);
	return true;
}

/* p->at is behind the backslash. */
static bool parse_escape(struct parser *p, struct buf *out)
{
	static const char names[] = "\\'\"abfnrtv", meanings[] = "\\'\"\a\b\f\n\r\t\v";
	char c = *p->at;
	const char *found = c ? strchr(names, c) : NULL;

	if (!c)
		return false;
	p->at++;
	if (found) {
		buf_putc(out, meanings[found - names]);
		return true;
	}
	unsigned digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	return digits && parse_hex_escape(p, out, digits);
}

/* Appends what is between the quotes; p->at ends up behind the second. */
static bool parse_quoted(struct parser *p, struct buf *out)
{
	char quote = *p->at++;

	while (*p->at != quote) {
		if (!*p->at || *p->at == '\n')
			return fail(p, "a string without its closing quote");
		if (*p->at != '\\') {
			buf_putc(out, *p->at++);
			continue;
		}
		const char *start = p->at++;
		if (parse_escape(p, out))
			continue;
		p->at = start;
		return fail(p,
		            "not an escape; \\\\ \\' \\\" \\n \\r \\t \\xhh \\uhhhh \\Uhhhhhhhh "
		            "would be right");
	}
	p->at++;
	return true;
}

static struct cJSON *parse_string(struct parser *p)
{
	struct buf text = BUF_INIT;
	struct cJSON *value = NULL;

	if (parse_quoted(p, &text)) {
		value = buf_ok(&text) ? cJSON_CreateString(buf_text(&text)) : NULL;
		if (!value)
			no_memory(p);
	}
	buf_release(&text);
	return value;
}

/* --- lists and dicts --- */

static bool add_item(struct parser *p, struct cJSON *list)
{
	struct cJSON *item = parse_value(p);

	if (item && cJSON_AddItemToArray(list, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool add_member(struct parser *p, struct cJSON *dict)
{
	struct cJSON *key = NULL, *value = NULL;
	bool done = false;

	if (*p->at != '\'' && *p->at != '"')
		return fail(p, "the key of a dict must be a string");
	key = parse_string(p);
	if (!key)
		goto cleanup;
	skip_space(p);
	if (*p->at != ':') {
		fail(p, "`:` expected behind the key of a dict");
		goto cleanup;
	}
	p->at++;
	value = parse_value(p);
	if (!value)
		goto cleanup;
	done = cJSON_AddItemToObject(dict, key->valuestring, value);
	if (done)
		value = NULL;
	else
		no_memory(p);
cleanup:
	cJSON_Delete(key);
	cJSON_Delete(value);
	return done;
}

static bool parse_items(struct parser *p, struct cJSON *container, char close,
                        bool (*add)(struct parser *, struct cJSON *))
{
	p->at++;
	for (;;) {
		skip_space(p);
		if (*p->at == close)
			break;
		if (!add(p, container))
			return false;
		skip_space(p);
		if (*p->at == ',')
			p->at++;
		else if (*p->at != close)
			return fail(p,
			            close == ']' ? "`,` or `]` expected" : "`,` or `}` expected");
	}
	p->at++;
	return true;
}

static struct cJSON *parse_container(struct parser *p)
{
	bool list = *p->at == '[';

	if (p->depth == LITERAL_MAX_DEPTH)
		return fail(p, "lists and dicts too deep in one another");
	struct cJSON *container = list ? cJSON_CreateArray() : cJSON_CreateObject();
	if (!container)
		return no_memory(p);
	p->depth++;
	bool done = parse_items(p, container, list ? ']' : '}', list ? add_item : add_member);
	p->depth--;
	if (done)
		return container;
	cJSON_Delete(container);
	return NULL;
}

static struct cJSON *parse_value(struct parser *p)
{
	skip_space(p);
	char c = *p->at;
	if (c == '[' || c == '{')
		return parse_container(p);
	if (c == '\'' || c == '"')
		return parse_string(p);
	if (is_digit(c) || c == '-' || c == '+' || c == '.')
		return parse_number(p);
	return parse_word(p);
}

struct cJSON *literal_parse(const char **at, struct error *error)
{
	struct parser p = {.at = *at, .error = error};
	struct cJSON *value = parse_value(&p);

	*at = p.at;
	return value;
}
