/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/grid.h"

static const struct grid_column columns[] = {{"NAME", false}, {"N", true}, {"STATE", false}};

static void assert_printed(const struct grid_view *view, const char *expected)
{
	struct grid g = GRID_INIT(columns);
	struct buf out = BUF_INIT;

	grid_add(&g, GRID_PLAIN, "%s", "a");
	grid_add(&g, GRID_PLAIN, "%d", 5);
	grid_add(&g, GRID_GOOD, "up");
	grid_add(&g, GRID_PLAIN, "l\xc3\xb6nger\n");
	grid_add(&g, GRID_PLAIN, "%d", 1000);
	grid_add(&g, GRID_BAD, "%s", "");
	grid_print(&out, &g, view);
	assert_string_equal(buf_text(&out), expected);
	grid_release(&g);
	buf_release(&out);
}

static void columns_are_aligned(void **state)
{
	static const struct grid_view view = {false, 0, 0};

	(void)state;
	assert_printed(&view,
	               "NAME        N  STATE\n"
	               "a           5  up\n"
	               "l\xc3\xb6nger   1000\n");
}

static void what_there_is_no_room_for_is_cut(void **state)
{
	static const struct grid_view narrow = {false, 16, 0}, narrower = {false, 4, 0},
				      low = {false, 0, 2};

	(void)state;
	assert_printed(&narrow,
	               "NAME        N  S\n"
	               "a           5  u\n"
	               "l\xc3\xb6nger   1000\n");
	assert_printed(&narrower,
	               "NAME\n"
	               "a   \n"
	               "l\xc3\xb6ng\n");
	assert_printed(&low,
	               "NAME        N  STATE\n"
	               "a           5  up\n");
}

static void colours_are_not_counted(void **state)
{
	static const struct grid_view view = {true, 16, 0};

	(void)state;
	assert_printed(&view,
	               "\033[1mNAME\033[0m        \033[1mN\033[0m  \033[1mS\033[0m\n"
	               "a           5  \033[32mu\033[0m\n"
	               "l\xc3\xb6nger   1000\n");
}

static void a_table_of_nothing(void **state)
{
	static const struct grid_view view = {false, 0, 0};
	struct grid g = GRID_INIT(columns);
	struct buf out = BUF_INIT;

	(void)state;
	grid_print(&out, &g, &view);
	assert_string_equal(buf_text(&out), "NAME  N  STATE\n");
	grid_release(&g);
	buf_release(&out);
}

static void a_line(void **state)
{
	static const struct grid_view view = {true, 6, 0};
	struct buf out = BUF_INIT;

	(void)state;
	grid_print_line(&out, "some\nthing", GRID_BAD, &view);
	grid_print_line(&out, "", GRID_PLAIN, &view);
	assert_string_equal(buf_text(&out), "\033[31msome t\033[0m\n\n");
	buf_release(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_aligned),
		cmocka_unit_test(what_there_is_no_room_for_is_cut),
		cmocka_unit_test(colours_are_not_counted),
		cmocka_unit_test(a_table_of_nothing),
		cmocka_unit_test(a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
