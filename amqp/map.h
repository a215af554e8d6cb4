/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map: AMQP maps in proton's data objects, as open frames and management have them. Thread: any.
 */
#ifndef GOFER_AMQP_MAP_H
#define GOFER_AMQP_MAP_H

#include <proton/codec.h>
#include <stdbool.h>

/* Begins a map: the whole value (`key` NULL), or the value of a key in the map at hand. */
void map_begin(pn_data_t *map, const char *key);
void map_end(pn_data_t *map);
void map_put_string(pn_data_t *map, const char *key, const char *value);
void map_put_bool(pn_data_t *map, const char *key, bool value);

/* Moves to the beginning; false: there is no value. */
bool map_first(pn_data_t *data);
/* Moves into the map at hand, to the value of a key (string, symbol or binary). False: there is no
 * such key, or no map. */
bool map_find(pn_data_t *data, const char *key);
bool map_equals(pn_bytes_t bytes, const char *text);

#endif
