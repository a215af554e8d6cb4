/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: what was accepted and is not yet answered for.
 *
 * A request is entered before its `accepted` is sent, its entry follows it (started, result), and
 * goes when the broker has taken the result. Whoever starts again finds with journal_replay() what
 * was left, and how far it was.
 *
 *   journal_accept(j, &request, &wait, &entry);    // copied; wait.stored is called back later
 *   ... wait.stored(): it is safe; say so to the caller
 *   journal_started(j, entry); ... journal_result(j, entry, text); ... journal_done(j, entry);
 *
 * Appending never blocks. How long a request is safe is said by its `durable`: a durable one survives
 * what the journal's medium survives once its `stored` was called with GOFER_OK; one that is not
 * durable is written with the next that is, and nobody should wait for it. The medium is memory: entries
 * live as long as the journal, and are stored at once.
 *
 * What is stored is told to the owner's thread: `notify` is called (in any thread, when there was
 * nothing to tell before) and the owner then calls journal_run(), which calls each `stored`, in the
 * order of the appends.
 *
 * Bounded: GOFER_FULL once there are too many entries or bytes; nothing is lost, the request stays where
 * it came from.
 *
 * Thread: the owner's, for all; `notify` may be called in any.
 */
#ifndef GOFER_CORE_JOURNAL_H
#define GOFER_CORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/error.h"

struct journal;
struct journal_entry; /* valid from journal_accept() to journal_done() */

struct journal_options {
	size_t entries_max; /* 0: 100 000 */
	size_t bytes_max;   /* of requests and results; 0: 256 MiB */
	void (*notify)(void *context);
	void *context;
};

/* NULL: `error`. */
struct journal *journal_new(const struct journal_options *options, struct error *error);
/* What was not told yet is told no more. NULL is taken. */
void journal_free(struct journal *j);

/* A request as it must be known to be run again. Strings and bytes are copied. */
struct journal_request {
	const char *plugin; /* whose request it is */
	const char *sn;
	const char *replyto; /* NULL: none */
	int body_kind;       /* kept for the owner, not looked at: the section that it came in */
	bool durable;
	struct slice body; /* as it came */
};

/* Somebody who waits; embedded in what it belongs to. Belongs to the journal from the append until
 * `stored` is called. `result` other than GOFER_OK: the entry could not be stored and is gone. */
struct journal_wait {
	struct journal_wait *next; /* the journal's */
	enum gofer_err result;     /* the journal's */
	void (*stored)(struct journal_wait *wait, enum gofer_err result);
};

/* Enters a request; `*entry` is set on GOFER_OK. `wait` NULL: nobody waits. Otherwise `stored` is called
 * later, never before this returns. GOFER_FULL, GOFER_NOMEM: nothing was entered, nothing is called. */
enum gofer_err journal_accept(struct journal *j, const struct journal_request *request,
                              struct journal_wait *wait, struct journal_entry **entry);
/* It has begun to run. */
void journal_started(struct journal *j, struct journal_entry *entry);
/* It has ended, with this result (copied), which is not taken by the broker yet. GOFER_NOMEM, GOFER_FULL:
 * it stays "started", and would run again. */
enum gofer_err journal_result(struct journal *j, struct journal_entry *entry, struct slice result);
/* It is answered for: the entry goes. One that somebody waits for still may not. */
void journal_done(struct journal *j, struct journal_entry *entry);

/* Calls `stored` of all that is stored. */
void journal_run(struct journal *j);

enum journal_state { JOURNAL_ACCEPTED, JOURNAL_STARTED, JOURNAL_RESULT };

/* An entry as it is replayed; all borrowed until `each` returns. */
struct journal_record {
	enum journal_state state;
	struct journal_request request;
	struct slice result; /* JOURNAL_RESULT */
};
/* Calls `each` for every entry, the oldest first; it may call journal_done() on the one that it is
 * given. */
void journal_replay(struct journal *j,
                    void (*each)(void *context, struct journal_entry *entry,
                                 const struct journal_record *record),
                    void *context);

size_t journal_count(const struct journal *j);

#endif
