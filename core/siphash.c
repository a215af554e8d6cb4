/* SPDX-License-Identifier: Apache-2.0 */
#include "core/siphash.h"

#include <endian.h>
#include <string.h>

static uint64_t rotated(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void mix(uint64_t *a, uint64_t *b, unsigned bits)
{
	*a += *b;
	*b = rotated(*b, bits) ^ *a;
}

static void rounds(uint64_t v[4], unsigned count)
{
	while (count--) {
		mix(&v[0], &v[1], 13);
		mix(&v[2], &v[3], 16);
		v[0] = rotated(v[0], 32);
		mix(&v[0], &v[3], 21);
		mix(&v[2], &v[1], 17);
		v[2] = rotated(v[2], 32);
	}
}

static void take_word(struct siphash *h, uint64_t word)
{
	h->v[3] ^= word;
	rounds(h->v, 2);
	h->v[0] ^= word;
}

void siphash_begin(struct siphash *h, const unsigned char key[SIPHASH_KEY_SIZE])
{
	uint64_t k[2];

	memcpy(k, key, sizeof(k));
	k[0] = le64toh(k[0]);
	k[1] = le64toh(k[1]);
	*h = (struct siphash){0};
	h->v[0] = k[0] ^ 0x736f6d6570736575u; /* "somepseu" */
	h->v[1] = k[1] ^ 0x646f72616e646f6du; /* "dorandom" */
	h->v[2] = k[0] ^ 0x6c7967656e657261u; /* "lygenera" */
	h->v[3] = k[1] ^ 0x7465646279746573u; /* "tedbytes" */
	h->v[1] ^= 0xee;                      /* a long hash is no extension of the short one */
}

void siphash_add(struct siphash *h, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++) {
		h->word |= (uint64_t)bytes[i] << h->size % 8 * 8;
		if (++h->size % 8)
			continue;
		take_word(h, h->word);
		h->word = 0;
	}
}

static uint64_t half(const struct siphash *h)
{
	return htole64(h->v[0] ^ h->v[1] ^ h->v[2] ^ h->v[3]);
}

void siphash_end(struct siphash *h, unsigned char hash[SIPHASH_SIZE])
{
	uint64_t halves[2];

	take_word(h, h->word | h->size << 56);
	h->v[2] ^= 0xee;
	rounds(h->v, 4);
	halves[0] = half(h);
	h->v[1] ^= 0xdd;
	rounds(h->v, 4);
	halves[1] = half(h);
	memcpy(hash, halves, SIPHASH_SIZE);
}
