/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplinks: the connections of an agent, one for each distinct broker.
 *
 * One that nobody uses any more (a plugin has moved to another broker, and its last call from there is
 * answered) is closed, and goes.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AGENT_UPLINKS_H
#define GOFER_AGENT_UPLINKS_H

#include "agent/uplink.h"

struct uplinks;

/* `broker` is the one in this process, of which `listen` says where it is; NULL: there is none. All are
 * borrowed. NULL: out of memory. */
struct uplinks *uplinks_new(struct loop *loop, struct broker *broker, const struct url *listen,
                            const struct uplink_events *events);
/* Frees all connections at once. NULL is taken. */
void uplinks_free(struct uplinks *u);

/* The one that serves the descriptor's broker, made where there is none. NULL: `error`. */
struct uplink *uplinks_get(struct uplinks *u, struct descriptor *descriptor, struct error *error);
/* Closes those that nobody uses, and frees what is closed of these. Not from a callback of one. */
void uplinks_tidy(struct uplinks *u);
void uplinks_close(struct uplinks *u);
bool uplinks_are_closed(const struct uplinks *u);
/* The next of them, `one` NULL: the first; NULL: there is no more. */
struct uplink *uplinks_next(const struct uplinks *u, const struct uplink *one);

#endif
