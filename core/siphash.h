/* SPDX-License-Identifier: Apache-2.0 */
/*
 * siphash: SipHash-2-4 with 128 bits of result: a short hash of short texts under a secret key.
 *
 * Who doesn't know the key can neither foresee a hash nor make two of them the same. It is no digest
 * for the public: who knows the key can.
 *
 *   siphash_begin(&h, key);
 *   siphash_add(&h, text, size);           // any number of times
 *   siphash_end(&h, hash);
 *
 * Thread: any.
 */
#ifndef GOFER_CORE_SIPHASH_H
#define GOFER_CORE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_SIZE 16
#define SIPHASH_SIZE 16

struct siphash {
	uint64_t v[4];
	uint64_t word; /* the last bytes, of which there are size % 8 */
	uint64_t size;
};

void siphash_begin(struct siphash *h, const unsigned char key[SIPHASH_KEY_SIZE]);
void siphash_add(struct siphash *h, const void *data, size_t size);
void siphash_end(struct siphash *h, unsigned char hash[SIPHASH_SIZE]);

#endif
