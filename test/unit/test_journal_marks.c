/* SPDX-License-Identifier: Apache-2.0 */
/* What the records of requests that were cancelled are worth in a file that was cut or hit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/journal.h"
#include "core/journal_file.h"

#define SALT 0x12345678u

/* Three requests: the first two are accepted, marked as cancelled, the second gets a result; the third, cancelled,
 * was written once. */
enum { FIRST, SECOND, FIRST_MARK, SECOND_MARK, SECOND_RESULT, THIRD, RECORDS };

static const struct {
	uint64_t id;
	enum journal_type type;
	bool cancelled;
} records[RECORDS] = {
	[FIRST] = {1, JOURNAL_TYPE_ACCEPTED, false},
	[SECOND] = {2, JOURNAL_TYPE_ACCEPTED, false},
	[FIRST_MARK] = {1, JOURNAL_TYPE_CANCELLED, false},
	[SECOND_MARK] = {2, JOURNAL_TYPE_CANCELLED, false},
	[SECOND_RESULT] = {2, JOURNAL_TYPE_RESULT, false},
	[THIRD] = {3, JOURNAL_TYPE_ACCEPTED, true},
};

struct segment {
	struct buf bytes;
	size_t at[RECORDS + 1]; /* where each record begins, and the end */
};

static void segment_init(struct segment *g)
{
	memset(g, 0, sizeof *g);
	journal_file_put_segment(&g->bytes, 1, SALT);
	for (int i = 0; i < RECORDS; i++) {
		char head[64], sn[2] = {(char)('0' + records[i].id), 0};
		size_t size = journal_file_head(head, "demo", sn, "a/b");
		bool is_mark = records[i].type == JOURNAL_TYPE_CANCELLED;
		struct journal_item item = {
			.type = records[i].type,
			.cancelled = records[i].cancelled,
			.id = records[i].id,
			.accepted_ms = 1700000000000,
			.head = {head, is_mark ? 0 : size},
			.body = {"{}", is_mark ? 0 : 2},
		};

		g->at[i] = g->bytes.size;
		journal_file_put(&g->bytes, SALT, &item);
	}
	g->at[RECORDS] = g->bytes.size;
	assert_true(buf_ok(&g->bytes));
}

/* What is there of each, by id; -1: nothing. */
static void on_sight(void *context, const struct journal_sight *sight)
{
	int *states = context;
	int id = sight->sn[0] - '0';

	assert_in_range(id, 1, 3);
	assert_int_equal(states[id], -1);
	states[id] = (int)sight->state;
}

static void put_segment(const char *directory, const char *bytes, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/journal.0000000001", directory);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static void assert_states(const char *directory, const char *bytes, size_t size,
                          const bool whole[RECORDS])
{
	int is[4] = {-1, -1, -1, -1};
	struct error error = ERROR_NONE;
	size_t damaged;

	put_segment(directory, bytes, size);
	assert_int_equal(journal_inspect(directory, on_sight, is, &damaged, &error), GOFER_OK);
	assert_int_equal(is[1],
	                 !whole[FIRST]               ? -1
	                         : whole[FIRST_MARK] ? JOURNAL_CANCELLED
	                                             : JOURNAL_ACCEPTED);
	assert_int_equal(is[2],
	                 whole[SECOND_RESULT]         ? JOURNAL_RESULT
	                         : !whole[SECOND]     ? -1
	                         : whole[SECOND_MARK] ? JOURNAL_CANCELLED
	                                              : JOURNAL_ACCEPTED);
	assert_int_equal(is[3], whole[THIRD] ? JOURNAL_CANCELLED : -1);
}

static void directory_init(char directory[64])
{
	strcpy(directory, "/tmp/gofer-cancelled-XXXXXX");
	assert_non_null(mkdtemp(directory));
}

static void directory_release(const char *directory)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", directory);
	assert_int_equal(system(command), 0);
}

static void cut_anywhere_it_is_what_was_written_last(void **state)
{
	struct segment g;
	char directory[64];

	(void)state;
	segment_init(&g);
	directory_init(directory);
	for (size_t size = 0; size <= g.bytes.size; size++) {
		bool whole[RECORDS];

		for (int i = 0; i < RECORDS; i++)
			whole[i] = g.at[i + 1] <= size;
		assert_states(directory, g.bytes.data, size, whole);
	}
	directory_release(directory);
	buf_release(&g.bytes);
}

static void hit_anywhere_only_the_record_hit_is_lost(void **state)
{
	struct segment g;
	char directory[64];

	(void)state;
	segment_init(&g);
	directory_init(directory);
	for (size_t offset = 0; offset < g.bytes.size; offset++) {
		char was = g.bytes.data[offset];
		bool whole[RECORDS];

		for (int i = 0; i < RECORDS; i++)
			whole[i] = offset < g.at[i] || offset >= g.at[i + 1];
		g.bytes.data[offset] ^= (char)(1 << offset % 8);
		assert_states(directory, g.bytes.data, g.bytes.size, whole);
		g.bytes.data[offset] = (char)~was;
		assert_states(directory, g.bytes.data, g.bytes.size, whole);
		g.bytes.data[offset] = was;
	}
	directory_release(directory);
	buf_release(&g.bytes);
}

static void on_old_sight(void *context, const struct journal_sight *sight)
{
	unsigned *count = context;

	assert_string_equal(sight->sn, *count ? "two" : "one");
	assert_int_equal(sight->durable, !*count);
	assert_int_equal(sight->state, JOURNAL_STARTED);
	++*count;
}

/* What was written before a record could tell that a request was cancelled: one that was marked as
 * started, and one that was so when it was written. */
static void a_journal_of_before_is_read(void **state)
{
	/* clang-format off */
	static const char bytes[] =
		"\x47\x4f\x46\x45\x52\x4a\x4e\x4c\x01\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00"
		"\x00\x00\x00\x00\x6a\x21\xd2\xb5\x00\x00\x00\x00\x47\x4f\x46\x45\x52\x4a\x4e\x4c"
		"\x01\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x6a\x21\xd2\xb5"
		"\x00\x00\x00\x00\xab\x4a\x52\x01\x40\x19\x98\x30\x1b\x00\x00\x00\x01\x01\x02\x00"
		"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x68\xe5\xcf\x8b\x01\x00\x00\xd2\xdb\xab\xa6"
		"\x00\x00\x00\x00\x05\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00\x64\x65\x6d\x6f"
		"\x00\x6f\x6e\x65\x00\x61\x2f\x62\x00\x7b\x7d\xab\x4a\x52\x01\x58\x69\x54\x60\x17"
		"\x00\x00\x00\x01\x02\x02\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x68\xe5\xcf\x8b"
		"\x01\x00\x00\x20\xb7\xfe\xa9\x00\x00\x00\x00\x05\x00\x00\x00\x04\x00\x00\x00\x00"
		"\x00\x00\x00\x64\x65\x6d\x6f\x00\x74\x77\x6f\x00\x7b\x7d\xab\x4a\x52\x01\x4c\x47"
		"\xf5\xa6\x00\x00\x00\x00\x02\x01\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x68"
		"\xe5\xcf\x8b\x01\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00";
	/* clang-format on */
	struct error error = ERROR_NONE;
	size_t damaged = 0;
	unsigned count = 0;
	char directory[64];

	(void)state;
	directory_init(directory);
	put_segment(directory, bytes, sizeof bytes - 1);
	assert_int_equal(journal_inspect(directory, on_old_sight, &count, &damaged, &error),
	                 GOFER_OK);
	assert_int_equal(count, 2);
	assert_int_equal(damaged, 0);
	directory_release(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_anywhere_it_is_what_was_written_last),
		cmocka_unit_test(hit_anywhere_only_the_record_hit_is_lost),
		cmocka_unit_test(a_journal_of_before_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
