/* SPDX-License-Identifier: Apache-2.0 */
/*
 * management_request: the bodies of management: a request read, an answer written. Thread: any.
 */
#ifndef GOFER_AGENT_MANAGEMENT_REQUEST_H
#define GOFER_AGENT_MANAGEMENT_REQUEST_H

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"

struct management_request {
	struct cJSON *root; /* owned; the rest points into it, or to a constant */
	const char *name;
	const struct cJSON *args, *kwargs; /* an array and an object */
};

/* GOFER_INVALID: `error` says what is wrong and what would be right. management_request_release() in
 * every case. */
enum gofer_err management_request_parse(struct management_request *request, struct slice text,
                                        struct error *error);
void management_request_release(struct management_request *request);

/* Appends an answer and a line break. `result` NULL is null. */
void management_reply_print(struct buf *out, int code, const struct cJSON *result);
void management_reply_print_text(struct buf *out, int code, const char *text);

#endif
