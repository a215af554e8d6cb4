/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracker: which requests are known, by their plugin and serial number: pending, or finished lately.
 *
 * A broker may deliver a request again (a connection was lost before it was settled). Whoever looks
 * here first runs nothing twice, and still has the result of what has finished just now.
 *
 *   switch (tracker_add(t, plugin, sn, &entry)) {
 *   case TRACKER_NEW:      tracked_own(entry, me); ... tracker_finish_take(t, entry, text, size);
 *   case TRACKER_PENDING:  ... nothing to do; tracked_owner(entry) is at it
 *   case TRACKER_FINISHED: ... tracked_result(entry, &size) is what it came to
 *   case TRACKER_ANSWERED: ... nothing to do; what it came to is not known any more
 *   }
 *
 * Pending entries are bounded by whoever adds them. Finished ones are known until `finished_max`
 * others have finished after them, or for `age_s`, whichever is sooner. The latest of them have their
 * results: 1000 at most, `bytes_max` in all, none of more than a quarter of that. The rest are known
 * by a fingerprint (core/seen.h), the memory of which is taken at start; a peer can't make two
 * requests look the same. Adding and finding take constant time.
 *
 * Thread: one at a time.
 */
#ifndef GOFER_CORE_TRACKER_H
#define GOFER_CORE_TRACKER_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/seen.h"

struct tracker;
struct tracked; /* one request; valid until finished or forgotten; with a result until the next call */

struct tracker_options {
	size_t finished_max; /* 0: 10 000 */
	size_t bytes_max;    /* of results; 0: 1 MiB */
	double age_s;        /* 0: TRACKER_AGE_S */
	/* Of fingerprints (core/seen.h), copied; NULL: one of its own. With it those of another may be
	 * remembered. */
	const unsigned char *key;
	uint64_t (*now_ms)(void); /* NULL: clock_monotonic_ms() */
};

#define TRACKER_AGE_S 3600.

enum tracker_state {
	TRACKER_NEW,
	TRACKER_PENDING,
	TRACKER_FINISHED, /* there is a result */
	TRACKER_ANSWERED, /* there was none, or it was not kept */
	TRACKER_NOMEM,
};

struct tracker *tracker_new(const struct tracker_options *options); /* NULL: out of memory */
void tracker_free(struct tracker *t);                               /* NULL is taken */

/* Looks up `sn` of `plugin`, and adds it as pending where it is not known (`sn` is copied). `*entry`
 * is set, but NULL with TRACKER_ANSWERED and TRACKER_NOMEM. */
enum tracker_state tracker_add(struct tracker *t, const char *plugin, const char *sn,
                               struct tracked **entry);
/* The entry that is pending or has a result, or NULL; nothing is added. */
struct tracked *tracker_find(struct tracker *t, const char *plugin, const char *sn);

/* pending -> finished; `entry` is gone. `result` (NULL or empty: there is none to be sent again) is
 * taken and freed in time. */
void tracker_finish_take(struct tracker *t, struct tracked *entry, char *result, size_t size);
/* Has finished before this tracker was made: it is TRACKER_ANSWERED, unless it is known already. */
void tracker_remember(struct tracker *t, const struct fingerprint *print);
/* Forgets a pending entry, as if it had never been added. */
void tracker_forget(struct tracker *t, struct tracked *entry);

const char *tracked_sn(const struct tracked *entry);
/* Who is at it: set by whoever added it; NULL before that, and once finished. */
void tracked_own(struct tracked *entry, void *owner);
void *tracked_owner(const struct tracked *entry);
/* The result and its size; NULL and 0 while it is pending. */
const char *tracked_result(const struct tracked *entry, size_t *size);

/* For the curious: how many are pending, how many finished ones are known. */
size_t tracker_pending(const struct tracker *t);
size_t tracker_finished(const struct tracker *t);

#endif
