/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracker: which requests are known by their serial number: pending, or finished lately.
 *
 * A broker may deliver a request again (a connection was lost before it was settled). Whoever looks
 * here first runs nothing twice, and still has the result of what has finished lately.
 *
 *   switch (tracker_add(t, sn, &entry)) {
 *   case TRACKER_NEW:      tracked_own(entry, me); ... tracker_finish_take(t, entry, text, size);
 *   case TRACKER_PENDING:  ... nothing to do; tracked_owner(entry) is at it
 *   case TRACKER_FINISHED: ... tracked_result(entry, &size) is what it came to
 *   }
 *
 * Pending entries are bounded by whoever adds them. Finished ones are forgotten, the longest unused
 * first, beyond a number, an age, and a sum of bytes of results; a single result of more than a
 * quarter of that sum is not kept (its sn is). Adding and finding take constant time.
 *
 * Thread: one at a time.
 */
#ifndef GOFER_CORE_TRACKER_H
#define GOFER_CORE_TRACKER_H

#include <stddef.h>

#include "core/error.h"

struct tracker;
struct tracked; /* one sn; valid until finished or forgotten; a finished one until the next call */

struct tracker_options {
	size_t finished_max; /* entries; 0: 1000 */
	size_t bytes_max;    /* of results; 0: 1 MiB */
	double age_s;        /* 0: an hour */
};

enum tracker_state {
	TRACKER_NEW,
	TRACKER_PENDING,
	TRACKER_FINISHED,
	TRACKER_NOMEM,
};

struct tracker *tracker_new(const struct tracker_options *options); /* NULL: out of memory */
void tracker_free(struct tracker *t);                               /* NULL is taken */

/* Looks `sn` up (copied), and adds it as pending where it is not known. `*entry` is set, except for
 * TRACKER_NOMEM. */
enum tracker_state tracker_add(struct tracker *t, const char *sn, struct tracked **entry);
/* The entry of `sn`, or NULL; nothing is added. */
struct tracked *tracker_find(struct tracker *t, const char *sn);

/* pending -> finished. `result` (NULL: there is none to be sent again) is taken and freed in time. */
void tracker_finish_take(struct tracker *t, struct tracked *entry, char *result, size_t size);
/* Forgets a pending entry, as if it had never been added. */
void tracker_forget(struct tracker *t, struct tracked *entry);

const char *tracked_sn(const struct tracked *entry);
/* Who is at it: set by whoever added it; NULL before that, and once finished. */
void tracked_own(struct tracked *entry, void *owner);
void *tracked_owner(const struct tracked *entry);
/* The result of a finished entry and its size; NULL if there is none or it was not kept. */
const char *tracked_result(const struct tracked *entry, size_t *size);

/* For the curious: how many are pending, how many finished. */
size_t tracker_pending(const struct tracker *t);
size_t tracker_finished(const struct tracker *t);

#endif
