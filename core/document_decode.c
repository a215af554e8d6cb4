/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/document.h"

/* --- what a member may be ------------------------------------------------------------- */

enum rule {
	STRING,         /* a string, not empty */
	STRING_OR_NULL, /* null and missing are alike here and below */
	OBJECT,
	OBJECT_OR_NULL,
	ARRAY_OR_MISSING,
	OBJECT_OR_MISSING,
};

static const char *const expectations[] = {
	[STRING] = "a string that is not empty",
	[STRING_OR_NULL] = "a string or null",
	[OBJECT] = "an object",
	[OBJECT_OR_NULL] = "an object or null",
	[ARRAY_OR_MISSING] = "an array",
	[OBJECT_OR_MISSING] = "an object",
};

static bool obeys(const struct cJSON *value, enum rule rule)
{
	switch (rule) {
	case STRING: return cJSON_IsString(value) && value->valuestring[0];
	case STRING_OR_NULL: return !value || cJSON_IsNull(value) || cJSON_IsString(value);
	case OBJECT: return cJSON_IsObject(value);
	case OBJECT_OR_NULL: return !value || cJSON_IsNull(value) || cJSON_IsObject(value);
	case ARRAY_OR_MISSING: return !value || cJSON_IsArray(value);
	case OBJECT_OR_MISSING: return !value || cJSON_IsObject(value);
	}
	return false;
}

static const char *describe(const struct cJSON *value)
{
	if (!value)
		return "is missing";
	switch (value->type & 0xFF) {
	case cJSON_False:
	case cJSON_True: return "is a boolean";
	case cJSON_Number: return "is a number";
	case cJSON_String: return value->valuestring[0] ? "is a string" : "is an empty string";
	case cJSON_Array: return "is an array";
	case cJSON_Object: return "is an object";
	default: return "is null";
	}
}

/* --- rejections ----------------------------------------------------------------------- */

static enum gofer_err reject(struct rejection *rejection, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static enum gofer_err reject(struct rejection *rejection, const char *code, const char *format, ...)
{
	static const struct {
		const char *code, *description;
		enum gofer_err result;
	} table[] = {
		{REJECT_DOCUMENT, "MODEL: document not valid", GOFER_INVALID},
		{REJECT_VERSION, "MODEL: document version not matched", GOFER_FAILED},
		{REJECT_REQUEST, "MODEL: request not valid", GOFER_FAILED},
	};
	size_t i = 0;
	va_list ap;

	while (strcmp(table[i].code, code) != 0)
		i++;
	rejection->code = table[i].code;
	rejection->description = table[i].description;
	va_start(ap, format);
	vsnprintf(rejection->details, sizeof(rejection->details), format, ap);
	va_end(ap);
	return table[i].result;
}

/* Puts the member in `*out` if it obeys the rule. */
static enum gofer_err member(const struct cJSON *object, const char *path, enum rule rule,
                             struct cJSON **out, struct rejection *rejection)
{
	const char *dot = strrchr(path, '.');
	struct cJSON *value = json_get(object, dot ? dot + 1 : path);

	if (!obeys(value, rule))
		return reject(rejection, REJECT_REQUEST, "%s %s, expected %s", path,
		              describe(value), expectations[rule]);
	*out = value;
	return GOFER_OK;
}

static enum gofer_err string_member(const struct cJSON *object, const char *path, enum rule rule,
                                    const char **out, struct rejection *rejection)
{
	struct cJSON *value = NULL;
	enum gofer_err rc = member(object, path, rule, &value, rejection);

	if (rc == GOFER_OK)
		*out = json_string(value);
	return rc;
}

/* --- requests ------------------------------------------------------------------------- */

/* What an answer needs, as far as it is usable. */
static enum gofer_err read_head(struct request *request, const char *text, size_t size)
{
	const struct cJSON *sn = json_get(request->root, "sn");
	const struct cJSON *replyto = json_get(request->root, "replyto");
	struct slice data = {"null", 4};

	if (obeys(sn, STRING) && json_string_is_plain(sn) &&
	    strlen(sn->valuestring) <= DOCUMENT_SN_MAX)
		request->sn = sn->valuestring;
	if (obeys(replyto, STRING) && json_string_is_plain(replyto))
		request->replyto = replyto->valuestring;
	request->address = json_string(cJSON_GetArrayItem(json_get(request->root, "routing"), 1));
	json_member_text(text, size, "data", &data);
	request->data = strndup(data.data, data.size);
	return request->data ? GOFER_OK : GOFER_NOMEM;
}

static enum gofer_err check_version(const struct request *request, struct rejection *rejection)
{
	const struct cJSON *version = json_get(request->root, "version");
	const char *text = json_string(version);
	char *printed = NULL;

	if (text && strcmp(text, DOCUMENT_VERSION) == 0)
		return GOFER_OK;
	if (!text)
		text = printed =
			cJSON_IsNull(version) || !version ? strdup("None") : json_text(version);
	enum gofer_err rc = text
		? reject(rejection, REJECT_VERSION, "expected:" DOCUMENT_VERSION ", found:%s", text)
		: GOFER_NOMEM;
	free(printed);
	return rc;
}

static enum gofer_err check_sn(const struct request *request, struct rejection *rejection)
{
	const struct cJSON *sn = json_get(request->root, "sn");

	if (request->sn)
		return GOFER_OK;
	if (!obeys(sn, STRING))
		return reject(rejection, REJECT_REQUEST,
		              "sn %s, expected a string of 1 to %d bytes", describe(sn),
		              DOCUMENT_SN_MAX);
	if (!json_string_is_plain(sn))
		return reject(rejection, REJECT_REQUEST,
		              "sn has a NUL or a lone surrogate in it, expected text without");
	return reject(rejection, REJECT_REQUEST, "sn is %zu bytes long, expected at most %d",
	              strlen(sn->valuestring), DOCUMENT_SN_MAX);
}

static enum gofer_err check_replyto(const struct request *request, struct rejection *rejection)
{
	struct cJSON *replyto = NULL;
	enum gofer_err rc = member(request->root, "replyto", STRING_OR_NULL, &replyto, rejection);

	if (rc == GOFER_OK && cJSON_IsString(replyto) && !json_string_is_plain(replyto))
		rc = reject(rejection, REJECT_REQUEST,
		            "replyto has a NUL or a lone surrogate in it, expected an address");
	return rc;
}

static enum gofer_err read_cntr(struct request *request, const struct cJSON *call,
                                struct rejection *rejection)
{
	const struct cJSON *cntr = json_get(call, "cntr");

	if (!cntr || cJSON_IsNull(cntr))
		return GOFER_OK;
	struct cJSON *args = cJSON_IsArray(cntr) ? cntr->child : NULL;
	struct cJSON *kws = args ? args->next : NULL;
	if (!cJSON_IsArray(args) || !cJSON_IsObject(kws) || kws->next)
		return reject(rejection, REJECT_REQUEST,
		              "request.cntr %s, expected null or [[arguments], {keywords}]",
		              cJSON_IsArray(cntr) ? "is not of that form" : describe(cntr));
	request->cntr_args = args;
	request->cntr_kws = kws;
	return GOFER_OK;
}

static enum gofer_err read_call(struct request *request, struct rejection *rejection)
{
	struct cJSON *call = NULL;
	enum gofer_err rc = member(request->root, "request", OBJECT, &call, rejection);

	if (rc == GOFER_OK)
		rc = string_member(call, "request.classname", STRING, &request->classname,
		                   rejection);
	if (rc == GOFER_OK)
		rc = string_member(call, "request.method", STRING, &request->method, rejection);
	if (rc == GOFER_OK)
		rc = member(call, "request.args", ARRAY_OR_MISSING, &request->args, rejection);
	if (rc == GOFER_OK)
		rc = member(call, json_get(call, "kws") ? "request.kws" : "request.kwargs",
		            OBJECT_OR_MISSING, &request->kws, rejection);
	if (rc == GOFER_OK)
		rc = read_cntr(request, call, rejection);
	return rc;
}

static enum gofer_err read_credentials(struct request *request, struct rejection *rejection)
{
	struct cJSON *pam = NULL;
	enum gofer_err rc =
		string_member(request->root, "secret", STRING_OR_NULL, &request->secret, rejection);

	if (rc == GOFER_OK)
		rc = member(request->root, "pam", OBJECT_OR_NULL, &pam, rejection);
	if (rc == GOFER_OK)
		rc = string_member(pam, "pam.user", STRING_OR_NULL, &request->pam_user, rejection);
	if (rc == GOFER_OK)
		rc = string_member(pam, "pam.password", STRING_OR_NULL, &request->pam_password,
		                   rejection);
	if (rc == GOFER_OK)
		rc = string_member(pam, "pam.service", STRING_OR_NULL, &request->pam_service,
		                   rejection);
	return rc;
}

static enum gofer_err parse_document(struct request *request, const char *text, size_t size,
                                     struct rejection *rejection)
{
	struct error error = ERROR_NONE;

	request->root = json_parse(text, size, &error);
	if (!request->root && error.code == GOFER_NOMEM)
		return GOFER_NOMEM;
	if (!request->root)
		return reject(rejection, REJECT_DOCUMENT, "%s", error.text);
	if (!cJSON_IsObject(request->root))
		return reject(rejection, REJECT_DOCUMENT, "the document %s, expected an object",
		              describe(request->root));
	return GOFER_OK;
}

enum gofer_err request_decode(struct request *request, const char *text, size_t size,
                              struct rejection *rejection)
{
	enum gofer_err rc;

	*request = (struct request){0};
	*rejection = (struct rejection){0};
	rc = parse_document(request, text, size, rejection);
	if (rc == GOFER_OK)
		rc = read_head(request, text, size);
	if (rc == GOFER_OK)
		rc = check_version(request, rejection);
	if (rc == GOFER_OK)
		rc = check_sn(request, rejection);
	if (rc == GOFER_OK)
		rc = check_replyto(request, rejection);
	if (rc == GOFER_OK)
		rc = read_call(request, rejection);
	if (rc == GOFER_OK)
		rc = read_credentials(request, rejection);
	return rc;
}

void request_release(struct request *request)
{
	cJSON_Delete(request->root);
	free(request->data);
	*request = (struct request){0};
}

/* --- replies -------------------------------------------------------------------------- */

static const char *string_or(const struct cJSON *object, const char *key, const char *otherwise)
{
	const char *text = json_string(json_get(object, key));

	return text ? text : otherwise;
}

static void read_progress(struct reply *reply)
{
	json_integer(json_get(reply->root, "total"), &reply->total);
	json_integer(json_get(reply->root, "completed"), &reply->completed);
	reply->details = json_get(reply->root, "details");
}

static void read_rejected(struct reply *reply)
{
	reply->code = string_or(reply->root, "code", "");
	reply->description = string_or(reply->root, "description", "");
	reply->details_text = string_or(reply->root, "details", "");
}

static enum gofer_err read_status(struct reply *reply, const struct cJSON *status,
                                  struct error *error)
{
	static const struct {
		const char *text;
		enum reply_kind kind;
		void (*read)(struct reply *reply);
	} table[] = {
		{"accepted", REPLY_ACCEPTED, NULL},
		{"started", REPLY_STARTED, NULL},
		{"progress", REPLY_PROGRESS, read_progress},
		{"rejected", REPLY_REJECTED, read_rejected},
	};
	const char *text = json_string(status);

	for (size_t i = 0; text && i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(text, table[i].text) != 0)
			continue;
		reply->kind = table[i].kind;
		if (table[i].read)
			table[i].read(reply);
		return GOFER_OK;
	}
	return error_set(error, GOFER_PROTOCOL,
	                 "status %s%s%s, expected accepted, started, progress or rejected",
	                 text ? "is \"" : describe(status), text ? text : "", text ? "\"" : "");
}

static void read_raised(struct reply *reply, const struct cJSON *result)
{
	const struct cJSON *xargs = json_get(result, "xargs"), *xstate = json_get(result, "xstate");

	reply->kind = REPLY_RAISED;
	reply->exval = string_or(result, "exval", "");
	reply->xmodule = string_or(result, "xmodule", "builtins");
	reply->xclass = string_or(result, "xclass", "Exception");
	reply->xargs = cJSON_IsArray(xargs) ? xargs : NULL;
	reply->xstate = cJSON_IsObject(xstate) ? xstate : NULL;
}

static enum gofer_err read_result(struct reply *reply, struct error *error)
{
	const struct cJSON *result = json_get(reply->root, "result");

	if (!cJSON_IsObject(result))
		return error_set(error, GOFER_PROTOCOL,
		                 "status is missing and result %s, expected one of them",
		                 describe(result));
	if (json_get(result, "exval")) {
		read_raised(reply, result);
		return GOFER_OK;
	}
	reply->kind = REPLY_RETURNED;
	reply->retval = json_get(result, "retval");
	if (reply->retval)
		return GOFER_OK;
	return error_set(error, GOFER_PROTOCOL, "result has neither retval nor exval");
}

static enum gofer_err check_reply(struct reply *reply, struct error *error)
{
	const char *version = json_string(json_get(reply->root, "version"));

	if (!cJSON_IsObject(reply->root))
		return error_set(error, GOFER_PROTOCOL, "the reply %s, expected an object",
		                 describe(reply->root));
	if (!version || strcmp(version, DOCUMENT_VERSION) != 0)
		return error_set(error, GOFER_PROTOCOL,
		                 "version %s%s%s, expected \"" DOCUMENT_VERSION "\"",
		                 version ? "is \"" : describe(json_get(reply->root, "version")),
		                 version ? version : "", version ? "\"" : "");
	return GOFER_OK;
}

enum gofer_err reply_decode(struct reply *reply, const char *text, size_t size, struct error *error)
{
	struct error why = ERROR_NONE;
	const struct cJSON *status;
	enum gofer_err rc;

	*reply = (struct reply){0};
	reply->root = json_parse(text, size, &why);
	if (!reply->root)
		return error_set(error, why.code == GOFER_NOMEM ? GOFER_NOMEM : GOFER_PROTOCOL,
		                 "%s", why.text);
	rc = check_reply(reply, error);
	if (rc)
		return rc;
	reply->sn = json_string(json_get(reply->root, "sn"));
	reply->timestamp = json_string(json_get(reply->root, "timestamp"));
	reply->data = json_get(reply->root, "data");
	status = json_get(reply->root, "status");
	return status && !cJSON_IsNull(status) ? read_status(reply, status, error)
					       : read_result(reply, error);
}

void reply_release(struct reply *reply)
{
	cJSON_Delete(reply->root);
	*reply = (struct reply){0};
}
