/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/loop.h"

#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

struct task_list {
	struct loop_task *head, **tail;
};

struct loop {
	/* immutable */
	struct ev_loop *ev;

	/* loop only */
	ev_async wake;
	ev_prepare turn_end;
	ev_idle no_wait;
	ev_timer limit;
	struct task_list deferred;
	bool stop;

	/* any thread */
	atomic_bool running;
	_Atomic(pthread_t) thread;

	/* guarded by lock */
	pthread_mutex_t lock;
	struct task_list posted;
};

struct loop_timer {
	ev_timer watcher; /* first: the watcher's address is the timer's */
	struct loop *loop;
	void (*fire)(void *context);
	void *context;
};

struct loop_signal {
	ev_signal watcher; /* first, as above */
	struct loop *loop;
	void (*fire)(void *context, int signum);
	void *context;
};

static void list_init(struct task_list *list)
{
	list->head = NULL;
	list->tail = &list->head;
}

static void list_append(struct task_list *list, struct loop_task *task)
{
	task->next = NULL;
	*list->tail = task;
	list->tail = &task->next;
}

static struct loop_task *list_take(struct task_list *list)
{
	struct loop_task *head = list->head;

	list_init(list);
	return head;
}

static void run_tasks(struct loop_task *task)
{
	while (task) {
		struct loop_task *next = task->next; /* `run` may free the task */

		task->run(task);
		task = next;
	}
}

static struct loop_task *take_posted(struct loop *loop)
{
	struct loop_task *tasks;

	pthread_mutex_lock(&loop->lock);
	tasks = list_take(&loop->posted);
	pthread_mutex_unlock(&loop->lock);
	return tasks;
}

static void on_wake(struct ev_loop *ev, ev_async *watcher, int revents)
{
	(void)watcher;
	(void)revents;
	run_tasks(take_posted(ev_userdata(ev)));
}

/* An active idle watcher is what keeps libev from waiting while deferred tasks are left. */
static void run_deferred(struct loop *loop)
{
	run_tasks(list_take(&loop->deferred));
	if (loop->deferred.head)
		ev_idle_start(loop->ev, &loop->no_wait);
	else
		ev_idle_stop(loop->ev, &loop->no_wait);
}

static void on_turn_end(struct ev_loop *ev, ev_prepare *watcher, int revents)
{
	(void)watcher;
	(void)revents;
	run_deferred(ev_userdata(ev));
}

static void on_no_wait(struct ev_loop *ev, ev_idle *watcher, int revents)
{
	(void)ev;
	(void)watcher;
	(void)revents;
}

static void on_limit(struct ev_loop *ev, ev_timer *watcher, int revents)
{
	(void)ev;
	(void)watcher;
	(void)revents;
}

static void ignore_sigpipe(void)
{
	struct sigaction action = {.sa_handler = SIG_IGN};

	sigemptyset(&action.sa_mask);
	sigaction(SIGPIPE, &action, NULL);
}

static void start_watchers(struct loop *loop)
{
	ev_set_userdata(loop->ev, loop);
	ev_async_init(&loop->wake, on_wake);
	ev_async_start(loop->ev, &loop->wake);
	ev_prepare_init(&loop->turn_end, on_turn_end);
	ev_prepare_start(loop->ev, &loop->turn_end);
	ev_idle_init(&loop->no_wait, on_no_wait);
	ev_timer_init(&loop->limit, on_limit, 0., 0.);
}

struct loop *loop_new(struct error *error)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		goto nomem;
	list_init(&loop->deferred);
	list_init(&loop->posted);
	loop->ev = ev_loop_new(EVFLAG_AUTO);
	if (!loop->ev) {
		error_set(error, GOFER_IO, "the system offers no way to wait for events");
		free(loop);
		return NULL;
	}
	if (pthread_mutex_init(&loop->lock, NULL)) {
		ev_loop_destroy(loop->ev);
		goto nomem;
	}
	ignore_sigpipe();
	start_watchers(loop);
	return loop;
nomem:
	error_set(error, GOFER_NOMEM, "out of memory");
	free(loop);
	return NULL;
}

static void run_what_is_left(struct loop *loop)
{
	struct loop_task *tasks;

	while ((tasks = take_posted(loop)) || (tasks = list_take(&loop->deferred)))
		run_tasks(tasks);
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	ASSERT_LOOP_THREAD(loop);
	run_what_is_left(loop);
	ev_idle_stop(loop->ev, &loop->no_wait);
	ev_prepare_stop(loop->ev, &loop->turn_end);
	ev_async_stop(loop->ev, &loop->wake);
	ev_loop_destroy(loop->ev);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

static void run(struct loop *loop, int flags)
{
	ASSERT_LOOP_THREAD(loop);
	atomic_store(&loop->thread, pthread_self());
	atomic_store(&loop->running, true);
	ev_run(loop->ev, flags);
	/* libev ends a run right after the callbacks: this turn's end is still to come. */
	run_deferred(loop);
	atomic_store(&loop->running, false);
}

void loop_run(struct loop *loop)
{
	if (!loop->stop)
		run(loop, 0);
	loop->stop = false;
}

void loop_stop(struct loop *loop)
{
	ASSERT_LOOP_THREAD(loop);
	loop->stop = true;
	ev_break(loop->ev, EVBREAK_ALL);
}

void loop_run_once(struct loop *loop, double seconds)
{
	if (seconds <= 0 || loop->deferred.head) {
		run(loop, EVRUN_NOWAIT);
		return;
	}
	ev_now_update(loop->ev);
	ev_timer_set(&loop->limit, seconds, 0.);
	ev_timer_start(loop->ev, &loop->limit);
	run(loop, EVRUN_ONCE);
	ev_timer_stop(loop->ev, &loop->limit);
}

struct ev_loop *loop_ev(struct loop *loop)
{
	return loop->ev;
}

bool loop_is_mine(const struct loop *loop)
{
	return !atomic_load(&loop->running) ||
		pthread_equal(atomic_load(&loop->thread), pthread_self());
}

void loop_post(struct loop *loop, struct loop_task *task)
{
	bool first;

	pthread_mutex_lock(&loop->lock);
	first = !loop->posted.head;
	list_append(&loop->posted, task);
	pthread_mutex_unlock(&loop->lock);
	if (first)
		ev_async_send(loop->ev, &loop->wake);
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
	ASSERT_LOOP_THREAD(loop);
	list_append(&loop->deferred, task);
}

static void on_timer(struct ev_loop *ev, ev_timer *watcher, int revents)
{
	struct loop_timer *timer = (struct loop_timer *)watcher;

	(void)ev;
	(void)revents;
	timer->fire(timer->context);
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*fire)(void *context), void *context)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return NULL;
	timer->loop = loop;
	timer->fire = fire;
	timer->context = context;
	ev_timer_init(&timer->watcher, on_timer, 0., 0.);
	return timer;
}

void loop_timer_start(struct loop_timer *timer, double after_s, double repeat_s)
{
	struct ev_loop *ev = timer->loop->ev;

	ASSERT_LOOP_THREAD(timer->loop);
	ev_timer_stop(ev, &timer->watcher);
	/* libev counts from when the turn began, which may be long ago. */
	ev_now_update(ev);
	ev_timer_set(&timer->watcher, after_s > 0 ? after_s : 0., repeat_s > 0 ? repeat_s : 0.);
	ev_timer_start(ev, &timer->watcher);
}

void loop_timer_stop(struct loop_timer *timer)
{
	ASSERT_LOOP_THREAD(timer->loop);
	ev_timer_stop(timer->loop->ev, &timer->watcher);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	loop_timer_stop(timer);
	free(timer);
}

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int revents)
{
	struct loop_signal *sig = (struct loop_signal *)watcher;

	(void)ev;
	(void)revents;
	sig->fire(sig->context, watcher->signum);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signum,
                                    void (*fire)(void *context, int signum), void *context)
{
	struct loop_signal *sig = calloc(1, sizeof(*sig));

	ASSERT_LOOP_THREAD(loop);
	if (!sig)
		return NULL;
	sig->loop = loop;
	sig->fire = fire;
	sig->context = context;
	ev_signal_init(&sig->watcher, on_signal, signum);
	ev_signal_start(loop->ev, &sig->watcher);
	return sig;
}

void loop_signal_free(struct loop_signal *sig)
{
	if (!sig)
		return;
	ASSERT_LOOP_THREAD(sig->loop);
	ev_signal_stop(sig->loop->ev, &sig->watcher);
	free(sig);
}
