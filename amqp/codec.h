/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec: AMQP 1.0 encoded values, read and written in place.
 *
 * Source: OASIS AMQP 1.0, part 1. A `struct codec` is a cursor over bytes of somebody else's that
 * never goes beyond their end. Every reading function takes any encoding of its type and moves the
 * cursor past the value; false: another type, or not all of it is there, and the cursor is of no
 * use any more. A null counts as a value of any type and leaves the result as it was.
 *
 *   struct codec c = codec_over(bytes, size);
 *   if (!codec_list(&c, &fields, &count) || !codec_bool(&fields, &durable)) ...
 *
 * Thread: any; nothing is shared.
 */
#ifndef GOFER_AMQP_CODEC_H
#define GOFER_AMQP_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

#define CODEC_DEPTH 32 /* values nested deeper are refused */

struct codec {
	const unsigned char *at, *end;
};

static inline struct codec codec_over(const void *bytes, size_t size)
{
	return (struct codec){bytes, (const unsigned char *)bytes + size};
}
static inline bool codec_done(const struct codec *c)
{
	return c->at == c->end;
}

bool codec_bool(struct codec *c, bool *value);
bool codec_ubyte(struct codec *c, uint8_t *value);
bool codec_uint(struct codec *c, uint32_t *value);
bool codec_timestamp(struct codec *c, int64_t *value); /* ms since 1970 */
/* Slices point into the bytes. Text is a string or a symbol; its UTF-8 is not checked. */
bool codec_text(struct codec *c, struct slice *value);
bool codec_binary(struct codec *c, struct slice *value);

/* What kind of value comes next, whatever its encoding. */
enum codec_kind {
	CODEC_NONE, /* the end, or no valid constructor */
	CODEC_NULL,
	CODEC_TEXT, /* string or symbol */
	CODEC_BINARY,
	CODEC_LIST,
	CODEC_MAP,
	CODEC_OTHER,
};
enum codec_kind codec_peek(const struct codec *c);

/* `items` becomes a cursor over the list's values, `count` how many it says there are. A null is
 * no list. */
bool codec_list(struct codec *c, struct codec *items, uint32_t *count);
/* The "described by" in front of a value: a number, or a symbol (`code` is 0 then). */
bool codec_descriptor(struct codec *c, uint64_t *code, struct slice *symbol);
/* Passes over a value of any kind; all that is in it is checked. */
bool codec_skip(struct codec *c);

/*
 * Writing goes to memory that the caller has made sure of; where it is too small, `full` is set and
 * nothing more is written. The shortest encoding of a value is chosen.
 */
struct codec_out {
	unsigned char *at, *end;
	bool full;
};

#define CODEC_VARIABLE_MAX 5 /* bytes that a text or binary takes on top of its own */
#define CODEC_FIXED_MAX 9    /* bytes of any other scalar at most */
#define CODEC_SECTION_MAX 12 /* descriptor and frame of a list at most */

void codec_put_null(struct codec_out *out);
void codec_put_bool(struct codec_out *out, bool value);
void codec_put_ubyte(struct codec_out *out, uint8_t value);
void codec_put_uint(struct codec_out *out, uint32_t value);
void codec_put_timestamp(struct codec_out *out, int64_t value);
void codec_put_string(struct codec_out *out, struct slice value);
void codec_put_symbol(struct codec_out *out, struct slice value);
void codec_put_binary(struct codec_out *out, struct slice value);
void codec_put_descriptor(struct codec_out *out, uint8_t code);

/* A list of `count` values that are written between the two calls. */
unsigned char *codec_list_begin(struct codec_out *out);
void codec_list_end(struct codec_out *out, unsigned char *begin, uint32_t count);

#endif
