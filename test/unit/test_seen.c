/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/seen.h"

#define HOUR_MS 3600000

static struct fingerprint print_number(struct seen *s, unsigned number)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", number);
	return seen_fingerprint(s, "p", name);
}

static bool has_number(struct seen *s, unsigned number, uint64_t now_ms)
{
	struct fingerprint print = print_number(s, number);

	return seen_has(s, &print, now_ms);
}

static void add_number(struct seen *s, unsigned number, uint64_t now_ms)
{
	struct fingerprint print = print_number(s, number);

	seen_add(s, &print, now_ms);
}

static bool same(struct fingerprint a, struct fingerprint b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void a_fingerprint_is_of_the_pair_and_the_key(void **state)
{
	struct seen *s = seen_new(1, HOUR_MS, NULL), *other = seen_new(1, HOUR_MS, NULL);
	struct fingerprint print = seen_fingerprint(s, "ab", "c");

	(void)state;
	assert_true(same(print, seen_fingerprint(s, "ab", "c")));
	assert_false(same(print, seen_fingerprint(s, "a", "bc")));
	assert_false(same(print, seen_fingerprint(s, "abc", "")));
	assert_false(same(print, seen_fingerprint(s, "", "abc")));
	assert_false(same(print, seen_fingerprint(s, "ab", "d")));
	assert_false(same(print, seen_fingerprint(other, "ab", "c")));
	seen_free(s);
	seen_free(other);
	seen_free(NULL);
}

static void the_last_ones_are_remembered(void **state)
{
	static const size_t capacities[] = {1, 2, 7, 64, 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(capacities) / sizeof(*capacities); i++) {
		size_t capacity = capacities[i];
		struct seen *s = seen_new(capacity, HOUR_MS, NULL);
		for (unsigned n = 0; n < 3 * capacity + 1; n++) {
			assert_false(has_number(s, n, n));
			add_number(s, n, n);
			assert_true(has_number(s, n, n));
			assert_int_equal(seen_count(s), n < capacity ? n + 1 : capacity);
		}
		for (unsigned n = 0; n < 3 * capacity + 1; n++)
			assert_int_equal(has_number(s, n, 3 * capacity), n > 2 * capacity);
		seen_free(s);
	}
}

static void old_ones_are_forgotten(void **state)
{
	struct seen *s = seen_new(8, 100, NULL);

	(void)state;
	add_number(s, 1, 1000);
	add_number(s, 2, 1050);
	assert_true(has_number(s, 1, 1100));
	assert_false(has_number(s, 1, 1101));
	assert_int_equal(seen_count(s), 1);
	assert_true(has_number(s, 2, 1101));
	add_number(s, 1, 1140);
	add_number(s, 3, 1151);
	assert_int_equal(seen_count(s), 2);
	assert_false(has_number(s, 2, 1151));
	assert_true(has_number(s, 1, 1151));
	assert_false(has_number(s, 3, (uint64_t)1 << 40));
	assert_int_equal(seen_count(s), 0);
	seen_free(s);
}

/* The first bytes choose the bucket: all of these are in one. */
static void those_of_one_bucket_are_told_apart(void **state)
{
	struct seen *s = seen_new(5, HOUR_MS, NULL);
	struct fingerprint print = {{0}};

	(void)state;
	for (unsigned char i = 0; i < 20; i++) {
		print.bytes[15] = i;
		assert_false(seen_has(s, &print, i));
		seen_add(s, &print, i);
	}
	for (unsigned char i = 0; i < 20; i++) {
		print.bytes[15] = i;
		assert_int_equal(seen_has(s, &print, 20), i >= 15);
	}
	seen_free(s);
}

static void its_memory_is_there_from_the_start(void **state)
{
	struct seen *s = seen_new(30000, HOUR_MS, NULL);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = malloc_usable_size(s);
	char *start = (char *)s - (uintptr_t)s % page;
	size_t pages = ((size_t)((char *)s - start) + size + page - 1) / page;
	unsigned char *resident = malloc(pages);

	(void)state;
	assert_in_range(size, 30000 * 24, 30000 * 48);
	assert_int_equal(mincore(start, pages * page, resident), 0);
	/* The allocator may have rounded up by a page that is nobody's. */
	for (size_t i = 0; i + 1 < pages; i++)
		assert_true(resident[i] & 1);
	free(resident);
	seen_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fingerprint_is_of_the_pair_and_the_key),
		cmocka_unit_test(the_last_ones_are_remembered),
		cmocka_unit_test(old_ones_are_forgotten),
		cmocka_unit_test(those_of_one_bucket_are_told_apart),
		cmocka_unit_test(its_memory_is_there_from_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
