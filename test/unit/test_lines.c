/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/lines.h"

static int ends[2];
static struct lines lines;

static int set_up(void **state)
{
	(void)state;
	lines = (struct lines)LINES_INIT;
	return pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

static int tear_down(void **state)
{
	(void)state;
	lines_release(&lines);
	close(ends[0]);
	return ends[1] >= 0 ? close(ends[1]) : 0;
}

static void put(const char *text)
{
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
}

static void expect(const char *text)
{
	struct slice line;

	assert_true(lines_next(&lines, &line));
	assert_int_equal(line.size, strlen(text));
	assert_memory_equal(line.data, text, line.size);
}

static void expect_none(size_t left)
{
	struct slice line;

	assert_false(lines_next(&lines, &line));
	assert_int_equal(lines_left(&lines), left);
}

static void lines_are_put_together(void **state)
{
	(void)state;
	expect_none(0);
	assert_int_equal(lines_read(&lines, ends[0]), GOFER_TIMEOUT);
	put("one\n\nthr");
	assert_int_equal(lines_read(&lines, ends[0]), GOFER_OK);
	expect("one");
	expect("");
	expect_none(3);
	put("ee");
	assert_int_equal(lines_read(&lines, ends[0]), GOFER_OK);
	expect_none(5);
	put("\nfour");
	assert_int_equal(lines_read(&lines, ends[0]), GOFER_OK);
	expect("three");
	close(ends[1]);
	ends[1] = -1;
	assert_int_equal(lines_read(&lines, ends[0]), GOFER_NOTFOUND);
	expect_none(4);
	struct slice left = lines_take_left(&lines);
	assert_int_equal(left.size, 4);
	assert_memory_equal(left.data, "four", 4);
	expect_none(0);
}

static void what_is_not_taken_yet_stays(void **state)
{
	(void)state;
	put("a\nb\nc\n");
	assert_int_equal(lines_read(&lines, ends[0]), GOFER_OK);
	expect("a");
	put("d\n");
	assert_int_equal(lines_read(&lines, ends[0]), GOFER_OK);
	expect("b");
	expect("c");
	expect("d");
	expect_none(0);
}

static void a_descriptor_that_can_not_be_read_is_told(void **state)
{
	(void)state;
	assert_int_equal(lines_read(&lines, ends[1]), GOFER_IO);
	assert_int_equal(errno, EBADF);
	expect_none(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_are_put_together, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_taken_yet_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_descriptor_that_can_not_be_read_is_told, set_up,
	                                        tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
