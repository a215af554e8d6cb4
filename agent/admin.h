/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin: the class Admin, which the agent itself provides on every plugin's queue.
 *
 * It has threads of its own, so that it answers while a plugin is busy. What help() says is set by the
 * agent whenever its plugins change.
 *
 * Thread: the loop's, for all; its methods run in its workers.
 */
#ifndef GOFER_AGENT_ADMIN_H
#define GOFER_AGENT_ADMIN_H

#include <stdbool.h>

#include "agent/pending.h"
#include "core/call.h"
#include "core/catalog.h"
#include "core/pool.h"

/* What the Python system says of a serial number that it does not know. */
#define ADMIN_CANCEL_NOTFOUND "serial number (%s), not-found"

struct admin;

/* `pending` is what cancel() looks at; borrowed. NULL: `error`. */
struct admin *admin_new(struct pending *pending, struct error *error);
/* Drops what waits, and waits for its workers. May be called again; NULL is taken. */
void admin_join(struct admin *a);
void admin_free(struct admin *a); /* NULL is taken */

bool admin_provides(const char *classname);
const struct catalog *admin_catalog(const struct admin *a);
struct plugin_context *admin_context(const struct admin *a);
/* Has no bound of its own: what is submitted is bounded by whoever takes requests in. */
struct pool *admin_pool(const struct admin *a);

/* Makes help() tell of these plugins. */
enum gofer_err admin_set_help(struct admin *a, const struct catalog_entry *entries, size_t count);
/* What help() says; to be freed, NULL: out of memory. Any thread. */
char *admin_help_text(struct admin *a);

#endif
