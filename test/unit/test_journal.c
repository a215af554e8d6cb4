/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/journal.h"

static unsigned notified;

static void notify(void *context)
{
	(void)context;
	notified++;
}

static struct journal *new_journal(size_t entries_max, size_t bytes_max)
{
	struct error error = ERROR_NONE;
	struct journal *j = journal_new(&(struct journal_options){.entries_max = entries_max,
	                                                          .bytes_max = bytes_max,
	                                                          .notify = notify},
	                                &error);

	notified = 0;
	assert_non_null(j);
	return j;
}

static struct journal_request request_of(const char *sn, const char *body)
{
	return (struct journal_request){
		.plugin = "demo",
		.sn = sn,
		.body_kind = 2,
		.durable = true,
		.body = {body, strlen(body)},
	};
}

struct waiter {
	struct journal_wait wait;
	int stored, order;
};

static int order;

static void on_stored(struct journal_wait *wait, enum gofer_err result)
{
	struct waiter *w = (struct waiter *)wait;

	assert_int_equal(result, GOFER_OK);
	w->stored++;
	w->order = ++order;
}

static void test_stored_is_told_later_and_in_order(void **state)
{
	struct journal *j = new_journal(0, 0);
	struct waiter a = {.wait.stored = on_stored}, b = {.wait.stored = on_stored};
	struct journal_request request = request_of("s", "body");
	struct journal_entry *entry;

	(void)state;
	order = 0;
	assert_int_equal(journal_accept(j, &request, &a.wait, &entry), GOFER_OK);
	assert_int_equal(journal_accept(j, &request, NULL, &entry), GOFER_OK);
	assert_int_equal(journal_accept(j, &request, &b.wait, &entry), GOFER_OK);
	assert_int_equal(a.stored, 0);
	assert_int_equal(notified, 1);
	journal_run(j);
	assert_int_equal(a.stored, 1);
	assert_int_equal(b.stored, 1);
	assert_true(a.order < b.order);
	journal_run(j);
	assert_int_equal(a.stored, 1);
	assert_int_equal(journal_accept(j, &request, &a.wait, &entry), GOFER_OK);
	assert_int_equal(notified, 2);
	journal_free(j);
	assert_int_equal(a.stored, 1);
	journal_free(NULL);
}

struct seen {
	size_t count;
	char sns[16];
	enum journal_state states[8];
};

static void on_record(void *context, struct journal_entry *entry,
                      const struct journal_record *record)
{
	struct seen *seen = context;

	assert_non_null(entry);
	seen->states[seen->count] = record->state;
	seen->sns[seen->count++] = record->request.sn[0];
	assert_string_equal(record->request.plugin, "demo");
	assert_int_equal(record->request.body_kind, 2);
	assert_true(record->request.durable);
	assert_memory_equal(record->request.body.data, "body", 4);
	if (record->state == JOURNAL_RESULT)
		assert_memory_equal(record->result.data, "second", 6);
}

static void test_states(void **state)
{
	struct journal *j = new_journal(0, 0);
	struct journal_entry *entries[4];
	struct seen seen = {0};
	char sn[2] = "a", body[] = "body";

	(void)state;
	for (size_t i = 0; i < 4; i++, sn[0]++) {
		struct journal_request request = request_of(sn, body);
		request.replyto = i == 1 ? "R" : NULL;
		assert_int_equal(journal_accept(j, &request, NULL, &entries[i]), GOFER_OK);
	}
	memset(body, '#', 4);
	journal_started(j, entries[1]);
	journal_started(j, entries[2]);
	assert_int_equal(journal_result(j, entries[2], (struct slice){"first", 5}), GOFER_OK);
	assert_int_equal(journal_result(j, entries[2], (struct slice){"second", 6}), GOFER_OK);
	journal_done(j, entries[3]);
	assert_int_equal(journal_count(j), 3);
	journal_replay(j, on_record, &seen);
	assert_string_equal(seen.sns, "abc");
	assert_int_equal(seen.states[0], JOURNAL_ACCEPTED);
	assert_int_equal(seen.states[1], JOURNAL_STARTED);
	assert_int_equal(seen.states[2], JOURNAL_RESULT);
	journal_done(j, entries[1]);
	journal_done(j, entries[0]);
	memset(&seen, 0, sizeof seen);
	journal_replay(j, on_record, &seen);
	assert_string_equal(seen.sns, "c");
	journal_free(j);
}

static void forget(void *context, struct journal_entry *entry, const struct journal_record *record)
{
	(void)record;
	journal_done(context, entry);
}

static void test_done_while_replaying(void **state)
{
	struct journal *j = new_journal(0, 0);
	struct journal_request request = request_of("s", "body");
	struct journal_entry *entry;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		journal_accept(j, &request, NULL, &entry);
	journal_replay(j, forget, j);
	assert_int_equal(journal_count(j), 0);
	journal_free(j);
}

static void test_bounds(void **state)
{
	struct journal *j = new_journal(2, 10);
	struct journal_request four = request_of("s", "body"),
			       eleven = request_of("t", "12345678901");
	struct journal_entry *a, *b, *c = NULL;
	struct waiter w = {.wait.stored = on_stored};

	(void)state;
	assert_int_equal(journal_accept(j, &eleven, &w.wait, &c), GOFER_FULL);
	assert_int_equal(notified, 0);
	assert_int_equal(journal_accept(j, &four, NULL, &a), GOFER_OK);
	assert_int_equal(journal_accept(j, &four, NULL, &b), GOFER_OK);
	assert_int_equal(journal_accept(j, &four, NULL, &c), GOFER_FULL);
	assert_null(c);
	assert_int_equal(journal_result(j, a, (struct slice){"123", 3}), GOFER_FULL);
	assert_int_equal(journal_result(j, a, (struct slice){"12", 2}), GOFER_OK);
	journal_done(j, a);
	assert_int_equal(journal_accept(j, &four, NULL, &c), GOFER_OK);
	journal_done(j, b);
	journal_done(j, c);
	assert_int_equal(journal_count(j), 0);
	journal_run(j);
	assert_int_equal(w.stored, 0);
	journal_free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stored_is_told_later_and_in_order),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_done_while_replaying),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
