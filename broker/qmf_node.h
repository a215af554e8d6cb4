/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qmf_node: the management node qmf.default.direct: queues, exchanges and bindings made, deleted,
 * purged and asked for, in the way that Qpid C++ has it and that its clients expect.
 *
 * A request is a message with an amqp-value map; the reply goes to its reply-to, through the hub
 * like any other message. What is no request of this kind (the application properties tell) is
 * taken and passed over, as there is nobody to tell.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_BROKER_QMF_NODE_H
#define GOFER_BROKER_QMF_NODE_H

#include "broker/blob.h"
#include "core/error.h"

struct hub;

/* GOFER_PROTOCOL: no message that proton can read; GOFER_NOMEM. Failures of what is asked for are
 * told in the reply. */
enum gofer_err qmf_node_handle(struct hub *hub, struct blob *blob, struct error *error);

#endif
