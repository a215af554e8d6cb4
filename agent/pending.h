/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pending: the calls that are not over, for those who want to cancel some, from whatever thread.
 *
 * The loop adds and removes calls. Whoever cancels marks them (call_cancel()), which ends a sleep and keeps
 * one that has not started from starting; the loop is told once and sees to what waits (on_cancel).
 *
 * Thread: pending_add(), pending_remove(), pending_new() and pending_free() the loop's; cancelling any.
 */
#ifndef GOFER_AGENT_PENDING_H
#define GOFER_AGENT_PENDING_H

#include <stdbool.h>

#include "amqp/loop.h"
#include "core/call.h"
#include "core/criteria.h"

struct pending;

/* Embedded in what the call belongs to. */
struct pending_call {
	struct pending_call *next, **link; /* pending's */
	struct call *call;
};

/* `on_cancel` is called in the loop after some were cancelled. NULL: out of memory. */
struct pending *pending_new(struct loop *loop, void (*on_cancel)(void *context), void *context);
/* Nobody may be cancelling any more. What was posted to the loop must have been run. NULL is taken. */
void pending_free(struct pending *p);

void pending_add(struct pending *p, struct pending_call *one, struct call *call);
void pending_remove(struct pending *p, struct pending_call *one);

/* Cancels the call with that sn; appends it to `list`, an array. GOFER_NOTFOUND: there is none, or it has its
 * result. GOFER_NOMEM: it is cancelled all the same. */
enum gofer_err pending_cancel(struct pending *p, const char *sn, struct cJSON *list);
/* The same with all whose data meet the criteria, but for `except` (NULL: none), which is the call that asks for
 * it. GOFER_NOMEM: not all may have been looked at. */
enum gofer_err pending_cancel_where(struct pending *p, const struct criteria *criteria,
                                    const struct call *except, struct cJSON *list);

#endif
