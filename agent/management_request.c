/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/management_request.h"

#include <string.h>

#define FORM "{\"name\": \"show\", \"args\": [], \"kwargs\": {}}"

static const struct cJSON no_args = {.type = cJSON_Array};
static const struct cJSON no_kwargs = {.type = cJSON_Object};

static enum gofer_err take_name(struct management_request *request, struct error *error)
{
	const struct cJSON *name = json_get(request->root, "name");

	if (!name)
		return error_set(error, GOFER_INVALID, "the request has no name; " FORM " has one");
	if (!json_string_is_plain(name) || !*json_string(name))
		return error_set(error, GOFER_INVALID,
		                 "name: must be the name of what is to be done, as in " FORM);
	request->name = json_string(name);
	return GOFER_OK;
}

/* One that is missing or null is as good as an empty one. */
static enum gofer_err take_arguments(struct management_request *request, struct error *error)
{
	const struct cJSON *args = json_get(request->root, "args");
	const struct cJSON *kwargs = json_get(request->root, "kwargs");

	if (args && !cJSON_IsNull(args)) {
		if (!cJSON_IsArray(args))
			return error_set(error, GOFER_INVALID, "args: must be a list, not %s",
			                 json_type_name(args));
		request->args = args;
	}
	if (kwargs && !cJSON_IsNull(kwargs)) {
		if (!cJSON_IsObject(kwargs))
			return error_set(error, GOFER_INVALID, "kwargs: must be an object, not %s",
			                 json_type_name(kwargs));
		request->kwargs = kwargs;
	}
	return GOFER_OK;
}

enum gofer_err management_request_parse(struct management_request *request, struct slice text,
                                        struct error *error)
{
	enum gofer_err rc;

	*request = (struct management_request){NULL, NULL, &no_args, &no_kwargs};
	if (!text.size)
		return error_set(error, GOFER_INVALID, "the request is empty; " FORM " is one");
	request->root = json_parse(text.data, text.size, error);
	if (!request->root)
		return error_prefix(error, "the request is no JSON such as " FORM);
	if (!cJSON_IsObject(request->root))
		return error_set(error, GOFER_INVALID,
		                 "the request must be an object such as " FORM);
	rc = take_name(request, error);
	return rc ? rc : take_arguments(request, error);
}

void management_request_release(struct management_request *request)
{
	cJSON_Delete(request->root);
	*request = (struct management_request){NULL, NULL, &no_args, &no_kwargs};
}

static void begin(struct buf *out, int code)
{
	buf_printf(out, "{\"code\": %d, \"result\": ", code);
}

void management_reply_print(struct buf *out, int code, const struct cJSON *result)
{
	begin(out, code);
	json_print(out, result);
	buf_puts(out, "}\n");
}

void management_reply_print_text(struct buf *out, int code, const char *text)
{
	begin(out, code);
	json_print_string(out, text, strlen(text));
	buf_puts(out, "}\n");
}
