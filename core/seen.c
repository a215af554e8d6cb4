/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seen.h"

#include <stdlib.h>
#include <string.h>

#include "core/siphash.h"
#include "core/uuid.h"

#define NONE UINT32_MAX

_Static_assert(SEEN_KEY_SIZE == SIPHASH_KEY_SIZE, "a key is one of SipHash's");

struct mark {
	struct fingerprint print;
	uint64_t added_ms;
	uint32_t chain; /* the next of its bucket */
};

struct seen {
	/* immutable */
	unsigned char key[SEEN_KEY_SIZE];
	uint64_t age_ms;
	uint32_t capacity, mask;
	uint32_t *buckets; /* the first of each; behind the marks */

	uint32_t oldest, count;
	struct mark marks[]; /* a ring */
};

static uint32_t power_of_two(size_t least)
{
	uint32_t n = 64;

	while (n < least)
		n *= 2;
	return n;
}

/* Written to, not only taken: what is touched later would be seen as memory that grows. */
static struct seen *seen_alloc(size_t capacity)
{
	uint32_t buckets_count = power_of_two(capacity);
	size_t marks_size = capacity * sizeof(struct mark);
	size_t buckets_size = buckets_count * sizeof(uint32_t);
	struct seen *s = malloc(sizeof(*s) + marks_size + buckets_size);

	if (!s)
		return NULL;
	*s = (struct seen){.capacity = (uint32_t)capacity, .mask = buckets_count - 1};
	memset(s->marks, 0xff, marks_size + buckets_size); /* NONE in every bucket */
	s->buckets = (uint32_t *)&s->marks[capacity];
	return s;
}

/* What is random in a UUID, spread over all bits. */
void seen_draw_key(unsigned char key[SEEN_KEY_SIZE])
{
	static const unsigned char none[SIPHASH_KEY_SIZE];
	char uuid[UUID_TEXT_SIZE];
	struct siphash h;

	uuid_generate(uuid);
	siphash_begin(&h, none);
	siphash_add(&h, uuid, sizeof(uuid));
	siphash_end(&h, key);
}

struct seen *seen_new(size_t capacity, uint64_t age_ms, const unsigned char *key)
{
	struct seen *s = seen_alloc(capacity);

	if (!s)
		return NULL;
	s->age_ms = age_ms;
	if (key)
		memcpy(s->key, key, sizeof(s->key));
	else
		seen_draw_key(s->key);
	return s;
}

void seen_free(struct seen *s)
{
	free(s);
}

struct fingerprint seen_print(const unsigned char key[SEEN_KEY_SIZE], const char *space,
                              const char *name)
{
	struct fingerprint print;
	struct siphash h;

	siphash_begin(&h, key);
	/* With the NUL, so that it shows where the one text ends and the other begins. */
	siphash_add(&h, space, strlen(space) + 1);
	siphash_add(&h, name, strlen(name));
	siphash_end(&h, print.bytes);
	return print;
}

struct fingerprint seen_fingerprint(const struct seen *s, const char *space, const char *name)
{
	return seen_print(s->key, space, name);
}

static uint32_t *bucket(struct seen *s, const struct fingerprint *print)
{
	uint32_t hash;

	memcpy(&hash, print->bytes, sizeof(hash));
	return &s->buckets[hash & s->mask];
}

static void drop_oldest(struct seen *s)
{
	struct mark *mark = &s->marks[s->oldest];
	uint32_t *at = bucket(s, &mark->print);

	while (*at != s->oldest)
		at = &s->marks[*at].chain;
	*at = mark->chain;
	s->oldest = (s->oldest + 1) % s->capacity;
	s->count--;
}

static void drop_old(struct seen *s, uint64_t now_ms)
{
	while (s->count && now_ms - s->marks[s->oldest].added_ms > s->age_ms)
		drop_oldest(s);
}

void seen_add(struct seen *s, const struct fingerprint *print, uint64_t now_ms)
{
	uint32_t *first = bucket(s, print);

	drop_old(s, now_ms);
	if (s->count == s->capacity)
		drop_oldest(s);
	uint32_t at = (s->oldest + s->count++) % s->capacity;
	s->marks[at] = (struct mark){.print = *print, .added_ms = now_ms, .chain = *first};
	*first = at;
}

bool seen_has(struct seen *s, const struct fingerprint *print, uint64_t now_ms)
{
	drop_old(s, now_ms);
	for (uint32_t at = *bucket(s, print); at != NONE; at = s->marks[at].chain)
		if (memcmp(&s->marks[at].print, print, sizeof(*print)) == 0)
			return true;
	return false;
}

size_t seen_count(const struct seen *s)
{
	return s->count;
}
