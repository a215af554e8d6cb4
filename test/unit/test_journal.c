/* SPDX-License-Identifier: Apache-2.0 */
#include "core/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/crc32c.h"
#include "core/log.h"
#include "test/unit/journal_scene.h"

static void the_checksum_is_castagnolis(void **state)
{
	unsigned char zeros[32] = {0};

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
	assert_int_equal(crc32c(crc32c(0, "12345", 5), "6789", 4), 0xe3069283);
}

static void those_who_wait_are_told_in_order(void **state)
{
	struct waiter w[100];
	unsigned order = 0;
	struct scene s;
	char sn[16];

	(void)state;
	scene_init(&s);
	for (unsigned i = 0; i < 100; i++) {
		w[i] = (struct waiter){.wait.stored = scene_on_stored, .order = &order};
		snprintf(sn, sizeof sn, "%u", i);
		assert_int_equal(scene_enter(&s, sn, true, BODY, &w[i].wait, &w[i].entry),
		                 GOFER_OK);
		assert_int_equal(w[i].place, 0);
	}
	assert_int_equal(journal_count(s.journal), 100);
	scene_wait_until(&s, &order, 100);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(w[i].place, i + 1);
		assert_int_equal(w[i].result, GOFER_OK);
		journal_done(s.journal, w[i].entry);
	}
	assert_int_equal(journal_count(s.journal), 0);
	scene_release(&s);
}

static void what_gathers_is_synced_together(void **state)
{
	struct waiter w[500];
	struct journal_stats stats;
	unsigned order = 0;
	struct scene s;

	(void)state;
	scene_init(&s);
	for (unsigned i = 0; i < 500; i++) {
		w[i] = (struct waiter){.wait.stored = scene_on_stored, .order = &order};
		assert_int_equal(scene_enter(&s, "one", true, BODY, &w[i].wait, &w[i].entry),
		                 GOFER_OK);
	}
	scene_wait_until(&s, &order, 500);
	journal_stats(s.journal, &stats);
	assert_int_equal(stats.entries, 500);
	assert_int_equal(stats.records, 500);
	assert_in_range(stats.syncs, 1, 50);
	assert_true(stats.sync_us > 0 && stats.file_bytes > 500 * strlen(BODY));
	scene_release(&s);
}

static void what_is_not_durable_is_written_and_not_synced(void **state)
{
	struct journal_entry *entry;
	struct journal_stats stats;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	assert_int_equal(scene_enter(&s, "n", false, BODY, NULL, &entry), GOFER_OK);
	scene_settle(&s);
	journal_stats(s.journal, &stats);
	assert_int_equal(stats.syncs, 0);
	assert_int_equal(stats.records, 1);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 1);
	assert_false(f.all[0].durable);
	scene_release(&s);
}

static void what_is_done_at_once_is_never_written(void **state)
{
	struct journal_entry *entry;
	struct journal_stats stats;
	struct scene s;

	(void)state;
	scene_init(&s);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(scene_enter(&s, "n", false, BODY, NULL, &entry), GOFER_OK);
		journal_started(s.journal, entry);
		journal_result(s.journal, entry, (struct slice){"{}", 2}, NULL);
		journal_done(s.journal, entry);
	}
	journal_stats(s.journal, &stats);
	assert_int_equal(stats.entries, 0);
	assert_int_equal(stats.bytes, 0);
	assert_in_range(stats.records, 0, 100);
	scene_release(&s);
}

static void each_state_is_replayed(void **state)
{
	struct journal_entry *started, *ended, *sent, *gone;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	scene_store(&s, "waits");
	started = scene_store(&s, "runs");
	ended = scene_store(&s, "ended");
	sent = scene_store(&s, "sent");
	gone = scene_store(&s, "gone");
	journal_started(s.journal, started);
	journal_started(s.journal, ended);
	scene_settle(&s);
	scene_store_result(&s, ended, "{\"result\": 1}");
	scene_store_result(&s, sent, "{}");
	journal_done(s.journal, sent);
	journal_done(s.journal, gone);
	scene_settle(&s);
	for (int i = 0; i < 3; i++) { /* looking changes nothing */
		scene_crash(&s);
		scene_replay(&s, &f, false);
		assert_int_equal(f.count, 3);
		assert_string_equal(f.all[0].sn, "waits");
		assert_int_equal(f.all[0].state, JOURNAL_ACCEPTED);
		assert_string_equal(f.all[0].text, BODY);
		assert_int_equal(f.all[0].kind, 2);
		assert_true(f.all[0].durable);
		assert_string_equal(f.all[1].sn, "runs");
		assert_int_equal(f.all[1].state, JOURNAL_STARTED);
		assert_string_equal(f.all[1].text, BODY);
		assert_string_equal(f.all[2].sn, "ended");
		assert_int_equal(f.all[2].state, JOURNAL_RESULT);
		assert_string_equal(f.all[2].text, "{\"result\": 1}");
	}
	scene_replay(&s, &f, true); /* each is done */
	assert_int_equal(journal_count(s.journal), 0);
	journal_free(s.journal);
	scene_open(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 0);
	scene_release(&s);
}

static void what_was_found_goes_on(void **state)
{
	struct journal_entry *entries[3];
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	for (int i = 0; i < 3; i++)
		entries[i] = scene_store(&s, "abc");
	(void)entries;
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 3);
	scene_store(&s, "later");
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 4);
	assert_string_equal(f.all[3].sn, "later");
	scene_release(&s);
}

static void only_one_journal_has_a_directory(void **state)
{
	struct error error = ERROR_NONE;
	struct stat st;
	struct scene s;

	(void)state;
	scene_init(&s);
	assert_null(scene_open_again(&s, &error));
	assert_int_equal(error.code, GOFER_EXISTS);
	assert_non_null(strstr(error.text, s.path));
	assert_int_equal(stat(s.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	scene_release(&s);
}

static void bounds_hold(void **state)
{
	struct journal_options options = {.entries_max = 2,
	                                  .bytes_max = 100,
	                                  .notify = scene_on_notify};
	struct journal_entry *a, *b, *c;
	struct scene s;
	char body[90];

	(void)state;
	scene_init(&s);
	journal_free(s.journal);
	options.directory = s.path;
	options.context = &s;
	s.journal = journal_new(&options, NULL);
	assert_non_null(s.journal);
	memset(body, 'x', sizeof body);
	body[sizeof body - 1] = '\0';
	assert_int_equal(scene_enter(&s, "a", false, body, NULL, &a), GOFER_OK);
	assert_int_equal(scene_enter(&s, "b", false, body, NULL, &b), GOFER_FULL);
	assert_int_equal(scene_enter(&s, "b", false, "x", NULL, &b), GOFER_OK);
	assert_int_equal(scene_enter(&s, "c", false, "x", NULL, &c), GOFER_FULL);
	assert_int_equal(journal_result(s.journal, b, (struct slice){body, 50}, NULL), GOFER_FULL);
	journal_done(s.journal, a);
	assert_int_equal(journal_result(s.journal, b, (struct slice){body, 50}, NULL), GOFER_OK);
	journal_done(s.journal, b);
	assert_int_equal(journal_count(s.journal), 0);
	scene_release(&s);
}

static size_t bytes_on_disk(struct scene *s)
{
	struct dirent *one;
	DIR *dir = opendir(s->path);
	size_t sum = 0;
	struct stat st;

	assert_non_null(dir);
	while ((one = readdir(dir)))
		if (fstatat(dirfd(dir), one->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			sum += (size_t)st.st_size;
	closedir(dir);
	return sum;
}

static void a_long_way_takes_little_room(void **state)
{
	enum { COUNT = 4000, SIZE = 16384 };
	struct journal_entry **entries = calloc(COUNT, sizeof *entries), *kept[4];
	struct waiter *w = calloc(COUNT, sizeof *w);
	char *body = malloc(SIZE + 1);
	unsigned order = 0, done = 0;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	memset(body, 'b', SIZE);
	body[SIZE] = '\0';
	for (int i = 0; i < 4; i++)
		kept[i] = scene_store(&s, i % 2 ? "odd" : "even");
	journal_started(s.journal, kept[1]);
	scene_store_result(&s, kept[2], "{\"kept\": 2}");
	for (unsigned i = 0; i < COUNT; i++) {
		w[i] = (struct waiter){.wait.stored = scene_on_stored, .order = &order};
		assert_int_equal(scene_enter(&s, "n", false, body, &w[i].wait, &entries[i]),
		                 GOFER_OK);
		if (i % 64 != 63)
			continue;
		scene_wait_until(&s, &order, i + 1);
		while (done <= i)
			journal_done(s.journal, entries[done++]);
	}
	scene_wait_until(&s, &order, COUNT);
	while (done < COUNT)
		journal_done(s.journal, entries[done++]);
	scene_settle(&s);
	assert_in_range(bytes_on_disk(&s), 1, 4 * 8 << 20);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 4);
	assert_int_equal(f.all[0].state, JOURNAL_ACCEPTED);
	assert_int_equal(f.all[1].state, JOURNAL_STARTED);
	assert_int_equal(f.all[2].state, JOURNAL_RESULT);
	assert_string_equal(f.all[2].text, "{\"kept\": 2}");
	free(entries);
	free(w);
	free(body);
	scene_release(&s);
}

static void what_does_not_fit_is_refused_whole_and_later_taken(void **state)
{
	struct journal_entry *runs, *lost, *later;
	struct journal_stats stats;
	unsigned order = 0, refused = 0;
	struct waiter w[100];
	struct found f;
	struct scene s;
	char sn[16];

	(void)state;
	scene_init(&s);
	log_level("core.journal", LOG_LEVEL_ERROR);
	runs = scene_store(&s, "runs");
	scene_set_limit(4000);
	for (unsigned i = 0; i < 100; i++) {
		w[i] = (struct waiter){.wait.stored = scene_on_stored, .order = &order};
		snprintf(sn, sizeof sn, "%u", i);
		assert_int_equal(scene_enter(&s, sn, true, BODY, &w[i].wait, &w[i].entry),
		                 GOFER_OK);
		scene_wait_until(&s, &order, i + 1);
		refused += w[i].result == GOFER_FULL;
		assert_true(w[i].result == GOFER_OK || w[i].result == GOFER_FULL);
	}
	assert_in_range(refused, 1, 99);
	assert_int_equal(journal_count(s.journal), 101 - refused);
	scene_set_limit(10);
	w[0] = (struct waiter){.wait.stored = scene_on_stored, .order = &order};
	assert_int_equal(journal_result(s.journal, runs, (struct slice){"{\"late\": 1}", 11},
	                                &w[0].wait),
	                 GOFER_OK);
	scene_wait_until(&s, &order, 101);
	assert_int_equal(w[0].result, GOFER_FULL);
	assert_int_equal(scene_enter(&s, "quick", false, BODY, NULL, &lost), GOFER_FULL);
	journal_stats(s.journal, &stats);
	assert_true(stats.failing && stats.failures);
	scene_set_limit(RLIM_INFINITY);
	later = scene_store(&s, "later");
	assert_non_null(later);
	assert_int_equal(scene_enter(&s, "quick", false, BODY, NULL, &lost), GOFER_OK);
	scene_settle(&s);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 103 - refused);
	assert_string_equal(f.all[f.count - 2].sn, "later");
	journal_stats(s.journal, &stats);
	assert_int_equal(stats.damaged, 0);
	scene_release(&s);
}

static void failing_it_keeps_what_nobody_waits_for(void **state)
{
	struct journal_entry *first, *second;
	struct journal_stats stats;
	struct found f;
	struct scene s;

	(void)state;
	scene_init(&s);
	first = scene_store(&s, "first");
	second = scene_store(&s, "second");
	scene_set_limit(10);
	journal_done(s.journal, first);
	journal_started(s.journal, second);
	scene_settle(&s);
	journal_stats(s.journal, &stats);
	assert_true(stats.failing);
	scene_set_limit(RLIM_INFINITY);
	for (int i = 0; i < 300 && stats.failing; i++) {
		usleep(10000);
		journal_stats(s.journal, &stats);
	}
	assert_false(stats.failing);
	scene_crash(&s);
	scene_replay(&s, &f, false);
	assert_int_equal(f.count, 1);
	assert_string_equal(f.all[0].sn, "second");
	assert_int_equal(f.all[0].state, JOURNAL_STARTED);
	scene_release(&s);
}

static void count_entry(void *context, struct journal_entry *entry,
                        const struct journal_record *record)
{
	assert_non_null(entry);
	assert_int_equal(record->request.body.size, 599);
	++*(size_t *)context;
}

static void ten_thousand_are_replayed(void **state)
{
	enum { COUNT = 10000 };
	struct journal_entry *entry;
	struct scene s;
	char sn[16], body[600];
	size_t count = 0;

	(void)state;
	scene_init(&s);
	memset(body, 'b', sizeof body);
	body[sizeof body - 1] = '\0';
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(sn, sizeof sn, "%u", i);
		assert_int_equal(scene_enter(&s, sn, false, body, NULL, &entry), GOFER_OK);
	}
	journal_free(s.journal);
	scene_open(&s);
	journal_replay(s.journal, count_entry, &count);
	assert_int_equal(count, COUNT);
	scene_release(&s);
}

struct seen {
	size_t count, results, size;
	char last[40];
};

static void on_sight(void *context, const struct journal_sight *sight)
{
	struct seen *seen = context;

	assert_string_equal(sight->plugin, "demo");
	assert_string_equal(sight->replyto, "a/b");
	snprintf(seen->last, sizeof seen->last, "%s", sight->sn);
	seen->count++;
	seen->results += sight->state == JOURNAL_RESULT;
	seen->size = sight->size;
}

static void it_can_be_looked_into_meanwhile(void **state)
{
	struct error error = ERROR_NONE;
	struct journal_entry *entry;
	struct seen seen = {0};
	size_t damaged = 9;
	struct scene s;

	(void)state;
	scene_init(&s);
	scene_store(&s, "one");
	entry = scene_store(&s, "two");
	assert_int_equal(journal_inspect(s.path, on_sight, &seen, &damaged, &error), GOFER_OK);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.size, strlen(BODY));
	assert_int_equal(damaged, 0);
	assert_string_equal(seen.last, "two");
	scene_store_result(&s, entry, "{}");
	memset(&seen, 0, sizeof seen);
	assert_int_equal(journal_inspect(s.path, on_sight, &seen, &damaged, &error), GOFER_OK);
	assert_int_equal(seen.results, 1);
	assert_int_equal(seen.size, 2);
	assert_int_equal(journal_inspect("/nowhere/at/all", on_sight, &seen, &damaged, &error),
	                 GOFER_NOTFOUND);
	assert_non_null(strstr(error.text, "/nowhere/at/all"));
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksum_is_castagnolis),
		cmocka_unit_test(those_who_wait_are_told_in_order),
		cmocka_unit_test(what_gathers_is_synced_together),
		cmocka_unit_test(what_is_not_durable_is_written_and_not_synced),
		cmocka_unit_test(what_is_done_at_once_is_never_written),
		cmocka_unit_test(each_state_is_replayed),
		cmocka_unit_test(what_was_found_goes_on),
		cmocka_unit_test(only_one_journal_has_a_directory),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(a_long_way_takes_little_room),
		cmocka_unit_test(what_does_not_fit_is_refused_whole_and_later_taken),
		cmocka_unit_test(failing_it_keeps_what_nobody_waits_for),
		cmocka_unit_test(ten_thousand_are_replayed),
		cmocka_unit_test(it_can_be_looked_into_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
