/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tracker.h"

static uint64_t time_ms;

static uint64_t set_time(void)
{
	return time_ms;
}

static struct tracker *made(struct tracker_options options)
{
	struct tracker *t;

	options.now_ms = set_time;
	t = tracker_new(&options);
	assert_non_null(t);
	return t;
}

static void finish(struct tracker *t, const char *sn, const char *result)
{
	struct tracked *entry;

	assert_int_equal(tracker_add(t, "p", sn, &entry), TRACKER_NEW);
	tracker_finish_take(t, entry, result ? strdup(result) : NULL, result ? strlen(result) : 0);
}

static void finish_number(struct tracker *t, unsigned number)
{
	char sn[16];

	snprintf(sn, sizeof sn, "%u", number);
	finish(t, sn, sn);
}

/* Which leaves no trace. */
static enum tracker_state look(struct tracker *t, const char *sn)
{
	struct tracked *entry;
	enum tracker_state state = tracker_add(t, "p", sn, &entry);

	assert_int_equal(entry == NULL, state == TRACKER_ANSWERED);
	if (state == TRACKER_NEW)
		tracker_forget(t, entry);
	return state;
}

static enum tracker_state look_number(struct tracker *t, unsigned number)
{
	char sn[16];

	snprintf(sn, sizeof sn, "%u", number);
	return look(t, sn);
}

static void test_life_of_one(void **state)
{
	struct tracker *t = tracker_new(&(struct tracker_options){0});
	struct tracked *entry, *same;
	size_t size = 1;
	int me;

	(void)state;
	assert_null(tracker_find(t, "p", "a"));
	assert_int_equal(tracker_add(t, "p", "a", &entry), TRACKER_NEW);
	assert_string_equal(tracked_sn(entry), "a");
	assert_null(tracked_owner(entry));
	assert_null(tracked_result(entry, &size));
	assert_int_equal(size, 0);
	tracked_own(entry, &me);
	assert_int_equal(tracker_add(t, "p", "a", &same), TRACKER_PENDING);
	assert_ptr_equal(same, entry);
	assert_ptr_equal(tracked_owner(same), &me);
	assert_ptr_equal(tracker_find(t, "p", "a"), entry);
	assert_int_equal(tracker_pending(t), 1);
	assert_int_equal(tracker_finished(t), 0);

	tracker_finish_take(t, entry, strdup("result"), 6);
	assert_int_equal(tracker_pending(t), 0);
	assert_int_equal(tracker_finished(t), 1);
	assert_int_equal(tracker_add(t, "p", "a", &same), TRACKER_FINISHED);
	assert_null(tracked_owner(same));
	assert_string_equal(tracked_result(same, &size), "result");
	assert_int_equal(size, 6);
	assert_ptr_equal(tracker_find(t, "p", "a"), same);
	tracker_free(t);
}

static void test_one_sn_of_two_plugins(void **state)
{
	struct tracker *t = made((struct tracker_options){0});
	struct tracked *p, *q, *entry;

	(void)state;
	assert_int_equal(tracker_add(t, "p", "a", &p), TRACKER_NEW);
	assert_int_equal(tracker_add(t, "q", "a", &q), TRACKER_NEW);
	assert_int_equal(tracker_add(t, "", "pa", &entry), TRACKER_NEW);
	assert_int_equal(tracker_add(t, "pa", "", &entry), TRACKER_NEW);
	assert_ptr_equal(tracker_find(t, "p", "a"), p);
	assert_ptr_equal(tracker_find(t, "q", "a"), q);
	tracker_finish_take(t, p, strdup("of p"), 4);
	tracker_finish_take(t, q, NULL, 0);
	assert_int_equal(tracker_add(t, "p", "a", &entry), TRACKER_FINISHED);
	assert_int_equal(tracker_add(t, "q", "a", &entry), TRACKER_ANSWERED);
	assert_int_equal(tracker_add(t, "", "pa", &entry), TRACKER_PENDING);
	tracker_free(t);
}

static void test_forgotten_is_new_again(void **state)
{
	struct tracker *t = made((struct tracker_options){0});
	struct tracked *entry;

	(void)state;
	assert_int_equal(tracker_add(t, "p", "a", &entry), TRACKER_NEW);
	tracker_forget(t, entry);
	assert_int_equal(tracker_pending(t), 0);
	assert_int_equal(tracker_add(t, "p", "a", &entry), TRACKER_NEW);
	tracker_free(t);
	tracker_free(NULL);
}

static void test_bounded_by_number(void **state)
{
	struct tracker *t = made((struct tracker_options){.finished_max = 3});

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		finish_number(t, i);
		assert_int_equal(look_number(t, i), TRACKER_FINISHED);
	}
	assert_int_equal(tracker_finished(t), 3);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(look_number(t, i), i < 2 ? TRACKER_NEW : TRACKER_FINISHED);
	tracker_free(t);
}

/* One that is told nothing knows 10 000 for an hour, 1000 of them with their results. */
static void test_bounds_of_its_own(void **state)
{
	struct tracker *t = made((struct tracker_options){0});

	(void)state;
	time_ms = 0;
	for (unsigned i = 0; i < 10500; i++)
		finish_number(t, i);
	assert_int_equal(tracker_finished(t), 10000);
	for (unsigned i = 0; i < 10500; i++)
		assert_int_equal(look_number(t, i),
		                 i < 500            ? TRACKER_NEW
		                         : i < 9500 ? TRACKER_ANSWERED
		                                    : TRACKER_FINISHED);
	time_ms = 3600000;
	assert_int_equal(look_number(t, 9499), TRACKER_ANSWERED);
	assert_int_equal(look_number(t, 9500), TRACKER_FINISHED);
	time_ms++;
	assert_int_equal(look_number(t, 9499), TRACKER_NEW);
	assert_int_equal(look_number(t, 9500), TRACKER_NEW);
	assert_int_equal(tracker_finished(t), 0);
	tracker_free(t);
}

/* Pending ones are never forgotten, however many there are, and however long they take. */
static void test_pending_is_not_bounded(void **state)
{
	struct tracker *t = made((struct tracker_options){.finished_max = 1});
	struct tracked *entry;

	(void)state;
	time_ms = 0;
	for (int i = 0; i < 5000; i++) {
		char sn[16];
		snprintf(sn, sizeof sn, "%d", i);
		assert_int_equal(tracker_add(t, "p", sn, &entry), TRACKER_NEW);
	}
	time_ms = (uint64_t)1 << 40;
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(look_number(t, i), TRACKER_PENDING);
	assert_int_equal(tracker_pending(t), 5000);
	tracker_free(t);
}

static void test_bounded_by_bytes(void **state)
{
	struct tracker *t = made((struct tracker_options){.bytes_max = 100});
	char text[64];

	(void)state;
	memset(text, 'x', sizeof text);
	text[25] = '\0';
	for (int i = 0; i < 5; i++) {
		char sn[4] = {(char)('a' + i)};
		finish(t, sn, text);
	}
	assert_int_equal(look(t, "a"), TRACKER_ANSWERED);
	assert_int_equal(look(t, "b"), TRACKER_FINISHED);
	/* Too large to be kept, and no reason to let go of the others; so is none. */
	text[25] = 'x';
	text[26] = '\0';
	finish(t, "large", text);
	finish(t, "none", NULL);
	finish(t, "empty", "");
	assert_int_equal(tracker_finished(t), 8);
	assert_int_equal(look(t, "large"), TRACKER_ANSWERED);
	assert_int_equal(look(t, "none"), TRACKER_ANSWERED);
	assert_int_equal(look(t, "empty"), TRACKER_ANSWERED);
	assert_null(tracker_find(t, "p", "none"));
	assert_int_equal(look(t, "b"), TRACKER_FINISHED);
	finish(t, "x", "x");
	assert_int_equal(look(t, "b"), TRACKER_ANSWERED);
	assert_int_equal(look(t, "c"), TRACKER_FINISHED);
	tracker_free(t);
}

static void test_bounded_by_age(void **state)
{
	struct tracker *t = made((struct tracker_options){.age_s = 0.05});

	(void)state;
	time_ms = 1000;
	finish(t, "old", "r");
	finish(t, "none", NULL);
	time_ms = 1050;
	assert_non_null(tracker_find(t, "p", "old"));
	assert_int_equal(look(t, "old"), TRACKER_FINISHED);
	assert_int_equal(look(t, "none"), TRACKER_ANSWERED);
	time_ms = 1051;
	assert_null(tracker_find(t, "p", "old"));
	assert_int_equal(look(t, "old"), TRACKER_NEW);
	assert_int_equal(look(t, "none"), TRACKER_NEW);
	finish(t, "old", "r");
	assert_int_equal(look(t, "old"), TRACKER_FINISHED);
	tracker_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_one),
		cmocka_unit_test(test_one_sn_of_two_plugins),
		cmocka_unit_test(test_forgotten_is_new_again),
		cmocka_unit_test(test_bounded_by_number),
		cmocka_unit_test(test_bounds_of_its_own),
		cmocka_unit_test(test_pending_is_not_bounded),
		cmocka_unit_test(test_bounded_by_bytes),
		cmocka_unit_test(test_bounded_by_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
