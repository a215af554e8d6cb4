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

const struct config_property place_schema[] = {
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

void place_enter(struct place *p, const struct config_property *properties)
{
	memset(p, 0, sizeof(*p));
	strcpy(p->path, "/tmp/test_config.XXXXXX");
	assert_non_null(mkdtemp(p->path));
	assert_non_null(getcwd(p->old, sizeof(p->old)));
	assert_int_equal(chdir(p->path), 0);
	p->c = config_new(properties);
	assert_non_null(p->c);
}

void place_leave(struct place *p)
{
	char command[64];

	config_free(p->c);
	config_faults_release(&p->faults);
	assert_int_equal(chdir(p->old), 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", p->path);
	assert_int_equal(system(command), 0);
}

void place_write_bytes(const char *name, const char *data, size_t size)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
}

void place_write(const char *name, const char *text)
{
	place_write_bytes(name, text, strlen(text));
}

enum gofer_err place_read(struct place *p, const char *name, const char *text)
{
	place_write(name, text);
	return config_read_file(p->c, name, &p->faults);
}

void place_assert_faults(const struct place *p, const char *faults)
{
	size_t lines = 0;

	for (const char *at = faults; *at; at++)
		lines += *at == '\n';
	assert_string_equal(buf_text(&p->faults.text), faults);
	assert_int_equal(p->faults.count, lines);
}

void place_assert_text(const struct place *p, const char *section, const char *key,
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
