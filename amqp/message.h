/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message: AMQP 1.0 bare messages with the sections that gofer uses, to bytes and back.
 *
 * Source: OASIS AMQP 1.0, part 3 section 2. Reads any valid message, whatever the order of
 * encodings a peer chose; sections and fields that gofer has no use for are passed over. Writes
 * `durable` always, false too: an absent one means different things to different brokers.
 *
 * Thread: any; a message belongs to one thread at a time.
 */
#ifndef GOFER_AMQP_MESSAGE_H
#define GOFER_AMQP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

enum message_body {
	MESSAGE_NONE,   /* no body, or one that is neither text nor bytes */
	MESSAGE_STRING, /* amqp-value, string */
	MESSAGE_BINARY, /* amqp-value, binary */
	MESSAGE_DATA,   /* one data section or several */
};

/* Slices with data NULL are absent. Ids that are no strings read as absent. */
struct message {
	bool durable;
	uint8_t priority; /* 4 is the usual one */
	bool has_ttl;
	uint32_t ttl_ms;
	bool first_acquirer;
	uint32_t delivery_count;

	struct slice message_id, to, subject, reply_to, correlation_id, content_type;
	uint64_t expiry_ms; /* absolute-expiry-time, ms since 1970; 0: none */

	enum message_body body_kind;
	struct slice body;
};

#define MESSAGE_INIT \
	{ \
		.priority = 4 \
	}

/* Decodes. Slices point into `bytes`, or into `scratch` (emptied first) where a body came in
 * several data sections; both must outlive the message. GOFER_PROTOCOL and `error`: no valid
 * message. */
enum gofer_err message_decode(struct message *message, const char *bytes, size_t size,
                              struct buf *scratch, struct error *error);
/* Appends the encoded message. GOFER_NOMEM is the only failure. */
enum gofer_err message_encode(struct buf *out, const struct message *message);
/* Appends an encoded message with its header section replaced, or one put in front where it had
 * none; everything behind it stays byte for byte and is not looked at. Of `header` count durable,
 * priority, ttl, first_acquirer and delivery_count. GOFER_PROTOCOL: `bytes` do not begin with a
 * section; GOFER_NOMEM; `out` is as it was then. */
enum gofer_err message_patch_header(struct buf *out, const char *bytes, size_t size,
                                    const struct message *header);

#endif
