/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/json_private.h"

/* Over text that is known to be valid: strings and brackets are all there is to see. Text that is not
 * gives no member, or a wrong one, and is not read past its end. */
struct scan {
	const char *at, *end;
};

static void skip_space(struct scan *s)
{
	while (s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at)
		s->at++;
}

static bool accept(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool pass_string(struct scan *s)
{
	if (!accept(s, '"'))
		return false;
	for (; s->at < s->end; s->at++) {
		if (*s->at == '"') {
			s->at++;
			return true;
		}
		if (*s->at == '\\' && ++s->at == s->end)
			return false;
	}
	return false;
}

/* At least one byte, and on to where a number or a word ends. */
static void pass_scalar(struct scan *s)
{
	do
		s->at++;
	while (s->at < s->end && !strchr(" \t\r\n,:\"[]{}", *s->at));
}

static bool pass_value(struct scan *s)
{
	size_t depth = 0;

	do {
		if (s->at == s->end)
			return false;
		char c = *s->at;
		if (c == '"') {
			if (!pass_string(s))
				return false;
		} else if (c == '[' || c == '{') {
			depth++;
			s->at++;
		} else if (c == ']' || c == '}') {
			if (depth-- == 0)
				return false;
			s->at++;
		} else {
			pass_scalar(s);
		}
	} while (depth > 0);
	return true;
}

/* Whether the string at `at`, quotes and all, is `key`. */
static bool is_key(const char *at, const char *end, const char *key)
{
	size_t size = (size_t)(end - at);

	if (!memchr(at, '\\', size))
		return strlen(key) == size - 2 && memcmp(at + 1, key, size - 2) == 0;
	struct cJSON *value = json_parse(at, size, NULL);
	const char *text = json_string(value);
	bool same = text && strcmp(text, key) == 0;
	cJSON_Delete(value);
	return same;
}

static bool pass_key(struct scan *s, const char *key, bool *wanted)
{
	skip_space(s);
	const char *start = s->at;
	if (!pass_string(s))
		return false;
	*wanted = is_key(start, s->at, key);
	skip_space(s);
	return accept(s, ':');
}

bool json_member_text(const char *text, size_t size, const char *key, struct slice *out)
{
	struct scan s = {text, text + size};
	bool wanted, found = false;

	skip_space(&s);
	if (!accept(&s, '{'))
		return false;
	while (pass_key(&s, key, &wanted)) {
		skip_space(&s);
		const char *start = s.at;
		if (!pass_value(&s))
			break;
		if (wanted) {
			*out = (struct slice){start, (size_t)(s.at - start)};
			found = true;
		}
		skip_space(&s);
		if (!accept(&s, ','))
			break;
	}
	return found;
}
