/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document: the bodies of gofer protocol 2.0, decoded and encoded.
 *
 * Knows what keys a body has and what they mean, and nothing of AMQP, threads or plugins.
 *
 *   agent:   request_decode() -> reply_status() / reply_progress() / reply_result() / reply_raised()
 *            or reply_rejected() when decoding failed
 *   caller:  request_encode() -> reply_decode()
 *   both:    envelope_open() before decoding, envelope_seal() after encoding (signed bodies)
 *
 * Decoded strings point into the tree that the document owns. `data` is kept as the very text that
 * came and is spliced into each reply. Thread: any; a document belongs to one thread at a time.
 */
#ifndef GOFER_CORE_DOCUMENT_H
#define GOFER_CORE_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/json.h"

#define DOCUMENT_VERSION "2.0"
#define DOCUMENT_SN_MAX 255 /* bytes */

/* Why a request was refused: `code`, `description` and `details` of the `rejected` reply. */
struct rejection {
	const char *code;        /* a constant: "model.version"; NULL = not refused */
	const char *description; /* a constant */
	char details[480];
};

#define REJECT_DOCUMENT "model.document"
#define REJECT_VERSION "model.version"
#define REJECT_REQUEST "model.request"
#define REJECT_AUTHENTICATION "security.authentication"

struct request {
	struct cJSON *root;  /* owned; the rest points into it unless said otherwise */
	const char *sn;      /* NULL if missing or unusable */
	const char *replyto; /* NULL if missing or null: no reply is wanted */
	const char *address; /* routing[1], NULL if missing */
	char *data;          /* owned: the exact text of `data`, "null" if missing */
	const char *classname, *method;
	struct cJSON *args; /* an array, or NULL for none */
	struct cJSON *kws;  /* an object, or NULL for none; key `kws`, else `kwargs` */
	struct cJSON *cntr_args, *cntr_kws; /* array and object, both NULL if cntr is null */
	const char *secret;                 /* NULL if null */
	const char *pam_user, *pam_password, *pam_service; /* NULL if null */
};

/*
 * Decodes the body of a request. GOFER_OK: all of `request` is valid, sn included. Otherwise
 * `rejection` says what to answer, and sn, replyto, data and address are set as far as they could
 * be read, so that the rejection can be addressed:
 *   GOFER_INVALID  the body is no JSON object (REJECT_DOCUMENT); nothing is set
 *   GOFER_FAILED   version (REJECT_VERSION) or content (REJECT_REQUEST); checked in that order
 *   GOFER_NOMEM
 * The sn may be any text without NUL and lone surrogates: it names no file. An empty replyto is as
 * good as none. request_release() in every case.
 */
enum gofer_err request_decode(struct request *request, const char *text, size_t size,
                              struct rejection *rejection);
void request_release(struct request *request);

/* What every reply has. `data` is JSON text that is written as it stands; NULL is null. */
struct reply_head {
	const char *sn;      /* NULL is written as null */
	const char *replyto; /* the address, in routing[1] */
	const char *data;
};

/* One that is all 0 is written as a builtins.Exception that says nothing. */
struct exception {
	char *xmodule, *xclass; /* owned */
	char *exval;            /* owned; text for people */
	struct cJSON *xargs;    /* owned; an array */
	struct cJSON *xstate;   /* owned; an object, or NULL: {"trace": exval} is written */
};

/* Sets an exception with one string argument, the formatted message; exval becomes
 * "xmodule.xclass: message" (no module where it is builtins), as the last line of a Python trace.
 * Releases what was there before. */
enum gofer_err exception_set(struct exception *x, const char *xmodule, const char *xclass,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same with the arguments given, taken also on failure. */
enum gofer_err exception_set_args_take(struct exception *x, const char *xmodule, const char *xclass,
                                       struct cJSON *xargs);
void exception_release(struct exception *x);

/* Encoders append one body to `out`; GOFER_NOMEM is the only failure. The time stamp is now. */
enum gofer_err reply_status(struct buf *out, const struct reply_head *head, const char *status);
enum gofer_err reply_progress(struct buf *out, const struct reply_head *head, long long total,
                              long long completed, const struct cJSON *details);
enum gofer_err reply_rejected(struct buf *out, const struct reply_head *head,
                              const struct rejection *rejection);
enum gofer_err reply_result(struct buf *out, const struct reply_head *head,
                            const struct cJSON *retval);
enum gofer_err reply_raised(struct buf *out, const struct reply_head *head,
                            const struct exception *x);

/* What a caller sends. Strings are borrowed; NULL pointers are written as null. */
struct request_spec {
	const char *sn, *address, *replyto;
	const char *classname, *method;
	const struct cJSON *args, *kws;           /* NULL: [] and {} */
	const struct cJSON *cntr_args, *cntr_kws; /* both NULL: cntr is null */
	const struct cJSON *data;
	const char *secret;
	const char *pam_user, *pam_password; /* pam is null when user is NULL */
};
enum gofer_err request_encode(struct buf *out, const struct request_spec *spec);

enum reply_kind {
	REPLY_ACCEPTED,
	REPLY_STARTED,
	REPLY_PROGRESS,
	REPLY_REJECTED,
	REPLY_RETURNED, /* result.retval */
	REPLY_RAISED,   /* result.exval */
};

struct reply {
	enum reply_kind kind;
	struct cJSON *root; /* owned; the rest points into it */
	const char *sn;     /* NULL if null or missing */
	const char *timestamp;
	const struct cJSON *data;
	long long total, completed;                    /* progress */
	const struct cJSON *details;                   /* progress */
	const char *code, *description, *details_text; /* rejected; never NULL there */
	const struct cJSON *retval;                    /* returned */
	const char *exval, *xmodule, *xclass;          /* raised; never NULL there */
	const struct cJSON *xargs, *xstate;            /* raised */
};

/* Decodes any reply. GOFER_PROTOCOL and `error` if it is none; reply_release() in every case. */
enum gofer_err reply_decode(struct reply *reply, const char *text, size_t size,
                            struct error *error);
void reply_release(struct reply *reply);

/*
 * The signed envelope. envelope_open() tells whether `text` is one ({"message": string,
 * "signature": ...}): if so `message` is the inner text, NUL-terminated, and `signature` the decoded bytes
 * (NULL, 0 if it was no base64), both owned by the caller, who frees them. GOFER_NOTFOUND: `text`
 * is no envelope. GOFER_INVALID: it is no JSON.
 */
enum gofer_err envelope_open(const char *text, size_t size, char **message, size_t *message_size,
                             unsigned char **signature, size_t *signature_size);
enum gofer_err envelope_seal(struct buf *out, const char *message, size_t message_size,
                             const unsigned char *signature, size_t signature_size);

#endif
