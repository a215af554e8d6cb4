/* SPDX-License-Identifier: Apache-2.0 */
/* What was answered, over restarts: the file by itself, and what a journal puts into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "core/answered.h"
#include "core/log.h"
#include "test/unit/journal_scene.h"

#define HOUR_MS 3600000u

/* --- the file ------------------------------------------------------------------------- */

static char directory[32];
static int dirfd_;

static int set_up(void **state)
{
	(void)state;
	log_level("", LOG_LEVEL_ERROR);
	strcpy(directory, "/tmp/gofer-answered-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	dirfd_ = open(directory, O_RDONLY | O_DIRECTORY);
	return dirfd_ < 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlinkat(dirfd_, "answered", 0);
	close(dirfd_);
	return rmdir(directory);
}

struct prints {
	size_t count;
	struct fingerprint first, last;
};

static void on_print(void *context, const struct fingerprint *print)
{
	struct prints *p = context;

	if (!p->count++)
		p->first = *print;
	p->last = *print;
}

static struct prints look(struct answered *a, uint64_t age_ms)
{
	struct prints p = {0};

	answered_each(a, age_ms, on_print, &p);
	return p;
}

static void add(struct answered *a, unsigned number)
{
	char sn[16];

	snprintf(sn, sizeof sn, "%u", number);
	answered_add(a, "demo", sn);
}

static bool is_print_of(const struct answered *a, const struct fingerprint *print, unsigned number)
{
	struct fingerprint expected;
	char sn[16];

	snprintf(sn, sizeof sn, "%u", number);
	expected = answered_print(a, "demo", sn);
	return memcmp(print, &expected, sizeof expected) == 0;
}

static void test_over_a_restart(void **state)
{
	struct answered a, b;
	struct prints p;

	(void)state;
	answered_open(&a, dirfd_, "answered");
	assert_int_equal(look(&a, HOUR_MS).count, 0);
	add(&a, 1);
	add(&a, 2);
	answered_write(&a);
	add(&a, 3); /* never written: the process is killed */
	answered_open(&b, dirfd_, "answered");
	assert_memory_equal(a.key, b.key, sizeof a.key);
	p = look(&b, HOUR_MS);
	assert_int_equal(p.count, 2);
	assert_true(is_print_of(&b, &p.first, 1));
	assert_true(is_print_of(&b, &p.last, 2));
	add(&b, 4);
	answered_close(&b);
	answered_close(&b);
	answered_open(&b, dirfd_, "answered");
	p = look(&b, HOUR_MS);
	assert_int_equal(p.count, 3);
	assert_true(is_print_of(&b, &p.last, 4));
	answered_close(&b);
	answered_close(&a);
}

static void test_the_earliest_make_room(void **state)
{
	struct answered a;
	struct stat st;
	struct prints p;

	(void)state;
	answered_open(&a, dirfd_, "answered");
	for (unsigned i = 1; i <= ANSWERED_MAX + 1500; i++) {
		add(&a, i);
		if (i % 700 == 0)
			answered_write(&a);
	}
	answered_close(&a);
	answered_open(&a, dirfd_, "answered");
	p = look(&a, HOUR_MS);
	assert_int_equal(p.count, ANSWERED_MAX);
	assert_true(is_print_of(&a, &p.first, 1501));
	assert_true(is_print_of(&a, &p.last, ANSWERED_MAX + 1500));
	assert_int_equal(fstat(a.fd, &st), 0);
	assert_in_range(st.st_size, ANSWERED_MAX * 32, ANSWERED_MAX * 32 + 64);
	assert_int_equal(st.st_mode & 0777, 0600);
	answered_close(&a);
}

static void test_what_is_old_is_not_told(void **state)
{
	struct answered a;

	(void)state;
	answered_open(&a, dirfd_, "answered");
	add(&a, 1);
	answered_write(&a);
	usleep(20000);
	assert_int_equal(look(&a, 1).count, 0);
	assert_int_equal(look(&a, HOUR_MS).count, 1);
	answered_close(&a);
}

/* Any bytes at all: some of what it knew is lost, or all. */
static void test_damage(void **state)
{
	struct answered a;
	struct prints p;

	(void)state;
	for (off_t at = 0; at < 48 + 3 * 32; at++) {
		unsigned char byte;

		answered_open(&a, dirfd_, "answered");
		look(&a, HOUR_MS);
		for (unsigned i = 1; i <= 3; i++)
			add(&a, i);
		answered_write(&a);
		assert_int_equal(pread(a.fd, &byte, 1, at), 1);
		byte ^= 0x5a;
		assert_int_equal(pwrite(a.fd, &byte, 1, at), 1);
		answered_close(&a);
		answered_open(&a, dirfd_, "answered");
		p = look(&a, HOUR_MS);
		assert_in_range(p.count, at < 36 ? 0 : 2, 3 * (size_t)(at + 1));
		add(&a, 9);
		answered_close(&a);
		answered_open(&a, dirfd_, "answered");
		p = look(&a, HOUR_MS);
		assert_true(p.count > 0);
		assert_true(is_print_of(&a, &p.last, 9));
		answered_close(&a);
	}
}

/* Without a file all works, for as long as the process lives. */
static void test_no_file_to_be_had(void **state)
{
	struct answered a;

	(void)state;
	assert_int_equal(mkdirat(dirfd_, "answered", 0700), 0);
	answered_open(&a, dirfd_, "answered");
	assert_int_equal(a.fd, -1);
	add(&a, 1);
	answered_write(&a);
	answered_sync(&a);
	assert_int_equal(look(&a, HOUR_MS).count, 0);
	answered_close(&a);
	assert_int_equal(unlinkat(dirfd_, "answered", AT_REMOVEDIR), 0);
}

/* --- a journal's ---------------------------------------------------------------------- */

struct expected {
	const struct scene *scene;
	const char *sn;
	bool found;
	size_t count;
};

static void on_answered(void *context, const struct fingerprint *print)
{
	struct expected *e = context;
	struct fingerprint one = seen_print(journal_key(e->scene->journal), "demo", e->sn);

	e->count++;
	e->found = e->found || memcmp(print, &one, sizeof one) == 0;
}

static bool is_answered(struct scene *s, const char *sn)
{
	struct expected e = {.scene = s, .sn = sn};

	journal_answered(s->journal, 3600, on_answered, &e);
	return e.found;
}

static size_t count_answered(struct scene *s)
{
	struct expected e = {.scene = s, .sn = ""};

	journal_answered(s->journal, 3600, on_answered, &e);
	return e.count;
}

static void answer(struct scene *s, const char *sn)
{
	struct journal_entry *entry = scene_store(s, sn);

	journal_started(s->journal, entry);
	scene_store_result(s, entry, "{}");
	journal_done(s->journal, entry);
}

static void what_was_answered_is_known_to_the_next(void **state)
{
	struct journal_entry *entry;
	struct scene s;

	(void)state;
	scene_init(&s);
	answer(&s, "answered");
	scene_store(&s, "pending");
	journal_done(s.journal, scene_store(&s, "given back"));
	entry = scene_store(&s, "no reply");
	journal_started(s.journal, entry);
	journal_done(s.journal, entry);
	assert_int_equal(scene_enter(&s, "quick", false, BODY, NULL, &entry), GOFER_OK);
	scene_settle(&s);
	journal_started(s.journal, entry);
	journal_done(s.journal, entry);
	scene_settle(&s);
	for (int i = 0; i < 3; i++) {
		scene_crash(&s);
		assert_true(is_answered(&s, "answered"));
		assert_true(is_answered(&s, "no reply"));
		assert_int_equal(count_answered(&s), 2);
	}
	scene_release(&s);
}

/* Killed between the one file and the other, or after a loss of power: the segments still say so. */
static void what_was_not_noted_is_in_the_segments(void **state)
{
	char path[128];
	struct scene s;

	(void)state;
	scene_init(&s);
	scene_store(&s, "pending"); /* it keeps the segment */
	answer(&s, "answered");
	scene_settle(&s);
	journal_free(s.journal);
	snprintf(path, sizeof path, "%s/answered", s.path);
	assert_int_equal(unlink(path), 0);
	scene_open(&s);
	assert_true(is_answered(&s, "answered"));
	assert_int_equal(count_answered(&s), 1);
	scene_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_over_a_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_earliest_make_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_old_is_not_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_file_to_be_had, set_up, tear_down),
		cmocka_unit_test(what_was_answered_is_known_to_the_next),
		cmocka_unit_test(what_was_not_noted_is_in_the_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
