/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value: looking things up in, and writing, AMQP maps held by proton.
 *
 * Reading moves the cursor of the pn_data_t: value_find() leaves it on the value that was found, so
 * that it can be read, or entered to look further.
 *
 * Thread: one at a time.
 */
#ifndef GOFER_BROKER_VALUE_H
#define GOFER_BROKER_VALUE_H

#include <proton/codec.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

/* The text of the value at the cursor: a string, symbol or binary; data NULL: it is none. */
struct slice value_text(pn_data_t *data);

/* Moves from a map at the cursor to the value of its `key`; false: no map, or no such key (the
 * cursor is then anywhere). */
bool value_find(pn_data_t *data, const char *key);
/* The same along a path of keys from the first value of `data`; ends with NULL. */
bool value_path(pn_data_t *data, const char *const *path);

/* What is at the end of the path, or nothing like it. */
struct slice value_text_at(pn_data_t *data, const char *const *path);
bool value_bool_at(pn_data_t *data, const char *const *path);
uint64_t value_number_at(pn_data_t *data, const char *const *path); /* 0: none; never negative */

/* Writes of one map entry. */
void value_put_key(pn_data_t *data, const char *key);
void value_put_text(pn_data_t *data, const char *key, const char *text);
void value_put_number(pn_data_t *data, const char *key, uint64_t number);
void value_put_bool(pn_data_t *data, const char *key, bool value);

#endif
