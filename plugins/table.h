/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: the plugins that are compiled in.
 *
 * A new one: plugins/<name>.c exports a `const struct plugin`, and a line in plugins/table.c names
 * it. Thread: any; all is constant.
 */
#ifndef GOFER_PLUGINS_TABLE_H
#define GOFER_PLUGINS_TABLE_H

#include "core/plugin.h"

/* Sorted by name; NULL ends it. */
extern const struct plugin *const plugin_table[];

/* NULL if there is none of that name. */
const struct plugin *plugin_table_find(const char *name);

#endif
