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

#include "core/config.h"

static const struct config_property schema[] = {
	{"main", "threads", CONFIG_INTEGER, "1", .min = 1, .max = 100, .help = "How many."},
	{"main", "enabled", CONFIG_BOOL, "0", .help = "Whether."},
	{"main", "latency", CONFIG_DURATION, "1.5", .help = "How long."},
	{"main", "offset", CONFIG_INTEGER, .help = "How far."},
	{"messaging", "url", CONFIG_TEXT, .help = "Where to."},
	{"messaging", "password", CONFIG_TEXT, .help = "With what."},
	{"messaging", "max", CONFIG_SIZE, "8m", .min = 1024, .max = 1 << 30, .help = "How big."},
	{"model", "kind", CONFIG_CHOICE, "direct", .choices = "direct|fork",
         .help = "In what way."},
	{"logging", "*", CONFIG_TEXT, .help = "Levels."},
	{.section = NULL},
};

static const struct config_property strict[] = {
	{"main", "name", CONFIG_TEXT, .required = true, .help = "Its name."},
	{.section = NULL},
};

/* --- files in a directory of the test's own; names in faults are without it --- */

struct place {
	char path[32];
	char old[4096];
	struct config *c;
	struct config_faults faults;
};

static void enter(struct place *p, const struct config_property *properties)
{
	memset(p, 0, sizeof(*p));
	strcpy(p->path, "/tmp/test_config.XXXXXX");
	assert_non_null(mkdtemp(p->path));
	assert_non_null(getcwd(p->old, sizeof(p->old)));
	assert_int_equal(chdir(p->path), 0);
	p->c = config_new(properties);
	assert_non_null(p->c);
}

static void leave(struct place *p)
{
	char command[64];

	config_free(p->c);
	config_faults_release(&p->faults);
	assert_int_equal(chdir(p->old), 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", p->path);
	assert_int_equal(system(command), 0);
}

static void write_bytes(const char *name, const char *data, size_t size)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
}

static void write_text(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static enum gofer_err read_text(struct place *p, const char *name, const char *text)
{
	write_text(name, text);
	return config_read_file(p->c, name, &p->faults);
}

static void assert_faults(const struct place *p, const char *faults)
{
	size_t lines = 0;

	for (const char *at = faults; *at; at++)
		lines += *at == '\n';
	assert_string_equal(buf_text(&p->faults.text), faults);
	assert_int_equal(p->faults.count, lines);
}

static void assert_text(const struct place *p, const char *section, const char *key,
                        const char *text)
{
	const char *found = config_text(p->c, section, key);

	if (!text) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, text);
}

static bool append_pair(void *arg, const char *key, const char *value)
{
	buf_printf(arg, "%s=%s;", key, value);
	return ((struct buf *)arg)->size < 40;
}

/* --- INI --- */

static void an_ini_file_is_read(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	assert_int_equal(read_text(&p, "a.conf",
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
	assert_faults(&p, "");
	assert_int_equal(config_integer(p.c, "main", "threads"), 5);
	assert_true(config_bool(p.c, "main", "enabled"));
	assert_true(config_duration(p.c, "main", "latency") == 120);
	assert_text(&p, "messaging", "url", "amqp://host");
	assert_int_equal(config_size(p.c, "messaging", "max"), 65536);
	assert_text(&p, "model", "kind", "fork");
	leave(&p);
}

static void what_is_not_set_has_its_default(void **state)
{
	struct place p;
	const char *file = "untouched";
	unsigned line = 99;

	(void)state;
	enter(&p, schema);
	assert_int_equal(read_text(&p, "a.conf", "[main]\nlatency =\n[messaging]\nurl=\n"),
	                 GOFER_OK);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_OK);
	assert_int_equal(config_integer(p.c, "main", "threads"), 1);
	assert_false(config_bool(p.c, "main", "enabled"));
	assert_true(config_duration(p.c, "main", "latency") == 1.5);
	assert_int_equal(config_size(p.c, "messaging", "max"), 8 << 20);
	assert_text(&p, "model", "kind", "direct");
	assert_text(&p, "messaging", "url", NULL);
	assert_int_equal(config_integer(p.c, "main", "offset"), 0);
	assert_text(&p, "no", "such", NULL);
	assert_int_equal(config_integer(p.c, "no", "such"), 0);
	assert_false(config_where(p.c, "main", "threads", &file, &line));
	assert_string_equal(file, "untouched");
	assert_int_equal(line, 99);
	leave(&p);
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
		enter(&p, schema);
		buf_clear(&text);
		buf_printf(&text, "[messaging]\npassword = %s\n", values[i]);
		assert_int_equal(read_text(&p, "a.conf", buf_text(&text)), GOFER_OK);
		assert_text(&p, "messaging", "password", values[i]);
		leave(&p);
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
		enter(&p, schema);
		/* whitespace, comment signs and separators at each place in turn */
		for (size_t j = 0; j < sizes[i]; j++)
			value[j] = "ab ;c  #d\t=:"[(j + i) % 12];
		value[0] = 'x';
		value[sizes[i] - 1] = 'y';
		value[sizes[i]] = '\0';
		buf_clear(&text);
		buf_printf(&text, "[own]\nbefore=1\npassword=%s\nafter=2\n", value);
		assert_int_equal(read_text(&p, "a.conf", buf_text(&text)), GOFER_OK);
		assert_text(&p, "own", "password", value);
		assert_text(&p, "own", "before", "1");
		assert_text(&p, "own", "after", "2");
		leave(&p);
	}
	buf_release(&text);
	free(value);
}

static void a_line_that_is_too_long_is_told_and_not_cut(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;

	(void)state;
	enter(&p, schema);
	for (int extra = 0; extra < 2; extra++) {
		char *value = malloc(CONFIG_LINE_MAX);
		size_t size = CONFIG_LINE_MAX - 5 + (size_t)extra; /* without "long=" */
		memset(value, 'x', size);
		buf_clear(&text);
		buf_puts(&text, "[own]\nlong=");
		buf_append(&text, value, size);
		buf_puts(&text, "\n  more\nafter=1\n");
		free(value);
		enum gofer_err err = read_text(&p, "a.conf", buf_text(&text));
		assert_int_equal(err, extra ? GOFER_INVALID : GOFER_OK);
	}
	assert_faults(&p, "a.conf:2: the line is longer than 65536 bytes\n");
	/* a comment may be as long as it likes */
	buf_clear(&text);
	buf_puts(&text, "#");
	for (int i = 0; i < 10000; i++)
		buf_puts(&text, " comment");
	buf_puts(&text, "\n[own]\nb=1\n");
	assert_int_equal(read_text(&p, "b.conf", buf_text(&text)), GOFER_OK);
	buf_release(&text);
	leave(&p);
}

static void an_indented_line_continues_the_value(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;

	(void)state;
	enter(&p, schema);
	assert_int_equal(read_text(&p, "a.conf",
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
	assert_text(&p, "own", "list", "one\ntwo ;2\nthree = 3");
	assert_text(&p, "own", "empty", "first\n[second]");
	assert_text(&p, "own", "last", "x");
	/* a long one, too */
	buf_puts(&text, "[own]\nlong = ");
	for (int i = 0; i < 100; i++)
		buf_puts(&text, "abc ;# ");
	buf_puts(&text, "z\n ");
	for (int i = 0; i < 100; i++)
		buf_puts(&text, "def ;# ");
	buf_puts(&text, "z\n");
	assert_int_equal(read_text(&p, "b.conf", buf_text(&text)), GOFER_OK);
	const char *value = config_text(p.c, "own", "long");
	assert_int_equal(strlen(value), 2 * 701 + 1);
	assert_int_equal(value[701], '\n');
	assert_int_equal(strncmp(value + 693, "abc ;# z\ndef ;# def", 19), 0);
	buf_release(&text);
	leave(&p);
}

static void an_indented_key_of_the_schema_is_a_slip(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	assert_int_equal(read_text(&p, "a.conf",
	                           "[messaging]\n"
	                           "  url = amqp://host\n"
	                           "  password = x\n"
	                           "  more\n"
	                           "  [main]\n"
	                           "  threads = 3\n"),
	                 GOFER_INVALID);
	assert_faults(
		&p,
		"a.conf:3: is indented, so that it continues `url`; `password = x` must stand "
		"at the beginning of its line\n"
		"a.conf:5: is indented, so that it continues `password`; `[main]` must stand "
		"at the beginning of its line\n");
	assert_text(&p, "messaging", "url", "amqp://host");
	assert_text(&p, "messaging", "password", "x\nmore");
	assert_int_equal(config_integer(p.c, "main", "threads"), 3);
	leave(&p);
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
	enter(&p, schema);
	assert_int_equal(read_text(&p, "a.conf", text), GOFER_INVALID);
	assert_faults(&p,
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
	assert_text(&p, "main", "lost", NULL);
	assert_text(&p, "", "skipped", NULL);
	assert_int_equal(config_integer(p.c, "main", "threads"), 2);
	assert_int_equal(config_integer(p.c, "main", "offset"), 9);
	assert_true(config_bool(p.c, "main", "enabled"));
	assert_text(&p, "own", "x", "1");
	leave(&p);
}

static void names_have_a_most(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;
	char section[CONFIG_SECTION_MAX + 1], key[CONFIG_KEY_MAX + 1];

	(void)state;
	enter(&p, schema);
	memset(section, 's', sizeof(section));
	memset(key, 'k', sizeof(key));
	section[CONFIG_SECTION_MAX] = key[CONFIG_KEY_MAX] = '\0';
	buf_printf(&text, "[%s]\n%s = 1\n%sk = 2\n  more\n", section, key, key);
	assert_int_equal(read_text(&p, "a.conf", buf_text(&text)), GOFER_INVALID);
	assert_faults(&p, "a.conf:3: a key of 101 bytes; 100 are the most\n");
	assert_text(&p, section, key, "1");
	buf_release(&text);
	leave(&p);
}

static void a_nul_byte_is_a_fault(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	write_bytes("a.conf",
	            "[main]\nthreads=1\0"
	            "2\n\0\n",
	            21);
	assert_int_equal(config_read_file(p.c, "a.conf", &p.faults), GOFER_INVALID);
	assert_faults(&p,
	              "a.conf:2: the byte 0x00 in column 10; control characters are not taken\n"
	              "a.conf:3: the byte 0x00 in column 1; control characters are not taken\n");
	leave(&p);
}

static void a_byte_order_mark_is_passed_over(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	assert_int_equal(read_text(&p, "a.conf", "\xEF\xBB\xBF[main]\nthreads=7\n"), GOFER_OK);
	assert_int_equal(config_integer(p.c, "main", "threads"), 7);
	leave(&p);
}

static void of_very_many_faults_some_are_told(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;

	(void)state;
	enter(&p, schema);
	for (int i = 0; i < 5000; i++)
		buf_puts(&text, "x\n");
	assert_int_equal(read_text(&p, "a.conf", buf_text(&text)), GOFER_INVALID);
	assert_int_equal(p.faults.count, CONFIG_FAULTS_MAX + 1);
	assert_non_null(strstr(buf_text(&p.faults.text),
	                       "a.conf:100: too many faults; the rest of the file is not read\n"));
	buf_release(&text);
	leave(&p);
}

static void of_very_many_keys_some_are_taken(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;

	(void)state;
	enter(&p, schema);
	buf_puts(&text, "[own]\n");
	for (int i = 0; i < CONFIG_VALUES_MAX + 5; i++)
		buf_printf(&text, "k%d=%d\n", i, i);
	assert_int_equal(read_text(&p, "a.conf", buf_text(&text)), GOFER_INVALID);
	assert_faults(&p, "a.conf:2002: more than 2000 keys in all\n");
	assert_text(&p, "own", "k1999", "1999");
	assert_int_equal(config_set(p.c, "own", "one_more", "x", "--set"), GOFER_FULL);
	assert_int_equal(config_set(p.c, "own", "k0", "x", "--set"), GOFER_OK);
	buf_release(&text);
	leave(&p);
}

/* --- JSON --- */

static void a_json_file_is_read(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	assert_int_equal(read_text(&p, "a.json",
	                           "{\n"
	                           " \"main\": {\"threads\": 5, \"enabled\": true},\n"
	                           " \"messaging\": {\"url\": \"amqp://h; #\\n\"},\n"
	                           " \"own\": {\"list\": [1, {\"a\": 2.0}], \"n\": 1e400,\n"
	                           "         \"no\": null, \"f\": false}\n"
	                           "}\n"),
	                 GOFER_OK);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_OK);
	assert_faults(&p, "");
	assert_int_equal(config_integer(p.c, "main", "threads"), 5);
	assert_true(config_bool(p.c, "main", "enabled"));
	assert_text(&p, "messaging", "url", "amqp://h; #\n");
	assert_text(&p, "own", "list", "[1, {\"a\": 2.0}]");
	assert_text(&p, "own", "n", "1e400");
	assert_text(&p, "own", "f", "false");
	assert_text(&p, "own", "no", NULL);
	leave(&p);
}

static void null_takes_back_what_was_set(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	read_text(&p, "a.conf", "[own]\na=1\nb=2\nc=3\n[main]\nthreads=9\n");
	assert_int_equal(read_text(&p, "b.json",
	                           "{\"own\": {\"b\": null, \"z\": null}, "
	                           "\"main\": {\"threads\": null}}"),
	                 GOFER_OK);
	assert_text(&p, "own", "a", "1");
	assert_text(&p, "own", "b", NULL);
	assert_text(&p, "own", "c", "3");
	assert_int_equal(config_integer(p.c, "main", "threads"), 1);
	leave(&p);
}

static void faults_of_a_json_file_are_told_by_line(void **state)
{
	static const char *const cases[][2] = {
		{"", "a.json:1: column 1: expected a value, found the end of the text\n"},
		{"[]",
	         "a.json:1: must be an object, {\"section\": {\"key\": value}}; found list\n"},
		{"{\"main\": {}\n,\n}",
	         "a.json:3: column 1: expected a key in double quotes, found "
	         "}\n"},
		{"{\n\"main\": 1}",
	         "a.json:2: [main]: must be an object, {\"key\": value}; found int\n"},
		{"{\"main\": {\n\"threads\": [],\n\n\"enabled\": {}}}",
	         "a.json:4: [main] enabled: must be text, a number, true, false or null; found dict\n"
	         "a.json:2: [main] threads: must be text, a number, true, false or null; found "
	         "list\n"},
		{"{\"own\": {\"a\": 1,\n \"b\": \"x\\u0000y\"}}",
	         "a.json:2: [own] b: must be text without \\u0000 and lone surrogates\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place p;
		enter(&p, schema);
		assert_int_equal(read_text(&p, "a.json", cases[i][0]), GOFER_INVALID);
		assert_faults(&p, cases[i][1]);
		leave(&p);
	}
}

static void a_json_value_knows_its_line(void **state)
{
	struct place p;
	const char *file = NULL;
	unsigned line = 0;

	(void)state;
	enter(&p, schema);
	read_text(&p, "a.json",
	          "{\"other\": {\"threads\": 1},\n\"main\": {\n\"x\": {},\n\"threads\":\n 500}}");
	p.faults.count = 0;
	buf_clear(&p.faults.text);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	assert_faults(&p,
	              "a.json:5: [main] threads: must be a whole number from 1 to 100; "
	              "not \"500\"\n");
	assert_true(config_where(p.c, "main", "threads", &file, &line));
	assert_string_equal(file, "a.json");
	assert_int_equal(line, 5);
	leave(&p);
}

static void of_very_many_faults_in_json_some_are_told(void **state)
{
	struct place p;
	struct buf text = BUF_INIT;

	(void)state;
	enter(&p, schema);
	buf_puts(&text, "{");
	for (int i = 0; i < 300; i++)
		buf_printf(&text, "%s\"s%d\": 1", i ? ", " : "", i);
	buf_puts(&text, "}");
	assert_int_equal(read_text(&p, "a.json", buf_text(&text)), GOFER_INVALID);
	assert_int_equal(p.faults.count, CONFIG_FAULTS_MAX);
	buf_release(&text);
	leave(&p);
}

/* --- merging --- */

static void later_files_win_and_know_their_lines(void **state)
{
	struct place p;
	const char *file = NULL;
	unsigned line = 0;
	struct buf pairs = BUF_INIT;

	(void)state;
	enter(&p, schema);
	read_text(&p, "a.conf", "[main]\nthreads=2\nenabled=1\n[own]\na=1\nb=2\n");
	read_text(&p, "b.conf", "\n[own]\nc=3\na=4\n[main]\nthreads=3\n");
	assert_faults(&p, "");
	assert_int_equal(config_integer(p.c, "main", "threads"), 3);
	assert_true(config_bool(p.c, "main", "enabled"));
	assert_true(config_where(p.c, "main", "threads", &file, &line));
	assert_string_equal(file, "b.conf");
	assert_int_equal(line, 6);
	config_each(p.c, "own", append_pair, &pairs);
	assert_string_equal(buf_text(&pairs), "a=4;b=2;c=3;");
	buf_release(&pairs);

	assert_int_equal(config_set(p.c, "main", "threads", "500", "--threads"), GOFER_OK);
	assert_true(config_where(p.c, "main", "threads", &file, &line));
	assert_string_equal(file, "--threads");
	assert_int_equal(line, 0);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	assert_faults(&p,
	              "--threads: [main] threads: must be a whole number from 1 to 100; "
	              "not \"500\"\n");
	leave(&p);
}

static bool stop_at_once(void *arg, const char *key, const char *value)
{
	(void)key;
	(void)value;
	return ++*(int *)arg < 2;
}

static void whoever_asks_for_each_may_stop(void **state)
{
	struct place p;
	int count = 0;

	(void)state;
	enter(&p, schema);
	read_text(&p, "a.conf", "[own]\na=1\nb=2\nc=3\n");
	config_each(p.c, "own", stop_at_once, &count);
	assert_int_equal(count, 2);
	leave(&p);
}

static void a_directory_is_read_by_name(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	assert_int_equal(config_read_directory(p.c, "conf.d", &p.faults), GOFER_OK);
	mkdir("conf.d", 0700);
	assert_int_equal(config_read_directory(p.c, "conf.d", &p.faults), GOFER_OK);
	write_text("conf.d/20-b.conf", "[own]\na=20\n");
	write_text("conf.d/10-a.json", "{\"own\": {\"a\": 10, \"b\": 10}}");
	write_text("conf.d/.hidden.conf", "[own]\nhidden=1\n");
	write_text("conf.d/30-c.conf.bak", "[own]\na=bak\n");
	write_text("conf.d/conf", "[own]\na=conf\n");
	assert_int_equal(config_read_directory(p.c, "conf.d", &p.faults), GOFER_OK);
	assert_faults(&p, "");
	assert_text(&p, "own", "a", "20");
	assert_text(&p, "own", "b", "10");
	assert_text(&p, "own", "hidden", NULL);
	leave(&p);
}

static void all_files_of_a_directory_are_read_whatever_is_wrong(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	mkdir("conf.d", 0700);
	mkdir("conf.d/10-directory.conf", 0700);
	assert_int_equal(mkfifo("conf.d/20-pipe.conf", 0600), 0);
	assert_int_equal(symlink("nowhere", "conf.d/30-dangling.conf"), 0);
	write_text("conf.d/40-bad.conf", "x\n");
	write_text("conf.d/50-good.conf", "[own]\na=1\n");
	assert_int_equal(config_read_directory(p.c, "conf.d", &p.faults), GOFER_INVALID);
	assert_faults(&p,
	              "conf.d/10-directory.conf: not a file\n"
	              "conf.d/20-pipe.conf: not a file\n"
	              "conf.d/30-dangling.conf: can't be opened: No such file or directory\n"
	              "conf.d/40-bad.conf:1: neither a [section] nor key = value\n");
	assert_text(&p, "own", "a", "1");
	leave(&p);
}

static void what_is_no_directory_is_told(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	write_text("conf.d", "");
	assert_int_equal(config_read_directory(p.c, "conf.d", &p.faults), GOFER_INVALID);
	assert_faults(&p, "conf.d: can't be read: Not a directory\n");
	leave(&p);
}

static void files_that_cannot_be_read_are_told(void **state)
{
	struct place p;
	char *big = calloc(1, CONFIG_FILE_MAX + 1);

	(void)state;
	enter(&p, schema);
	assert_int_equal(config_read_file(p.c, "nosuch.conf", &p.faults), GOFER_NOTFOUND);
	assert_int_equal(config_read_file(p.c, "nosuch/a.conf", &p.faults), GOFER_NOTFOUND);
	assert_faults(&p, "");
	mkdir("dir.conf", 0700);
	assert_int_equal(config_read_file(p.c, "dir.conf", &p.faults), GOFER_INVALID);
	assert_int_equal(symlink("loop.conf", "loop.conf"), 0);
	assert_int_equal(config_read_file(p.c, "loop.conf", &p.faults), GOFER_INVALID);
	memset(big, '#', CONFIG_FILE_MAX + 1);
	write_bytes("big.conf", big, CONFIG_FILE_MAX);
	assert_int_equal(config_read_file(p.c, "big.conf", &p.faults), GOFER_OK);
	write_bytes("big.conf", big, CONFIG_FILE_MAX + 1);
	assert_int_equal(config_read_file(p.c, "big.conf", &p.faults), GOFER_INVALID);
	assert_faults(&p,
	              "dir.conf: can't be read: Is a directory\n"
	              "loop.conf: can't be opened: Too many levels of symbolic links\n"
	              "big.conf: larger than 1048576 bytes\n");
	free(big);
	leave(&p);
}

/* --- checking --- */

static void unknown_keys_are_told_with_the_nearest(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	read_text(&p, "a.conf",
	          "[main]\n"
	          "thread = 1\n"
	          "url = x\n"
	          "colour = red\n"
	          "[logging]\n"
	          "anything = debug\n"
	          "[own]\n"
	          "anything = debug\n");
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	assert_faults(&p,
	              "a.conf:2: [main] unknown key `thread`; did you mean `threads`?\n"
	              "a.conf:3: [main] unknown key `url`; it belongs to [messaging]\n"
	              "a.conf:4: [main] unknown key `colour`\n");
	assert_text(&p, "logging", "anything", "debug");
	assert_text(&p, "own", "anything", "debug");
	leave(&p);
}

static void values_must_be_of_their_kind(void **state)
{
	static const struct {
		const char *section, *key, *value;
		bool right;
	} cases[] = {
		{"main", "threads", "1", true},
		{"main", "threads", "100", true},
		{"main", "threads", "0", false},
		{"main", "threads", "101", false},
		{"main", "threads", "-1", false},
		{"main", "threads", "1.5", false},
		{"main", "threads", "+1", false},
		{"main", "threads", "1x", false},
		{"main", "threads", "0x10", false},
		{"main", "threads", "99999999999999999999", false},
		{"main", "offset", "-5", true},
		{"main", "offset", "-", false},
		{"main", "enabled", "TRUE", true},
		{"main", "enabled", "off", true},
		{"main", "enabled", "No", true},
		{"main", "enabled", "2", false},
		{"main", "enabled", "y", false},
		{"main", "latency", "0", true},
		{"main", "latency", "1h", true},
		{"main", "latency", "-1", false},
		{"main", "latency", "1w", false},
		{"main", "latency", "nan", false},
		{"messaging", "max", "1024", true},
		{"messaging", "max", "1G", true},
		{"messaging", "max", "2g", false},
		{"messaging", "max", "1", false},
		{"messaging", "max", "1mb", false},
		{"messaging", "max", "-4k", false},
		{"messaging", "max", "9007199254740992g", false},
		{"model", "kind", "direct", true},
		{"model", "kind", "fork", true},
		{"model", "kind", "direct|fork", false},
		{"model", "kind", "Fork", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place p;
		enter(&p, schema);
		config_set(p.c, cases[i].section, cases[i].key, cases[i].value, "--x");
		if (config_check(p.c, &p.faults) != (cases[i].right ? GOFER_OK : GOFER_INVALID))
			fail_msg("%s = %s: %s", cases[i].key, cases[i].value,
			         buf_text(&p.faults.text));
		leave(&p);
	}
}

static void faults_of_kind_say_what_would_be_right(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	read_text(&p, "a.conf",
	          "[main]\nthreads=x\nenabled=2\nlatency=soon\noffset=1.5\n"
	          "[messaging]\nmax=huge\n[model]\nkind=a value that is too long to be shown as a "
	          "whole\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\n");
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	assert_faults(
		&p,
		"a.conf:2: [main] threads: must be a whole number from 1 to 100; not \"x\"\n"
		"a.conf:3: [main] enabled: must be 1 or 0, true or false, yes or no, on or off; "
		"not \"2\"\n"
		"a.conf:4: [main] latency: must be a time, as in 90, 1.5, 10s, 2m, 1h, 3d; not "
		"\"soon\"\n"
		"a.conf:5: [main] offset: must be a whole number; not \"1.5\"\n"
		"a.conf:7: [messaging] max: must be a number of bytes, as in 65536, 64k, 8m, 1g, "
		"from 1024 to 1073741824; not \"huge\"\n"
		"a.conf:9: [model] kind: must be one of direct, fork; not \"a value that is too "
		"long to be shown as a whole\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9...\"\n");
	/* what is wrong does as if not set */
	assert_int_equal(config_integer(p.c, "main", "threads"), 1);
	assert_false(config_bool(p.c, "main", "enabled"));
	assert_true(config_duration(p.c, "main", "latency") == 1.5);
	assert_int_equal(config_integer(p.c, "main", "offset"), 0);
	assert_text(&p, "main", "offset", NULL);
	assert_text(&p, "model", "kind", "direct");
	leave(&p);
}

static void typed_getters_give_the_default_for_what_was_not_checked(void **state)
{
	struct place p;

	(void)state;
	enter(&p, schema);
	read_text(&p, "a.conf", "[main]\nthreads=x\n[own]\nsize=4k\nn=7\nt=1m\nb=on\nbad=x\n");
	assert_int_equal(config_integer(p.c, "main", "threads"), 1);
	assert_int_equal(config_size(p.c, "own", "size"), 4096);
	assert_int_equal(config_integer(p.c, "own", "n"), 7);
	assert_true(config_duration(p.c, "own", "t") == 60);
	assert_true(config_bool(p.c, "own", "b"));
	assert_int_equal(config_integer(p.c, "own", "bad"), 0);
	leave(&p);
}

static void required_keys_must_be_there(void **state)
{
	static const char *const cases[][2] = {
		{"", "a.conf: [main] name: is required, and missing\n"},
		{"\n[main]\n", "a.conf:2: [main] name: is required, and missing\n"},
		{"[main]\n[own]\n[main]\n", "a.conf:3: [main] name: is required, and missing\n"},
		{"[main]\nname =\n", "a.conf:2: [main] name: is required, and empty\n"},
		{"[main]\nname = x\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct place p;
		enter(&p, strict);
		assert_int_equal(read_text(&p, "a.conf", cases[i][0]), GOFER_OK);
		config_set(p.c, "own", "x", "y", "--x"); /* has nothing to do with it */
		config_check(p.c, &p.faults);
		assert_faults(&p, cases[i][1]);
		leave(&p);
	}
}

static void without_a_file_no_file_is_told(void **state)
{
	struct place p;

	(void)state;
	enter(&p, strict);
	assert_int_equal(config_check(p.c, &p.faults), GOFER_INVALID);
	assert_faults(&p, "[main] name: is required, and missing\n");
	leave(&p);
}

static void a_fault_is_one_line(void **state)
{
	struct config_faults faults = {0};

	(void)state;
	config_fault(&faults, "f", 3, "a\nb%s", "\x1b[31m");
	config_fault(&faults, NULL, 3, "c");
	assert_string_equal(buf_text(&faults.text), "f:3: a?b?[31m\nc\n");
	assert_int_equal(faults.count, 2);
	config_faults_release(&faults);
	assert_int_equal(faults.count, 0);
	config_faults_release(&faults);
	config_free(NULL);
}

static void the_schema_is_the_documentation(void **state)
{
	static const struct config_property some[] = {
		{"main", "threads", CONFIG_INTEGER, "1", .min = 1, .max = 9, .help = "How many."},
		{"main", "name", CONFIG_TEXT, .required = true, .help = "Which."},
		{"main", "max", CONFIG_SIZE, "8m", .help = "How big."},
		{"model", "kind", CONFIG_CHOICE, "a", .choices = "a|b|c", .help = "In what way."},
		{"logging", "*", CONFIG_TEXT, .help = "Levels."},
		{.section = NULL},
	};
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(config_print_schema(&out, some), GOFER_OK);
	assert_string_equal(buf_text(&out),
	                    "`[main] threads`: a whole number from 1 to 9; default `1`.\n"
	                    "How many.\n"
	                    "\n"
	                    "`[main] name`: text; required.\n"
	                    "Which.\n"
	                    "\n"
	                    "`[main] max`: a number of bytes, as in 65536, 64k, 8m, 1g; default "
	                    "`8m`.\n"
	                    "How big.\n"
	                    "\n"
	                    "`[model] kind`: one of a, b, c; default `a`.\n"
	                    "In what way.\n"
	                    "\n"
	                    "`[logging] *`: text.\n"
	                    "Levels.\n"
	                    "\n");
	buf_release(&out);
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
		cmocka_unit_test(a_json_file_is_read),
		cmocka_unit_test(null_takes_back_what_was_set),
		cmocka_unit_test(faults_of_a_json_file_are_told_by_line),
		cmocka_unit_test(a_json_value_knows_its_line),
		cmocka_unit_test(of_very_many_faults_in_json_some_are_told),
		cmocka_unit_test(later_files_win_and_know_their_lines),
		cmocka_unit_test(whoever_asks_for_each_may_stop),
		cmocka_unit_test(a_directory_is_read_by_name),
		cmocka_unit_test(all_files_of_a_directory_are_read_whatever_is_wrong),
		cmocka_unit_test(what_is_no_directory_is_told),
		cmocka_unit_test(files_that_cannot_be_read_are_told),
		cmocka_unit_test(unknown_keys_are_told_with_the_nearest),
		cmocka_unit_test(values_must_be_of_their_kind),
		cmocka_unit_test(faults_of_kind_say_what_would_be_right),
		cmocka_unit_test(typed_getters_give_the_default_for_what_was_not_checked),
		cmocka_unit_test(required_keys_must_be_there),
		cmocka_unit_test(without_a_file_no_file_is_told),
		cmocka_unit_test(a_fault_is_one_line),
		cmocka_unit_test(the_schema_is_the_documentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
