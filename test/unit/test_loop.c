/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "amqp/loop.h"
#include "core/clock.h"

static struct loop *loop;

static int set_up(void **state)
{
	(void)state;
	loop = loop_new(NULL);
	return !loop;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	loop = NULL;
	return 0;
}

/* A task that notes when it ran. */
struct note {
	struct loop_task task; /* first: a task's address is its note's */
	char *log;
	char letter;
	unsigned again; /* so many times more */
	void (*how)(struct loop *loop, struct loop_task *task);
};

static void write_note(struct loop_task *task)
{
	struct note *note = (struct note *)task;

	assert_true(loop_is_mine(loop));
	while (*note->log)
		note->log++;
	*note->log = note->letter;
	if (note->again) {
		note->again--;
		note->how(loop, task);
	}
}

static struct note note(char *log, char letter)
{
	return (struct note){.task.run = write_note, .log = log, .letter = letter};
}

static void stop_task(struct loop_task *task)
{
	(void)task;
	loop_stop(loop);
}

static void stop_and_count(void *context)
{
	++*(unsigned *)context;
	loop_stop(loop);
}

static void count(void *context)
{
	++*(unsigned *)context;
}

/* --- tasks ------------------------------------------------------------------------------- */

static void posted_tasks_run_in_order(void **state)
{
	char log[16] = "";
	struct note a = note(log, 'a'), b = note(log, 'b'), c = note(log, 'c');
	struct loop_task stop = {.run = stop_task};

	(void)state;
	a.again = 2;
	a.how = loop_post;
	loop_post(loop, &a.task);
	loop_post(loop, &b.task);
	assert_string_equal(log, "");
	loop_run_once(loop, 1);
	assert_string_equal(log, "ab");
	loop_post(loop, &c.task);
	loop_run_once(loop, 1);
	assert_string_equal(log, "abac");
	loop_post(loop, &stop);
	loop_run(loop);
	assert_string_equal(log, "abaca");
}

static void deferred_tasks_run_at_the_end_of_the_turn(void **state)
{
	char log[16] = "";
	struct note a = note(log, 'a'), b = note(log, 'b'), p = note(log, 'p');
	uint64_t start = clock_monotonic_ms();

	(void)state;
	p.again = 1;
	p.how = loop_defer;
	a.again = 3;
	a.how = loop_defer;
	loop_post(loop, &p.task);
	loop_run_once(loop, 5); /* `p` is posted, runs, and runs again when its turn ends */
	assert_string_equal(log, "pp");
	loop_defer(loop, &a.task);
	loop_defer(loop, &b.task);
	while (a.again)
		loop_run_once(loop, 5);
	assert_string_equal(log, "ppabaaa");
	assert_true(clock_monotonic_ms() - start < 4000);
}

struct stopper {
	struct loop_task task;
	unsigned left;
};

static void defer_till_done(struct loop_task *task)
{
	struct stopper *stopper = (struct stopper *)task;

	if (stopper->left--)
		loop_defer(loop, task);
	else
		loop_stop(loop);
}

static void the_loop_does_not_wait_for_deferred_tasks(void **state)
{
	struct stopper stopper = {{.run = defer_till_done}, 1000};
	uint64_t start = clock_monotonic_ms();

	(void)state;
	loop_defer(loop, &stopper.task);
	loop_run(loop);
	assert_int_equal(stopper.left, UINT32_MAX);
	assert_true(clock_monotonic_ms() - start < 4000);
}

static void what_is_left_runs_when_the_loop_is_freed(void **state)
{
	char log[16] = "";
	struct note a = note(log, 'a'), b = note(log, 'b');

	(void)state;
	a.again = 1;
	a.how = loop_defer;
	b.again = 1;
	b.how = loop_post;
	loop_defer(loop, &b.task);
	loop_post(loop, &a.task);
	loop_free(loop);
	assert_string_equal(log, "abab");
	loop = loop_new(NULL);
	assert_non_null(loop);
	loop_free(NULL);
}

/* --- threads ----------------------------------------------------------------------------- */

#define THREADS 4
#define POSTS 20000

struct post {
	struct loop_task task;
	unsigned thread, number;
};

static unsigned next_number[THREADS], done;

static void check_order(struct loop_task *task)
{
	struct post *post = (struct post *)task;

	assert_true(loop_is_mine(loop));
	assert_int_equal(post->number, next_number[post->thread]);
	next_number[post->thread]++;
	free(post);
	if (++done == THREADS * POSTS)
		loop_stop(loop);
}

static void *post_many(void *context)
{
	for (unsigned i = 0; i < POSTS; i++) {
		struct post *post = calloc(1, sizeof(*post));

		if (!post)
			abort();
		*post = (struct post){{.run = check_order}, (unsigned)(uintptr_t)context, i};
		loop_post(loop, &post->task);
	}
	return NULL;
}

static void four_threads_post(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, (void *)i), 0);
	loop_run(loop);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(done, THREADS * POSTS);
}

static void *ask_whose(void *context)
{
	*(bool *)context = loop_is_mine(loop);
	return NULL;
}

static bool whose_elsewhere(void)
{
	bool mine;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, ask_whose, &mine), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return mine;
}

static void ask_while_running(void *context)
{
	assert_true(loop_is_mine(loop));
	*(bool *)context = whose_elsewhere();
	loop_stop(loop);
}

static void the_running_thread_owns_it(void **state)
{
	bool elsewhere = true;
	struct loop_timer *timer = loop_timer_new(loop, ask_while_running, &elsewhere);

	(void)state;
	assert_true(loop_is_mine(loop));
	assert_true(whose_elsewhere());
	loop_timer_start(timer, 0, 0);
	loop_run(loop);
	assert_false(elsewhere);
	assert_true(whose_elsewhere());
	loop_timer_free(timer);
}

/* --- timers, signals, stopping ----------------------------------------------------------- */

static void timers_fire(void **state)
{
	unsigned fired = 0, ticks = 0, never = 0;
	struct loop_timer *once = loop_timer_new(loop, stop_and_count, &fired);
	struct loop_timer *repeated = loop_timer_new(loop, count, &ticks);
	struct loop_timer *stopped = loop_timer_new(loop, count, &never);
	uint64_t start = clock_monotonic_ms(), took;

	(void)state;
	loop_timer_start(stopped, 0.01, 0.01);
	loop_timer_start(repeated, 0.02, 0.02);
	loop_timer_start(once, 0.01, 0);
	loop_timer_start(once, 0.15, 0); /* anew */
	loop_timer_stop(stopped);
	loop_run(loop);
	took = clock_monotonic_ms() - start;
	assert_int_equal(fired, 1);
	assert_int_equal(never, 0);
	assert_in_range(ticks, 2, 7);
	assert_in_range(took, 149, 4000);
	loop_timer_stop(repeated);
	loop_run_once(loop, 0.05);
	assert_int_equal(fired, 1);
	loop_timer_free(once);
	loop_timer_free(repeated);
	loop_timer_free(stopped);
	loop_timer_free(NULL);
}

/* However long ago the loop last looked at the clock. */
static void timers_count_from_their_start(void **state)
{
	unsigned fired = 0;
	struct loop_timer *timer = loop_timer_new(loop, count, &fired);

	(void)state;
	usleep(120000);
	loop_timer_start(timer, 0.1, 0);
	loop_run_once(loop, 0.02);
	assert_int_equal(fired, 0);
	loop_run_once(loop, 2);
	assert_int_equal(fired, 1);
	loop_timer_free(timer);
}

static struct loop_timer *own;

static void free_own(void *context)
{
	loop_timer_free(own);
	count(context);
}

static void a_timer_may_free_itself(void **state)
{
	unsigned fired = 0;

	(void)state;
	own = loop_timer_new(loop, free_own, &fired);
	loop_timer_start(own, 0, 0.001);
	loop_run_once(loop, 1);
	loop_run_once(loop, 0.02);
	assert_int_equal(fired, 1);
}

static void on_signal(void *context, int signum)
{
	*(int *)context = signum;
	loop_stop(loop);
}

static void signals_arrive(void **state)
{
	int seen = 0;
	struct loop_signal *sig = loop_signal_new(loop, SIGUSR1, on_signal, &seen);

	(void)state;
	kill(getpid(), SIGUSR1);
	loop_run(loop);
	assert_int_equal(seen, SIGUSR1);
	loop_signal_free(sig);
	loop_signal_free(NULL);
}

static void a_closed_pipe_is_no_signal(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(write(fds[1], "x", 1), -1);
	close(fds[1]);
}

static void stop_holds_for_the_next_run(void **state)
{
	unsigned fired = 0;
	struct loop_timer *timer = loop_timer_new(loop, stop_and_count, &fired);

	(void)state;
	loop_stop(loop);
	loop_run(loop);
	loop_timer_start(timer, 0.01, 0);
	loop_run(loop);
	assert_int_equal(fired, 1);
	loop_timer_free(timer);
}

static void run_once_waits_as_long_as_told(void **state)
{
	uint64_t start = clock_monotonic_ms();

	(void)state;
	loop_run_once(loop, 0);
	assert_true(clock_monotonic_ms() - start < 90);
	loop_run_once(loop, 0.1);
	assert_in_range(clock_monotonic_ms() - start, 99, 4000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(posted_tasks_run_in_order),
		TEST(deferred_tasks_run_at_the_end_of_the_turn),
		TEST(the_loop_does_not_wait_for_deferred_tasks),
		TEST(what_is_left_runs_when_the_loop_is_freed),
		TEST(four_threads_post),
		TEST(the_running_thread_owns_it),
		TEST(timers_fire),
		TEST(timers_count_from_their_start),
		TEST(a_timer_may_free_itself),
		TEST(signals_arrive),
		TEST(a_closed_pipe_is_no_signal),
		TEST(stop_holds_for_the_next_run),
		TEST(run_once_waits_as_long_as_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
