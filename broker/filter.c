/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/filter.h"

#include <stdbool.h>
#include <string.h>

#include "broker/value.h"

static const struct binding_filter {
	const char *name;
	uint64_t code;
} binding_filters[] = {
	{"apache.org:legacy-amqp-direct-binding:string", 0x0000468C00000000},
	{"apache.org:legacy-amqp-topic-binding:string", 0x0000468C00000001},
};
#define BINDING_FILTERS (sizeof(binding_filters) / sizeof(binding_filters[0]))

static const struct binding_filter *by_name(struct slice name)
{
	for (size_t i = 0; i < BINDING_FILTERS; i++)
		if (name.data && strlen(binding_filters[i].name) == name.size &&
		    !memcmp(binding_filters[i].name, name.data, name.size))
			return &binding_filters[i];
	return NULL;
}

static const struct binding_filter *by_code(uint64_t code)
{
	for (size_t i = 0; i < BINDING_FILTERS; i++)
		if (binding_filters[i].code == code)
			return &binding_filters[i];
	return NULL;
}

static const struct binding_filter *by_descriptor(pn_data_t *data)
{
	return pn_data_type(data) == PN_ULONG ? by_code(pn_data_get_ulong(data))
					      : by_name(value_text(data));
}

/* The value at the cursor, described or not; `*kind` stays what the map's key said where it is
 * not. */
static struct slice read_value(pn_data_t *data, const struct binding_filter **kind)
{
	struct slice text = {NULL, 0};

	if (!pn_data_is_described(data))
		return value_text(data);
	pn_data_enter(data);
	if (pn_data_next(data))
		*kind = by_descriptor(data);
	if (pn_data_next(data))
		text = value_text(data);
	pn_data_exit(data);
	return text;
}

/* Finds the first filter that is understood: its label in the map, what it is, its value. */
static bool find(pn_data_t *filters, struct slice *label, const struct binding_filter **kind,
                 struct slice *value)
{
	bool found = false;

	pn_data_rewind(filters);
	if (!pn_data_next(filters) || pn_data_type(filters) != PN_MAP)
		return false;
	pn_data_enter(filters);
	while (!found && pn_data_next(filters)) {
		*label = value_text(filters);
		*kind = by_name(*label);
		if (!pn_data_next(filters))
			break;
		*value = read_value(filters, kind);
		found = *kind && value->data;
	}
	pn_data_rewind(filters);
	return found;
}

struct slice filter_key(pn_data_t *filters)
{
	const struct binding_filter *kind;
	struct slice label, value;

	if (!find(filters, &label, &kind, &value))
		return (struct slice){NULL, 0};
	return value;
}

void filter_confirm(pn_data_t *out, pn_data_t *asked)
{
	const struct binding_filter *kind;
	struct slice label, value;

	pn_data_clear(out);
	if (!find(asked, &label, &kind, &value))
		return;
	pn_data_put_map(out);
	pn_data_enter(out);
	pn_data_put_symbol(out, pn_bytes(label.size, label.data));
	pn_data_put_described(out);
	pn_data_enter(out);
	pn_data_put_symbol(out, pn_bytes(strlen(kind->name), kind->name));
	pn_data_put_string(out, pn_bytes(value.size, value.data));
	pn_data_exit(out);
	pn_data_exit(out);
	pn_data_rewind(out);
}
