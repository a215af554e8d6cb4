/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog: what a plugin provides, checked once and then looked up by name.
 *
 * Built from a plugin's constant tables: every parameter text is parsed, every name checked for
 * being there once, so that a fault in a table is told at start and not in the middle of a call.
 *
 * Thread: constant after catalog_new(), then any.
 */
#ifndef GOFER_CORE_CATALOG_H
#define GOFER_CORE_CATALOG_H

#include "core/params.h"
#include "core/plugin.h"

struct catalog;

struct catalog_method {
	const struct method *method;
	const struct class *class; /* NULL for a function of the plugin */
	const struct params *params, *cntr_params;
	const char *qualname;      /* "Dog.bark" or "echo" */
	const char *cntr_qualname; /* "Dog.__init__"; NULL for a function */
};

/* `plugin` is borrowed and must outlive it. NULL: `error` names the table entry and its fault. */
struct catalog *catalog_new(const struct plugin *plugin, struct error *error);
void catalog_free(struct catalog *c);

const struct plugin *catalog_plugin(const struct catalog *c);
/* Whether a class of that name, or the plugin itself, answers to `classname`. */
bool catalog_has_class(const struct catalog *c, const char *classname);
/* NULL if there is no such class or method. */
const struct catalog_method *catalog_find(const struct catalog *c, const char *classname,
                                          const char *method);

/* Appends what Admin.help() says of the plugin ("  <plugin> name\n    Classes:\n…"), `name` being
 * what the loaded plugin is called; sorted, a newline at the end. */
enum gofer_err catalog_print_help(struct buf *out, const struct catalog *c, const char *name);
/* Appends the whole text of Admin.help(): every catalog, sorted by name, then the actions of all,
 * sorted by name, with their intervals ("  sweep() 1:30:00"; one that runs once has 36500 days). No
 * newline at the end. GOFER_NOMEM is the only failure, here and above. */
struct catalog_entry {
	const char *name;
	const struct catalog *catalog;
};
enum gofer_err catalog_print_all(struct buf *out, const struct catalog_entry *entries,
                                 size_t count);

#endif
