/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/tracker.h"

static void finish(struct tracker *t, const char *sn, const char *result)
{
	struct tracked *entry;

	assert_int_equal(tracker_add(t, sn, &entry), TRACKER_NEW);
	tracker_finish_take(t, entry, result ? strdup(result) : NULL, result ? strlen(result) : 0);
}

static void test_life_of_one(void **state)
{
	struct tracker *t = tracker_new(&(struct tracker_options){0});
	struct tracked *entry, *same;
	size_t size;
	int me;

	(void)state;
	assert_null(tracker_find(t, "a"));
	assert_int_equal(tracker_add(t, "a", &entry), TRACKER_NEW);
	assert_string_equal(tracked_sn(entry), "a");
	assert_null(tracked_owner(entry));
	tracked_own(entry, &me);
	assert_int_equal(tracker_add(t, "a", &same), TRACKER_PENDING);
	assert_ptr_equal(same, entry);
	assert_ptr_equal(tracked_owner(same), &me);
	assert_int_equal(tracker_pending(t), 1);

	tracker_finish_take(t, entry, strdup("result"), 6);
	assert_int_equal(tracker_pending(t), 0);
	assert_int_equal(tracker_finished(t), 1);
	assert_int_equal(tracker_add(t, "a", &same), TRACKER_FINISHED);
	assert_null(tracked_owner(same));
	assert_string_equal(tracked_result(same, &size), "result");
	assert_int_equal(size, 6);
	assert_ptr_equal(tracker_find(t, "a"), same);
	tracker_free(t);
}

static void test_forgotten_is_new_again(void **state)
{
	struct tracker *t = tracker_new(&(struct tracker_options){0});
	struct tracked *entry;

	(void)state;
	assert_int_equal(tracker_add(t, "a", &entry), TRACKER_NEW);
	tracker_forget(t, entry);
	assert_int_equal(tracker_pending(t), 0);
	assert_int_equal(tracker_add(t, "a", &entry), TRACKER_NEW);
	tracker_free(t);
	tracker_free(NULL);
}

static void test_bounded_by_number(void **state)
{
	struct tracker *t = tracker_new(&(struct tracker_options){.finished_max = 3});
	struct tracked *entry;
	char sn[16];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(sn, sizeof sn, "%d", i);
		finish(t, sn, "r");
		/* What is used stays. */
		if (i >= 1)
			assert_int_equal(tracker_add(t, "1", &entry), TRACKER_FINISHED);
	}
	assert_int_equal(tracker_finished(t), 3);
	assert_null(tracker_find(t, "0"));
	assert_null(tracker_find(t, "2"));
	assert_non_null(tracker_find(t, "1"));
	assert_non_null(tracker_find(t, "3"));
	assert_non_null(tracker_find(t, "4"));
	tracker_free(t);
}

/* Pending ones are never forgotten, however many there are. */
static void test_pending_is_not_bounded(void **state)
{
	struct tracker *t = tracker_new(&(struct tracker_options){.finished_max = 1});
	struct tracked *entry;
	char sn[16];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(sn, sizeof sn, "%d", i);
		assert_int_equal(tracker_add(t, sn, &entry), TRACKER_NEW);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(sn, sizeof sn, "%d", i);
		assert_int_equal(tracker_add(t, sn, &entry), TRACKER_PENDING);
	}
	assert_int_equal(tracker_pending(t), 5000);
	tracker_free(t);
}

static void test_bounded_by_bytes(void **state)
{
	struct tracker *t = tracker_new(&(struct tracker_options){.bytes_max = 100});
	struct tracked *entry;
	char text[64];
	size_t size;

	(void)state;
	memset(text, 'x', sizeof text);
	text[25] = '\0';
	for (int i = 0; i < 5; i++) {
		char sn[4] = {(char)('a' + i)};
		finish(t, sn, text);
	}
	assert_null(tracker_find(t, "a"));
	assert_int_equal(tracker_finished(t), 4);
	/* Too large to be kept, and no reason to forget the others. */
	text[25] = 'x';
	text[26] = '\0';
	finish(t, "large", text);
	assert_int_equal(tracker_finished(t), 5);
	assert_int_equal(tracker_add(t, "large", &entry), TRACKER_FINISHED);
	assert_null(tracked_result(entry, &size));
	assert_int_equal(size, 0);
	finish(t, "none", NULL);
	assert_int_equal(tracker_add(t, "none", &entry), TRACKER_FINISHED);
	assert_null(tracked_result(entry, &size));
	tracker_free(t);
}

static void test_bounded_by_age(void **state)
{
	struct tracker *t = tracker_new(&(struct tracker_options){.age_s = 0.05});
	struct tracked *entry;

	(void)state;
	finish(t, "old", "r");
	assert_non_null(tracker_find(t, "old"));
	usleep(70000);
	assert_null(tracker_find(t, "old"));
	assert_int_equal(tracker_add(t, "old", &entry), TRACKER_NEW);
	tracker_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_one),
		cmocka_unit_test(test_forgotten_is_new_again),
		cmocka_unit_test(test_bounded_by_number),
		cmocka_unit_test(test_pending_is_not_bounded),
		cmocka_unit_test(test_bounded_by_bytes),
		cmocka_unit_test(test_bounded_by_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
