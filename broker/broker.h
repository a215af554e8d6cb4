/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker: the embedded AMQP 1.0 broker: queues, exchanges, and whoever connects to them.
 *
 * Queues are made when first attached to, or on request (dynamic, gone with their link; or through
 * the management node qmf.default.direct). Messages are kept in memory, within bounds; a full queue
 * gives its senders no credit, it loses nothing. Exchanges: amq.direct, amq.topic, amq.fanout, and
 * declared ones.
 *
 *   b = broker_new(loop, &options, &error);
 *   broker_listen(b, &url, &error);
 *   ... loop_run() ...
 *   broker_close(b); broker_free(b);
 *
 * Thread: the loop's, for all. Nothing here blocks.
 */
#ifndef GOFER_BROKER_BROKER_H
#define GOFER_BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/connection.h"
#include "amqp/loop.h"
#include "amqp/url.h"
#include "core/error.h"

struct broker;

struct broker_options {
	const char *users; /* a file of "name:password" lines (mode at most 0640), crypt(3) hashes
	                         * taken; NULL: ANONYMOUS only */
	bool allow_anonymous;               /* with users: ANONYMOUS too */
	const char *cert, *key;             /* PEM; needed by amqps:// listeners */
	size_t queue_messages, queue_bytes; /* bounds of each queue; 0: 100 000 and 256 MiB */
	size_t message_bytes;               /* largest message; 0: 16 MiB */
	size_t connections;                 /* at most so many; 0: 10 000 */
	double idle_timeout_s;              /* 0: 30 s */
};

/* Reads the users file and the certificate. NULL: `error` (file and line where there is one). */
struct broker *broker_new(struct loop *loop, const struct broker_options *options,
                          struct error *error);
/* Listens. Port 0 of the url is any free one. Refused (GOFER_AUTH) where the address is not
 * loopback and there are neither users nor TLS. */
enum gofer_err broker_listen(struct broker *b, const struct url *url, struct error *error);
/* The port of the last broker_listen(). */
uint16_t broker_port(const struct broker *b);

/* A connection to this broker from inside its process: no socket, no proton. Always up (on_up comes
 * in the next turn), until the broker closes. NULL: out of memory. */
struct connection *broker_connect(struct broker *b, const struct connection_events *events,
                                  void *context);

/* Stops listening and closes the connections with amqp:connection:forced; does not wait. */
void broker_close(struct broker *b);
bool broker_is_closed(const struct broker *b); /* no connection is left */
void broker_free(struct broker *b);            /* NULL is taken */

struct broker_stats {
	size_t connections, queues, messages, bytes;
	uint64_t received, delivered;
};
void broker_stats(const struct broker *b, struct broker_stats *out);

#endif
