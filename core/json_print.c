/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_private.h"
#include "core/utf8.h"

#define WHOLE_MAX 9007199254740992.0 /* 2^53: below it a double has each integer */
#define FIXED_MAX 1e16               /* from here on Python writes an exponent */

/* --- numbers -------------------------------------------------------------------------- */

static void put_integer(char *text, int64_t value)
{
	char digits[24];
	size_t n = 0;
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do
		digits[n++] = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		*text++ = '-';
	while (n > 0)
		*text++ = digits[--n];
	*text = '\0';
}

/* Of the shortest texts that mean `value`; one digit is enough for the smallest there are. (Python
 * finds one a digit shorter for 46 powers of two.) */
static void put_shortest(char *text, double value, int precision)
{
	do
		snprintf(text, JSON_DOUBLE_SIZE, "%.*g", precision, value);
	while (strtod(text, NULL) != value && ++precision <= 17);
}

/* As put_shortest(), with an exponent in every case and no zeros before it. */
static void put_shortest_exponent(char *text, double value)
{
	int precision = 14;

	do
		snprintf(text, JSON_DOUBLE_SIZE, "%.*e", precision, value);
	while (strtod(text, NULL) != value && ++precision <= 16);
	char *exponent = strchr(text, 'e'), *end = exponent;
	while (end[-1] == '0')
		end--;
	if (end[-1] == '.')
		end--;
	memmove(end, exponent, strlen(exponent) + 1);
}

void json_double_text(char text[JSON_DOUBLE_SIZE], double value)
{
	double size = fabs(value);

	if (!isfinite(value))
		strcpy(text, "null");
	else if (value == 0 && signbit(value))
		strcpy(text, "-0.0");
	else if (size < WHOLE_MAX && value == trunc(value))
		put_integer(text, (int64_t)value);
	else if (size >= FIXED_MAX)
		put_shortest_exponent(text, value);
	else if (size >= WHOLE_MAX)
		snprintf(text, JSON_DOUBLE_SIZE, "%.1f", value);
	else
		put_shortest(text, value, isnormal(value) ? 15 : 1);
}

const char *json_number_text(const struct cJSON *number, char space[JSON_DOUBLE_SIZE])
{
	if (number->valuestring)
		return number->valuestring;
	json_double_text(space, number->valuedouble);
	return space;
}

/* --- strings -------------------------------------------------------------------------- */

static void put_unit(struct buf *out, uint32_t unit)
{
	static const char digits[] = "0123456789abcdef";
	char text[6] = {'\\',
	                'u',
	                digits[unit >> 12 & 15],
	                digits[unit >> 8 & 15],
	                digits[unit >> 4 & 15],
	                digits[unit & 15]};

	buf_append(out, text, sizeof(text));
}

static void put_code(struct buf *out, uint32_t code)
{
	static const char escapes[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t";
	const char *found = code > 0 && code < 0x80 ? strchr(meanings, (int)code) : NULL;

	if (found) {
		buf_putc(out, '\\');
		buf_putc(out, escapes[found - meanings]);
	} else if (code < 0x10000) {
		put_unit(out, code);
	} else {
		put_unit(out, 0xD800 + ((code - 0x10000) >> 10));
		put_unit(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
	}
}

/* NUL and lone surrogates as core/json.h says they are held; 0 if there is none at `text`. */
static size_t held_code(const char *text, size_t size, uint32_t *code)
{
	const unsigned char *at = (const unsigned char *)text;

	if (size >= 2 && at[0] == 0xC0 && at[1] == 0x80) {
		*code = 0;
		return 2;
	}
	if (size < 3 || at[0] != 0xED || at[1] < 0xA0 || at[1] > 0xBF || (at[2] & 0xC0) != 0x80)
		return 0;
	*code = 0xD000 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
	return 3;
}

static size_t put_character(struct buf *out, const char *text, size_t size)
{
	uint32_t code;
	size_t length = held_code(text, size, &code);

	if (length == 0)
		length = utf8_decode(text, size, &code);
	put_code(out, code == UTF8_INVALID ? UTF8_REPLACEMENT : code);
	return length;
}

enum gofer_err json_print_string(struct buf *out, const char *text, size_t size)
{
	const char *end = text + size;

	buf_putc(out, '"');
	while (text < end) {
		const char *start = text;
		while (text < end && json_is_plain(*text))
			text++;
		buf_append(out, start, (size_t)(text - start));
		if (text < end)
			text += put_character(out, text, (size_t)(end - text));
	}
	buf_putc(out, '"');
	return buf_ok(out) ? GOFER_OK : GOFER_NOMEM;
}

/* --- members in order ----------------------------------------------------------------- */

int json_key_compare(const char *a, const char *b)
{
	while (*a == *b && *a) {
		a++;
		b++;
	}
	int left = (unsigned char)*a, right = (unsigned char)*b;
	if (left == 0xC0 || right == 0xC0)
		return left == 0 ? -1 : right == 0 ? 1 : left == 0xC0 ? -1 : 1;
	return left - right;
}

static const char *key_of(const struct cJSON *member)
{
	return member->string ? member->string : "";
}

struct ranked {
	const struct cJSON *member;
	size_t rank;
};

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;
	int order = json_key_compare(key_of(left->member), key_of(right->member));

	return order ? order : left->rank < right->rank ? -1 : 1;
}

/* Counts the members and tells whether they are in order, each key once. */
static bool is_in_order(const struct cJSON *object, size_t *count)
{
	bool in_order = true;

	*count = 0;
	for (const struct cJSON *m = object->child; m; m = m->next) {
		if (in_order && m->next && json_key_compare(key_of(m), key_of(m->next)) >= 0)
			in_order = false;
		++*count;
	}
	return in_order;
}

enum gofer_err json_members_init(struct json_members *members, const struct cJSON *object)
{
	struct ranked *ranked = NULL;
	enum gofer_err rc = GOFER_NOMEM;
	size_t count, i = 0;

	*members = (struct json_members){NULL, 0};
	if (is_in_order(object, &members->count))
		return GOFER_OK;
	count = members->count;
	ranked = calloc(count, sizeof(*ranked));
	members->list = calloc(count, sizeof(*members->list));
	if (!ranked || !members->list)
		goto cleanup;
	for (const struct cJSON *m = object->child; m; m = m->next, i++)
		ranked[i] = (struct ranked){m, i};
	qsort(ranked, count, sizeof(*ranked), compare_ranked);
	members->count = 0;
	for (i = 0; i < count; i++)
		if (i + 1 == count ||
		    strcmp(key_of(ranked[i].member), key_of(ranked[i + 1].member)))
			members->list[members->count++] = ranked[i].member;
	rc = GOFER_OK;
cleanup:
	free(ranked);
	if (rc)
		json_members_release(members);
	return rc;
}

void json_members_release(struct json_members *members)
{
	free(members->list);
	*members = (struct json_members){NULL, 0};
}

/* --- values --------------------------------------------------------------------------- */

static void put_text(struct buf *out, const char *text)
{
	json_print_string(out, text, strlen(text));
}

static void put_member(struct buf *out, const struct cJSON *member, bool first)
{
	if (!first)
		buf_append(out, ", ", 2);
	put_text(out, key_of(member));
	buf_append(out, ": ", 2);
	json_print(out, member);
}

static void put_object(struct buf *out, const struct cJSON *object)
{
	struct json_members members;

	if (json_members_init(&members, object)) {
		out->failed = true;
		return;
	}
	buf_putc(out, '{');
	if (members.list)
		for (size_t i = 0; i < members.count; i++)
			put_member(out, members.list[i], i == 0);
	else
		for (const struct cJSON *m = object->child; m; m = m->next)
			put_member(out, m, m == object->child);
	buf_putc(out, '}');
	json_members_release(&members);
}

static void put_array(struct buf *out, const struct cJSON *array)
{
	buf_putc(out, '[');
	for (const struct cJSON *item = array->child; item; item = item->next) {
		if (item != array->child)
			buf_append(out, ", ", 2);
		json_print(out, item);
	}
	buf_putc(out, ']');
}

enum gofer_err json_print(struct buf *out, const struct cJSON *value)
{
	char space[JSON_DOUBLE_SIZE];

	switch (value ? value->type & 0xFF : cJSON_NULL) {
	case cJSON_False: buf_append(out, "false", 5); break;
	case cJSON_True: buf_append(out, "true", 4); break;
	case cJSON_Number: buf_puts(out, json_number_text(value, space)); break;
	case cJSON_String: put_text(out, value->valuestring); break;
	case cJSON_Raw: buf_puts(out, value->valuestring); break;
	case cJSON_Array: put_array(out, value); break;
	case cJSON_Object: put_object(out, value); break;
	default: buf_append(out, "null", 4);
	}
	return buf_ok(out) ? GOFER_OK : GOFER_NOMEM;
}

char *json_text(const struct cJSON *value)
{
	struct buf out = BUF_INIT;

	json_print(&out, value);
	return buf_take(&out, NULL);
}
