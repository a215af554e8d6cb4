/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qmf_message: the messages of Qpid management, as the client needs them: the request to make
 * something, and the answer to it. Thread: any.
 */
#ifndef GOFER_AMQP_QMF_MESSAGE_H
#define GOFER_AMQP_QMF_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

#define QMF_NODE "qmf.default.direct"

enum qmf_type { QMF_QUEUE, QMF_BINDING };

struct qmf_request {
	enum qmf_type type;
	const char *name; /* a binding's: "exchange/queue/key" */
	bool durable;     /* a queue's */
	uint64_t id;
	const char *reply_to;
};
/* Appends the encoded message. GOFER_NOMEM, GOFER_INVALID: a name that no message can hold. */
enum gofer_err qmf_encode(struct buf *out, const struct qmf_request *request);

struct qmf_answer {
	uint64_t id; /* 0: of none of our requests */
	bool failed;
	uint32_t code;
	char text[256];
};
/* False: no message, or no answer. */
bool qmf_decode(struct qmf_answer *answer, const char *bytes, size_t size);

#endif
