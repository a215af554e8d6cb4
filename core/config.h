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
 *   if (faults.count) fputs(buf_text(&faults.text), stderr);
 *
 * Faults are gathered, never only the first. Values are text as in the file; the typed getters give
 * what config_check() has seen to be valid, or the default. An empty value of a property ("uuid=") is
 * one that was not set. Lines may be of any length up to CONFIG_LINE_MAX; a longer one is a fault,
 * never cut.
 *
 * INI: `key = value` or `key: value` below a [section]; whitespace around either is not part of it.
 * A line that begins with # or ; is a comment; nowhere else are these special, as in gofer 2.x, so that
 * they may be in a url or a password. An indented line continues the value above it (a line break
 * between); one that is a key or a section of the schema is taken for a slip and told. Of two equal
 * keys in a file the second is a fault. A section may be opened again.
 *
 * JSON: {"section": {"key": value}}; a value is text, a number, true, false, or null, which takes
 * back what a file before has set. Lists and objects are kept, as JSON, in the user's own sections.
 * Of two equal keys the second counts, as everywhere in JSON, and sections and keys come in the order of
 * their names.
 *
 * Thread: one at a time; constant once checked. May block on file reads.
 */
#ifndef GOFER_CORE_CONFIG_H
#define GOFER_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

#define CONFIG_LINE_MAX 65536 /* bytes, without the line break */
#define CONFIG_SECTION_MAX 49 /* bytes of a section's name: what inih holds */
#define CONFIG_KEY_MAX 100    /* bytes of a key */
#define CONFIG_FILE_MAX (1024 * 1024)
#define CONFIG_VALUES_MAX 2000 /* keys in all */
#define CONFIG_FAULTS_MAX 100  /* of one file; it isn't read further */

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
	const char *initial; /* the default as text; NULL: none */
	bool required;
	long long min, max; /* CONFIG_INTEGER and CONFIG_SIZE; both 0: no bounds */
	const char *choices;
	const char *help;
};

struct config_faults {
	struct buf text; /* one "FILE:LINE: what and what would be right\n" each */
	size_t count;
};
/* Adds one. `line` 0: no line is told; `file` NULL: none is known. */
void config_fault(struct config_faults *faults, const char *file, unsigned line, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
void config_faults_release(struct config_faults *faults);

struct config;

struct config *config_new(const struct config_property *schema); /* NULL: out of memory */
void config_free(struct config *c);

/* Reads one file: JSON if its name ends in .json, INI otherwise. What is wrong goes to `faults`; what was
 * right is kept. GOFER_NOTFOUND if there is no such file (no fault then), GOFER_INVALID if anything was
 * wrong, GOFER_NOMEM (a fault too). */
enum gofer_err config_read_file(struct config *c, const char *path, struct config_faults *faults);
/* A missing directory is an empty one. Hidden files are passed over; what is no file is a fault. */
enum gofer_err config_read_directory(struct config *c, const char *path,
                                     struct config_faults *faults);
/* Sets a value as the command line does; wins over what is there. `origin` is told in place of
 * file:line. GOFER_NOMEM or, with CONFIG_VALUES_MAX keys, GOFER_FULL. */
enum gofer_err config_set(struct config *c, const char *section, const char *key, const char *value,
                          const char *origin);
/* Checks all against the schema: unknown keys, wrong kinds, required ones that are missing.
 * GOFER_INVALID if there were faults. */
enum gofer_err config_check(struct config *c, struct config_faults *faults);

/* NULL if neither set nor defaulted. Valid as long as the config is and nothing is set. The others give
 * 0 or false then. */
const char *config_text(const struct config *c, const char *section, const char *key);
bool config_bool(const struct config *c, const char *section, const char *key);
long long config_integer(const struct config *c, const char *section, const char *key);
double config_duration(const struct config *c, const char *section, const char *key);
size_t config_size(const struct config *c, const char *section, const char *key);
/* Where a value was set: file and line (0: no line), for faults found later; false, and neither is
 * touched, if it is a default. */
bool config_where(const struct config *c, const char *section, const char *key, const char **file,
                  unsigned *line);
/* Every key of a section, in file order; stops when `each` returns false. */
void config_each(const struct config *c, const char *section,
                 bool (*each)(void *arg, const char *key, const char *value), void *arg);

/* The same with every value that was set and not found wrong, of all sections. */
void config_each_value(const struct config *c,
                       bool (*each)(void *arg, const char *section, const char *key,
                                    const char *value),
                       void *arg);

/* Whether both hold the same values, wherever and in whatever order these were set. */
bool config_equal(const struct config *a, const struct config *b);

/* Appends the schema as documentation, one property a paragraph. */
enum gofer_err config_print_schema(struct buf *out, const struct config_property *schema);

#endif
