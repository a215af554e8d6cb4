/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: what was accepted and is not yet answered for, in a directory that outlives the process.
 *
 * A request is entered before its `accepted` is sent, its entry follows it (started, cancelled, result), and
 * goes when the broker has taken the result. Whoever starts again finds with journal_replay() what
 * was left, and how far it was.
 *
 *   j = journal_new(&options, &error); journal_replay(j, each, context);
 *   journal_accept(j, &request, &wait, &entry);    // copied; wait.stored is called back later
 *   ... wait.stored(): it is safe; say so to the caller
 *   journal_started(j, entry); ... journal_result(j, entry, text, &wait); ... journal_done(j, entry);
 *
 * No function here but journal_new(), journal_free(), journal_replay() and journal_inspect() touches the
 * disk: a thread of the journal's own writes all that has gathered, and syncs once for the lot.
 *
 * What somebody waits for is written at once: it survives the process when `stored` is called with
 * GOFER_OK. A durable request is on disk too then (fdatasync), and survives a loss of power. What nobody
 * waits for is written within JOURNAL_DELAY_MS; of an entry that is done by then, nothing is ever
 * written. So: wait for durable requests and their results, and for nothing else.
 *
 * Anything else is on disk with the next durable request, or JOURNAL_SYNC_MS later: to sync results too before
 * they are told would cost a fifth of all durable calls. So a loss of power may take the results
 * (their requests run again) and the ends (their results are there once more) of that last moment.
 *
 * A write that fails (no room on the disk, say) undoes all of itself. Who waited is told GOFER_FULL or GOFER_IO;
 * what nobody waits for is kept in memory and tried again each second. Until a write has worked again
 * nothing is entered that nobody waits for.
 *
 * What is stored is told to the owner's thread: `notify` is called (in any thread, when there was
 * nothing to tell before) and the owner then calls journal_run(), which calls each `stored`, in the
 * order of the appends; but what is told as soon as it is written, as results are, is not held up by
 * what must be on disk first.
 *
 * Durable requests that were answered for are remembered for a while, beyond the end of the process
 * (core/answered.h): a broker that had not noted it may deliver one again.
 *
 * Bounded: GOFER_FULL once there are too many entries or bytes; nothing is lost, the request stays where
 * it came from. On disk a journal takes at most twice what is pending and some segments
 * (journal_store.h). In memory an entry whose request is written takes some 200 bytes and its names.
 *
 * Reading, it takes no byte for granted: a segment's unfinished end is cut, what is damaged is put into
 * the file journal.damaged-NUMBER beside it and told in the log by file and offset, and everything
 * else is kept.
 *
 * Thread: the owner's, for all; `notify` may be called in any.
 */
#ifndef GOFER_CORE_JOURNAL_H
#define GOFER_CORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/seen.h"

#define JOURNAL_DELAY_MS 10
#define JOURNAL_SYNC_MS 100

struct journal;
struct journal_entry; /* valid from journal_accept() to journal_done() */

struct journal_options {
	const char *directory; /* made where it is not there, with mode 0700 */
	size_t entries_max;    /* 0: 100 000 */
	size_t bytes_max;      /* of requests and results; 0: 256 MiB */
	void (*notify)(void *context);
	void *context;
};

/* Opens the directory and reads what is there; blocks. NULL: `error`; GOFER_EXISTS: another one has it. */
struct journal *journal_new(const struct journal_options *options, struct error *error);
/* Writes what is not written yet; blocks. What was not told yet is told no more: those who wait may go then,
 * before the journal does. What comes later is not written. NULL is taken; may be called again. */
void journal_stop(struct journal *j);
/* Stops and frees. NULL is taken. */
void journal_free(struct journal *j);

/* A request as it must be known to be run again. Strings and bytes are copied. */
struct journal_request {
	const char *plugin; /* whose request it is */
	const char *sn;
	const char *replyto; /* NULL: none */
	int body_kind; /* 0..65535; kept for the owner, not looked at: the section that it came in */
	bool durable;
	struct slice body; /* as it came */
};

/* Somebody who waits; embedded in what it belongs to. Belongs to the journal from the append until
 * `stored` is called. */
struct journal_wait {
	struct journal_wait *next; /* the journal's */
	enum gofer_err result;     /* the journal's */
	uint64_t number;           /* the journal's */
	void (*stored)(struct journal_wait *wait, enum gofer_err result);
};

/* Enters a request; `*entry` is set on GOFER_OK. `wait` NULL: nobody waits. Otherwise `stored` is called
 * later, never before this returns; with another result than GOFER_OK the entry is gone. GOFER_FULL,
 * GOFER_NOMEM: nothing was entered, nothing is called. */
enum gofer_err journal_accept(struct journal *j, const struct journal_request *request,
                              struct journal_wait *wait, struct journal_entry **entry);
/* It has begun to run. Of one that was cancelled already, this changes nothing. */
void journal_started(struct journal *j, struct journal_entry *entry);
/* It was cancelled, and must not run again; what is left is to say so. Any time before its result, even while
 * somebody waits for it to be accepted; later, or again, it changes nothing. Nobody waits for it: what
 * ends the process within JOURNAL_DELAY_MS may lose it, and a loss of power within JOURNAL_SYNC_MS more;
 * the request is then as it was before, and would run. */
void journal_cancelled(struct journal *j, struct journal_entry *entry);
/* It has ended, with this result (copied), which is not taken by the broker yet; once. `wait` as above; with
 * another result than GOFER_OK, and on GOFER_NOMEM and GOFER_FULL here (nothing is called then), the
 * entry stays "started", and would run again, or "cancelled", if it was. */
enum gofer_err journal_result(struct journal *j, struct journal_entry *entry, struct slice result,
                              struct journal_wait *wait);
/* It is answered for, or, where it has neither started nor was cancelled, was given back: the entry goes. One that
 * somebody waits for still may not. */
void journal_done(struct journal *j, struct journal_entry *entry);

/* Waits for all that was said until now, which is written at once then: it survives the process when `stored` is
 * called with GOFER_OK; with another result some of it is not written yet. */
void journal_flush(struct journal *j, struct journal_wait *wait);

/* Calls `stored` of all that is stored. */
void journal_run(struct journal *j);

/* In the order in which an entry goes through them; it may leave some out. */
enum journal_state { JOURNAL_ACCEPTED, JOURNAL_STARTED, JOURNAL_CANCELLED, JOURNAL_RESULT };

/* An entry as it is replayed; all borrowed until `each` returns. */
struct journal_record {
	enum journal_state state;
	struct journal_request request; /* without body in JOURNAL_RESULT: it is not needed again */
	struct slice result;            /* JOURNAL_RESULT */
	uint64_t accepted_ms;           /* since 1970 */
};
/* Calls `each` for every entry that journal_new() found, the oldest first; it may call journal_done() on the
 * one that it is given. Once, before anything is entered. Blocks on reads. */
void journal_replay(struct journal *j,
                    void (*each)(void *context, struct journal_entry *entry,
                                 const struct journal_record *record),
                    void *context);

/* The same for one of these that was left as it was: at any time, as long as nothing was said of it. Blocks on a
 * read, and on what the thread is just writing. */
void journal_replay_one(struct journal *j, struct journal_entry *entry,
                        void (*each)(void *context, struct journal_entry *entry,
                                     const struct journal_record *record),
                        void *context);

/* Calls `each` for the durable requests that were answered for within the last `age_s`, in this and in earlier
 * runs, ANSWERED_MAX at most, the earliest first: should one of them be delivered once more it is not to be
 * run again. They are known by their fingerprint of plugin and sn (core/seen.h) under journal_key(), of
 * SEEN_KEY_SIZE bytes. As journal_replay(): once, before anything is entered; blocks on reads. */
void journal_answered(struct journal *j, double age_s,
                      void (*each)(void *context, const struct fingerprint *print), void *context);
const unsigned char *journal_key(const struct journal *j);

size_t journal_count(const struct journal *j);

struct journal_stats {
	size_t entries, bytes;       /* pending, and what they hold */
	size_t segments, file_bytes; /* on disk */
	uint64_t records, writes;    /* written since the start */
	uint64_t syncs, sync_us;     /* and the time that these took */
	uint64_t failures;           /* writes that failed */
	uint64_t damaged;            /* records, or what may have been some, that were set aside */
	bool failing;                /* the last write failed */
};
void journal_stats(const struct journal *j, struct journal_stats *stats);

/* An entry as it is looked at from outside. */
struct journal_sight {
	enum journal_state state;
	const char *plugin, *sn, *replyto; /* borrowed until `each` returns; replyto may be NULL */
	bool durable;
	uint64_t accepted_ms;
	size_t size; /* of the request, or in JOURNAL_RESULT of the result */
};
/* Looks into a journal's directory, which may be in use meanwhile, and changes nothing. `damaged` counts
 * what no record could be read from. GOFER_NOTFOUND: no such directory. Any thread; blocks. */
enum gofer_err journal_inspect(const char *directory,
                               void (*each)(void *context, const struct journal_sight *sight),
                               void *context, size_t *damaged, struct error *error);

#endif
