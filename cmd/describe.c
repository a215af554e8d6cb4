/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/describe.h"

#include <stdbool.h>
#include <string.h>

struct place {
	struct slice plugin, group; /* data NULL: in none */
};

static struct slice trimmed(const char *line, size_t size)
{
	while (size && *line == ' ') {
		line++;
		size--;
	}
	while (size && (line[size - 1] == ' ' || line[size - 1] == '\r'))
		size--;
	return (struct slice){line, size};
}

static bool is(struct slice line, const char *text)
{
	return line.size == strlen(text) && !memcmp(line.data, text, line.size);
}

/* What stands behind the tag; data NULL: the line has another one. */
static struct slice behind(struct slice line, const char *tag)
{
	size_t size = strlen(tag);

	if (line.size <= size || memcmp(line.data, tag, size))
		return (struct slice){NULL, 0};
	return trimmed(line.data + size, line.size - size);
}

/* What stands in the brackets, the closing one included, but for what the caller does not give. */
static struct slice without_self(struct slice params)
{
	if (params.size > 4 && !memcmp(params.data, "self", 4)) {
		if (params.data[4] == ')')
			return (struct slice){params.data + 4, params.size - 4};
		if (params.data[4] == ',')
			return trimmed(params.data + 5, params.size - 5);
	}
	return params;
}

static void print_callable(struct buf *out, struct slice group, struct slice line,
                           const char *bracket)
{
	size_t name = (size_t)(bracket - line.data) + 1;
	struct slice params = without_self((struct slice){bracket + 1, line.size - name});

	buf_printf(out, "%.*s.%.*s%.*s\n", (int)group.size, group.data, (int)name, line.data,
	           (int)params.size, params.data);
}

static void take_line(struct buf *out, struct place *at, struct slice line)
{
	struct slice plugin = behind(line, "<plugin>"), class = behind(line, "<class>");
	const char *bracket = line.size ? memchr(line.data, '(', line.size) : NULL;

	if (plugin.data)
		*at = (struct place){.plugin = plugin};
	else if (class.data)
		at->group = class;
	else if (is(line, "Functions:"))
		at->group = at->plugin;
	else if (at->group.data && bracket)
		print_callable(out, at->group, line, bracket);
}

void describe_print(struct buf *out, const char *help)
{
	struct place at = {{NULL, 0}, {NULL, 0}};

	while (*help) {
		size_t size = strcspn(help, "\n");
		struct slice line = trimmed(help, size);

		if (is(line, "Actions:"))
			return;
		take_line(out, &at, line);
		help += size + (help[size] == '\n');
	}
}
