/* SPDX-License-Identifier: Apache-2.0 */
#include "core/journal.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/journal_private.h"
#include "core/log.h"

#define ENTRIES_MAX 100000
#define BYTES_MAX ((size_t)256 << 20)

/* --- life ----------------------------------------------------------------------------- */

struct journal *journal_make(size_t entries_max, size_t bytes_max)
{
	struct journal *j = calloc(1, sizeof *j);
	pthread_condattr_t attr;

	if (!j)
		return NULL;
	j->entries_max = entries_max ? entries_max : ENTRIES_MAX;
	j->bytes_max = bytes_max ? bytes_max : BYTES_MAX;
	j->told_end = &j->told;
	j->flushes_end = &j->flushes;
	j->gather = 1;
	j->answered = (struct answered)ANSWERED_INIT;
	j->store.dirfd = j->store.lock = j->store.fd = j->store.read_fd = -1;
	pthread_mutex_init(&j->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&j->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&j->rested, NULL);
	return j;
}

static void tell_opened(const struct journal *j)
{
	if (j->count)
		log_info(JOURNAL_PACKAGE, "%s: %zu request%s left from before", j->store.directory,
		         j->count, j->count == 1 ? "" : "s");
}

struct journal *journal_new(const struct journal_options *options, struct error *error)
{
	struct journal *j = journal_make(options->entries_max, options->bytes_max);

	if (!j) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	j->notify = options->notify;
	j->context = options->context;
	if (journal_store_open(&j->store, options->directory, false, error) ||
	    journal_load(j, error)) {
		journal_free(j);
		return NULL;
	}
	tell_opened(j);
	if (journal_writer_start(j)) {
		error_set(error, GOFER_NOMEM, "the journal's thread could not be started");
		journal_free(j);
		return NULL;
	}
	return j;
}

void journal_stop(struct journal *j)
{
	if (!j)
		return;
	journal_writer_stop(j);
	j->told = j->flushes = NULL;
	j->told_end = &j->told;
	j->flushes_end = &j->flushes;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	journal_stop(j);
	while (j->head) {
		struct journal_entry *e = j->head;

		journal_clean_locked(j, e);
		journal_unplace_locked(j, e);
		journal_entry_free(e);
	}
	for (struct journal_segment *s = j->store.oldest; s; s = s->newer) {
		for (struct journal_entry *after, *e = s->first; e; e = after) {
			after = e->after;
			journal_entry_free(e);
		}
	}
	journal_entries_free(j->refused);
	answered_close(&j->answered);
	journal_store_release(&j->store);
	buf_release(&j->lot);
	pthread_cond_destroy(&j->wake);
	pthread_cond_destroy(&j->rested);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

/* --- entries, for all parts ----------------------------------------------------------- */

void journal_entry_free(struct journal_entry *entry)
{
	free(entry->body);
	free(entry->result);
	free(entry);
}

void journal_entries_free(struct journal_entry *first)
{
	for (struct journal_entry *next, *e = first; e; e = next) {
		next = e->next;
		journal_entry_free(e);
	}
}

void journal_note_answered(struct journal *j, const struct journal_entry *entry)
{
	struct journal_item item;

	if (!entry->durable || !entry->answered)
		return;
	journal_file_texts(entry->head, entry->head_size, &item);
	answered_add(&j->answered, item.plugin, item.sn);
}

struct journal_item journal_item_of(const struct journal_entry *entry)
{
	return (struct journal_item){
		.durable = entry->durable,
		.kind = entry->kind,
		.id = entry->id,
		.accepted_ms = entry->accepted_ms,
		.head = {entry->head, entry->head_size},
	};
}

void journal_dirty_locked(struct journal *j, struct journal_entry *entry)
{
	if (entry->dirty)
		return;
	entry->dirty = true;
	entry->dirty_number = ++j->dirty_number;
	entry->next = NULL;
	entry->previous = j->tail;
	*(j->tail ? &j->tail->next : &j->head) = entry;
	j->tail = entry;
	if (entry->wait)
		j->urgent++;
}

void journal_clean_locked(struct journal *j, struct journal_entry *entry)
{
	if (!entry->dirty)
		return;
	entry->dirty = false;
	*(entry->next ? &entry->next->previous : &j->tail) = entry->previous;
	*(entry->previous ? &entry->previous->next : &j->head) = entry->next;
	if (entry->wait)
		j->urgent--;
}

void journal_place_locked(struct journal *j, struct journal_entry *entry,
                          struct journal_segment *segment, size_t offset, size_t length)
{
	journal_unplace_locked(j, entry);
	entry->segment = segment;
	entry->offset = offset;
	entry->length = length;
	entry->before = NULL;
	entry->after = segment->first;
	if (entry->after)
		entry->after->before = entry;
	segment->first = entry;
	if (entry->state == JOURNAL_DONE)
		return;
	segment->open++;
	j->placed_bytes += length;
}

void journal_unplace_locked(struct journal *j, struct journal_entry *entry)
{
	if (!entry->segment)
		return;
	*(entry->before ? &entry->before->after : &entry->segment->first) = entry->after;
	if (entry->after)
		entry->after->before = entry->before;
	if (entry->state != JOURNAL_DONE) {
		entry->segment->open--;
		j->placed_bytes -= entry->length;
	}
	entry->segment = NULL;
}

void journal_reclaim_locked(struct journal *j, bool all)
{
	struct journal_store *store = &j->store;

	while (store->oldest && !store->oldest->open && (all || store->oldest != store->newest)) {
		struct journal_segment *s = journal_store_detach_oldest(store);

		while (s->first) {
			struct journal_entry *e = s->first;

			journal_note_answered(j, e);
			journal_unplace_locked(j, e);
			journal_clean_locked(j, e);
			journal_entry_free(e);
		}
		pthread_mutex_unlock(&j->lock);
		answered_sync(&j->answered);
		journal_store_remove(store, s);
		pthread_mutex_lock(&j->lock);
	}
}

void journal_count_store_locked(struct journal *j)
{
	j->stats.segments = j->store.count;
	j->stats.file_bytes = j->store.bytes;
	j->stats.syncs = j->store.syncs;
	j->stats.sync_us = j->store.sync_us;
}

/* --- the owner's side ----------------------------------------------------------------- */

/* Whether the thread is to be woken; what nobody waits for is no reason to wake one that will look by itself
 * before long. */
static bool append_locked(struct journal *j, struct journal_entry *entry)
{
	j->touched = true;
	journal_dirty_locked(j, entry);
	return j->idle || (entry->wait && j->urgent >= j->gather);
}

/* In this order: who is woken wants the lock first. */
static void unlock_and_wake(struct journal *j, bool wake)
{
	pthread_mutex_unlock(&j->lock);
	if (wake)
		pthread_cond_signal(&j->wake);
}

static bool has_room(const struct journal *j, size_t entries, size_t bytes)
{
	return j->count + entries <= j->entries_max && bytes <= j->bytes_max &&
		j->bytes <= j->bytes_max - bytes;
}

static char *copy_of(struct slice bytes)
{
	char *copy = malloc(bytes.size + 1);

	if (copy && bytes.size)
		memcpy(copy, bytes.data, bytes.size);
	return copy;
}

static struct journal_entry *entry_new(const struct journal_request *r)
{
	size_t head_size = journal_file_head(NULL, r->plugin, r->sn, r->replyto);
	struct journal_entry *e = calloc(1, sizeof *e + head_size);

	if (!e)
		return NULL;
	e->body = copy_of(r->body);
	if (!e->body) {
		free(e);
		return NULL;
	}
	e->size = e->body_size = r->body.size;
	e->kind = (uint16_t)r->body_kind;
	e->durable = r->durable;
	e->accepted_ms = clock_wall_ms();
	e->head_size = (uint32_t)head_size;
	journal_file_head(e->head, r->plugin, r->sn, r->replyto);
	return e;
}

static bool is_too_long(const struct journal_request *r)
{
	return r->body.size > JOURNAL_FILE_PAYLOAD_MAX / 2 ||
		journal_file_head(NULL, r->plugin, r->sn, r->replyto) >
		JOURNAL_FILE_PAYLOAD_MAX / 2;
}

enum gofer_err journal_accept(struct journal *j, const struct journal_request *request,
                              struct journal_wait *wait, struct journal_entry **entry)
{
	struct journal_entry *e = is_too_long(request) ? NULL : entry_new(request);
	bool full, wake = false;

	if (!e)
		return is_too_long(request) ? GOFER_FULL : GOFER_NOMEM;
	e->id = ++j->last_id;
	e->wait = wait;
	pthread_mutex_lock(&j->lock);
	full = !has_room(j, 1, e->size) || (!wait && j->stats.failing);
	if (!full) {
		j->count++;
		j->bytes += e->size;
		wake = append_locked(j, e);
	}
	unlock_and_wake(j, wake);
	if (full) {
		journal_entry_free(e);
		return GOFER_FULL;
	}
	*entry = e;
	return GOFER_OK;
}

/* Never back: what tells of the start may come later than what cancels it. */
static void advance(struct journal *j, struct journal_entry *entry, int state)
{
	bool wake = false;

	pthread_mutex_lock(&j->lock);
	if (entry->state < state) {
		entry->state = state;
		wake = append_locked(j, entry);
	}
	unlock_and_wake(j, wake);
}

void journal_started(struct journal *j, struct journal_entry *entry)
{
	advance(j, entry, JOURNAL_STARTED);
}

void journal_cancelled(struct journal *j, struct journal_entry *entry)
{
	advance(j, entry, JOURNAL_CANCELLED);
}

enum gofer_err journal_result(struct journal *j, struct journal_entry *entry, struct slice result,
                              struct journal_wait *wait)
{
	char *copy = result.size > JOURNAL_FILE_PAYLOAD_MAX / 2 ? NULL : copy_of(result);
	bool full, wake = false;

	if (!copy)
		return result.size > JOURNAL_FILE_PAYLOAD_MAX / 2 ? GOFER_FULL : GOFER_NOMEM;
	pthread_mutex_lock(&j->lock);
	full = !has_room(j, 0, result.size);
	if (!full) {
		j->bytes += result.size - entry->size;
		entry->size = result.size;
		entry->result = copy;
		entry->fallback = entry->state;
		entry->state = JOURNAL_RESULT;
		if (entry->dirty && wait)
			j->urgent++;
		entry->wait = wait;
		wake = append_locked(j, entry);
	}
	unlock_and_wake(j, wake);
	if (full)
		free(copy);
	return full ? GOFER_FULL : GOFER_OK;
}

void journal_done(struct journal *j, struct journal_entry *entry)
{
	bool unknown, wake = false;

	pthread_mutex_lock(&j->lock);
	j->count--;
	j->bytes -= entry->size;
	if (entry->segment) {
		entry->segment->open--;
		j->placed_bytes -= entry->length;
	}
	entry->answered = entry->state > JOURNAL_ACCEPTED;
	entry->state = JOURNAL_DONE;
	unknown = !entry->segment && !entry->busy;
	if (unknown)
		journal_clean_locked(j, entry);
	else
		wake = append_locked(j, entry);
	unlock_and_wake(j, wake);
	if (unknown)
		journal_entry_free(entry);
}

void journal_flush(struct journal *j, struct journal_wait *wait)
{
	wait->next = NULL;
	pthread_mutex_lock(&j->lock);
	wait->number = j->dirty_number;
	*j->flushes_end = wait;
	j->flushes_end = &wait->next;
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
}

void journal_run(struct journal *j)
{
	struct journal_wait *told;
	struct journal_entry *refused;

	pthread_mutex_lock(&j->lock);
	told = j->told;
	refused = j->refused;
	j->told = NULL;
	j->told_end = &j->told;
	j->refused = NULL;
	pthread_mutex_unlock(&j->lock);
	for (struct journal_wait *next, *w = told; w; w = next) {
		next = w->next;
		w->stored(w, w->result);
	}
	journal_entries_free(refused);
}

/* --- reading -------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct journal_entry *left = *(struct journal_entry *const *)a;
	const struct journal_entry *right = *(struct journal_entry *const *)b;

	return left->id < right->id ? -1 : left->id > right->id;
}

/* All entries that are placed, the oldest first; to be freed. NULL: no memory, or none. */
struct journal_entry **journal_sorted(const struct journal *j, size_t *count)
{
	struct journal_entry **all = calloc(j->count + 1, sizeof *all);

	*count = 0;
	if (!all)
		return NULL;
	for (const struct journal_segment *s = j->store.oldest; s; s = s->newer)
		for (struct journal_entry *e = s->first; e; e = e->after)
			all[(*count)++] = e;
	qsort(all, *count, sizeof *all, compare);
	return all;
}

static bool read_record(struct journal *j, struct journal_entry *e, struct buf *bytes,
                        struct journal_record *record)
{
	struct journal_item item;

	buf_clear(bytes);
	if (journal_store_read(&j->store, e->segment, e->offset, e->length, bytes) ||
	    !journal_file_get(bytes->data, bytes->size, e->segment->salt, &item))
		return false;
	*record = (struct journal_record){
		.state = (enum journal_state)e->state,
		.request = {.plugin = item.plugin,
	                    .sn = item.sn,
	                    .replyto = item.replyto,
	                    .body_kind = item.kind,
	                    .durable = item.durable},
		.accepted_ms = item.accepted_ms,
	};
	*(e->state == JOURNAL_RESULT ? &record->result : &record->request.body) = item.body;
	return true;
}

static void replay_one(struct journal *j, struct journal_entry *e, struct buf *bytes,
                       void (*each)(void *context, struct journal_entry *entry,
                                    const struct journal_record *record),
                       void *context)
{
	struct journal_record record;

	if (read_record(j, e, bytes, &record))
		each(context, e, &record);
	else
		log_error(JOURNAL_PACKAGE, "%s: request %llu can't be read again, left as it is",
		          j->store.directory, (unsigned long long)e->id);
}

/* The thread is kept from its work meanwhile, as all of this is its. */
static void pause_thread(struct journal *j, bool paused)
{
	pthread_mutex_lock(&j->lock);
	j->paused = paused;
	while (paused && j->working)
		pthread_cond_wait(&j->rested, &j->lock);
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
}

void journal_replay(struct journal *j,
                    void (*each)(void *context, struct journal_entry *entry,
                                 const struct journal_record *record),
                    void *context)
{
	struct buf bytes = BUF_INIT;
	struct journal_entry **all;
	size_t count;

	pause_thread(j, true);
	all = journal_sorted(j, &count);
	for (size_t i = 0; i < count; i++)
		replay_one(j, all[i], &bytes, each, context);
	pause_thread(j, false);
	buf_release(&bytes);
	free(all);
}

void journal_replay_one(struct journal *j, struct journal_entry *entry,
                        void (*each)(void *context, struct journal_entry *entry,
                                     const struct journal_record *record),
                        void *context)
{
	struct buf bytes = BUF_INIT;

	pause_thread(j, true);
	replay_one(j, entry, &bytes, each, context);
	pause_thread(j, false);
	buf_release(&bytes);
}

const unsigned char *journal_key(const struct journal *j)
{
	return j->answered.key;
}

void journal_answered(struct journal *j, double age_s,
                      void (*each)(void *context, const struct fingerprint *print), void *context)
{
	pause_thread(j, true);
	answered_each(&j->answered, (uint64_t)(age_s * 1000), each, context);
	pause_thread(j, false);
}

size_t journal_count(const struct journal *j)
{
	struct journal_stats stats;

	journal_stats(j, &stats);
	return stats.entries;
}

void journal_stats(const struct journal *j, struct journal_stats *stats)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&j->lock;

	pthread_mutex_lock(lock);
	*stats = j->stats;
	stats->entries = j->count;
	stats->bytes = j->bytes;
	pthread_mutex_unlock(lock);
}
