/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tracker.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define FINISHED_MAX 1000
#define BYTES_MAX ((size_t)1 << 20)
#define AGE_S 3600.0

struct tracked {
	struct tracked *chain;         /* of one bucket */
	struct tracked *newer, *older; /* of finished ones */
	uint64_t hash, used_ms;
	bool finished;
	void *owner;
	char *result;
	size_t size;
	char sn[];
};

struct tracker {
	size_t finished_max, bytes_max;
	uint64_t age_ms;

	struct tracked **buckets;
	size_t buckets_count; /* a power of two */
	struct tracked *newest, *oldest;
	size_t pending, finished, bytes;
};

static size_t power_of_two(size_t least)
{
	size_t n = 64;

	while (n < least)
		n *= 2;
	return n;
}

struct tracker *tracker_new(const struct tracker_options *options)
{
	struct tracker *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->finished_max = options->finished_max ? options->finished_max : FINISHED_MAX;
	t->bytes_max = options->bytes_max ? options->bytes_max : BYTES_MAX;
	t->age_ms = (uint64_t)((options->age_s > 0 ? options->age_s : AGE_S) * 1000);
	t->buckets_count = power_of_two(t->finished_max);
	t->buckets = calloc(t->buckets_count, sizeof *t->buckets);
	if (!t->buckets) {
		free(t);
		return NULL;
	}
	return t;
}

static void tracked_free(struct tracked *entry)
{
	free(entry->result);
	free(entry);
}

void tracker_free(struct tracker *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->buckets_count; i++) {
		for (struct tracked *next, *e = t->buckets[i]; e; e = next) {
			next = e->chain;
			tracked_free(e);
		}
	}
	free(t->buckets);
	free(t);
}

/* FNV-1a. What a peer could gain by colliding serial numbers is bounded with the entries. */
static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	return hash ^ hash >> 32;
}

static struct tracked **bucket(struct tracker *t, uint64_t hash)
{
	return &t->buckets[hash & (t->buckets_count - 1)];
}

static void unchain(struct tracker *t, struct tracked *entry)
{
	struct tracked **at = bucket(t, entry->hash);

	while (*at != entry)
		at = &(*at)->chain;
	*at = entry->chain;
}

static void unlist(struct tracker *t, struct tracked *entry)
{
	*(entry->newer ? &entry->newer->older : &t->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &t->oldest) = entry->newer;
}

static void list_newest(struct tracker *t, struct tracked *entry, uint64_t now_ms)
{
	entry->used_ms = now_ms;
	entry->newer = NULL;
	entry->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = entry;
	t->newest = entry;
}

static void drop_oldest(struct tracker *t)
{
	struct tracked *entry = t->oldest;

	unlist(t, entry);
	unchain(t, entry);
	t->finished--;
	t->bytes -= entry->size;
	tracked_free(entry);
}

static void trim(struct tracker *t, uint64_t now_ms)
{
	while (t->oldest &&
	       (t->finished > t->finished_max || t->bytes > t->bytes_max ||
	        now_ms - t->oldest->used_ms > t->age_ms))
		drop_oldest(t);
}

static struct tracked *find(struct tracker *t, const char *sn, uint64_t hash)
{
	for (struct tracked *e = *bucket(t, hash); e; e = e->chain)
		if (e->hash == hash && strcmp(e->sn, sn) == 0)
			return e;
	return NULL;
}

struct tracked *tracker_find(struct tracker *t, const char *sn)
{
	trim(t, clock_monotonic_ms());
	return find(t, sn, hash_text(sn));
}

static struct tracked *add(struct tracker *t, const char *sn, uint64_t hash)
{
	size_t size = strlen(sn) + 1;
	struct tracked *entry = calloc(1, sizeof *entry + size);
	struct tracked **head = bucket(t, hash);

	if (!entry)
		return NULL;
	memcpy(entry->sn, sn, size);
	entry->hash = hash;
	entry->chain = *head;
	*head = entry;
	t->pending++;
	return entry;
}

enum tracker_state tracker_add(struct tracker *t, const char *sn, struct tracked **entry)
{
	uint64_t now_ms = clock_monotonic_ms(), hash = hash_text(sn);

	trim(t, now_ms);
	*entry = find(t, sn, hash);
	if (!*entry) {
		*entry = add(t, sn, hash);
		return *entry ? TRACKER_NEW : TRACKER_NOMEM;
	}
	if (!(*entry)->finished)
		return TRACKER_PENDING;
	unlist(t, *entry);
	list_newest(t, *entry, now_ms);
	return TRACKER_FINISHED;
}

void tracker_finish_take(struct tracker *t, struct tracked *entry, char *result, size_t size)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (result && size > t->bytes_max / 4) {
		free(result);
		result = NULL;
	}
	entry->finished = true;
	entry->owner = NULL;
	entry->result = result;
	entry->size = result ? size : 0;
	t->pending--;
	t->finished++;
	t->bytes += entry->size;
	list_newest(t, entry, now_ms);
	trim(t, now_ms);
}

void tracker_forget(struct tracker *t, struct tracked *entry)
{
	unchain(t, entry);
	t->pending--;
	tracked_free(entry);
}

const char *tracked_sn(const struct tracked *entry)
{
	return entry->sn;
}

void tracked_own(struct tracked *entry, void *owner)
{
	entry->owner = owner;
}

void *tracked_owner(const struct tracked *entry)
{
	return entry->owner;
}

const char *tracked_result(const struct tracked *entry, size_t *size)
{
	*size = entry->size;
	return entry->result;
}

size_t tracker_pending(const struct tracker *t)
{
	return t->pending;
}

size_t tracker_finished(const struct tracker *t)
{
	return t->finished;
}
