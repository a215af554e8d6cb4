/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/pool.h"

#define JOBS 200

/* What jobs share: where they write what they saw, and a gate that holds them. */
struct scene {
	pthread_mutex_t lock;
	unsigned order[JOBS];
	size_t count;
	sem_t arrived, gate, done;
	atomic_uint dropped;
};

struct job {
	struct pool_job base;
	struct scene *scene;
	unsigned number;
	bool waits;
};

static void scene_init(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	sem_init(&s->arrived, 0, 0);
	sem_init(&s->gate, 0, 0);
	sem_init(&s->done, 0, 0);
}

static void scene_release(struct scene *s)
{
	sem_destroy(&s->arrived);
	sem_destroy(&s->gate);
	sem_destroy(&s->done);
	pthread_mutex_destroy(&s->lock);
}

static void run_job(struct pool_job *base)
{
	struct job *job = (struct job *)base;
	struct scene *s = job->scene;

	pthread_mutex_lock(&s->lock);
	s->order[s->count++] = job->number;
	pthread_mutex_unlock(&s->lock);
	sem_post(&s->arrived);
	if (job->waits)
		sem_wait(&s->gate);
	free(job);
	sem_post(&s->done);
}

static void drop_job(struct pool_job *base)
{
	struct job *job = (struct job *)base;

	atomic_fetch_add(&job->scene->dropped, 1);
	free(job);
}

static struct job *job_new(struct scene *s, unsigned number, bool waits)
{
	struct job *job = calloc(1, sizeof(*job));

	assert_non_null(job);
	*job = (struct job){.base = {.run = run_job, .drop = drop_job},
	                    .scene = s,
	                    .number = number,
	                    .waits = waits};
	return job;
}

static enum gofer_err submit(struct pool *pool, struct scene *s, unsigned number, bool waits)
{
	struct job *job = job_new(s, number, waits);
	enum gofer_err err = pool_submit(pool, &job->base);

	if (err)
		free(job);
	return err;
}

static void wait_for(sem_t *sem, unsigned count)
{
	while (count--)
		sem_wait(sem);
}

static void post(sem_t *sem, unsigned count)
{
	while (count--)
		sem_post(sem);
}

static void jobs_run_in_the_order_in_which_they_came(void **state)
{
	struct pool *pool = pool_new("order", 1, JOBS);
	struct scene s;

	(void)state;
	scene_init(&s);
	for (unsigned i = 0; i < JOBS; i++)
		assert_int_equal(submit(pool, &s, i, false), GOFER_OK);
	wait_for(&s.done, JOBS);
	for (unsigned i = 0; i < JOBS; i++)
		assert_int_equal(s.order[i], i);
	pool_free(pool);
	scene_release(&s);
}

static void as_many_run_as_there_are_threads_and_the_backlog_is_bounded(void **state)
{
	struct pool *pool = pool_new("bound", 3, 2);
	struct scene s;

	(void)state;
	scene_init(&s);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(submit(pool, &s, i, true), GOFER_OK);
	wait_for(&s.arrived, 3);
	assert_int_equal(pool_running(pool), 3);
	assert_int_equal(pool_waiting(pool), 0);

	assert_int_equal(submit(pool, &s, 3, true), GOFER_OK);
	assert_int_equal(submit(pool, &s, 4, true), GOFER_OK);
	assert_int_equal(submit(pool, &s, 5, true), GOFER_FULL);
	assert_int_equal(pool_waiting(pool), 2);

	post(&s.gate, 1);
	wait_for(&s.arrived, 1);
	assert_int_equal(submit(pool, &s, 5, true), GOFER_OK);
	post(&s.gate, 5);
	wait_for(&s.done, 6);
	pool_free(pool);
	assert_int_equal(s.count, 6);
	scene_release(&s);
}

static void without_a_backlog_a_free_thread_still_takes_a_job(void **state)
{
	struct pool *pool = pool_new("none", 1, 0);
	struct scene s;

	(void)state;
	scene_init(&s);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(submit(pool, &s, i, true), GOFER_OK);
		wait_for(&s.arrived, 1);
		assert_int_equal(submit(pool, &s, i, true), GOFER_FULL);
		post(&s.gate, 1);
		wait_for(&s.done, 1);
		while (pool_running(pool))
			sched_yield();
	}
	pool_free(pool);
	scene_release(&s);
}

static void at_least_one_thread(void **state)
{
	struct pool *pool = pool_new("zero", 0, 1);
	struct scene s;

	(void)state;
	scene_init(&s);
	assert_int_equal(submit(pool, &s, 0, false), GOFER_OK);
	wait_for(&s.done, 1);
	pool_free(pool);
	scene_release(&s);
}

/* --- what a worker is like --- */

struct look {
	struct pool_job base;
	char name[32];
	bool blocked;
	size_t stack;
	pthread_t thread;
	sem_t done;
};

static void look_job(struct pool_job *base)
{
	struct look *look = (struct look *)base;
	sigset_t set;
	pthread_attr_t attr;

	pthread_getname_np(pthread_self(), look->name, sizeof(look->name));
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	look->blocked = sigismember(&set, SIGTERM) && sigismember(&set, SIGCHLD) &&
		sigismember(&set, SIGHUP);
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &look->stack);
	pthread_attr_destroy(&attr);
	look->thread = pthread_self();
	sem_post(&look->done);
}

static void a_worker_has_a_name_a_small_stack_and_no_signals(void **state)
{
	struct pool *pool = pool_new("a name that is too long", 2, 1);
	struct look look = {.base = {.run = look_job}};
	sigset_t set;

	(void)state;
	sem_init(&look.done, 0, 0);
	assert_int_equal(pool_submit(pool, &look.base), GOFER_OK);
	sem_wait(&look.done);
	assert_string_equal(look.name, "a name that is ");
	assert_true(look.blocked);
	assert_in_range(look.stack, 64 * 1024, 1024 * 1024);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	assert_false(sigismember(&set, SIGTERM)); /* ours is as it was */
	pool_free(pool);
	sem_destroy(&look.done);
}

static void one_after_the_other_needs_one_thread_only(void **state)
{
	struct pool *pool = pool_new("lazy", 8, 8);
	struct look look = {.base = {.run = look_job}};
	pthread_t first = pthread_self();

	(void)state;
	sem_init(&look.done, 0, 0);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(pool_submit(pool, &look.base), GOFER_OK);
		sem_wait(&look.done);
		while (pool_running(pool))
			sched_yield();
		if (i == 0)
			first = look.thread;
		assert_true(pthread_equal(look.thread, first));
	}
	pool_free(pool);
	sem_destroy(&look.done);
}

/* --- stopping --- */

static void a_soft_stop_runs_what_waits(void **state)
{
	struct pool *pool = pool_new("soft", 1, JOBS);
	struct scene s;

	(void)state;
	scene_init(&s);
	submit(pool, &s, 0, true);
	wait_for(&s.arrived, 1);
	for (unsigned i = 1; i < 10; i++)
		assert_int_equal(submit(pool, &s, i, false), GOFER_OK);
	pool_stop(pool, false);
	assert_int_equal(submit(pool, &s, 99, false), GOFER_CANCELLED);
	post(&s.gate, 1);
	pool_free(pool);
	assert_int_equal(s.count, 10);
	assert_int_equal(s.dropped, 0);
	scene_release(&s);
}

static void a_hard_stop_drops_what_waits(void **state)
{
	struct pool *pool = pool_new("hard", 1, JOBS);
	struct scene s;

	(void)state;
	scene_init(&s);
	submit(pool, &s, 0, true);
	wait_for(&s.arrived, 1);
	for (unsigned i = 1; i < 10; i++)
		assert_int_equal(submit(pool, &s, i, false), GOFER_OK);
	pool_stop(pool, false);
	assert_int_equal(s.dropped, 0);
	pool_stop(pool, true); /* hard after soft; what runs goes on */
	assert_int_equal(s.dropped, 9);
	assert_int_equal(pool_waiting(pool), 0);
	assert_int_equal(pool_running(pool), 1);
	assert_int_equal(submit(pool, &s, 99, false), GOFER_CANCELLED);
	post(&s.gate, 1);
	pool_free(pool);
	assert_int_equal(s.count, 1);
	scene_release(&s);
}

static void a_pool_that_was_never_used_is_freed(void **state)
{
	struct pool *pool = pool_new("unused", 4, 4);

	(void)state;
	pool_stop(pool, true);
	pool_stop(pool, true);
	pool_free(pool);
	pool_free(NULL);
}

/* --- many at once --- */

#define SUBMITTERS 4
#define EACH 2000

struct counter {
	struct pool_job base;
	atomic_uint *count;
};

struct submitter {
	struct pool *pool;
	atomic_uint *count;
	struct counter jobs[EACH];
};

static void count_job(struct pool_job *base)
{
	atomic_fetch_add(((struct counter *)base)->count, 1);
}

static void *submit_many(void *arg)
{
	struct submitter *s = arg;

	for (size_t i = 0; i < EACH; i++) {
		s->jobs[i] = (struct counter){.base = {.run = count_job}, .count = s->count};
		while (pool_submit(s->pool, &s->jobs[i].base) == GOFER_FULL)
			sched_yield();
	}
	return NULL;
}

static void several_threads_submit_at_once(void **state)
{
	struct pool *pool = pool_new("many", 3, 16);
	struct submitter *submitters = calloc(SUBMITTERS, sizeof(*submitters));
	pthread_t threads[SUBMITTERS];
	atomic_uint count = 0;

	(void)state;
	for (size_t i = 0; i < SUBMITTERS; i++) {
		submitters[i].pool = pool;
		submitters[i].count = &count;
		pthread_create(&threads[i], NULL, submit_many, &submitters[i]);
	}
	for (size_t i = 0; i < SUBMITTERS; i++)
		pthread_join(threads[i], NULL);
	pool_free(pool);
	assert_int_equal(count, SUBMITTERS * EACH);
	free(submitters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_run_in_the_order_in_which_they_came),
		cmocka_unit_test(as_many_run_as_there_are_threads_and_the_backlog_is_bounded),
		cmocka_unit_test(without_a_backlog_a_free_thread_still_takes_a_job),
		cmocka_unit_test(at_least_one_thread),
		cmocka_unit_test(a_worker_has_a_name_a_small_stack_and_no_signals),
		cmocka_unit_test(one_after_the_other_needs_one_thread_only),
		cmocka_unit_test(a_soft_stop_runs_what_waits),
		cmocka_unit_test(a_hard_stop_drops_what_waits),
		cmocka_unit_test(a_pool_that_was_never_used_is_freed),
		cmocka_unit_test(several_threads_submit_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
