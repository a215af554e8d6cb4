/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/map.h"

#include <string.h>

static pn_bytes_t bytes_of(const char *text)
{
	return pn_bytes(strlen(text), text);
}

void map_begin(pn_data_t *map, const char *key)
{
	if (key)
		pn_data_put_string(map, bytes_of(key));
	pn_data_put_map(map);
	pn_data_enter(map);
}

void map_end(pn_data_t *map)
{
	pn_data_exit(map);
}

void map_put_string(pn_data_t *map, const char *key, const char *value)
{
	pn_data_put_string(map, bytes_of(key));
	pn_data_put_string(map, bytes_of(value));
}

void map_put_bool(pn_data_t *map, const char *key, bool value)
{
	pn_data_put_string(map, bytes_of(key));
	pn_data_put_bool(map, value);
}

bool map_equals(pn_bytes_t bytes, const char *text)
{
	return bytes.start && bytes.size == strlen(text) && !memcmp(bytes.start, text, bytes.size);
}

bool map_first(pn_data_t *data)
{
	pn_data_rewind(data);
	return pn_data_next(data);
}

bool map_find(pn_data_t *data, const char *key)
{
	if (pn_data_type(data) != PN_MAP || !pn_data_enter(data))
		return false;
	while (pn_data_next(data)) {
		bool found = map_equals(pn_data_get_bytes(data), key);

		if (!pn_data_next(data))
			return false;
		if (found)
			return true;
	}
	return false;
}
