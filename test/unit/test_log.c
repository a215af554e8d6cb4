/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/log.h"

#define TEXT_MAX 400000

/* What goes to standard error between capture() and captured(). */
static int real_stderr = -1;
static FILE *file;

static void capture(void)
{
	file = tmpfile();
	assert_non_null(file);
	real_stderr = dup(STDERR_FILENO);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
}

/* To be freed. */
static char *captured(void)
{
	char *text = calloc(1, TEXT_MAX);

	assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
	close(real_stderr);
	rewind(file);
	assert_non_null(text);
	assert_true(fread(text, 1, TEXT_MAX - 1, file) < TEXT_MAX - 1);
	fclose(file);
	return text;
}

static void assert_captured(const char *expected)
{
	char *text = captured();

	assert_string_equal(text, expected);
	free(text);
}

static void assert_captured_like(const char *pattern)
{
	char *text = captured();
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, text, 0, NULL, 0) != 0)
		fail_msg("\"%s\" is not like \"%s\"", text, pattern);
	regfree(&regex);
	free(text);
}

static int reset(void **state)
{
	(void)state;
	log_open(LOG_TARGET_JOURNAL, "test");
	return log_level("", LOG_LEVEL_INFO);
}

static void a_line_on_standard_error(void **state)
{
	(void)state;
	log_open(LOG_TARGET_STDERR, "test");
	capture();
	log_info("agent.intake", "plugin %s: attached", "demo");
	assert_captured_like("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z info "
	                     "agent\\.intake: plugin demo: attached\n$");
}

static void a_line_under_systemd(void **state)
{
	(void)state;
	capture();
	log_error("a", "1");
	log_warning("a.b", "2");
	log_info("c", "3");
	assert_captured("<3>a: 1\n<4>a.b: 2\n<6>c: 3\n");
}

static void syslog_gets_its_own(void **state)
{
	(void)state;
	log_open(LOG_TARGET_SYSLOG, "gofer-test");
	capture();
	log_info("test", "a line for syslog");
	assert_captured("");
	log_close();
}

static void after_close_there_is_standard_error(void **state)
{
	(void)state;
	log_close();
	log_close();
	capture();
	log_error("a", "x");
	assert_captured_like("Z error a: x\n$");
}

static void append_line(void *context, const char *package, enum log_level level,
                        const char *message)
{
	buf_printf(context, "%s/%s/%s;", package, log_level_name(level), message);
}

static void a_sink_gets_the_messages_instead(void **state)
{
	struct buf lines = BUF_INIT;

	(void)state;
	capture();
	log_open_sink(append_line, &lines);
	log_error("a.b", "two\n%s", "lines");
	log_info("c", "x");
	log_debug("c", "not enabled");
	assert_captured("");
	assert_string_equal(buf_text(&lines), "a.b/error/two\nlines;c/info/x;");
	log_close();
	capture();
	log_info("c", "y");
	assert_captured_like("c: y\n$");
	assert_string_equal(buf_text(&lines), "a.b/error/two\nlines;c/info/x;");
	buf_release(&lines);
}

static void the_loudest_level_is_known(void **state)
{
	(void)state;
	log_level("", LOG_LEVEL_DEBUG);
	assert_int_equal(log_loudest(), LOG_LEVEL_DEBUG);
}

static void info_is_the_default(void **state)
{
	(void)state;
	assert_true(log_enabled("any", LOG_LEVEL_ERROR));
	assert_true(log_enabled("any", LOG_LEVEL_WARNING));
	assert_true(log_enabled("any", LOG_LEVEL_INFO));
	assert_false(log_enabled("any", LOG_LEVEL_DEBUG));
}

static void a_level_holds_for_all_below(void **state)
{
	(void)state;
	assert_int_equal(log_level("below", LOG_LEVEL_DEBUG), GOFER_OK);
	assert_true(log_enabled("below", LOG_LEVEL_DEBUG));
	assert_true(log_enabled("below.x.y", LOG_LEVEL_DEBUG));
	assert_false(log_enabled("belowx", LOG_LEVEL_DEBUG));
	assert_false(log_enabled("belo", LOG_LEVEL_DEBUG));
	assert_false(log_enabled("other", LOG_LEVEL_DEBUG));
}

static void the_longest_name_decides(void **state)
{
	(void)state;
	assert_int_equal(log_level("long.a", LOG_LEVEL_ERROR), GOFER_OK);
	assert_int_equal(log_level("long", LOG_LEVEL_DEBUG), GOFER_OK);
	assert_int_equal(log_level("long.a.b", LOG_LEVEL_WARNING), GOFER_OK);
	assert_true(log_enabled("long.z", LOG_LEVEL_DEBUG));
	assert_false(log_enabled("long.a", LOG_LEVEL_WARNING));
	assert_true(log_enabled("long.a.b.c", LOG_LEVEL_WARNING));
	assert_false(log_enabled("long.a.b.c", LOG_LEVEL_INFO));
}

static void a_level_can_be_changed(void **state)
{
	(void)state;
	assert_int_equal(log_level("changed", LOG_LEVEL_DEBUG), GOFER_OK);
	assert_int_equal(log_level("changed", LOG_LEVEL_ERROR), GOFER_OK);
	assert_false(log_enabled("changed", LOG_LEVEL_WARNING));
	assert_int_equal(log_level("root", LOG_LEVEL_ERROR), GOFER_OK);
	assert_false(log_enabled("any", LOG_LEVEL_INFO));
	assert_int_equal(log_level("", LOG_LEVEL_DEBUG), GOFER_OK);
	assert_true(log_enabled("any", LOG_LEVEL_DEBUG));
}

static void what_is_not_enabled_is_not_written(void **state)
{
	(void)state;
	assert_int_equal(log_level("quiet", LOG_LEVEL_ERROR), GOFER_OK);
	capture();
	log_info("quiet.x", "never");
	log_error("quiet.x", "seen");
	assert_captured("<3>quiet.x: seen\n");
}

static int evaluations;

static int evaluate(void)
{
	return ++evaluations;
}

static void debug_costs_nothing_when_off(void **state)
{
	(void)state;
	capture();
	log_debug("lazy", "%d", evaluate());
	assert_int_equal(evaluations, 0);
	assert_int_equal(log_level("lazy", LOG_LEVEL_DEBUG), GOFER_OK);
	log_debug("lazy", "%d", evaluate());
	assert_captured("<7>lazy: 1\n");
}

static void a_message_can_forge_no_line(void **state)
{
	(void)state;
	capture();
	log_info("a", "%s",
	         "x\n<3>a: forged\r\x1b[2J\x7f\t\xc2\x9b"
	         "2J");
	assert_captured("<6>a: x\\n<3>a: forged\\x0d\\x1b[2J\\x7f\\x09\\xc2\\x9b2J\n");
}

static void utf8_stays_and_other_bytes_are_escaped(void **state)
{
	(void)state;
	capture();
	log_info("a", "%s", "h\xc3\xa9 \xe2\x98\x83 \xf0\x9f\x98\x80 \xff \xc3 \xe2\x98");
	assert_captured("<6>a: h\xc3\xa9 \xe2\x98\x83 \xf0\x9f\x98\x80 \\xff \\xc3 \\xe2\\x98\n");
}

static void a_long_message_is_cut_and_says_so(void **state)
{
	char message[10000];

	(void)state;
	memset(message, 'x', sizeof(message));
	message[sizeof(message) - 1] = '\0';
	capture();
	log_info("a", "%s", message);
	memset(message, '\n', sizeof(message) - 1);
	log_info("a", "%s", message);
	char *text = captured();
	char *end = strchr(text, '\n');
	assert_non_null(end);
	assert_in_range(end - text, PIPE_BUF - 100, PIPE_BUF - 1);
	assert_memory_equal(end - 6, "xxx...", 6);
	char *second = end + 1;
	end = strchr(second, '\n');
	assert_non_null(end);
	assert_in_range(end - second, PIPE_BUF - 100, PIPE_BUF - 1);
	assert_memory_equal(end - 5, "\\n...", 5);
	assert_string_equal(end, "\n");
	free(text);
}

static void a_long_package_leaves_room(void **state)
{
	char package[5000];

	(void)state;
	memset(package, 'p', sizeof(package));
	package[sizeof(package) - 1] = '\0';
	capture();
	log_info(package, "here");
	assert_captured_like("^<6>p+here\n$");
}

static void errno_stays(void **state)
{
	(void)state;
	capture();
	errno = EXDEV;
	log_info("a", "x");
	assert_int_equal(errno, EXDEV);
	free(captured());
}

static void nobody_listening_is_no_harm(void **state)
{
	(void)state;
	capture();
	close(STDERR_FILENO);
	log_info("a", "x");
	assert_captured("");
}

#define THREADS 4
#define LINES 200

static void *write_lines(void *name)
{
	for (int i = 0; i < LINES; i++)
		log_info(name, "%d %s", i, "a line that must not be mixed with another");
	return NULL;
}

static void threads_do_not_mix_their_lines(void **state)
{
	static char *const names[THREADS] = {"t.0", "t.1", "t.2", "t.3"};
	pthread_t threads[THREADS];
	int next[THREADS] = {0};

	(void)state;
	capture();
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
	log_level("t", LOG_LEVEL_INFO);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	char *text = captured(), *save = NULL, expected[100];
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_in_range(line[5], '0', '0' + THREADS - 1);
		int thread = line[5] - '0';
		snprintf(expected, sizeof(expected),
		         "<6>t.%d: %d a line that must not be mixed with another", thread,
		         next[thread]++);
		assert_string_equal(line, expected);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(next[i], LINES);
	free(text);
}

static void levels_have_names(void **state)
{
	static const struct {
		const char *text;
		enum log_level level;
	} cases[] = {
		{"debug", LOG_LEVEL_DEBUG},    {"DEBUG", LOG_LEVEL_DEBUG},
		{"Info", LOG_LEVEL_INFO},      {"warning", LOG_LEVEL_WARNING},
		{"WARN", LOG_LEVEL_WARNING},   {"error", LOG_LEVEL_ERROR},
		{"critical", LOG_LEVEL_ERROR},
	};
	enum log_level level;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(log_level_parse(cases[i].text, &level), GOFER_OK);
		assert_int_equal(level, cases[i].level);
	}
	assert_int_equal(log_level_parse("", &level), GOFER_INVALID);
	assert_int_equal(log_level_parse("verbose", &level), GOFER_INVALID);
	assert_int_equal(log_level_parse("info ", &level), GOFER_INVALID);
}

/* The last of all: the table stays full. */
static void packages_have_a_bound(void **state)
{
	char name[100];
	int i = 0;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(log_level(name, LOG_LEVEL_DEBUG), GOFER_FULL);
	for (; i < 1000; i++) {
		snprintf(name, sizeof(name), "full.%d", i);
		if (log_level(name, LOG_LEVEL_DEBUG) == GOFER_FULL)
			break;
	}
	assert_in_range(i, 20, 999);
	assert_true(log_enabled("full.0", LOG_LEVEL_DEBUG));
	assert_false(log_enabled(name, LOG_LEVEL_DEBUG));
	assert_int_equal(log_level("full.0", LOG_LEVEL_INFO), GOFER_OK);
	assert_false(log_enabled("full.0", LOG_LEVEL_DEBUG));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_on_standard_error, reset),
		cmocka_unit_test_setup(a_line_under_systemd, reset),
		cmocka_unit_test_setup(syslog_gets_its_own, reset),
		cmocka_unit_test_setup(after_close_there_is_standard_error, reset),
		cmocka_unit_test_setup(a_sink_gets_the_messages_instead, reset),
		cmocka_unit_test_setup(the_loudest_level_is_known, reset),
		cmocka_unit_test_setup(info_is_the_default, reset),
		cmocka_unit_test_setup(a_level_holds_for_all_below, reset),
		cmocka_unit_test_setup(the_longest_name_decides, reset),
		cmocka_unit_test_setup(a_level_can_be_changed, reset),
		cmocka_unit_test_setup(what_is_not_enabled_is_not_written, reset),
		cmocka_unit_test_setup(debug_costs_nothing_when_off, reset),
		cmocka_unit_test_setup(a_message_can_forge_no_line, reset),
		cmocka_unit_test_setup(utf8_stays_and_other_bytes_are_escaped, reset),
		cmocka_unit_test_setup(a_long_message_is_cut_and_says_so, reset),
		cmocka_unit_test_setup(a_long_package_leaves_room, reset),
		cmocka_unit_test_setup(errno_stays, reset),
		cmocka_unit_test_setup(nobody_listening_is_no_harm, reset),
		cmocka_unit_test_setup(threads_do_not_mix_their_lines, reset),
		cmocka_unit_test_setup(levels_have_names, reset),
		cmocka_unit_test_setup(packages_have_a_bound, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
