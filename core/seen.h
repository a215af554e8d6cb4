/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen: what was there lately, known by a fingerprint and nothing else; bounded by number and age.
 *
 * A fingerprint is a hash of two texts under a key that nobody is told (SipHash): nobody can choose texts so
 * that two of them collide, or many fall into one place of the table. All memory (some 40 bytes for each that may be remembered) is taken, and touched, by
 * seen_new().
 *
 *   struct fingerprint print = seen_fingerprint(s, plugin, sn);
 *   if (!seen_has(s, &print, now))
 *       seen_add(s, &print, now);
 *
 * The earliest added is forgotten first. Adding and looking take constant time.
 *
 * Thread: one at a time. The time is the caller's, in milliseconds, and must not go back.
 */
#ifndef GOFER_CORE_SEEN_H
#define GOFER_CORE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEEN_KEY_SIZE 16

struct seen;

struct fingerprint {
	unsigned char bytes[16];
};

/* Remembers the last `capacity` (1 to 2^30), each for `age_ms`. `key`: that of fingerprints, copied; NULL: one of
 * its own. NULL: out of memory. */
struct seen *seen_new(size_t capacity, uint64_t age_ms, const unsigned char *key);
void seen_free(struct seen *s); /* NULL is taken */

/* A key that nobody can guess. */
void seen_draw_key(unsigned char key[SEEN_KEY_SIZE]);
/* Of the pair of the two, under a key; under that of `s`. */
struct fingerprint seen_print(const unsigned char key[SEEN_KEY_SIZE], const char *space,
                              const char *name);
struct fingerprint seen_fingerprint(const struct seen *s, const char *space, const char *name);

/* `print` is not there yet. */
void seen_add(struct seen *s, const struct fingerprint *print, uint64_t now_ms);
bool seen_has(struct seen *s, const struct fingerprint *print, uint64_t now_ms);
/* How many are remembered; one that is too old counts until the next call of the two above. */
size_t seen_count(const struct seen *s);

#endif
