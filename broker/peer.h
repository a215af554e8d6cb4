/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer: a remote client's connection: from its greeting to its close.
 *
 * A `struct server` is what all peers share. A peer is a driver (amqp/driver.h) on the server's
 * side: SASL, TLS, the open frames, sessions; its links are link.h's. It goes by itself when the
 * connection has ended; what it held unsettled returns to the queues then.
 *
 * Bounded: peers, sessions a peer, links a session and a peer, messages half received, the time a
 * client has to introduce itself and to answer a close.
 *
 *   peer = peer_new(server, false);
 *   driver_attach_socket(peer_driver(peer), fd, &error);
 *
 * Thread: the loop's.
 */
#ifndef GOFER_BROKER_PEER_H
#define GOFER_BROKER_PEER_H

#include <proton/link.h>
#include <proton/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "amqp/driver.h"
#include "amqp/loop.h"
#include "broker/hub.h"
#include "broker/sasl.h"
#include "core/error.h"

struct link;
struct link_out;
struct peer;

struct server {
	/* immutable */
	struct hub *hub;
	struct sasl *sasl;
	pn_ssl_domain_t *tls;  /* NULL: no certificate */
	const char *container; /* the name in the open frame */
	size_t peers_max;
	unsigned idle_timeout_ms;

	/* loop only */
	TAILQ_HEAD(peer_list, peer) peers;
	struct peer_list hurried; /* those that must get on by their deadline */
	size_t peers_count;
	struct loop_timer *watch; /* runs while any are hurried */
};

/* The immutable fields are set. GOFER_NOMEM. */
enum gofer_err server_init(struct server *s);
void server_close(struct server *s);   /* every peer gets a close frame, amqp:connection:forced */
void server_release(struct server *s); /* frees the peers at once */

struct peer {
	struct server *server;
	struct driver *driver;
	char *name; /* for logs; "" at first */
	LIST_HEAD(, link) links;
	LIST_HEAD(, link_out) choked; /* links whose session has enough to send */
	TAILQ_ENTRY(peer) entry, hurry;
	uint64_t deadline_ms; /* monotonic; 0: it is not hurried */
	size_t links_count;
	size_t assembling; /* bytes of messages half received */
	bool closing;
};

/* NULL: out of memory, or GOFER_FULL: too many are there (told in `error`). */
struct peer *peer_new(struct server *s, bool tls, struct error *error);
struct driver *peer_driver(struct peer *p);
/* Where it connects from, for logs; copied. */
void peer_set_name(struct peer *p, const char *name);
/* Proton's objects were touched outside of an event. */
static inline void peer_wake(struct peer *p)
{
	driver_wake(p->driver);
}
/* Sends a close frame; nothing more is taken from it. */
void peer_close(struct peer *p, const char *condition, const char *text);

#endif
