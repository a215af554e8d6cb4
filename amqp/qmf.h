/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qmf: the client's side of Qpid management: queues made and bound over a connection.
 *
 * Requests are maps sent to the node qmf.default.direct, answered at a temporary queue that is
 * attached when first needed. They go out one at a time, in order. Part of the client.
 *
 * Thread: the loop's. Callbacks come from the loop, never from inside a function here.
 */
#ifndef GOFER_AMQP_QMF_H
#define GOFER_AMQP_QMF_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/error.h"

struct client;
struct qmf;

/* `why` NULL: it is done. */
typedef void qmf_done(void *context, const struct error *why);

struct qmf *qmf_new(struct client *c); /* NULL: out of memory */
void qmf_free(struct qmf *q);          /* NULL is taken; no callbacks */
/* The connection is gone: what was asked for is forgotten. */
void qmf_lost(struct qmf *q);

/* Makes a queue; one that is there already is what was wanted. GOFER_NOMEM. */
enum gofer_err qmf_create_queue(struct qmf *q, const char *name, bool durable, qmf_done *done,
                                void *context);
/* Binds a queue to an exchange, with its own name as the key. */
enum gofer_err qmf_bind(struct qmf *q, struct slice exchange, const char *queue, qmf_done *done,
                        void *context);
/* Nothing is called back for `context` any more. */
void qmf_forget(struct qmf *q, void *context);

#endif
