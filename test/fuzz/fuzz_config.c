/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_config: a configuration file; JSON if the first byte is `{`, else INI. Read, read again over
 * itself, checked against a schema, and asked for its values.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct config_property schema[] = {
	{"main", "threads", CONFIG_INTEGER, "1", .min = 1, .max = 100, .help = "N."},
	{"main", "enabled", CONFIG_BOOL, "0", .help = "B."},
	{"main", "latency", CONFIG_DURATION, "1.5", .help = "T."},
	{"main", "name", CONFIG_TEXT, .required = true, .help = "S."},
	{"messaging", "url", CONFIG_TEXT, .help = "U."},
	{"messaging", "max", CONFIG_SIZE, "8m", .min = 1024, .max = 1 << 30, .help = "Z."},
	{"model", "kind", CONFIG_CHOICE, "direct", .choices = "direct|fork", .help = "C."},
	{"logging", "*", CONFIG_TEXT, .help = "L."},
	{.section = NULL},
};

static char directory[] = "/tmp/fuzz_config.XXXXXX";

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Made and removed at each run: libFuzzer ends without exit handlers. */
static void enter_directory(void)
{
	static bool named;

	must(named ? mkdir(directory, 0700) == 0 : mkdtemp(directory) != NULL);
	named = true;
	must(chdir(directory) == 0);
}

static const char *write_file(const uint8_t *data, size_t size)
{
	const char *name = size && *data == '{' ? "a.json" : "a.conf";
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0);
	must(write(fd, data, size) == (ssize_t)size);
	close(fd);
	return name;
}

static size_t lines_of(const struct buf *text)
{
	size_t lines = 0;

	for (const char *at = buf_text(text); *at; at++)
		lines += *at == '\n';
	return lines;
}

/* A fault is one line, and without control characters. */
static void check_faults(const struct config_faults *faults, const char *name)
{
	must(lines_of(&faults->text) == faults->count);
	for (const char *at = buf_text(&faults->text); *at; at = strchr(at, '\n') + 1)
		must(strncmp(at, name, 6) == 0 || *at == '[');
	for (size_t i = 0; i < faults->text.size; i++)
		must((unsigned char)faults->text.data[i] >= 0x20 || faults->text.data[i] == '\n');
}

struct look {
	const struct config *config;
	const char *section;
	size_t lines;
	bool ini;
};

static bool look_at(void *arg, const char *key, const char *value)
{
	const struct look *look = arg;
	const char *file = NULL;
	unsigned line = 0;

	must(config_where(look->config, look->section, key, &file, &line));
	must(line >= 1 && line <= look->lines + 1);
	must(!look->ini || strlen(key) <= CONFIG_KEY_MAX);
	for (; look->ini && *value; value++)
		must((unsigned char)*value >= 0x20 || *value == '\t' || *value == '\n');
	config_integer(look->config, look->section, key);
	config_bool(look->config, look->section, key);
	config_size(look->config, look->section, key);
	config_duration(look->config, look->section, key);
	return true;
}

static void check_values(const struct config *config, const uint8_t *data, size_t size)
{
	static const char *const sections[] = {"main", "messaging", "model", "logging", "own"};
	struct look look = {.config = config, .ini = !size || *data != '{'};

	for (size_t i = 0; i < size; i++)
		look.lines += data[i] == '\n';
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		look.section = sections[i];
		config_each(config, sections[i], look_at, &look);
	}
	long long threads = config_integer(config, "main", "threads");
	size_t max = config_size(config, "messaging", "max");
	const char *kind = config_text(config, "model", "kind");
	must(threads >= 1 && threads <= 100);
	must(max >= 1024 && max <= 1 << 30);
	must(strcmp(kind, "direct") == 0 || strcmp(kind, "fork") == 0);
	must(config_duration(config, "main", "latency") >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = config_new(schema);
	struct config_faults faults = {0}, again = {0};
	int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(config && before >= 0);
	enter_directory();
	const char *name = write_file(data, size);
	enum gofer_err err = config_read_file(config, name, &faults);
	must(err == (faults.count ? GOFER_INVALID : GOFER_OK));
	check_faults(&faults, name);
	/* A second reading sets the same again and finds the same wrong. */
	must(config_read_file(config, name, &again) == err);
	must(faults.count == again.count);
	config_check(config, &again);
	check_faults(&again, name);
	check_values(config, data, size);

	must(unlink(name) == 0 && fchdir(before) == 0 && rmdir(directory) == 0);
	close(before);
	config_faults_release(&faults);
	config_faults_release(&again);
	config_free(config);
	return 0;
}
