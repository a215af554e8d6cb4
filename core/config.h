/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: INI and JSON files, merged, checked against a schema; every fault told by file and line.
 *
 * A schema is a constant table of properties. It validates, gives defaults and is the documentation
 * (config_print_schema()). Files are read in order, later values win; a directory's *.conf and *.json
 * are read in the order of their names. A section that the schema does not name is the user's own
 * and kept as it is; an unknown key in a section of the schema is a fault.
 *
 *   struct config *c = config_new(schema);
 *   config_read_file(c, "etc/agent.conf", &faults);
 *   config_read_directory(c, "etc/conf.d", &faults);
 *   config_check(c, &faults);
 *   if (faults.count) config_faults_print(...)
 *
 * Faults are gathered, never only the first. Values are text as in the file; the typed getters give
 * what config_check() has seen to be valid, or the default. Lines may be of any length up to
 * CONFIG_LINE_MAX; a longer one is a fault, never cut.
 *
 * Thread: one at a time; constant once checked. May block on file reads.
 */
#ifndef GOFER_CORE_CONFIG_H
#define GOFER_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

#define CONFIG_LINE_MAX 65536

enum config_kind {
	CONFIG_TEXT,
	CONFIG_BOOL,     /* 1 0 true false yes no on off, any case */
	CONFIG_INTEGER,  /* within min..max */
	CONFIG_DURATION, /* clock_duration(); seconds */
	CONFIG_SIZE,     /* bytes: 65536, 64k, 8m, 1g */
	CONFIG_CHOICE,   /* one of `choices`, separated by '|' */
};

struct config_property {
	const char *section, *key; /* section NULL ends the table; key "*": any key, of that kind */
	enum config_kind kind;
	const char *initial;       /* the default as text; NULL: none */
	bool required;
	long long min, max;        /* CONFIG_INTEGER and CONFIG_SIZE; both 0: no bounds */
	const char *choices;
	const char *help;
};

struct config_faults {
	struct buf text; /* one "FILE:LINE: what and what would be right\n" each */
	size_t count;
};
void config_fault(struct config_faults *faults, const char *file, unsigned line, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
void config_faults_release(struct config_faults *faults);

struct config;

struct config *config_new(const struct config_property *schema); /* NULL: out of memory */
void config_free(struct config *c);

/* Reads one file: JSON ({"section": {"key": value}}) if its name ends in .json, INI otherwise. What is
 * wrong goes to `faults`; what was right is kept. GOFER_NOTFOUND if there is no such file (no fault then),
 * GOFER_INVALID if anything was wrong. */
enum gofer_err config_read_file(struct config *c, const char *path, struct config_faults *faults);
/* A missing directory is an empty one. Hidden files are passed over. */
enum gofer_err config_read_directory(struct config *c, const char *path,
                                     struct config_faults *faults);
/* Sets a value as the command line does; wins over files. `origin` is told in place of file:line. */
enum gofer_err config_set(struct config *c, const char *section, const char *key,
                          const char *value, const char *origin);
/* Checks all against the schema. GOFER_INVALID if there were faults. */
enum gofer_err config_check(struct config *c, struct config_faults *faults);

/* NULL if neither set nor defaulted. Valid as long as the config is and nothing is set. */
const char *config_text(const struct config *c, const char *section, const char *key);
bool config_bool(const struct config *c, const char *section, const char *key);
long long config_integer(const struct config *c, const char *section, const char *key);
double config_duration(const struct config *c, const char *section, const char *key);
size_t config_size(const struct config *c, const char *section, const char *key);
/* Where a value was set: file and line, for faults found later; false if it is a default. */
bool config_where(const struct config *c, const char *section, const char *key, const char **file,
                  unsigned *line);
/* Every key of a section, in file order; stops when `each` returns false. */
void config_each(const struct config *c, const char *section,
                 bool (*each)(void *arg, const char *key, const char *value), void *arg);

/* Appends the schema as documentation, one property a paragraph. */
enum gofer_err config_print_schema(struct buf *out, const struct config_property *schema);

#endif
