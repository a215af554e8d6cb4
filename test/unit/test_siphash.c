/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/siphash.h"

/* Of the bytes 0, 1, 2... under the key 0, 1, ... 15, as another implementation computes them. */
static const struct {
	size_t size;
	unsigned char hash[SIPHASH_SIZE + 1];
} known[] = {
	{0, "\xA3\x81\x7F\x04\xBA\x25\xA8\xE6\x6D\xF6\x72\x14\xC7\x55\x02\x93"},
	{1, "\xDA\x87\xC1\xD8\x6B\x99\xAF\x44\x34\x76\x59\x11\x9B\x22\xFC\x45"},
	{7, "\xA1\xF1\xEB\xBE\xD8\xDB\xC1\x53\xC0\xB8\x4A\xA6\x1F\xF0\x82\x39"},
	{8, "\x3B\x62\xA9\xBA\x62\x58\xF5\x61\x0F\x83\xE2\x64\xF3\x14\x97\xB4"},
	{15, "\x54\x93\xE9\x99\x33\xB0\xA8\x11\x7E\x08\xEC\x0F\x97\xCF\xC3\xD9"},
	{63, "\x51\x50\xD1\x77\x2F\x50\x83\x4A\x50\x3E\x06\x9A\x97\x3F\xBD\x7C"},
};

static void it_is_what_others_compute(void **state)
{
	unsigned char bytes[64], hash[SIPHASH_SIZE];
	struct siphash h;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		siphash_begin(&h, bytes);
		siphash_add(&h, bytes, known[i].size);
		siphash_end(&h, hash);
		assert_memory_equal(hash, known[i].hash, SIPHASH_SIZE);
	}
}

static void pieces_make_no_difference(void **state)
{
	unsigned char bytes[64], hash[SIPHASH_SIZE];
	struct siphash h;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	for (size_t at = 0; at <= 63; at++) {
		siphash_begin(&h, bytes);
		siphash_add(&h, bytes, at);
		siphash_add(&h, bytes + at, 0);
		siphash_add(&h, bytes + at, 63 - at);
		siphash_end(&h, hash);
		assert_memory_equal(hash, known[5].hash, SIPHASH_SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_what_others_compute),
		cmocka_unit_test(pieces_make_no_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
