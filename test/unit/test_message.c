/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <proton/codec.h>
#include <proton/message.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/message.h"

#define B(text) text, sizeof(text) - 1
#define S(text) ((struct slice){text, sizeof(text) - 1})

static const struct message full = {
	.durable = true,
	.priority = 9,
	.has_ttl = true,
	.ttl_ms = 30000,
	.first_acquirer = true,
	.delivery_count = 3,
	.message_id = {"m-1", 3},
	.to = {"a queue", 7},
	.subject = {"key", 3},
	.reply_to = {"replies", 7},
	.correlation_id = {"sn-1", 4},
	.content_type = {"application/json", 16},
	.expiry_ms = 1700000000123,
	.body_kind = MESSAGE_STRING,
	.body = {"{\"sn\": 1}", 9},
};

static void same_slice(struct slice a, struct slice b)
{
	assert_int_equal(!a.data, !b.data);
	assert_int_equal(a.size, b.size);
	if (a.size)
		assert_memory_equal(a.data, b.data, a.size);
}

static void same_header(const struct message *a, const struct message *b)
{
	assert_int_equal(a->durable, b->durable);
	assert_int_equal(a->priority, b->priority);
	assert_int_equal(a->has_ttl, b->has_ttl);
	assert_int_equal(a->ttl_ms, b->ttl_ms);
	assert_int_equal(a->first_acquirer, b->first_acquirer);
	assert_int_equal(a->delivery_count, b->delivery_count);
}

static void same_message(const struct message *a, const struct message *b)
{
	same_header(a, b);
	same_slice(a->message_id, b->message_id);
	same_slice(a->to, b->to);
	same_slice(a->subject, b->subject);
	same_slice(a->reply_to, b->reply_to);
	same_slice(a->correlation_id, b->correlation_id);
	same_slice(a->content_type, b->content_type);
	assert_int_equal(a->expiry_ms, b->expiry_ms);
	assert_int_equal(a->body_kind, b->body_kind);
	same_slice(a->body, b->body);
}

static void encoded(struct buf *out, const struct message *m)
{
	buf_clear(out);
	assert_int_equal(message_encode(out, m), GOFER_OK);
}

/* Decodes a copy that ends where a block of memory ends. `scratch` is given, for the caller to
 * release; the copy is freed by the caller too. */
static char *decoded(struct message *m, const char *bytes, size_t size, struct buf *scratch)
{
	char *copy = malloc(size ? size : 1);
	struct error error = ERROR_NONE;

	memcpy(copy, bytes, size);
	if (message_decode(m, copy, size, scratch, &error))
		fail_msg("%s", error.text);
	return copy;
}

static void round_trip(const struct message *m)
{
	struct buf bytes = BUF_INIT, scratch = BUF_INIT;
	struct message back;
	char *copy;

	encoded(&bytes, m);
	copy = decoded(&back, bytes.data, bytes.size, &scratch);
	same_message(m, &back);
	free(copy);
	buf_release(&bytes);
	buf_release(&scratch);
}

static void comes_back_as_it_went(void **state)
{
	static const enum message_body kinds[] = {MESSAGE_STRING, MESSAGE_BINARY, MESSAGE_DATA};
	static char long_text[70000];
	struct message m = MESSAGE_INIT;

	(void)state;
	memset(long_text, 'l', sizeof(long_text));
	round_trip(&m);
	round_trip(&full);
	m.body = S("");
	for (int i = 0; i < 3; i++) {
		m.body_kind = kinds[i];
		round_trip(&m);
	}
	m = full;
	m.has_ttl = false;
	m.ttl_ms = 0;
	m.durable = false;
	round_trip(&m);
	m.delivery_count = 0;
	round_trip(&m);
	m.first_acquirer = false;
	round_trip(&m);
	m.priority = 4;
	round_trip(&m);
	m.body = (struct slice){long_text, sizeof(long_text)};
	m.to = (struct slice){long_text, 300};
	round_trip(&m);
	m.to.data = NULL;
	m.to.size = 0;
	m.expiry_ms = 0;
	round_trip(&m);
	m.reply_to = S("");
	round_trip(&m);
}

static void durable_is_always_written(void **state)
{
	static const char transient[] = "\0\x53\x70\xc0\x02\x01\x42\0\x53\x77\x40";
	static const char durable[] = "\0\x53\x70\xc0\x08\x05\x41\x40\x52\xfa\x42\x52\x02"
				      "\0\x53\x73\xc0\x07\x03\x40\x40\xa1\x02to"
				      "\0\x53\x75\xa0\x02{}";
	struct buf bytes = BUF_INIT;
	struct message m = MESSAGE_INIT;

	(void)state;
	encoded(&bytes, &m);
	assert_int_equal(bytes.size, sizeof(transient) - 1);
	assert_memory_equal(bytes.data, transient, bytes.size);
	m.durable = m.has_ttl = true;
	m.ttl_ms = 250;
	m.delivery_count = 2;
	m.to = S("to");
	m.body_kind = MESSAGE_DATA;
	m.body = S("{}");
	encoded(&bytes, &m);
	assert_int_equal(bytes.size, sizeof(durable) - 1);
	assert_memory_equal(bytes.data, durable, bytes.size);
	buf_release(&bytes);
}

/* --- against proton's own ---------------------------------------------------------------- */

static void assert_bytes(pn_bytes_t bytes, struct slice s)
{
	assert_int_equal(bytes.size, s.size);
	assert_memory_equal(bytes.start, s.data, s.size);
}

static void proton_reads_ours(void **state)
{
	static const enum message_body kinds[] = {MESSAGE_STRING, MESSAGE_BINARY, MESSAGE_DATA};
	struct buf bytes = BUF_INIT;
	pn_message_t *pn = pn_message();
	struct message m = full;

	(void)state;
	for (int i = 0; i < 3; i++) {
		pn_data_t *body = pn_message_body(pn);

		m.body_kind = kinds[i];
		encoded(&bytes, &m);
		assert_int_equal(pn_message_decode(pn, bytes.data, bytes.size), 0);
		assert_true(pn_message_is_durable(pn));
		assert_int_equal(pn_message_get_priority(pn), 9);
		assert_int_equal(pn_message_get_ttl(pn), 30000);
		assert_true(pn_message_is_first_acquirer(pn));
		assert_int_equal(pn_message_get_delivery_count(pn), 3);
		assert_int_equal(pn_message_get_id(pn).type, PN_STRING);
		assert_bytes(pn_message_get_id(pn).u.as_bytes, full.message_id);
		assert_string_equal(pn_message_get_address(pn), "a queue");
		assert_string_equal(pn_message_get_subject(pn), "key");
		assert_string_equal(pn_message_get_reply_to(pn), "replies");
		assert_bytes(pn_message_get_correlation_id(pn).u.as_bytes, full.correlation_id);
		assert_string_equal(pn_message_get_content_type(pn), "application/json");
		assert_int_equal(pn_message_get_expiry_time(pn), full.expiry_ms);
		assert_true(pn_data_next(body));
		assert_int_equal(pn_data_type(body),
		                 kinds[i] == MESSAGE_STRING ? PN_STRING : PN_BINARY);
		assert_bytes(pn_data_get_bytes(body), full.body);
		assert_int_equal(pn_message_is_inferred(pn), kinds[i] == MESSAGE_DATA);
	}
	pn_message_free(pn);
	buf_release(&bytes);
}

static void fill(pn_message_t *pn, pn_msgid_t id)
{
	pn_data_t *map = pn_message_properties(pn);

	pn_message_set_durable(pn, full.durable);
	pn_message_set_priority(pn, full.priority);
	pn_message_set_ttl(pn, full.ttl_ms);
	pn_message_set_first_acquirer(pn, full.first_acquirer);
	pn_message_set_delivery_count(pn, full.delivery_count);
	pn_message_set_id(pn, id);
	pn_message_set_user_id(pn, pn_bytes(4, "root"));
	pn_message_set_address(pn, full.to.data);
	pn_message_set_subject(pn, full.subject.data);
	pn_message_set_reply_to(pn, full.reply_to.data);
	pn_message_set_correlation_id(pn, id);
	pn_message_set_content_type(pn, full.content_type.data);
	pn_message_set_content_encoding(pn, "utf-8");
	pn_message_set_expiry_time(pn, (pn_timestamp_t)full.expiry_ms);
	pn_message_set_creation_time(pn, 1);
	pn_message_set_group_id(pn, "group");
	pn_message_set_group_sequence(pn, 7);
	pn_message_set_reply_to_group_id(pn, "other");
	pn_data_put_map(map);
	pn_data_enter(map);
	pn_data_put_string(map, pn_bytes(3, "key"));
	pn_data_put_double(map, 1.5);
	pn_data_exit(map);
	pn_data_copy(pn_message_annotations(pn), map);
	pn_data_copy(pn_message_instructions(pn), map);
}

static void we_read_protons(void **state)
{
	pn_uuid_t uuid = {"0123456789abcde"};
	const pn_msgid_t ids[] = {
		{.type = PN_STRING, .u.as_bytes = {3, "m-1"}},
		{.type = PN_ULONG, .u.as_ulong = 300},
		{.type = PN_BINARY, .u.as_bytes = {3, "m-1"}},
		{.type = PN_UUID, .u.as_uuid = uuid},
		{.type = PN_NULL},
	};
	struct buf scratch = BUF_INIT;
	char bytes[1024];

	(void)state;
	for (int i = 0; i < 5; i++) {
		pn_message_t *pn = pn_message();
		size_t size = sizeof(bytes);
		struct message m, expected = full;
		char *copy;

		fill(pn, ids[i]);
		pn_data_put_string(pn_message_body(pn), pn_bytes(9, full.body.data));
		assert_int_equal(pn_message_encode(pn, bytes, &size), 0);
		expected.message_id = expected.correlation_id =
			i ? (struct slice){NULL, 0} : S("m-1");
		copy = decoded(&m, bytes, size, &scratch);
		same_message(&expected, &m);
		free(copy);
		pn_message_free(pn);
	}
	buf_release(&scratch);
}

static void put_text(pn_data_t *body)
{
	pn_data_put_string(body, pn_bytes(4, "text"));
}

static void put_binary(pn_data_t *body)
{
	pn_data_put_binary(body, pn_bytes(4, "text"));
}

static void put_map(pn_data_t *body)
{
	pn_data_put_map(body);
	pn_data_enter(body);
	put_text(body);
	pn_data_put_null(body);
	pn_data_exit(body);
}

static void put_list(pn_data_t *body)
{
	pn_data_put_list(body);
	pn_data_enter(body);
	put_text(body);
	pn_data_put_array(body, true, PN_INT);
	pn_data_enter(body);
	pn_data_put_symbol(body, pn_bytes(1, "d"));
	pn_data_put_int(body, 5);
	pn_data_exit(body);
	pn_data_exit(body);
}

static void we_read_protons_bodies(void **state)
{
	static const struct {
		void (*put)(pn_data_t *body);
		bool inferred;
		enum message_body kind;
	} samples[] = {
		{put_text, false, MESSAGE_STRING}, {put_binary, false, MESSAGE_BINARY},
		{put_binary, true, MESSAGE_DATA},  {put_map, false, MESSAGE_NONE},
		{put_list, false, MESSAGE_NONE},   {put_list, true, MESSAGE_NONE},
		{NULL, false, MESSAGE_NONE},       {NULL, true, MESSAGE_NONE},
	};
	struct buf scratch = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		pn_message_t *pn = pn_message();
		char bytes[256], *copy;
		size_t size = sizeof(bytes);
		struct message m;

		pn_message_set_inferred(pn, samples[i].inferred);
		if (samples[i].put)
			samples[i].put(pn_message_body(pn));
		assert_int_equal(pn_message_encode(pn, bytes, &size), 0);
		copy = decoded(&m, bytes, size, &scratch);
		assert_int_equal(m.body_kind, samples[i].kind);
		if (samples[i].kind != MESSAGE_NONE)
			same_slice(m.body, S("text"));
		free(copy);
		pn_message_free(pn);
	}
	buf_release(&scratch);
}

/* --- what peers may do ------------------------------------------------------------------- */

#define HEADER "\0\x53\x70\x45"
#define DATA(text) "\0\x53\x75\xa0\x01" text

static void takes_what_the_standard_allows(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		enum message_body kind;
		const char *body;
	} samples[] = {
		{B(DATA("x")), MESSAGE_DATA, "x"},
		{B(DATA("x") DATA("y") DATA("z")), MESSAGE_DATA, "xyz"},
		{B(DATA("x") "\0\x53\x75\xa0\0" DATA("z")), MESSAGE_DATA, "xz"},
		{B("\0\x53\x75\xa0\0\0\x53\x75\xb0\0\0\0\0"), MESSAGE_DATA, ""},
		{B("\0\x53\x75\xa0\0" DATA("z")), MESSAGE_DATA, "z"},
		{B("\0\x53\x76\x45\0\x53\x76\xc0\x02\x01\x40"), MESSAGE_NONE, ""},
		{B("\0\x80\0\0\0\0\0\0\0\x77\xb1\0\0\0\x01x"), MESSAGE_STRING, "x"},
		{B("\0\xa3\x10"
	           "amqp:header:list\x45\0\xa3\x10"
	           "amqp:data:binary\xa0\x01x"),
	         MESSAGE_DATA, "x"},
		{B("\0\xb3\0\0\0\x11"
	           "amqp:amqp-value:*\xa1\x01x"),
	         MESSAGE_STRING, "x"},
		{B(HEADER
	           "\0\x53\x71\xc1\x01\0\0\x53\x72\xc1\x01\0\0\x53\x73\x45\0\x53\x74\xc1\x01\0"
	           "\0\x53\x77\xa1\x01x\0\x53\x78\xc1\x01\0"),
	         MESSAGE_STRING, "x"},
		{B("\0\x53\x77\0\x44\xa1\x01x"), MESSAGE_NONE, ""}, /* a described string */
		{B(HEADER), MESSAGE_NONE, ""},
	};
	struct buf scratch = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		struct message m;
		char *copy = decoded(&m, samples[i].bytes, samples[i].size, &scratch);

		assert_int_equal(m.body_kind, samples[i].kind);
		assert_int_equal(m.body.size, strlen(samples[i].body));
		if (samples[i].kind != MESSAGE_NONE)
			assert_memory_equal(m.body.data, samples[i].body, m.body.size);
		assert_int_equal(m.priority, 4);
		assert_false(m.durable || m.has_ttl || m.expiry_ms);
		free(copy);
	}
	buf_release(&scratch);
}

static void header_and_properties(void **state)
{
	/* more fields than there are; ids and addresses of other types; a time before 1970 */
	static const char header[] = "\0\x53\x70\xd0\0\0\0\x11\0\0\0\x06\x56\x01\x50\x07\x40\x56\0"
				     "\x70\0\0\0\x02\x41\0\x53\x77\x40";
	static const char properties[] =
		"\0\x53\x73\xc0\x1f\x0e\x53\x07\x40\xa0\x01q\xa3\x01s\x40\x53\x01\xa1\x01t\x40"
		"\x83\xff\xff\xff\xff\xff\xff\xff\xff\x40\x40\x40\x40\x40";
	struct buf scratch = BUF_INIT;
	struct message m;
	char *copy;

	(void)state;
	copy = decoded(&m, header, sizeof(header) - 1, &scratch);
	assert_true(m.durable && m.priority == 7 && !m.has_ttl && m.delivery_count == 2);
	free(copy);
	copy = decoded(&m, B("\0\x53\x70\xc0\x06\x05\x40\x40\x43\x40\x40"), &scratch);
	assert_true(m.has_ttl && m.ttl_ms == 0 && !m.durable && m.priority == 4);
	free(copy);
	copy = decoded(&m, properties, sizeof(properties) - 1, &scratch);
	assert_true(!m.message_id.data && !m.to.data && !m.correlation_id.data && !m.expiry_ms);
	same_slice(m.subject, S("s"));
	same_slice(m.content_type, S("t"));
	free(copy);
	buf_release(&scratch);
}

static void refuses_what_is_none(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *text;
	} samples[] = {
		{B(""), "it is empty"},
		{B("{\"sn\": 1}"), "at byte 0 no section begins"},
		{B(HEADER "\0\x53\x79\x40"), "at byte 4 no section begins"},
		{B("\0\x53\x6f\x40"), "at byte 0 no section begins"},
		{B("\0\xa3\x04"
	           "amqp\x40"),
	         "at byte 0 no section begins"},
		{B("\0\x53\x77\xa1\x01x "), "at byte 6 no section begins"},
		{B(HEADER HEADER), "section header at byte 4 is out of order"},
		{B(DATA("x") HEADER), "section header at byte 6 is out of order"},
		{B("\0\x53\x73\x45\0\x53\x71\xc1\x01\0"),
	         "delivery-annotations at byte 4 is out of"},
		{B(DATA("x") "\0\x53\x77\x40"), "section amqp-value at byte 6 is out of order"},
		{B("\0\x53\x77\x40\0\x53\x77\x40"), "section amqp-value at byte 4 is out of order"},
		{B("\0\x53\x76\x45" DATA("x")), "section data at byte 4 is out of order"},
		{B("\0\x53\x70\x40"), "section header at byte 0 is malformed"},
		{B("\0\x53\x70\xc0\x02\x01\x43"), "section header at byte 0 is malformed"},
		{B("\0\x53\x70\xc0\x03\x01\x41\x41"), "section header at byte 0 is malformed"},
		{B("\0\x53\x70\xc0\x02\x02\x41"), "section header at byte 0 is malformed"},
		{B("\0\x53\x70\xc0\x04\x02\x41\x52\x01"), "section header at byte 0 is malformed"},
		{B("\0\x53\x70\xc0\x04\x03\x41\x40\x41"), "section header at byte 0 is malformed"},
		{B("\0\x53\x71\x45"), "section delivery-annotations at byte 0 is malformed"},
		{B("\0\x53\x74\xc1\x02\x01\x40"), "application-properties at byte 0 is malformed"},
		{B("\0\x53\x73\xc0\x03\x01\xa1\x05"), "section properties at byte 0 is malformed"},
		{B("\0\x53\x75\xa1\x01x"), "section data at byte 0 is malformed"},
		{B("\0\x53\x75\x40"), "section data at byte 0 is malformed"},
		{B("\0\x53\x75\xa0\x02x"), "section data at byte 0 is malformed"},
		{B("\0\x53\x76\xc1\x01\0"), "section amqp-sequence at byte 0 is malformed"},
		{B("\0\x53\x77"), "section amqp-value at byte 0 is malformed"},
		{B("\0\x53\x78\x40"), "section footer at byte 0 is malformed"},
	};
	struct buf scratch = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		struct error error = ERROR_NONE;
		struct message m;

		assert_int_equal(message_decode(&m, samples[i].bytes, samples[i].size, &scratch,
		                                &error),
		                 GOFER_PROTOCOL);
		if (!strstr(error.text, samples[i].text))
			fail_msg("%zu: not \"%s\" but \"%s\"", i, samples[i].text, error.text);
	}
	buf_release(&scratch);
}

/* Cut anywhere, a message is either refused or was cut between sections. */
static void cut_anywhere(void **state)
{
	struct buf bytes = BUF_INIT, scratch = BUF_INIT;
	unsigned taken = 0;

	(void)state;
	encoded(&bytes, &full);
	for (size_t size = 0; size < bytes.size; size++) {
		char *copy = malloc(size ? size : 1);
		struct message m;

		memcpy(copy, bytes.data, size);
		if (!message_decode(&m, copy, size, &scratch, NULL))
			taken++;
		free(copy);
	}
	assert_int_equal(taken, 2);
	buf_release(&bytes);
	buf_release(&scratch);
}

/* --- patching ---------------------------------------------------------------------------- */

static void patched(const char *bytes, size_t size, const char *rest, size_t rest_size)
{
	struct message m;
	struct buf out = BUF_INIT, scratch = BUF_INIT;
	char *copy;

	buf_puts(&out, "kept");
	assert_int_equal(message_patch_header(&out, bytes, size, &full), GOFER_OK);
	assert_memory_equal(out.data, "kept", 4);
	assert_true(out.size > 4 + rest_size);
	assert_memory_equal(out.data + out.size - rest_size, rest, rest_size);
	copy = decoded(&m, out.data + 4, out.size - 4, &scratch);
	same_header(&m, &full);
	free(copy);
	buf_release(&out);
	buf_release(&scratch);
}

static void a_header_is_replaced(void **state)
{
	static const char rest[] = "\0\x53\x74\xc1\x04\x02\xa1\0\x41\0\x53\x77\xa1\x01x";
	static const struct message plain = MESSAGE_INIT;
	struct buf out = BUF_INIT;
	char with[64];

	(void)state;
	patched(rest, sizeof(rest) - 1, rest, sizeof(rest) - 1);
	memcpy(with, HEADER, 4);
	memcpy(with + 4, rest, sizeof(rest) - 1);
	patched(with, sizeof(rest) + 3, rest, sizeof(rest) - 1);
	memcpy(with, "\0\x53\x70\xc0\x04\x02\x41\x50\x02", 9);
	memcpy(with + 9, rest, sizeof(rest) - 1);
	patched(with, sizeof(rest) + 8, rest, sizeof(rest) - 1);
	patched(B(HEADER), "", 0);

	buf_puts(&out, "kept");
	assert_int_equal(message_patch_header(&out, "", 0, &plain), GOFER_PROTOCOL);
	assert_int_equal(message_patch_header(&out, B("text"), &plain), GOFER_PROTOCOL);
	assert_int_equal(message_patch_header(&out, B("\0\x53\x70\x40"), &plain), GOFER_PROTOCOL);
	assert_int_equal(message_patch_header(&out, B("\0\x53\x70\xc0\x09\0"), &plain),
	                 GOFER_PROTOCOL);
	assert_string_equal(buf_text(&out), "kept");
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_went),
		cmocka_unit_test(durable_is_always_written),
		cmocka_unit_test(proton_reads_ours),
		cmocka_unit_test(we_read_protons),
		cmocka_unit_test(we_read_protons_bodies),
		cmocka_unit_test(takes_what_the_standard_allows),
		cmocka_unit_test(header_and_properties),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(a_header_is_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
