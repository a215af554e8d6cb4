/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool: a number of threads that run jobs in the order in which they came, an idle thread first;
 * bounded.
 *
 * A job is embedded in what its owner allocates; from pool_submit() until its `run` or `drop` is
 * called, or it is withdrawn, it belongs to the pool. The owner learns of the end through what `run`
 * does last (post to the loop). Threads are started when first needed, so an unused pool costs no
 * stack. Every signal is blocked in them: signals are the other threads' business.
 *
 * Thread: pool_new() and pool_free() one thread; the rest any, jobs too. `run` and `drop` are called
 * with no lock held.
 */
#ifndef GOFER_CORE_POOL_H
#define GOFER_CORE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

struct pool;

struct pool_job {
	struct pool_job *next, **at;        /* the pool's; NULL before the first pool_submit() */
	void (*run)(struct pool_job *job);  /* in a worker; may block */
	void (*drop)(struct pool_job *job); /* instead of run, when the pool stops hard */
};

/* `name` is copied (15 characters show as the threads' name); `threads` is 1 or more. Beyond the
 * jobs that have a thread to run them, at most `backlog` wait. NULL: out of memory. */
struct pool *pool_new(const char *name, unsigned threads, size_t backlog);

/* Hands a job over; never blocks. GOFER_FULL: every thread has its job and `backlog` wait;
 * GOFER_CANCELLED: the pool is stopping; GOFER_IO: no thread could be started and there is none yet.
 * The job is then still the caller's. */
enum gofer_err pool_submit(struct pool *pool, struct pool_job *job);
/* Takes a waiting job back, in constant time: it is the caller's again, and neither run nor dropped.
 * False: it doesn't wait (a thread has or had it, it was dropped, or never submitted). The caller
 * knows that `job` has not been freed, which `run` and `drop` may do. */
bool pool_withdraw(struct pool *pool, struct pool_job *job);

/* Other numbers, as of pool_new(), from now on. Jobs that wait get threads to run them; threads that
 * are too many end, those that run a job after it. Jobs beyond a smaller backlog stay. Doesn't wait. */
void pool_resize(struct pool *pool, unsigned threads, size_t backlog);

size_t pool_waiting(struct pool *pool); /* submitted and not taken up */
unsigned pool_running(struct pool *pool);

/* No more jobs are taken. Soft: what waits is still run. Hard: what waits is dropped, in this
 * thread. Does not wait; may be called again, hard after soft. */
void pool_stop(struct pool *pool, bool hard);
/* Waits until every thread has ended (stops softly if not stopped yet): no job runs any more, and none is
 * taken. Not from a job. */
void pool_join(struct pool *pool);
/* Waits until every thread has ended (stops softly if not stopped yet) and frees. NULL is taken.
 * Not from a job. */
void pool_free(struct pool *pool);

#endif
