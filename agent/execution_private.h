/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execution_private: what the parts of an execution share: its life and what its worker has told
 * (execution.c), its worker's side (execution_run.c), how it begins (execution_take.c).
 */
#ifndef GOFER_AGENT_EXECUTION_PRIVATE_H
#define GOFER_AGENT_EXECUTION_PRIVATE_H

#include <pthread.h>
#include <stddef.h>

#include "agent/execution.h"

#define EXECUTION_PACKAGE "agent.execution"
#define EXECUTION_OF(pointer, member) \
	((struct execution *)((char *)(pointer)-offsetof(struct execution, member)))

/* One progress report on its way to the loop. */
struct execution_news {
	struct execution_news *next;
	struct buf body; /* empty: nobody wants to know */
	long long total, completed;
	struct cJSON *details;
};

struct execution {
	/* immutable once submitted */
	struct instance *instance;
	struct outbox *outbox; /* held */
	struct call *call;     /* NULL: its result is all that is left of it */
	bool is_admin;
	struct pool *pool;
	uint64_t accepted_ms; /* since 1970 */
	uint64_t taken_us;    /* on the monotonic clock, in this process */
	enum message_body kind;
	bool durable;
	size_t size; /* of the request's body */
	const char *sn;
	const char *replyto; /* NULL: nobody wants to know */

	/* loop only */
	struct execution *next, **link;
	struct tracked *tracked;
	struct journal_entry *entry;
	struct journal_wait stored;
	struct delivery *delivery; /* NULL once settled */
	unsigned came_by;          /* the instance's link then */
	struct outbox_wait sent;
	struct pending_call pending; /* once it is accepted */
	bool kept;                   /* in the journal, for the next start */
	bool marked; /* as cancelled, in the journal; or it is over, and needs no mark */
	long long total, completed; /* the last progress */
	struct cJSON *details;

	/* the worker's from the submission until `finished` is told, then the loop's */
	struct pool_job job;
	struct buf result;

	struct loop_task task; /* in the loop's list while `told` */
	pthread_mutex_t lock;

	/* guarded by lock */
	bool told, started, finished;
	struct buf started_body;
	struct execution_news *news, **news_end;
	size_t news_count;
};

void execution_news_free(struct execution_news *news); /* the whole list; NULL is taken */
/* What every reply to it says. */
struct reply_head execution_head(const struct execution *e);

/* The worker's side: `job` of an execution, and where its call tells progress to. */
extern const struct call_sink execution_sink;
void execution_run_job(struct pool_job *job);
void execution_drop_job(struct pool_job *job);
/* The body of the result, unless nobody wants to know; of a call that is over. */
void execution_print(struct execution *e);

/* The loop's: `task`, once the worker has told something; `sent`, once the result is the broker's. */
void execution_on_told(struct loop_task *task);
void execution_on_sent(struct outbox_wait *wait, enum outcome outcome);
/* Sends one of the replies before the result, if it has a body; the result. */
void execution_send_status(struct execution *e, const struct buf *body);
void execution_send_result(struct execution *e);
/* Answers one that was cancelled, when no worker has it nor ever will. */
void execution_finish_cancelled(struct execution *e);
/* Takes it off its instance and frees it. */
void execution_leave(struct execution *e);

#endif
