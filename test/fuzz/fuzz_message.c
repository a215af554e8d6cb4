/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an AMQP message: what is taken is the same message when written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/codec.h"
#include "amqp/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool same(struct slice a, struct slice b)
{
	return !a.data == !b.data && a.size == b.size &&
		(!a.data || !memcmp(a.data, b.data, a.size));
}

static void same_header(const struct message *a, const struct message *b)
{
	require(a->durable == b->durable && a->priority == b->priority);
	require(a->has_ttl == b->has_ttl && a->ttl_ms == b->ttl_ms);
	require(a->first_acquirer == b->first_acquirer);
	require(a->delivery_count == b->delivery_count);
}

static void same_message(const struct message *a, const struct message *b)
{
	same_header(a, b);
	require(same(a->message_id, b->message_id) && same(a->to, b->to));
	require(same(a->subject, b->subject) && same(a->reply_to, b->reply_to));
	require(same(a->correlation_id, b->correlation_id));
	require(same(a->content_type, b->content_type) && a->expiry_ms == b->expiry_ms);
	require(a->body_kind == b->body_kind && same(a->body, b->body));
	require(!a->body.data == (a->body_kind == MESSAGE_NONE));
}

static void check_encoding(const struct message *m)
{
	struct buf bytes = BUF_INIT, scratch = BUF_INIT;
	struct message again;

	require(message_encode(&bytes, m) == GOFER_OK);
	require(message_decode(&again, bytes.data, bytes.size, &scratch, NULL) == GOFER_OK);
	same_message(m, &again);
	require(!scratch.size);
	buf_release(&bytes);
	buf_release(&scratch);
}

/* A message keeps all but its header; bytes that are none are not read beyond their end. */
static void check_patching(const char *data, size_t size, const struct message *m)
{
	static const struct message header = {.durable = true, .priority = 1, .delivery_count = 77};
	struct buf bytes = BUF_INIT, scratch = BUF_INIT;
	struct message again, expected;

	if (message_patch_header(&bytes, data, size, &header) || !m) {
		require(!m);
		buf_release(&bytes);
		return;
	}
	require(message_decode(&again, bytes.data, bytes.size, &scratch, NULL) == GOFER_OK);
	expected = header;
	expected.message_id = m->message_id;
	expected.to = m->to;
	expected.subject = m->subject;
	expected.reply_to = m->reply_to;
	expected.correlation_id = m->correlation_id;
	expected.content_type = m->content_type;
	expected.expiry_ms = m->expiry_ms;
	expected.body_kind = m->body_kind;
	expected.body = m->body;
	same_message(&expected, &again);
	buf_release(&bytes);
	buf_release(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct codec c = codec_over(data, size);
	struct error error = ERROR_NONE;
	struct buf scratch = BUF_INIT;
	struct message m;

	while (codec_skip(&c))
		;
	if (message_decode(&m, bytes, size, &scratch, &error)) {
		require(error.code == GOFER_PROTOCOL && error.text[0]);
		check_patching(bytes, size, NULL);
	} else {
		check_encoding(&m);
		check_patching(bytes, size, &m);
	}
	buf_release(&scratch);
	return 0;
}
