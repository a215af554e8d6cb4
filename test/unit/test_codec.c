/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "amqp/codec.h"

/* A literal's bytes and their number. */
#define B(text) text, sizeof(text) - 1

struct sample {
	const char *bytes;
	size_t size;
};

/* The bytes alone in a block of their own, so that a sanitizer sees a step beyond them. */
static char *alone(const char *bytes, size_t size)
{
	char *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	return copy;
}

static bool skips(const char *bytes, size_t size)
{
	char *copy = alone(bytes, size);
	struct codec c = codec_over(copy, size);
	bool whole = codec_skip(&c) && codec_done(&c);

	free(copy);
	return whole;
}

static void passes_over_every_type(void **state)
{
	static const struct sample samples[] = {
		{B("\x40")},
		{B("\x41")},
		{B("\x42")},
		{B("\x56\x01")},
		{B("\x56\x00")},
		{B("\x50\xff")},
		{B("\x60\x01\x02")},
		{B("\x70\x01\x02\x03\x04")},
		{B("\x52\x01")},
		{B("\x43")},
		{B("\x80\1\2\3\4\5\6\7\x8")},
		{B("\x53\x01")},
		{B("\x44")},
		{B("\x51\xff")},
		{B("\x61\x01\x02")},
		{B("\x71\x01\x02\x03\x04")},
		{B("\x54\x01")},
		{B("\x81\1\2\3\4\5\6\7\x8")},
		{B("\x55\x01")},
		{B("\x72\x01\x02\x03\x04")},
		{B("\x82\1\2\3\4\5\6\7\x8")},
		{B("\x74\x01\x02\x03\x04")},
		{B("\x84\1\2\3\4\5\6\7\x8")},
		{B("\x94\1\2\3\4\5\6\7\x8\1\2\3\4\5\6\7\x8")},
		{B("\x73\0\0\0a")},
		{B("\x83\1\2\3\4\5\6\7\x8")},
		{B("\x98\1\2\3\4\5\6\7\x8\1\2\3\4\5\6\7\x8")},
		{B("\xa0\x02\0\1")},
		{B("\xb0\0\0\0\x02\0\1")},
		{B("\xa1\0")},
		{B("\xa1\x03xyz")},
		{B("\xb1\0\0\0\x03xyz")},
		{B("\xa3\x01x")},
		{B("\xb3\0\0\0\x01x")},
		{B("\x45")},
		{B("\xc0\x01\0")},
		{B("\xc0\x03\x02\x40\x41")},
		{B("\xd0\0\0\0\x06\0\0\0\x02\x40\x41")},
		{B("\xc1\x03\x02\x40\x41")},
		{B("\xd1\0\0\0\x06\0\0\0\x02\x40\x41")},
		{B("\xe0\x04\x02\x50\x01\x02")},
		{B("\xe0\x06\x02\xa1\x01x\x01y")},
		{B("\xf0\0\0\0\x07\0\0\0\x02\x50\x01\x02")},
		{B("\xe0\x02\0\x50")},
		{B("\xe0\x01\0")},
		{B("\xf0\0\0\0\x05\xff\xff\xff\xff\x40")},   /* thousands of millions of nulls */
		{B("\xe0\x06\x02\xc0\x01\0\x01\0")},         /* an array of lists */
		{B("\xe0\x06\x02\0\xa3\x01x\x45")},          /* of described empty lists */
		{B("\xe0\x07\x01\xe0\x04\x02\x50\x01\x02")}, /* of arrays */
		{B("\0\x53\x75\xa0\x01x")},                  /* described */
		{B("\0\0\x44\x44\0\xa3\x01x\x40")},          /* by what is itself described */
	};
	size_t count = sizeof(samples) / sizeof(*samples);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		if (!skips(samples[i].bytes, samples[i].size))
			fail_msg("sample %zu is not taken", i);
		for (size_t size = 0; size < samples[i].size; size++)
			if (skips(samples[i].bytes, size))
				fail_msg("sample %zu is taken after %zu bytes", i, size);
	}
}

static void sizes_must_be_what_is_there(void **state)
{
	static const struct sample samples[] = {
		{B("\x46")}, /* no such types */
		{B("\x57\0")},
		{B("\x62\0\0")},
		{B("\xa2\x01x")},
		{B("\xc2\x01\0")},
		{B("\xe1\x02\0\x50")},
		{B("\x10")},
		{B("\x3f")},
		{B("\x56\x02")}, /* neither true nor false */
		{B("\xb1\xff\xff\xff\xff"
	           "abc")},
		{B("\xc0\0")}, /* no room for the count */
		{B("\xd0\0\0\0\x03\0\0\0")},
		{B("\xc0\x02\x02\x40\x41")},     /* the second item is behind the end */
		{B("\xc0\x04\x02\x40\x41\x41")}, /* more bytes than items */
		{B("\xd0\0\0\0\x05\xff\xff\xff\xff\x40")},
		{B("\xc1\x02\x01\x40")}, /* half a pair */
		{B("\xe0\x03\x02\x50\x01")},
		{B("\xe0\x05\x02\x50\x01\x02\x03")},
		{B("\xe0\x03\x01\x46\x01")},
		{B("\xe0\x01\x01")}, /* no constructor */
		{B("\xf0\0\0\0\x06\xff\xff\xff\xff\x40\x40")},
		{B("\xe0\x03\x01\0\x44")},
		{B("\0\x53\x75")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++)
		if (skips(samples[i].bytes, samples[i].size))
			fail_msg("sample %zu is taken", i);
}

/* A null inside `depth` lists, arrays, or descriptions. */
static bool skips_nested(unsigned depth, const char *head, size_t head_size, bool sized)
{
	char bytes[1024];
	size_t at = sizeof(bytes);

	bytes[--at] = '\x40';
	while (depth--) {
		at -= head_size;
		memcpy(bytes + at, head, head_size);
		if (sized)
			bytes[at + 1] = (char)(sizeof(bytes) - at - 2);
	}
	return skips(bytes + at, sizeof(bytes) - at);
}

static void depth_is_bounded(void **state)
{
	(void)state;
	assert_true(skips_nested(CODEC_DEPTH, B("\xc0\0\x01"), true));
	assert_false(skips_nested(CODEC_DEPTH + 1, B("\xc0\0\x01"), true));
	assert_true(skips_nested(CODEC_DEPTH, B("\xe0\0\x01"), true));
	assert_false(skips_nested(CODEC_DEPTH + 1, B("\xe0\0\x01"), true));
	assert_true(skips_nested(CODEC_DEPTH, B("\0\x44"), false));
	assert_false(skips_nested(CODEC_DEPTH + 1, B("\0\x44"), false));
}

static void reads_every_encoding(void **state)
{
	struct codec c;
	bool b = false;
	uint8_t byte = 0;
	uint32_t u = 0;
	int64_t t = 0;
	struct slice s = {NULL, 0};

	(void)state;
	c = codec_over(B("\x41\x56\0\x40\x56\x01\x42"));
	assert_true(codec_bool(&c, &b) && b);
	assert_true(codec_bool(&c, &b) && !b);
	b = true;
	assert_true(codec_bool(&c, &b) && b);
	assert_true(codec_bool(&c, &b) && b);
	assert_true(codec_bool(&c, &b) && !b);
	assert_false(codec_bool(&c, &b));

	c = codec_over(B("\x50\xc8\x40"));
	assert_true(codec_ubyte(&c, &byte) && byte == 200);
	assert_true(codec_ubyte(&c, &byte) && byte == 200 && codec_done(&c));

	c = codec_over(B("\x70\xff\xfe\xfd\xfc\x52\xff\x43\x40"));
	assert_true(codec_uint(&c, &u) && u == 0xfffefdfc);
	assert_true(codec_uint(&c, &u) && u == 255);
	assert_true(codec_uint(&c, &u) && u == 0);
	assert_true(codec_uint(&c, &u) && codec_done(&c));

	c = codec_over(B("\x83\xff\xff\xff\xff\xff\xff\xff\xfe\x40"));
	assert_true(codec_timestamp(&c, &t) && t == -2);
	assert_true(codec_timestamp(&c, &t) && t == -2 && codec_done(&c));

	c = codec_over(B("\xa1\x01x\xb1\0\0\0\x01y\xa3\x01z\xb3\0\0\0\x02zz\x40\xa0\x01x"));
	assert_true(codec_text(&c, &s) && *s.data == 'x' && s.size == 1);
	assert_true(codec_text(&c, &s) && *s.data == 'y' && s.size == 1);
	assert_true(codec_text(&c, &s) && *s.data == 'z' && s.size == 1);
	assert_true(codec_text(&c, &s) && *s.data == 'z' && s.size == 2);
	assert_true(codec_text(&c, &s) && s.size == 2);
	assert_false(codec_text(&c, &s));

	c = codec_over(B("\xa0\0\xb0\0\0\0\x01y\x40\xa1\x01x"));
	assert_true(codec_binary(&c, &s) && s.data && s.size == 0);
	assert_true(codec_binary(&c, &s) && *s.data == 'y' && s.size == 1);
	assert_true(codec_binary(&c, &s));
	assert_false(codec_binary(&c, &s));
}

static void other_types_are_refused(void **state)
{
	static const char *const bytes[] = {"\x71\1\2\3\4", "\xa1\x01x", "\x53\x01", "\x45", ""};
	struct codec c, items;
	bool b;
	uint8_t byte;
	uint32_t u;
	int64_t t;
	struct slice s;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++) {
		const struct codec start = codec_over(bytes[i], strlen(bytes[i]));

		assert_false((c = start, codec_bool(&c, &b)));
		assert_false((c = start, codec_ubyte(&c, &byte)));
		assert_false((c = start, codec_uint(&c, &u)));
		assert_false((c = start, codec_timestamp(&c, &t)));
		assert_false((c = start, codec_binary(&c, &s)));
		assert_false(i != 1 && (c = start, codec_text(&c, &s)));
		assert_false(i != 3 && (c = start, codec_list(&c, &items, &u)));
		assert_false((c = start, codec_descriptor(&c, &(uint64_t){0}, &s)));
	}
}

static void descriptors_and_lists(void **state)
{
	struct codec c = codec_over(
		B("\0\x53\x70\0\x80\0\0\0\0\0\0\x01\x02\0\x44\0\xa3\x01s\0\xb3\0\0\0\x01t\0\x70"));
	struct codec items;
	struct slice s;
	uint64_t code;
	uint32_t n;

	(void)state;
	assert_true(codec_descriptor(&c, &code, &s) && code == 0x70 && !s.data);
	assert_true(codec_descriptor(&c, &code, &s) && code == 0x102 && !s.data);
	assert_true(codec_descriptor(&c, &code, &s) && code == 0 && !s.data);
	assert_true(codec_descriptor(&c, &code, &s) && code == 0 && *s.data == 's');
	assert_true(codec_descriptor(&c, &code, &s) && *s.data == 't' && s.size == 1);
	assert_false(codec_descriptor(&c, &code, &s));

	c = codec_over(B("\x45\xc0\x02\x01\x40\xd0\0\0\0\x06\0\0\0\x02\x40\x41\xc0\x05\x01\x40"));
	assert_true(codec_list(&c, &items, &n) && n == 0 && codec_done(&items));
	assert_true(codec_list(&c, &items, &n) && n == 1 && items.end - items.at == 1);
	assert_true(codec_list(&c, &items, &n) && n == 2 && items.end - items.at == 2);
	assert_false(codec_list(&c, &items, &n));
}

static void sees_what_comes(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		enum codec_kind kind;
	} samples[] = {
		{B(""), CODEC_NONE},       {B("\x40"), CODEC_NULL},   {B("\xa1"), CODEC_TEXT},
		{B("\xb1"), CODEC_TEXT},   {B("\xa3"), CODEC_TEXT},   {B("\xb3"), CODEC_TEXT},
		{B("\xa0"), CODEC_BINARY}, {B("\xb0"), CODEC_BINARY}, {B("\x45"), CODEC_LIST},
		{B("\xc0"), CODEC_LIST},   {B("\xd0"), CODEC_LIST},   {B("\xc1"), CODEC_MAP},
		{B("\xd1"), CODEC_MAP},    {B("\0"), CODEC_OTHER},    {B("\x98"), CODEC_OTHER},
		{B("\x46"), CODEC_NONE},   {B("\x20"), CODEC_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		struct codec c = codec_over(samples[i].bytes, samples[i].size);

		assert_int_equal(codec_peek(&c), samples[i].kind);
	}
}

static struct codec_out out_to(unsigned char *bytes, size_t size)
{
	return (struct codec_out){bytes, bytes + size, false};
}

static void writes_the_shortest(void **state)
{
	static const char expected[] =
		"\x40\x41\x42\x50\xff\x43\x52\xff\x70\0\0\x01\0"
		"\x83\xff\xff\xff\xff\xff\xff\xff\xff\xa1\x01x\xa3\x01y\xa0\x01z\0\x53\x70";
	unsigned char bytes[64];
	struct codec_out out = out_to(bytes, sizeof(bytes));

	(void)state;
	codec_put_null(&out);
	codec_put_bool(&out, true);
	codec_put_bool(&out, false);
	codec_put_ubyte(&out, 255);
	codec_put_uint(&out, 0);
	codec_put_uint(&out, 255);
	codec_put_uint(&out, 256);
	codec_put_timestamp(&out, -1);
	codec_put_string(&out, (struct slice){"x", 1});
	codec_put_symbol(&out, (struct slice){"y", 1});
	codec_put_binary(&out, (struct slice){"z", 1});
	codec_put_descriptor(&out, 0x70);
	assert_false(out.full);
	assert_int_equal(out.at - bytes, sizeof(expected) - 1);
	assert_memory_equal(bytes, expected, sizeof(expected) - 1);
}

/* Lists and binaries around the size where their encoding changes, into every size of memory. */
static void writes_into_what_there_is(void **state)
{
	char zeros[300] = {0};

	(void)state;
	for (size_t content = 248; content < 262; content++) {
		size_t list = (content > 255 ? 5 : 2) + content + 1;
		size_t need = list + (list + 1 > 255 ? 9 : 3);

		for (size_t room = 0; room < need + 3; room++) {
			unsigned char *bytes = malloc(room ? room : 1), *begin;
			struct codec_out out = out_to(bytes, room);
			struct codec c, items;
			struct slice s;
			uint32_t n;

			begin = codec_list_begin(&out);
			codec_put_binary(&out, (struct slice){zeros, content});
			codec_put_null(&out);
			codec_list_end(&out, begin, 2);
			assert_int_equal(out.full, room < need);
			c = codec_over(bytes, (size_t)(out.at - bytes));
			if (!out.full) {
				assert_int_equal(out.at - bytes, need);
				assert_true(codec_list(&c, &items, &n) && n == 2 && codec_done(&c));
				assert_true(codec_binary(&items, &s) && s.size == content);
				assert_true(codec_skip(&items) && codec_done(&items));
			}
			free(bytes);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_over_every_type),
		cmocka_unit_test(sizes_must_be_what_is_there),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(reads_every_encoding),
		cmocka_unit_test(other_types_are_refused),
		cmocka_unit_test(descriptors_and_lists),
		cmocka_unit_test(sees_what_comes),
		cmocka_unit_test(writes_the_shortest),
		cmocka_unit_test(writes_into_what_there_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
