/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crc32c.h"

#include <pthread.h>

#define POLYNOMIAL 0x82f63b78u /* bits reversed */

/* table[n][b]: what byte b does to the checksum n bytes later. */
static uint32_t table[4][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t crc = b;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
		table[0][b] = crc;
	}
	for (int n = 1; n < 4; n++)
		for (int b = 0; b < 256; b++)
			table[n][b] = table[n - 1][b] >> 8 ^ table[0][table[n - 1][b] & 0xff];
}

static uint32_t four(uint32_t crc, const unsigned char *p)
{
	crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	return table[3][crc & 0xff] ^ table[2][crc >> 8 & 0xff] ^ table[1][crc >> 16 & 0xff] ^
		table[0][crc >> 24];
}

uint32_t crc32c(uint32_t seed, const void *bytes, size_t size)
{
	const unsigned char *p = bytes;
	uint32_t crc = ~seed;

	pthread_once(&once, fill);
	for (; size >= 4; size -= 4, p += 4)
		crc = four(crc, p);
	for (; size; size--, p++)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xff];
	return ~crc;
}
