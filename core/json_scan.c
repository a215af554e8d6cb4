/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json_scan.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void in_string(struct json_scan *scan, char c)
{
	if (scan->escaped)
		scan->escaped = false;
	else if (c == '\\')
		scan->escaped = true;
	else if (c == '"')
		scan->in_string = false;
}

static void between_strings(struct json_scan *scan, char c)
{
	if (c == '"')
		scan->in_string = true;
	else if (c == '{' || c == '[')
		scan->depth++;
	else if (c == '}' || c == ']')
		scan->depth--;
}

enum json_scan_state json_scan(struct json_scan *scan, const char *data, size_t size, size_t *used)
{
	for (size_t i = 0; i < size; i++) {
		*used = i + 1;
		if (!scan->depth && is_space(data[i]))
			continue;
		if (!scan->depth && data[i] != '{')
			return JSON_SCAN_WRONG;
		(scan->in_string ? in_string : between_strings)(scan, data[i]);
		if (!scan->depth)
			return JSON_SCAN_DONE;
	}
	*used = size;
	return JSON_SCAN_MORE;
}
