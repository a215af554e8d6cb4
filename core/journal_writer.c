/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/journal_private.h"
#include "core/log.h"

#define STACK_SIZE (128 * 1024)
#define DELAY_US (JOURNAL_DELAY_MS * 1000u)
#define RETRY_US 1000000u
#define SYNC_US (JOURNAL_SYNC_MS * 1000u)
#define GATHER_US 500u
#define GATHER_MAX 16u /* more come anyway while the disk is at work */
#define LOT_KEPT ((size_t)256 << 10)

/* --- a lot ---------------------------------------------------------------------------- */

static void take_slot_locked(struct journal *j, struct journal_slot *slot)
{
	struct journal_entry *e = j->head;

	*slot = (struct journal_slot){.entry = e,
	                              .state = e->state,
	                              .wait = e->wait,
	                              .size = e->size};
	journal_clean_locked(j, e);
	e->wait = NULL;
	e->busy = true;
}

/* A result that was written is not computed again, unless the power goes. */
static bool waits_for_disk(const struct journal_wait *wait, const struct journal_entry *e,
                           int state)
{
	return wait && e->durable && state != JOURNAL_RESULT;
}

static bool anybody_waits_for_disk_locked(const struct journal *j)
{
	const struct journal_entry *e = j->head;

	for (size_t i = 0; e && i < JOURNAL_BATCH_ENTRIES; i++, e = e->next)
		if (waits_for_disk(e->wait, e, e->state))
			return true;
	return false;
}

/* Who waits to be written only is not held up by who waits for the disk. */
static void take_lots_locked(struct journal *j)
{
	bool apart = anybody_waits_for_disk_locked(j);
	size_t count = 0, bytes = 0;

	j->written.count = j->synced.count = 0;
	while (j->head && count++ < JOURNAL_BATCH_ENTRIES && bytes < JOURNAL_BATCH_BYTES) {
		const struct journal_entry *e = j->head;
		bool is_quick = apart && e->wait && !waits_for_disk(e->wait, e, e->state);
		struct journal_lot *lot = is_quick ? &j->written : &j->synced;

		bytes += e->size;
		take_slot_locked(j, &lot->slots[lot->count++]);
	}
}

/* Of an entry that is placed, what has become of it since. */
static enum journal_type mark_of(int state)
{
	switch (state) {
	case JOURNAL_STARTED: return JOURNAL_TYPE_STARTED;
	case JOURNAL_CANCELLED: return JOURNAL_TYPE_CANCELLED;
	default: return JOURNAL_TYPE_DONE;
	}
}

/* What the disk must be told so that it knows the entry as it is. False: nothing. */
static bool record_of(const struct journal_slot *slot, struct journal_item *item)
{
	const struct journal_entry *e = slot->entry;
	bool placed = e->segment != NULL;

	*item = journal_item_of(e);
	if (slot->state == JOURNAL_RESULT) {
		item->type = JOURNAL_TYPE_RESULT;
		item->body = (struct slice){e->result, slot->size};
		return !placed || e->written != JOURNAL_RESULT;
	}
	if (!placed && slot->state != JOURNAL_DONE) {
		item->type = JOURNAL_TYPE_ACCEPTED;
		item->started = slot->state == JOURNAL_STARTED;
		item->cancelled = slot->state == JOURNAL_CANCELLED;
		item->body = (struct slice){e->body, e->body_size};
		return e->body != NULL;
	}
	item->type = mark_of(slot->state);
	item->started = slot->state == JOURNAL_DONE && e->answered;
	item->head = (struct slice){NULL, 0};
	return placed && e->written < slot->state;
}

static void encode(struct journal *j, struct journal_slot *slot, uint32_t salt)
{
	struct journal_item item;

	slot->length = 0;
	slot->offset = j->lot.size;
	if (!record_of(slot, &item))
		return;
	journal_file_put(&j->lot, salt, &item);
	slot->length = j->lot.size - slot->offset;
}

static size_t size_of(const struct journal_slot *slots, size_t count)
{
	struct journal_item item;
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += record_of(&slots[i], &item) ? journal_file_size(&item) : 0;
	return size;
}

static bool wants_sync(const struct journal_slot *slots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (waits_for_disk(slots[i].wait, slots[i].entry, slots[i].state))
			return true;
	return false;
}

static void set_rc(struct journal_slot *slots, size_t count, enum gofer_err rc)
{
	for (size_t i = 0; i < count; i++)
		slots[i].rc = rc;
}

/* Writes some slots' records: all of them or none. */
static enum gofer_err write_slots(struct journal *j, struct journal_slot *slots, size_t count)
{
	size_t size = size_of(slots, count), at;
	enum gofer_err rc = size ? journal_store_prepare(&j->store, size) : GOFER_OK;

	buf_clear(&j->lot);
	if (!rc && size) {
		at = j->store.newest->size;
		for (size_t i = 0; i < count; i++) {
			encode(j, &slots[i], j->store.newest->salt);
			slots[i].offset += at;
			slots[i].segment = j->store.newest;
		}
		rc = !buf_ok(&j->lot) ? GOFER_NOMEM
				      : journal_store_append(&j->store, j->lot.data, j->lot.size,
		                                             wants_sync(slots, count));
	}
	set_rc(slots, count, rc);
	return rc;
}

/* What fails together may, one by one, fit. */
static enum gofer_err write_lot(struct journal *j, struct journal_lot *lot)
{
	enum gofer_err rc = write_slots(j, lot->slots, lot->count), one = GOFER_OK;

	for (size_t i = 0; rc && lot->count > 1 && i < lot->count; i++)
		if (write_slots(j, &lot->slots[i], 1))
			one = lot->slots[i].rc;
	return lot->count > 1 ? one : rc;
}

/* --- what became of it ---------------------------------------------------------------- */

static void tell_locked(struct journal *j, struct journal_wait *wait, enum gofer_err rc)
{
	wait->next = NULL;
	wait->result = rc;
	*j->told_end = wait;
	j->told_end = &wait->next;
}

static void drop(char **text, char **dropped)
{
	*dropped = *text;
	*text = NULL;
}

static void written_locked(struct journal *j, struct journal_slot *slot)
{
	struct journal_entry *e = slot->entry;

	if (slot->state == JOURNAL_DONE) {
		journal_note_answered(j, e);
		journal_unplace_locked(j, e);
		journal_clean_locked(j, e);
		slot->gone = true;
		return;
	}
	if (slot->length && (!e->segment || slot->state == JOURNAL_RESULT)) {
		journal_place_locked(j, e, slot->segment, slot->offset, slot->length);
		drop(&e->body, &slot->body);
	}
	if (slot->state == JOURNAL_RESULT)
		drop(&e->result, &slot->result);
	e->written = slot->state;
}

/* A request that was not stored is none; a result that was not is sent all the same. */
static void refused_locked(struct journal *j, struct journal_slot *slot)
{
	struct journal_entry *e = slot->entry;

	if (slot->state == JOURNAL_RESULT) {
		j->bytes -= e->size;
		e->size = e->body ? e->body_size : 0;
		j->bytes += e->size;
		e->state = e->fallback == JOURNAL_CANCELLED ? JOURNAL_CANCELLED : JOURNAL_STARTED;
		drop(&e->result, &slot->result);
		journal_dirty_locked(j, e);
		return;
	}
	journal_clean_locked(j, e);
	j->count--;
	j->bytes -= e->size;
	e->state = JOURNAL_DONE;
	e->next = j->refused;
	j->refused = e;
}

static void complete_locked(struct journal *j, struct journal_slot *slot)
{
	slot->entry->busy = false;
	j->stats.records += !slot->rc && slot->length;
	if (slot->wait)
		tell_locked(j, slot->wait, slot->rc);
	if (slot->rc == GOFER_OK)
		written_locked(j, slot);
	else if (slot->wait)
		refused_locked(j, slot);
	else
		journal_dirty_locked(j, slot->entry);
}

static void free_dropped(const struct journal_lot *lot)
{
	for (size_t i = 0; i < lot->count; i++) {
		const struct journal_slot *slot = &lot->slots[i];

		free(slot->body);
		free(slot->result);
		if (slot->gone)
			journal_entry_free(slot->entry);
	}
}

static void tell_failing(struct journal *j, enum gofer_err rc)
{
	if (rc && !j->complained)
		log_error(JOURNAL_PACKAGE, "%s can't be written: %s; requests are not accepted",
		          j->store.directory,
		          rc == GOFER_FULL ? "no room on the disk" : error_name(rc));
	else if (!rc && j->complained)
		log_info(JOURNAL_PACKAGE, "%s can be written again", j->store.directory);
	j->complained = rc != GOFER_OK;
}

static void settle_locked(struct journal *j, enum gofer_err rc)
{
	uint64_t now_us = clock_monotonic_us();

	j->stats.writes++;
	j->stats.failures += rc != GOFER_OK;
	j->stats.failing = rc != GOFER_OK;
	j->retry_us = now_us + RETRY_US;
	if (!j->store.unsynced)
		j->sync_us = 0;
	else if (!j->sync_us)
		j->sync_us = now_us + SYNC_US;
	journal_count_store_locked(j);
}

static size_t waits_in(const struct journal_lot *lot)
{
	size_t count = 0;

	for (size_t i = 0; i < lot->count; i++)
		count += lot->slots[i].wait != NULL;
	return count;
}

/* Where several waited, several will again, and soon: they are written together, which saves most of what a write,
 * waking the owner and being woken cost. One that is alone is never held up, and the last of many not for long. */
static void gather_locked(struct journal *j)
{
	size_t waited = waits_in(&j->written) + waits_in(&j->synced);

	j->gather = waited < 1 ? 1 : waited < GATHER_MAX ? waited : GATHER_MAX;
	j->gather_us = clock_monotonic_us() + GATHER_US;
}

/* After a lot: those whose entries are all written now, or, where it failed, all. */
static void tell_flushes_locked(struct journal *j, enum gofer_err rc)
{
	while (j->flushes && (rc || !j->head || j->head->dirty_number > j->flushes->number)) {
		struct journal_wait *wait = j->flushes;

		j->flushes = wait->next;
		tell_locked(j, wait, rc);
	}
	if (!j->flushes)
		j->flushes_end = &j->flushes;
}

static void end_flushes_locked(struct journal *j, enum gofer_err rc)
{
	bool first = !j->told;

	tell_flushes_locked(j, rc);
	if (!first || !j->told || j->stopping)
		return;
	pthread_mutex_unlock(&j->lock);
	j->notify(j->context);
	pthread_mutex_lock(&j->lock);
}

/* The lock is held, but not while the disk is at work. */
static enum gofer_err write_locked(struct journal *j, struct journal_lot *lot)
{
	enum gofer_err rc;
	bool first;

	if (!lot->count)
		return GOFER_OK;
	pthread_mutex_unlock(&j->lock);
	rc = write_lot(j, lot);
	tell_failing(j, rc);
	if (j->lot.capacity > LOT_KEPT)
		buf_release(&j->lot);
	pthread_mutex_lock(&j->lock);
	first = !j->told;
	for (size_t i = 0; i < lot->count; i++)
		complete_locked(j, &lot->slots[i]);
	first = first && j->told && !j->stopping;
	settle_locked(j, rc);
	pthread_mutex_unlock(&j->lock);
	if (first)
		j->notify(j->context);
	answered_write(&j->answered);
	free_dropped(lot);
	pthread_mutex_lock(&j->lock);
	return rc;
}

static void round_locked(struct journal *j)
{
	enum gofer_err rc, other;

	journal_reclaim_locked(j, j->stats.failing);
	take_lots_locked(j);
	rc = write_locked(j, &j->written);
	other = write_locked(j, &j->synced);
	end_flushes_locked(j, rc ? rc : other);
	gather_locked(j);
	journal_compact_locked(j);
}

/* What was dirty is not any more: done with before it was written. */
static void nothing_to_write_locked(struct journal *j)
{
	j->stats.failing = false;
	end_flushes_locked(j, GOFER_OK);
}

/* --- the thread ----------------------------------------------------------------------- */

/* When there is something to do; UINT64_MAX: not before somebody says so. */
static uint64_t due_locked(struct journal *j, uint64_t tick_us)
{
	uint64_t due_us = j->sync_us ? j->sync_us : UINT64_MAX;

	if (j->paused)
		return UINT64_MAX;
	if (j->urgent >= j->gather || j->flushes || j->stopping)
		return 0;
	if (j->gather > 1)
		return j->gather_us;
	if (j->stats.failing)
		tick_us = j->retry_us;
	if ((j->head || j->touched || j->stats.failing) && tick_us < due_us)
		due_us = tick_us;
	return due_us;
}

static void sleep_locked(struct journal *j, uint64_t until_us)
{
	struct timespec until = {
		.tv_sec = (time_t)(until_us / 1000000),
		.tv_nsec = (long)(until_us % 1000000) * 1000,
	};

	j->idle = until_us == UINT64_MAX;
	if (j->idle)
		pthread_cond_wait(&j->wake, &j->lock);
	else
		pthread_cond_timedwait(&j->wake, &j->lock, &until);
	j->idle = false;
}

static void sync_locked(struct journal *j)
{
	enum gofer_err rc;

	j->sync_us = 0;
	pthread_mutex_unlock(&j->lock);
	rc = journal_store_sync(&j->store);
	pthread_mutex_lock(&j->lock);
	j->stats.failures += rc != GOFER_OK;
	journal_count_store_locked(j);
}

/* As long as something was appended since it last looked, the thread looks again by itself: so that
 * the owner need not wake it for each. */
static void work_locked(struct journal *j)
{
	uint64_t tick_us = clock_monotonic_us() + DELAY_US;

	while (!j->stopping || j->paused) {
		uint64_t now_us = clock_monotonic_us(), due_us;

		if (now_us >= j->gather_us)
			j->gather = 1;
		due_us = due_locked(j, tick_us);
		if (due_us > now_us) {
			bool was_idle = due_us == UINT64_MAX;

			sleep_locked(j, due_us);
			if (was_idle)
				tick_us = clock_monotonic_us() + DELAY_US;
			continue;
		}
		j->working = true;
		if (j->sync_us && j->sync_us <= now_us)
			sync_locked(j);
		if (j->head)
			round_locked(j);
		else
			nothing_to_write_locked(j);
		j->working = false;
		pthread_cond_signal(&j->rested);
		j->touched = false;
		tick_us = clock_monotonic_us() + DELAY_US;
	}
}

/* Once more, for what is not written. What fails now has been tried. */
static void finish_locked(struct journal *j)
{
	j->stats.failing = false;
	while (j->head && !j->stats.failing)
		round_locked(j);
	journal_reclaim_locked(j, true);
	if (j->store.unsynced)
		sync_locked(j);
}

static void *run(void *arg)
{
	struct journal *j = arg;

	pthread_setname_np(pthread_self(), "journal");
	pthread_mutex_lock(&j->lock);
	work_locked(j);
	finish_locked(j);
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

enum gofer_err journal_writer_start(struct journal *j)
{
	sigset_t all, before;
	pthread_attr_t attr;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	j->has_thread = pthread_create(&j->thread, &attr, run, j) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return j->has_thread ? GOFER_OK : GOFER_NOMEM;
}

void journal_writer_stop(struct journal *j)
{
	if (!j->has_thread)
		return;
	pthread_mutex_lock(&j->lock);
	j->stopping = true;
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
	pthread_join(j->thread, NULL);
	j->has_thread = false;
}
