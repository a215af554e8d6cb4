/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opening: what a client and its broker tell each other when a connection opens. Part of the client.
 */
#ifndef GOFER_AMQP_OPENING_H
#define GOFER_AMQP_OPENING_H

#include <proton/connection.h>
#include <stdbool.h>

#include "amqp/client.h"

/* Login, host name, properties, heartbeat and TLS, on proton's objects of a fresh driver. */
enum gofer_err opening_ours(const struct client *c, struct driver *d, struct error *error);

/* The text of a property in the broker's open frame, "" if there is none; to be freed. NULL: out of
 * memory. */
char *opening_property(pn_connection_t *connection, const char *key);
bool opening_offers(pn_connection_t *connection, const char *capability);
/* A peer that refuses a connection still has to open it before it may close it with the reason. */
bool opening_is_refusal(pn_connection_t *connection);

#endif
