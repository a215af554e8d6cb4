/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/message.h"

#include <string.h>

#include "amqp/codec.h"

/* Descriptors, part 3 section 2. Sections come in this order. */
enum section_code {
	SECTION_HEADER = 0x70,
	SECTION_DELIVERY_ANNOTATIONS,
	SECTION_MESSAGE_ANNOTATIONS,
	SECTION_PROPERTIES,
	SECTION_APPLICATION_PROPERTIES,
	SECTION_DATA,
	SECTION_SEQUENCE,
	SECTION_VALUE,
	SECTION_FOOTER,
	SECTION_END,
};

struct decoder {
	struct message *message;
	struct buf *scratch;
	unsigned last; /* section; 0: none yet */
};

struct section {
	const char *name, *symbol;
	bool (*decode)(struct decoder *d, struct codec *c);
};

/* The fields of the properties section by their place: where in struct message, 0: passed over. */
static const struct property {
	size_t offset;
	bool symbol;
} properties[] = {
	{offsetof(struct message, message_id), false},
	{0, false}, /* user-id */
	{offsetof(struct message, to), false},
	{offsetof(struct message, subject), false},
	{offsetof(struct message, reply_to), false},
	{offsetof(struct message, correlation_id), false},
	{offsetof(struct message, content_type), true},
	{0, false}, /* content-encoding */
};
#define PROPERTIES (sizeof(properties) / sizeof(*properties))
#define EXPIRY PROPERTIES /* the place of absolute-expiry-time */

/* Passes over the items of a list that nobody asked for, and sees that it holds what it said. */
static bool skip_rest(struct codec *items, uint32_t count, uint32_t known)
{
	for (; count > known; count--)
		if (!codec_skip(items))
			return false;
	return codec_done(items);
}

static bool decode_header(struct decoder *d, struct codec *c)
{
	struct message *m = d->message;
	struct codec items;
	uint32_t n;

	if (!codec_list(c, &items, &n))
		return false;
	if ((n > 0 && !codec_bool(&items, &m->durable)) ||
	    (n > 1 && !codec_ubyte(&items, &m->priority)))
		return false;
	m->has_ttl = n > 2 && codec_peek(&items) != CODEC_NULL;
	return (n <= 2 || codec_uint(&items, &m->ttl_ms)) &&
		(n <= 3 || codec_bool(&items, &m->first_acquirer)) &&
		(n <= 4 || codec_uint(&items, &m->delivery_count)) && skip_rest(&items, n, 5);
}

static bool decode_property(struct message *m, struct codec *items, uint32_t place)
{
	size_t offset = place < PROPERTIES ? properties[place].offset : 0;
	int64_t expiry = 0;

	if (place == EXPIRY) {
		if (!codec_timestamp(items, &expiry))
			return false;
		m->expiry_ms = expiry > 0 ? (uint64_t)expiry : 0;
		return true;
	}
	if (offset && codec_peek(items) == CODEC_TEXT)
		return codec_text(items, (struct slice *)((char *)m + offset));
	return codec_skip(items);
}

static bool decode_properties(struct decoder *d, struct codec *c)
{
	struct codec items;
	uint32_t n, i;

	if (!codec_list(c, &items, &n))
		return false;
	for (i = 0; i < n && i <= EXPIRY; i++)
		if (!decode_property(d->message, &items, i))
			return false;
	return skip_rest(&items, n, i);
}

static bool decode_map(struct decoder *d, struct codec *c)
{
	(void)d;
	return codec_peek(c) == CODEC_MAP && codec_skip(c);
}

static bool decode_data(struct decoder *d, struct codec *c)
{
	struct message *m = d->message;
	struct slice part;

	if (codec_peek(c) != CODEC_BINARY || !codec_binary(c, &part))
		return false;
	if (m->body_kind != MESSAGE_DATA) {
		m->body_kind = MESSAGE_DATA;
		m->body = part;
		return true;
	}
	if (!d->scratch->size)
		buf_append(d->scratch, m->body.data, m->body.size);
	buf_append(d->scratch, part.data, part.size);
	if (d->scratch->size && buf_ok(d->scratch))
		m->body = (struct slice){d->scratch->data, d->scratch->size};
	return true;
}

static bool decode_sequence(struct decoder *d, struct codec *c)
{
	(void)d;
	return codec_peek(c) == CODEC_LIST && codec_skip(c);
}

static bool decode_value(struct decoder *d, struct codec *c)
{
	struct message *m = d->message;

	switch (codec_peek(c)) {
	case CODEC_TEXT: m->body_kind = MESSAGE_STRING; return codec_text(c, &m->body);
	case CODEC_BINARY: m->body_kind = MESSAGE_BINARY; return codec_binary(c, &m->body);
	default: return codec_skip(c);
	}
}

static const struct section sections[] = {
	{"header", "amqp:header:list", decode_header},
	{"delivery-annotations", "amqp:delivery-annotations:map", decode_map},
	{"message-annotations", "amqp:message-annotations:map", decode_map},
	{"properties", "amqp:properties:list", decode_properties},
	{"application-properties", "amqp:application-properties:map", decode_map},
	{"data", "amqp:data:binary", decode_data},
	{"amqp-sequence", "amqp:amqp-sequence:list", decode_sequence},
	{"amqp-value", "amqp:amqp-value:*", decode_value},
	{"footer", "amqp:footer:map", decode_map},
};

static unsigned code_of_symbol(struct slice symbol)
{
	for (unsigned i = 0; i < SECTION_END - SECTION_HEADER; i++)
		if (strlen(sections[i].symbol) == symbol.size &&
		    !memcmp(sections[i].symbol, symbol.data, symbol.size))
			return SECTION_HEADER + i;
	return 0;
}

/* The descriptor of a section; 0: it is none. */
static unsigned take_code(struct codec *c)
{
	struct slice symbol;
	uint64_t code;

	if (!codec_descriptor(c, &code, &symbol))
		return 0;
	if (symbol.data)
		return code_of_symbol(symbol);
	return code >= SECTION_HEADER && code < SECTION_END ? (unsigned)code : 0;
}

/* A body is of one kind, and only two of the three kinds may come in several sections. */
static bool may_follow(unsigned code, unsigned last)
{
	bool last_is_body = last >= SECTION_DATA && last <= SECTION_VALUE;

	if (code == last)
		return code == SECTION_DATA || code == SECTION_SEQUENCE;
	return code > last && (!last_is_body || code == SECTION_FOOTER);
}

static enum gofer_err decode_section(struct decoder *d, struct codec *c, size_t offset,
                                     struct error *error)
{
	unsigned code = take_code(c);
	const struct section *section;

	if (!code)
		return error_set(error, GOFER_PROTOCOL,
		                 "no AMQP message: at byte %zu no section begins", offset);
	section = &sections[code - SECTION_HEADER];
	if (!may_follow(code, d->last))
		return error_set(error, GOFER_PROTOCOL,
		                 "no AMQP message: the section %s at byte %zu is out of order",
		                 section->name, offset);
	if (!section->decode(d, c))
		return error_set(error, GOFER_PROTOCOL,
		                 "no AMQP message: the section %s at byte %zu is malformed",
		                 section->name, offset);
	d->last = code;
	return GOFER_OK;
}

enum gofer_err message_decode(struct message *message, const char *bytes, size_t size,
                              struct buf *scratch, struct error *error)
{
	struct decoder d = {message, scratch, 0};
	struct codec c = codec_over(bytes, size);

	*message = (struct message)MESSAGE_INIT;
	buf_clear(scratch);
	if (!size)
		return error_set(error, GOFER_PROTOCOL, "no AMQP message: it is empty");
	while (!codec_done(&c)) {
		enum gofer_err err =
			decode_section(&d, &c, (size_t)((const char *)c.at - bytes), error);

		if (err)
			return err;
	}
	if (!buf_ok(scratch))
		return error_set(error, GOFER_NOMEM, "out of memory");
	return GOFER_OK;
}

/* --- encoding --------------------------------------------------------------------------- */

#define HEADER_MAX (CODEC_SECTION_MAX + 5 * CODEC_FIXED_MAX)

static void put_header(struct codec_out *out, const struct message *m)
{
	unsigned char *list;
	uint32_t count = m->delivery_count ? 5 : m->first_acquirer ? 4 : m->has_ttl ? 3 : 1;

	if (count == 1 && m->priority != 4)
		count = 2;
	codec_put_descriptor(out, SECTION_HEADER);
	list = codec_list_begin(out);
	codec_put_bool(out, m->durable);
	if (count > 1 && m->priority != 4)
		codec_put_ubyte(out, m->priority);
	else if (count > 1)
		codec_put_null(out);
	if (count > 2 && m->has_ttl)
		codec_put_uint(out, m->ttl_ms);
	else if (count > 2)
		codec_put_null(out);
	if (count > 3)
		codec_put_bool(out, m->first_acquirer);
	if (count > 4)
		codec_put_uint(out, m->delivery_count);
	codec_list_end(out, list, count);
}

static const struct slice *property(const struct message *m, uint32_t place)
{
	static const struct slice absent;

	if (!properties[place].offset)
		return &absent;
	return (const struct slice *)((const char *)m + properties[place].offset);
}

/* Nulls are written only once something follows them. */
static void put_nulls(struct codec_out *out, uint32_t *count, uint32_t until)
{
	for (; *count < until; ++*count)
		codec_put_null(out);
}

static void put_properties(struct codec_out *out, const struct message *m)
{
	unsigned char *section = out->at, *list;
	uint32_t count = 0;

	codec_put_descriptor(out, SECTION_PROPERTIES);
	list = codec_list_begin(out);
	for (uint32_t i = 0; i < PROPERTIES; i++) {
		const struct slice *value = property(m, i);

		if (!value->data)
			continue;
		put_nulls(out, &count, i);
		if (properties[i].symbol)
			codec_put_symbol(out, *value);
		else
			codec_put_string(out, *value);
		count++;
	}
	if (m->expiry_ms) {
		put_nulls(out, &count, EXPIRY);
		codec_put_timestamp(out, (int64_t)m->expiry_ms);
		count++;
	}
	if (count)
		codec_list_end(out, list, count);
	else
		out->at = section;
}

static void put_body(struct codec_out *out, const struct message *m)
{
	codec_put_descriptor(out, m->body_kind == MESSAGE_DATA ? SECTION_DATA : SECTION_VALUE);
	switch (m->body_kind) {
	case MESSAGE_NONE: codec_put_null(out); break;
	case MESSAGE_STRING: codec_put_string(out, m->body); break;
	case MESSAGE_BINARY:
	case MESSAGE_DATA: codec_put_binary(out, m->body); break;
	}
}

static size_t encoded_max(const struct message *m)
{
	size_t size = HEADER_MAX + 2 * CODEC_SECTION_MAX + CODEC_FIXED_MAX + PROPERTIES +
		CODEC_VARIABLE_MAX + m->body.size;

	for (uint32_t i = 0; i < PROPERTIES; i++)
		size += CODEC_VARIABLE_MAX + property(m, i)->size;
	return size;
}

static struct codec_out out_over(char *room, size_t size)
{
	unsigned char *at = (unsigned char *)room;

	return (struct codec_out){at, at + size, false};
}

enum gofer_err message_encode(struct buf *out, const struct message *message)
{
	size_t max = encoded_max(message);
	char *room = buf_reserve(out, max);
	struct codec_out o;

	if (!room)
		return GOFER_NOMEM;
	o = out_over(room, max);
	put_header(&o, message);
	put_properties(&o, message);
	put_body(&o, message);
	if (o.full)
		return GOFER_NOMEM;
	buf_added(out, (size_t)((char *)o.at - room));
	return GOFER_OK;
}

/* Where what follows the header section begins; NULL: there is no section at the beginning. */
static const char *behind_header(const char *bytes, size_t size)
{
	struct codec c = codec_over(bytes, size);
	unsigned code = take_code(&c);

	if (!code)
		return NULL;
	if (code != SECTION_HEADER)
		return bytes;
	return codec_peek(&c) == CODEC_LIST && codec_skip(&c) ? (const char *)c.at : NULL;
}

enum gofer_err message_patch_header(struct buf *out, const char *bytes, size_t size,
                                    const struct message *header)
{
	const char *rest = behind_header(bytes, size);
	struct codec_out o;
	size_t rest_size;
	char *room;

	if (!rest)
		return GOFER_PROTOCOL;
	rest_size = size - (size_t)(rest - bytes);
	room = buf_reserve(out, HEADER_MAX + rest_size);
	if (!room)
		return GOFER_NOMEM;
	o = out_over(room, HEADER_MAX);
	put_header(&o, header);
	memcpy(o.at, rest, rest_size);
	buf_added(out, (size_t)((char *)o.at - room) + rest_size);
	return GOFER_OK;
}
