/* SPDX-License-Identifier: Apache-2.0 */
/* A request's way from its delivery: each failure, in the protocol's order. */
#include "agent_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/clock.h"

#define GOOD "\"request\": {\"classname\": \"Test\", \"method\": \"echo\", \"args\": [1]}"

#define ARGS_NO_LIST "\"request\": {\"classname\": \"Test\", \"method\": \"echo\", \"args\": {}}"

static struct fake_delivery *send_text(struct fixture *f, const char *text, const char *reply_to)
{
	return fake_deliver(f->fake, &fixture_message, text, strlen(text), reply_to);
}

static void expect_rejected(const struct fixture *f, size_t i, const char *code,
                            const char *description)
{
	assert_int_equal(f->fake->sent_count, i + 1);
	assert_string_equal(fixture_text(f, i, "status"), "rejected");
	assert_string_equal(fixture_text(f, i, "code"), code);
	assert_string_equal(fixture_text(f, i, "description"), description);
}

static void test_good_one(void **state)
{
	struct fixture *f = fixture_new();
	struct fake_delivery *d = fixture_call(f, "one", "echo", "[\"hi\"]");
	struct reply reply;

	(void)state;
	assert_true(d->settled);
	assert_int_equal(d->outcome, OUTCOME_ACCEPTED);
	fixture_wait_sent(f, 3);
	fixture_expect_status(f, 0, REPLY_ACCEPTED, "one");
	fixture_expect_status(f, 1, REPLY_STARTED, "one");
	reply = fixture_reply(f, 2);
	assert_int_equal(reply.kind, REPLY_RETURNED);
	assert_string_equal(json_string(reply.retval), "hi");
	reply_release(&reply);
	for (size_t i = 0; i < 3; i++) {
		const struct fake_sent *s = &f->fake->sent[i];
		assert_string_equal(s->address, "replies");
		assert_string_equal(s->correlation, "one");
		assert_string_equal(s->content_type, "application/json");
		assert_int_equal(strlen(s->message_id), 36);
		assert_int_equal(s->kind, MESSAGE_STRING);
		assert_false(s->durable);
		assert_non_null(strstr(s->body, "\"data\": {\"b\":1,  \"a\":2}"));
		assert_non_null(strstr(s->body, "\"routing\": [null, \"replies\"]"));
	}
	assert_string_not_equal(f->fake->sent[0].message_id, f->fake->sent[1].message_id);
	fixture_free(f);
}

/* The replies come in the section that the request came in, and as durable. */
static void test_kinds_and_durability(void **state)
{
	static const enum message_body kinds[] = {MESSAGE_STRING, MESSAGE_BINARY, MESSAGE_DATA};

	(void)state;
	for (size_t k = 0; k < 6; k++) {
		struct fixture *f = fixture_new();
		struct message like = {.body_kind = kinds[k % 3], .durable = k >= 3};
		struct fake_delivery *d =
			fixture_call_like(f, &like, "s", "echo", "[1]", "\"replies\"");

		assert_int_equal(d->settled, !like.durable);
		fixture_wait_sent(f, 3);
		assert_true(d->settled && d->outcome == OUTCOME_ACCEPTED);
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(f->fake->sent[i].kind, kinds[k % 3]);
		assert_false(f->fake->sent[0].durable);
		assert_false(f->fake->sent[1].durable);
		assert_int_equal(f->fake->sent[2].durable, like.durable);
		fixture_free(f);
	}
}

static void test_not_a_document(void **state)
{
	static const char *const texts[] = {"", "{not json", "[1, 2]", "3", "{\"a\": 1} x", "\xff"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct fixture *f = fixture_new();
		struct fake_delivery *d = send_text(f, texts[i], NULL);

		assert_int_equal(d->outcome, OUTCOME_REJECTED);
		assert_non_null(strstr(d->why, "model.document: "));
		assert_int_equal(f->fake->sent_count, 0);

		d = send_text(f, texts[i], "caller");
		assert_int_equal(d->outcome, OUTCOME_REJECTED);
		expect_rejected(f, 0, "model.document", "MODEL: document not valid");
		assert_string_equal(f->fake->sent[0].address, "caller");
		assert_null(f->fake->sent[0].correlation);
		assert_int_equal(f->instance->count, 0);
		fixture_free(f);
	}
}

/* Who is not of gofer's kind knows its request by these. */
static void test_correlation_of_a_refusal(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = fixture_message;

	(void)state;
	like.message_id = (struct slice){"m1", 2};
	fake_deliver(f->fake, &like, "x", 1, "caller");
	assert_string_equal(f->fake->sent[0].correlation, "m1");
	like.correlation_id = (struct slice){"c1", 2};
	fake_deliver(f->fake, &like, "x", 1, "caller");
	assert_string_equal(f->fake->sent[1].correlation, "c1");
	fixture_free(f);
}

static void test_no_message(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = {.body_kind = MESSAGE_NONE};
	struct fake_delivery *d = fake_deliver_garbage(f->fake);

	(void)state;
	assert_int_equal(d->outcome, OUTCOME_REJECTED);
	d = fake_deliver(f->fake, &like, "", 0, "caller");
	assert_int_equal(d->outcome, OUTCOME_REJECTED);
	expect_rejected(f, 0, "model.document", "MODEL: document not valid");
	assert_int_equal(f->fake->sent[0].kind, MESSAGE_STRING);
	fixture_free(f);
}

static void test_too_large(void **state)
{
	struct fixture *f =
		fixture_new_like(&(struct descriptor){0}, 1000, &(struct journal_options){0});
	char *text = malloc(2000);
	int size = snprintf(text, 2000, "{\"sn\": \"s\", \"version\": \"2.0\", " GOOD "}");
	struct fake_delivery *d;

	(void)state;
	memset(text + size, ' ', 2000 - (size_t)size);
	d = fake_deliver(f->fake, &fixture_message, text, 1000, NULL);
	assert_int_equal(d->outcome, OUTCOME_ACCEPTED);
	d = fake_deliver(f->fake, &fixture_message, text, 1001, "caller");
	assert_int_equal(d->outcome, OUTCOME_REJECTED);
	assert_string_equal(d->why,
	                    "model.document: the body has 1001 bytes, expected at most 1000");
	expect_rejected(f, 0, "model.document", "MODEL: document not valid");
	free(text);
	fixture_free(f);
}

static void test_version(void **state)
{
	static const struct {
		const char *version, *details;
	} rows[] = {
		{"\"version\": \"1.0\", ", "expected:2.0, found:1.0"},
		{"\"version\": 2.0, ", "expected:2.0, found:2.0"},
		{"", "expected:2.0, found:None"},
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fixture *f = fixture_new();
		struct message like = {.body_kind = MESSAGE_DATA, .durable = true};
		struct fake_delivery *d;
		char text[300];

		snprintf(text, sizeof text,
		         "{\"sn\": \"s\", %s\"replyto\": \"R\", \"data\": 1.50, " GOOD "}",
		         rows[i].version);
		d = fake_deliver(f->fake, &like, text, strlen(text), "other");
		assert_int_equal(d->outcome, OUTCOME_ACCEPTED);
		expect_rejected(f, 0, "model.version", "MODEL: document version not matched");
		assert_string_equal(fixture_text(f, 0, "details"), rows[i].details);
		assert_string_equal(f->fake->sent[0].address, "R");
		assert_string_equal(f->fake->sent[0].correlation, "s");
		assert_int_equal(f->fake->sent[0].kind, MESSAGE_DATA);
		assert_true(f->fake->sent[0].durable);
		assert_non_null(strstr(f->fake->sent[0].body, "\"data\": 1.50,"));
		fixture_free(f);
	}
}

static void test_malformed_request(void **state)
{
	static const char *const texts[] = {
		"{\"version\": \"2.0\", \"sn\": \"s\", \"replyto\": \"R\"}",
		"{\"version\": \"2.0\", \"sn\": \"s\", \"replyto\": \"R\", \"request\": 1}",
		"{\"version\": \"2.0\", \"replyto\": \"R\", " GOOD "}",
		"{\"version\": \"2.0\", \"sn\": null, \"replyto\": \"R\", " GOOD "}",
		"{\"version\": \"2.0\", \"sn\": \"\", \"replyto\": \"R\", " GOOD "}",
		"{\"version\": \"2.0\", \"sn\": \"s\", \"replyto\": \"R\", " ARGS_NO_LIST "}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct fixture *f = fixture_new();
		struct fake_delivery *d = send_text(f, texts[i], NULL);

		assert_int_equal(d->outcome, OUTCOME_ACCEPTED);
		expect_rejected(f, 0, "model.request", "MODEL: request not valid");
		assert_int_equal(journal_count(f->journal), 0);
		assert_int_equal(tracker_pending(f->services.tracker), 0);
		fixture_free(f);
	}
}

/* Where nobody is to be told, nobody is; the message is settled all the same. */
static void test_refused_without_address(void **state)
{
	struct fixture *f = fixture_new();
	struct fake_delivery *d = send_text(f, "{\"version\": \"1.0\", \"sn\": \"s\"}", NULL);

	(void)state;
	assert_int_equal(d->outcome, OUTCOME_ACCEPTED);
	assert_int_equal(f->fake->sent_count, 0);
	fixture_free(f);
}

static void test_signed_envelope(void **state)
{
	struct fixture *f = fixture_new();
	struct buf text = BUF_INIT;
	const char *inner = "{\"version\": \"2.0\", \"sn\": \"s\", \"replyto\": \"R\", " GOOD "}";
	const char *old = "{\"version\": \"1.0\", \"sn\": \"t\", \"replyto\": \"R\", " GOOD "}";
	struct fake_delivery *d;

	(void)state;
	envelope_seal(&text, inner, strlen(inner), (const unsigned char *)"sig", 3);
	d = fake_deliver(f->fake, &fixture_message, text.data, text.size, NULL);
	assert_int_equal(d->outcome, OUTCOME_ACCEPTED);
	fixture_wait_sent(f, 3);
	fixture_expect_status(f, 2, REPLY_RETURNED, "s");

	buf_clear(&text);
	envelope_seal(&text, old, strlen(old), (const unsigned char *)"sig", 3);
	fake_deliver(f->fake, &fixture_message, text.data, text.size, NULL);
	expect_rejected(f, 3, "model.version", "MODEL: document version not matched");

	buf_clear(&text);
	envelope_seal(&text, "[]", 2, (const unsigned char *)"sig", 3);
	d = fake_deliver(f->fake, &fixture_message, text.data, text.size, "caller");
	assert_int_equal(d->outcome, OUTCOME_REJECTED);
	expect_rejected(f, 4, "model.document", "MODEL: document not valid");
	buf_release(&text);
	fixture_free(f);
}

static void test_expired(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = fixture_message;
	struct fake_delivery *d;

	(void)state;
	like.expiry_ms = clock_wall_ms() - 1000;
	d = fixture_call_like(f, &like, "late", "echo", "[1]", "\"R\"");
	assert_int_equal(d->outcome, OUTCOME_ACCEPTED);
	fixture_turn(f, 0.05);
	assert_int_equal(f->fake->sent_count, 0);
	assert_int_equal(fixture_runs, 0);

	like.expiry_ms = clock_wall_ms() + 60000;
	fixture_call_like(f, &like, "late", "echo", "[1]", "\"R\"");
	fixture_wait_sent(f, 3);
	fixture_free(f);
}

static void test_reply_to_of_the_message(void **state)
{
	struct fixture *f = fixture_new();
	const char *text = "{\"sn\": \"s\", \"version\": \"2.0\", \"replyto\": null, " GOOD "}";
	struct fake_delivery *d =
		fake_deliver(f->fake, &fixture_message, text, strlen(text), "from-the-message");

	(void)state;
	assert_int_equal(d->outcome, OUTCOME_ACCEPTED);
	fixture_wait_sent(f, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(f->fake->sent[i].address, "from-the-message");
		assert_non_null(strstr(f->fake->sent[i].body, "[null, \"from-the-message\"]"));
	}
	fixture_free(f);
}

static void test_no_reply_wanted(void **state)
{
	struct fixture *f = fixture_new();
	struct fake_delivery *d =
		fixture_call_like(f, &fixture_message, "s", "echo", "[1]", "null");

	(void)state;
	assert_int_equal(d->outcome, OUTCOME_ACCEPTED);
	fixture_wait_runs(f, 1);
	fixture_turn(f, 0.05);
	assert_int_equal(f->fake->sent_count, 0);
	assert_int_equal(f->instance->count, 0);
	assert_int_equal(journal_count(f->journal), 0);
	fixture_free(f);
}

static void test_same_sn_pending(void **state)
{
	struct fixture *f = fixture_new();
	struct fake_delivery *again;

	(void)state;
	fixture_call(f, "s", "block", "[]");
	fixture_wait_sent(f, 2);
	again = fixture_call(f, "s", "block", "[]");
	assert_int_equal(again->outcome, OUTCOME_ACCEPTED);
	assert_int_equal(f->instance->count, 1);
	fixture_release(1);
	fixture_wait_sent(f, 3);
	/* Finished, though the broker has not taken the result yet. */
	again = fixture_call(f, "s", "block", "[]");
	assert_int_equal(again->outcome, OUTCOME_ACCEPTED);
	fixture_turn(f, 0.05);
	assert_int_equal(f->fake->sent_count, 3);
	assert_int_equal(fixture_runs, 1);
	fixture_free(f);
}

static void test_same_sn_finished(void **state)
{
	struct fixture *f = fixture_new();
	struct fake_delivery *again;

	(void)state;
	fixture_call(f, "s", "echo", "[\"once\"]");
	fixture_wait_sent(f, 3);
	fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	assert_int_equal(f->instance->count, 0);
	again = fixture_call_like(f, &fixture_message, "s", "echo", "[\"twice\"]", "\"elsewhere\"");
	assert_int_equal(again->outcome, OUTCOME_ACCEPTED);
	fixture_turn(f, 0.02);
	assert_int_equal(f->fake->sent_count, 4);
	assert_int_equal(fixture_runs, 1);
	fixture_expect_status(f, 3, REPLY_RETURNED, "s");
	assert_string_equal(f->fake->sent[3].address, "elsewhere");
	assert_non_null(strstr(f->fake->sent[3].body, "\"routing\": [null, \"elsewhere\"]"));
	assert_non_null(strstr(f->fake->sent[3].body, "\"data\": {\"b\":1,  \"a\":2}"));
	assert_non_null(strstr(f->fake->sent[3].body, "\"retval\": \"once\""));
	/* To the same address: to the byte what it was. */
	fixture_call(f, "s", "echo", "[\"thrice\"]");
	assert_string_equal(f->fake->sent[4].body, f->fake->sent[2].body);
	/* To nobody. */
	again = fixture_call_like(f, &fixture_message, "s", "echo", "[1]", "null");
	assert_int_equal(again->outcome, OUTCOME_ACCEPTED);
	assert_int_equal(f->fake->sent_count, 5);
	fixture_free(f);
}

static void test_journal_full(void **state)
{
	struct fixture *f = fixture_new_like(&(struct descriptor){0}, 4096,
	                                     &(struct journal_options){.entries_max = 1});
	struct fake_delivery *d;

	(void)state;
	fixture_call(f, "one", "block", "[]");
	d = fixture_call(f, "two", "echo", "[1]");
	assert_int_equal(d->outcome, OUTCOME_RELEASED);
	assert_int_equal(tracker_pending(f->services.tracker), 1);
	assert_true(f->instance->paused);
	fixture_release(1);
	fixture_wait_sent(f, 3);
	fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	/* It is not known from before: it is run when it comes again. */
	d = fixture_call(f, "two", "echo", "[1]");
	assert_int_equal(d->outcome, OUTCOME_ACCEPTED);
	fixture_wait_sent(f, 6);
	/* The pause passes by itself, and credit is given again. */
	f->fake->credit = 0;
	fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	fixture_turn(f, 1.2);
	assert_false(f->instance->paused);
	assert_true(f->instance->credit > 0);
	fixture_free(f);
}

static void test_admin(void **state)
{
	struct fixture *f = fixture_new();
	struct catalog_entry entry = {"test", f->module->catalog};
	struct reply reply;

	(void)state;
	assert_int_equal(admin_set_help(f->services.admin, &entry, 1), GOFER_OK);
	/* Every worker of the plugin is busy. */
	fixture_call(f, "busy", "block", "[]");
	fixture_wait_sent(f, 2);
	fixture_call(f, "hello", "Admin.hello", "[]");
	fixture_wait_sent(f, 5);
	reply = fixture_reply(f, 4);
	assert_string_equal(json_string(reply.retval), "Hello, I am gofer agent");
	reply_release(&reply);
	fixture_call(f, "echo", "Admin.echo", "[{\"n\": 12345678901234567890}]");
	fixture_wait_sent(f, 8);
	assert_non_null(
		strstr(f->fake->sent[7].body, "{\"retval\": {\"n\": 12345678901234567890}}"));
	fixture_call(f, "help", "Admin.help", "[]");
	fixture_wait_sent(f, 11);
	reply = fixture_reply(f, 10);
	assert_non_null(strstr(json_string(reply.retval), "Plugins:\n\n  <plugin> test\n"));
	assert_non_null(strstr(json_string(reply.retval), "          echo(self, x)\n"));
	reply_release(&reply);
	fixture_call(f, "unknown", "Admin.nothing", "[]");
	fixture_wait_sent(f, 14);
	reply = fixture_reply(f, 13);
	assert_string_equal(reply.xclass, "MemberNotFound");
	reply_release(&reply);
	fixture_release(1);
	fixture_wait_sent(f, 15);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_one),
		cmocka_unit_test(test_kinds_and_durability),
		cmocka_unit_test(test_not_a_document),
		cmocka_unit_test(test_correlation_of_a_refusal),
		cmocka_unit_test(test_no_message),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_malformed_request),
		cmocka_unit_test(test_refused_without_address),
		cmocka_unit_test(test_signed_envelope),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_reply_to_of_the_message),
		cmocka_unit_test(test_no_reply_wanted),
		cmocka_unit_test(test_same_sn_pending),
		cmocka_unit_test(test_same_sn_finished),
		cmocka_unit_test(test_journal_full),
		cmocka_unit_test(test_admin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
