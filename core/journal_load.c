/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/journal_private.h"
#include "core/log.h"

#define ANSWERED_FILE "answered"

/* The entries found so far, by id: open addressing, at most half full. */
struct index {
	struct journal_entry **slots;
	size_t capacity, used; /* used: DELETED ones too */
};

struct loading {
	struct journal *journal;
	struct journal_segment *segment;
	struct index index;
	struct seen *answered; /* what the file of these has already; NULL: there is none */
};

static struct journal_entry deleted;

/* --- the index ------------------------------------------------------------------------ */

static struct journal_entry **look_up(const struct index *index, uint64_t id)
{
	size_t mask = index->capacity - 1, at = (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & mask;

	while (index->slots[at] && (index->slots[at] == &deleted || index->slots[at]->id != id))
		at = (at + 1) & mask;
	return &index->slots[at];
}

static bool grow(struct index *index)
{
	struct index bigger = {.capacity = index->capacity ? index->capacity * 2 : 1024};

	bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < index->capacity; i++) {
		struct journal_entry *e = index->slots[i];

		if (!e || e == &deleted)
			continue;
		*look_up(&bigger, e->id) = e;
		bigger.used++;
	}
	free(index->slots);
	*index = bigger;
	return true;
}

/* --- records -------------------------------------------------------------------------- */

static struct journal_entry *entry_of(const struct journal_item *item)
{
	struct journal_entry *e = calloc(1, sizeof *e + item->head.size);

	if (!e)
		return NULL;
	e->id = item->id;
	e->accepted_ms = item->accepted_ms;
	e->kind = (uint16_t)item->kind;
	e->durable = item->durable;
	e->head_size = (uint32_t)item->head.size;
	memcpy(e->head, item->head.data, item->head.size);
	return e;
}

static void place(struct loading *l, struct journal_entry *e, const struct journal_item *item,
                  const struct journal_scan *scan, int state)
{
	struct journal *j = l->journal;

	j->bytes += item->body.size - e->size;
	e->size = item->body.size;
	e->state = e->written = state;
	journal_place_locked(j, e, l->segment, scan->offset, scan->length);
}

static enum gofer_err take_whole(struct loading *l, struct journal_entry **slot,
                                 const struct journal_item *item, const struct journal_scan *scan)
{
	int state = item->type == JOURNAL_TYPE_RESULT ? JOURNAL_RESULT
		: item->cancelled                     ? JOURNAL_CANCELLED
		: item->started                       ? JOURNAL_STARTED
						      : JOURNAL_ACCEPTED;

	if (*slot && state < (*slot)->state)
		return GOFER_OK;
	if (!*slot) {
		*slot = entry_of(item);
		if (!*slot)
			return GOFER_NOMEM;
		l->index.used++;
		l->journal->count++;
	}
	place(l, *slot, item, scan, state);
	return GOFER_OK;
}

static void take_mark(struct journal_entry *entry, int state)
{
	if (entry && entry->state < state)
		entry->state = entry->written = state;
}

/* It may have been noted before the process ended, or not any more. */
static void note_answered(struct loading *l, const struct journal_entry *e)
{
	struct journal_item item;
	struct fingerprint print;

	if (!l->answered || !e->durable)
		return;
	journal_file_texts(e->head, e->head_size, &item);
	print = answered_print(&l->journal->answered, item.plugin, item.sn);
	if (!seen_has(l->answered, &print, 0))
		answered_add(&l->journal->answered, item.plugin, item.sn);
}

static void take_done(struct loading *l, struct journal_entry **slot,
                      const struct journal_item *item)
{
	struct journal *j = l->journal;

	if (item->started)
		note_answered(l, *slot);
	j->count--;
	j->bytes -= (*slot)->size;
	journal_unplace_locked(j, *slot);
	journal_entry_free(*slot);
	*slot = &deleted;
}

static enum gofer_err take(struct loading *l, const struct journal_item *item,
                           const struct journal_scan *scan)
{
	struct journal_entry **slot;

	if (l->index.used * 2 >= l->index.capacity && !grow(&l->index))
		return GOFER_NOMEM;
	slot = look_up(&l->index, item->id);
	if (item->id > l->journal->last_id)
		l->journal->last_id = item->id;
	switch (item->type) {
	case JOURNAL_TYPE_ACCEPTED:
	case JOURNAL_TYPE_RESULT: return take_whole(l, slot, item, scan);
	case JOURNAL_TYPE_STARTED: take_mark(*slot, JOURNAL_STARTED); break;
	case JOURNAL_TYPE_CANCELLED: take_mark(*slot, JOURNAL_CANCELLED); break;
	case JOURNAL_TYPE_DONE:
		if (*slot)
			take_done(l, slot, item);
		break;
	}
	return GOFER_OK;
}

/* --- what is none --------------------------------------------------------------------- */

static void set_aside(struct loading *l, const struct journal_scan *scan, bool first)
{
	struct journal *j = l->journal;
	uint64_t number = l->segment->number;
	char *from = journal_store_path(&j->store, number, false);
	char *to = journal_store_path(&j->store, number, true);
	enum gofer_err rc =
		journal_store_set_aside(&j->store, number, scan->offset, scan->bytes + scan->offset,
	                                scan->length, first);

	if (rc)
		log_error(JOURNAL_PACKAGE,
		          "%s: damaged at offset %zu, %zu bytes, which could not be put aside: %s",
		          from ? from : "", scan->offset, scan->length, error_name(rc));
	else
		log_error(JOURNAL_PACKAGE, "%s: damaged at offset %zu, %zu bytes, put aside in %s",
		          from ? from : "", scan->offset, scan->length, to ? to : "");
	free(from);
	free(to);
}

static void take_damage(struct loading *l, const struct journal_scan *scan)
{
	struct journal *j = l->journal;
	bool first = !l->segment->damaged;

	j->stats.damaged++;
	j->store.damaged += first;
	l->segment->damaged = true;
	if (!j->store.read_only)
		set_aside(l, scan, first);
}

static void tell_tail(const struct loading *l, const struct journal_scan *scan)
{
	char *path = journal_store_path(&l->journal->store, l->segment->number, false);

	log_info(JOURNAL_PACKAGE, "%s: its last %zu bytes were not written to their end, cut",
	         path ? path : "", scan->length);
	free(path);
}

/* No record begins with a zero: where one stands, nothing was begun. */
static void take_tail(struct loading *l, const struct journal_scan *scan)
{
	struct journal *j = l->journal;

	if (j->store.read_only)
		return;
	if (scan->bytes[scan->offset])
		tell_tail(l, scan);
	if (journal_store_cut(&j->store, l->segment, scan->offset))
		log_warning(JOURNAL_PACKAGE, "%s could not be cut", j->store.directory);
}

/* --- segments ------------------------------------------------------------------------- */

static enum gofer_err scan_segment(struct loading *l, struct journal_scan *scan)
{
	enum gofer_err rc = GOFER_OK;
	enum journal_found found;
	struct journal_item item;

	while (!rc && (found = journal_scan_next(scan, &item)) != JOURNAL_FOUND_END) {
		l->segment->salt = scan->salt;
		if (found == JOURNAL_FOUND_ITEM)
			rc = take(l, &item, scan);
		else if (found == JOURNAL_FOUND_DAMAGE)
			take_damage(l, scan);
		else
			take_tail(l, scan);
	}
	return rc;
}

static enum gofer_err load_segment(struct loading *l, uint64_t number, struct buf *bytes,
                                   struct error *error)
{
	struct journal_store *store = &l->journal->store;
	enum gofer_err rc = journal_store_load(store, number, bytes, error);
	struct journal_scan scan = JOURNAL_SCAN(bytes->data, bytes->size);

	if (rc)
		return rc;
	rc = journal_store_add(store, number, 0, bytes->size);
	if (!rc) {
		l->segment = store->newest;
		rc = scan_segment(l, &scan);
	}
	return rc ? error_set(error, rc, "out of memory") : GOFER_OK;
}

static void know(void *context, const struct fingerprint *print)
{
	seen_add(context, print, 0);
}

static void open_answered(struct loading *l)
{
	struct journal *j = l->journal;

	if (j->store.read_only)
		return;
	answered_open(&j->answered, j->store.dirfd, ANSWERED_FILE);
	l->answered = seen_new(ANSWERED_MAX, UINT64_MAX, j->answered.key);
	if (l->answered)
		answered_each(&j->answered, UINT64_MAX, know, l->answered);
}

enum gofer_err journal_load(struct journal *j, struct error *error)
{
	struct loading l = {.journal = j};
	struct buf bytes = BUF_INIT;
	uint64_t *numbers;
	size_t count;
	enum gofer_err rc = journal_store_list(&j->store, &numbers, &count, error);

	open_answered(&l);
	for (size_t i = 0; i < count && !rc; i++)
		rc = load_segment(&l, numbers[i], &bytes, error);
	answered_write(&j->answered);
	seen_free(l.answered);
	free(numbers);
	free(l.index.slots);
	buf_release(&bytes);
	if (rc || j->store.read_only)
		return rc;
	pthread_mutex_lock(&j->lock);
	journal_reclaim_locked(j, true);
	journal_count_store_locked(j);
	pthread_mutex_unlock(&j->lock);
	return GOFER_OK;
}
