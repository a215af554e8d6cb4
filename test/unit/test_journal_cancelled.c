/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal knows of requests that were cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/journal_file.h"
#include "test/unit/journal_scene.h"

static void assert_found(const struct found *f, size_t i, const char *sn, enum journal_state state,
                         const char *text)
{
	assert_true(i < f->count);
	assert_string_equal(f->all[i].sn, sn);
	assert_int_equal(f->all[i].state, state);
	assert_string_equal(f->all[i].text, text);
	assert_int_equal(f->all[i].kind, 2);
}

static void it_is_replayed_with_its_request(void **state)
{
	struct journal_entry *waits, *runs, *quick;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	waits = scene_store(&s, "waits");
	runs = scene_store(&s, "runs");
	assert_int_equal(scene_enter(&s, "quick", false, BODY, NULL, &quick), GOFER_OK);
	journal_started(s.journal, runs);
	scene_settle(&s);
	journal_cancelled(s.journal, waits);
	journal_cancelled(s.journal, runs);
	journal_cancelled(s.journal, quick);
	scene_settle(&s);
	for (int i = 0; i < 3; i++) {
		scene_crash(&s);
		scene_replay(&s, &f, false);
		assert_int_equal(f.count, 3);
		assert_found(&f, 0, "waits", JOURNAL_CANCELLED, BODY);
		assert_found(&f, 1, "runs", JOURNAL_CANCELLED, BODY);
		assert_found(&f, 2, "quick", JOURNAL_CANCELLED, BODY);
		assert_true(f.all[0].durable && !f.all[2].durable);
	}
	scene_replay(&s, &f, true);
	scene_settle(&s);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 0);
	scene_release(&s);
}

/* One that was never written before is written as what it is: in one record. */
static void cancelled_at_once_it_is_one_record(void **state)
{
	struct journal_entry *entry;
	struct journal_stats stats;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	journal_free(s.journal);
	scene_open(&s);
	assert_int_equal(scene_enter(&s, "quick", false, BODY, NULL, &entry), GOFER_OK);
	journal_cancelled(s.journal, entry);
	journal_free(s.journal);
	scene_open(&s);
	journal_stats(s.journal, &stats);
	assert_in_range(stats.file_bytes, JOURNAL_FILE_HEAD + JOURNAL_FILE_RECORD,
	                JOURNAL_FILE_HEAD + 2 * JOURNAL_FILE_RECORD + strlen(BODY) + 40);
	scene_replay(&s, &f, false);
	assert_found(&f, 0, "quick", JOURNAL_CANCELLED, BODY);
	scene_release(&s);
}

/* What tells that it has begun may be late; cancelled twice is cancelled. */
static void it_never_goes_back(void **state)
{
	struct journal_entry *entry, *ended;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	entry = scene_store(&s, "late");
	ended = scene_store(&s, "ended");
	scene_store_result(&s, ended, "{\"result\": 1}");
	journal_cancelled(s.journal, entry);
	journal_started(s.journal, entry);
	journal_cancelled(s.journal, ended);
	scene_settle(&s);
	journal_started(s.journal, entry);
	journal_cancelled(s.journal, entry);
	journal_cancelled(s.journal, ended);
	scene_settle(&s);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 2);
	assert_found(&f, 0, "late", JOURNAL_CANCELLED, BODY);
	assert_found(&f, 1, "ended", JOURNAL_RESULT, "{\"result\": 1}");
	scene_release(&s);
}

static void its_result_may_follow_and_its_end(void **state)
{
	struct journal_entry *told, *quick, *gone;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	told = scene_store(&s, "told");
	gone = scene_store(&s, "gone");
	assert_int_equal(scene_enter(&s, "quick", false, BODY, NULL, &quick), GOFER_OK);
	journal_cancelled(s.journal, told);
	journal_cancelled(s.journal, gone);
	journal_cancelled(s.journal, quick);
	scene_settle(&s);
	scene_store_result(&s, told, "{\"x\": \"Cancelled\"}");
	assert_int_equal(journal_result(s.journal, quick, (struct slice){"{}", 2}, NULL), GOFER_OK);
	journal_done(s.journal, gone);
	scene_settle(&s);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 2);
	assert_found(&f, 0, "told", JOURNAL_RESULT, "{\"x\": \"Cancelled\"}");
	assert_found(&f, 1, "quick", JOURNAL_RESULT, "{}");
	scene_replay(&s, &f, true);
	assert_int_equal(journal_count(s.journal), 0);
	scene_release(&s);
}

/* Whether the thread has it in its hands already or not. */
static void cancelled_while_it_is_being_accepted(void **state)
{
	enum { COUNT = 200 };
	struct waiter w[COUNT];
	struct journal_stats stats;
	unsigned order = 0;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	for (unsigned i = 0; i < COUNT; i++) {
		w[i] = (struct waiter){.wait.stored = scene_on_stored, .order = &order};
		assert_int_equal(scene_enter(&s, "n", true, BODY, &w[i].wait, &w[i].entry),
		                 GOFER_OK);
		journal_cancelled(s.journal, w[i].entry);
		if (i % 3 == 0)
			usleep(200);
	}
	scene_wait_until(&s, &order, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(w[i].place, i + 1);
		assert_int_equal(w[i].result, GOFER_OK);
	}
	journal_stats(s.journal, &stats);
	assert_true(stats.syncs > 0);
	scene_settle(&s);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		assert_found(&f, i, "n", JOURNAL_CANCELLED, BODY);
	scene_release(&s);
}

/* Cancelled or not, who is told that it is stored may rely on it. */
static void what_is_stored_is_synced_all_the_same(void **state)
{
	struct journal_stats before, after;
	struct scene s;

	(void)state;
	scene_init(&s);
	for (int i = 0; i < 50; i++) {
		unsigned order = 0;
		struct waiter w = {.wait.stored = scene_on_stored, .order = &order};

		journal_stats(s.journal, &before);
		assert_int_equal(scene_enter(&s, "n", true, BODY, &w.wait, &w.entry), GOFER_OK);
		journal_cancelled(s.journal, w.entry);
		scene_wait_until(&s, &order, 1);
		journal_stats(s.journal, &after);
		assert_true(after.syncs > before.syncs);
	}
	scene_release(&s);
}

/* Until who waits was told that it is refused, the entry may be named. */
static void cancelled_while_it_is_being_refused(void **state)
{
	struct waiter w[20];
	unsigned order = 0;
	struct scene s;

	(void)state;
	scene_init(&s);
	scene_set_limit(10);
	for (unsigned i = 0; i < 20; i++) {
		w[i] = (struct waiter){.wait.stored = scene_on_stored, .order = &order};
		assert_int_equal(scene_enter(&s, "n", true, BODY, &w[i].wait, &w[i].entry),
		                 GOFER_OK);
		if (i % 2)
			scene_settle(&s);
		journal_cancelled(s.journal, w[i].entry);
	}
	scene_settle(&s);
	for (unsigned i = 0; i < 20; i++)
		journal_cancelled(s.journal, w[i].entry);
	scene_wait_until(&s, &order, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(w[i].result, GOFER_FULL);
	assert_int_equal(journal_count(s.journal), 0);
	scene_set_limit(RLIM_INFINITY);
	scene_release(&s);
}

/* What is not written yet when its result is refused is, once something can be written again. */
static void refused_its_result_it_stays_cancelled(void **state)
{
	struct journal_entry *placed, *quick;
	struct journal_stats stats;
	struct waiter w[2];
	unsigned order = 0;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	placed = scene_store(&s, "placed");
	assert_int_equal(scene_enter(&s, "quick", false, BODY, NULL, &quick), GOFER_OK);
	scene_set_limit(10);
	journal_cancelled(s.journal, placed);
	journal_cancelled(s.journal, quick);
	for (int i = 0; i < 2; i++) {
		w[i] = (struct waiter){.wait.stored = scene_on_stored, .order = &order};
		assert_int_equal(journal_result(s.journal, i ? quick : placed,
		                                (struct slice){"{}", 2}, &w[i].wait),
		                 GOFER_OK);
	}
	scene_wait_until(&s, &order, 2);
	assert_true(w[0].result == GOFER_FULL && w[1].result == GOFER_FULL);
	journal_stats(s.journal, &stats);
	assert_int_equal(stats.bytes, strlen(BODY));
	scene_set_limit(RLIM_INFINITY);
	scene_store(&s, "later");
	scene_settle(&s);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 3);
	assert_found(&f, 0, "placed", JOURNAL_CANCELLED, BODY);
	assert_found(&f, 1, "quick", JOURNAL_CANCELLED, BODY);
	assert_found(&f, 2, "later", JOURNAL_ACCEPTED, BODY);
	scene_release(&s);
}

/* Many long ones that come and go push the few that stay from segment to segment. */
static void it_is_moved_as_what_it_is(void **state)
{
	enum { COUNT = 2400, SIZE = 16384 };
	struct journal_entry *entry, *kept[3];
	char *body = malloc(SIZE + 1);
	struct journal_stats stats;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	memset(body, 'b', SIZE);
	body[SIZE] = '\0';
	for (int i = 0; i < 3; i++)
		kept[i] = scene_store(&s, "kept");
	journal_started(s.journal, kept[0]);
	journal_cancelled(s.journal, kept[1]);
	scene_settle(&s);
	for (unsigned i = 0; i < COUNT; i++) {
		unsigned order = 0;
		struct waiter w = {.wait.stored = scene_on_stored, .order = &order};

		assert_int_equal(scene_enter(&s, "n", false, body, &w.wait, &entry), GOFER_OK);
		scene_wait_until(&s, &order, 1);
		journal_done(s.journal, entry);
	}
	journal_cancelled(s.journal, kept[2]);
	scene_settle(&s);
	journal_stats(s.journal, &stats);
	assert_in_range(stats.file_bytes, 1, 4 * 8 << 20); /* and not all that was written */
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 3);
	assert_found(&f, 0, "kept", JOURNAL_STARTED, BODY);
	assert_found(&f, 1, "kept", JOURNAL_CANCELLED, BODY);
	assert_found(&f, 2, "kept", JOURNAL_CANCELLED, BODY);
	free(body);
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_replayed_with_its_request),
		cmocka_unit_test(cancelled_at_once_it_is_one_record),
		cmocka_unit_test(it_never_goes_back),
		cmocka_unit_test(its_result_may_follow_and_its_end),
		cmocka_unit_test(cancelled_while_it_is_being_accepted),
		cmocka_unit_test(what_is_stored_is_synced_all_the_same),
		cmocka_unit_test(cancelled_while_it_is_being_refused),
		cmocka_unit_test(refused_its_result_it_stays_cancelled),
		cmocka_unit_test(it_is_moved_as_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
