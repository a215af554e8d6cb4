/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/codec.h"

#include <endian.h>
#include <string.h>

/* Constructors, part 1 section 1.6. The high four bits tell the width of what follows. */
enum {
	DESCRIBED = 0x00,
	NULL_ = 0x40,
	BOOLEAN_TRUE = 0x41,
	BOOLEAN_FALSE = 0x42,
	UINT_0 = 0x43,
	ULONG_0 = 0x44,
	LIST_0 = 0x45,
	UBYTE = 0x50,
	SMALL_UINT = 0x52,
	SMALL_ULONG = 0x53,
	BOOLEAN = 0x56,
	UINT = 0x70,
	ULONG = 0x80,
	TIMESTAMP = 0x83,
	BINARY_8 = 0xa0,
	STRING_8 = 0xa1,
	SYMBOL_8 = 0xa3,
	BINARY_32 = 0xb0,
	STRING_32 = 0xb1,
	SYMBOL_32 = 0xb3,
	LIST_8 = 0xc0,
	MAP_8 = 0xc1,
	LIST_32 = 0xd0,
	MAP_32 = 0xd1,
	ARRAY_8 = 0xe0,
	ARRAY_32 = 0xf0,
};

#define WIDE(constructor) \
	((constructor)&0x10) /* sizes of four bytes; of variable and compound ones */

/* Which low four bits exist under each high four bits. */
static const uint16_t constructors[16] = {
	[0x4] = 0x003f, [0x5] = 0x007f, [0x6] = 0x0003, [0x7] = 0x001f,
	[0x8] = 0x001f, [0x9] = 0x0110, [0xa] = 0x000b, [0xb] = 0x000b,
	[0xc] = 0x0003, [0xd] = 0x0003, [0xe] = 0x0001, [0xf] = 0x0001,
};

static bool exists(uint8_t constructor)
{
	return constructors[constructor >> 4] >> (constructor & 15) & 1;
}

/* --- reading ---------------------------------------------------------------------------- */

static size_t left(const struct codec *c)
{
	return (size_t)(c->end - c->at);
}

static bool take(struct codec *c, size_t size, const unsigned char **bytes)
{
	if (left(c) < size)
		return false;
	*bytes = c->at;
	c->at += size;
	return true;
}

static bool take_u8(struct codec *c, uint8_t *value)
{
	if (codec_done(c))
		return false;
	*value = *c->at++;
	return true;
}

static bool take_u32(struct codec *c, uint32_t *value)
{
	const unsigned char *bytes;

	if (!take(c, sizeof(*value), &bytes))
		return false;
	memcpy(value, bytes, sizeof(*value));
	*value = be32toh(*value);
	return true;
}

static bool take_u64(struct codec *c, uint64_t *value)
{
	const unsigned char *bytes;

	if (!take(c, sizeof(*value), &bytes))
		return false;
	memcpy(value, bytes, sizeof(*value));
	*value = be64toh(*value);
	return true;
}

/* A size or count: one byte or four. */
static bool take_size(struct codec *c, bool wide, uint32_t *value)
{
	uint8_t narrow;

	if (wide)
		return take_u32(c, value);
	if (!take_u8(c, &narrow))
		return false;
	*value = narrow;
	return true;
}

static bool take_variable(struct codec *c, uint8_t constructor, struct slice *value)
{
	const unsigned char *bytes;
	uint32_t size;

	if (!take_size(c, WIDE(constructor), &size) || !take(c, size, &bytes))
		return false;
	*value = (struct slice){(const char *)bytes, size};
	return true;
}

/* The frame of a list, map or array; `items` is what is in it. */
static bool take_compound(struct codec *c, uint8_t constructor, struct codec *items,
                          uint32_t *count)
{
	struct slice content;

	if (!take_variable(c, constructor, &content))
		return false;
	*items = codec_over(content.data, content.size);
	return take_size(items, WIDE(constructor), count);
}

bool codec_bool(struct codec *c, bool *value)
{
	uint8_t constructor, byte;

	if (!take_u8(c, &constructor))
		return false;
	switch (constructor) {
	case NULL_: return true;
	case BOOLEAN_TRUE: *value = true; return true;
	case BOOLEAN_FALSE: *value = false; return true;
	case BOOLEAN:
		if (!take_u8(c, &byte) || byte > 1)
			return false;
		*value = byte;
		return true;
	default: return false;
	}
}

bool codec_ubyte(struct codec *c, uint8_t *value)
{
	uint8_t constructor;

	if (!take_u8(c, &constructor))
		return false;
	return constructor == NULL_ || (constructor == UBYTE && take_u8(c, value));
}

bool codec_uint(struct codec *c, uint32_t *value)
{
	uint8_t constructor;

	if (!take_u8(c, &constructor))
		return false;
	switch (constructor) {
	case NULL_: return true;
	case UINT_0: *value = 0; return true;
	case SMALL_UINT: return take_size(c, false, value);
	case UINT: return take_u32(c, value);
	default: return false;
	}
}

static bool read_ulong(struct codec *c, uint8_t constructor, uint64_t *value)
{
	uint8_t byte;

	switch (constructor) {
	case ULONG_0: *value = 0; return true;
	case SMALL_ULONG:
		if (!take_u8(c, &byte))
			return false;
		*value = byte;
		return true;
	case ULONG: return take_u64(c, value);
	default: return false;
	}
}

bool codec_timestamp(struct codec *c, int64_t *value)
{
	uint8_t constructor;
	uint64_t bits;

	if (!take_u8(c, &constructor))
		return false;
	if (constructor == NULL_)
		return true;
	if (constructor != TIMESTAMP || !take_u64(c, &bits))
		return false;
	*value = (int64_t)bits;
	return true;
}

static bool read_variable(struct codec *c, const uint8_t kinds[4], struct slice *value)
{
	uint8_t constructor;

	if (!take_u8(c, &constructor))
		return false;
	if (constructor == NULL_)
		return true;
	return memchr(kinds, constructor, 4) && take_variable(c, constructor, value);
}

bool codec_text(struct codec *c, struct slice *value)
{
	static const uint8_t kinds[4] = {STRING_8, STRING_32, SYMBOL_8, SYMBOL_32};

	return read_variable(c, kinds, value);
}

bool codec_binary(struct codec *c, struct slice *value)
{
	static const uint8_t kinds[4] = {BINARY_8, BINARY_32, BINARY_8, BINARY_32};

	return read_variable(c, kinds, value);
}

enum codec_kind codec_peek(const struct codec *c)
{
	if (codec_done(c))
		return CODEC_NONE;
	switch (*c->at) {
	case NULL_: return CODEC_NULL;
	case STRING_8:
	case STRING_32:
	case SYMBOL_8:
	case SYMBOL_32: return CODEC_TEXT;
	case BINARY_8:
	case BINARY_32: return CODEC_BINARY;
	case LIST_0:
	case LIST_8:
	case LIST_32: return CODEC_LIST;
	case MAP_8:
	case MAP_32: return CODEC_MAP;
	case DESCRIBED: return CODEC_OTHER;
	default: return exists(*c->at) ? CODEC_OTHER : CODEC_NONE;
	}
}

bool codec_list(struct codec *c, struct codec *items, uint32_t *count)
{
	uint8_t constructor;

	if (!take_u8(c, &constructor))
		return false;
	if (constructor == LIST_0) {
		*items = codec_over(c->at, 0);
		*count = 0;
		return true;
	}
	return (constructor == LIST_8 || constructor == LIST_32) &&
		take_compound(c, constructor, items, count);
}

bool codec_descriptor(struct codec *c, uint64_t *code, struct slice *symbol)
{
	uint8_t constructor;

	*code = 0;
	*symbol = (struct slice){NULL, 0};
	if (!take_u8(c, &constructor) || constructor != DESCRIBED || !take_u8(c, &constructor))
		return false;
	if (constructor == SYMBOL_8 || constructor == SYMBOL_32)
		return take_variable(c, constructor, symbol);
	return read_ulong(c, constructor, code);
}

/* --- passing over ----------------------------------------------------------------------- */

static bool skip_value(struct codec *c, unsigned depth);
static bool skip_content(struct codec *c, uint8_t constructor, unsigned depth);

static bool skip_fixed(struct codec *c, uint8_t constructor)
{
	static const uint8_t widths[] = {0, 1, 2, 4, 8, 16};
	const unsigned char *bytes;

	if (!take(c, widths[(constructor >> 4) - 4], &bytes))
		return false;
	return constructor != BOOLEAN || *bytes <= 1;
}

static bool skip_compound(struct codec *c, uint8_t constructor, unsigned depth)
{
	bool is_map = constructor == MAP_8 || constructor == MAP_32;
	struct codec items;
	uint32_t count;

	if (!take_compound(c, constructor, &items, &count) || (is_map && count % 2))
		return false;
	while (count--)
		if (!skip_value(&items, depth))
			return false;
	return codec_done(&items);
}

/* An array has one constructor, which may be a described one, and then nothing but contents. */
static bool skip_array(struct codec *c, uint8_t constructor, unsigned depth)
{
	struct codec items;
	uint32_t count;

	if (!take_compound(c, constructor, &items, &count))
		return false;
	if (!take_u8(&items, &constructor))
		return !count;
	if (constructor == DESCRIBED &&
	    (!skip_value(&items, depth) || !take_u8(&items, &constructor)))
		return false;
	if (!exists(constructor))
		return false;
	if (constructor >> 4 == 4) /* there may be thousands of millions of nothing */
		count = 0;
	while (count--)
		if (!skip_content(&items, constructor, depth))
			return false;
	return codec_done(&items);
}

static bool skip_content(struct codec *c, uint8_t constructor, unsigned depth)
{
	struct slice ignored;

	if (!exists(constructor))
		return false;
	if (constructor < BINARY_8)
		return skip_fixed(c, constructor);
	if (constructor < LIST_8)
		return take_variable(c, constructor, &ignored);
	if (depth == CODEC_DEPTH)
		return false;
	if (constructor < ARRAY_8)
		return skip_compound(c, constructor, depth + 1);
	return skip_array(c, constructor, depth + 1);
}

static bool skip_value(struct codec *c, unsigned depth)
{
	uint8_t constructor;

	if (!take_u8(c, &constructor))
		return false;
	if (constructor != DESCRIBED)
		return skip_content(c, constructor, depth);
	return depth < CODEC_DEPTH && skip_value(c, depth + 1) && skip_value(c, depth + 1);
}

bool codec_skip(struct codec *c)
{
	return skip_value(c, 0);
}

/* --- writing ---------------------------------------------------------------------------- */

/* Where `size` bytes go; NULL: there is no room. */
static unsigned char *put(struct codec_out *out, size_t size)
{
	unsigned char *at = out->at;

	if (out->full || (size_t)(out->end - at) < size) {
		out->full = true;
		return NULL;
	}
	out->at += size;
	return at;
}

static void put_u8(struct codec_out *out, uint8_t value)
{
	unsigned char *at = put(out, 1);

	if (at)
		*at = value;
}

static void put_pair(struct codec_out *out, uint8_t constructor, uint8_t value)
{
	unsigned char *at = put(out, 2);

	if (!at)
		return;
	at[0] = constructor;
	at[1] = value;
}

static void store_u32(unsigned char *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, sizeof(value));
}

void codec_put_null(struct codec_out *out)
{
	put_u8(out, NULL_);
}

void codec_put_bool(struct codec_out *out, bool value)
{
	put_u8(out, value ? BOOLEAN_TRUE : BOOLEAN_FALSE);
}

void codec_put_ubyte(struct codec_out *out, uint8_t value)
{
	put_pair(out, UBYTE, value);
}

void codec_put_uint(struct codec_out *out, uint32_t value)
{
	unsigned char *at;

	if (!value) {
		put_u8(out, UINT_0);
	} else if (value <= UINT8_MAX) {
		put_pair(out, SMALL_UINT, (uint8_t)value);
	} else if ((at = put(out, 5))) {
		*at = UINT;
		store_u32(at + 1, value);
	}
}

void codec_put_timestamp(struct codec_out *out, int64_t value)
{
	unsigned char *at = put(out, 9);
	uint64_t bits = htobe64((uint64_t)value);

	if (!at)
		return;
	*at = TIMESTAMP;
	memcpy(at + 1, &bits, sizeof(bits));
}

/* The four-byte encoding of each kind is 16 above the one-byte one. */
static void put_variable(struct codec_out *out, uint8_t constructor, struct slice value)
{
	bool wide = value.size > UINT8_MAX;
	size_t frame = wide ? 5 : 2;
	unsigned char *at;

	if (value.size > UINT32_MAX)
		out->full = true;
	at = put(out, frame + value.size);
	if (!at)
		return;
	*at = wide ? constructor | 0x10 : constructor;
	if (wide)
		store_u32(at + 1, (uint32_t)value.size);
	else
		at[1] = (uint8_t)value.size;
	if (value.size)
		memcpy(at + frame, value.data, value.size);
}

void codec_put_string(struct codec_out *out, struct slice value)
{
	put_variable(out, STRING_8, value);
}

void codec_put_symbol(struct codec_out *out, struct slice value)
{
	put_variable(out, SYMBOL_8, value);
}

void codec_put_binary(struct codec_out *out, struct slice value)
{
	put_variable(out, BINARY_8, value);
}

void codec_put_descriptor(struct codec_out *out, uint8_t code)
{
	put_u8(out, DESCRIBED);
	put_pair(out, SMALL_ULONG, code);
}

#define FRAME_8 3 /* constructor, size, count */
#define FRAME_32 9

unsigned char *codec_list_begin(struct codec_out *out)
{
	return put(out, FRAME_8);
}

/* Most lists are short: a long one is moved to make room for a long frame. */
void codec_list_end(struct codec_out *out, unsigned char *begin, uint32_t count)
{
	size_t size;

	if (out->full)
		return;
	size = (size_t)(out->at - begin) - FRAME_8;
	if (size + 1 <= UINT8_MAX && count <= UINT8_MAX) {
		begin[0] = LIST_8;
		begin[1] = (uint8_t)(size + 1);
		begin[2] = (uint8_t)count;
	} else if (put(out, FRAME_32 - FRAME_8)) {
		memmove(begin + FRAME_32, begin + FRAME_8, size);
		begin[0] = LIST_32;
		store_u32(begin + 1, (uint32_t)size + 4);
		store_u32(begin + 5, count);
	}
}
