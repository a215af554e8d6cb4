/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob: one encoded message as it came in, immutable, shared by every queue that holds it.
 *
 * The bytes go out as they came unless the header has to change (a delivery failed, time to live
 * went by). Made full size first, then filled by its maker, then described once from its decoded
 * form; from there on constant.
 *
 *   b = blob_new(size);  ... fill b->data ...;  blob_describe(b, &message);
 *   queue_put(q, b);     blob_unref(b);
 *
 * Thread: the loop's; the count is not atomic.
 */
#ifndef GOFER_BROKER_BLOB_H
#define GOFER_BROKER_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/message.h"
#include "core/buf.h"
#include "core/error.h"

struct blob {
	unsigned refs;
	/* what its header says */
	uint32_t delivery_count, ttl_ms;
	uint8_t priority;
	bool durable, first_acquirer, has_ttl;
	uint64_t arrived_ms; /* monotonic; set if it has a ttl */
	uint64_t expires_ms; /* monotonic; 0: never */
	size_t size;
	char data[];
};

/* One reference, the caller's; `data` is not set. NULL: out of memory. */
struct blob *blob_new(size_t size);
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* NULL is taken */

/* Sets what the broker has to know: the header, and from it and the clock when it expires (the ttl
 * or the absolute expiry time, whichever comes first; a ttl of 0 is none). */
void blob_describe(struct blob *b, const struct message *message);

static inline bool blob_is_expired(const struct blob *b, uint64_t now_ms)
{
	return b->expires_ms && b->expires_ms <= now_ms;
}

/* What a header says of it that is sent now, after `failures` failed deliveries here: sets those
 * fields of `header`. Returns whether it says anything else than the blob's own. */
bool blob_header(const struct blob *b, uint32_t failures, struct message *header);

/* The bytes to send after `failures` failed deliveries: the blob's own, or, where the header must
 * change, a copy made in `scratch`. GOFER_NOMEM is the only failure. */
enum gofer_err blob_bytes(const struct blob *b, uint32_t failures, struct buf *scratch,
                          struct slice *out);

#endif
