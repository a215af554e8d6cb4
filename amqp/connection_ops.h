/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_ops: what a kind of connection provides; for those who write one.
 *
 * The public functions of connection.h go through these. A kind embeds the structs below as the first
 * member of its own. All run in the loop's thread; none may call back before it returns.
 */
#ifndef GOFER_AMQP_CONNECTION_OPS_H
#define GOFER_AMQP_CONNECTION_OPS_H

#include "amqp/connection.h"

struct connection_ops {
	void (*close)(struct connection *c);
	void (*free)(struct connection *c);
	bool (*is_up)(const struct connection *c);
	const char *(*product)(const struct connection *c);
	enum message_body (*request_body)(const struct connection *c);
	enum gofer_err (*send)(struct connection *c, const struct send_options *options);
	struct receiver *(*receiver_open)(struct connection *c,
	                                  const struct receiver_options *options,
	                                  const struct receiver_events *events, void *context);
	void (*receiver_credit)(struct receiver *r, unsigned n);
	void (*receiver_close)(struct receiver *r);
	void (*delivery_settle)(struct delivery *d, enum outcome outcome, const struct error *why);
};

struct connection {
	const struct connection_ops *ops;
};
struct receiver {
	const struct connection_ops *ops;
};
struct delivery {
	const struct connection_ops *ops;
	bool decoded; /* `message` is valid */
	struct message message;
};

#endif
