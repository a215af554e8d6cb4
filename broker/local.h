/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local: connections from inside this process, straight on the queues: a `struct connection` as
 * amqp/connection.h has it, with neither proton nor a socket behind it.
 *
 * What happens to it is kept in a list and told at the end of the loop's turn, so that no function
 * of the connection calls back before it returns.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_BROKER_LOCAL_H
#define GOFER_BROKER_LOCAL_H

#include <sys/queue.h>

#include "amqp/connection_ops.h"
#include "broker/hub.h"

struct local;
LIST_HEAD(local_list, local);

/* NULL: out of memory. It is taken off the list when it is freed. */
struct connection *local_new(struct hub *hub, struct local_list *list,
                             const struct connection_events *events, void *context);
/* Takes them down, for good. */
void local_down_all(struct local_list *list);
/* The broker is about to go: those that are left become husks that only wait to be freed. */
void local_orphan_all(struct local_list *list);

#endif
