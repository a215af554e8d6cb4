/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: JSON text to a tree of cJSON values and back, with nothing lost on the way.
 *
 * cJSON holds numbers as doubles and strings as C strings; JSON's own are wider. Here
 * - a number carries its text in `valuestring` and is written as it was read (2^53+1, 1.0, 1e400,
 *   long decimals), unless it is a short integer, whose double says it all;
 * - NUL inside a string is held as the bytes C0 80, and a lone surrogate \uD800..\uDFFF as its
 *   three-byte form ED A0..BF xx. Neither occurs in valid UTF-8, so nothing is ambiguous, and both
 *   are written as the escapes that they were. Text that may hold these is not for a system call:
 *   json_string_is_plain() tells.
 * - of equal keys in an object the last one counts, as in Python, and the only one that a parsed
 *   object keeps; its members are in the order of their keys.
 *
 * Read: any valid JSON (RFC 8259) in UTF-8, at most JSON_MAX_DEPTH arrays and objects deep.
 * Written: ASCII only, keys sorted by bytes, ", " and ": " between; what Python's
 * json.dumps(x, sort_keys=True) writes.
 *
 * A number made in C is written as Python writes it, and without a point when it is whole and below
 * 2^53. The process's LC_NUMERIC must be "C", as it is unless somebody calls setlocale().
 *
 * Values are made, held and freed with cJSON's own functions (cJSON_CreateObject, cJSON_Delete);
 * printing and parsing are done here only. Thread: any; a tree belongs to one thread at a time.
 */
#ifndef GOFER_CORE_JSON_H
#define GOFER_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "core/buf.h"
#include "core/error.h"

#define JSON_MAX_DEPTH 200

/* The value that `text` holds, to be freed by cJSON_Delete(). NULL: `error` says what is wrong and
 * at which line and column. */
struct cJSON *json_parse(const char *text, size_t size, struct error *error);

/* Appends the text of `value` (NULL is written as null). GOFER_NOMEM is the only failure. Bytes in
 * strings that are not UTF-8 (a value made in C from a command's output) are written as U+FFFD;
 * a double that is not finite and has no text of its own is written as null. cJSON_Raw is
 * written as it stands. */
enum gofer_err json_print(struct buf *out, const struct cJSON *value);

/* Appends `text` as a JSON string in quotes, under the rules of json_print(). */
enum gofer_err json_print_string(struct buf *out, const char *text, size_t size);

/* As json_print(), as a C string that the caller frees; NULL when out of memory. */
char *json_text(const struct cJSON *value);

/* The member `key` of an object, the last if there are several; NULL if `object` is NULL, is no
 * object or has no such member. */
struct cJSON *json_get(const struct cJSON *object, const char *key);

/* The characters of a string value; NULL if `value` is NULL or no string. */
const char *json_string(const struct cJSON *value);

/* Whether the value is a string with neither NUL nor lone surrogates in it. */
bool json_string_is_plain(const struct cJSON *value);

/* True and `*out` set, if `value` is a whole number that fits (1.0 and 1e2 are whole). */
bool json_integer(const struct cJSON *value, long long *out);

/* A number with exactly this text (which must be a JSON number); NULL when out of memory. */
struct cJSON *json_number_from_text(const char *text);

/* A deep copy, texts of numbers included; NULL when out of memory or `value` is NULL. */
struct cJSON *json_copy(const struct cJSON *value);

/* Whether two values are equal: objects whatever their order, numbers by value (by text, where the
 * double can't tell). */
bool json_equal(const struct cJSON *a, const struct cJSON *b);

/* The order of two numbers by value: below 0, 0 or above 0. Exact, as json_equal() is. */
int json_compare_numbers(const struct cJSON *a, const struct cJSON *b);

/* The exact text of the member `key` of the object that `text` holds (the last, if several), as it
 * stands there. False if there is none. `text` must be valid: json_parse() took it. */
bool json_member_text(const char *text, size_t size, const char *key, struct slice *out);

/* Python's name of a value's type, for messages: "str", "int", "float", "dict", "list", "bool",
 * "NoneType". */
const char *json_type_name(const struct cJSON *value);

#endif
