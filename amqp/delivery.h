/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivery: a message that came in, until its user has settled it; it may outlive its receiver and
 * its connection. One allocation holds it and its bytes. Part of the client; thread: the loop's.
 */
#ifndef GOFER_AMQP_DELIVERY_H
#define GOFER_AMQP_DELIVERY_H

#include "amqp/endpoint.h"

struct client_delivery;

/* Reads the complete message that has arrived at `e`, decodes it, and adds it to a receiver's list. NULL:
 * out of memory. */
struct delivery *delivery_new(struct client_delivery **list, struct endpoint *e, pn_delivery_t *pn,
                              size_t size);
/* Cuts a list's deliveries off from their link: settling them leads nowhere any more. */
void deliveries_orphan(struct client_delivery **list);

#endif
