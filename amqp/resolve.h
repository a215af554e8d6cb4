/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve: host names to addresses, without making the loop wait.
 *
 * The C library's lookup (hosts file, DNS, whatever the system is set to) blocks; it is run in a
 * short-lived thread of its own, which is left to itself when the answer isn't wanted any more.
 * Numeric addresses need no thread.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AMQP_RESOLVE_H
#define GOFER_AMQP_RESOLVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "amqp/loop.h"
#include "core/error.h"

#define RESOLVE_MAX 16 /* addresses of one name that are looked at */

struct resolve;

struct resolved {
	struct sockaddr_storage address; /* with the port */
	socklen_t size;
};

/* Gets `count` addresses in the system's order of preference, valid until it returns; or `why` not
 * (GOFER_UNREACHABLE: there is no such name) with a count of 0. The lookup is over and freed then. */
typedef void resolve_done(void *context, const struct resolved *addresses, size_t count,
                          const struct error *why);

/* Starts a lookup; `done` is called in a later turn. NULL: `error`. */
struct resolve *resolve_start(struct loop *loop, const char *host, uint16_t port,
                              resolve_done *done, void *context, struct error *error);
/* Ends it early: `done` is not called. NULL is taken. */
void resolve_cancel(struct resolve *r);

#endif
