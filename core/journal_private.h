/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_private: what the parts of a journal share: its owner's side (journal.c), what it reads when it
 * opens (journal_load.c), its thread (journal_writer.c, journal_compact.c), and who looks from outside
 * (journal_inspect.c).
 *
 * The owner says what an entry is now and puts it on the list of those that the disk does not know so; the
 * thread takes them from there, some at a time, and writes what they are by then. Many states of one
 * entry are so written once, or never where it is done before it was written.
 *
 * What stands in a segment ("placed") is one record for each entry: its request, or its result. Done is
 * written too, but a whole segment goes without that when all in it are done and none is older: what
 * was removed from the front of the journal can't come back.
 */
#ifndef GOFER_CORE_JOURNAL_PRIVATE_H
#define GOFER_CORE_JOURNAL_PRIVATE_H

#include <pthread.h>

#include "core/answered.h"
#include "core/journal.h"
#include "core/journal_file.h"
#include "core/journal_store.h"

#define JOURNAL_PACKAGE "core.journal"
#define JOURNAL_DONE (JOURNAL_RESULT + 1)
#define JOURNAL_BATCH_ENTRIES 512
#define JOURNAL_BATCH_BYTES ((size_t)1 << 20)

struct journal_entry {
	/* immutable */
	uint64_t id, accepted_ms;
	uint16_t kind;
	bool durable;

	/* guarded by lock; the thread alone changes those of an entry that is busy */
	bool dirty, busy;
	int state;                             /* what it is: enum journal_state, or JOURNAL_DONE */
	int fallback;                          /* what it was when it got its result */
	int written;                           /* what the disk knows, once placed */
	struct journal_wait *wait;             /* for `state` */
	char *body, *result;                   /* what must still be written; NULL: nothing */
	size_t body_size;                      /* where there is a body */
	size_t size;                           /* of the body, or of the result once there is one */
	struct journal_entry *next, *previous; /* dirty ones */
	uint64_t dirty_number;                 /* counted in their order */
	bool answered;                         /* JOURNAL_DONE: and not given back */

	/* where it is placed; the thread's, changed under lock */
	struct journal_segment *segment; /* NULL: nowhere */
	size_t offset, length;
	struct journal_entry *after, *before; /* in that segment */

	/* immutable: the head of its records' payload */
	uint32_t head_size;
	char head[];
};

/* One entry, as it is in a lot that is being written. */
struct journal_slot {
	struct journal_entry *entry;
	int state;
	struct journal_wait *wait;
	size_t size; /* of the body, or the result, as it was when it was taken */
	enum gofer_err rc;
	struct journal_segment *segment; /* where its record was put; length 0: there is none */
	size_t offset, length;
	char *body, *result; /* to be freed, and so `entry` if it has gone: not under the lock */
	bool gone;
};

struct journal_lot {
	size_t count;
	struct journal_slot slots[JOURNAL_BATCH_ENTRIES];
};

struct journal {
	/* immutable */
	size_t entries_max, bytes_max;
	void (*notify)(void *context);
	void *context;

	/* owner only */
	uint64_t last_id;

	/* the thread's; the owner's before it is started and after it has ended */
	struct journal_store store;
	struct answered answered;
	struct journal_lot written,
		synced; /* what waits to be written only, where the other waits for the disk */
	struct buf lot;
	pthread_t thread;
	bool has_thread;
	bool complained;     /* that nothing can be written */
	uint64_t compact_us; /* not before */

	pthread_mutex_t lock;
	pthread_cond_t wake, rested;

	/* guarded by lock */
	struct journal_entry *head, *tail; /* dirty ones, in the order in which they became so */
	uint64_t dirty_number;             /* the last one's */
	struct journal_wait *flushes, **flushes_end; /* for all dirty ones up to their `number` */
	size_t urgent;                               /* of these, that somebody waits for */
	size_t count, bytes;                         /* entries, and of what they hold */
	size_t placed_bytes;                         /* of records that are not dead */
	size_t gather;      /* so many are waited for before the next lot, ... */
	uint64_t gather_us; /* ... but not longer than until then */
	bool idle;          /* the thread sleeps until it is woken */
	bool touched;       /* something was appended since it looked last */
	bool paused, stopping;
	bool working; /* the thread is at something; `rested` is told when it is not any more */
	uint64_t retry_us; /* failing: when what nobody waits for is tried again */
	uint64_t sync_us;  /* when what was not synced shall be; 0: nothing */
	struct journal_wait *told, **told_end;
	struct journal_entry
		*refused; /* by `next`: until it is told, who entered it may still name it */
	struct journal_stats stats; /* as of the last lot; entries and bytes are not kept here */
};

/* One without a directory and without a thread; NULL: no memory. */
struct journal *journal_make(size_t entries_max, size_t bytes_max);
/* Its entries in the order in which they were accepted, while no thread works on them; to be freed. NULL: no memory. */
struct journal_entry **journal_sorted(const struct journal *j, size_t *count);

/* Reads all segments; makes an entry for each that is not done. `each_damage` in the log and aside, unless
 * the store is read-only: then `stats.damaged` counts alone. */
enum gofer_err journal_load(struct journal *j, struct error *error);

/* Puts an entry where it stands; takes it away from where it stood. */
void journal_place_locked(struct journal *j, struct journal_entry *entry,
                          struct journal_segment *segment, size_t offset, size_t length);
void journal_unplace_locked(struct journal *j, struct journal_entry *entry);
void journal_entry_free(struct journal_entry *entry);
/* It is done: whether it was answered is noted, where it was durable. In the thread. */
void journal_note_answered(struct journal *j, const struct journal_entry *entry);
void journal_entries_free(struct journal_entry *first); /* by `next` */
/* The entry's records, for the file. */
struct journal_item journal_item_of(const struct journal_entry *entry);
/* Takes it off the list of the dirty ones. */
void journal_clean_locked(struct journal *j, struct journal_entry *entry);
void journal_dirty_locked(struct journal *j, struct journal_entry *entry);
/* Removes the segments at the front in which all is done. `all`: the newest too. */
void journal_reclaim_locked(struct journal *j, bool all);
void journal_count_store_locked(struct journal *j);

enum gofer_err journal_writer_start(struct journal *j);
/* Writes what there is and ends. */
void journal_writer_stop(struct journal *j);

/* Copies what is pending in the oldest segment to the newest and removes it, if the journal has grown too
 * long for what is in it. In the thread, which holds the lock. */
void journal_compact_locked(struct journal *j);

#endif
