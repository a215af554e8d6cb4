/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config_private.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define READ_SIZE 16384

/* --- faults --- */

void config_fault(struct config_faults *faults, const char *file, unsigned line, const char *format,
                  ...)
{
	struct error what = ERROR_NONE; /* for its being one line of a bounded size */
	va_list ap;

	va_start(ap, format);
	error_vset(&what, GOFER_INVALID, format, ap);
	va_end(ap);
	if (file)
		buf_puts(&faults->text, file);
	if (file && line)
		buf_printf(&faults->text, ":%u", line);
	buf_printf(&faults->text, "%s%s\n", file ? ": " : "", what.text);
	faults->count++;
}

void config_faults_release(struct config_faults *faults)
{
	buf_release(&faults->text);
	faults->count = 0;
}

static enum gofer_err no_memory(const struct config *c, struct config_faults *faults)
{
	config_fault(faults, c->file, 0, "out of memory");
	return GOFER_NOMEM;
}

/* --- the store --- */

struct config *config_new(const struct config_property *schema)
{
	struct config *c = calloc(1, sizeof(*c));

	if (c)
		c->schema = schema;
	return c;
}

static void value_release(struct config_value *value)
{
	free(value->section);
	free(value->key);
	free(value->text);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->values_count; i++)
		value_release(&c->values[i]);
	for (size_t i = 0; i < c->sections_count; i++)
		free(c->sections[i].name);
	for (size_t i = 0; i < c->files_count; i++)
		free(c->files[i]);
	free(c->values);
	free(c->sections);
	free(c->files);
	free(c);
}

/* The array with room for one more behind `count` items; NULL when out of memory. */
static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return items;
	size_t wanted = *capacity ? *capacity * 2 : 16;
	void *grown = reallocarray(items, wanted, size);
	if (grown)
		*capacity = wanted;
	return grown;
}

struct config_value *config_find(const struct config *c, const char *section, const char *key)
{
	for (size_t i = 0; i < c->values_count; i++) {
		struct config_value *value = &c->values[i];
		if (strcmp(value->key, key) == 0 && strcmp(value->section, section) == 0)
			return value;
	}
	return NULL;
}

bool config_equal(const struct config *a, const struct config *b)
{
	if (a->values_count != b->values_count)
		return false;
	for (size_t i = 0; i < a->values_count; i++) {
		const struct config_value *value = &a->values[i];
		const struct config_value *other = config_find(b, value->section, value->key);

		if (!other || strcmp(value->text, other->text) != 0)
			return false;
	}
	return true;
}

static struct config_value *add_value(struct config *c, const char *section, const char *key)
{
	struct config_value value = {.section = strdup(section), .key = strdup(key)};
	struct config_value *values =
		grow(c->values, c->values_count, &c->values_capacity, sizeof(*values));

	if (values)
		c->values = values;
	if (!values || !value.section || !value.key) {
		value_release(&value);
		return NULL;
	}
	values[c->values_count] = value;
	return &values[c->values_count++];
}

static enum gofer_err store(struct config *c, const char *section, const char *key,
                            const char *text, unsigned line)
{
	struct config_value *value = config_find(c, section, key);
	char *copy = strdup(text);

	if (!value && c->values_count == CONFIG_VALUES_MAX) {
		free(copy);
		return GOFER_FULL;
	}
	if (copy && !value)
		value = add_value(c, section, key);
	if (!copy || !value) {
		free(copy);
		return GOFER_NOMEM;
	}
	free(value->text);
	value->text = copy;
	value->file = c->file;
	value->line = line;
	value->reading = c->reading;
	value->refused = false;
	return GOFER_OK;
}

static void take_back(struct config *c, struct config_value *value)
{
	size_t i = (size_t)(value - c->values);

	value_release(value);
	c->values_count--;
	memmove(value, value + 1, (c->values_count - i) * sizeof(*value));
}

enum gofer_err config_put(struct config *c, const char *section, const char *key, const char *text,
                          unsigned line, struct config_faults *faults)
{
	struct config_value *value = config_find(c, section, key);

	if (value && value->reading == c->reading) {
		config_fault(faults, c->file, line, "[%s] %s: is there twice, first in line %u",
		             section, key, value->line);
		return GOFER_OK;
	}
	if (!text) {
		if (value)
			take_back(c, value);
		return GOFER_OK;
	}
	enum gofer_err err = store(c, section, key, text, line);
	if (err == GOFER_FULL)
		config_fault(faults, c->file, line, "more than %d keys in all", CONFIG_VALUES_MAX);
	return err == GOFER_NOMEM ? no_memory(c, faults) : err;
}

const struct config_section *config_find_section(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->sections_count; i++)
		if (strcmp(c->sections[i].name, name) == 0)
			return &c->sections[i];
	return NULL;
}

static struct config_section *add_section(struct config *c, const char *name)
{
	char *copy = strdup(name);
	struct config_section *sections =
		grow(c->sections, c->sections_count, &c->sections_capacity, sizeof(*sections));

	if (sections)
		c->sections = sections;
	if (!sections || !copy) {
		free(copy);
		return NULL;
	}
	sections[c->sections_count] = (struct config_section){.name = copy};
	return &sections[c->sections_count++];
}

enum gofer_err config_put_section(struct config *c, const char *name, unsigned line,
                                  struct config_faults *faults)
{
	struct config_section *section = (struct config_section *)config_find_section(c, name);

	if (!section && c->sections_count == CONFIG_VALUES_MAX) {
		config_fault(faults, c->file, line, "more than %d sections", CONFIG_VALUES_MAX);
		return GOFER_FULL;
	}
	if (!section)
		section = add_section(c, name);
	if (!section)
		return no_memory(c, faults);
	section->file = c->file;
	section->line = line;
	return GOFER_OK;
}

/* What is set from now on is from there. */
static enum gofer_err begin(struct config *c, const char *origin)
{
	char **files = reallocarray(c->files, c->files_count + 1, sizeof(*files));
	char *copy = strdup(origin);

	if (files)
		c->files = files;
	if (!files || !copy) {
		free(copy);
		return GOFER_NOMEM;
	}
	c->files[c->files_count++] = copy;
	c->file = copy;
	c->reading++;
	return GOFER_OK;
}

enum gofer_err config_set(struct config *c, const char *section, const char *key, const char *value,
                          const char *origin)
{
	const char *file = c->file;
	enum gofer_err err = begin(c, origin);

	if (!err)
		err = store(c, section, key, value, 0);
	/* A missing key is looked for in the file, not in the last option. */
	if (file)
		c->file = file;
	return err;
}

bool config_where(const struct config *c, const char *section, const char *key, const char **file,
                  unsigned *line)
{
	const struct config_value *value = config_find(c, section, key);

	if (!value)
		return false;
	*file = value->file;
	*line = value->line;
	return true;
}

void config_each(const struct config *c, const char *section,
                 bool (*each)(void *arg, const char *key, const char *value), void *arg)
{
	for (size_t i = 0; i < c->values_count; i++) {
		const struct config_value *value = &c->values[i];
		if (strcmp(value->section, section) == 0 && !each(arg, value->key, value->text))
			return;
	}
}

void config_each_value(const struct config *c,
                       bool (*each)(void *arg, const char *section, const char *key,
                                    const char *value),
                       void *arg)
{
	for (size_t i = 0; i < c->values_count; i++) {
		const struct config_value *value = &c->values[i];
		if (!value->refused && !each(arg, value->section, value->key, value->text))
			return;
	}
}

/* --- files --- */

/* GOFER_IO: errno is set. GOFER_FULL: more than CONFIG_FILE_MAX. */
static enum gofer_err read_all(FILE *file, struct buf *text)
{
	while (text->size <= CONFIG_FILE_MAX) {
		char *at = buf_reserve(text, READ_SIZE);
		if (!at)
			return GOFER_NOMEM;
		size_t size = fread(at, 1, READ_SIZE, file);
		buf_added(text, size);
		if (ferror(file))
			return GOFER_IO;
		if (feof(file))
			return text->size > CONFIG_FILE_MAX ? GOFER_FULL : GOFER_OK;
	}
	return GOFER_FULL;
}

static bool is_json(const char *path)
{
	size_t size = strlen(path);

	return size > 5 && strcmp(path + size - 5, ".json") == 0;
}

static enum gofer_err read_stream(struct config *c, FILE *file, struct config_faults *faults)
{
	struct buf text = BUF_INIT;
	enum gofer_err err = read_all(file, &text);

	if (err == GOFER_IO)
		config_fault(faults, c->file, 0, "can't be read: %s", strerror(errno));
	else if (err == GOFER_FULL)
		config_fault(faults, c->file, 0, "larger than %d bytes", CONFIG_FILE_MAX);
	else if (err == GOFER_NOMEM)
		no_memory(c, faults);
	else
		err = is_json(c->file) ? config_read_json(c, &text, faults)
				       : config_read_ini(c, &text, faults);
	buf_release(&text);
	return err;
}

enum gofer_err config_read_file(struct config *c, const char *path, struct config_faults *faults)
{
	size_t before = faults->count;
	FILE *file = fopen(path, "re");

	if (!file && (errno == ENOENT || errno == ENOTDIR))
		return GOFER_NOTFOUND;
	if (!file) {
		config_fault(faults, path, 0, "can't be opened: %s", strerror(errno));
		return GOFER_INVALID;
	}
	enum gofer_err err = begin(c, path);
	if (err)
		config_fault(faults, path, 0, "out of memory");
	else
		err = read_stream(c, file, faults);
	fclose(file);
	if (err == GOFER_NOMEM)
		return err;
	return faults->count > before ? GOFER_INVALID : GOFER_OK;
}

static int is_config(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot &&
		(strcmp(dot, ".conf") == 0 || strcmp(dot, ".json") == 0);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* One that is no file is not opened: a pipe there would be waited for. */
static enum gofer_err read_entry(struct config *c, const char *path, struct config_faults *faults)
{
	struct stat status;

	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
		config_fault(faults, path, 0, "not a file");
		return GOFER_INVALID;
	}
	enum gofer_err err = config_read_file(c, path, faults);
	if (err == GOFER_NOTFOUND) {
		config_fault(faults, path, 0, "can't be opened: %s", strerror(ENOENT));
		return GOFER_INVALID;
	}
	return err;
}

static enum gofer_err read_named(struct config *c, const char *directory, const char *name,
                                 struct config_faults *faults)
{
	struct buf path = BUF_INIT;
	enum gofer_err err = GOFER_NOMEM;

	buf_printf(&path, "%s/%s", directory, name);
	if (buf_ok(&path))
		err = read_entry(c, buf_text(&path), faults);
	else
		config_fault(faults, directory, 0, "out of memory");
	buf_release(&path);
	return err;
}

enum gofer_err config_read_directory(struct config *c, const char *path,
                                     struct config_faults *faults)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_config, compare_names);
	enum gofer_err result = GOFER_OK;

	if (count < 0 && errno == ENOENT)
		return GOFER_OK;
	if (count < 0) {
		config_fault(faults, path, 0, "can't be read: %s", strerror(errno));
		return GOFER_INVALID;
	}
	for (int i = 0; i < count; i++) {
		if (result != GOFER_NOMEM) {
			enum gofer_err err = read_named(c, path, entries[i]->d_name, faults);
			result = err ? err : result;
		}
		free(entries[i]);
	}
	free(entries);
	return result;
}
