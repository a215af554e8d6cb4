/* SPDX-License-Identifier: Apache-2.0 */
/*
 * literal: the Python literals that have a JSON value: None, True, False, whole and decimal
 * numbers, strings in either quotes, and lists and dicts of these.
 *
 * A dict's keys are strings. What Python also takes and this does not: tuples, sets, bytes, prefixes
 * of strings, \N{} and octal escapes, numbers that aren't decimal or leave out the digits on one
 * side of the point, and strings put together by standing side by side.
 *
 * Thread: any.
 */
#ifndef GOFER_CORE_LITERAL_H
#define GOFER_CORE_LITERAL_H

#include "core/error.h"
#include "core/json.h"

#define LITERAL_MAX_DEPTH 32

/* The value at *at, which is moved to behind it (white space before it is passed over). NULL: *at
 * is where the fault is and `error` says which. The caller frees the value. */
struct cJSON *literal_parse(const char **at, struct error *error);

#endif
