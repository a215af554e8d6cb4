/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answered: which requests were answered for lately, in a file that outlives the process.
 *
 * A broker that had not noted that a request was settled, when it or the agent went down, delivers it once
 * more, maybe to the next agent: whoever looks here does not run it again. Kept are fingerprints
 * (core/seen.h), under a key that the file holds, in a ring of fixed size: the last ANSWERED_MAX.
 *
 *   answered_open(&a, dirfd, "answered", false);
 *   answered_each(&a, age_ms, each, context);      // what was answered before
 *   answered_add(&a, plugin, sn); ... answered_write(&a);
 *   answered_close(&a);
 *
 * What was written survives the process, and with answered_sync() a loss of power. The file is an aid: one
 * that is damaged costs what it knew, and one that can't be written is told once in the log.
 *
 * Thread: one at a time; answered_print() any, once open.
 */
#ifndef GOFER_CORE_ANSWERED_H
#define GOFER_CORE_ANSWERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/seen.h"

#define ANSWERED_MAX 10000

struct answered {
	int fd; /* -1: there is no file */
	unsigned char key[SEEN_KEY_SIZE];
	uint64_t number; /* of the last one; they are counted from 1 */
	struct buf batch;
	bool complained;
};

#define ANSWERED_INIT \
	{ \
		.fd = -1, .batch = BUF_INIT \
	}

/* Opens or makes the file `name` in a directory. Where there is none to be had, it goes on without one: all
 * else here works, and nothing outlives the process. */
void answered_open(struct answered *a, int dirfd, const char *name);
void answered_close(struct answered *a); /* writes what is not written; may be called twice */

/* Calls `each` for what was answered within the last `age_ms`, the earliest first. */
void answered_each(struct answered *a, uint64_t age_ms,
                   void (*each)(void *context, const struct fingerprint *print), void *context);

/* Its fingerprint here. */
struct fingerprint answered_print(const struct answered *a, const char *plugin, const char *sn);
/* Notes it, in memory. */
void answered_add(struct answered *a, const char *plugin, const char *sn);
/* Writes what was noted; blocks on the disk's cache. answered_sync(): and on the disk. */
void answered_write(struct answered *a);
void answered_sync(struct answered *a);

#endif
