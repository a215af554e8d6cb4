/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_params: three lines: a parameter list, positional arguments, keyword arguments (JSON, each
 * may be missing). Parsed, printed, parsed again, bound.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static char *printed(const struct params *p, bool self)
{
	struct buf out = BUF_INIT;

	must(params_print(&out, p, self) == GOFER_OK);
	buf_append(&out, "", 1);
	return buf_take(&out, NULL);
}

/* What is printed parses, and prints the same. */
static void print_and_parse_again(const struct params *p)
{
	char *text = printed(p, false), *method = printed(p, true);
	struct params *again = params_parse(text, NULL);

	must(again && params_count(again) == params_count(p));
	char *same = printed(again, false);
	must(strcmp(text, same) == 0);
	must(strncmp(method, "self", 4) == 0);
	free(text);
	free(method);
	free(same);
	params_free(again);
}

static void bind(const struct params *p, bool self, const struct cJSON *args,
                 const struct cJSON *kws)
{
	struct cJSON *bound = NULL;
	struct error error = ERROR_NONE;
	enum gofer_err err = params_bind(p, "A.b", self, args, kws, &bound, &error);

	if (err) {
		must(err == GOFER_INVALID && !bound);
		must(strncmp(error.text, "A.b() ", 6) == 0);
		return;
	}
	must((size_t)cJSON_GetArraySize(bound) == params_count(p));
	for (size_t i = 0; i < params_count(p); i++)
		must(json_get(bound, params_name(p, i)) != NULL);
	char *text = json_text(bound);
	must(text != NULL);
	free(text);
	cJSON_Delete(bound);
}

static struct cJSON *parse_if(const char *text, bool (*is_kind)(const struct cJSON *))
{
	struct cJSON *value = text ? json_parse(text, strlen(text), NULL) : NULL;

	if (!value || is_kind(value))
		return value;
	cJSON_Delete(value);
	return NULL;
}

static bool is_list(const struct cJSON *value)
{
	return cJSON_IsArray(value);
}

static bool is_dict(const struct cJSON *value)
{
	return cJSON_IsObject(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = text;
	struct error error = ERROR_NONE;

	must(text != NULL);
	const char *list = strsep(&rest, "\n"), *args_text = strsep(&rest, "\n");
	struct params *p = params_parse(list, &error);
	if (p) {
		struct cJSON *args = parse_if(args_text, is_list), *kws = parse_if(rest, is_dict);
		print_and_parse_again(p);
		bind(p, false, args, kws);
		bind(p, true, args, kws);
		cJSON_Delete(args);
		cJSON_Delete(kws);
	} else {
		must(strncmp(error.text, "column ", 7) == 0);
	}
	params_free(p);
	free(text);
	return 0;
}
