/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/unit/config_fixture.h"

static void an_ini_file_is_read(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	assert_int_equal(place_read(&p, "a.conf",
	                            "# a comment\n"
	                            "\n"
	                            "[main]\n"
	                            "threads = 5\r\n"
	                            "enabled: yes   \n"
	                            "  ; a comment\n"
	                            "latency=2m\n"
	                            "[ messaging ] # a comment\n"
	                            "\turl\t=\tamqp://host\n"
	                            "max = 64k\n"
	                            "[model];\n"
	                            "kind=fork"),
	                 GOFER_OK);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_OK);
	place_assert_faults(&p, "");
	assert_int_equal(config_integer(p.c, "main", "threads"), 5);
	assert_true(config_bool(p.c, "main", "enabled"));
	assert_true(config_duration(p.c, "main", "latency") == 120);
	place_assert_text(&p, "messaging", "url", "amqp://host");
	assert_int_equal(config_size(p.c, "messaging", "max"), 65536);
	place_assert_text(&p, "model", "kind", "fork");
	place_leave(&p);
}

static void what_is_not_set_has_its_default(void **state)
{
	struct place p;
	const char *file = "untouched";
	unsigned line = 99;

	(void)state;
	place_enter(&p, place_schema);
	assert_int_equal(place_read(&p, "a.conf", "[main]\nlatency =\n[messaging]\nurl=\n"),
	                 GOFER_OK);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_OK);
	assert_int_equal(config_integer(p.c, "main", "threads"), 1);
	assert_false(config_bool(p.c, "main", "enabled"));
	assert_true(config_duration(p.c, "main", "latency") == 1.5);
	assert_int_equal(config_size(p.c, "messaging", "max"), 8 << 20);
	place_assert_text(&p, "model", "kind", "direct");
	place_assert_text(&p, "messaging", "url", NULL);
	assert_int_equal(config_integer(p.c, "main", "offset"), 0);
	place_assert_text(&p, "no", "such", NULL);
	assert_int_equal(config_integer(p.c, "no", "such"), 0);
	assert_false(config_where(p.c, "main", "threads", &file, &line));
	assert_string_equal(file, "untouched");
	assert_int_equal(line, 99);
	place_leave(&p);
}

/* As in gofer 2.x: a comment is a line of its own. */
static void special_characters_survive_in_values(void **state)
{
	static const char *const values[] = {
		"amqp://u:p;a#b@host/v ; no comment # either",
		"; first",
		"# first",
		"a=b:c=d",
		"\"quoted\"",
		"[brackets]",
		"\xC3\xA9\xF0\x9F\x98\x80",
		"a\tb  c",
	};
	struct buf text = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct place p;
		place_enter(&p, place_schema);
		buf_clear(&text);
		buf_printf(&text, "[messaging]\npassword = %s\n", values[i]);
		assert_int_equal(place_read(&p, "a.conf", buf_text(&text)), GOFER_OK);
		place_assert_text(&p, "messaging", "password", values[i]);
		place_leave(&p);
	}
	buf_release(&text);
}

static void lines_of_any_length_come_through_whole(void **state)
{
	static const size_t sizes[] = {1,   10,  90,  91,   92,   93,   94,   150,   180,   185,
	                               186, 187, 188, 189,  190,  191,  192,  193,   194,   195,
	                               196, 197, 198, 199,  200,  201,  202,  380,   390,   395,
	                               400, 401, 600, 1000, 4096, 5000, 9999, 65000, 65500, 65525};
	char *value = malloc(65536);
	struct buf text = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct place p;
		place_enter(&p, place_schema);
		/* whitespace, comment signs and separators at each place in turn */
		for (size_t j = 0; j < sizes[i]; j++)
			value[j] = "ab ;c  #d\t=:"[(j + i) % 12];
		value[0] = 'x';
		value[sizes[i] - 1] = 'y';
		value[sizes[i]] = '\0';
		buf_clear(&text);
		buf_printf(&text, "[own]\nbefore=1\npassword=%s\nafter=2\n", value);
		assert_int_equal(place_read(&p, "a.conf", buf_text(&text)), GOFER_OK);
		place_assert_text(&p, "own", "password", value);
		place_assert_text(&p, "own", "before", "1");
		place_assert_text(&p, "own", "after", "2");
		place_leave(&p);
	}
	buf_release(&text);
	free(value);
}

static void a_line_that_is_too_long_is_told_and_not_cut(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;

	(void)state;
	place_enter(&p, place_schema);
	for (int extra = 0; extra < 2; extra++) {
		char *value = malloc(CONFIG_LINE_MAX);
		size_t size = CONFIG_LINE_MAX - 5 + (size_t)extra; /* without "long=" */
		memset(value, 'x', size);
		buf_clear(&text);
		buf_puts(&text, "[own]\nlong=");
		buf_append(&text, value, size);
		buf_puts(&text, "\n  more\nafter=1\n");
		free(value);
		enum gofer_err err = place_read(&p, "a.conf", buf_text(&text));
		assert_int_equal(err, extra ? GOFER_INVALID : GOFER_OK);
	}
	place_assert_faults(&p, "a.conf:2: the line is longer than 65536 bytes\n");
	/* a comment may be as long as it likes */
	buf_clear(&text);
	buf_puts(&text, "#");
	for (int i = 0; i < 10000; i++)
		buf_puts(&text, " comment");
	buf_puts(&text, "\n[own]\nb=1\n");
	assert_int_equal(place_read(&p, "b.conf", buf_text(&text)), GOFER_OK);
	buf_release(&text);
	place_leave(&p);
}

static void an_indented_line_continues_the_value(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;

	(void)state;
	place_enter(&p, place_schema);
	assert_int_equal(place_read(&p, "a.conf",
	                            "[own]\n"
	                            "list = one\n"
	                            "   two ;2\n"
	                            "\n"
	                            "  # a comment\n"
	                            "\tthree = 3\n"
	                            "empty =\n"
	                            "  first\n"
	                            "  [second]\n"
	                            "last = x\n"),
	                 GOFER_OK);
	place_assert_text(&p, "own", "list", "one\ntwo ;2\nthree = 3");
	place_assert_text(&p, "own", "empty", "first\n[second]");
	place_assert_text(&p, "own", "last", "x");
	/* a long one, too */
	buf_puts(&text, "[own]\nlong = ");
	for (int i = 0; i < 100; i++)
		buf_puts(&text, "abc ;# ");
	buf_puts(&text, "z\n ");
	for (int i = 0; i < 100; i++)
		buf_puts(&text, "def ;# ");
	buf_puts(&text, "z\n");
	assert_int_equal(place_read(&p, "b.conf", buf_text(&text)), GOFER_OK);
	const char *value = config_text(p.c, "own", "long");
	assert_int_equal(strlen(value), 2 * 701 + 1);
	assert_int_equal(value[701], '\n');
	assert_int_equal(strncmp(value + 693, "abc ;# z\ndef ;# def", 19), 0);
	buf_release(&text);
	place_leave(&p);
}

static void an_indented_key_of_the_schema_is_a_slip(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	assert_int_equal(place_read(&p, "a.conf",
	                            "[messaging]\n"
	                            "  url = amqp://host\n"
	                            "  password = x\n"
	                            "  more\n"
	                            "  [main]\n"
	                            "  threads = 3\n"),
	                 GOFER_INVALID);
	place_assert_faults(
		&p,
		"a.conf:3: is indented, so that it continues `url`; `password = x` must stand "
		"at the beginning of its line\n"
		"a.conf:5: is indented, so that it continues `password`; `[main]` must stand "
		"at the beginning of its line\n");
	place_assert_text(&p, "messaging", "url", "amqp://host");
	place_assert_text(&p, "messaging", "password", "x\nmore");
	assert_int_equal(config_integer(p.c, "main", "threads"), 3);
	place_leave(&p);
}

static void faults_of_an_ini_file_are_told_by_line(void **state)
{
	struct place p;
	static const char text[] = "early = 1\n"
				   "[main\n"
				   "skipped = 1\n"
				   "[]\n"
				   "[ ]\n"
				   "[main] junk\n"
				   "[a_name_of_a_section_that_is_longer_than_49_bytes_is]\n"
				   "[main]\n"
				   "nothing here\n"
				   "  and nothing there\n"
				   "= 5\n"
				   ": 6\n"
				   "threads = 2\n"
				   "bell = \a\n"
				   "threads = 3\n"
				   "offset = 9\n"
				   "[\x01]\n"
				   "lost = 1\n"
				   "[own]\n"
				   "x=1\n"
				   "[main]\n"
				   "enabled=1\n";

	(void)state;
	place_enter(&p, place_schema);
	assert_int_equal(place_read(&p, "a.conf", text), GOFER_INVALID);
	place_assert_faults(
		&p,
		"a.conf:1: `early` stands before the first [section]\n"
		"a.conf:2: a section's name without `]` behind it\n"
		"a.conf:4: a section without a name; [name] would be right\n"
		"a.conf:5: a section without a name; [name] would be right\n"
		"a.conf:6: something behind [main]; only a comment may stand there\n"
		"a.conf:7: a section's name of 51 bytes; 49 are the most\n"
		"a.conf:9: neither a [section] nor key = value\n"
		"a.conf:11: no key before the `=`; key = value would be right\n"
		"a.conf:12: no key before the `=`; key = value would be right\n"
		"a.conf:14: the byte 0x07 in column 8; control characters are not taken\n"
		"a.conf:15: [main] threads: is there twice, first in line 13\n"
		"a.conf:17: the byte 0x01 in column 2; control characters are not taken\n");
	/* what stands below a wrong heading is nobody's, what was right is kept */
	place_assert_text(&p, "main", "lost", NULL);
	place_assert_text(&p, "", "skipped", NULL);
	assert_int_equal(config_integer(p.c, "main", "threads"), 2);
	assert_int_equal(config_integer(p.c, "main", "offset"), 9);
	assert_true(config_bool(p.c, "main", "enabled"));
	place_assert_text(&p, "own", "x", "1");
	place_leave(&p);
}

static void names_have_a_most(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;
	char section[CONFIG_SECTION_MAX + 1], key[CONFIG_KEY_MAX + 1];

	(void)state;
	place_enter(&p, place_schema);
	memset(section, 's', sizeof(section));
	memset(key, 'k', sizeof(key));
	section[CONFIG_SECTION_MAX] = key[CONFIG_KEY_MAX] = '\0';
	buf_printf(&text, "[%s]\n%s = 1\n%sk = 2\n  more\n", section, key, key);
	assert_int_equal(place_read(&p, "a.conf", buf_text(&text)), GOFER_INVALID);
	place_assert_faults(&p, "a.conf:3: a key of 101 bytes; 100 are the most\n");
	place_assert_text(&p, section, key, "1");
	buf_release(&text);
	place_leave(&p);
}

static void a_nul_byte_is_a_fault(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	place_write_bytes("a.conf",
	                  "[main]\nthreads=1\0"
	                  "2\n\0\n",
	                  21);
	assert_int_equal(config_read_file(p.c, "a.conf", &p.faults), GOFER_INVALID);
	place_assert_faults(
		&p,
		"a.conf:2: the byte 0x00 in column 10; control characters are not taken\n"
		"a.conf:3: the byte 0x00 in column 1; control characters are not taken\n");
	place_leave(&p);
}

static void a_byte_order_mark_is_passed_over(void **state)
{
	struct place p;

	(void)state;
	place_enter(&p, place_schema);
	assert_int_equal(place_read(&p, "a.conf", "\xEF\xBB\xBF[main]\nthreads=7\n"), GOFER_OK);
	assert_int_equal(config_integer(p.c, "main", "threads"), 7);
	place_leave(&p);
}

static void of_very_many_faults_some_are_told(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;

	(void)state;
	place_enter(&p, place_schema);
	for (int i = 0; i < 5000; i++)
		buf_puts(&text, "x\n");
	assert_int_equal(place_read(&p, "a.conf", buf_text(&text)), GOFER_INVALID);
	assert_int_equal(p.faults.count, CONFIG_FAULTS_MAX + 1);
	assert_non_null(strstr(buf_text(&p.faults.text),
	                       "a.conf:100: too many faults; the rest of the file is not read\n"));
	buf_release(&text);
	place_leave(&p);
}

static void of_very_many_keys_some_are_taken(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;

	(void)state;
	place_enter(&p, place_schema);
	buf_puts(&text, "[own]\n");
	for (int i = 0; i < CONFIG_VALUES_MAX + 5; i++)
		buf_printf(&text, "k%d=%d\n", i, i);
	assert_int_equal(place_read(&p, "a.conf", buf_text(&text)), GOFER_INVALID);
	place_assert_faults(&p, "a.conf:2002: more than 2000 keys in all\n");
	place_assert_text(&p, "own", "k1999", "1999");
	assert_int_equal(config_set(p.c, "own", "one_more", "x", "--set"), GOFER_FULL);
	assert_int_equal(config_set(p.c, "own", "k0", "x", "--set"), GOFER_OK);
	buf_release(&text);
	place_leave(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ini_file_is_read),
		cmocka_unit_test(what_is_not_set_has_its_default),
		cmocka_unit_test(special_characters_survive_in_values),
		cmocka_unit_test(lines_of_any_length_come_through_whole),
		cmocka_unit_test(a_line_that_is_too_long_is_told_and_not_cut),
		cmocka_unit_test(an_indented_line_continues_the_value),
		cmocka_unit_test(an_indented_key_of_the_schema_is_a_slip),
		cmocka_unit_test(faults_of_an_ini_file_are_told_by_line),
		cmocka_unit_test(names_have_a_most),
		cmocka_unit_test(a_nul_byte_is_a_fault),
		cmocka_unit_test(a_byte_order_mark_is_passed_over),
		cmocka_unit_test(of_very_many_faults_some_are_told),
		cmocka_unit_test(of_very_many_keys_some_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
