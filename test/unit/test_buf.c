/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"

static void an_empty_buffer_is_text(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_string_equal(buf_text(&b), "");
	buf_append(&b, NULL, 0);
	buf_consume(&b, 3);
	buf_truncate(&b, 0);
	assert_int_equal(b.size, 0);
	assert_true(buf_ok(&b));
	buf_release(&b);
}

static void appends_gather(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "x=");
	buf_printf(&b, "%d", 17);
	buf_putc(&b, ';');
	buf_append(&b, "a\0b", 3);
	assert_int_equal(b.size, 8);
	assert_memory_equal(b.data, "x=17;a\0b", 9);
	buf_release(&b);
	assert_null(b.data);
}

static void growth_keeps_what_is_there(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		buf_printf(&b, "%05d", i);
		assert_int_equal(b.data[b.size], '\0');
	}
	assert_int_equal(b.size, 50000);
	assert_memory_equal(b.data + 5 * 4321, "04321", 5);
	assert_memory_equal(b.data + 5 * 9999, "09999", 6);
	buf_release(&b);
}

static void printing_long_text_needs_no_room_beforehand(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "<");
	buf_printf(&b, "%*d", 5000, 1);
	assert_int_equal(b.size, 5001);
	assert_int_equal(b.data[5000], '1');
	buf_release(&b);
}

static void reserved_room_is_used_in_part(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "ab");
	char *room = buf_reserve(&b, 1000);
	assert_non_null(room);
	memset(room, 'c', 1000);
	buf_added(&b, 2);
	assert_string_equal(buf_text(&b), "abcc");
	buf_release(&b);
}

static void consume_takes_from_the_front(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "hello");
	buf_consume(&b, 2);
	assert_string_equal(buf_text(&b), "llo");
	buf_consume(&b, 99);
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(b.size, 0);
	buf_release(&b);
}

static void truncate_takes_from_the_back(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "hello");
	buf_truncate(&b, 9);
	assert_string_equal(buf_text(&b), "hello");
	buf_truncate(&b, 2);
	assert_string_equal(buf_text(&b), "he");
	buf_release(&b);
}

static void clear_keeps_the_memory(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "hello");
	const char *data = b.data;
	buf_clear(&b);
	assert_string_equal(buf_text(&b), "");
	buf_puts(&b, "again");
	assert_ptr_equal(b.data, data);
	buf_release(&b);
}

static void take_gives_the_bytes_away(void **state)
{
	struct buf b = BUF_INIT;
	size_t size = 99;

	(void)state;
	buf_puts(&b, "hello");
	char *text = buf_take(&b, &size);
	assert_string_equal(text, "hello");
	assert_int_equal(size, 5);
	assert_null(b.data);
	free(text);

	text = buf_take(&b, NULL);
	assert_string_equal(text, "");
	free(text);
}

static void a_failure_is_remembered(void **state)
{
	struct buf b = BUF_INIT;
	size_t size = 99;

	(void)state;
	buf_puts(&b, "hello");
	assert_null(buf_reserve(&b, SIZE_MAX - 2));
	assert_false(buf_ok(&b));
	buf_puts(&b, "x");
	buf_putc(&b, 'x');
	buf_printf(&b, "%d", 1);
	assert_int_equal(b.size, 5);
	assert_null(buf_take(&b, &size));
	assert_int_equal(size, 0);
	assert_true(buf_ok(&b));
	assert_null(b.data);
}

static void clear_forgets_a_failure(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_null(buf_reserve(&b, SIZE_MAX / 2));
	buf_clear(&b);
	buf_puts(&b, "x");
	assert_true(buf_ok(&b));
	assert_string_equal(buf_text(&b), "x");
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_text),
		cmocka_unit_test(appends_gather),
		cmocka_unit_test(growth_keeps_what_is_there),
		cmocka_unit_test(printing_long_text_needs_no_room_beforehand),
		cmocka_unit_test(reserved_room_is_used_in_part),
		cmocka_unit_test(consume_takes_from_the_front),
		cmocka_unit_test(truncate_takes_from_the_back),
		cmocka_unit_test(clear_keeps_the_memory),
		cmocka_unit_test(take_gives_the_bytes_away),
		cmocka_unit_test(a_failure_is_remembered),
		cmocka_unit_test(clear_forgets_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
