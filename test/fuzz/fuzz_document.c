/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a message body: as a request, as a reply and as an envelope. What a request brings
 * goes into replies, which must be readable; what is refused must be answerable. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_readable(const struct buf *body, enum reply_kind kind, const char *sn)
{
	struct reply reply;

	require(reply_decode(&reply, body->data, body->size, NULL) == GOFER_OK);
	require(reply.kind == kind);
	require(sn ? reply.sn && strcmp(reply.sn, sn) == 0 : !reply.sn);
	reply_release(&reply);
}

static void check_answers(const struct request *request)
{
	struct reply_head head = {request->sn, request->replyto, request->data};
	struct exception x = {0};
	struct buf b = BUF_INIT;

	require(reply_status(&b, &head, "accepted") == GOFER_OK);
	check_readable(&b, REPLY_ACCEPTED, head.sn);
	buf_clear(&b);
	require(reply_progress(&b, &head, 2, 1, request->args) == GOFER_OK);
	check_readable(&b, REPLY_PROGRESS, head.sn);
	buf_clear(&b);
	require(reply_result(&b, &head, request->args) == GOFER_OK);
	check_readable(&b, REPLY_RETURNED, head.sn);
	buf_clear(&b);
	require(exception_set(&x, request->classname, request->method, "%s", head.sn) == GOFER_OK);
	require(reply_raised(&b, &head, &x) == GOFER_OK);
	check_readable(&b, REPLY_RAISED, head.sn);
	exception_release(&x);
	buf_release(&b);
}

static void check_again(const struct request *q)
{
	struct cJSON *data = json_parse(q->data, strlen(q->data), NULL);
	struct request_spec spec = {
		.sn = q->sn,
		.address = q->address,
		.replyto = q->replyto,
		.classname = q->classname,
		.method = q->method,
		.args = q->args,
		.kws = q->kws,
		.cntr_args = q->cntr_args,
		.cntr_kws = q->cntr_kws,
		.data = data,
		.secret = q->secret,
		.pam_user = q->pam_user,
		.pam_password = q->pam_password,
	};
	struct rejection rejection;
	struct buf b = BUF_INIT;
	struct request again;

	require(data && request_encode(&b, &spec) == GOFER_OK);
	require(request_decode(&again, b.data, b.size, &rejection) == GOFER_OK);
	require(strcmp(again.sn, q->sn) == 0 && strcmp(again.method, q->method) == 0);
	require(!q->cntr_args || json_equal(again.cntr_args, q->cntr_args));
	require(!q->kws || json_equal(again.kws, q->kws));
	cJSON_Delete(data);
	request_release(&again);
	buf_release(&b);
}

static void check_refused(const struct request *request, const struct rejection *rejection)
{
	struct reply_head head = {request->sn, request->replyto, request->data};
	struct buf b = BUF_INIT;

	require(rejection->code && rejection->description && rejection->details[0]);
	require(reply_rejected(&b, &head, rejection) == GOFER_OK);
	check_readable(&b, REPLY_REJECTED, head.sn);
	buf_release(&b);
}

static void try_request(const char *text, size_t size)
{
	struct rejection rejection;
	struct request request;

	if (request_decode(&request, text, size, &rejection)) {
		check_refused(&request, &rejection);
	} else {
		require(!rejection.code && request.sn && request.data);
		check_answers(&request);
		check_again(&request);
	}
	request_release(&request);
}

static void try_reply(const char *text, size_t size)
{
	struct error error = ERROR_NONE;
	struct reply reply;

	if (reply_decode(&reply, text, size, &error))
		require(error.code == GOFER_PROTOCOL && error.text[0]);
	else if (reply.kind == REPLY_RAISED)
		require(reply.exval && reply.xmodule && reply.xclass);
	else if (reply.kind == REPLY_REJECTED)
		require(reply.code && reply.description && reply.details_text);
	reply_release(&reply);
}

static void try_envelope(const char *text, size_t size)
{
	size_t message_size, signature_size, again_size;
	unsigned char *signature, *again_signature;
	char *message, *again;
	struct buf b = BUF_INIT;

	if (envelope_open(text, size, &message, &message_size, &signature, &signature_size))
		return;
	require(strlen(message) == message_size && (signature != NULL) == (signature_size > 0));
	try_request(message, message_size);
	require(envelope_seal(&b, message, message_size, signature, signature_size) == GOFER_OK);
	require(envelope_open(b.data, b.size, &again, &message_size, &again_signature,
	                      &again_size) == GOFER_OK);
	require(strcmp(message, again) == 0 && again_size == signature_size);
	free(message);
	free(signature);
	free(again);
	free(again_signature);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	try_request(text, size);
	try_reply(text, size);
	try_envelope(text, size);
	return 0;
}
