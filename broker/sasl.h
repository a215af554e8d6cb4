/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sasl: the server's side of SASL, ANONYMOUS and PLAIN.
 *
 * Proton's built-in server offers no PLAIN, so this is plugged in under its transport. A hashed
 * password takes milliseconds to check: that is done by one worker thread, a bounded number at a
 * time, and the loop goes on meanwhile; with more waiting than that the client is told to come
 * later.
 *
 *   s = sasl_new(loop, users, allow_anonymous);
 *   sasl_serve(s, transport, wake, context);         before the transport is bound
 *   sasl_free(s);                                    after all transports
 *
 * Thread: the loop's.
 */
#ifndef GOFER_BROKER_SASL_H
#define GOFER_BROKER_SASL_H

#include <proton/transport.h>
#include <stdbool.h>

#include "amqp/loop.h"
#include "broker/users.h"
#include "core/error.h"

struct sasl;

/* `users` NULL: none, ANONYMOUS alone is offered. NULL: out of memory. */
struct sasl *sasl_new(struct loop *loop, const struct users *users, bool anonymous);
void sasl_free(struct sasl *s); /* waits for a check that is being made; NULL is taken */

/* Makes the transport authenticate by this; a client that leaves SASL out is taken only where
 * ANONYMOUS is allowed. `wake` is called, in a turn of the loop of its own, when a check that took
 * its time has given the transport something to say; it is never called after the transport's end.
 * GOFER_NOMEM. */
enum gofer_err sasl_serve(struct sasl *s, pn_transport_t *transport, void (*wake)(void *context),
                          void *context);

#endif
