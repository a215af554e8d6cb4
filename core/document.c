/* SPDX-License-Identifier: Apache-2.0 */
#include "core/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"

/* Replies are written straight to the buffer, each key in its sorted place: there are three to a
 * call, and no tree is needed for them. */
#define PUT(out, literal) buf_append(out, literal, sizeof(literal) - 1)

static enum gofer_err finish(const struct buf *out)
{
	return buf_ok(out) ? GOFER_OK : GOFER_NOMEM;
}

static void put_string(struct buf *out, const char *text)
{
	if (text)
		json_print_string(out, text, strlen(text));
	else
		PUT(out, "null");
}

static void put_integer(struct buf *out, long long value)
{
	char text[24];
	int size = snprintf(text, sizeof(text), "%lld", value);

	buf_append(out, text, (size_t)size);
}

static void put_or(struct buf *out, const struct cJSON *value, const char *otherwise)
{
	if (value)
		json_print(out, value);
	else
		buf_puts(out, otherwise);
}

/* --- replies -------------------------------------------------------------------------- */

static void put_data(struct buf *out, const struct reply_head *head)
{
	PUT(out, "\"data\": ");
	buf_puts(out, head->data ? head->data : "null");
}

static void put_route(struct buf *out, const struct reply_head *head)
{
	PUT(out, ", \"routing\": [null, ");
	put_string(out, head->replyto);
	PUT(out, "], \"sn\": ");
	put_string(out, head->sn);
}

static void put_timestamp(struct buf *out)
{
	char stamp[CLOCK_STAMP_SIZE];

	clock_stamp(stamp, time(NULL));
	PUT(out, ", \"timestamp\": \"");
	buf_append(out, stamp, sizeof(stamp) - 1);
	PUT(out, "\"");
}

static enum gofer_err put_version(struct buf *out)
{
	PUT(out, ", \"version\": \"" DOCUMENT_VERSION "\"}");
	return finish(out);
}

enum gofer_err reply_status(struct buf *out, const struct reply_head *head, const char *status)
{
	PUT(out, "{");
	put_data(out, head);
	put_route(out, head);
	PUT(out, ", \"status\": ");
	put_string(out, status);
	put_timestamp(out);
	return put_version(out);
}

enum gofer_err reply_progress(struct buf *out, const struct reply_head *head, long long total,
                              long long completed, const struct cJSON *details)
{
	PUT(out, "{\"completed\": ");
	put_integer(out, completed);
	PUT(out, ", ");
	put_data(out, head);
	PUT(out, ", \"details\": ");
	json_print(out, details);
	put_route(out, head);
	PUT(out, ", \"status\": \"progress\"");
	put_timestamp(out);
	PUT(out, ", \"total\": ");
	put_integer(out, total);
	return put_version(out);
}

enum gofer_err reply_rejected(struct buf *out, const struct reply_head *head,
                              const struct rejection *rejection)
{
	PUT(out, "{\"code\": ");
	put_string(out, rejection->code);
	PUT(out, ", ");
	put_data(out, head);
	PUT(out, ", \"description\": ");
	put_string(out, rejection->description);
	PUT(out, ", \"details\": ");
	put_string(out, rejection->details);
	put_route(out, head);
	PUT(out, ", \"status\": \"rejected\"");
	put_timestamp(out);
	return put_version(out);
}

enum gofer_err reply_result(struct buf *out, const struct reply_head *head,
                            const struct cJSON *retval)
{
	PUT(out, "{");
	put_data(out, head);
	PUT(out, ", \"result\": {\"retval\": ");
	json_print(out, retval);
	PUT(out, "}");
	put_route(out, head);
	put_timestamp(out);
	return put_version(out);
}

static void put_exception(struct buf *out, const struct exception *x)
{
	const char *exval = x->exval ? x->exval : "";

	PUT(out, "{\"exval\": ");
	put_string(out, exval);
	PUT(out, ", \"xargs\": ");
	put_or(out, x->xargs, "[]");
	PUT(out, ", \"xclass\": ");
	put_string(out, x->xclass ? x->xclass : "Exception");
	PUT(out, ", \"xmodule\": ");
	put_string(out, x->xmodule ? x->xmodule : "builtins");
	PUT(out, ", \"xstate\": ");
	if (x->xstate) {
		json_print(out, x->xstate);
	} else {
		PUT(out, "{\"trace\": ");
		put_string(out, exval);
		PUT(out, "}");
	}
	PUT(out, "}");
}

enum gofer_err reply_raised(struct buf *out, const struct reply_head *head,
                            const struct exception *x)
{
	PUT(out, "{");
	put_data(out, head);
	PUT(out, ", \"result\": ");
	put_exception(out, x);
	put_route(out, head);
	put_timestamp(out);
	return put_version(out);
}

/* --- exceptions ----------------------------------------------------------------------- */

/* The last line of a Python trace: the class, named with its module unless built in, and what the
 * arguments say. */
static char *exception_text(const char *xmodule, const char *xclass, const struct cJSON *xargs)
{
	struct buf text = BUF_INIT;
	const struct cJSON *arg;

	if (strcmp(xmodule, "builtins") != 0)
		buf_printf(&text, "%s.", xmodule);
	buf_puts(&text, xclass);
	cJSON_ArrayForEach(arg, xargs)
	{
		buf_puts(&text, arg == xargs->child ? ": " : ", ");
		if (cJSON_IsString(arg))
			buf_puts(&text, arg->valuestring);
		else
			json_print(&text, arg);
	}
	return buf_take(&text, NULL);
}

enum gofer_err exception_set_args_take(struct exception *x, const char *xmodule, const char *xclass,
                                       struct cJSON *xargs)
{
	struct exception made = {0};

	made.xargs = xargs ? xargs : cJSON_CreateArray();
	made.xmodule = strdup(xmodule);
	made.xclass = strdup(xclass);
	made.exval = exception_text(xmodule, xclass, made.xargs);
	exception_release(x);
	if (!made.xargs || !made.xmodule || !made.xclass || !made.exval) {
		exception_release(&made);
		return GOFER_NOMEM;
	}
	*x = made;
	return GOFER_OK;
}

enum gofer_err exception_set(struct exception *x, const char *xmodule, const char *xclass,
                             const char *format, ...)
{
	struct cJSON *xargs = cJSON_CreateArray(), *arg = NULL;
	char *message = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&message, format, ap) < 0)
		message = NULL;
	va_end(ap);
	if (message)
		arg = cJSON_CreateString(message);
	free(message);
	if (!arg || !cJSON_AddItemToArray(xargs, arg)) {
		cJSON_Delete(arg);
		cJSON_Delete(xargs);
		exception_release(x);
		return GOFER_NOMEM;
	}
	return exception_set_args_take(x, xmodule, xclass, xargs);
}

void exception_release(struct exception *x)
{
	free(x->xmodule);
	free(x->xclass);
	free(x->exval);
	cJSON_Delete(x->xargs);
	cJSON_Delete(x->xstate);
	*x = (struct exception){0};
}

/* --- requests ------------------------------------------------------------------------- */

static void put_pam(struct buf *out, const struct request_spec *spec)
{
	if (!spec->pam_user) {
		PUT(out, "null");
		return;
	}
	PUT(out, "{\"password\": ");
	put_string(out, spec->pam_password);
	PUT(out, ", \"user\": ");
	put_string(out, spec->pam_user);
	PUT(out, "}");
}

static void put_cntr(struct buf *out, const struct request_spec *spec)
{
	if (!spec->cntr_args && !spec->cntr_kws) {
		PUT(out, "null");
		return;
	}
	PUT(out, "[");
	put_or(out, spec->cntr_args, "[]");
	PUT(out, ", ");
	put_or(out, spec->cntr_kws, "{}");
	PUT(out, "]");
}

static void put_call(struct buf *out, const struct request_spec *spec)
{
	PUT(out, "{\"args\": ");
	put_or(out, spec->args, "[]");
	PUT(out, ", \"classname\": ");
	put_string(out, spec->classname);
	PUT(out, ", \"cntr\": ");
	put_cntr(out, spec);
	PUT(out, ", \"kws\": ");
	put_or(out, spec->kws, "{}");
	PUT(out, ", \"method\": ");
	put_string(out, spec->method);
	PUT(out, "}");
}

enum gofer_err request_encode(struct buf *out, const struct request_spec *spec)
{
	PUT(out, "{\"data\": ");
	json_print(out, spec->data);
	PUT(out, ", \"pam\": ");
	put_pam(out, spec);
	PUT(out, ", \"replyto\": ");
	put_string(out, spec->replyto);
	PUT(out, ", \"request\": ");
	put_call(out, spec);
	PUT(out, ", \"routing\": [null, ");
	put_string(out, spec->address);
	PUT(out, "], \"secret\": ");
	put_string(out, spec->secret);
	PUT(out, ", \"sn\": ");
	put_string(out, spec->sn);
	return put_version(out);
}
