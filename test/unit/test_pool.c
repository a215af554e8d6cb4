/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
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

/* --- taking back --- */

static void free_withdrawn(struct pool *pool, struct job *job)
{
	assert_true(pool_withdraw(pool, &job->base));
	assert_false(pool_withdraw(pool, &job->base));
	free(job);
}

static void a_waiting_job_is_taken_back_from_wherever_it_is(void **state)
{
	static const unsigned left[] = {0, 2, 4, 6, 7};
	struct pool *pool = pool_new("withdraw", 1, 5);
	struct job *jobs[6];
	struct scene s;

	(void)state;
	scene_init(&s);
	submit(pool, &s, 0, true);
	wait_for(&s.arrived, 1);
	for (unsigned i = 1; i <= 5; i++) {
		jobs[i] = job_new(&s, i, false);
		assert_int_equal(pool_submit(pool, &jobs[i]->base), GOFER_OK);
	}
	assert_int_equal(submit(pool, &s, 6, false), GOFER_FULL);
	free_withdrawn(pool, jobs[3]); /* in the middle */
	free_withdrawn(pool, jobs[1]); /* the first */
	free_withdrawn(pool, jobs[5]); /* the last */
	assert_int_equal(pool_waiting(pool), 2);
	assert_int_equal(submit(pool, &s, 6, false), GOFER_OK);
	assert_int_equal(submit(pool, &s, 7, false), GOFER_OK);
	post(&s.gate, 1);
	pool_free(pool);
	assert_int_equal(s.count, 5);
	assert_memory_equal(s.order, left, sizeof(left));
	assert_int_equal(s.dropped, 0);
	scene_release(&s);
}

static void the_only_one_that_waits_is_taken_back_and_handed_over_again(void **state)
{
	struct pool *pool = pool_new("again", 1, 1);
	struct job *job;
	struct scene s;

	(void)state;
	scene_init(&s);
	submit(pool, &s, 0, true);
	wait_for(&s.arrived, 1);
	job = job_new(&s, 1, false);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pool_submit(pool, &job->base), GOFER_OK);
		assert_true(pool_withdraw(pool, &job->base));
		assert_int_equal(pool_waiting(pool), 0);
	}
	assert_int_equal(pool_submit(pool, &job->base), GOFER_OK);
	post(&s.gate, 1);
	pool_free(pool);
	assert_int_equal(s.count, 2);
	scene_release(&s);
}

/* A job that outlives its run, and tells of a drop without being freed. */
struct kept {
	struct pool_job base;
	sem_t arrived, gate;
	bool dropped;
};

static void run_kept(struct pool_job *base)
{
	struct kept *kept = (struct kept *)base;

	sem_post(&kept->arrived);
	sem_wait(&kept->gate);
}

static void drop_kept(struct pool_job *base)
{
	((struct kept *)base)->dropped = true;
}

static void what_does_not_wait_is_not_taken_back(void **state)
{
	struct pool *pool = pool_new("had", 1, 1);
	struct kept first = {.base = {.run = run_kept}};
	struct kept second = {.base = {.run = run_kept, .drop = drop_kept}};

	(void)state;
	sem_init(&first.arrived, 0, 0);
	sem_init(&first.gate, 0, 0);
	assert_false(pool_withdraw(pool, &first.base)); /* never submitted */
	assert_int_equal(pool_submit(pool, &first.base), GOFER_OK);
	wait_for(&first.arrived, 1);
	assert_false(pool_withdraw(pool, &first.base)); /* runs */
	assert_int_equal(pool_submit(pool, &second.base), GOFER_OK);
	assert_int_equal(pool_waiting(pool), 1);
	pool_stop(pool, true);
	assert_true(second.dropped);
	assert_false(pool_withdraw(pool, &second.base)); /* was dropped */
	post(&first.gate, 1);
	while (pool_running(pool))
		sched_yield();
	assert_false(pool_withdraw(pool, &first.base)); /* has run */
	pool_free(pool);
	sem_destroy(&first.arrived);
	sem_destroy(&first.gate);
}

/* --- resizing --- */

static bool has_name(const char *task, const char *name)
{
	char path[64], text[32] = "";

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", task);
	FILE *file = fopen(path, "r");
	bool same =
		file && fgets(text, sizeof(text), file) && strncmp(text, name, strlen(name)) == 0;
	if (file)
		fclose(file);
	return same;
}

/* How many threads of this name the system knows of. */
static unsigned threads_named(const char *name)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned count = 0;

	assert_non_null(tasks);
	for (struct dirent *task; (task = readdir(tasks));)
		count += has_name(task->d_name, name);
	closedir(tasks);
	return count;
}

static void wait_until_threads(const char *name, unsigned count)
{
	while (threads_named(name) != count)
		usleep(1000);
}

static void more_threads_take_up_what_waits(void **state)
{
	struct pool *pool = pool_new("grow", 1, 3);
	struct scene s;

	(void)state;
	scene_init(&s);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(submit(pool, &s, i, true), GOFER_OK);
	wait_for(&s.arrived, 1);
	assert_int_equal(pool_running(pool), 1);
	pool_resize(pool, 3, 1);
	wait_for(&s.arrived, 2);
	assert_int_equal(pool_running(pool), 3);
	assert_int_equal(pool_waiting(pool), 1);
	assert_int_equal(submit(pool, &s, 4, true), GOFER_FULL);
	pool_resize(pool, 3, 2);
	assert_int_equal(submit(pool, &s, 4, true), GOFER_OK);
	pool_resize(pool, 8, 0); /* no more than there are jobs for */
	wait_for(&s.arrived, 2);
	assert_int_equal(threads_named("grow"), 5);
	post(&s.gate, 5);
	pool_free(pool);
	assert_int_equal(s.count, 5);
	scene_release(&s);
}

static void threads_that_are_too_many_end_after_their_job(void **state)
{
	struct pool *pool = pool_new("shrink", 4, 4);
	struct scene s;

	(void)state;
	scene_init(&s);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(submit(pool, &s, i, true), GOFER_OK);
	wait_for(&s.arrived, 4);
	pool_resize(pool, 1, 2);
	assert_int_equal(pool_running(pool), 4);
	assert_int_equal(pool_waiting(pool), 2);
	assert_int_equal(submit(pool, &s, 6, true), GOFER_FULL);
	post(&s.gate, 3);
	wait_for(&s.done, 3);
	wait_until_threads("shrink", 1);
	assert_int_equal(pool_running(pool), 1);
	assert_int_equal(pool_waiting(pool), 2);
	post(&s.gate, 1);
	wait_for(&s.arrived, 1);
	assert_int_equal(pool_running(pool), 1);
	assert_int_equal(pool_waiting(pool), 1);
	post(&s.gate, 2);
	pool_free(pool);
	assert_int_equal(s.count, 6);
	scene_release(&s);
}

static void idle_threads_that_are_too_many_end(void **state)
{
	struct pool *pool = pool_new("idle", 6, 0);
	struct scene s;

	(void)state;
	scene_init(&s);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(submit(pool, &s, i, true), GOFER_OK);
	wait_for(&s.arrived, 6);
	post(&s.gate, 6);
	wait_for(&s.done, 6);
	wait_until_threads("idle", 6);
	while (pool_running(pool))
		sched_yield();
	pool_resize(pool, 2, 0);
	wait_until_threads("idle", 2);
	pool_resize(pool, 0, 0); /* is 1 */
	wait_until_threads("idle", 1);
	assert_int_equal(submit(pool, &s, 6, true), GOFER_OK);
	wait_for(&s.arrived, 1);
	assert_int_equal(submit(pool, &s, 7, true), GOFER_FULL);
	post(&s.gate, 1);
	pool_free(pool);
	wait_until_threads("idle", 0);
	scene_release(&s);
}

static void what_waits_beyond_a_smaller_backlog_is_still_run(void **state)
{
	struct pool *pool = pool_new("less", 1, 8);
	struct scene s;

	(void)state;
	scene_init(&s);
	submit(pool, &s, 0, true);
	wait_for(&s.arrived, 1);
	for (unsigned i = 1; i < 9; i++)
		assert_int_equal(submit(pool, &s, i, false), GOFER_OK);
	pool_resize(pool, 1, 1);
	assert_int_equal(pool_waiting(pool), 8);
	assert_int_equal(submit(pool, &s, 9, false), GOFER_FULL);
	pool_stop(pool, false);
	pool_resize(pool, 2, 0); /* a pool that stops is emptied the sooner */
	wait_for(&s.done, 8);
	post(&s.gate, 1);
	pool_free(pool);
	assert_int_equal(s.count, 9);
	scene_release(&s);
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

/* --- resized, taken back from and freed under load --- */

struct resizer {
	struct pool *pool;
	atomic_bool *over;
};

static void *resize_often(void *arg)
{
	struct resizer *r = arg;

	for (unsigned i = 1; !atomic_load(r->over); i++)
		pool_resize(r->pool, i * 5 % 9, i * 7 % 32);
	return NULL;
}

static void *submit_and_withdraw(void *arg)
{
	struct submitter *s = arg;

	for (size_t i = 0; i < EACH; i++) {
		s->jobs[i] = (struct counter){.base = {.run = count_job}, .count = s->count};
		while (pool_submit(s->pool, &s->jobs[i].base) == GOFER_FULL)
			sched_yield();
		if (i % 3 == 0 && pool_withdraw(s->pool, &s->jobs[i].base))
			atomic_fetch_add(s->count, 1);
	}
	return NULL;
}

static void each_job_is_run_or_taken_back_once_while_the_pool_is_resized(void **state)
{
	struct pool *pool = pool_new("resized", 3, 16);
	struct submitter *submitters = calloc(SUBMITTERS, sizeof(*submitters));
	pthread_t threads[SUBMITTERS], resizing[2];
	atomic_uint count = 0;
	atomic_bool over = false;
	struct resizer resizer = {.pool = pool, .over = &over};

	(void)state;
	for (size_t i = 0; i < 2; i++)
		pthread_create(&resizing[i], NULL, resize_often, &resizer);
	for (size_t i = 0; i < SUBMITTERS; i++) {
		submitters[i].pool = pool;
		submitters[i].count = &count;
		pthread_create(&threads[i], NULL, submit_and_withdraw, &submitters[i]);
	}
	for (size_t i = 0; i < SUBMITTERS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&over, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(resizing[i], NULL);
	pool_free(pool);
	assert_int_equal(count, SUBMITTERS * EACH);
	wait_until_threads("resized", 0);
	free(submitters);
}

static void freed_while_threads_start_and_end(void **state)
{
	struct counter jobs[8];
	atomic_uint count = 0;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct pool *pool = pool_new("freed", 1 + round % 4, 8);
		for (size_t i = 0; i < 8; i++) {
			jobs[i] = (struct counter){.base = {.run = count_job}, .count = &count};
			assert_int_equal(pool_submit(pool, &jobs[i].base), GOFER_OK);
		}
		pool_resize(pool, 8, 0);
		pool_resize(pool, 1 + round % 3, 0);
		if (round % 2)
			pool_stop(pool, false);
		pool_free(pool);
		assert_int_equal(count, (round + 1) * 8);
	}
	wait_until_threads("freed", 0);
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
		cmocka_unit_test(a_waiting_job_is_taken_back_from_wherever_it_is),
		cmocka_unit_test(the_only_one_that_waits_is_taken_back_and_handed_over_again),
		cmocka_unit_test(what_does_not_wait_is_not_taken_back),
		cmocka_unit_test(more_threads_take_up_what_waits),
		cmocka_unit_test(threads_that_are_too_many_end_after_their_job),
		cmocka_unit_test(idle_threads_that_are_too_many_end),
		cmocka_unit_test(what_waits_beyond_a_smaller_backlog_is_still_run),
		cmocka_unit_test(a_soft_stop_runs_what_waits),
		cmocka_unit_test(a_hard_stop_drops_what_waits),
		cmocka_unit_test(a_pool_that_was_never_used_is_freed),
		cmocka_unit_test(several_threads_submit_at_once),
		cmocka_unit_test(each_job_is_run_or_taken_back_once_while_the_pool_is_resized),
		cmocka_unit_test(freed_while_threads_start_and_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
