/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define POOL_STACK_SIZE (512 * 1024)
#define POOL_NAME_SIZE 16

struct pool {
	/* immutable */
	char name[POOL_NAME_SIZE];
	unsigned threads_max;
	size_t backlog;

	pthread_mutex_t lock;
	pthread_cond_t wake;

	/* guarded by lock */
	struct pool_job *head, **tail;
	size_t waiting;
	unsigned idle, running, started;
	bool stopping;
	pthread_t threads[]; /* `started` of them */
};

struct pool *pool_new(const char *name, unsigned threads, size_t backlog)
{
	unsigned threads_max = threads ? threads : 1;
	struct pool *pool = calloc(1, sizeof(*pool) + threads_max * sizeof(pool->threads[0]));

	if (!pool)
		return NULL;
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	pool->threads_max = threads_max;
	pool->backlog = backlog;
	pool->tail = &pool->head;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	return pool;
}

static struct pool_job *take_locked(struct pool *pool)
{
	struct pool_job *job = pool->head;

	pool->head = job->next;
	if (!pool->head)
		pool->tail = &pool->head;
	job->next = NULL;
	pool->waiting--;
	return job;
}

static void work_locked(struct pool *pool)
{
	struct pool_job *job = take_locked(pool);

	pool->running++;
	pthread_mutex_unlock(&pool->lock);
	job->run(job); /* which may free it */
	pthread_mutex_lock(&pool->lock);
	pool->running--;
}

static void *worker(void *arg)
{
	struct pool *pool = arg;

	pthread_setname_np(pthread_self(), pool->name);
	pthread_mutex_lock(&pool->lock);
	for (;;) {
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
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static void start_thread_locked(struct pool *pool)
{
	pthread_attr_t attr;
	sigset_t all, before;

	/* Blocked here, not in the thread: it must not take a signal in its first moments either. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, POOL_STACK_SIZE);
	if (pthread_create(&pool->threads[pool->started], &attr, worker, pool) == 0)
		pool->started++;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Whether a job more may be queued; starts a thread for it if none is free. */
static enum gofer_err make_room_locked(struct pool *pool)
{
	if (pool->stopping)
		return GOFER_CANCELLED;
	/* A thread that was woken or started and has not yet taken up its job isn't running. */
	if (pool->waiting >= pool->backlog + (pool->threads_max - pool->running))
		return GOFER_FULL;
	if (pool->waiting + pool->running >= pool->started && pool->started < pool->threads_max)
		start_thread_locked(pool);
	return pool->started ? GOFER_OK : GOFER_IO;
}

enum gofer_err pool_submit(struct pool *pool, struct pool_job *job)
{
	bool someone_idles = false;

	pthread_mutex_lock(&pool->lock);
	enum gofer_err err = make_room_locked(pool);
	if (!err) {
		job->next = NULL;
		*pool->tail = job;
		pool->tail = &job->next;
		pool->waiting++;
		someone_idles = pool->idle > 0;
	}
	pthread_mutex_unlock(&pool->lock);
	if (someone_idles)
		pthread_cond_signal(&pool->wake);
	return err;
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

void pool_stop(struct pool *pool, bool hard)
{
	struct pool_job *dropped = NULL;

	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	if (hard) {
		dropped = pool->head;
		pool->head = NULL;
		pool->tail = &pool->head;
		pool->waiting = 0;
	}
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	while (dropped) {
		struct pool_job *job = dropped;
		dropped = job->next;
		job->next = NULL;
		job->drop(job);
	}
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pool_stop(pool, false);
	for (unsigned i = 0; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
