/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tracker.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define FINISHED_MAX 10000
#define RESULTS_MAX 1000
#define BYTES_MAX ((size_t)1 << 20)

struct tracked {
	struct tracked *chain; /* of one bucket */
	struct tracked *newer; /* of those with a result */
	struct fingerprint print;
	uint64_t finished_ms;
	void *owner;
	char *result; /* NULL: it is pending */
	size_t size;
	char sn[];
};

struct tracker {
	/* immutable */
	size_t results_max, bytes_max;
	uint64_t age_ms;
	uint64_t (*now_ms)(void);
	size_t buckets_count; /* a power of two */

	struct tracked **buckets; /* what is pending or has a result */
	struct tracked *oldest, **newest;
	size_t pending, results, bytes;
	struct seen *seen; /* all that has finished */
};

static size_t power_of_two(size_t least)
{
	size_t n = 64;

	while (n < least)
		n *= 2;
	return n;
}

static enum gofer_err make(struct tracker *t, size_t finished_max, const unsigned char *key)
{
	t->buckets_count = power_of_two(finished_max);
	t->buckets = calloc(t->buckets_count, sizeof(*t->buckets));
	t->seen = seen_new(finished_max, t->age_ms, key);
	if (!t->buckets || !t->seen)
		return GOFER_NOMEM;
	/* It's zero, but not yet there: what is touched later would be seen as memory that grows. */
	explicit_bzero(t->buckets, t->buckets_count * sizeof(*t->buckets));
	return GOFER_OK;
}

struct tracker *tracker_new(const struct tracker_options *options)
{
	struct tracker *t = calloc(1, sizeof *t);
	size_t finished_max = options->finished_max ? options->finished_max : FINISHED_MAX;

	if (!t)
		return NULL;
	t->results_max = finished_max < RESULTS_MAX ? finished_max : RESULTS_MAX;
	t->bytes_max = options->bytes_max ? options->bytes_max : BYTES_MAX;
	t->age_ms = (uint64_t)((options->age_s > 0 ? options->age_s : TRACKER_AGE_S) * 1000);
	t->now_ms = options->now_ms ? options->now_ms : clock_monotonic_ms;
	t->newest = &t->oldest;
	if (make(t, finished_max, options->key) == GOFER_OK)
		return t;
	tracker_free(t);
	return NULL;
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
	for (size_t i = 0; t->buckets && i < t->buckets_count; i++) {
		for (struct tracked *next, *e = t->buckets[i]; e; e = next) {
			next = e->chain;
			tracked_free(e);
		}
	}
	free(t->buckets);
	seen_free(t->seen);
	free(t);
}

static struct tracked **bucket(struct tracker *t, const struct fingerprint *print)
{
	uint64_t hash;

	memcpy(&hash, print->bytes, sizeof hash);
	return &t->buckets[hash & (t->buckets_count - 1)];
}

static void unchain(struct tracker *t, struct tracked *entry)
{
	struct tracked **at = bucket(t, &entry->print);

	while (*at != entry)
		at = &(*at)->chain;
	*at = entry->chain;
}

static void drop_oldest(struct tracker *t)
{
	struct tracked *entry = t->oldest;

	t->oldest = entry->newer;
	if (!t->oldest)
		t->newest = &t->oldest;
	unchain(t, entry);
	t->results--;
	t->bytes -= entry->size;
	tracked_free(entry);
}

static void trim(struct tracker *t, uint64_t now_ms)
{
	while (t->oldest &&
	       (t->results > t->results_max || t->bytes > t->bytes_max ||
	        now_ms - t->oldest->finished_ms > t->age_ms))
		drop_oldest(t);
}

static struct tracked *find(struct tracker *t, const struct fingerprint *print)
{
	for (struct tracked *e = *bucket(t, print); e; e = e->chain)
		if (memcmp(&e->print, print, sizeof *print) == 0)
			return e;
	return NULL;
}

struct tracked *tracker_find(struct tracker *t, const char *plugin, const char *sn)
{
	struct fingerprint print = seen_fingerprint(t->seen, plugin, sn);

	trim(t, t->now_ms());
	return find(t, &print);
}

static struct tracked *add(struct tracker *t, const char *sn, const struct fingerprint *print)
{
	size_t size = strlen(sn) + 1;
	struct tracked *entry = calloc(1, sizeof *entry + size);
	struct tracked **head = bucket(t, print);

	if (!entry)
		return NULL;
	memcpy(entry->sn, sn, size);
	entry->print = *print;
	entry->chain = *head;
	*head = entry;
	t->pending++;
	return entry;
}

enum tracker_state tracker_add(struct tracker *t, const char *plugin, const char *sn,
                               struct tracked **entry)
{
	uint64_t now_ms = t->now_ms();
	struct fingerprint print = seen_fingerprint(t->seen, plugin, sn);

	trim(t, now_ms);
	*entry = find(t, &print);
	if (*entry)
		return (*entry)->result ? TRACKER_FINISHED : TRACKER_PENDING;
	if (seen_has(t->seen, &print, now_ms))
		return TRACKER_ANSWERED;
	*entry = add(t, sn, &print);
	return *entry ? TRACKER_NEW : TRACKER_NOMEM;
}

static void keep_result(struct tracker *t, struct tracked *entry, char *result, size_t size)
{
	entry->result = result;
	entry->size = size;
	entry->owner = NULL;
	*t->newest = entry;
	t->newest = &entry->newer;
	t->results++;
	t->bytes += size;
}

void tracker_finish_take(struct tracker *t, struct tracked *entry, char *result, size_t size)
{
	uint64_t now_ms = t->now_ms();

	t->pending--;
	seen_add(t->seen, &entry->print, now_ms);
	entry->finished_ms = now_ms;
	if (result && size && size <= t->bytes_max / 4) {
		keep_result(t, entry, result, size);
	} else {
		unchain(t, entry);
		tracked_free(entry);
		free(result);
	}
	trim(t, now_ms);
}

void tracker_remember(struct tracker *t, const struct fingerprint *print)
{
	uint64_t now_ms = t->now_ms();

	if (!find(t, print) && !seen_has(t->seen, print, now_ms))
		seen_add(t->seen, print, now_ms);
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
	return seen_count(t->seen);
}
