/* SPDX-License-Identifier: Apache-2.0 */
#include "core/uuid.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/clock.h"

#define BLOCK_SIZE 256 /* as much as getrandom() gives in one go, whatever signals come */
#define UUID_BYTES 16

struct block {
	unsigned char bytes[BLOCK_SIZE];
	size_t used;
	unsigned generation; /* of the process that filled it; 0: never filled */
};

static _Thread_local struct block block;
static atomic_uint generation = 1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void on_fork_child(void)
{
	atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
}

static void register_fork_handler(void)
{
	pthread_atfork(NULL, NULL, on_fork_child);
}

/* Where the kernel gives no randomness a uuid must still be unlike all others. */
static void fill_without_kernel(unsigned char *bytes, size_t size)
{
	static atomic_ullong count;
	uint64_t state = clock_wall_ms() << 20 ^ clock_monotonic_us() ^ (uint64_t)getpid() << 40 ^
		(uintptr_t)bytes ^ atomic_fetch_add(&count, 1) << 32;

	for (size_t i = 0; i < size; i++) {
		state += 0x9E3779B97F4A7C15u;
		uint64_t z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9u;
		z = (z ^ z >> 27) * 0x94D049BB133111EBu;
		bytes[i] = (unsigned char)(z >> 56);
	}
}

static void refill(struct block *b)
{
	ssize_t n;

	pthread_once(&once, register_fork_handler);
	do
		n = getrandom(b->bytes, BLOCK_SIZE, 0);
	while (n < 0 && errno == EINTR);
	if (n < BLOCK_SIZE)
		fill_without_kernel(b->bytes, BLOCK_SIZE);
	b->used = 0;
	b->generation = atomic_load_explicit(&generation, memory_order_relaxed);
}

static void take(unsigned char bytes[UUID_BYTES])
{
	struct block *b = &block;

	if (b->generation != atomic_load_explicit(&generation, memory_order_relaxed) ||
	    b->used + UUID_BYTES > BLOCK_SIZE)
		refill(b);
	memcpy(bytes, b->bytes + b->used, UUID_BYTES);
	b->used += UUID_BYTES;
}

void uuid_generate(char text[UUID_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[UUID_BYTES];

	take(bytes);
	bytes[6] = (bytes[6] & 0x0F) | 0x40; /* version 4 */
	bytes[8] = (bytes[8] & 0x3F) | 0x80; /* variant */
	for (size_t i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}
