/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <proton/delivery.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/sender.h"
#include "core/clock.h"
#include "test/unit/client_fixture.h"

static const char *to_of(struct client_fixture *f, size_t i)
{
	return f->server.messages[i].to;
}

static const char *link_of(struct client_fixture *f, size_t i)
{
	return f->server.messages[i].link;
}

static void await(struct client_fixture *f, struct sent *sent, enum outcome outcome)
{
	UNTIL(f->loop, sent->outcomes == 1);
	assert_int_equal(sent->outcome, outcome);
}

/* --- the way a message goes --------------------------------------------------------------- */

static void by_the_relay(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.relay = true;
	client_fixture_up(&f);
	assert_int_equal(send_request(&f, &a, "q", "a"), GOFER_OK);
	assert_int_equal(send_text(&f, &b, "amq.direct/k", "b"), GOFER_OK);
	await(&f, &a, OUTCOME_ACCEPTED);
	await(&f, &b, OUTCOME_ACCEPTED);
	assert_string_equal(link_of(&f, 0), "");
	assert_string_equal(to_of(&f, 0), "q");
	assert_string_equal(to_of(&f, 1), "amq.direct/k");
	assert_null(f.server.messages[1].subject);
	assert_int_equal(f.server.attached, 1);
	client_fixture_release(&f);
}

static void by_links_of_their_own(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0}, c = {0};

	(void)state;
	client_fixture_init(&f, "something else");
	client_fixture_up(&f);
	send_text(&f, &a, "q", "a");
	send_text(&f, &b, "p/q", "b");
	send_text(&f, &c, "q", "c");
	await(&f, &a, OUTCOME_ACCEPTED);
	await(&f, &b, OUTCOME_ACCEPTED);
	await(&f, &c, OUTCOME_ACCEPTED);
	assert_int_equal(f.server.attached, 2);
	assert_non_null(fake_server_receiver(&f.server, "q"));
	assert_non_null(fake_server_receiver(&f.server, "p/q"));
	assert_string_equal(f.server.last_capability, "queue");
	client_fixture_release(&f);
}

static void qpid_takes_the_key_as_subject(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};

	(void)state;
	client_fixture_init(&f, "qpid-cpp");
	f.server.relay = true;
	client_fixture_up(&f);
	send_text(&f, &a, "amq.direct/k", "a");
	await(&f, &a, OUTCOME_ACCEPTED);
	assert_string_equal(link_of(&f, 0), "");
	assert_string_equal(to_of(&f, 0), "amq.direct");
	assert_string_equal(f.server.messages[0].subject, "k");
	/* A request finds out whether the node is there. */
	send_request(&f, &b, "amq.direct/k", "b");
	await(&f, &b, OUTCOME_ACCEPTED);
	assert_string_equal(link_of(&f, 1), "amq.direct");
	assert_string_equal(f.server.messages[1].subject, "k");
	client_fixture_release(&f);
}

static void what_was_sent_early_is_spelt_later(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};

	(void)state;
	client_fixture_init(&f, "qpid-cpp");
	f.server.relay = true;
	client_fixture_start(&f);
	send_text(&f, &a, "amq.direct/k", "a");
	send_text(&f, &b, "q", "b");
	await(&f, &a, OUTCOME_ACCEPTED);
	await(&f, &b, OUTCOME_ACCEPTED);
	assert_string_equal(fake_server_bodies(&f.server), "a b");
	assert_string_equal(to_of(&f, 0), "amq.direct");
	assert_string_equal(f.server.messages[0].subject, "k");
	assert_string_equal(to_of(&f, 1), "q");
	client_fixture_release(&f);
}

static void a_relay_that_is_refused_after_all(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.relay = true;
	f.server.nodes[0] =
		(struct fake_server_node){.address = "", .condition = "amqp:not-allowed"};
	client_fixture_up(&f);
	send_text(&f, &a, "q", "a");
	send_text(&f, &b, "r", "b");
	await(&f, &a, OUTCOME_ACCEPTED);
	await(&f, &b, OUTCOME_ACCEPTED);
	assert_string_equal(link_of(&f, 0), "q");
	client_fixture_release(&f);
}

/* --- addresses that are not there ------------------------------------------------------------ */

static void no_such_address(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0}, c = {0};

	(void)state;
	client_fixture_init(&f, "qpid-cpp");
	f.server.relay = true;
	f.options.persistent = true;
	f.server.nodes[0] =
		(struct fake_server_node){.address = "nope", .condition = "amqp:not-found"};
	client_fixture_up(&f);
	send_request(&f, &a, "nope", "a");
	send_request(&f, &b, "nope", "b");
	send_request(&f, &c, "q", "c");
	await(&f, &a, OUTCOME_RELEASED);
	await(&f, &b, OUTCOME_RELEASED);
	await(&f, &c, OUTCOME_ACCEPTED);
	assert_int_equal(a.why.code, GOFER_NOTFOUND);
	assert_string_equal(a.why.text, "no such address: nope");
	assert_int_equal(f.server.refused, 1);
	client_fixture_release(&f);
}

static void rabbitmq_is_asked_by_a_receiver(void **state)
{
	struct client_fixture f;
	struct sent missing = {0}, there = {0}, reply = {0}, bound = {0};

	(void)state;
	client_fixture_init(&f, "RabbitMQ");
	f.server.nodes[0] = (struct fake_server_node){.address = "/amq/queue/nope",
	                                              .condition = "amqp:not-found",
	                                              .end_session = true};
	client_fixture_up(&f);
	assert_int_equal(connection_request_body(f.c), MESSAGE_DATA);
	send_request(&f, &missing, "nope", "a");
	await(&f, &missing, OUTCOME_RELEASED);
	assert_string_equal(missing.why.text, "no such address: nope");
	assert_int_equal(f.server.attached, 0);
	send_request(&f, &there, "q", "b");
	await(&f, &there, OUTCOME_ACCEPTED);
	assert_int_equal(f.server.attached, 2); /* the receiver, and the sender */
	assert_string_equal(link_of(&f, 0), "/amq/queue/q");
	/* A reply is not worth it. */
	send_text(&f, &reply, "r", "c");
	await(&f, &reply, OUTCOME_ACCEPTED);
	assert_int_equal(f.server.attached, 3);
	/* What an exchange leads to can't be asked. */
	send_request(&f, &bound, "amq.direct/k/l", "d");
	await(&f, &bound, OUTCOME_ACCEPTED);
	assert_int_equal(f.server.attached, 4);
	assert_string_equal(link_of(&f, 2), "/exchange/amq.direct/k%2Fl");
	UNTIL(f.loop, f.server.sessions == 3);
	client_fixture_release(&f);
}

/* Somebody has the queue alone: it is there. */
static void a_queue_that_is_no_receivers(void **state)
{
	struct client_fixture f;
	struct sent a = {0};

	(void)state;
	client_fixture_init(&f, "RabbitMQ");
	f.server.nodes[0] = (struct fake_server_node){.address = "/amq/queue/q",
	                                              .condition = "amqp:unauthorized-access",
	                                              .refusals = 1,
	                                              .end_session = true};
	client_fixture_up(&f);
	send_request(&f, &a, "q", "a");
	await(&f, &a, OUTCOME_ACCEPTED);
	assert_int_equal(f.server.refused, 1);
	client_fixture_release(&f);
}

static void a_name_that_rabbitmq_can_not_take(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};

	(void)state;
	client_fixture_init(&f, "RabbitMQ");
	client_fixture_start(&f);
	send_text(&f, &a, "gr\xc3\xbc\xc3\x9f", "a");
	UNTIL(f.loop, f.ups == 1);
	send_text(&f, &b, "gr\xc3\xbc\xc3\x9f", "a");
	await(&f, &a, OUTCOME_REJECTED);
	await(&f, &b, OUTCOME_REJECTED);
	assert_int_equal(a.why.code, GOFER_INVALID);
	assert_non_null(strstr(a.why.text, "ASCII"));
	assert_int_equal(f.server.attached, 0);
	client_fixture_release(&f);
}

static void a_passing_refusal(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};

	(void)state;
	/* One that gives up with its connection gives up at once. */
	client_fixture_init(&f, "something else");
	f.server.nodes[0] =
		(struct fake_server_node){.address = "q", .condition = "qd:no-route-to-dest"};
	client_fixture_up(&f);
	send_text(&f, &a, "q", "a");
	await(&f, &a, OUTCOME_RELEASED);
	assert_non_null(strstr(a.why.text, "qd:no-route-to-dest"));
	client_fixture_release(&f);

	client_fixture_init(&f, "something else");
	f.options.persistent = true;
	f.server.nodes[0] = (struct fake_server_node){.address = "q",
	                                              .condition = "qd:no-route-to-dest",
	                                              .refusals = 2};
	client_fixture_up(&f);
	send_text(&f, &b, "q", "b");
	await(&f, &b, OUTCOME_ACCEPTED);
	assert_int_equal(f.server.refused, 2);
	client_fixture_release(&f);
}

static void a_denied_address(void **state)
{
	struct client_fixture f;
	struct sent a = {0};

	(void)state;
	client_fixture_init(&f, "something else");
	f.options.persistent = true;
	f.server.nodes[0] =
		(struct fake_server_node){.address = "q", .condition = "amqp:unauthorized-access"};
	client_fixture_up(&f);
	send_text(&f, &a, "q", "a");
	await(&f, &a, OUTCOME_REJECTED);
	assert_int_equal(a.why.code, GOFER_AUTH);
	client_fixture_release(&f);
}

static void an_attach_that_is_not_answered(void **state)
{
	struct client_fixture f;
	struct sent a = {0};

	(void)state;
	client_fixture_init(&f, "something else");
	f.options.connect_timeout_s = 0.1;
	f.server.nodes[0] = (struct fake_server_node){.address = "q", .mute = true};
	client_fixture_up(&f);
	send_text(&f, &a, "q", "a");
	await(&f, &a, OUTCOME_RELEASED);
	assert_int_equal(a.why.code, GOFER_TIMEOUT);
	client_fixture_release(&f);
}

/* --- outcomes ----------------------------------------------------------------------------------- */

static void every_outcome(void **state)
{
	static const struct {
		uint64_t state;
		enum outcome outcome;
		enum gofer_err code;
	} cases[] = {
		{PN_ACCEPTED, OUTCOME_ACCEPTED, GOFER_OK},
		{PN_REJECTED, OUTCOME_REJECTED, GOFER_FAILED},
		{PN_RELEASED, OUTCOME_RELEASED, GOFER_NOTFOUND},
		{PN_MODIFIED, OUTCOME_RELEASED, GOFER_FULL}, /* for it was told to do so */
		{0, OUTCOME_ACCEPTED, GOFER_OK},             /* settled without a word */
	};
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.relay = true;
	f.server.nodes[0] = (struct fake_server_node){.address = "", .hold = true};
	client_fixture_up(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sent sent = {0};

		send_text(&f, &sent, "q", "x");
		UNTIL(f.loop, f.server.count == i + 1);
		assert_int_equal(sent.outcomes, 0);
		fake_server_settle(&f.server, i, cases[i].state);
		await(&f, &sent, cases[i].outcome);
		assert_int_equal(sent.why.code, cases[i].code);
		assert_true(!sent.why.code || strstr(sent.why.text, "q"));
	}
	client_fixture_release(&f);
}

static void modified_by_others_is_a_failure(void **state)
{
	struct client_fixture f;
	struct sent sent = {0};

	(void)state;
	client_fixture_init(&f, "other");
	f.server.relay = true;
	f.server.nodes[0] = (struct fake_server_node){.address = "", .hold = true};
	client_fixture_up(&f);
	send_text(&f, &sent, "q", "x");
	UNTIL(f.loop, f.server.count == 1);
	fake_server_settle(&f.server, 0, PN_MODIFIED);
	await(&f, &sent, OUTCOME_MODIFIED);
	assert_int_equal(sent.why.code, GOFER_FAILED);
	client_fixture_release(&f);
}

/* First the state, and the settlement in a frame of its own. */
static void an_outcome_in_two_steps(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};
	pn_delivery_t *d;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.relay = true;
	f.server.nodes[0] = (struct fake_server_node){.address = "", .hold = true};
	client_fixture_up(&f);
	send_text(&f, &a, "q", "a");
	UNTIL(f.loop, f.server.count == 1);
	d = f.server.messages[0].delivery;
	pn_delivery_update(d, PN_RECEIVED);
	driver_wake(f.server.driver);
	turn(f.loop, 0.02);
	assert_int_equal(a.outcomes, 0);
	pn_delivery_update(d, PN_ACCEPTED);
	driver_wake(f.server.driver);
	await(&f, &a, OUTCOME_ACCEPTED);
	pn_delivery_settle(d);
	f.server.messages[0].settled = true;
	driver_wake(f.server.driver);
	send_text(&f, &b, "q", "b");
	UNTIL(f.loop, f.server.count == 2);
	fake_server_settle(&f.server, 1, PN_ACCEPTED);
	await(&f, &b, OUTCOME_ACCEPTED);
	assert_int_equal(f.downs, 0);
	client_fixture_release(&f);
}

static void too_large_for_the_broker(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};
	char *text = calloc(1, 2001);

	(void)state;
	memset(text, 'x', 2000);
	client_fixture_init(&f, "gofer");
	f.server.relay = true;
	f.server.nodes[0] = (struct fake_server_node){.address = "", .largest = 1000};
	client_fixture_up(&f);
	send_text(&f, &a, "q", text);
	send_text(&f, &b, "q", "b");
	await(&f, &a, OUTCOME_REJECTED);
	await(&f, &b, OUTCOME_ACCEPTED);
	assert_int_equal(a.why.code, GOFER_INVALID);
	assert_non_null(strstr(a.why.text, "1000"));
	assert_int_equal(f.server.attached, 1);
	free(text);
	client_fixture_release(&f);
}

/* A message that has the link detached must not take its neighbours with it. */
static void a_poisonous_message(void **state)
{
	static const char *const texts[] = {"a", "b", "poison", "c", "d"};
	struct client_fixture f;
	struct sent sent[5] = {{0}};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.relay = true;
	f.server.nodes[0] =
		(struct fake_server_node){.address = "", .poison = "poison", .no_credit = true};
	client_fixture_up(&f);
	for (int i = 0; i < 5; i++)
		send_text(&f, &sent[i], "q", texts[i]);
	UNTIL(f.loop, f.server.attached == 1);
	f.server.nodes[0].no_credit = false;
	fake_server_give_credit(&f.server, "", 10);
	for (int i = 0; i < 5; i++)
		await(&f, &sent[i], i == 2 ? OUTCOME_REJECTED : OUTCOME_ACCEPTED);
	assert_int_equal(sent[2].why.code, GOFER_INVALID);
	assert_int_equal(f.downs, 0);
	client_fixture_release(&f);
}

/* --- waiting ---------------------------------------------------------------------------------------- */

static void waits_for_credit(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0}, other = {0};

	(void)state;
	client_fixture_init(&f, "qpid-dispatch-router");
	f.server.nodes[0] = (struct fake_server_node){.address = "q", .no_credit = true};
	client_fixture_up(&f);
	send_request(&f, &a, "q", "a");
	send_request(&f, &b, "q", "b");
	send_request(&f, &other, "other", "x");
	await(&f, &other, OUTCOME_ACCEPTED);
	turn(f.loop, 0.05);
	assert_int_equal(a.outcomes, 0);
	fake_server_give_credit(&f.server, "q", 1);
	await(&f, &a, OUTCOME_ACCEPTED);
	await(&f, &b, OUTCOME_ACCEPTED); /* each message taken is a credit more */
	assert_string_equal(fake_server_bodies(&f.server), "x a b");
	client_fixture_release(&f);
}

/* Credit that can't be used is given back when the broker asks for it. */
static void credit_is_drained(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};
	pn_link_t *link;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.relay = true;
	client_fixture_up(&f);
	send_text(&f, &a, "q", "a");
	await(&f, &a, OUTCOME_ACCEPTED);
	link = fake_server_receiver(&f.server, "");
	pn_link_drain(link, 0);
	driver_wake(f.server.driver);
	UNTIL(f.loop, pn_link_credit(link) == 0);
	pn_link_set_drain(link, false);
	pn_link_flow(link, 1);
	driver_wake(f.server.driver);
	send_text(&f, &b, "q", "b");
	await(&f, &b, OUTCOME_ACCEPTED);
	client_fixture_release(&f);
}

static void there_is_a_bound(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.silent = true;
	client_fixture_start(&f);
	for (int i = 0; i < CONNECTION_SEND_MAX; i++)
		assert_int_equal(send_text(&f, NULL, "q", "x"), GOFER_OK);
	assert_int_equal(send_text(&f, NULL, "q", "x"), GOFER_FULL);
	client_fixture_release(&f);
}

static void many_addresses_few_idle_links(void **state)
{
	enum { COUNT = 100 };
	static struct sent sent[COUNT];
	struct client_fixture f;
	char address[16];

	(void)state;
	memset(sent, 0, sizeof(sent));
	client_fixture_init(&f, "something else");
	client_fixture_up(&f);
	for (int i = 0; i < COUNT; i++) {
		snprintf(address, sizeof(address), "q%d", i);
		send_text(&f, &sent[i], address, "x");
	}
	for (int i = 0; i < COUNT; i++)
		await(&f, &sent[i], OUTCOME_ACCEPTED);
	UNTIL(f.loop, f.server.sessions == SENDER_IDLE_MAX);
	client_fixture_release(&f);
}

static void few_sessions(void **state)
{
	enum { COUNT = 20 };
	static struct sent sent[COUNT];
	struct client_fixture f;
	char address[16];

	(void)state;
	memset(sent, 0, sizeof(sent));
	client_fixture_init(&f, "something else");
	f.server.channel_max = 3; /* which makes four */
	client_fixture_up(&f);
	for (int i = 0; i < COUNT; i++) {
		snprintf(address, sizeof(address), "q%d", i);
		send_text(&f, &sent[i], address, "x");
	}
	for (int i = 0; i < COUNT; i++)
		await(&f, &sent[i], OUTCOME_ACCEPTED);
	assert_int_equal(f.downs, 0);
	assert_in_range(f.server.highest_sessions, 2, 4);
	client_fixture_release(&f);
}

/* --- lost connections --------------------------------------------------------------------------------- */

static void sent_again_in_order(bool relay)
{
	static const char *const texts[] = {"a", "b", "c", "d"};
	struct client_fixture f;
	struct sent sent[4] = {{0}};

	client_fixture_init(&f, "gofer");
	f.server.relay = relay;
	f.options.persistent = true;
	f.server.nodes[0] = (struct fake_server_node){.address = "*", .hold = true};
	client_fixture_up(&f);
	for (int i = 0; i < 3; i++)
		send_text(&f, &sent[i], "q", texts[i]);
	UNTIL(f.loop, f.server.count == 3);
	fake_server_settle(&f.server, 1, PN_ACCEPTED);
	await(&f, &sent[1], OUTCOME_ACCEPTED);
	fake_server_vanish(&f.server);
	UNTIL(f.loop, f.downs == 1);
	send_text(&f, &sent[3], "q", texts[3]);
	f.server.nodes[0].hold = false;
	for (int i = 0; i < 4; i++)
		await(&f, &sent[i], OUTCOME_ACCEPTED);
	assert_string_equal(fake_server_bodies(&f.server), "a b c a c d");
	client_fixture_release(&f);
}

static void sent_again_after_a_reconnect(void **state)
{
	(void)state;
	sent_again_in_order(true);
	sent_again_in_order(false);
}

static void several_addresses_keep_their_order(void **state)
{
	struct client_fixture f;
	char address[] = "q0", text[] = "0";

	(void)state;
	client_fixture_init(&f, "something else");
	f.options.persistent = true;
	f.server.nodes[0] = (struct fake_server_node){.address = "*", .hold = true};
	client_fixture_up(&f);
	for (int i = 0; i < 9; i++) {
		address[1] = (char)('0' + i % 3);
		text[0] = (char)('0' + i);
		send_text(&f, NULL, address, text);
	}
	UNTIL(f.loop, f.server.count == 9);
	fake_server_vanish(&f.server);
	f.server.nodes[0].hold = false;
	UNTIL(f.loop, f.server.count == 18);
	for (int link = 0; link < 3; link++) {
		int last = -1;

		for (size_t i = 9; i < 18; i++) {
			int number = atoi(f.server.messages[i].body);

			if (number % 3 != link)
				continue;
			assert_true(number > last);
			last = number;
		}
	}
	client_fixture_release(&f);
}

static void lost_for_good(void **state)
{
	struct client_fixture f;
	struct sent unsettled = {0}, waiting = {0};

	(void)state;
	client_fixture_init(&f, "something else");
	f.server.nodes[0] = (struct fake_server_node){.address = "q", .hold = true};
	f.server.nodes[1] = (struct fake_server_node){.address = "r", .no_credit = true};
	client_fixture_up(&f);
	send_text(&f, &unsettled, "q", "a");
	send_text(&f, &waiting, "r", "b");
	UNTIL(f.loop, f.server.count == 1);
	fake_server_vanish(&f.server);
	await(&f, &unsettled, OUTCOME_LOST);
	await(&f, &waiting, OUTCOME_LOST);
	assert_int_equal(unsettled.why.code, GOFER_IO);
	client_fixture_release(&f);
}

static void the_queue_is_deleted_in_between(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};

	(void)state;
	client_fixture_init(&f, "something else");
	f.server.nodes[0] = (struct fake_server_node){.address = "q", .hold = true};
	client_fixture_up(&f);
	send_text(&f, &a, "q", "a");
	UNTIL(f.loop, f.server.count == 1);
	f.server.nodes[0].hold = false;
	fake_server_detach(&f.server, fake_server_receiver(&f.server, "q"),
	                   "amqp:resource-deleted");
	await(&f, &a, OUTCOME_ACCEPTED);
	assert_string_equal(fake_server_bodies(&f.server), "a a");
	/* Gone while nothing is on the way: the next message finds out. */
	f.server.nodes[0].condition = "amqp:not-found";
	fake_server_detach(&f.server, fake_server_receiver(&f.server, "q"),
	                   "amqp:resource-deleted");
	turn(f.loop, 0.02);
	send_text(&f, &b, "q", "b");
	await(&f, &b, OUTCOME_RELEASED);
	client_fixture_release(&f);
}

/* --- closing, and calls from callbacks ----------------------------------------------------------------- */

static void a_close_flushes(void **state)
{
	struct client_fixture f;
	struct sent sent[3] = {{0}};

	(void)state;
	client_fixture_init(&f, "something else");
	client_fixture_up(&f);
	for (int i = 0; i < 3; i++)
		send_text(&f, &sent[i], "q", "x");
	connection_close(f.c);
	assert_int_equal(send_text(&f, NULL, "q", "late"), GOFER_CANCELLED);
	UNTIL(f.loop, f.closed == 1);
	assert_string_equal(fake_server_bodies(&f.server), "x x x");
	assert_int_equal(sent[0].outcomes, 0); /* it calls back no more */
	client_fixture_release(&f);
}

static void sends_in_its_callback(void **state)
{
	struct client_fixture f;
	struct sent a = {.again_on_outcome = true}, bad = {.again_on_outcome = true};

	(void)state;
	client_fixture_init(&f, "RabbitMQ");
	f.server.nodes[0] = (struct fake_server_node){.address = "/amq/queue/again",
	                                              .condition = "amqp:not-found",
	                                              .end_session = true};
	client_fixture_up(&f);
	send_text(&f, &a, "q", "x");
	send_text(&f, &bad, "\xff", "x");
	UNTIL(f.loop, a.outcomes > 3 && bad.outcomes > 3);
	assert_int_equal(a.outcome, OUTCOME_RELEASED);
	client_fixture_release(&f);
}

static void frees_in_its_callback(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct client_fixture f;
		struct sent a = {.free_on_outcome = true}, b = {0};

		client_fixture_init(&f, "something else");
		f.server.nodes[0] =
			(struct fake_server_node){.address = "nope", .condition = "amqp:not-found"};
		f.server.nodes[1] = (struct fake_server_node){.address = "*", .hold = i == 2};
		client_fixture_up(&f);
		send_text(&f, &a, i == 1 ? "nope" : "q", "a");
		send_text(&f, &b, i == 1 ? "nope" : "q", "b");
		if (i == 2) {
			UNTIL(f.loop, f.server.count == 2);
			fake_server_vanish(&f.server);
		}
		UNTIL(f.loop, !f.c);
		turn(f.loop, 0.02);
		assert_int_equal(b.outcomes, 0);
		client_fixture_release(&f);
	}
}

static void a_link_that_ends_idle(void **state)
{
	struct client_fixture f;
	struct sent a = {0}, b = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.relay = true;
	client_fixture_up(&f);
	send_text(&f, &a, "q", "a");
	await(&f, &a, OUTCOME_ACCEPTED);
	fake_server_detach(&f.server, fake_server_receiver(&f.server, ""), "");
	turn(f.loop, 0.02);
	send_text(&f, &b, "q", "b");
	await(&f, &b, OUTCOME_ACCEPTED);
	assert_int_equal(f.server.attached, 2);
	client_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_relay),
		cmocka_unit_test(by_links_of_their_own),
		cmocka_unit_test(qpid_takes_the_key_as_subject),
		cmocka_unit_test(what_was_sent_early_is_spelt_later),
		cmocka_unit_test(a_relay_that_is_refused_after_all),
		cmocka_unit_test(no_such_address),
		cmocka_unit_test(rabbitmq_is_asked_by_a_receiver),
		cmocka_unit_test(a_queue_that_is_no_receivers),
		cmocka_unit_test(a_name_that_rabbitmq_can_not_take),
		cmocka_unit_test(a_passing_refusal),
		cmocka_unit_test(a_denied_address),
		cmocka_unit_test(an_attach_that_is_not_answered),
		cmocka_unit_test(every_outcome),
		cmocka_unit_test(modified_by_others_is_a_failure),
		cmocka_unit_test(an_outcome_in_two_steps),
		cmocka_unit_test(too_large_for_the_broker),
		cmocka_unit_test(a_poisonous_message),
		cmocka_unit_test(waits_for_credit),
		cmocka_unit_test(credit_is_drained),
		cmocka_unit_test(there_is_a_bound),
		cmocka_unit_test(many_addresses_few_idle_links),
		cmocka_unit_test(few_sessions),
		cmocka_unit_test(sent_again_after_a_reconnect),
		cmocka_unit_test(several_addresses_keep_their_order),
		cmocka_unit_test(lost_for_good),
		cmocka_unit_test(the_queue_is_deleted_in_between),
		cmocka_unit_test(a_close_flushes),
		cmocka_unit_test(sends_in_its_callback),
		cmocka_unit_test(frees_in_its_callback),
		cmocka_unit_test(a_link_that_ends_idle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
