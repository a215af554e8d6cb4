/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_criteria: two lines of JSON: criteria, and data that they are asked about. What holds for a value
 * holds for its text read again; joined with itself a criterion is what it is alone; every value is
 * equal to itself and in no order with itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/criteria.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct cJSON *read_again(const struct cJSON *value)
{
	char *text = json_text(value);
	struct cJSON *again;

	must(text != NULL);
	again = json_parse(text, strlen(text), NULL);
	must(again != NULL);
	free(text);
	return again;
}

/* -1: no such criteria. */
static int ask(const struct cJSON *json, const struct cJSON *data)
{
	struct error error = ERROR_NONE;
	struct criteria *c = criteria_new(json, &error);
	bool holds;

	if (!c) {
		must(error.code == GOFER_INVALID);
		must(strncmp(error.text, "criteria", 8) == 0);
		return -1;
	}
	holds = criteria_match(c, data);
	must(holds == criteria_match(c, data));
	criteria_free(c);
	return holds;
}

/* Asks {name: operand}. */
static int ask_one(const char *name, const struct cJSON *operand, const struct cJSON *data)
{
	struct cJSON *json = cJSON_CreateObject();
	int holds;

	must(json && cJSON_AddItemToObject(json, name, json_copy(operand)));
	holds = ask(json, data);
	cJSON_Delete(json);
	return holds;
}

static void check_itself(const struct cJSON *value)
{
	struct cJSON *other = read_again(value);

	must(ask_one("eq", value, other) == 1 || ask_one("eq", value, other) == -1);
	must(ask_one("neq", value, other) <= 0);
	must(ask_one("gt", value, other) <= 0);
	must(ask_one("lt", value, other) <= 0);
	cJSON_Delete(other);
}

/* At most one of equal, above and below; and seen from the other side as well. */
static void check_order(const struct cJSON *a, const struct cJSON *b)
{
	int equal = ask_one("eq", a, b), above = ask_one("gt", a, b), below = ask_one("lt", a, b);

	must((equal == 1) + (above == 1) + (below == 1) <= 1);
	must(equal == -1 || ask_one("eq", b, a) == -1 || equal == ask_one("eq", b, a));
	must(above == -1 || ask_one("lt", b, a) == -1 || above == ask_one("lt", b, a));
}

static void check_joined(const struct cJSON *json, const struct cJSON *data)
{
	struct cJSON *pair = cJSON_CreateArray();
	int alone = ask(json, data), both;

	must(pair && cJSON_AddItemToArray(pair, json_copy(json)) &&
	     cJSON_AddItemToArray(pair, json_copy(json)));
	both = ask_one("and", pair, data);
	must(both == alone || both == -1); /* it may be too deep now */
	must(ask_one("or", pair, data) == both);
	cJSON_Delete(pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line = size ? memchr(text, '\n', size) : NULL;
	size_t first = line ? (size_t)(line - text) : size;
	struct cJSON *json = json_parse(text, first, NULL);
	struct cJSON *value = line ? json_parse(line + 1, size - first - 1, NULL) : NULL;

	if (json) {
		struct cJSON *again = read_again(value);

		must(ask(json, value) == ask(json, again));
		check_joined(json, value);
		cJSON_Delete(again);
	}
	if (json && value) {
		check_itself(value);
		check_order(json, value);
	}
	cJSON_Delete(json);
	cJSON_Delete(value);
	return 0;
}
