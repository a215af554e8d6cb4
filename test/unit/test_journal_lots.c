/* SPDX-License-Identifier: Apache-2.0 */
/* How what gathers in a journal is written: in which order, how much of it fails, and what stands behind it. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/journal_private.h"
#include "test/unit/journal_scene.h"

#define RESULT ((struct slice){"{\"result\": 1}", 13})

/* While it is held, its thread takes nothing up. */
static void hold(struct scene *s, bool held)
{
	pthread_mutex_lock(&s->journal->lock);
	s->journal->paused = held;
	pthread_cond_signal(&s->journal->wake);
	pthread_mutex_unlock(&s->journal->lock);
}

static void waiters_init(struct waiter *w, size_t count, unsigned *order)
{
	for (size_t i = 0; i < count; i++)
		w[i] = (struct waiter){.wait.stored = scene_on_stored, .order = order};
}

static void a_result_does_not_wait_for_the_disk(void **state)
{
	struct journal_entry *first, *second;
	struct waiter w[4];
	unsigned order = 0;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	first = scene_store(&s, "first");
	second = scene_store(&s, "second");
	waiters_init(w, 4, &order);
	hold(&s, true);
	assert_int_equal(scene_enter(&s, "third", true, BODY, &w[0].wait, &w[0].entry), GOFER_OK);
	assert_int_equal(journal_result(s.journal, first, RESULT, &w[1].wait), GOFER_OK);
	assert_int_equal(scene_enter(&s, "fourth", true, BODY, &w[2].wait, &w[2].entry), GOFER_OK);
	assert_int_equal(journal_result(s.journal, second, RESULT, &w[3].wait), GOFER_OK);
	hold(&s, false);
	scene_wait_until(&s, &order, 4);
	assert_true(w[1].place == 1 && w[3].place == 2); /* the results, in their order */
	assert_true(w[0].place == 3 && w[2].place == 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(w[i].result, GOFER_OK);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(f.all[i].state, i < 2 ? JOURNAL_RESULT : JOURNAL_ACCEPTED);
	scene_release(&s);
}

/* What was told as written stays so where the rest fails. */
static void a_request_that_does_not_fit_takes_no_result_with_it(void **state)
{
	static char body[100000];
	struct journal_stats stats;
	struct journal_entry *first;
	struct waiter w[2];
	unsigned order = 0;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	memset(body, 'b', sizeof body - 1);
	first = scene_store(&s, "first");
	journal_stats(s.journal, &stats);
	waiters_init(w, 2, &order);
	hold(&s, true);
	assert_int_equal(scene_enter(&s, "long", true, body, &w[0].wait, &w[0].entry), GOFER_OK);
	assert_int_equal(journal_result(s.journal, first, RESULT, &w[1].wait), GOFER_OK);
	scene_set_limit(stats.file_bytes + 1000);
	hold(&s, false);
	scene_wait_until(&s, &order, 2);
	scene_set_limit(RLIM_INFINITY);
	assert_int_equal(w[1].result, GOFER_OK);
	assert_int_equal(w[0].result, GOFER_FULL);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 1);
	assert_int_equal(f.all[0].state, JOURNAL_RESULT);
	scene_release(&s);
}

/* --- zeros ----------------------------------------------------------------------------- */

/* Of the segments. */
static size_t bytes_on_disk(const struct scene *s)
{
	struct dirent *one;
	DIR *dir = opendir(s->path);
	size_t sum = 0;
	struct stat st;

	assert_non_null(dir);
	while ((one = readdir(dir)))
		if (strncmp(one->d_name, "journal.", 8) == 0 &&
		    fstatat(dirfd(dir), one->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			sum += (size_t)st.st_size;
	closedir(dir);
	return sum;
}

static void zeros_stand_behind_what_is_synced_while_it_is_open(void **state)
{
	struct journal_stats stats;
	struct found f;
	struct scene s;
	size_t longest;

	(void)state;
	scene_init(&s);
	scene_store(&s, "one");
	journal_stats(s.journal, &stats);
	longest = bytes_on_disk(&s);
	assert_in_range(longest, stats.file_bytes + 4096, stats.file_bytes + (256 << 10));
	for (int i = 0; i < 20; i++)
		scene_store(&s, "more");
	assert_int_equal(bytes_on_disk(&s), longest); /* there was room enough */
	scene_crash(&s);
	journal_stats(s.journal, &stats);
	assert_int_equal(stats.damaged, 0);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 21);
	assert_int_equal(bytes_on_disk(&s), stats.file_bytes); /* cut, as after a crash */
	scene_store(&s, "last");
	journal_stats(s.journal, &stats);
	assert_true(bytes_on_disk(&s) > stats.file_bytes);
	journal_free(s.journal);
	assert_int_equal(bytes_on_disk(&s), stats.file_bytes);
	scene_open(&s);
	scene_release(&s);
}

static void what_nobody_syncs_has_no_zeros(void **state)
{
	struct journal_entry *entry;
	struct journal_stats stats;
	struct scene s;

	(void)state;
	scene_init(&s);
	assert_int_equal(scene_enter(&s, "n", false, BODY, NULL, &entry), GOFER_OK);
	scene_settle(&s);
	journal_stats(s.journal, &stats);
	assert_int_equal(stats.records, 1);
	assert_int_equal(bytes_on_disk(&s), stats.file_bytes);
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_result_does_not_wait_for_the_disk),
		cmocka_unit_test(a_request_that_does_not_fit_takes_no_result_with_it),
		cmocka_unit_test(zeros_stand_behind_what_is_synced_while_it_is_open),
		cmocka_unit_test(what_nobody_syncs_has_no_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
