/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <proton/delivery.h>
#include <proton/session.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "test/unit/client_fixture.h"

/* --- attaching ----------------------------------------------------------------------------- */

static void attaches_and_receives(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 2};

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	assert_string_equal(p.address, "q");
	assert_string_equal(f.server.last_source, "q");
	assert_int_equal(f.server.last_durability, PN_NONDURABLE);
	assert_string_equal(f.server.last_capability, "");
	UNTIL(f.loop, fake_server_send(&f.server, "q", "a"));
	assert_true(fake_server_send(&f.server, "q", "b"));
	assert_false(fake_server_send(&f.server, "q", "c"));
	UNTIL(f.loop, p.messages == 2);
	assert_string_equal(p.bodies, "a b");
	client_fixture_release(&f);
}

static void opened_when_up_already(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 1};

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_up(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	probe_close(&p);
	UNTIL(f.loop, f.server.sessions == 0);
	client_fixture_release(&f);
}

static void a_queue_is_durable_where_asked(void **state)
{
	static const struct receiver_options options = {.address = "q", .durable = true};
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_start(&f);
	probe_open_with(&f, &p, &options);
	UNTIL(f.loop, p.opens == 1);
	assert_int_equal(f.server.last_durability, PN_DELIVERIES);
	client_fixture_release(&f);
}

static void an_unknown_broker_is_told_that_it_is_a_queue(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "something else");
	client_fixture_start(&f);
	probe_open(&f, &p, "a/b");
	UNTIL(f.loop, p.opens == 1);
	assert_string_equal(f.server.last_source, "a/b");
	assert_string_equal(f.server.last_capability, "queue");
	client_fixture_release(&f);
}

static void a_temporary_queue_has_the_address_of_the_broker(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.persistent = true;
	client_fixture_start(&f);
	probe_open(&f, &p, NULL);
	UNTIL(f.loop, p.opens == 1);
	assert_string_equal(p.address, "temp-1");
	fake_server_vanish(&f.server);
	UNTIL(f.loop, p.opens == 2);
	assert_string_equal(p.address, "temp-2");
	client_fixture_release(&f);
}

/* Nobody else's queue may have the name that the broker makes of it. */
static void a_container_of_several_processes(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.container_id = "all of us";
	client_fixture_start(&f);
	probe_open(&f, &p, NULL);
	UNTIL(f.loop, p.opens == 1);
	assert_int_equal(strlen(pn_link_name(fake_server_sender(&f.server, "temp-1"))), 36);
	client_fixture_release(&f);
}

static void a_broker_without_temporary_queues(void **state)
{
	struct client_fixture f;
	struct probe a = {0}, b = {0}, c = {0};

	(void)state;
	client_fixture_init(&f, "RabbitMQ");
	f.options.persistent = true;
	client_fixture_start(&f);
	probe_open(&f, &a, NULL);
	probe_open(&f, &b, NULL);
	UNTIL(f.loop, a.opens == 1 && b.opens == 1);
	assert_int_equal(strlen(a.address), 36);
	assert_string_not_equal(a.address, b.address);
	assert_int_equal(f.server.last_durability, PN_NONDURABLE);
	assert_memory_equal(f.server.last_source, "/queue/", 7);
	/* The same ones after a reconnect, and for the next receiver. */
	memcpy(c.address, a.address, sizeof(c.address));
	fake_server_vanish(&f.server);
	UNTIL(f.loop, a.opens == 2);
	assert_string_equal(a.address, c.address);
	probe_close(&a);
	probe_open(&f, &c, NULL);
	UNTIL(f.loop, c.opens == 1);
	assert_string_equal(a.address, c.address);
	client_fixture_release(&f);
}

static void a_queue_that_is_otherwise(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "RabbitMQ");
	f.server.nodes[0] = (struct fake_server_node){.address = "/queue/q",
	                                              .condition = "amqp:precondition-failed",
	                                              .end_session = true};
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	assert_string_equal(f.server.last_source, "/amq/queue/q");
	assert_string_equal(p.address, "q");
	assert_int_equal(p.downs, 0);
	client_fixture_release(&f);
}

static void no_more_sessions(void **state)
{
	struct client_fixture f;
	struct probe a = {0}, b = {0}, c = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.channel_max = 1; /* which makes two */
	client_fixture_start(&f);
	probe_open(&f, &a, "a");
	probe_open(&f, &b, "b");
	UNTIL(f.loop, a.opens == 1 && b.opens == 1);
	probe_open(&f, &c, "c");
	UNTIL(f.loop, c.downs == 1);
	assert_int_equal(c.why.code, GOFER_FULL);
	assert_non_null(strstr(c.why.text, "2 sessions"));
	probe_close(&a);
	UNTIL(f.loop, c.opens == 1);
	assert_int_equal(f.downs, 0);
	client_fixture_release(&f);
}

/* --- credit --------------------------------------------------------------------------------- */

static void no_credit_before_the_attach_is_answered(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.nodes[0] = (struct fake_server_node){.address = "q", .mute = true};
	client_fixture_up(&f);
	probe_open(&f, &p, "q");
	receiver_credit(p.r, 5);
	UNTIL(f.loop, f.server.last_source[0]);
	receiver_credit(p.r, 5);
	turn(f.loop, 0.05);
	assert_int_equal(f.server.flows, 0);
	client_fixture_release(&f);
}

static void credit_is_forgotten_with_the_link(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.persistent = true;
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	receiver_credit(p.r, 3);
	UNTIL(f.loop, pn_link_credit(fake_server_sender(&f.server, "q")) == 3);
	fake_server_vanish(&f.server);
	UNTIL(f.loop, p.opens == 2);
	turn(f.loop, 0.02);
	assert_int_equal(pn_link_credit(fake_server_sender(&f.server, "q")), 0);
	client_fixture_release(&f);
}

/* Credit given one by one goes out as one frame for each half of the window. */
static void credit_is_told_by_halves(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 100};
	unsigned messages = 0;
	uint64_t frames;

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	UNTIL(f.loop, pn_link_credit(fake_server_sender(&f.server, "q")) == 100);
	frames = pn_transport_get_frames_input(driver_transport(f.server.driver));
	while (messages < 200) {
		assert_true(fake_server_send(&f.server, "q", "x"));
		messages++;
		UNTIL(f.loop, p.messages == messages);
		receiver_credit(p.r, 1);
		loop_run_once(f.loop, 0);
		turn(f.loop, 0);
	}
	turn(f.loop, 0.02);
	frames = pn_transport_get_frames_input(driver_transport(f.server.driver)) - frames;
	/* One disposition for each of them, and the flows. */
	assert_in_range(frames, 202, 206);
	client_fixture_release(&f);
}

/* What is held back is told when nothing else is left. */
static void held_credit_is_never_stuck(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 10};

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	UNTIL(f.loop,
	      fake_server_sender(&f.server, "q") &&
	              pn_link_credit(fake_server_sender(&f.server, "q")) == 10);
	receiver_credit(p.r, 3); /* held */
	for (unsigned i = 0; i < 13; i++)
		UNTIL(f.loop, fake_server_send(&f.server, "q", "x"));
	UNTIL(f.loop, p.messages == 13);
	client_fixture_release(&f);
}

/* --- refused, detached, lost ------------------------------------------------------------------ */

static void a_refused_link_is_retried_alone(void **state)
{
	struct client_fixture f;
	struct probe bad = {0}, good = {.credit = 1};

	(void)state;
	client_fixture_init(&f, "something else");
	f.server.nodes[0] = (struct fake_server_node){.address = "bad",
	                                              .condition = "amqp:not-found",
	                                              .refusals = 1};
	client_fixture_start(&f);
	probe_open(&f, &bad, "bad");
	probe_open(&f, &good, "good");
	UNTIL(f.loop, bad.downs == 1 && good.opens == 1);
	assert_int_equal(bad.why.code, GOFER_NOTFOUND);
	assert_string_equal(bad.why.text, "bad: as the script says (amqp:not-found)");
	assert_in_range(bad.retry_s * 1000, 0, 1000);
	assert_int_equal(bad.opens, 0);
	UNTIL(f.loop, bad.opens == 1);
	assert_int_equal(good.downs, 0);
	assert_int_equal(f.downs, 0);
	assert_int_equal(f.server.connections, 1);
	client_fixture_release(&f);
}

static void refused_by_the_end_of_its_session(void **state)
{
	struct client_fixture f;
	struct probe bad = {0}, good = {.credit = 1};

	(void)state;
	client_fixture_init(&f, "something else");
	f.server.nodes[0] = (struct fake_server_node){.address = "bad",
	                                              .condition = "amqp:not-found",
	                                              .refusals = 2,
	                                              .end_session = true};
	client_fixture_start(&f);
	probe_open(&f, &good, "good");
	probe_open(&f, &bad, "bad");
	UNTIL(f.loop, bad.opens == 1);
	assert_int_equal(bad.downs, 2);
	assert_int_equal(good.downs, 0);
	assert_true(fake_server_send(&f.server, "good", "a"));
	UNTIL(f.loop, good.messages == 1);
	assert_int_equal(f.server.sessions, 2);
	client_fixture_release(&f);
}

static void an_attach_that_is_not_answered(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.connect_timeout_s = 0.1;
	f.server.nodes[0] = (struct fake_server_node){.address = "q", .mute = true};
	client_fixture_up(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.downs == 1);
	assert_int_equal(p.why.code, GOFER_TIMEOUT);
	f.server.nodes[0].mute = false;
	UNTIL(f.loop, p.opens == 1);
	client_fixture_release(&f);
}

static void a_deleted_queue_is_attached_again(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 1};

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_up(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	turn(f.loop, 1.05); /* it has lasted: attached again at once */
	fake_server_detach(&f.server, fake_server_sender(&f.server, "q"), "amqp:resource-deleted");
	UNTIL(f.loop, p.downs == 1);
	assert_int_equal(p.why.code, GOFER_NOTFOUND);
	assert_true(p.retry_s == 0);
	UNTIL(f.loop, p.opens == 2);
	UNTIL(f.loop, fake_server_send(&f.server, "q", "a"));
	UNTIL(f.loop, p.messages == 1);
	client_fixture_release(&f);
}

static void one_that_does_not_last_waits(void **state)
{
	struct client_fixture f;
	struct probe p = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_up(&f);
	probe_open(&f, &p, "q");
	for (unsigned i = 1; i <= 3; i++) {
		UNTIL(f.loop, p.opens == i);
		fake_server_detach(&f.server, fake_server_sender(&f.server, "q"),
		                   "amqp:resource-deleted");
		UNTIL(f.loop, p.downs == i);
		assert_true(p.retry_s > 0 && p.retry_s <= 1 << (i - 1));
		if (p.retry_s > 1.5)
			break;
	}
	client_fixture_release(&f);
}

static void lost_with_the_connection(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 1};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.persistent = true;
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	fake_server_vanish(&f.server);
	UNTIL(f.loop, p.downs == 1);
	assert_int_equal(f.downs, 1);
	assert_true(p.retry_s < 0);
	UNTIL(f.loop, p.opens == 2);
	assert_int_equal(p.downs, 1);
	client_fixture_release(&f);
}

/* --- deliveries ------------------------------------------------------------------------------- */

static pn_delivery_t *delivered(struct client_fixture *f, struct probe *p, const char *body)
{
	static const char head[] = "\x00\x53\x77\xa1";
	unsigned messages = p->messages;
	char bytes[64];
	pn_delivery_t *d;

	memcpy(bytes, head, 4);
	bytes[4] = (char)strlen(body);
	memcpy(bytes + 5, body, strlen(body));
	d = fake_server_send_bytes(&f->server, "q", bytes, 5 + strlen(body));
	assert_non_null(d);
	UNTIL(f->loop, p->messages == messages + 1);
	return d;
}

static void settles_with_every_outcome(void **state)
{
	static const struct {
		enum outcome outcome;
		uint64_t state;
	} cases[] = {
		{OUTCOME_ACCEPTED, PN_ACCEPTED}, {OUTCOME_REJECTED, PN_REJECTED},
		{OUTCOME_RELEASED, PN_RELEASED}, {OUTCOME_MODIFIED, PN_MODIFIED},
		{OUTCOME_LOST, PN_RELEASED},
	};
	struct error why = {GOFER_INVALID, "no JSON"};
	struct client_fixture f;
	struct probe p = {.credit = 10, .keep = true};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.keep_settled = true;
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1 && pn_link_credit(fake_server_sender(&f.server, "q")) == 10);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		pn_delivery_t *d = delivered(&f, &p, "a");
		pn_condition_t *condition;

		delivery_settle(p.deliveries[i], cases[i].outcome, &why);
		UNTIL(f.loop, pn_delivery_settled(d));
		assert_int_equal(pn_delivery_remote_state(d), cases[i].state);
		condition = pn_disposition_condition(pn_delivery_remote(d));
		if (cases[i].outcome == OUTCOME_REJECTED) {
			assert_string_equal(pn_condition_get_name(condition), "amqp:decode-error");
			assert_string_equal(pn_condition_get_description(condition), "no JSON");
		}
		pn_delivery_settle(d);
	}
	client_fixture_release(&f);
}

static void rabbitmq_is_sent_no_modified(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 10, .keep = true};
	pn_delivery_t *d;

	(void)state;
	client_fixture_init(&f, "RabbitMQ");
	f.server.keep_settled = true;
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	assert_string_equal(f.server.last_source, "/queue/q");
	UNTIL(f.loop, pn_link_credit(fake_server_sender(&f.server, "/queue/q")) == 10);
	d = fake_server_send_bytes(&f.server, "/queue/q", "\x00\x53\x77\xa1\x01z", 6);
	UNTIL(f.loop, p.messages == 1);
	delivery_settle(p.deliveries[0], OUTCOME_MODIFIED, NULL);
	UNTIL(f.loop, pn_delivery_settled(d));
	assert_int_equal(pn_delivery_remote_state(d), PN_RELEASED);
	client_fixture_release(&f);
}

static void a_delivery_outlives_all_else(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 10, .keep = true};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.persistent = true;
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1 && pn_link_credit(fake_server_sender(&f.server, "q")) == 10);
	delivered(&f, &p, "connection");
	fake_server_vanish(&f.server);
	UNTIL(f.loop, p.opens == 2 && pn_link_credit(fake_server_sender(&f.server, "q")) == 10);
	delivered(&f, &p, "receiver");
	delivered(&f, &p, "all");
	delivery_settle(p.deliveries[0], OUTCOME_ACCEPTED, NULL);
	probe_close(&p);
	delivery_settle(p.deliveries[1], OUTCOME_REJECTED, NULL);
	connection_free(f.c);
	f.c = NULL;
	assert_int_equal(delivery_message(p.deliveries[2])->body.size, 3);
	delivery_settle(p.deliveries[2], OUTCOME_ACCEPTED, NULL);
	client_fixture_release(&f);
}

/* What a receiver holds when it closes goes back, and is not taken for done. */
static void a_closed_receiver_gives_back(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 10, .keep = true};
	pn_delivery_t *d;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.keep_settled = true;
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1 && pn_link_credit(fake_server_sender(&f.server, "q")) == 10);
	d = delivered(&f, &p, "a");
	probe_close(&p);
	UNTIL(f.loop, pn_delivery_settled(d));
	assert_int_equal(pn_delivery_remote_state(d), PN_RELEASED);
	delivery_settle(p.deliveries[0], OUTCOME_ACCEPTED, NULL);
	client_fixture_release(&f);
}

static void no_message_at_all(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 2, .keep = true};

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1 && pn_link_credit(fake_server_sender(&f.server, "q")) == 2);
	fake_server_send_bytes(&f.server, "q", "garbage", 7);
	UNTIL(f.loop, p.messages == 1);
	assert_null(delivery_message(p.deliveries[0]));
	delivery_settle(p.deliveries[0], OUTCOME_REJECTED, NULL);
	client_fixture_release(&f);
}

/* Larger than any frame and than what the engines hold at once. */
static void a_large_message(void **state)
{
	enum { SIZE = 3 << 20 };
	static const char head[] = "\x00\x53\x75\xb0";
	char *bytes = malloc(8 + SIZE);
	struct client_fixture f;
	struct probe p = {.credit = 2, .keep = true};
	const struct message *m;

	(void)state;
	memset(bytes, 'x', 8 + SIZE);
	memcpy(bytes, head, 4);
	memcpy(bytes + 4, (char[]){0, SIZE >> 16, 0, 0}, 4);
	client_fixture_init(&f, "gofer");
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1 && pn_link_credit(fake_server_sender(&f.server, "q")) == 2);
	fake_server_send_bytes(&f.server, "q", bytes, 8 + SIZE);
	UNTIL(f.loop, p.messages == 1);
	m = delivery_message(p.deliveries[0]);
	assert_int_equal(m->body_kind, MESSAGE_DATA);
	assert_int_equal(m->body.size, SIZE);
	delivery_settle(p.deliveries[0], OUTCOME_ACCEPTED, NULL);
	free(bytes);
	client_fixture_release(&f);
}

static void an_aborted_message_costs_no_credit(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 1};
	pn_delivery_t *d;
	pn_link_t *link;

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1 && pn_link_credit(fake_server_sender(&f.server, "q")) == 1);
	link = fake_server_sender(&f.server, "q");
	d = pn_delivery(link, pn_dtag("t", 1));
	pn_link_send(link, "half a mess", 11);
	driver_wake(f.server.driver);
	turn(f.loop, 0.02);
	pn_delivery_abort(d);
	driver_wake(f.server.driver);
	UNTIL(f.loop, fake_server_send(&f.server, "q", "a"));
	UNTIL(f.loop, p.messages == 1);
	assert_string_equal(p.bodies, "a");
	client_fixture_release(&f);
}

/* --- called from callbacks ----------------------------------------------------------------------- */

static void closed_in_its_callbacks(void **state)
{
	struct client_fixture f;
	struct probe open = {.close_on_open = true};
	struct probe message = {.close_on_message = true, .credit = 2};
	struct probe down = {.close_on_down = true};

	(void)state;
	client_fixture_init(&f, "something else");
	f.server.nodes[0] =
		(struct fake_server_node){.address = "down", .condition = "amqp:not-found"};
	client_fixture_up(&f);
	probe_open(&f, &open, "open");
	UNTIL(f.loop, open.opens == 1);
	probe_open(&f, &message, "q");
	UNTIL(f.loop, message.opens == 1);
	UNTIL(f.loop, fake_server_send(&f.server, "q", "a"));
	fake_server_send(&f.server, "q", "b");
	UNTIL(f.loop, message.messages == 1);
	probe_open(&f, &down, "down");
	UNTIL(f.loop, down.downs == 1);
	turn(f.loop, 0.05);
	assert_int_equal(message.messages, 1);
	assert_int_equal(f.server.sessions, 0);
	assert_int_equal(f.downs, 0);
	client_fixture_release(&f);
}

static void the_connection_freed_in_callbacks(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct client_fixture f;
		struct probe p = {.credit = 2,
		                  .free_on_open = i == 0,
		                  .free_on_message = i == 1,
		                  .free_on_down = i == 2};
		struct probe other = {.credit = 2};

		client_fixture_init(&f, "gofer");
		client_fixture_start(&f);
		probe_open(&f, &other, "other");
		probe_open(&f, &p, "q");
		UNTIL(f.loop, p.opens == 1);
		if (i == 1)
			UNTIL(f.loop, fake_server_send(&f.server, "q", "a"));
		if (i == 2)
			fake_server_vanish(&f.server);
		UNTIL(f.loop, !f.c);
		client_fixture_release(&f);
	}
}

/* Its end must wait for the answer, or the engine takes the answer for a fault. */
static void closed_before_it_is_answered(void **state)
{
	struct client_fixture f;
	struct probe p = {0}, next = {0};
	pn_link_t *link;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.nodes[0] = (struct fake_server_node){.address = "q", .mute = true};
	client_fixture_up(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, f.server.last_source[0]);
	probe_close(&p);
	probe_open(&f, &next, "next");
	UNTIL(f.loop, next.opens == 1);
	assert_int_equal(f.server.sessions, 2);
	link = pn_link_head(driver_connection(f.server.driver), PN_LOCAL_UNINIT);
	pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
	pn_link_open(link);
	driver_wake(f.server.driver);
	UNTIL(f.loop, f.server.sessions == 1);
	assert_int_equal(f.downs, 0);
	client_fixture_release(&f);
}

/* The answer is that its session ends. */
static void closed_before_it_is_refused(void **state)
{
	struct client_fixture f;
	struct probe p = {0};
	pn_session_t *session;

	(void)state;
	client_fixture_init(&f, "RabbitMQ");
	f.server.nodes[0] = (struct fake_server_node){.address = "/queue/q", .mute = true};
	client_fixture_up(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, f.server.last_source[0]);
	probe_close(&p);
	turn(f.loop, 0.02);
	session = pn_session_head(driver_connection(f.server.driver), PN_LOCAL_ACTIVE);
	pn_session_close(session);
	driver_wake(f.server.driver);
	UNTIL(f.loop, f.server.sessions == 0);
	assert_int_equal(f.downs, 0);
	client_fixture_release(&f);
}

static void silent_after_a_close(void **state)
{
	struct client_fixture f;
	struct probe p = {.credit = 5, .keep = true};

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_start(&f);
	probe_open(&f, &p, "q");
	UNTIL(f.loop, p.opens == 1);
	UNTIL(f.loop, fake_server_send(&f.server, "q", "a"));
	fake_server_send(&f.server, "q", "b");
	connection_close(f.c);
	receiver_credit(p.r, 5);
	UNTIL(f.loop, f.closed == 1);
	assert_int_equal(p.messages, 0);
	assert_int_equal(p.downs, 0);
	probe_close(&p);
	client_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attaches_and_receives),
		cmocka_unit_test(opened_when_up_already),
		cmocka_unit_test(a_queue_is_durable_where_asked),
		cmocka_unit_test(an_unknown_broker_is_told_that_it_is_a_queue),
		cmocka_unit_test(a_temporary_queue_has_the_address_of_the_broker),
		cmocka_unit_test(a_container_of_several_processes),
		cmocka_unit_test(a_broker_without_temporary_queues),
		cmocka_unit_test(a_queue_that_is_otherwise),
		cmocka_unit_test(no_more_sessions),
		cmocka_unit_test(no_credit_before_the_attach_is_answered),
		cmocka_unit_test(credit_is_forgotten_with_the_link),
		cmocka_unit_test(credit_is_told_by_halves),
		cmocka_unit_test(held_credit_is_never_stuck),
		cmocka_unit_test(a_refused_link_is_retried_alone),
		cmocka_unit_test(refused_by_the_end_of_its_session),
		cmocka_unit_test(an_attach_that_is_not_answered),
		cmocka_unit_test(a_deleted_queue_is_attached_again),
		cmocka_unit_test(one_that_does_not_last_waits),
		cmocka_unit_test(lost_with_the_connection),
		cmocka_unit_test(settles_with_every_outcome),
		cmocka_unit_test(rabbitmq_is_sent_no_modified),
		cmocka_unit_test(a_delivery_outlives_all_else),
		cmocka_unit_test(a_closed_receiver_gives_back),
		cmocka_unit_test(no_message_at_all),
		cmocka_unit_test(a_large_message),
		cmocka_unit_test(an_aborted_message_costs_no_credit),
		cmocka_unit_test(closed_in_its_callbacks),
		cmocka_unit_test(the_connection_freed_in_callbacks),
		cmocka_unit_test(closed_before_it_is_answered),
		cmocka_unit_test(closed_before_it_is_refused),
		cmocka_unit_test(silent_after_a_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
