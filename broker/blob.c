/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/blob.h"

#include <stdlib.h>

#include "core/clock.h"

struct blob *blob_new(size_t size)
{
	struct blob *b = malloc(sizeof(*b) + size);

	if (!b)
		return NULL;
	*b = (struct blob){.refs = 1, .size = size};
	return b;
}

struct blob *blob_ref(struct blob *b)
{
	b->refs++;
	return b;
}

void blob_unref(struct blob *b)
{
	if (b && !--b->refs)
		free(b);
}

/* An absolute time on the monotonic clock, at least 1 as 0 means never. */
static uint64_t monotonic(uint64_t wall_ms, uint64_t now_ms)
{
	uint64_t wall_now = clock_wall_ms();

	if (wall_ms > wall_now)
		return now_ms + (wall_ms - wall_now);
	return 1;
}

void blob_describe(struct blob *b, const struct message *message)
{
	b->delivery_count = message->delivery_count;
	b->priority = message->priority;
	b->durable = message->durable;
	b->first_acquirer = message->first_acquirer;
	b->has_ttl = message->has_ttl && message->ttl_ms;
	b->ttl_ms = message->ttl_ms;
	if (!b->has_ttl && !message->expiry_ms)
		return;
	b->arrived_ms = clock_monotonic_ms();
	if (b->has_ttl)
		b->expires_ms = b->arrived_ms + b->ttl_ms;
	if (message->expiry_ms) {
		uint64_t at = monotonic(message->expiry_ms, b->arrived_ms);

		if (!b->expires_ms || at < b->expires_ms)
			b->expires_ms = at;
	}
}

static uint32_t ttl_left(const struct blob *b)
{
	uint64_t gone = clock_monotonic_ms() - b->arrived_ms;

	return gone < b->ttl_ms ? b->ttl_ms - (uint32_t)gone : 1;
}

bool blob_header(const struct blob *b, uint32_t failures, struct message *header)
{
	header->durable = b->durable;
	header->priority = b->priority;
	header->first_acquirer = b->first_acquirer && !failures;
	header->delivery_count = b->delivery_count + failures;
	header->has_ttl = b->has_ttl;
	header->ttl_ms = b->has_ttl ? ttl_left(b) : 0;
	return failures || (b->has_ttl && header->ttl_ms != b->ttl_ms);
}

enum gofer_err blob_bytes(const struct blob *b, uint32_t failures, struct buf *scratch,
                          struct slice *out)
{
	struct message header = MESSAGE_INIT;

	*out = (struct slice){b->data, b->size};
	if (!blob_header(b, failures, &header))
		return GOFER_OK;
	buf_clear(scratch);
	if (message_patch_header(scratch, b->data, b->size, &header))
		return GOFER_NOMEM;
	*out = (struct slice){scratch->data, scratch->size};
	return GOFER_OK;
}
