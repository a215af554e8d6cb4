/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/clock.h"

#define NAMES_FIRST_CAPACITY 16

void names_init(struct names *t)
{
	memset(t, 0, sizeof(*t));
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != sizeof(t->seed))
		t->seed = clock_monotonic_us();
}

void names_release(struct names *t)
{
	free(t->buckets);
	memset(t, 0, sizeof(*t));
}

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 29;
	return h;
}

static uint64_t hash(const struct names *t, const char *text, size_t size)
{
	uint64_t h = t->seed ^ (size * 0x9e3779b97f4a7c15u), word;

	for (; size >= sizeof(word); text += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		h = mix(h ^ word) + t->seed;
	}
	word = 0;
	if (size)
		memcpy(&word, text, size);
	return mix(mix(h ^ word) + t->seed);
}

static struct name **bucket(const struct names *t, uint64_t h)
{
	return &t->buckets[h & (t->capacity - 1)];
}

struct name *names_find(const struct names *t, const char *text, size_t size)
{
	uint64_t h;

	if (!t->count)
		return NULL;
	h = hash(t, text, size);
	for (struct name *n = *bucket(t, h); n; n = n->next)
		if (n->hash == h && n->text.size == size &&
		    (!size || !memcmp(n->text.data, text, size)))
			return n;
	return NULL;
}

static enum gofer_err grow(struct names *t)
{
	struct names bigger = *t;
	struct name *n, *next;

	bigger.capacity = t->capacity ? t->capacity * 2 : NAMES_FIRST_CAPACITY;
	bigger.buckets = calloc(bigger.capacity, sizeof(struct name *));
	if (!bigger.buckets)
		return GOFER_NOMEM;
	for (size_t i = 0; i < t->capacity; i++) {
		for (n = t->buckets[i]; n; n = next) {
			next = n->next;
			n->next = *bucket(&bigger, n->hash);
			*bucket(&bigger, n->hash) = n;
		}
	}
	free(t->buckets);
	*t = bigger;
	return GOFER_OK;
}

enum gofer_err names_add(struct names *t, struct name *n)
{
	/* A table that can't grow still works, only slower. */
	if (t->count >= t->capacity && grow(t) && !t->capacity)
		return GOFER_NOMEM;
	n->hash = hash(t, n->text.data, n->text.size);
	n->next = *bucket(t, n->hash);
	*bucket(t, n->hash) = n;
	t->count++;
	return GOFER_OK;
}

void names_remove(struct names *t, struct name *n)
{
	struct name **at = bucket(t, n->hash);

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	n->next = NULL;
	t->count--;
}

struct name *names_next(const struct names *t, const struct name *after)
{
	size_t i = 0;

	if (after) {
		if (after->next)
			return after->next;
		i = (after->hash & (t->capacity - 1)) + 1;
	}
	for (; i < t->capacity; i++)
		if (t->buckets[i])
			return t->buckets[i];
	return NULL;
}
