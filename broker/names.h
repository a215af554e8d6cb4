/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names: a hash table of things by name; the link is embedded in the thing.
 *
 * The hash is keyed by a random seed, so that nobody can choose names that all fall together.
 *
 *   struct names t;
 *   names_init(&t);
 *   names_add(&t, &thing->name);
 *   struct name *n = names_find(&t, text, size);
 *
 * Thread: one at a time.
 */
#ifndef GOFER_BROKER_NAMES_H
#define GOFER_BROKER_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

struct name {
	struct name *next; /* the table's */
	uint64_t hash;     /* the table's */
	struct slice text; /* set by the owner, whose memory it is; constant while in a table */
};

struct names {
	struct name **buckets;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
	uint64_t seed;
};

void names_init(struct names *t);
void names_release(struct names *t); /* the things are their owner's */
struct name *names_find(const struct names *t, const char *text, size_t size); /* NULL: none */
/* The name must not be in it yet. GOFER_NOMEM. */
enum gofer_err names_add(struct names *t, struct name *n);
void names_remove(struct names *t, struct name *n);
/* All, in no order: the first for NULL; NULL at the end. The table must not change meanwhile. */
struct name *names_next(const struct names *t, const struct name *after);

#endif
