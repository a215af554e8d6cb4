/* SPDX-License-Identifier: Apache-2.0 */
/* Links of the broker: messages, outcomes, credit, and where an address leads. */
#include "broker_rig.h"

#include <proton/condition.h>
#include <proton/disposition.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <stdio.h>
#include <string.h>

#include "broker/local.h"

static int set_up(void **state)
{
	(void)state;
	return rig_make(NULL, true);
}

/* --- messages ---------------------------------------------------------------------------- */

static void there_and_back(void **state)
{
	struct rig_client c;
	pn_link_t *out, *in;
	pn_delivery_t *sent, *got;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", "q");
	rig_expect_attached(out);
	assert_int_equal(pn_link_credit(out), RIG_QUEUE_MESSAGES);
	assert_int_equal(pn_link_remote_max_message_size(out), RIG_MESSAGE_BYTES);
	sent = rig_send_text(&c, out, NULL, NULL, "hello");
	assert_int_equal(pn_delivery_remote_state(sent), PN_ACCEPTED);
	assert_true(pn_delivery_settled(sent));
	pn_delivery_settle(sent);
	in = rig_receiver(&c, "in", "q", 1);
	assert_int_equal(rig_expect(in, "hello", &got), 0);
	assert_int_equal(rig_queue("q")->held, 1);
	rig_settle(&c, got, PN_ACCEPTED);
	assert_int_equal(rig_queue("q")->messages, 0);
	rig_stop(&c);
}

static void settled_in_advance(void **state)
{
	struct rig_client c;
	pn_link_t *out, *in;

	(void)state;
	rig_open(&c);
	out = pn_sender(c.session, "out");
	pn_link_set_snd_settle_mode(out, PN_SND_SETTLED);
	pn_terminus_set_address(pn_link_target(out), "q");
	pn_link_open(out);
	in = rig_make_receiver(&c, "in", "q");
	pn_link_set_snd_settle_mode(in, PN_SND_SETTLED);
	pn_link_open(in);
	pn_link_flow(in, 5);
	rig_act(&c);
	assert_int_equal(pn_link_remote_snd_settle_mode(out), PN_SND_SETTLED);
	assert_int_equal(pn_link_remote_snd_settle_mode(in), PN_SND_SETTLED);
	pn_delivery(out, pn_dtag("x", 1));
	pn_link_send(out, "\x00\x53\x77\x40", 4);
	pn_delivery_settle(pn_link_current(out));
	rig_act(&c);
	assert_true(pn_delivery_settled(pn_link_current(in)));
	assert_int_equal(rig_queue("q")->messages, 0);
	rig_stop(&c);
}

static void each_outcome(void **state)
{
	static const struct {
		uint64_t state;
		bool again;
		uint32_t count;
	} cases[] = {
		{PN_ACCEPTED, false, 0},
		{PN_REJECTED, false, 0},
		{PN_RELEASED, true, 0},
		{PN_MODIFIED, true, 1},
		{0, true, 1}, /* settled without one */
	};
	struct rig_client c;
	pn_link_t *out, *in;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", "q");
	in = rig_receiver(&c, "in", "q", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pn_delivery_t *got;

		pn_delivery_settle(rig_send_text(&c, out, NULL, NULL, "x"));
		assert_int_equal(rig_expect(in, "x", &got), 0);
		if (cases[i].state)
			pn_delivery_update(got, cases[i].state);
		pn_delivery_settle(got);
		rig_act(&c);
		assert_int_equal(rig_queue("q")->messages, cases[i].again);
		pn_link_flow(in, 1);
		rig_act(&c);
		if (!cases[i].again)
			continue;
		assert_int_equal(rig_expect(in, "x", &got), cases[i].count);
		rig_settle(&c, got, PN_ACCEPTED);
		pn_link_flow(in, 1);
		rig_act(&c);
	}
	rig_stop(&c);
}

static void undeliverable_here(void **state)
{
	struct rig_client c;
	pn_link_t *out, *a, *b;
	pn_delivery_t *got;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", "q");
	a = rig_receiver(&c, "a", "q", 5);
	pn_delivery_settle(rig_send_text(&c, out, NULL, NULL, "x"));
	rig_expect(a, "x", &got);
	pn_disposition_set_undeliverable(pn_delivery_local(got), true);
	pn_disposition_set_failed(pn_delivery_local(got), true);
	rig_settle(&c, got, PN_MODIFIED);
	assert_null(pn_link_current(a));
	b = rig_receiver(&c, "b", "q", 5);
	assert_int_equal(rig_expect(b, "x", NULL), 1);
	rig_stop(&c);
}

/* A receiver that settles second tells the outcome first, and is answered. */
static void outcome_before_settlement(void **state)
{
	struct rig_client c;
	pn_link_t *out, *in;
	pn_delivery_t *got;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", "q");
	in = rig_receiver(&c, "in", "q", 5);
	rig_send_text(&c, out, NULL, NULL, "x");
	rig_expect(in, "x", &got);
	pn_delivery_update(got, PN_RECEIVED);
	rig_act(&c);
	assert_int_equal(rig_queue("q")->held, 1);
	pn_delivery_update(got, PN_ACCEPTED);
	rig_act(&c);
	assert_true(pn_delivery_settled(got));
	assert_int_equal(rig_queue("q")->messages, 0);
	rig_stop(&c);
}

static void a_lost_connection_gives_back(void **state)
{
	struct rig_client a, b;
	pn_link_t *out, *in;

	(void)state;
	rig_open(&a);
	rig_open(&b);
	out = rig_sender(&b, "out", "q");
	rig_receiver(&a, "in", "q", 5);
	rig_send_text(&b, out, NULL, NULL, "1");
	rig_send_text(&b, out, NULL, NULL, "2");
	in = rig_receiver(&b, "in", "q", 5);
	assert_null(pn_link_current(in));
	rig_stop(&a);
	assert_int_equal(rig.server.peers_count, 1);
	assert_int_equal(rig_expect(in, "1", NULL), 1);
	assert_int_equal(rig_expect(in, "2", NULL), 1);
	rig_stop(&b);
}

static void a_session_that_ends_gives_back(void **state)
{
	struct rig_client c;
	pn_link_t *in, *other;
	pn_session_t *session;

	(void)state;
	rig_open(&c);
	rig_send_text(&c, rig_sender(&c, "out", "q"), NULL, NULL, "x");
	session = pn_session(driver_connection(c.driver));
	pn_session_open(session);
	in = pn_receiver(session, "in");
	pn_terminus_set_address(pn_link_source(in), "q");
	pn_link_open(in);
	pn_link_flow(in, 1);
	rig_act(&c);
	assert_non_null(pn_link_current(in));
	pn_session_close(session);
	rig_act(&c);
	other = rig_receiver(&c, "other", "q", 1);
	assert_int_equal(rig_expect(other, "x", NULL), 1);
	rig_stop(&c);
}

static void drained(void **state)
{
	struct rig_client c;
	pn_link_t *out, *in;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", "q");
	rig_send_text(&c, out, NULL, NULL, "x");
	in = rig_receiver(&c, "in", "q", 0);
	pn_link_drain(in, 10);
	rig_act(&c);
	rig_expect(in, "x", NULL);
	assert_int_equal(pn_link_credit(in), 0);
	assert_int_equal(pn_link_drained(in), 9);
	rig_send_text(&c, out, NULL, NULL, "y");
	assert_null(pn_link_current(in));
	pn_link_set_drain(in, false);
	pn_link_flow(in, 1);
	rig_act(&c);
	rig_expect(in, "y", NULL);
	rig_stop(&c);
}

/* A full queue gives no credit; the sender goes on when there is room. */
static void back_pressure(void **state)
{
	struct rig_client c;
	pn_link_t *out, *in;
	pn_delivery_t *got;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", "q");
	for (int i = 0; i < RIG_QUEUE_MESSAGES + 5; i++)
		pn_delivery_settle(rig_send_text(&c, out, NULL, NULL, "x"));
	assert_int_equal(rig_queue("q")->messages, RIG_QUEUE_MESSAGES);
	assert_int_equal(pn_link_queued(out), 5);
	in = rig_receiver(&c, "in", "q", 2);
	for (int i = 0; i < RIG_QUEUE_MESSAGES + 5; i++) {
		rig_expect(in, "x", &got);
		rig_settle(&c, got, PN_ACCEPTED);
		pn_link_flow(in, 1);
		rig_act(&c);
	}
	assert_int_equal(pn_link_queued(out), 0);
	assert_int_equal(rig_queue("q")->messages, 0);
	rig_stop(&c);
}

/* Two senders were promised the same room: who comes too late has its message still. */
static void too_late_for_the_room(void **state)
{
	struct rig_client c;
	pn_link_t *a, *b;
	pn_delivery_t *sent = NULL;

	(void)state;
	rig_open(&c);
	a = rig_sender(&c, "a", "q");
	b = rig_sender(&c, "b", "q");
	for (int i = 0; i < RIG_QUEUE_MESSAGES; i++)
		rig_send_text(&c, a, NULL, NULL, "x");
	sent = rig_send_text(&c, b, NULL, NULL, "y");
	assert_int_equal(pn_delivery_remote_state(sent), PN_RELEASED);
	assert_int_equal(rig_queue("q")->messages, RIG_QUEUE_MESSAGES);
	rig_stop(&c);
}

static pn_link_t *sender_with_outcomes(struct rig_client *c, const char *name)
{
	static const char *const names[] = {"amqp:accepted:list", "amqp:modified:list"};
	pn_link_t *link = pn_sender(c->session, name);
	pn_data_t *outcomes = pn_terminus_outcomes(pn_link_source(link));

	pn_data_put_array(outcomes, false, PN_SYMBOL);
	pn_data_enter(outcomes);
	for (size_t i = 0; i < 2; i++)
		pn_data_put_symbol(outcomes, pn_bytes(strlen(names[i]), names[i]));
	pn_data_exit(outcomes);
	pn_link_open(link);
	rig_act(c);
	return link;
}

/* Whoever lists `modified` in its source learns that there is no room; others that it is released. */
static void full_is_told_apart(void **state)
{
	struct rig_client c;
	pn_link_t *knows, *plain;
	pn_delivery_t *sent;

	(void)state;
	rig_open(&c);
	rig_receiver(&c, "in", "q", 0);
	knows = sender_with_outcomes(&c, "knows");
	plain = rig_sender(&c, "plain", NULL);
	for (int i = 0; i < RIG_QUEUE_MESSAGES; i++)
		rig_send_text(&c, plain, "q", NULL, "x");
	sent = rig_send_text(&c, knows, "q", NULL, "y");
	assert_int_equal(pn_delivery_remote_state(sent), PN_MODIFIED);
	assert_false(pn_disposition_is_failed(pn_delivery_remote(sent)));
	assert_false(pn_disposition_is_undeliverable(pn_delivery_remote(sent)));
	sent = rig_send_text(&c, knows, "nobody", NULL, "y");
	assert_int_equal(pn_delivery_remote_state(sent), PN_RELEASED);
	sent = rig_send_text(&c, plain, "q", NULL, "y");
	assert_int_equal(pn_delivery_remote_state(sent), PN_RELEASED);
	rig_stop(&c);
}

static void relayed(void **state)
{
	struct rig_client c;
	pn_link_t *out, *in;
	pn_delivery_t *sent;
	pn_condition_t *why;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", NULL);
	rig_expect_attached(out);
	assert_int_equal(pn_link_credit(out), 500);
	sent = rig_send_text(&c, out, "q", NULL, "x");
	assert_int_equal(pn_delivery_remote_state(sent), PN_RELEASED);
	in = rig_receiver(&c, "in", "q", 10);
	sent = rig_send_text(&c, out, "q", NULL, "x");
	assert_int_equal(pn_delivery_remote_state(sent), PN_ACCEPTED);
	rig_expect(in, "x", NULL);
	sent = rig_send_text(&c, out, NULL, NULL, "x");
	assert_int_equal(pn_delivery_remote_state(sent), PN_REJECTED);
	why = pn_disposition_condition(pn_delivery_remote(sent));
	assert_string_equal(pn_condition_get_name(why), "amqp:not-found");
	rig_stop(&c);
}

static void no_message(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {{"junk", 4},
	             {"\x00\x53\x77", 3},
	             {"\x00\x53\x70\xc0\xff\x05\x41", 7},
	             {"", 0}};
	struct rig_client c;
	pn_link_t *out;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", "q");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pn_delivery_t *sent = rig_send_bytes(&c, out, cases[i].bytes, cases[i].size);
		pn_condition_t *why = pn_disposition_condition(pn_delivery_remote(sent));

		assert_int_equal(pn_delivery_remote_state(sent), PN_REJECTED);
		assert_string_equal(pn_condition_get_name(why), "amqp:decode-error");
	}
	assert_int_equal(rig_queue("q")->messages, 0);
	rig_expect_attached(out);
	rig_stop(&c);
}

static void too_large(void **state)
{
	char big[RIG_MESSAGE_BYTES + 1] = "";
	struct rig_client c;
	pn_link_t *out;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", "q");
	rig_send_bytes(&c, out, big, sizeof(big));
	rig_expect_detached(out, "amqp:link:message-size-exceeded");
	out = rig_sender(&c, "again", "q");
	rig_expect_attached(out);
	rig_stop(&c);
}

/* Many links that each send a message in part, and none that ends. */
static void too_much_in_part(void **state)
{
	char part[3000] = "";
	struct rig_client c;
	pn_link_t *links[6];
	unsigned detached = 0;

	(void)state;
	rig_open(&c);
	for (unsigned i = 0; i < 6; i++) {
		char name[24];

		sprintf(name, "l%u", i);
		links[i] = rig_sender(&c, name, "q");
		pn_delivery(links[i], pn_dtag(name, strlen(name)));
		pn_link_send(links[i], part, sizeof(part));
		rig_act(&c);
	}
	for (unsigned i = 0; i < 6; i++)
		if (pn_link_state(links[i]) & PN_REMOTE_CLOSED)
			detached++;
	assert_int_equal(detached, 1); /* 5 x 3000 is below 4 x 4096, 6 x is not */
	rig_expect_detached(links[5], "amqp:resource-limit-exceeded");
	pn_delivery_abort(pn_link_current(links[0]));
	rig_act(&c);
	rig_expect_attached(links[0]);
	rig_stop(&c);
}

/* --- addresses --------------------------------------------------------------------------- */

static void refused(void **state)
{
	struct rig_client c;
	pn_link_t *link;

	(void)state;
	rig_open(&c);
	rig_expect_refused(rig_sender(&c, "a", "amq.nope"), "amqp:not-found");
	rig_expect_refused(rig_receiver(&c, "b", "amq.nope", 1), "amqp:not-found");
	rig_expect_refused(rig_receiver(&c, "c", NULL, 1), "amqp:invalid-field");
	rig_expect_refused(rig_receiver(&c, "d", NODE_MANAGEMENT_NAME, 1), "amqp:invalid-field");
	link = rig_make_receiver(&c, "e", "q");
	pn_terminus_set_distribution_mode(pn_link_source(link), PN_DIST_MODE_COPY);
	pn_link_open(link);
	rig_act(&c);
	rig_expect_refused(link, "amqp:not-implemented");
	link = pn_sender(c.session, "f");
	pn_terminus_set_type(pn_link_target(link), PN_COORDINATOR);
	pn_link_open(link);
	rig_act(&c);
	rig_expect_refused(link, "amqp:not-implemented");
	pn_link_close(link);
	rig_act(&c);
	rig_expect_attached(rig_sender(&c, "g", "q"));
	rig_stop(&c);
}

static void dynamic_source(void **state)
{
	struct rig_client c;
	pn_link_t *in = NULL, *out;
	char address[256];

	(void)state;
	rig_open(&c);
	in = rig_make_receiver(&c, "in", NULL);
	pn_terminus_set_dynamic(pn_link_source(in), true);
	pn_link_open(in);
	pn_link_flow(in, 1);
	rig_act(&c);
	snprintf(address, sizeof(address), "%s",
	         pn_terminus_get_address(pn_link_remote_source(in)));
	out = rig_sender(&c, "out", address);
	rig_send_text(&c, out, NULL, NULL, "x");
	rig_expect(in, "x", NULL);
	pn_link_close(in);
	rig_act(&c);
	rig_expect_detached(out, "amqp:resource-deleted");
	rig_expect_refused(rig_sender(&c, "late", address), "amqp:not-found");
	assert_int_equal(rig.hub.nodes.queues, 0);
	rig_stop(&c);
}

/* Both ends on one connection, which is lost: the queue takes its sender along. */
static void dynamic_queues_go_with_the_connection(void **state)
{
	struct rig_client c;
	pn_link_t *in, *target;

	(void)state;
	rig_open(&c);
	for (int i = 0; i < 4; i++) {
		char name[24];

		sprintf(name, "in%d", i);
		in = rig_make_receiver(&c, name, NULL);
		pn_terminus_set_dynamic(pn_link_source(in), true);
		pn_link_open(in);
		rig_act(&c);
		sprintf(name, "out%d", i);
		rig_expect_attached(
			rig_sender(&c, name, pn_terminus_get_address(pn_link_remote_source(in))));
	}
	target = pn_sender(c.session, "target");
	pn_terminus_set_dynamic(pn_link_target(target), true);
	pn_link_open(target);
	rig_act(&c);
	assert_non_null(pn_terminus_get_address(pn_link_remote_target(target)));
	assert_int_equal(rig.hub.nodes.queues, 5);
	rig_stop(&c);
	assert_int_equal(rig.hub.nodes.queues, 0);
}

static void exchanges(void **state)
{
	struct rig_client c;
	pn_link_t *out, *keyed, *in;
	pn_delivery_t *sent;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", "amq.direct");
	sent = rig_send_text(&c, out, NULL, "k", "1");
	assert_int_equal(pn_delivery_remote_state(sent), PN_RELEASED);
	in = rig_receiver(&c, "in", "amq.direct/k", 10);
	sent = rig_send_text(&c, out, NULL, "k", "2");
	assert_int_equal(pn_delivery_remote_state(sent), PN_ACCEPTED);
	keyed = rig_sender(&c, "keyed", "amq.direct/k");
	rig_send_text(&c, keyed, NULL, "other", "3");
	rig_expect(in, "2", NULL);
	rig_expect(in, "3", NULL);
	assert_null(pn_link_current(in));
	pn_link_close(in);
	rig_act(&c);
	sent = rig_send_text(&c, out, NULL, "k", "4");
	assert_int_equal(pn_delivery_remote_state(sent), PN_RELEASED);
	assert_int_equal(rig.hub.nodes.queues, 0);
	rig_stop(&c);
}

static void put_filter(pn_link_t *link, const char *label, const char *descriptor, uint64_t code,
                       const char *value)
{
	pn_data_t *filter = pn_terminus_filter(pn_link_source(link));

	pn_data_put_map(filter);
	pn_data_enter(filter);
	pn_data_put_symbol(filter, pn_bytes(strlen(label), label));
	if (descriptor || code) {
		pn_data_put_described(filter);
		pn_data_enter(filter);
	}
	if (descriptor)
		pn_data_put_symbol(filter, pn_bytes(strlen(descriptor), descriptor));
	else if (code)
		pn_data_put_ulong(filter, code);
	pn_data_put_string(filter, pn_bytes(strlen(value), value));
	pn_data_rewind(filter);
}

static void filters(void **state)
{
	static const char topic[] = "apache.org:legacy-amqp-topic-binding:string";
	static const char direct[] = "apache.org:legacy-amqp-direct-binding:string";
	static const struct {
		const char *node, *label, *descriptor;
		uint64_t code;
		const char *value, *key, *other;
		bool understood;
	} cases[] = {
		{"amq.topic", "f", topic, 0, "a.*", "a.b", "b.b", true},
		{"amq.direct", "f", direct, 0, "k", "k", "j", true},
		{"amq.direct", "f", NULL, 0x0000468C00000000, "k", "k", "j", true},
		{"amq.topic", topic, NULL, 0, "a.*", "a.b", "b.b", true},
		{"amq.topic", "f", "apache.org:selector-filter:string", 0, "x = 1", "any.thing",
	         NULL, false},
		{"amq.topic", "f", NULL, 77, "x", "any", NULL, false},
	};
	struct rig_client c;
	pn_link_t *relay;

	(void)state;
	rig_open(&c);
	relay = rig_sender(&c, "relay", NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[24];
		pn_link_t *in;

		sprintf(name, "l%zu", i);
		in = rig_make_receiver(&c, name, cases[i].node);
		put_filter(in, cases[i].label, cases[i].descriptor, cases[i].code, cases[i].value);
		pn_link_open(in);
		pn_link_flow(in, 10);
		rig_act(&c);
		assert_int_equal(pn_data_size(pn_terminus_filter(pn_link_remote_source(in))) > 0,
		                 cases[i].understood);
		rig_send_text(&c, relay, cases[i].node, cases[i].key, "yes");
		if (cases[i].other)
			rig_send_text(&c, relay, cases[i].node, cases[i].other, "no");
		rig_expect(in, "yes", NULL);
		assert_null(pn_link_current(in));
		pn_link_close(in);
		rig_act(&c);
	}
	rig_stop(&c);
}

static void deleted_queue(void **state)
{
	struct rig_client c;
	pn_link_t *out, *in, *again;

	(void)state;
	rig_open(&c);
	out = rig_sender(&c, "out", "q");
	in = rig_receiver(&c, "in", "q", 1);
	rig_send_text(&c, out, NULL, NULL, "held");
	rig_send_text(&c, out, NULL, NULL, "waiting");
	nodes_remove(&rig.hub.nodes, nodes_find(&rig.hub.nodes, rig_text("q")));
	rig_turns();
	rig_expect_detached(out, "amqp:resource-deleted");
	rig_expect_detached(in, "amqp:resource-deleted");
	rig_settle(&c, pn_link_current(in), PN_ACCEPTED);
	again = rig_receiver(&c, "again", "q", 1);
	rig_expect_attached(again);
	assert_null(pn_link_current(again));
	rig_stop(&c);
}

static void deleted_exchange(void **state)
{
	struct rig_client c;
	pn_link_t *out;
	struct node *node;

	(void)state;
	rig_open(&c);
	nodes_add_exchange(&rig.hub.nodes, rig_text("x"), EXCHANGE_DIRECT, (struct node_flags){0},
	                   &node, NULL);
	out = rig_sender(&c, "out", "x");
	nodes_remove(&rig.hub.nodes, node);
	rig_turns();
	rig_expect_attached(out);
	rig_send_text(&c, out, NULL, "k", "x");
	rig_expect_detached(out, "amqp:resource-deleted");
	rig_stop(&c);
}

static void auto_deleted_queue(void **state)
{
	struct rig_client c;
	struct node *node;
	pn_link_t *in;

	(void)state;
	rig_open(&c);
	nodes_add_queue(&rig.hub.nodes, rig_text("q"), (struct node_flags){.auto_delete = true}, 0,
	                0, &node, NULL);
	nodes_add_queue(&rig.hub.nodes, rig_text("slow"), (struct node_flags){.auto_delete = true},
	                0, 0, &node, NULL);
	node->auto_delete_ms = 100;
	in = rig_receiver(&c, "in", "q", 1);
	rig_receiver(&c, "slow", "slow", 1);
	pn_link_close(in);
	rig_act(&c);
	assert_null(nodes_find(&rig.hub.nodes, rig_text("q")));
	rig_stop(&c);
	assert_non_null(nodes_find(&rig.hub.nodes, rig_text("slow")));
	for (int i = 0; i < 40 && nodes_find(&rig.hub.nodes, rig_text("slow")); i++)
		loop_run_once(rig.loop, 0.1);
	assert_null(nodes_find(&rig.hub.nodes, rig_text("slow")));
}

/* --- a receiver inside the process, beside ----------------------------------------------- */

static unsigned opened, downs;

static void on_up(struct connection *c, void *context)
{
	(void)c;
	(void)context;
}

static void on_open(struct receiver *r, const char *address, void *context)
{
	(void)context;
	assert_string_equal(address, "q");
	opened++;
	receiver_credit(r, 1);
}

static void on_message(struct receiver *r, struct delivery *d, void *context)
{
	(void)r;
	*(struct delivery **)context = d;
}

static void on_down(struct receiver *r, const struct error *why, double retry_s, void *context)
{
	(void)r;
	(void)context;
	assert_int_equal(why->code, GOFER_NOTFOUND);
	assert_true(retry_s > 0);
	downs++;
}

static void a_local_receiver_of_a_deleted_queue(void **state)
{
	static const struct connection_events up_only = {on_up, NULL, NULL};
	static const struct receiver_events events = {on_open, on_message, on_down};
	struct receiver_options options = {.address = "q"};
	struct local_list locals = LIST_HEAD_INITIALIZER(locals);
	struct connection *local = local_new(&rig.hub, &locals, &up_only, NULL);
	struct delivery *d = NULL;
	struct rig_client c;
	pn_link_t *out;

	(void)state;
	opened = downs = 0;
	receiver_open(local, &options, &events, &d);
	rig_open(&c);
	out = rig_sender(&c, "out", "q");
	rig_send_text(&c, out, NULL, NULL, "x");
	assert_non_null(d);
	nodes_remove(&rig.hub.nodes, nodes_find(&rig.hub.nodes, rig_text("q")));
	assert_memory_equal(delivery_message(d)->body.data, "x", 1);
	delivery_settle(d, OUTCOME_ACCEPTED, NULL);
	for (int i = 0; i < 50 && opened < 2; i++)
		loop_run_once(rig.loop, 0.1);
	assert_int_equal(opened, 2);
	assert_int_equal(downs, 1);
	connection_free(local);
	rig_stop(&c);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_free)
	const struct CMUnitTest tests[] = {
		TEST(there_and_back),
		TEST(settled_in_advance),
		TEST(each_outcome),
		TEST(undeliverable_here),
		TEST(outcome_before_settlement),
		TEST(a_lost_connection_gives_back),
		TEST(a_session_that_ends_gives_back),
		TEST(drained),
		TEST(back_pressure),
		TEST(too_late_for_the_room),
		TEST(full_is_told_apart),
		TEST(relayed),
		TEST(no_message),
		TEST(too_large),
		TEST(too_much_in_part),
		TEST(refused),
		TEST(dynamic_source),
		TEST(dynamic_queues_go_with_the_connection),
		TEST(exchanges),
		TEST(filters),
		TEST(deleted_queue),
		TEST(deleted_exchange),
		TEST(auto_deleted_queue),
		TEST(a_local_receiver_of_a_deleted_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
