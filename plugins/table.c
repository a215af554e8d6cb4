/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/table.h"

#include <string.h>

extern const struct plugin demo_plugin;

const struct plugin *const plugin_table[] = {
	&demo_plugin,
	NULL,
};

const struct plugin *plugin_table_find(const char *name)
{
	for (const struct plugin *const *plugin = plugin_table; *plugin; plugin++)
		if (strcmp((*plugin)->name, name) == 0)
			return *plugin;
	return NULL;
}
