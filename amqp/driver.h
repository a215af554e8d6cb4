/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver: a proton engine (pn_connection_driver) moved by the loop; the client's and the broker's.
 *
 * The engine turns bytes into events and back; where the bytes come from is one of
 * - a non-blocking socket:            driver_attach_socket()
 * - another driver, back to back:     driver_attach_peer()
 * - whoever calls driver_push() and driver_pull() (unit tests, fuzzing): nothing attached.
 * Events are handed to the owner as proton makes them. What the owner does to proton objects
 * outside on_event must be followed by driver_wake(), and goes out at the end of the loop's turn,
 * all of it in as few writes as it takes. Heartbeats (pn_transport_tick) are driven here.
 *
 * Settings (container, SASL, idle time-out, maximum frame) are made by the owner on the proton
 * objects between driver_new() and the attach. The first events come in a later turn. On
 * PN_CONNECTION_REMOTE_CLOSE the owner closes its side too: nothing else does. The idle time-out
 * counts from the peer's protocol header on; for a peer that never sends one the owner keeps a
 * timer.
 *
 * A server needs a SASL implementation of its own (proton/sasl_plugin.h): proton's reads a null
 * pointer when a client names no mechanism.
 *
 * Thread: the loop's. Nothing here blocks.
 */
#ifndef GOFER_AMQP_DRIVER_H
#define GOFER_AMQP_DRIVER_H

#include <proton/connection.h>
#include <proton/event.h>
#include <proton/transport.h>

#include "amqp/loop.h"
#include "core/buf.h"
#include "core/error.h"

struct driver;

/* The largest frame that is taken unless the owner sets another. 0 would mean 4 GB to proton. */
#define DRIVER_MAX_FRAME 65536

struct driver_handler {
	/* driver_free() may be called in it. Proton's objects then live until it returns. */
	void (*on_event)(struct driver *d, pn_event_t *event, void *context);
	/* No more bytes will move in either direction, and why. GOFER_OK: the peer sent a close frame (a
	 * condition in it is the owner's to look at), or closed after ours; GOFER_AUTH: SASL failed;
	 * GOFER_TIMEOUT: heartbeats; GOFER_PROTOCOL: no AMQP 1.0 peer, or a broken one; GOFER_IO: end of
	 * file or reset. Called once, last, never from inside a function of the driver's; driver_free()
	 * may be called in it. */
	void (*on_closed)(struct driver *d, const struct error *why, void *context);
};

/* NULL: out of memory. `server`: the side that waits for the other's header. */
struct driver *driver_new(struct loop *loop, bool server, const struct driver_handler *handler,
                          void *context);
void driver_free(struct driver *d); /* closes the descriptor; NULL is taken; no callbacks */

pn_connection_t *driver_connection(struct driver *d);
pn_transport_t *driver_transport(struct driver *d);
void *driver_context(struct driver *d);

/* Takes the descriptor, connected; on failure too. It is made non-blocking, TCP_NODELAY is set. */
enum gofer_err driver_attach_socket(struct driver *d, int fd, struct error *error);
/* Joins two drivers of one loop; each one's end closes the other. Every turn of the loop moves a
 * piece, so that neither keeps the loop for itself. */
void driver_attach_peer(struct driver *a, struct driver *b);
void driver_wake(struct driver *d);
/* Closes the transport at once: pending output is dropped, on_closed follows in a later turn with
 * `why`, unless the connection has ended before. Also with nothing attached. */
void driver_abort(struct driver *d, enum gofer_err code, const char *why);

/* With nothing attached: feeds bytes (all of them; false when the engine takes no more), and takes
 * what it has to say. Events are handled inside; not to be called from on_event. */
bool driver_push(struct driver *d, const char *bytes, size_t size);
void driver_pull(struct driver *d, struct buf *out);

#endif
