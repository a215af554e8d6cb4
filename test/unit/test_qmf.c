/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <proton/message.h>
#include <string.h>

#include "amqp/map.h"
#include "amqp/qmf_message.h"
#include "core/clock.h"
#include "test/unit/client_fixture.h"

/* --- messages ------------------------------------------------------------------------------ */

static const char *text_at(pn_data_t *data, const char *outer, const char *inner)
{
	static char text[256];
	pn_bytes_t bytes;

	assert_true(map_first(data));
	assert_true(map_find(data, outer));
	if (inner)
		assert_true(map_find(data, inner));
	bytes = pn_data_get_bytes(data);
	assert_true(bytes.size < sizeof(text));
	memcpy(text, bytes.start, bytes.size);
	text[bytes.size] = '\0';
	return text;
}

static void request_to_create_a_queue(void **state)
{
	static const struct qmf_request request = {.type = QMF_QUEUE,
	                                           .name = "q",
	                                           .durable = true,
	                                           .id = 17,
	                                           .reply_to = "here"};
	struct buf bytes = BUF_INIT;
	pn_message_t *m = pn_message();
	pn_data_t *properties, *body;

	(void)state;
	assert_int_equal(qmf_encode(&bytes, &request), GOFER_OK);
	assert_int_equal(pn_message_decode(m, bytes.data, bytes.size), 0);
	assert_string_equal(pn_message_get_subject(m), "broker");
	assert_string_equal(pn_message_get_reply_to(m), "here");
	properties = pn_message_properties(m);
	assert_string_equal(text_at(properties, "qmf.opcode", NULL), "_method_request");
	assert_string_equal(text_at(properties, "x-amqp-0-10.app-id", NULL), "qmf2");
	assert_string_equal(text_at(properties, "method", NULL), "request");
	body = pn_message_body(m);
	assert_string_equal(text_at(body, "_object_id", "_object_name"),
	                    "org.apache.qpid.broker:broker:amqp-broker");
	assert_string_equal(text_at(body, "_method_name", NULL), "create");
	assert_string_equal(text_at(body, "_arguments", "name"), "q");
	assert_string_equal(text_at(body, "_arguments", "type"), "queue");
	assert_true(map_first(body) && map_find(body, "_arguments") && map_find(body, "strict"));
	assert_true(pn_data_get_bool(body));
	assert_true(map_first(body) && map_find(body, "_arguments") &&
	            map_find(body, "properties") && map_find(body, "durable"));
	assert_true(pn_data_get_bool(body));
	pn_message_free(m);
	buf_release(&bytes);
}

static void a_long_name_fits(void **state)
{
	static char name[8000];
	static const struct qmf_request request = {.type = QMF_BINDING,
	                                           .name = name,
	                                           .id = 1,
	                                           .reply_to = "here"};
	struct buf bytes = BUF_INIT;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	assert_int_equal(qmf_encode(&bytes, &request), GOFER_OK);
	assert_true(bytes.size > sizeof(name));
	buf_release(&bytes);
}

static void answers_that_make_no_sense(void **state)
{
	struct qmf_answer answer;

	(void)state;
	qmf_decode(&answer, "garbage", 7);
	assert_int_equal(answer.id, 0);
	assert_false(answer.failed);
	/* A message of another kind: an empty string. */
	assert_true(qmf_decode(&answer, "\x00\x53\x77\xa1\x00", 5));
	assert_int_equal(answer.id, 0);
	assert_false(answer.failed);
}

/* --- receivers on Qpid ----------------------------------------------------------------------- */

static void with_qpid(struct client_fixture *f)
{
	client_fixture_init(f, "qpid-cpp");
	f->server.relay = f->server.qmf = true;
	f->server.nodes[0] = (struct fake_server_node){.address = "q",
	                                               .condition = "amqp:not-found",
	                                               .refusals = 1};
}

static void a_queue_that_is_not_there_is_made(void **state)
{
	static const struct receiver_options options = {.address = "q", .durable = true};
	struct client_fixture f;
	struct probe p = {.credit = 1};

	(void)state;
	with_qpid(&f);
	client_fixture_start(&f);
	probe_open_with(&f, &p, &options);
	UNTIL(f.loop, p.opens == 1);
	assert_int_equal(f.server.queues_count, 1);
	assert_string_equal(f.server.queues[0], "q");
	assert_true(f.server.durable_queue);
	assert_int_equal(p.downs, 0);
	assert_string_equal(p.address, "q");
	UNTIL(f.loop, fake_server_send(&f.server, "q", "a"));
	UNTIL(f.loop, p.messages == 1);
	client_fixture_release(&f);
}

/* Somebody else was faster. */
static void a_queue_that_is_there_meanwhile(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	with_qpid(&f);
	f.server.qmf_error = "object already exists: q";
	f.server.qmf_code = 7;
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	assert_int_equal(p.downs, 0);
	assert_false(f.server.durable_queue);
	client_fixture_release(&f);
}

static void a_queue_that_may_not_be_made(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	with_qpid(&f);
	f.server.qmf_error = "unauthorized";
	f.server.qmf_code = 3;
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.downs == 1);
	assert_int_equal(p.opens, 0);
	assert_non_null(strstr(p.why.text, "unauthorized"));
	assert_non_null(strstr(p.why.text, "error 3"));
	assert_true(p.retry_s >= 0);
	client_fixture_release(&f);
}

/* Made, and not there all the same: no loop. */
static void a_queue_that_is_not_to_be_had(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	with_qpid(&f);
	f.server.nodes[0].refusals = 0;
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.downs == 1);
	assert_int_equal(p.why.code, GOFER_NOTFOUND);
	assert_int_equal(f.server.queues_count, 1);
	client_fixture_release(&f);
}

static void many_queues(void **state)
{
	struct client_fixture f;
	struct probe probes[12] = {{0}};
	char name[] = "a";

	(void)state;
	client_fixture_init(&f, "qpid-cpp");
	f.server.qmf = true;
	for (int i = 0; i < 12; i++) {
		static char names[12][2];

		names[i][0] = (char)('a' + i);
		f.server.nodes[i] = (struct fake_server_node){.address = names[i],
		                                              .condition = "amqp:not-found",
		                                              .refusals = 1};
	}
	client_fixture_start(&f);
	for (int i = 0; i < 12; i++) {
		name[0] = (char)('a' + i);
		probe_open(&f, &probes[i], name);
	}
	for (int i = 0; i < 12; i++)
		UNTIL(f.loop, probes[i].opens == 1);
	assert_int_equal(f.server.queues_count, 12);
	client_fixture_release(&f);
}

/* --- bindings ------------------------------------------------------------------------------------ */

static void a_temporary_queue_is_bound(void **state)
{
	static const struct receiver_options options = {.exchange = "amq.direct"};
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.qmf = true;
	client_fixture_start(&f);
	probe_open_with(&f, &p, &options);
	UNTIL(f.loop, p.opens == 1);
	assert_int_equal(f.server.bindings_count, 1);
	assert_string_equal(f.server.bindings[0], "amq.direct/temp-1/temp-1");
	assert_string_equal(p.address, "amq.direct/temp-1");
	client_fixture_release(&f);
}

static void a_named_queue_is_bound(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	with_qpid(&f);
	client_fixture_start(&f);
	probe_open(&f, &p, "amq.topic/q");
	UNTIL(f.loop, p.opens == 1);
	assert_string_equal(f.server.last_source, "q");
	assert_string_equal(f.server.queues[0], "q");
	assert_string_equal(f.server.bindings[0], "amq.topic/q/q");
	assert_string_equal(p.address, "amq.topic/q");
	client_fixture_release(&f);
}

static void no_such_exchange(void **state)
{
	static const struct receiver_options options = {.exchange = "nope"};
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.qmf = true;
	f.server.qmf_error = "not-found: Exchange not found: nope";
	f.server.qmf_code = 7;
	client_fixture_start(&f);
	probe_open_with(&f, &p, &options);
	UNTIL(f.loop, p.downs == 1);
	assert_int_equal(p.opens, 0);
	assert_int_equal(p.why.code, GOFER_NOTFOUND);
	assert_non_null(strstr(p.why.text, "Exchange not found: nope"));
	UNTIL(f.loop, f.server.sessions == 2); /* management's: the receiver's is closed */
	client_fixture_release(&f);
}

static void no_bindings_to_be_had(void **state)
{
	static const struct receiver_options options = {.exchange = "amq.direct"};
	static const char *const products[] = {"RabbitMQ", "something else"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct client_fixture f;
		struct probe p = {0};

		client_fixture_init(&f, products[i]);
		client_fixture_start(&f);
		probe_open_with(&f, &p, &options);
		UNTIL(f.loop, p.downs == 1);
		assert_int_equal(p.why.code, GOFER_INVALID);
		assert_non_null(strstr(p.why.text, products[i]));
		assert_in_range(p.retry_s, 15, 30);
		client_fixture_release(&f);
	}
}

/* --- when it fails ---------------------------------------------------------------------------------- */

static void management_does_not_answer(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	with_qpid(&f);
	f.options.connect_timeout_s = 0.1;
	f.server.qmf_mute = true;
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.downs == 1);
	assert_int_equal(p.why.code, GOFER_TIMEOUT);
	f.server.qmf_mute = false;
	UNTIL(f.loop, p.opens == 1);
	client_fixture_release(&f);
}

static void management_is_not_there(void **state)
{
	static const char *const nodes[] = {"qmf.default.direct", "dynamic"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct client_fixture f;
		struct probe p = {0}, other = {0};

		with_qpid(&f);
		f.server.nodes[1] =
			(struct fake_server_node){.address = nodes[i],
		                                  .condition = "amqp:unauthorized-access"};
		client_fixture_start(&f);
		probe_open(&f, &p, "q");
		probe_open(&f, &other, "other");
		UNTIL(f.loop, p.downs == 1 && other.opens == 1);
		assert_int_equal(p.why.code, GOFER_AUTH);
		assert_non_null(strstr(p.why.text, "management"));
		client_fixture_release(&f);
	}
}

static void closed_and_lost_in_between(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct client_fixture f;
		struct probe p = {.close_on_down = i == 2, .free_on_down = i == 3}, next = {0};

		with_qpid(&f);
		f.options.persistent = true;
		f.server.qmf_mute = true;
		f.options.connect_timeout_s = i < 2 ? 5 : 0.05;
		client_fixture_start(&f);
		probe_open(&f, &p, "q");
		UNTIL(f.loop, f.server.queues_count == 1);
		f.server.qmf_mute = false;
		if (i == 0)
			probe_close(&p);
		else if (i == 1)
			fake_server_vanish(&f.server);
		else
			UNTIL(f.loop, !p.r);
		if (i == 1)
			UNTIL(f.loop, p.opens == 1);
		if (i != 3) {
			probe_open(&f, &next, "next");
			UNTIL(f.loop, next.opens == 1);
		}
		client_fixture_release(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_to_create_a_queue),
		cmocka_unit_test(a_long_name_fits),
		cmocka_unit_test(answers_that_make_no_sense),
		cmocka_unit_test(a_queue_that_is_not_there_is_made),
		cmocka_unit_test(a_queue_that_is_there_meanwhile),
		cmocka_unit_test(a_queue_that_may_not_be_made),
		cmocka_unit_test(a_queue_that_is_not_to_be_had),
		cmocka_unit_test(many_queues),
		cmocka_unit_test(a_temporary_queue_is_bound),
		cmocka_unit_test(a_named_queue_is_bound),
		cmocka_unit_test(no_such_exchange),
		cmocka_unit_test(no_bindings_to_be_had),
		cmocka_unit_test(management_does_not_answer),
		cmocka_unit_test(management_is_not_there),
		cmocka_unit_test(closed_and_lost_in_between),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
