/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: the event loop, and the way into it from other threads.
 *
 * One thread runs it and owns every object that hangs on it. The others reach it through
 * loop_post() alone: a locked list and one wake-up; the loop takes the whole list and runs it
 * unlocked, in order.
 *
 * Thread: loop_post() any; everything else the thread that runs the loop (or, before it runs and
 * after it has ended, the one that made it). Callbacks run in the loop's thread and must not block.
 */
#ifndef GOFER_AMQP_LOOP_H
#define GOFER_AMQP_LOOP_H

#include <stdbool.h>

#include "core/error.h"

struct ev_loop;
struct loop;

struct loop *loop_new(struct error *error); /* ignores SIGPIPE for the process */
/* NULL is taken. Tasks still posted or deferred are run first, and those that they post; no other
 * thread may be posting any more. */
void loop_free(struct loop *loop);
/* Runs until loop_stop(), which, called while nothing runs, is meant for the next loop_run(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Runs what is ready, waits at most `seconds` for something to be; for tests and short commands. */
void loop_run_once(struct loop *loop, double seconds);
/* The libev loop, for the modules that may know libev. */
struct ev_loop *loop_ev(struct loop *loop);
bool loop_is_mine(const struct loop *loop); /* whether this thread runs it (or nobody does yet) */

#ifdef NDEBUG
#define ASSERT_LOOP_THREAD(loop) ((void)0)
#else
#include <assert.h>
#define ASSERT_LOOP_THREAD(loop) assert(loop_is_mine(loop))
#endif

/* Something to be done in the loop; embedded in what its owner allocates. From loop_post() until
 * `run` is called it belongs to the loop; `run` may free it or post it again. */
struct loop_task {
	struct loop_task *next; /* the loop's */
	void (*run)(struct loop_task *task);
};
void loop_post(struct loop *loop, struct loop_task *task);
/* The same from the loop's own thread, for the end of the turn: once everything that was ready has
 * been handled, before the loop waits again. What `run` defers comes a turn later, and the loop
 * does not wait meanwhile. No lock, no wake-up. */
void loop_defer(struct loop *loop, struct loop_task *task);

/* Timers, for those that may not know libev. Not started by _new; NULL: out of memory. A repeat of
 * 0 is a single shot; starting a started one starts it anew. */
struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *loop, void (*fire)(void *context), void *context);
void loop_timer_start(struct loop_timer *timer, double after_s, double repeat_s);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL is taken */

/* Calls back in the loop when the signal comes. */
struct loop_signal;
struct loop_signal *loop_signal_new(struct loop *loop, int signum,
                                    void (*fire)(void *context, int signum), void *context);
void loop_signal_free(struct loop_signal *signal);

#endif
