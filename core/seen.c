/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>

#define NONE UINT32_MAX

struct mark {
	struct fingerprint print;
	uint64_t added_ms;
	uint32_t chain; /* the next of its bucket */
};

struct seen {
	/* immutable */
	unsigned char key[16];
	EVP_MD *digest;
	EVP_MD_CTX *context;
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

struct seen *seen_new(size_t capacity, uint64_t age_ms)
{
	struct seen *s = seen_alloc(capacity);

	if (!s)
		return NULL;
	s->age_ms = age_ms;
	s->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
	s->context = EVP_MD_CTX_new();
	if (!s->digest || !s->context) {
		seen_free(s);
		return NULL;
	}
	/* Without it too nobody makes two collide, only the places in the table can be foreseen. */
	if (getrandom(s->key, sizeof(s->key), GRND_NONBLOCK) != sizeof(s->key))
		memset(s->key, 0, sizeof(s->key));
	return s;
}

void seen_free(struct seen *s)
{
	if (!s)
		return;
	EVP_MD_CTX_free(s->context);
	EVP_MD_free(s->digest);
	free(s);
}

enum gofer_err seen_fingerprint(struct seen *s, const char *space, const char *name,
                                struct fingerprint *print)
{
	unsigned char hash[EVP_MAX_MD_SIZE];

	/* With the NUL, so that it shows where the one text ends and the other begins. */
	if (!EVP_DigestInit_ex2(s->context, s->digest, NULL) ||
	    !EVP_DigestUpdate(s->context, s->key, sizeof(s->key)) ||
	    !EVP_DigestUpdate(s->context, space, strlen(space) + 1) ||
	    !EVP_DigestUpdate(s->context, name, strlen(name)) ||
	    !EVP_DigestFinal_ex(s->context, hash, NULL))
		return GOFER_NOMEM;
	memcpy(print->bytes, hash, sizeof(print->bytes));
	return GOFER_OK;
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
