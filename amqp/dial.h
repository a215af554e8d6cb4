/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial: the connector over TCP: looks a name up and connects to whichever of its addresses answers.
 *
 * Addresses are tried in the system's order, each a quarter of a second after the one before it or as
 * soon as that has failed, several at a time; the first to answer is taken. There is no limit of
 * time here: the client has one for the whole attempt.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AMQP_DIAL_H
#define GOFER_AMQP_DIAL_H

#include <stdint.h>

#include "amqp/connector.h"
#include "amqp/loop.h"

/* `host` is copied. NULL: out of memory. Errors are GOFER_UNREACHABLE and name no host: the client
 * does. */
struct connector *dial_new(struct loop *loop, const char *host, uint16_t port);

#endif
