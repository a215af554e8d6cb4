/* SPDX-License-Identifier: Apache-2.0 */
/* config_private: what the files of config share; nobody else includes it. */
#ifndef GOFER_CORE_CONFIG_PRIVATE_H
#define GOFER_CORE_CONFIG_PRIVATE_H

#include "core/config.h"

struct config_value {
	char *section, *key, *text;
	const char *file; /* the config's */
	unsigned line;
	unsigned reading; /* which file or config_set() it is from, counted */
	bool refused;     /* config_check() found it wrong: it does as if not set */
};

struct config_section {
	char *name;
	const char *file; /* the config's */
	unsigned line;
};

struct config {
	const struct config_property *schema;
	struct config_value *values; /* in the order in which they came first */
	size_t values_count, values_capacity;
	struct config_section *sections; /* where each of them was seen last */
	size_t sections_count, sections_capacity;
	char **files;
	size_t files_count;
	const char *file; /* what is being read, or was read last; NULL: nothing */
	unsigned reading;
};

/* The property that describes a key, be it by "*"; NULL: none. */
const struct config_property *config_property(const struct config_property *schema,
                                              const char *section, const char *key);
bool config_knows_section(const struct config_property *schema, const char *section);

struct config_value *config_find(const struct config *c, const char *section, const char *key);
const struct config_section *config_find_section(const struct config *c, const char *name);

/* While a file is read: sets a value, or takes it back (`text` NULL). A fault if this file has it
 * already. GOFER_NOMEM and GOFER_FULL are told as faults, too. */
enum gofer_err config_put(struct config *c, const char *section, const char *key, const char *text,
                          unsigned line, struct config_faults *faults);
/* While a file is read: a section begins at `line`. */
enum gofer_err config_put_section(struct config *c, const char *name, unsigned line,
                                  struct config_faults *faults);

/* Read what is in `text`, which is the file `c->file`. GOFER_NOMEM or GOFER_FULL: told and given up. */
enum gofer_err config_read_ini(struct config *c, const struct buf *text,
                               struct config_faults *faults);
enum gofer_err config_read_json(struct config *c, const struct buf *text,
                                struct config_faults *faults);

#endif
