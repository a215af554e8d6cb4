/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON: what is taken is written in one way only, and means the same when read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_number(const struct cJSON *number)
{
	char *text = json_text(number);
	long long whole;

	require(text != NULL);
	struct cJSON *again = json_number_from_text(text);
	require(json_equal(number, again));
	cJSON_Delete(again);
	if (json_integer(number, &whole)) {
		again = cJSON_CreateNumber((double)whole);
		require(whole > 1LL << 53 || whole < -(1LL << 53) || json_equal(number, again));
		cJSON_Delete(again);
	}
	free(text);
}

static void check_members(const struct cJSON *object, const char *text, size_t size)
{
	struct slice found;

	for (const struct cJSON *m = object->child; m; m = m->next) {
		require(json_get(object, m->string) == m);
		require(json_member_text(text, size, m->string, &found));
		struct cJSON *again = json_parse(found.data, found.size, NULL);
		require(again && json_equal(again, m));
		cJSON_Delete(again);
	}
}

static void check_value(const struct cJSON *value)
{
	require(json_type_name(value) != NULL);
	if (cJSON_IsString(value))
		(void)json_string_is_plain(value);
	else if (cJSON_IsNumber(value))
		check_number(value);
	for (const struct cJSON *item = value->child; item; item = item->next)
		check_value(item);
}

static void check_text(const struct cJSON *value)
{
	char *text = json_text(value), *second;

	require(text != NULL);
	for (const char *c = text; *c; c++)
		require(*c >= ' ' && *c <= '~');
	struct cJSON *again = json_parse(text, strlen(text), NULL), *copy = json_copy(again);
	require(again && json_equal(value, again) && json_equal(copy, value));
	second = json_text(copy);
	require(second && strcmp(text, second) == 0);
	cJSON_Delete(again);
	cJSON_Delete(copy);
	free(text);
	free(second);
}

/* Any bytes may be a string made in C, and are written as valid JSON. */
static void check_string(const char *text, size_t size)
{
	struct buf out = BUF_INIT;

	require(json_print_string(&out, text, size) == GOFER_OK);
	struct cJSON *value = json_parse(out.data, out.size, NULL);
	require(cJSON_IsString(value));
	cJSON_Delete(value);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct error error = ERROR_NONE;
	struct cJSON *value = json_parse(text, size, &error);
	struct slice found;

	check_string(text, size);
	if (!value) {
		require(error.code == GOFER_INVALID && error.text[0]);
		(void)json_member_text(text, size, "data", &found);
		return 0;
	}
	check_value(value);
	check_text(value);
	if (cJSON_IsObject(value) && cJSON_GetArraySize(value) < 50)
		check_members(value, text, size);
	cJSON_Delete(value);
	return 0;
}
