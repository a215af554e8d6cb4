/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/clock.h"
#include "core/journal_private.h"
#include "core/log.h"

#define RETRY_US 10000000u

/* An entry on its way from one segment to another. */
struct move {
	struct journal_entry *entry;
	size_t from, length; /* in the old segment */
	int written;
	bool kept;
	struct journal_segment *segment; /* the new one */
	size_t to, to_length;
};

/* --- whether -------------------------------------------------------------------------- */

static bool is_too_long_locked(const struct journal *j)
{
	const struct journal_store *store = &j->store;

	return store->count > 1 && store->bytes > 2 * (j->placed_bytes + store->segment_max);
}

static bool is_due_locked(const struct journal *j)
{
	return j->store.oldest && !j->stats.failing && !j->stopping &&
		(j->store.damaged || is_too_long_locked(j)) &&
		clock_monotonic_us() >= j->compact_us;
}

/* --- copying, without the lock -------------------------------------------------------- */

/* What can't be read any more is lost here, and known in memory still. */
static void tell_lost(struct journal *j, const struct journal_segment *s, const struct move *m)
{
	char *path = journal_store_path(&j->store, s->number, false);

	log_error(JOURNAL_PACKAGE, "%s: the record at offset %zu can't be read again, lost",
	          path ? path : "", m->from);
	free(path);
}

static enum gofer_err copy(struct journal *j, const struct journal_segment *s, struct move *m,
                           struct buf *bytes)
{
	struct journal_item item;
	enum gofer_err rc;

	buf_clear(bytes);
	buf_clear(&j->lot);
	rc = journal_store_read(&j->store, s, m->from, m->length, bytes);
	if (rc == GOFER_NOMEM)
		return rc;
	if (rc || !journal_file_get(bytes->data, bytes->size, s->salt, &item)) {
		tell_lost(j, s, m);
		return GOFER_OK;
	}
	item.started = m->written == JOURNAL_STARTED;
	item.cancelled = m->written == JOURNAL_CANCELLED;
	rc = journal_store_prepare(&j->store, m->length);
	if (rc)
		return rc;
	m->segment = j->store.newest;
	m->to = m->segment->size;
	journal_file_put(&j->lot, m->segment->salt, &item);
	m->to_length = j->lot.size;
	m->kept = true;
	return buf_ok(&j->lot) ? journal_store_append(&j->store, j->lot.data, j->lot.size, false)
			       : GOFER_NOMEM;
}

static enum gofer_err copy_all(struct journal *j, const struct journal_segment *s,
                               struct move *moves, size_t count)
{
	struct buf bytes = BUF_INIT;
	size_t size = 0;
	enum gofer_err rc;

	for (size_t i = 0; i < count; i++)
		size += moves[i].length;
	rc = journal_store_room(&j->store) / 2 < size ? GOFER_FULL : GOFER_OK;
	for (size_t i = 0; i < count && !rc; i++)
		rc = copy(j, s, &moves[i], &bytes);
	buf_release(&bytes);
	return rc ? rc : journal_store_sync(&j->store);
}

/* --- moving --------------------------------------------------------------------------- */

static struct move *collect_locked(struct journal_segment *s, size_t *count)
{
	struct move *moves = calloc(s->open + 1, sizeof *moves);

	*count = 0;
	if (!moves)
		return NULL;
	for (struct journal_entry *e = s->first; e; e = e->after) {
		if (e->state == JOURNAL_DONE)
			continue;
		moves[(*count)++] = (struct move){
			.entry = e,
			.from = e->offset,
			.length = e->length,
			.written = e->written,
		};
	}
	return moves;
}

static void move_locked(struct journal *j, const struct move *moves, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct move *m = &moves[i];

		if (m->kept)
			journal_place_locked(j, m->entry, m->segment, m->to, m->to_length);
		else
			journal_unplace_locked(j, m->entry);
	}
}

/* The entries that stay behind are done: with their segment they are off the disk, and the next
 * lot finds that there is nothing to be written of them. */
static void leave_locked(struct journal *j, struct journal_segment *s)
{
	while (s->first)
		journal_unplace_locked(j, s->first);
}

void journal_compact_locked(struct journal *j)
{
	struct journal_segment *s = j->store.oldest;
	struct move *moves;
	enum gofer_err rc;
	size_t count;

	if (!is_due_locked(j))
		return;
	moves = collect_locked(s, &count);
	if (!moves)
		return;
	pthread_mutex_unlock(&j->lock);
	if (s == j->store.newest)
		journal_store_roll(&j->store);
	rc = copy_all(j, s, moves, count);
	pthread_mutex_lock(&j->lock);
	if (rc == GOFER_OK) {
		move_locked(j, moves, count);
		leave_locked(j, s);
		journal_store_detach_oldest(&j->store);
		pthread_mutex_unlock(&j->lock);
		journal_store_remove(&j->store, s);
		pthread_mutex_lock(&j->lock);
	}
	j->compact_us = rc ? clock_monotonic_us() + RETRY_US : 0;
	journal_count_store_locked(j);
	free(moves);
}
