/* SPDX-License-Identifier: Apache-2.0 */
/* json_private: what the files of core/json share among themselves. */
#ifndef GOFER_CORE_JSON_PRIVATE_H
#define GOFER_CORE_JSON_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/json.h"

/* Printable ASCII that stands for itself in a string. */
static inline bool json_is_plain(char c)
{
	return c >= ' ' && c < 0x7F && c != '"' && c != '\\';
}

/* A value of cJSON's allocator with nothing in it; NULL when out of memory. */
struct cJSON *json_new(int type);

/* Sets a number's double, and its int as cJSON does. */
void json_set_double(struct cJSON *number, double value);

/* A number whose text is `text[0..size)`, which must be one in JSON. The text is kept unless it is
 * a short integer. */
struct cJSON *json_new_number(const char *text, size_t size);

/* What json_print() writes for a double. */
#define JSON_DOUBLE_SIZE 40
void json_double_text(char text[JSON_DOUBLE_SIZE], double value);

/* The text of a number: its own, or its double's, which then is in `space`. */
const char *json_number_text(const struct cJSON *number, char space[JSON_DOUBLE_SIZE]);

/* The order of keys: that of their characters. NUL, which is held as C0 80, comes first. */
int json_key_compare(const char *a, const char *b);

/* The members of an object in the order of their keys, of equal ones the last only. `list` is NULL
 * where the object is in this order already: then follow ->next from ->child. */
struct json_members {
	const struct cJSON **list; /* owned */
	size_t count;
};
enum gofer_err json_members_init(struct json_members *members, const struct cJSON *object);
void json_members_release(struct json_members *members);

#endif
