/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define POOL_STACK_SIZE (512 * 1024)
#define POOL_NAME_SIZE 16

struct pool {
	char name[POOL_NAME_SIZE]; /* immutable */

	pthread_mutex_t lock;
	pthread_cond_t wake, none_left;

	/* guarded by lock */
	unsigned threads_max;
	size_t backlog;
	struct pool_job *head, **tail;
	size_t waiting;
	unsigned idle, running, started;
	bool stopping;
	bool one_ended; /* `ended` is to be joined; it joins the one that ended before it */
	pthread_t ended;
};

struct pool *pool_new(const char *name, unsigned threads, size_t backlog)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	pool->threads_max = threads ? threads : 1;
	pool->backlog = backlog;
	pool->tail = &pool->head;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	pthread_cond_init(&pool->none_left, NULL);
	return pool;
}

static void append_locked(struct pool *pool, struct pool_job *job)
{
	job->next = NULL;
	job->at = pool->tail;
	*pool->tail = job;
	pool->tail = &job->next;
	pool->waiting++;
}

static void remove_locked(struct pool *pool, struct pool_job *job)
{
	*job->at = job->next;
	*(job->next ? &job->next->at : &pool->tail) = job->at;
	job->next = NULL;
	job->at = NULL;
	pool->waiting--;
}

static void work_locked(struct pool *pool)
{
	struct pool_job *job = pool->head;

	remove_locked(pool, job);
	pool->running++;
	pthread_mutex_unlock(&pool->lock);
	job->run(job); /* which may free it */
	pthread_mutex_lock(&pool->lock);
	pool->running--;
}

/* Threads end at any time, and those who resize don't wait for them: so each joins the one that
 * ended before it, and pool_free() the last. */
static void leave_locked(struct pool *pool)
{
	bool joins = pool->one_ended;
	pthread_t predecessor = pool->ended;

	pool->one_ended = true;
	pool->ended = pthread_self();
	if (--pool->started == 0)
		pthread_cond_signal(&pool->none_left);
	pthread_mutex_unlock(&pool->lock);
	if (joins)
		pthread_join(predecessor, NULL);
}

static void *worker(void *arg)
{
	struct pool *pool = arg;

	pthread_setname_np(pthread_self(), pool->name);
	pthread_mutex_lock(&pool->lock);
	while (pool->started <= pool->threads_max) {
		if (pool->head) {
			work_locked(pool);
			continue;
		}
		if (pool->stopping)
			break;
		pool->idle++;
		pthread_cond_wait(&pool->wake, &pool->lock);
		pool->idle--;
	}
	leave_locked(pool);
	return NULL;
}

static bool start_thread_locked(struct pool *pool)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;

	/* Blocked here, not in the thread: it must not take a signal in its first moments either. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, POOL_STACK_SIZE);
	bool started = pthread_create(&thread, &attr, worker, pool) == 0;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pool->started += started;
	return started;
}

/* One for each of `jobs` that waits or runs, as far as there may be. */
static void start_threads_locked(struct pool *pool, size_t jobs)
{
	while (jobs > pool->started && pool->started < pool->threads_max)
		if (!start_thread_locked(pool))
			break;
}

/* Whether a job more may be queued; starts a thread for it if none is free. */
static enum gofer_err make_room_locked(struct pool *pool)
{
	unsigned spare = pool->threads_max > pool->running ? pool->threads_max - pool->running : 0;

	if (pool->stopping)
		return GOFER_CANCELLED;
	/* A thread that was woken or started and has not yet taken up its job isn't running. */
	if (pool->waiting >= pool->backlog + spare)
		return GOFER_FULL;
	start_threads_locked(pool, pool->waiting + pool->running + 1);
	return pool->started ? GOFER_OK : GOFER_IO;
}

enum gofer_err pool_submit(struct pool *pool, struct pool_job *job)
{
	bool someone_idles = false;

	pthread_mutex_lock(&pool->lock);
	enum gofer_err err = make_room_locked(pool);
	if (!err) {
		append_locked(pool, job);
		someone_idles = pool->idle > 0;
	}
	pthread_mutex_unlock(&pool->lock);
	if (someone_idles)
		pthread_cond_signal(&pool->wake);
	return err;
}

bool pool_withdraw(struct pool *pool, struct pool_job *job)
{
	pthread_mutex_lock(&pool->lock);
	bool waits = job->at != NULL;
	if (waits)
		remove_locked(pool, job);
	pthread_mutex_unlock(&pool->lock);
	return waits;
}

void pool_resize(struct pool *pool, unsigned threads, size_t backlog)
{
	pthread_mutex_lock(&pool->lock);
	pool->threads_max = threads ? threads : 1;
	pool->backlog = backlog;
	start_threads_locked(pool, pool->waiting + pool->running);
	if (pool->started > pool->threads_max)
		pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}

size_t pool_waiting(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	size_t waiting = pool->waiting;
	pthread_mutex_unlock(&pool->lock);
	return waiting;
}

unsigned pool_running(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	unsigned running = pool->running;
	pthread_mutex_unlock(&pool->lock);
	return running;
}

/* Out of the queue, so that they can't be withdrawn any more; still linked by `next`. */
static struct pool_job *take_all_locked(struct pool *pool)
{
	struct pool_job *all = pool->head;

	for (struct pool_job *job = all; job; job = job->next)
		job->at = NULL;
	pool->head = NULL;
	pool->tail = &pool->head;
	pool->waiting = 0;
	return all;
}

void pool_stop(struct pool *pool, bool hard)
{
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	struct pool_job *dropped = hard ? take_all_locked(pool) : NULL;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	while (dropped) {
		struct pool_job *job = dropped;
		dropped = job->next;
		job->next = NULL;
		job->drop(job);
	}
}

static void wait_for_threads(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (pool->started)
		pthread_cond_wait(&pool->none_left, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	if (pool->one_ended)
		pthread_join(pool->ended, NULL);
	pool->one_ended = false;
}

void pool_join(struct pool *pool)
{
	pool_stop(pool, false);
	wait_for_threads(pool);
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pool_join(pool);
	pthread_cond_destroy(&pool->none_left);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
