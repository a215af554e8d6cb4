/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recordings in test/wire: each body is decoded, encoded again from what was decoded, and the
 * two must be the same bytes. Where this project departs from a recording a table here says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base64.h"
#include "core/clock.h"
#include "core/document.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RECORDINGS 69 /* at least */

/* --- departures ----------------------------------------------------------------------- */

/* What is refused of the bodies in `sent`; all others are taken. */
static const struct refusal {
	const char *name, *code;
	enum gofer_err rc;
	bool departs; /* the recorded answer is another */
} refusals[] = {
	{"rejected-empty", REJECT_DOCUMENT, GOFER_INVALID, false},
	{"rejected-invalid-json", REJECT_DOCUMENT, GOFER_INVALID, false},
	{"rejected-json-array", REJECT_DOCUMENT, GOFER_INVALID, false},
	{"rejected-version", REJECT_VERSION, GOFER_FAILED, false},
	{"rejected-version-missing", REJECT_VERSION, GOFER_FAILED, false},
	{"rejected-version-number", REJECT_VERSION, GOFER_FAILED, false},
	/* The Python agent says accepted and forgets it. */
	{"request-missing", REJECT_REQUEST, GOFER_FAILED, true},
	/* The Python agent runs it; nobody could tell which answer belongs to it. */
	{"request-sn-null", REJECT_REQUEST, GOFER_FAILED, true},
};

/* Exceptions whose last line of the trace is not the class and its arguments. */
static const char *const other_exvals[] = {
	"reply-exception-KeyError",       /* Python puts the key in quotes */
	"reply-exception-MemberNotFound", /* a class with a text of its own */
	"reply-exception-MemberNotFound-undecorated",
};

/* --- help ----------------------------------------------------------------------------- */

struct recording {
	struct cJSON *root;
	const char *name;
};

static glob_t files;

static struct cJSON *read_file(const char *path)
{
	struct error error = ERROR_NONE;
	FILE *file = fopen(path, "rb");
	struct buf b = BUF_INIT;
	char block[4096];
	size_t n;

	if (!file)
		fail_msg("%s can't be opened", path);
	while ((n = fread(block, 1, sizeof(block), file)) > 0)
		buf_append(&b, block, n);
	fclose(file);
	struct cJSON *root = json_parse(buf_text(&b), b.size, &error);
	if (!root)
		fail_msg("%s: %s", path, error.text);
	buf_release(&b);
	return root;
}

static int list_files(void **state)
{
	(void)state;
	return glob("test/wire/*.json", 0, NULL, &files);
}

static int forget_files(void **state)
{
	(void)state;
	globfree(&files);
	return 0;
}

static struct recording open_recording(size_t i)
{
	struct recording r = {.root = read_file(files.gl_pathv[i])};

	r.name = json_string(json_get(r.root, "name"));
	if (!r.name)
		fail_msg("%s has no name", files.gl_pathv[i]);
	return r;
}

static void assert_same(const char *name, const char *ours, const char *recorded)
{
	if (strcmp(ours, recorded) != 0)
		fail_msg("%s:\nours     %s\nrecorded %s", name, ours, recorded);
}

/* The exact text of a message: as recorded, or what Python writes for the body. To be freed. */
static char *text_of(const struct recording *r, const struct cJSON *message)
{
	const char *raw = json_string(json_get(message, "body_raw"));
	const struct cJSON *body = json_get(message, "body");
	char *text = body ? json_text(body) : strdup(raw);

	assert_non_null(text);
	if (raw)
		assert_same(r->name, text, raw);
	return text;
}

/* --- requests ------------------------------------------------------------------------- */

static void decode_request(const struct recording *r, struct request *request, const char *text,
                           size_t size)
{
	struct rejection rejection;

	if (request_decode(request, text, size, &rejection))
		fail_msg("%s: %s (%s)", r->name, rejection.details, rejection.code);
}

static void check_request(const struct recording *r, const char *text)
{
	struct buf b = BUF_INIT;
	struct request q;

	decode_request(r, &q, text, strlen(text));
	struct cJSON *data = json_parse(q.data, strlen(q.data), NULL);
	struct request_spec spec = {
		.sn = q.sn,
		.address = q.address,
		.replyto = q.replyto,
		.classname = q.classname,
		.method = q.method,
		.args = q.args,
		.kws = q.kws,
		.cntr_args = q.cntr_args,
		.cntr_kws = q.cntr_kws,
		.data = data,
		.secret = q.secret,
		.pam_user = q.pam_user,
		.pam_password = q.pam_password,
	};
	assert_int_equal(request_encode(&b, &spec), GOFER_OK);
	assert_same(r->name, buf_text(&b), text);
	cJSON_Delete(data);
	request_release(&q);
	buf_release(&b);
}

/* --- replies -------------------------------------------------------------------------- */

/* Puts the recorded time stamp in ours; where none was recorded ours goes. */
static void set_stamp(struct buf *b, const char *stamp)
{
	static const char key[] = ", \"timestamp\": \"";
	char *at = strstr(b->data, key);

	assert_non_null(at);
	if (stamp) {
		assert_int_equal(strlen(stamp), CLOCK_STAMP_SIZE - 1);
		memcpy(at + strlen(key), stamp, CLOCK_STAMP_SIZE - 1);
	} else {
		char *end = strchr(at + strlen(key), '"') + 1;
		memmove(at, end, strlen(end) + 1);
	}
}

static const char *last_line(const char *trace)
{
	static const char first[] = "Traceback (most recent call last): ... ";

	return strncmp(trace, first, strlen(first)) == 0 ? trace + strlen(first) : trace;
}

/* What exception_set_args_take() makes of the arguments is how Python names them. */
static void check_exval(const struct recording *r, const struct reply *reply)
{
	struct exception x = {0};

	for (size_t i = 0; i < COUNT(other_exvals); i++)
		if (strcmp(r->name, other_exvals[i]) == 0)
			return;
	assert_int_equal(exception_set_args_take(&x, reply->xmodule, reply->xclass,
	                                         json_copy(reply->xargs)),
	                 GOFER_OK);
	assert_same(r->name, x.exval, last_line(reply->exval));
	exception_release(&x);
}

static void encode_raised(struct buf *b, const struct reply_head *head, const struct reply *reply)
{
	struct exception x = {
		.xmodule = strdup(reply->xmodule),
		.xclass = strdup(reply->xclass),
		.exval = strdup(reply->exval),
		.xargs = json_copy(reply->xargs),
	};

	/* One that holds the trace alone is made by the encoder. */
	if (cJSON_GetArraySize(reply->xstate) != 1)
		x.xstate = json_copy(reply->xstate);
	assert_int_equal(reply_raised(b, head, &x), GOFER_OK);
	exception_release(&x);
}

static void encode_reply(struct buf *b, const struct reply_head *head, const struct reply *reply)
{
	struct rejection rejection = {.code = reply->code, .description = reply->description};

	switch (reply->kind) {
	case REPLY_ACCEPTED: reply_status(b, head, "accepted"); break;
	case REPLY_STARTED: reply_status(b, head, "started"); break;
	case REPLY_PROGRESS:
		reply_progress(b, head, reply->total, reply->completed, reply->details);
		break;
	case REPLY_REJECTED:
		snprintf(rejection.details, sizeof(rejection.details), "%s", reply->details_text);
		reply_rejected(b, head, &rejection);
		break;
	case REPLY_RETURNED: reply_result(b, head, reply->retval); break;
	case REPLY_RAISED: encode_raised(b, head, reply); break;
	}
	assert_true(buf_ok(b));
}

static void check_reply(const struct recording *r, const char *text)
{
	struct error error = ERROR_NONE;
	struct buf b = BUF_INIT;
	struct reply reply;

	if (reply_decode(&reply, text, strlen(text), &error))
		fail_msg("%s: %s: %s", r->name, error.text, text);
	char *data = json_text(reply.data);
	struct reply_head head = {
		.sn = reply.sn,
		.replyto = json_string(cJSON_GetArrayItem(json_get(reply.root, "routing"), 1)),
		.data = data,
	};
	assert_non_null(head.replyto);
	encode_reply(&b, &head, &reply);
	assert_true((reply.timestamp == NULL) == (reply.kind == REPLY_PROGRESS));
	set_stamp(&b, reply.timestamp);
	assert_same(r->name, buf_text(&b), text);
	if (reply.kind == REPLY_RAISED)
		check_exval(r, &reply);
	free(data);
	reply_release(&reply);
	buf_release(&b);
}

/* --- envelopes ------------------------------------------------------------------------ */

static void check_body(const struct recording *r, const char *text);

static void check_envelope(const struct recording *r, const char *text)
{
	unsigned char *signature = NULL;
	size_t size, signature_size;
	struct buf b = BUF_INIT;
	char *message = NULL;

	assert_int_equal(envelope_open(text, strlen(text), &message, &size, &signature,
	                               &signature_size),
	                 GOFER_OK);
	/* The recorded authenticator signs with a digest in hexadecimal. */
	assert_int_equal(signature_size, 64);
	assert_int_equal(envelope_seal(&b, message, size, signature, signature_size), GOFER_OK);
	assert_same(r->name, buf_text(&b), text);
	check_body(r, message);
	free(message);
	free(signature);
	buf_release(&b);
}

static void check_body(const struct recording *r, const char *text)
{
	struct cJSON *body = json_parse(text, strlen(text), NULL);

	assert_non_null(body);
	if (json_get(body, "signature"))
		check_envelope(r, text);
	else if (json_get(body, "request"))
		check_request(r, text);
	else
		check_reply(r, text);
	cJSON_Delete(body);
}

/* --- what was sent -------------------------------------------------------------------- */

static const struct refusal *find_refusal(const char *name)
{
	for (size_t i = 0; i < COUNT(refusals); i++)
		if (strcmp(refusals[i].name, name) == 0)
			return &refusals[i];
	return NULL;
}

/* The rejection that is sent back is the one recorded. */
static void check_rejection(const struct recording *r, const struct request *request,
                            const struct rejection *rejection)
{
	const struct cJSON *message = json_get(r->root, "messages")->child;
	struct reply_head head = {request->sn, request->replyto, request->data};
	struct buf b = BUF_INIT;

	char *text = text_of(r, message);
	assert_int_equal(reply_rejected(&b, &head, rejection), GOFER_OK);
	set_stamp(&b, json_string(json_get(json_get(message, "body"), "timestamp")));
	assert_same(r->name, buf_text(&b), text);
	free(text);
	buf_release(&b);
}

static void check_refused(const struct recording *r, const struct refusal *refusal,
                          const struct buf *sent)
{
	struct rejection rejection;
	struct request request;

	assert_int_equal(request_decode(&request, buf_text(sent), sent->size, &rejection),
	                 refusal->rc);
	assert_string_equal(rejection.code, refusal->code);
	if (refusal->rc == GOFER_FAILED && !refusal->departs)
		check_rejection(r, &request, &rejection);
	if (refusal->rc == GOFER_FAILED)
		assert_string_equal(request.replyto, "WIRE-REPLY");
	else
		assert_null(json_get(r->root, "messages")->child);
	request_release(&request);
}

/* The one sent envelope has a signature that is no base64; what is in it is well. */
static void check_sent_envelope(const struct recording *r, const struct buf *sent)
{
	unsigned char *signature = NULL;
	size_t size, signature_size;
	char *message = NULL;

	assert_int_equal(envelope_open(sent->data, sent->size, &message, &size, &signature,
	                               &signature_size),
	                 GOFER_OK);
	assert_null(signature);
	check_request(r, message);
	free(message);
}

static void check_taken(const struct recording *r, const struct buf *sent)
{
	const struct cJSON *last = json_get(r->root, "messages")->child->prev;
	struct request request;

	decode_request(r, &request, sent->data, sent->size);
	assert_string_equal(request.replyto, "WIRE-REPLY");
	assert_string_equal(request.classname, "Dog");
	assert_string_equal(request.method, "bark");
	assert_string_equal(request.sn, json_string(json_get(json_get(last, "body"), "sn")));
	if (strcmp(r->name, "accept-kwargs-key") == 0)
		assert_string_equal(json_string(json_get(request.kws, "words")), "via kwargs");
	request_release(&request);
}

static void check_sent(const struct recording *r, const char *text)
{
	const struct refusal *refusal = find_refusal(r->name);
	struct buf sent = BUF_INIT;

	if (strcmp(r->name, "accept-no-content-encoding") == 0)
		assert_int_equal(base64_decode(&sent, text, strlen(text)), GOFER_OK);
	else
		buf_puts(&sent, text);
	if (refusal)
		check_refused(r, refusal, &sent);
	else if (strncmp(r->name, "signed-", 7) == 0)
		check_sent_envelope(r, &sent);
	else
		check_taken(r, &sent);
	buf_release(&sent);
}

/* --- tests ---------------------------------------------------------------------------- */

static void every_recorded_message_is_what_we_write(void **state)
{
	size_t messages = 0;

	(void)state;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct recording r = open_recording(i);
		const struct cJSON *message;
		cJSON_ArrayForEach(message, json_get(r.root, "messages"))
		{
			char *text = text_of(&r, message);
			check_body(&r, text);
			free(text);
			messages++;
		}
		if (json_get(r.root, "body_raw")) {
			char *text = text_of(&r, r.root);
			check_request(&r, text);
			free(text);
			messages++;
		}
		cJSON_Delete(r.root);
	}
	assert_true(messages >= 189);
}

static void what_was_sent_is_taken_or_refused(void **state)
{
	size_t sent = 0, refused = 0;

	(void)state;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct recording r = open_recording(i);
		const char *text = json_string(json_get(r.root, "sent"));
		if (text) {
			check_sent(&r, text);
			sent++;
			refused += find_refusal(r.name) != NULL;
		}
		cJSON_Delete(r.root);
	}
	assert_true(sent >= 14);
	assert_int_equal(refused, COUNT(refusals));
}

/* A file that none of the checks would look at is a mistake. */
static void every_file_is_a_recording(void **state)
{
	(void)state;
	assert_true(files.gl_pathc >= RECORDINGS);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct recording r = open_recording(i);
		struct buf path = BUF_INIT;
		buf_printf(&path, "test/wire/%s.json", r.name);
		assert_string_equal(buf_text(&path), files.gl_pathv[i]);
		if (!json_string(json_get(r.root, "sent")) && !json_get(r.root, "body_raw") &&
		    cJSON_GetArraySize(json_get(r.root, "messages")) == 0)
			fail_msg("%s holds nothing to check", r.name);
		buf_release(&path);
		cJSON_Delete(r.root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_recorded_message_is_what_we_write),
		cmocka_unit_test(what_was_sent_is_taken_or_refused),
		cmocka_unit_test(every_file_is_a_recording),
	};

	return cmocka_run_group_tests(tests, list_files, forget_files);
}
