/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_private.h"
#include "core/utf8.h"

struct parser {
	const char *text, *at, *end;
	unsigned depth;
	struct error *error;
};

static struct cJSON *parse_value(struct parser *p);

/* --- errors --------------------------------------------------------------------------- */

/* Columns count characters, from 1. */
static void find_position(const struct parser *p, const char *at, size_t *line, size_t *column)
{
	*line = 1;
	*column = 1;
	for (const char *c = p->text; c < at; c++) {
		if (*c == '\n') {
			++*line;
			*column = 1;
		} else if (((unsigned char)*c & 0xC0) != 0x80) {
			++*column;
		}
	}
}

static void *fail_at(struct parser *p, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Always NULL, for the caller to return. */
static void *fail_at(struct parser *p, const char *at, const char *format, ...)
{
	size_t line, column;
	va_list ap;

	if (!p->error)
		return NULL;
	find_position(p, at, &line, &column);
	va_start(ap, format);
	error_vset(p->error, GOFER_INVALID, format, ap);
	va_end(ap);
	error_prefix(p->error, "line %zu column %zu", line, column);
	return NULL;
}

static void *fail_expected(struct parser *p, const char *expected)
{
	if (p->at == p->end)
		return fail_at(p, p->at, "expected %s, found the end of the text", expected);
	unsigned char c = (unsigned char)*p->at;
	if (c > ' ' && c < 0x7F)
		return fail_at(p, p->at, "expected %s, found %c", expected, c);
	return fail_at(p, p->at, "expected %s, found the byte 0x%02x", expected, c);
}

static void *fail_nomem(struct parser *p)
{
	error_set(p->error, GOFER_NOMEM, "out of memory");
	return NULL;
}

/* --- characters ----------------------------------------------------------------------- */

static void skip_space(struct parser *p)
{
	while (p->at < p->end &&
	       (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
		p->at++;
}

static bool accept(struct parser *p, char c)
{
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

static bool at_digit(const struct parser *p)
{
	return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static bool at_word(const struct parser *p, const char *word)
{
	size_t size = strlen(word);

	return (size_t)(p->end - p->at) >= size && memcmp(p->at, word, size) == 0;
}

/* --- strings -------------------------------------------------------------------------- */

/* The closing quote of the string whose contents begin at `at`; NULL if there is none. */
static const char *find_quote(const char *at, const char *end)
{
	for (; at < end && *at != '"'; at++)
		if (*at == '\\' && ++at == end)
			return NULL;
	return at < end ? at : NULL;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The number of \uXXXX at `at`, -1 if it is no such thing. */
static int32_t unicode_escape(const char *at, const char *end)
{
	int32_t code = 0;

	if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = hex_value(at[i]);
		if (digit < 0)
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

/* NUL and lone surrogates are held as core/json.h says. */
static char *decode_unicode(struct parser *p, char *out)
{
	int32_t code = unicode_escape(p->at, p->end), low;

	if (code < 0)
		return fail_at(p, p->at, "expected four hexadecimal digits after \\u");
	p->at += 6;
	if (code == 0) {
		memcpy(out, "\xC0\x80", 2);
		return out + 2;
	}
	if (code >= 0xD800 && code < 0xDC00) {
		low = unicode_escape(p->at, p->end);
		if (low >= 0xDC00 && low < 0xE000) {
			code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
			p->at += 6;
		}
	}
	return out + utf8_encode(out, (uint32_t)code);
}

static char *decode_escape(struct parser *p, char *out)
{
	static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";

	if (p->at[1] == 'u')
		return decode_unicode(p, out);
	const char *found = p->at[1] ? strchr(escapes, p->at[1]) : NULL;
	if (!found)
		return fail_at(p, p->at,
		               "no such escape, expected one of "
		               "\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
	p->at += 2;
	*out = meanings[found - escapes];
	return out + 1;
}

static char *decode_character(struct parser *p, char *out)
{
	uint32_t code;

	if ((unsigned char)*p->at < 0x20)
		return fail_at(p, p->at,
		               "a control character (0x%02x) inside a string, expected "
		               "an escape as \\n or \\u%04x",
		               *p->at, *p->at);
	size_t size = utf8_decode(p->at, (size_t)(p->end - p->at), &code);
	if (code == UTF8_INVALID)
		return fail_at(p, p->at, "the byte 0x%02x is not UTF-8 here",
		               (unsigned char)*p->at);
	memcpy(out, p->at, size);
	p->at += size;
	return out + size;
}

/* From `p->at` up to `quote`; what is decoded is never longer than its text. */
static char *decode_string(struct parser *p, const char *quote)
{
	char *text = cJSON_malloc((size_t)(quote - p->at) + 1), *out = text;

	if (!text)
		return fail_nomem(p);
	while (out && p->at < quote) {
		if (json_is_plain(*p->at))
			*out++ = *p->at++;
		else if (*p->at == '\\')
			out = decode_escape(p, out);
		else
			out = decode_character(p, out);
	}
	if (!out) {
		cJSON_free(text);
		return NULL;
	}
	*out = '\0';
	return text;
}

/* The characters of the string at `p->at`, its quotes passed; NULL on failure. */
static char *parse_characters(struct parser *p)
{
	const char *start = ++p->at, *quote = start;
	char *text;

	while (quote < p->end && json_is_plain(*quote))
		quote++;
	if (quote < p->end && *quote == '"') {
		size_t size = (size_t)(quote - start);
		text = cJSON_malloc(size + 1);
		if (!text)
			return fail_nomem(p);
		memcpy(text, start, size);
		text[size] = '\0';
	} else {
		quote = find_quote(quote, p->end);
		if (!quote)
			return fail_at(p, start - 1, "a string that does not end, expected \"");
		text = decode_string(p, quote);
		if (!text)
			return NULL;
	}
	p->at = quote + 1;
	return text;
}

static struct cJSON *parse_string(struct parser *p)
{
	struct cJSON *value = json_new(cJSON_String);

	if (!value)
		return fail_nomem(p);
	value->valuestring = parse_characters(p);
	if (!value->valuestring) {
		cJSON_Delete(value);
		return NULL;
	}
	return value;
}

/* --- numbers and words ---------------------------------------------------------------- */

static bool pass_digits(struct parser *p, const char *expected)
{
	if (!at_digit(p)) {
		fail_expected(p, expected);
		return false;
	}
	while (at_digit(p))
		p->at++;
	return true;
}

static bool pass_whole(struct parser *p)
{
	if (!accept(p, '0'))
		return pass_digits(p, "a digit");
	if (!at_digit(p))
		return true;
	fail_at(p, p->at - 1, "a number that starts with 0, expected no digit behind it");
	return false;
}

static bool pass_number(struct parser *p)
{
	accept(p, '-');
	if (!pass_whole(p))
		return false;
	if (accept(p, '.') && !pass_digits(p, "a digit behind the point"))
		return false;
	if (!accept(p, 'e') && !accept(p, 'E'))
		return true;
	if (!accept(p, '+'))
		accept(p, '-');
	return pass_digits(p, "a digit of the exponent");
}

/* What other notations have, and what JSON has for it. */
static bool fail_foreign_word(struct parser *p)
{
	static const struct {
		const char *word, *instead;
	} table[] = {
		{"NaN", "a number or null"},
		{"Infinity", "a number or null"},
		{"-Infinity", "a number or null"},
		{"True", "true"},
		{"False", "false"},
		{"None", "null"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (at_word(p, table[i].word)) {
			fail_at(p, p->at, "%s is not JSON, expected %s", table[i].word,
			        table[i].instead);
			return true;
		}
	}
	return false;
}

static struct cJSON *parse_number(struct parser *p)
{
	const char *start = p->at;

	if ((*start == '-' && fail_foreign_word(p)) || !pass_number(p))
		return NULL;
	struct cJSON *value = json_new_number(start, (size_t)(p->at - start));
	return value ? value : fail_nomem(p);
}

static struct cJSON *parse_word(struct parser *p)
{
	static const struct {
		const char *word;
		int type;
	} table[] = {{"true", cJSON_True}, {"false", cJSON_False}, {"null", cJSON_NULL}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (at_word(p, table[i].word)) {
			struct cJSON *value = json_new(table[i].type);
			p->at += strlen(table[i].word);
			return value ? value : fail_nomem(p);
		}
	}
	return fail_foreign_word(p) ? NULL : fail_expected(p, "a value");
}

/* --- arrays and objects --------------------------------------------------------------- */

static void append(struct cJSON *parent, struct cJSON *item)
{
	struct cJSON *first = parent->child;

	if (!first) {
		parent->child = item;
	} else {
		first->prev->next = item;
		item->prev = first->prev;
	}
	parent->child->prev = item;
}

static bool parse_items(struct parser *p, struct cJSON *array)
{
	do {
		struct cJSON *item = parse_value(p);
		if (!item)
			return false;
		append(array, item);
		skip_space(p);
	} while (accept(p, ','));
	return true;
}

static struct cJSON *parse_member(struct parser *p)
{
	struct cJSON *value = NULL;
	char *key;

	skip_space(p);
	if (p->at == p->end || *p->at != '"')
		return fail_expected(p, "a key in double quotes");
	key = parse_characters(p);
	if (!key)
		return NULL;
	skip_space(p);
	if (!accept(p, ':'))
		fail_expected(p, ": after the key");
	else
		value = parse_value(p);
	if (value)
		value->string = key;
	else
		cJSON_free(key);
	return value;
}

/* Of two runs in order, the second of which came later, one; of equal keys the later stays. */
static struct cJSON *merge(struct cJSON *a, struct cJSON *b)
{
	struct cJSON *head = NULL, **tail = &head, *gone;

	while (a && b) {
		int order = json_key_compare(a->string, b->string);
		if (order == 0) {
			gone = a;
			a = a->next;
			gone->next = NULL;
			cJSON_Delete(gone);
			continue;
		}
		struct cJSON **least = order < 0 ? &a : &b;
		*tail = *least;
		tail = &(*tail)->next;
		*least = *tail;
	}
	*tail = a ? a : b;
	return head;
}

static struct cJSON *sort_members(struct cJSON *head, size_t count)
{
	struct cJSON *middle = head, *second;

	if (count < 2)
		return head;
	for (size_t i = 1; i < count / 2; i++)
		middle = middle->next;
	second = middle->next;
	middle->next = NULL;
	head = sort_members(head, count / 2);
	second = sort_members(second, count - count / 2);
	return merge(head, second);
}

/* Sorted once here, an object is cheap to print; equal keys end up beside one another. */
static void put_in_order(struct cJSON *object, size_t count)
{
	struct cJSON *last = NULL;

	object->child = sort_members(object->child, count);
	for (struct cJSON *item = object->child; item; item = item->next) {
		item->prev = last;
		last = item;
	}
	object->child->prev = last;
}

static bool parse_members(struct parser *p, struct cJSON *object)
{
	bool in_order = true;
	size_t count = 0;

	do {
		struct cJSON *item = parse_member(p);
		if (!item)
			return false;
		if (count > 0 && json_key_compare(object->child->prev->string, item->string) >= 0)
			in_order = false;
		append(object, item);
		count++;
		skip_space(p);
	} while (accept(p, ','));
	if (!in_order)
		put_in_order(object, count);
	return true;
}

static bool pass_close(struct parser *p, int type)
{
	if (accept(p, type == cJSON_Array ? ']' : '}'))
		return true;
	fail_expected(p, type == cJSON_Array ? "a comma or ]" : "a comma or }");
	return false;
}

static struct cJSON *parse_container(struct parser *p, int type, char close,
                                     bool (*parse_contents)(struct parser *, struct cJSON *))
{
	struct cJSON *value;

	if (p->depth == JSON_MAX_DEPTH)
		return fail_at(p, p->at,
		               "too deep, expected at most %d arrays and objects inside "
		               "one another",
		               JSON_MAX_DEPTH);
	value = json_new(type);
	if (!value)
		return fail_nomem(p);
	p->depth++;
	p->at++;
	skip_space(p);
	if (!accept(p, close) && !(parse_contents(p, value) && pass_close(p, type))) {
		cJSON_Delete(value);
		return NULL;
	}
	p->depth--;
	return value;
}

static struct cJSON *parse_value(struct parser *p)
{
	skip_space(p);
	if (p->at == p->end)
		return fail_expected(p, "a value");
	switch (*p->at) {
	case '{': return parse_container(p, cJSON_Object, '}', parse_members);
	case '[': return parse_container(p, cJSON_Array, ']', parse_items);
	case '"': return parse_string(p);
	case '-':
	case '0' ... '9': return parse_number(p);
	default: return parse_word(p);
	}
}

struct cJSON *json_parse(const char *text, size_t size, struct error *error)
{
	struct parser p = {text, text, text + size, 0, error};
	struct cJSON *value;

	if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		return fail_at(&p, p.at, "a byte order mark, expected a value");
	value = parse_value(&p);
	if (!value)
		return NULL;
	skip_space(&p);
	if (p.at == p.end)
		return value;
	cJSON_Delete(value);
	return fail_expected(&p, "the end of the text");
}
