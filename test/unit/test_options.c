/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/client_conf.h"
#include "cmd/options.h"

struct values {
	const char *url, *data, *secret;
	double wait;
	long long count;
	struct option_list list;
	bool flag, quiet, url_given;
};

#define OFFSET(field) offsetof(struct values, field)

/* clang-format off */
static const struct option_spec specs[] = {
	{.name = "url", .letter = 'u', .kind = OPTION_TEXT, .offset = OFFSET(url), .argument = "URL",
	 .initial = "amqp://x", .environment = "TEST_URL", .config = "url", .given = OFFSET(url_given),
	 .help = "where"},
	{.name = "wait", .letter = 'w', .kind = OPTION_DURATION, .offset = OFFSET(wait),
	 .argument = "TIME", .initial = "90", .environment = "TEST_WAIT", .config = "wait",
	 .help = "how long it is waited, at most"},
	{.name = "count", .letter = 'n', .kind = OPTION_INTEGER, .offset = OFFSET(count),
	 .argument = "COUNT", .min = 1, .max = 10, .help = "how often"},
	{.name = "data", .letter = 'd', .kind = OPTION_JSON, .offset = OFFSET(data),
	 .argument = "JSON", .help = "what"},
	{.name = "secret", .letter = 'S', .kind = OPTION_SECRET, .offset = OFFSET(secret),
	 .argument = "SECRET", .environment = "TEST_SECRET", .help = "a secret"},
	{.name = "item", .letter = 'I', .kind = OPTION_LIST, .offset = OFFSET(list),
	 .argument = "ITEM", .help = "several"},
	{.name = "flag", .letter = 'f', .kind = OPTION_FLAG, .offset = OFFSET(flag),
	 .environment = "TEST_FLAG", .help = "a flag"},
	{.name = "quiet", .letter = 'q', .kind = OPTION_FLAG, .offset = OFFSET(quiet),
	 .help = "another flag"},
	{.kind = OPTION_END},
};
/* clang-format on */

#define WORDS_MAX 16

struct fixture {
	struct values v;
	struct error error;
	char text[512];
	char *argv[WORDS_MAX + 1];
	int argc, taken;
	const struct config *config;
};

/* Parses the words of `line`, which has one blank between them; "~" stands for an empty word. */
static int parse(struct fixture *f, const char *line)
{
	options_release(specs, &f->v);
	memset(&f->v, 0, sizeof(f->v));
	f->error = (struct error)ERROR_NONE;
	f->argc = 0;
	snprintf(f->text, sizeof(f->text), "%s", line);
	for (char *word = strtok(f->text, " "); word; word = strtok(NULL, " "))
		f->argv[f->argc++] = strcmp(word, "~") ? word : word + 1;
	f->argv[f->argc] = NULL;
	f->taken = options_parse(specs, &f->v, f->argc, f->argv, f->config, &f->error);
	return f->taken;
}

static int set_up(void **state)
{
	unsetenv("TEST_URL");
	unsetenv("TEST_WAIT");
	unsetenv("TEST_SECRET");
	unsetenv("TEST_FLAG");
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	options_release(specs, &((struct fixture *)*state)->v);
	free(*state);
	return 0;
}

static void nothing_gives_defaults(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, ""), 0);
	assert_string_equal(f->v.url, "amqp://x");
	assert_true(f->v.wait == 90);
	assert_int_equal(f->v.count, 0);
	assert_null(f->v.data);
	assert_false(f->v.flag);
	assert_false(f->v.url_given);
}

static void every_form_of_a_value(void **state)
{
	struct fixture *f = *state;
	static const char *const lines[] = {"--url a://b", "--url=a://b", "-u a://b",
	                                    "-ua://b",     "-fqu a://b",  "-fua://b"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		assert_true(parse(f, lines[i]) > 0);
		assert_string_equal(f->v.url, "a://b");
		assert_true(f->v.url_given);
	}
	parse(f, "-fua://b");
	assert_true(f->v.flag);
	assert_true(parse(f, "--url=") == 1);
	assert_string_equal(f->v.url, "");
	assert_true(parse(f, "-w 1.5m") == 2);
	assert_true(f->v.wait == 90);
}

static void arguments_come_last_and_stay_in_order(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "one -f two -n 3 - -5 -- -x --url"), 4);
	assert_int_equal(f->argc - f->taken, 6);
	assert_string_equal(f->argv[4], "one");
	assert_string_equal(f->argv[5], "two");
	assert_string_equal(f->argv[6], "-");
	assert_string_equal(f->argv[7], "-5");
	assert_string_equal(f->argv[8], "-x");
	assert_string_equal(f->argv[9], "--url");
	assert_int_equal(f->v.count, 3);
	assert_true(f->v.flag);
}

static void numbers_are_arguments_and_letters_are_not(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "-1 -.5 -1e3"), 0);
	assert_int_equal(parse(f, "-1x"), -1);
	assert_string_equal(f->error.text, "unknown option \"-1\"");
}

static void a_list_gathers(void **state)
{
	struct fixture *f = *state;

	parse(f, "-I a --item b -Ic");
	assert_int_equal(f->v.list.count, 3);
	assert_string_equal(f->v.list.items[0], "a");
	assert_string_equal(f->v.list.items[2], "c");
}

static void a_secret_is_wiped_from_argv(void **state)
{
	struct fixture *f = *state;

	parse(f, "-S hush --secret=hush2");
	assert_string_equal(f->v.secret, "hush2");
	assert_string_equal(f->argv[1], "xxxx");
	assert_string_equal(f->argv[2], "--secret=xxxxx");
	setenv("TEST_SECRET", "from the environment", 1);
	parse(f, "");
	assert_string_equal(f->v.secret, "from the environment");
	assert_string_equal(getenv("TEST_SECRET"), "from the environment");
}

static void help_is_everywhere(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "-h"), -2);
	assert_int_equal(parse(f, "x --help"), -2);
	assert_int_equal(parse(f, "-fh"), -2);
	assert_int_equal(parse(f, "-- -h"), 1);
}

static void faults_are_told(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *line, *text;
	} rows[] = {
		{"--wiat 5", "unknown option \"--wiat\"; did you mean \"--wait\"?"},
		{"--wiat=5", "unknown option \"--wiat\"; did you mean \"--wait\"?"},
		{"--hlep", "unknown option \"--hlep\"; did you mean \"--help\"?"},
		{"--zzzzzz", "unknown option \"--zzzzzz\""},
		{"-U x", "unknown option \"-U\"; did you mean \"-u\"?"},
		{"-z", "unknown option \"-z\""},
		{"--url", "option \"--url\" needs a value: URL"},
		{"-u", "option \"-u\" needs a value: URL"},
		{"--flag=1", "option \"--flag\" takes no value"},
		{"-n x", "option \"-n\": \"x\" is no whole number"},
		{"-n 5x", "option \"-n\": \"5x\" is no whole number"},
		{"-n ~", "option \"-n\": \"\" is no whole number"},
		{"-n 0", "option \"-n\": 0 is not in 1..10"},
		{"-n 11", "option \"-n\": 11 is not in 1..10"},
		{"-n 99999999999999999999", "option \"-n\": 99999999999999999999 is not in 1..10"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(parse(f, rows[i].line), -1);
		assert_string_equal(f->error.text, rows[i].text);
		assert_int_equal(f->error.code, GOFER_INVALID);
	}
	assert_int_equal(parse(f, "-w soon"), -1);
	assert_non_null(strstr(f->error.text, "option \"-w\": "));
	assert_int_equal(parse(f, "-w -1"), -1);
	assert_int_equal(parse(f, "-d {"), -1);
	assert_non_null(strstr(f->error.text, "option \"-d\": no JSON"));
}

static void the_environment_comes_behind_the_option(void **state)
{
	struct fixture *f = *state;

	setenv("TEST_URL", "e://v", 1);
	setenv("TEST_FLAG", "yes", 1);
	parse(f, "");
	assert_string_equal(f->v.url, "e://v");
	assert_false(f->v.url_given);
	assert_true(f->v.flag);
	parse(f, "-u o://p");
	assert_string_equal(f->v.url, "o://p");
	setenv("TEST_URL", "", 1);
	parse(f, "");
	assert_string_equal(f->v.url, "amqp://x");
	setenv("TEST_WAIT", "never", 1);
	assert_int_equal(parse(f, ""), -1);
	assert_non_null(strstr(f->error.text, "TEST_WAIT: "));
	assert_int_equal(parse(f, "-w 1"), 2);
	setenv("TEST_FLAG", "perhaps", 1);
	assert_int_equal(parse(f, "-w 1"), -1);
	assert_string_equal(f->error.text, "TEST_FLAG: \"perhaps\" is neither 1 nor 0");
}

/* --- client.conf ------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Reads client.conf with this text; the faults' text is the caller's. */
static struct config *read_conf(const char *text, struct config_faults *faults)
{
	char base[] = "/tmp/gofer-options-XXXXXX", path[128];
	struct config *config;

	assert_non_null(mkdtemp(base));
	snprintf(path, sizeof(path), "mkdir %s/gofer", base);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "%s/gofer/client.conf", base);
	write_file(path, text);
	setenv("XDG_CONFIG_HOME", base, 1);
	config = client_conf_read(specs, faults);
	unlink(path);
	snprintf(path, sizeof(path), "%s/gofer", base);
	rmdir(path);
	rmdir(base);
	return config;
}

static void client_conf_comes_behind_the_environment(void **state)
{
	struct fixture *f = *state;
	struct config_faults faults = {.text = BUF_INIT, .count = 0};
	struct config *config = read_conf("[call]\nurl = c://f\nwait = 2m\n", &faults);

	assert_int_equal(faults.count, 0);
	f->config = config;
	parse(f, "");
	assert_string_equal(f->v.url, "c://f");
	assert_true(f->v.wait == 120);
	setenv("TEST_URL", "e://v", 1);
	parse(f, "");
	assert_string_equal(f->v.url, "e://v");
	config_free(config);
	config_faults_release(&faults);
}

static void a_wrong_value_in_client_conf_is_told_by_its_line(void **state)
{
	struct fixture *f = *state;
	struct config_faults faults = {.text = BUF_INIT, .count = 0};
	struct config *config = read_conf("[call]\n\nwait = soon\n", &faults);

	f->config = config;
	assert_int_equal(parse(f, ""), -1);
	assert_non_null(strstr(f->error.text, "client.conf:3: wait: "));
	config_free(config);
	config_faults_release(&faults);
}

static void an_unknown_key_in_client_conf_is_told(void **state)
{
	struct config_faults faults = {.text = BUF_INIT, .count = 0};
	struct config *config = read_conf("[call]\nurl = x\nwiat = 2\nzzzzzz = 1\n", &faults);

	(void)state;
	assert_int_equal(faults.count, 2);
	assert_non_null(strstr(buf_text(&faults.text),
	                       "client.conf:3: unknown key \"wiat\" in [call]; "
	                       "did you mean \"wait\"?\n"));
	assert_non_null(strstr(buf_text(&faults.text),
	                       "client.conf:4: unknown key \"zzzzzz\" in [call]\n"));
	config_free(config);
	config_faults_release(&faults);
}

static void without_keys_no_file_is_read(void **state)
{
	static const struct option_spec none[] = {{.kind = OPTION_END}};
	struct config_faults faults = {.text = BUF_INIT, .count = 0};

	(void)state;
	assert_null(client_conf_read(none, &faults));
	assert_int_equal(faults.count, 0);
}

/* --- help -------------------------------------------------------------------------------- */

static void help_names_all(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	options_print_help(&out, specs);
	assert_non_null(strstr(out.data,
	                       "  -u, --url URL             where (TEST_URL; client.conf: "
	                       "url; default amqp://x)\n"));
	assert_non_null(strstr(out.data, "  -h, --help                print this and stop\n"));
	for (const char *line = out.data; *line;) {
		size_t size = strcspn(line, "\n");

		assert_true(size <= 80);
		line += size + 1;
	}
	buf_release(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_gives_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_form_of_a_value, set_up, tear_down),
		cmocka_unit_test_setup_teardown(arguments_come_last_and_stay_in_order, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(numbers_are_arguments_and_letters_are_not, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_list_gathers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_secret_is_wiped_from_argv, set_up, tear_down),
		cmocka_unit_test_setup_teardown(help_is_everywhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(faults_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_environment_comes_behind_the_option, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(client_conf_comes_behind_the_environment, set_up,
	                                        tear_down),
		cmocka_unit_test_setup_teardown(a_wrong_value_in_client_conf_is_told_by_its_line,
	                                        set_up, tear_down),
		cmocka_unit_test(an_unknown_key_in_client_conf_is_told),
		cmocka_unit_test(without_keys_no_file_is_read),
		cmocka_unit_test(help_names_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
