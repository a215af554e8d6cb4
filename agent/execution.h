/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execution: a request that is taken, until its result is the broker's.
 *
 *   loop    journal -> accepted, settled, submitted to the pool
 *   worker  latency -> the module that has its class -> started -> method, progress -> result
 *   loop    each of these sent, in this order; the broker took the result -> forgotten
 *
 * Its replies go out through the outbox that its instance had when it came, which it holds.
 *
 * The worker tells the loop through one task: what was told while the loop has not yet listened
 * comes with it. Of progress that nobody has listened to yet, a bounded number is kept, the newest last.
 *
 * Thread: the loop's, but for what the worker runs.
 */
#ifndef GOFER_AGENT_EXECUTION_H
#define GOFER_AGENT_EXECUTION_H

#include <stdint.h>

#include "agent/instance.h"
#include "core/document.h"

/* Progress of one call that waits for the loop, at most. */
#define EXECUTION_PROGRESS_MAX 64

/* Takes over `request` (which is empty afterwards) and `d` (to be settled when the request is safe). `entry`
 * is its sn's, new. Fails with GOFER_NOMEM or GOFER_FULL: nothing was taken but `request`, `d` and
 * `entry` are still the caller's. */
enum gofer_err execution_begin_take(struct instance *in, struct request *request,
                                    struct tracked *entry, struct delivery *d);

/* Its request has come once more, as `d`. True: `d` was taken over, since it is the one that counts: the journal does
 * not have the request yet, and the link by which it came first is lost. */
bool execution_adopt(struct execution *e, struct delivery *d);

/* What the journal has of it from before: it is run from its start, or, where it was cancelled, answered so; or its
 * result (which has an address) is sent; none is read again. `request` is taken over. Otherwise `entry` and `tracked` are still the
 * caller's: GOFER_NOMEM, or what pool_submit() says. */
enum gofer_err execution_resume_take(struct instance *in, struct request *request,
                                     struct tracked *tracked, struct journal_entry *entry,
                                     const struct journal_record *record);
enum gofer_err execution_resend(struct instance *in, struct tracked *tracked,
                                struct journal_entry *entry, const struct journal_record *record);

/* Asks for its end: one that has not started is answered with Cancelled. */
void execution_cancel(struct execution *e);
/* The same, because all ends. `keep`: one that is durable and has not started is not answered, and stays in the
 * journal for the next start, unless it was cancelled before. */
void execution_cut(struct execution *e, bool keep);
/* Somebody has cancelled calls, maybe this one: then the journal is told. */
void execution_mark(struct execution *e);
/* One that is marked so is answered, if it waits for a thread. May end it. */
void execution_sweep(struct execution *e);
/* Whether a worker has it. */
bool execution_is_running(const struct execution *e);
/* What is known of it, for people; borrowed until the loop's turn is over. */
struct execution_sight {
	const char *sn, *classname,
		*method; /* these two NULL if its result is all that is left of it */
	enum call_state state;
	bool durable, cancelled;
	uint64_t accepted_ms; /* since 1970 */
	long long total, completed;
	const struct cJSON *details; /* NULL: none */
};
void execution_look(const struct execution *e, struct execution_sight *sight);
/* Frees without a word, when nothing can call back any more: no worker, no connection, no journal. */
void execution_free(struct execution *e);

struct execution *execution_next(struct execution *e);
/* For instance: its list. */
void execution_link(struct execution *e, struct execution **list);
void execution_unlink(struct execution *e);

#endif
