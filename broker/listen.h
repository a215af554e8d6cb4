/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen: the sockets that peers connect to.
 *
 * Thread: the loop's. listen_on() may block on a name lookup where the host is no address.
 */
#ifndef GOFER_BROKER_LISTEN_H
#define GOFER_BROKER_LISTEN_H

#include <stdint.h>
#include <sys/queue.h>

#include "amqp/url.h"
#include "broker/peer.h"
#include "core/error.h"

struct listener;
LIST_HEAD(listener_list, listener);

/* Listens on every address of the url's host, with one port for all, and adds the listeners to the
 * list. GOFER_NOTFOUND: no such host; GOFER_IO: the system refused. None is added then. */
enum gofer_err listen_on(struct listener_list *list, struct server *s, const struct url *url,
                         uint16_t *port, struct error *error);
/* Frees all. */
void listen_stop(struct listener_list *list);

#endif
