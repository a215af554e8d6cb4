/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_store: a journal's directory: its lock, its segments, and what is set aside.
 *
 * Segments are files "journal.NUMBER", written one after the other and never changed; the oldest go
 * first. Knows nothing of what is in them but their heads. While one is written for those who wait for the disk,
 * zeros stand behind its last record: to sync what overwrites them is half the work, as the file
 * stays as long as it was. They go when the segment has its end.
 *
 *   journal_store_open(&store, directory, false, &error);    // makes it, locks it
 *   journal_store_list(&store, &numbers, &count, &error);     // what is there
 *   journal_store_append(&store, bytes, size, true);          // whole and on disk, or not at all
 *   journal_store_release(&store);
 *
 * Thread: one at a time. All of it blocks.
 */
#ifndef GOFER_CORE_JOURNAL_STORE_H
#define GOFER_CORE_JOURNAL_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

struct journal_entry;

/* A segment has at most this many bytes, but for one that a single record makes longer; less where the
 * disk is small. */
#define JOURNAL_SEGMENT_MAX ((size_t)8 << 20)

struct journal_segment {
	struct journal_segment *newer;
	uint64_t number;
	size_t size;
	uint32_t salt;
	bool damaged;

	/* the journal's: the entries that stand here, and how many of these are not done */
	struct journal_entry *first;
	size_t open;
};

struct journal_store {
	/* immutable */
	char *directory;
	bool read_only;
	int dirfd, lock;

	struct journal_segment *oldest, *newest;
	size_t count, bytes; /* of all segments */
	size_t segment_max;
	uint64_t last; /* the highest number ever seen here */
	int fd;        /* of the newest, to append; -1: the next append begins another */
	size_t end;    /* of its file: zeros stand between its last record and there */
	bool is_tight; /* there was no room for zeros; not tried again before the next segment */
	bool unsynced; /* something was appended to it since it was synced */
	int read_fd;   /* of the one read last; -1: none */
	uint64_t read_number;
	uint64_t syncs, sync_us;
	size_t damaged; /* segments */
};

/* GOFER_EXISTS: another journal has this directory. Read-only: takes no lock, makes nothing, and changes nothing. */
enum gofer_err journal_store_open(struct journal_store *store, const char *directory,
                                  bool read_only, struct error *error);
/* Frees the segments too. After a failed open as well. */
void journal_store_release(struct journal_store *store);

/* The numbers of the segments that are there, in their order; to be freed. */
enum gofer_err journal_store_list(struct journal_store *store, uint64_t **numbers, size_t *count,
                                  struct error *error);
/* All bytes of a segment (`bytes` is emptied first). GOFER_NOTFOUND: it has gone. */
enum gofer_err journal_store_load(struct journal_store *store, uint64_t number, struct buf *bytes,
                                  struct error *error);
/* Takes a segment in that is there already, as the newest. */
enum gofer_err journal_store_add(struct journal_store *store, uint64_t number, uint32_t salt,
                                 size_t size);
/* Cuts what is behind `size`. */
enum gofer_err journal_store_cut(struct journal_store *store, struct journal_segment *segment,
                                 size_t size);

/* Makes sure that the newest segment can take `size` bytes more: begins another where it can't. */
enum gofer_err journal_store_prepare(struct journal_store *store, size_t size);
/* Has the next journal_store_prepare() begin another segment. */
void journal_store_roll(struct journal_store *store);
/* Appends to the newest segment, after journal_store_prepare(). `sync`: it is on disk when this returns.
 * GOFER_FULL: no room on the disk; GOFER_IO. Nothing of it stands in the segment then. */
enum gofer_err journal_store_append(struct journal_store *store, const char *bytes, size_t size,
                                    bool sync);
/* What was appended is on disk when this returns. */
enum gofer_err journal_store_sync(struct journal_store *store);
/* Appends `size` bytes of a segment to `out`. */
enum gofer_err journal_store_read(struct journal_store *store,
                                  const struct journal_segment *segment, size_t offset, size_t size,
                                  struct buf *out);
/* Bytes that are free on the disk; SIZE_MAX: nobody knows. */
size_t journal_store_room(const struct journal_store *store);
/* Takes the oldest segment out of the list; journal_store_remove() then removes its file and frees it. */
struct journal_segment *journal_store_detach_oldest(struct journal_store *store);
void journal_store_remove(struct journal_store *store, struct journal_segment *segment);

/* Puts bytes that were found to be no record into the file "journal.damaged-NUMBER", behind a line that
 * says where they stood. `first`: what the file had is from an earlier look at the same segment. */
enum gofer_err journal_store_set_aside(struct journal_store *store, uint64_t number, size_t offset,
                                       const char *bytes, size_t size, bool first);
/* "DIRECTORY/journal.NUMBER", or "DIRECTORY/journal.damaged-NUMBER", for people; to be freed, NULL: no memory. */
char *journal_store_path(const struct journal_store *store, uint64_t number, bool damaged);

#endif
