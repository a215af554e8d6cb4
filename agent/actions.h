/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actions: the recurring actions of one plugin, on its pool.
 *
 * Each runs first when it is started, then whenever its interval is over; one that still runs then is not
 * run a second time beside itself, but as soon as its next interval is over. Over a reload the new
 * module's actions begin when none of the old ones runs any more.
 *
 *   a = actions_new(loop, pool, on_idle, context);
 *   actions_start(a, module);     // again for another module
 *   actions_stop(a);              // what runs goes on: actions_running()
 *   actions_free(a);
 *
 * Thread: the loop's; the actions themselves run in the pool's workers.
 */
#ifndef GOFER_AGENT_ACTIONS_H
#define GOFER_AGENT_ACTIONS_H

#include <stddef.h>

#include "agent/module.h"
#include "amqp/loop.h"

struct actions;

/* The pool is borrowed. `on_idle` is called when the last action that ran is over. NULL: out of memory. */
struct actions *actions_new(struct loop *loop, struct pool *pool, void (*on_idle)(void *context),
                            void *context);
/* None may run, and the pool's workers must have ended if any ever did. NULL is taken. */
void actions_free(struct actions *a);

/* The module is referred to as long as its actions are. GOFER_NOMEM: some of them won't run. */
enum gofer_err actions_start(struct actions *a, struct module *module);
void actions_stop(struct actions *a);
/* How many run, or wait for a thread. */
size_t actions_running(const struct actions *a);

#endif
