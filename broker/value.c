/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/value.h"

#include <string.h>

struct slice value_text(pn_data_t *data)
{
	pn_bytes_t text = {0, NULL};

	switch (pn_data_type(data)) {
	case PN_STRING: text = pn_data_get_string(data); break;
	case PN_SYMBOL: text = pn_data_get_symbol(data); break;
	case PN_BINARY: text = pn_data_get_binary(data); break;
	default: break;
	}
	return (struct slice){text.start, text.size};
}

static bool is_text(struct slice s, const char *text)
{
	return s.data && s.size == strlen(text) && !memcmp(s.data, text, s.size);
}

bool value_find(pn_data_t *data, const char *key)
{
	if (pn_data_type(data) != PN_MAP || !pn_data_enter(data))
		return false;
	while (pn_data_next(data)) {
		bool found = is_text(value_text(data), key);

		if (!pn_data_next(data))
			break;
		if (found)
			return true;
	}
	return false;
}

bool value_path(pn_data_t *data, const char *const *path)
{
	pn_data_rewind(data);
	if (!pn_data_next(data))
		return false;
	for (; *path; path++)
		if (!value_find(data, *path))
			return false;
	return true;
}

struct slice value_text_at(pn_data_t *data, const char *const *path)
{
	if (!value_path(data, path))
		return (struct slice){NULL, 0};
	return value_text(data);
}

bool value_bool_at(pn_data_t *data, const char *const *path)
{
	return value_path(data, path) && pn_data_type(data) == PN_BOOL && pn_data_get_bool(data);
}

static uint64_t not_negative(int64_t number)
{
	return number > 0 ? (uint64_t)number : 0;
}

uint64_t value_number_at(pn_data_t *data, const char *const *path)
{
	if (!value_path(data, path))
		return 0;
	switch (pn_data_type(data)) {
	case PN_UBYTE: return pn_data_get_ubyte(data);
	case PN_USHORT: return pn_data_get_ushort(data);
	case PN_UINT: return pn_data_get_uint(data);
	case PN_ULONG: return pn_data_get_ulong(data);
	case PN_BYTE: return not_negative(pn_data_get_byte(data));
	case PN_SHORT: return not_negative(pn_data_get_short(data));
	case PN_INT: return not_negative(pn_data_get_int(data));
	case PN_LONG: return not_negative(pn_data_get_long(data));
	default: return 0;
	}
}

void value_put_key(pn_data_t *data, const char *key)
{
	pn_data_put_string(data, pn_bytes(strlen(key), key));
}

void value_put_text(pn_data_t *data, const char *key, const char *text)
{
	value_put_key(data, key);
	pn_data_put_string(data, pn_bytes(strlen(text), text));
}

void value_put_number(pn_data_t *data, const char *key, uint64_t number)
{
	value_put_key(data, key);
	pn_data_put_ulong(data, number);
}

void value_put_bool(pn_data_t *data, const char *key, bool value)
{
	value_put_key(data, key);
	pn_data_put_bool(data, value);
}
