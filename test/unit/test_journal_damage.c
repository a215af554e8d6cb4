/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal makes of files that were cut, hit, or are no files of its own. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/journal.h"
#include "core/journal_file.h"
#include "core/log.h"

#define RECORDS 100
#define SALT 0x12345678u
#define ZEROS 300u

/* --- a segment of 100 records ---------------------------------------------------------- */

struct segment {
	struct buf bytes;
	size_t at[RECORDS + 1]; /* where each record begins, and the end */
	char head[64];
	size_t head_size;
};

/* Requests of all lengths; every tenth record is the result of the one before, which it does without. */
static struct journal_item item_at(const struct segment *s, unsigned i, char body[128])
{
	struct journal_item item = {
		.type = i % 10 == 9 ? JOURNAL_TYPE_RESULT : JOURNAL_TYPE_ACCEPTED,
		.durable = i % 2,
		.kind = 1,
		.id = i + 1,
		.accepted_ms = 1700000000000 + i,
		.head = {s->head, s->head_size},
	};

	memset(body, 'a' + (int)(i % 26), 128);
	item.body = (struct slice){body, 1 + i % 100};
	return item;
}

static void segment_init(struct segment *s)
{
	char body[128];

	memset(s, 0, sizeof *s);
	s->head_size = journal_file_head(s->head, "demo", "some-sn", "reply");
	journal_file_put_segment(&s->bytes, 1, SALT);
	for (unsigned i = 0; i < RECORDS; i++) {
		struct journal_item item = item_at(s, i, body);

		s->at[i] = s->bytes.size;
		journal_file_put(&s->bytes, SALT, &item);
		assert_int_equal(s->bytes.size - s->at[i], journal_file_size(&item));
	}
	s->at[RECORDS] = s->bytes.size;
	assert_true(buf_ok(&s->bytes));
}

/* --- looking --------------------------------------------------------------------------- */

struct outcome {
	bool has[RECORDS];
	unsigned count, damages, tails;
	size_t damaged_bytes;
};

static void check_item(const struct segment *s, const struct journal_item *item)
{
	unsigned i = (unsigned)item->id - 1;
	char body[128];
	struct journal_item was = item_at(s, i, body);

	assert_true(i < RECORDS);
	assert_int_equal(item->type, was.type);
	assert_int_equal(item->durable, was.durable);
	assert_int_equal(item->accepted_ms, was.accepted_ms);
	assert_int_equal(item->body.size, was.body.size);
	assert_memory_equal(item->body.data, was.body.data, was.body.size);
	assert_string_equal(item->sn, "some-sn");
	assert_string_equal(item->replyto, "reply");
}

static void scan(const struct segment *s, const char *bytes, size_t size, struct outcome *o)
{
	struct journal_scan scan = JOURNAL_SCAN(bytes, size);
	enum journal_found found;
	struct journal_item item;
	size_t expected = 0;

	memset(o, 0, sizeof *o);
	while ((found = journal_scan_next(&scan, &item)) != JOURNAL_FOUND_END) {
		assert_true(scan.length > 0);
		assert_true(scan.offset == expected ||
		            (!expected && scan.offset == JOURNAL_FILE_HEAD));
		expected = scan.offset + scan.length;
		assert_true(expected <= size);
		if (found == JOURNAL_FOUND_ITEM) {
			check_item(s, &item);
			assert_false(o->has[item.id - 1]);
			o->has[item.id - 1] = true;
			o->count++;
		}
		o->damages += found == JOURNAL_FOUND_DAMAGE;
		o->damaged_bytes += found == JOURNAL_FOUND_DAMAGE ? scan.length : 0;
		o->tails += found == JOURNAL_FOUND_TAIL;
	}
}

/* --- bytes ----------------------------------------------------------------------------- */

static void cut_anywhere_all_that_is_whole_is_there(void **state)
{
	struct segment s;
	struct outcome o;
	unsigned whole = 0;

	(void)state;
	segment_init(&s);
	for (size_t size = 0; size <= s.bytes.size; size++) {
		char *copy = malloc(size + 1); /* exact, so that reading on is seen */

		memcpy(copy, s.bytes.data, size);
		scan(&s, copy, size, &o);
		while (whole < RECORDS && s.at[whole + 1] <= size)
			whole++;
		assert_int_equal(o.count, whole);
		assert_int_equal(o.damages, 0);
		assert_int_equal(o.tails, size && size != s.at[whole] ? 1 : 0);
		free(copy);
	}
	assert_int_equal(whole, RECORDS);
	buf_release(&s.bytes);
}

static unsigned record_at(const struct segment *s, size_t offset)
{
	unsigned i = 0;

	while (s->at[i + 1] <= offset)
		i++;
	return i;
}

static void check_hit(const struct segment *s, size_t offset, unsigned char change)
{
	struct outcome o;

	s->bytes.data[offset] = (char)(s->bytes.data[offset] ^ change);
	scan(s, s->bytes.data, s->bytes.size, &o);
	s->bytes.data[offset] = (char)(s->bytes.data[offset] ^ change);
	assert_int_equal(o.damages, 1);
	assert_int_equal(o.tails, 0);
	if (offset < JOURNAL_FILE_HEAD) {
		assert_int_equal(o.count, RECORDS);
		return;
	}
	assert_int_equal(o.count, RECORDS - 1);
	assert_false(o.has[record_at(s, offset)]);
}

static void hit_anywhere_only_the_one_hit_is_lost(void **state)
{
	struct segment s;

	(void)state;
	segment_init(&s);
	for (size_t offset = 0; offset < s.bytes.size; offset++) {
		check_hit(&s, offset, (unsigned char)(1 << offset % 8));
		check_hit(&s, offset, 0xff);
	}
	buf_release(&s.bytes);
}

static void a_block_of_zeros_takes_what_it_covers(void **state)
{
	struct segment s;
	struct outcome o;

	(void)state;
	segment_init(&s);
	memset(s.bytes.data + s.at[40] + 7, 0, s.at[43] - s.at[40]);
	scan(&s, s.bytes.data, s.bytes.size, &o);
	assert_int_equal(o.count, RECORDS - 4);
	assert_int_equal(o.damages, 1);
	assert_true(o.has[39] && !o.has[40] && !o.has[43] && o.has[44]);
	buf_release(&s.bytes);
}

static void zeros_at_the_end_were_never_written(void **state)
{
	struct segment s;
	struct outcome o;

	(void)state;
	segment_init(&s);
	memset(s.bytes.data + s.at[98], 0, s.bytes.size - s.at[98]);
	scan(&s, s.bytes.data, s.bytes.size, &o);
	assert_int_equal(o.count, 98);
	assert_int_equal(o.damages, 0);
	assert_int_equal(o.tails, 1);
	buf_release(&s.bytes);
}

/* As a file that was made longer beforehand is left by a crash: torn where it may be, the rest zeros. */
static void cut_anywhere_before_zeros_all_that_is_whole_is_there(void **state)
{
	struct segment s;
	struct outcome o;
	unsigned whole = 0;
	char *copy;

	(void)state;
	segment_init(&s);
	copy = malloc(s.bytes.size + ZEROS);
	for (size_t size = JOURNAL_FILE_HEAD; size <= s.bytes.size; size++) {
		memset(copy, 0, s.bytes.size + ZEROS);
		memcpy(copy, s.bytes.data, size);
		scan(&s, copy, size + ZEROS, &o);
		while (whole < RECORDS && s.at[whole + 1] <= size)
			whole++;
		assert_int_equal(o.count, whole);
		assert_int_equal(o.damages, 0);
		assert_int_equal(o.tails, 1);
	}
	assert_int_equal(whole, RECORDS);
	free(copy);
	buf_release(&s.bytes);
}

static void hit_anywhere_before_zeros_it_is_damage(void **state)
{
	struct segment s;
	struct outcome o;
	char *copy;

	(void)state;
	segment_init(&s);
	copy = calloc(1, s.bytes.size + ZEROS);
	for (size_t offset = JOURNAL_FILE_HEAD; offset < s.bytes.size; offset++) {
		memcpy(copy, s.bytes.data, s.bytes.size);
		copy[offset] ^= (char)(1 << offset % 8);
		scan(&s, copy, s.bytes.size + ZEROS, &o);
		assert_int_equal(o.count, RECORDS - 1);
		assert_int_equal(o.damages, 1);
		assert_false(o.has[record_at(&s, offset)]);
	}
	free(copy);
	buf_release(&s.bytes);
}

/* Somebody's request holds what looks like a journal; where its own head is hit, that is looked through. */
static void a_body_is_never_taken_for_a_record(void **state)
{
	struct segment s, inner;
	struct journal_scan scan_of;
	enum journal_found found;
	struct journal_item item;
	struct buf bytes = BUF_INIT;
	unsigned items = 0;

	(void)state;
	segment_init(&s);
	segment_init(&inner);
	journal_file_put_segment(&bytes, 1, SALT + 1);
	item = (struct journal_item){.type = JOURNAL_TYPE_ACCEPTED,
	                             .id = 7,
	                             .head = {s.head, s.head_size},
	                             .body = {inner.bytes.data, inner.bytes.size}};
	journal_file_put(&bytes, SALT + 1, &item);
	bytes.data[JOURNAL_FILE_HEAD + 9] ^= 1;
	scan_of = (struct journal_scan)JOURNAL_SCAN(bytes.data, bytes.size);
	while ((found = journal_scan_next(&scan_of, &item)) != JOURNAL_FOUND_END)
		items += found == JOURNAL_FOUND_ITEM;
	assert_int_equal(items, 0);
	buf_release(&bytes);
	buf_release(&s.bytes);
	buf_release(&inner.bytes);
}

/* --- files ----------------------------------------------------------------------------- */

struct place {
	char directory[64];
};

static void place_init(struct place *p)
{
	strcpy(p->directory, "/tmp/gofer-damage-XXXXXX");
	assert_non_null(mkdtemp(p->directory));
	log_level("core.journal", LOG_LEVEL_ERROR);
}

static void place_release(struct place *p)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", p->directory);
	assert_int_equal(system(command), 0);
}

static void put_file(const struct place *p, const char *name, const char *bytes, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", p->directory, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static size_t get_file(const struct place *p, const char *name, char *bytes, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", p->directory, name);
	file = fopen(path, "rb");
	if (!file)
		return 0;
	size = fread(bytes, 1, size, file);
	fclose(file);
	return size;
}

static void on_notify(void *context)
{
	(void)context;
}

static void count_entry(void *context, struct journal_entry *entry,
                        const struct journal_record *record)
{
	(void)entry;
	assert_string_equal(record->request.sn, "some-sn");
	++*(unsigned *)context;
}

static struct journal *open_journal(const struct place *p, unsigned *count, uint64_t *damaged)
{
	const struct journal_options options = {.directory = p->directory, .notify = on_notify};
	struct error error = ERROR_NONE;
	struct journal *j = journal_new(&options, &error);
	struct journal_stats stats;

	if (!j)
		fail_msg("%s", error.text);
	*count = 0;
	journal_replay(j, count_entry, count);
	journal_stats(j, &stats);
	*damaged = stats.damaged;
	return j;
}

static void what_is_damaged_is_put_aside(void **state)
{
	struct segment s;
	struct place p;
	uint64_t damaged;
	unsigned count;
	char aside[1024];
	size_t size;

	(void)state;
	segment_init(&s);
	place_init(&p);
	s.bytes.data[s.at[50] + JOURNAL_FILE_RECORD + 20] ^= 4;
	s.bytes.data[s.at[70] + 8] ^= 4;
	put_file(&p, "journal.0000000001", s.bytes.data, s.bytes.size);
	log_level("core.journal", LOG_LEVEL_ERROR);
	journal_free(open_journal(&p, &count, &damaged));
	assert_int_equal(count, 98);
	assert_int_equal(damaged, 2);
	size = get_file(&p, "journal.damaged-0000000001", aside, sizeof aside);
	assert_true(size > s.at[51] - s.at[50] + s.at[71] - s.at[70]);
	assert_non_null(memmem(aside, size, s.bytes.data + s.at[50], s.at[51] - s.at[50]));
	assert_non_null(memmem(aside, size, s.bytes.data + s.at[70], s.at[71] - s.at[70]));
	buf_release(&s.bytes);
	place_release(&p);
}

static void what_is_torn_is_cut_and_not_told(void **state)
{
	struct segment s;
	struct place p;
	uint64_t damaged;
	unsigned count;
	char aside[16];
	struct stat st;
	char path[128];

	(void)state;
	segment_init(&s);
	place_init(&p);
	put_file(&p, "journal.0000000009", s.bytes.data, s.at[50] + 45);
	journal_free(open_journal(&p, &count, &damaged));
	assert_int_equal(count, 50);
	assert_int_equal(damaged, 0);
	assert_int_equal(get_file(&p, "journal.damaged-0000000009", aside, sizeof aside), 0);
	snprintf(path, sizeof path, "%s/journal.0000000009", p.directory);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, s.at[50]);
	buf_release(&s.bytes);
	place_release(&p);
}

static void strangers_in_the_directory_are_left_alone(void **state)
{
	static const char *const names[] = {"README",
	                                    "journal.",
	                                    "journal.x",
	                                    "journal.12x",
	                                    "journal.damaged-0000000007",
	                                    "journal.0"};
	struct place p;
	uint64_t damaged;
	unsigned count;
	char text[16];

	(void)state;
	place_init(&p);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		put_file(&p, names[i], "mine", 4);
	journal_free(open_journal(&p, &count, &damaged));
	assert_int_equal(count, 0);
	assert_int_equal(damaged, 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(get_file(&p, names[i], text, sizeof text), 4);
	place_release(&p);
}

/* After the damage was told once, what is left is moved on, and the next start has nothing to tell. */
static void damage_is_told_once(void **state)
{
	struct journal_entry *entry;
	struct segment s;
	struct place p;
	uint64_t damaged;
	unsigned count;
	struct journal *j;
	const struct journal_request request = {.plugin = "demo",
	                                        .sn = "some-sn",
	                                        .body = {"{}", 2}};

	(void)state;
	segment_init(&s);
	place_init(&p);
	s.bytes.data[s.at[3] + 2] ^= 1;
	put_file(&p, "journal.0000000001", s.bytes.data, s.bytes.size);
	j = open_journal(&p, &count, &damaged);
	assert_int_equal(damaged, 1);
	assert_int_equal(journal_accept(j, &request, NULL, &entry), GOFER_OK);
	usleep(JOURNAL_DELAY_MS * 1000 * 20);
	journal_free(j);
	journal_free(open_journal(&p, &count, &damaged));
	assert_int_equal(damaged, 0);
	assert_int_equal(count, RECORDS); /* 99, and the new one */
	buf_release(&s.bytes);
	place_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_anywhere_all_that_is_whole_is_there),
		cmocka_unit_test(hit_anywhere_only_the_one_hit_is_lost),
		cmocka_unit_test(a_block_of_zeros_takes_what_it_covers),
		cmocka_unit_test(zeros_at_the_end_were_never_written),
		cmocka_unit_test(cut_anywhere_before_zeros_all_that_is_whole_is_there),
		cmocka_unit_test(hit_anywhere_before_zeros_it_is_damage),
		cmocka_unit_test(a_body_is_never_taken_for_a_record),
		cmocka_unit_test(what_is_damaged_is_put_aside),
		cmocka_unit_test(what_is_torn_is_cut_and_not_told),
		cmocka_unit_test(strangers_in_the_directory_are_left_alone),
		cmocka_unit_test(damage_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
