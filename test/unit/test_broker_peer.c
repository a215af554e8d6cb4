/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of a connection: a client of proton's, driven by hand, back to back with a peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <crypt.h>
#include <proton/condition.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "amqp/message.h"
#include "broker/hub.h"
#include "broker/local.h"
#include "broker/peer.h"
#include "core/clock.h"

/* Proton forgets the mechanism of a sasl-init frame when another one comes. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:pn_strndup\nleak:libqpid-proton\n";
}

#define QUEUE_MESSAGES 8
#define MESSAGE_BYTES 4096

static struct loop *loop;
static struct hub hub;
static struct server server;
static struct sasl *sasl;

struct client {
	struct driver *driver;
	pn_session_t *session;
	unsigned opened, closed;
	struct error why;
};

/* --- a client ---------------------------------------------------------------------------- */

static void on_event(struct driver *d, pn_event_t *event, void *context)
{
	struct client *c = context;

	(void)d;
	if (pn_event_type(event) == PN_CONNECTION_REMOTE_OPEN)
		c->opened++;
}

static void on_closed(struct driver *d, const struct error *why, void *context)
{
	struct client *c = context;

	(void)d;
	c->closed++;
	c->why = *why;
}

static const struct driver_handler handler = {on_event, on_closed};

static void turns(void)
{
	for (int i = 0; i < 30; i++)
		loop_run_once(loop, 0);
}

static void join_by_socket(struct client *c, struct peer *peer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(driver_attach_socket(c->driver, fds[0], NULL), GOFER_OK);
	assert_int_equal(driver_attach_socket(peer_driver(peer), fds[1], NULL), GOFER_OK);
}

static void start(struct client *c, const char *user, const char *password)
{
	struct peer *peer = peer_new(&server, false, NULL);

	*c = (struct client){0};
	assert_non_null(peer);
	c->driver = driver_new(loop, false, &handler, c);
	pn_connection_set_container(driver_connection(c->driver), "test");
	if (user) {
		pn_connection_set_user(driver_connection(c->driver), user);
		pn_connection_set_password(driver_connection(c->driver), password);
		pn_sasl_set_allow_insecure_mechs(pn_sasl(driver_transport(c->driver)), true);
		pn_sasl_allowed_mechs(pn_sasl(driver_transport(c->driver)), "PLAIN");
	}
	pn_connection_open(driver_connection(c->driver));
	if (user)
		join_by_socket(c, peer);
	else
		driver_attach_peer(c->driver, peer_driver(peer));
	turns();
}

static void open_client(struct client *c)
{
	start(c, NULL, NULL);
	assert_int_equal(c->opened, 1);
	c->session = pn_session(driver_connection(c->driver));
	pn_session_open(c->session);
}

static void act(struct client *c)
{
	driver_wake(c->driver);
	turns();
}

static pn_link_t *attach_sender(struct client *c, const char *name, const char *address)
{
	pn_link_t *link = pn_sender(c->session, name);

	pn_terminus_set_address(pn_link_target(link), address);
	pn_link_open(link);
	act(c);
	return link;
}

static pn_link_t *make_receiver(struct client *c, const char *name, const char *address)
{
	pn_link_t *link = pn_receiver(c->session, name);

	pn_terminus_set_address(pn_link_source(link), address);
	return link;
}

static pn_link_t *attach_receiver(struct client *c, const char *name, const char *address,
                                  int credit)
{
	pn_link_t *link = make_receiver(c, name, address);

	pn_link_open(link);
	pn_link_flow(link, credit);
	act(c);
	return link;
}

static pn_delivery_t *send_bytes(struct client *c, pn_link_t *link, const char *bytes, size_t size)
{
	static unsigned tag;
	pn_delivery_t *delivery;

	tag++;
	delivery = pn_delivery(link, pn_dtag((const char *)&tag, sizeof(tag)));
	pn_link_send(link, bytes, size);
	pn_link_advance(link);
	act(c);
	return delivery;
}

static pn_delivery_t *send_message(struct client *c, pn_link_t *link, const struct message *m)
{
	struct buf bytes = BUF_INIT;
	pn_delivery_t *delivery;

	assert_int_equal(message_encode(&bytes, m), GOFER_OK);
	delivery = send_bytes(c, link, bytes.data, bytes.size);
	buf_release(&bytes);
	return delivery;
}

static struct slice text(const char *s)
{
	return (struct slice){s, strlen(s)};
}

static pn_delivery_t *send_text(struct client *c, pn_link_t *link, const char *to,
                                const char *subject, const char *body)
{
	struct message m = {.priority = 4, .body_kind = MESSAGE_STRING, .body = text(body)};

	if (to)
		m.to = text(to);
	if (subject)
		m.subject = text(subject);
	return send_message(c, link, &m);
}

/* Takes the current message and compares its body; its delivery-count. */
static uint32_t expect_message(pn_link_t *link, const char *body, pn_delivery_t **out)
{
	pn_delivery_t *delivery = pn_link_current(link);
	struct buf scratch = BUF_INIT;
	struct message m;
	char bytes[8192];
	ssize_t n;

	assert_non_null(delivery);
	assert_false(pn_delivery_partial(delivery));
	n = pn_link_recv(link, bytes, sizeof(bytes));
	assert_true(n > 0);
	assert_int_equal(message_decode(&m, bytes, (size_t)n, &scratch, NULL), GOFER_OK);
	assert_int_equal(m.body.size, strlen(body));
	assert_memory_equal(m.body.data, body, m.body.size);
	pn_link_advance(link);
	buf_release(&scratch);
	if (out)
		*out = delivery;
	return m.delivery_count;
}

static void settle(struct client *c, pn_delivery_t *delivery, uint64_t state)
{
	pn_delivery_update(delivery, state);
	pn_delivery_settle(delivery);
	act(c);
}

static void expect_detached(pn_link_t *link, const char *condition)
{
	assert_true(pn_link_state(link) & PN_REMOTE_CLOSED);
	assert_string_equal(pn_condition_get_name(pn_link_remote_condition(link)), condition);
}

static void expect_refused(pn_link_t *link, const char *condition)
{
	pn_terminus_t *far =
		pn_link_is_sender(link) ? pn_link_remote_target(link) : pn_link_remote_source(link);

	expect_detached(link, condition);
	assert_int_equal(pn_terminus_get_type(far), PN_UNSPECIFIED);
}

static void attached(pn_link_t *link)
{
	assert_true(pn_link_state(link) & PN_REMOTE_ACTIVE);
}

static void stop(struct client *c)
{
	driver_free(c->driver);
	turns();
}

static struct queue *queue_named(const char *name)
{
	struct node *node = nodes_find(&hub.nodes, text(name));

	assert_non_null(node);
	return node->queue;
}

/* --- set-up ------------------------------------------------------------------------------ */

static int set_up_with(struct users *users, bool anonymous)
{
	loop = loop_new(NULL);
	sasl = sasl_new(loop, users, anonymous);
	server = (struct server){.hub = &hub,
	                         .sasl = sasl,
	                         .container = "under-test",
	                         .peers_max = 3,
	                         .idle_timeout_ms = 60000};
	if (hub_init(&hub, loop, QUEUE_MESSAGES, 1 << 20, MESSAGE_BYTES))
		return -1;
	return server_init(&server);
}

static int set_up(void **state)
{
	(void)state;
	return set_up_with(NULL, true);
}

static int tear_down(void **state)
{
	(void)state;
	server_release(&server);
	hub_release(&hub);
	sasl_free(sasl);
	loop_free(loop);
	return 0;
}

/* --- connections ------------------------------------------------------------------------- */

static void what_it_says_of_itself(void **state)
{
	struct client c;
	pn_connection_t *pn;
	pn_data_t *data;
	pn_bytes_t value;

	(void)state;
	start(&c, NULL, NULL);
	pn = driver_connection(c.driver);
	assert_string_equal(pn_connection_remote_container(pn), "under-test");
	assert_int_equal(pn_transport_get_remote_max_frame(driver_transport(c.driver)), 65536);
	assert_int_equal(pn_transport_get_remote_idle_timeout(driver_transport(c.driver)), 30000);
	data = pn_connection_remote_offered_capabilities(pn);
	pn_data_rewind(data);
	assert_true(pn_data_next(data) && pn_data_enter(data) && pn_data_next(data));
	value = pn_data_get_symbol(data);
	assert_memory_equal(value.start, "ANONYMOUS-RELAY", 15);
	data = pn_connection_remote_properties(pn);
	pn_data_rewind(data);
	assert_true(pn_data_next(data) && pn_data_enter(data) && pn_data_next(data));
	value = pn_data_get_symbol(data);
	assert_memory_equal(value.start, "product", 7);
	assert_true(pn_data_next(data));
	value = pn_data_get_string(data);
	assert_memory_equal(value.start, "gofer", 5);
	pn_connection_close(pn);
	act(&c);
	assert_int_equal(c.closed, 1);
	assert_int_equal(c.why.code, GOFER_OK);
	assert_int_equal(server.peers_count, 0);
	stop(&c);
}

static void only_so_many_peers(void **state)
{
	struct client c[3];
	struct error error = ERROR_NONE;

	(void)state;
	for (int i = 0; i < 3; i++)
		open_client(&c[i]);
	assert_null(peer_new(&server, false, &error));
	assert_string_equal(error.text, "3 connections are open already");
	for (int i = 0; i < 3; i++)
		stop(&c[i]);
	assert_int_equal(server.peers_count, 0);
}

static void stopping_says_so(void **state)
{
	struct client c;
	pn_connection_t *pn;
	pn_link_t *in;

	(void)state;
	open_client(&c);
	in = attach_receiver(&c, "in", "q", 5);
	attached(in);
	server_close(&server);
	server_close(&server);
	turns();
	pn = driver_connection(c.driver);
	assert_string_equal(pn_condition_get_name(pn_connection_remote_condition(pn)),
	                    "amqp:connection:forced");
	pn_connection_close(pn);
	act(&c);
	assert_int_equal(server.peers_count, 0);
	stop(&c);
}

/* A client that does not answer the close frame has a second. */
static void a_silent_client_is_cut_off(void **state)
{
	struct client c;
	uint64_t begin = clock_monotonic_ms();

	(void)state;
	open_client(&c);
	server_close(&server);
	while (server.peers_count && clock_monotonic_ms() < begin + 10000)
		loop_run_once(loop, 0.1);
	assert_int_equal(server.peers_count, 0);
	assert_in_range(clock_monotonic_ms() - begin, 900, 4000);
	stop(&c);
}

static void too_many_links(void **state)
{
	struct client c;
	char name[24];

	(void)state;
	open_client(&c);
	for (int i = 0; i < 1025; i++) {
		pn_link_t *link;

		sprintf(name, "l%d", i);
		link = make_receiver(&c, name, i % 2 ? "q" : "amq.nope");
		pn_link_open(link);
	}
	act(&c);
	turns();
	assert_string_equal(pn_condition_get_name(
				    pn_connection_remote_condition(driver_connection(c.driver))),
	                    "amqp:resource-limit-exceeded");
	stop(&c);
	assert_int_equal(queue_named("q")->consumers, 0);
}

/* --- messages ---------------------------------------------------------------------------- */

static void there_and_back(void **state)
{
	struct client c;
	pn_link_t *out, *in;
	pn_delivery_t *sent, *got;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", "q");
	attached(out);
	assert_int_equal(pn_link_credit(out), QUEUE_MESSAGES);
	assert_int_equal(pn_link_remote_max_message_size(out), MESSAGE_BYTES);
	sent = send_text(&c, out, NULL, NULL, "hello");
	assert_int_equal(pn_delivery_remote_state(sent), PN_ACCEPTED);
	assert_true(pn_delivery_settled(sent));
	pn_delivery_settle(sent);
	in = attach_receiver(&c, "in", "q", 1);
	assert_int_equal(expect_message(in, "hello", &got), 0);
	assert_int_equal(queue_named("q")->held, 1);
	settle(&c, got, PN_ACCEPTED);
	assert_int_equal(queue_named("q")->messages, 0);
	stop(&c);
}

static void settled_in_advance(void **state)
{
	struct client c;
	pn_link_t *out, *in;

	(void)state;
	open_client(&c);
	out = pn_sender(c.session, "out");
	pn_link_set_snd_settle_mode(out, PN_SND_SETTLED);
	pn_terminus_set_address(pn_link_target(out), "q");
	pn_link_open(out);
	in = make_receiver(&c, "in", "q");
	pn_link_set_snd_settle_mode(in, PN_SND_SETTLED);
	pn_link_open(in);
	pn_link_flow(in, 5);
	act(&c);
	assert_int_equal(pn_link_remote_snd_settle_mode(out), PN_SND_SETTLED);
	assert_int_equal(pn_link_remote_snd_settle_mode(in), PN_SND_SETTLED);
	pn_delivery(out, pn_dtag("x", 1));
	pn_link_send(out, "\x00\x53\x77\x40", 4);
	pn_delivery_settle(pn_link_current(out));
	act(&c);
	assert_true(pn_delivery_settled(pn_link_current(in)));
	assert_int_equal(queue_named("q")->messages, 0);
	stop(&c);
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
	struct client c;
	pn_link_t *out, *in;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", "q");
	in = attach_receiver(&c, "in", "q", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pn_delivery_t *got;

		pn_delivery_settle(send_text(&c, out, NULL, NULL, "x"));
		assert_int_equal(expect_message(in, "x", &got), 0);
		if (cases[i].state)
			pn_delivery_update(got, cases[i].state);
		pn_delivery_settle(got);
		act(&c);
		assert_int_equal(queue_named("q")->messages, cases[i].again);
		pn_link_flow(in, 1);
		act(&c);
		if (!cases[i].again)
			continue;
		assert_int_equal(expect_message(in, "x", &got), cases[i].count);
		settle(&c, got, PN_ACCEPTED);
		pn_link_flow(in, 1);
		act(&c);
	}
	stop(&c);
}

static void undeliverable_here(void **state)
{
	struct client c;
	pn_link_t *out, *a, *b;
	pn_delivery_t *got;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", "q");
	a = attach_receiver(&c, "a", "q", 5);
	pn_delivery_settle(send_text(&c, out, NULL, NULL, "x"));
	expect_message(a, "x", &got);
	pn_disposition_set_undeliverable(pn_delivery_local(got), true);
	pn_disposition_set_failed(pn_delivery_local(got), true);
	settle(&c, got, PN_MODIFIED);
	assert_null(pn_link_current(a));
	b = attach_receiver(&c, "b", "q", 5);
	assert_int_equal(expect_message(b, "x", NULL), 1);
	stop(&c);
}

/* A receiver that settles second tells the outcome first, and is answered. */
static void outcome_before_settlement(void **state)
{
	struct client c;
	pn_link_t *out, *in;
	pn_delivery_t *got;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", "q");
	in = attach_receiver(&c, "in", "q", 5);
	send_text(&c, out, NULL, NULL, "x");
	expect_message(in, "x", &got);
	pn_delivery_update(got, PN_RECEIVED);
	act(&c);
	assert_int_equal(queue_named("q")->held, 1);
	pn_delivery_update(got, PN_ACCEPTED);
	act(&c);
	assert_true(pn_delivery_settled(got));
	assert_int_equal(queue_named("q")->messages, 0);
	stop(&c);
}

static void a_lost_connection_gives_back(void **state)
{
	struct client a, b;
	pn_link_t *out, *in;

	(void)state;
	open_client(&a);
	open_client(&b);
	out = attach_sender(&b, "out", "q");
	attach_receiver(&a, "in", "q", 5);
	send_text(&b, out, NULL, NULL, "1");
	send_text(&b, out, NULL, NULL, "2");
	in = attach_receiver(&b, "in", "q", 5);
	assert_null(pn_link_current(in));
	stop(&a);
	assert_int_equal(server.peers_count, 1);
	assert_int_equal(expect_message(in, "1", NULL), 1);
	assert_int_equal(expect_message(in, "2", NULL), 1);
	stop(&b);
}

static void a_session_that_ends_gives_back(void **state)
{
	struct client c;
	pn_link_t *in, *other;
	pn_session_t *session;

	(void)state;
	open_client(&c);
	send_text(&c, attach_sender(&c, "out", "q"), NULL, NULL, "x");
	session = pn_session(driver_connection(c.driver));
	pn_session_open(session);
	in = pn_receiver(session, "in");
	pn_terminus_set_address(pn_link_source(in), "q");
	pn_link_open(in);
	pn_link_flow(in, 1);
	act(&c);
	assert_non_null(pn_link_current(in));
	pn_session_close(session);
	act(&c);
	other = attach_receiver(&c, "other", "q", 1);
	assert_int_equal(expect_message(other, "x", NULL), 1);
	stop(&c);
}

static void drained(void **state)
{
	struct client c;
	pn_link_t *out, *in;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", "q");
	send_text(&c, out, NULL, NULL, "x");
	in = attach_receiver(&c, "in", "q", 0);
	pn_link_drain(in, 10);
	act(&c);
	expect_message(in, "x", NULL);
	assert_int_equal(pn_link_credit(in), 0);
	assert_int_equal(pn_link_drained(in), 9);
	send_text(&c, out, NULL, NULL, "y");
	assert_null(pn_link_current(in));
	pn_link_set_drain(in, false);
	pn_link_flow(in, 1);
	act(&c);
	expect_message(in, "y", NULL);
	stop(&c);
}

/* A full queue gives no credit; the sender goes on when there is room. */
static void back_pressure(void **state)
{
	struct client c;
	pn_link_t *out, *in;
	pn_delivery_t *got;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", "q");
	for (int i = 0; i < QUEUE_MESSAGES + 5; i++)
		pn_delivery_settle(send_text(&c, out, NULL, NULL, "x"));
	assert_int_equal(queue_named("q")->messages, QUEUE_MESSAGES);
	assert_int_equal(pn_link_queued(out), 5);
	in = attach_receiver(&c, "in", "q", 2);
	for (int i = 0; i < QUEUE_MESSAGES + 5; i++) {
		expect_message(in, "x", &got);
		settle(&c, got, PN_ACCEPTED);
		pn_link_flow(in, 1);
		act(&c);
	}
	assert_int_equal(pn_link_queued(out), 0);
	assert_int_equal(queue_named("q")->messages, 0);
	stop(&c);
}

/* Two senders were promised the same room: who comes too late has its message still. */
static void too_late_for_the_room(void **state)
{
	struct client c;
	pn_link_t *a, *b;
	pn_delivery_t *sent = NULL;

	(void)state;
	open_client(&c);
	a = attach_sender(&c, "a", "q");
	b = attach_sender(&c, "b", "q");
	for (int i = 0; i < QUEUE_MESSAGES; i++)
		send_text(&c, a, NULL, NULL, "x");
	sent = send_text(&c, b, NULL, NULL, "y");
	assert_int_equal(pn_delivery_remote_state(sent), PN_RELEASED);
	assert_int_equal(queue_named("q")->messages, QUEUE_MESSAGES);
	stop(&c);
}

static void relayed(void **state)
{
	struct client c;
	pn_link_t *out, *in;
	pn_delivery_t *sent;
	pn_condition_t *why;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", NULL);
	attached(out);
	assert_int_equal(pn_link_credit(out), 500);
	sent = send_text(&c, out, "q", NULL, "x");
	assert_int_equal(pn_delivery_remote_state(sent), PN_RELEASED);
	in = attach_receiver(&c, "in", "q", 10);
	sent = send_text(&c, out, "q", NULL, "x");
	assert_int_equal(pn_delivery_remote_state(sent), PN_ACCEPTED);
	expect_message(in, "x", NULL);
	sent = send_text(&c, out, NULL, NULL, "x");
	assert_int_equal(pn_delivery_remote_state(sent), PN_REJECTED);
	why = pn_disposition_condition(pn_delivery_remote(sent));
	assert_string_equal(pn_condition_get_name(why), "amqp:not-found");
	stop(&c);
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
	struct client c;
	pn_link_t *out;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", "q");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pn_delivery_t *sent = send_bytes(&c, out, cases[i].bytes, cases[i].size);
		pn_condition_t *why = pn_disposition_condition(pn_delivery_remote(sent));

		assert_int_equal(pn_delivery_remote_state(sent), PN_REJECTED);
		assert_string_equal(pn_condition_get_name(why), "amqp:decode-error");
	}
	assert_int_equal(queue_named("q")->messages, 0);
	attached(out);
	stop(&c);
}

static void too_large(void **state)
{
	char big[MESSAGE_BYTES + 1] = "";
	struct client c;
	pn_link_t *out;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", "q");
	send_bytes(&c, out, big, sizeof(big));
	expect_detached(out, "amqp:link:message-size-exceeded");
	out = attach_sender(&c, "again", "q");
	attached(out);
	stop(&c);
}

/* Many links that each send a message in part, and none that ends. */
static void too_much_in_part(void **state)
{
	char part[3000] = "";
	struct client c;
	pn_link_t *links[6];
	unsigned detached = 0;

	(void)state;
	open_client(&c);
	for (unsigned i = 0; i < 6; i++) {
		char name[24];

		sprintf(name, "l%u", i);
		links[i] = attach_sender(&c, name, "q");
		pn_delivery(links[i], pn_dtag(name, strlen(name)));
		pn_link_send(links[i], part, sizeof(part));
		act(&c);
	}
	for (unsigned i = 0; i < 6; i++)
		if (pn_link_state(links[i]) & PN_REMOTE_CLOSED)
			detached++;
	assert_int_equal(detached, 1); /* 5 x 3000 is below 4 x 4096, 6 x is not */
	expect_detached(links[5], "amqp:resource-limit-exceeded");
	pn_delivery_abort(pn_link_current(links[0]));
	act(&c);
	attached(links[0]);
	stop(&c);
}

/* --- addresses --------------------------------------------------------------------------- */

static void refused(void **state)
{
	struct client c;
	pn_link_t *link;

	(void)state;
	open_client(&c);
	expect_refused(attach_sender(&c, "a", "amq.nope"), "amqp:not-found");
	expect_refused(attach_receiver(&c, "b", "amq.nope", 1), "amqp:not-found");
	expect_refused(attach_receiver(&c, "c", NULL, 1), "amqp:invalid-field");
	expect_refused(attach_receiver(&c, "d", NODE_MANAGEMENT_NAME, 1), "amqp:invalid-field");
	link = make_receiver(&c, "e", "q");
	pn_terminus_set_distribution_mode(pn_link_source(link), PN_DIST_MODE_COPY);
	pn_link_open(link);
	act(&c);
	expect_refused(link, "amqp:not-implemented");
	link = pn_sender(c.session, "f");
	pn_terminus_set_type(pn_link_target(link), PN_COORDINATOR);
	pn_link_open(link);
	act(&c);
	expect_refused(link, "amqp:not-implemented");
	pn_link_close(link);
	act(&c);
	attached(attach_sender(&c, "g", "q"));
	stop(&c);
}

static void dynamic_source(void **state)
{
	struct client c;
	pn_link_t *in = NULL, *out;
	char address[256];

	(void)state;
	open_client(&c);
	in = make_receiver(&c, "in", NULL);
	pn_terminus_set_dynamic(pn_link_source(in), true);
	pn_link_open(in);
	pn_link_flow(in, 1);
	act(&c);
	snprintf(address, sizeof(address), "%s",
	         pn_terminus_get_address(pn_link_remote_source(in)));
	out = attach_sender(&c, "out", address);
	send_text(&c, out, NULL, NULL, "x");
	expect_message(in, "x", NULL);
	pn_link_close(in);
	act(&c);
	expect_detached(out, "amqp:resource-deleted");
	expect_refused(attach_sender(&c, "late", address), "amqp:not-found");
	assert_int_equal(hub.nodes.queues, 0);
	stop(&c);
}

/* Both ends on one connection, which is lost: the queue takes its sender along. */
static void dynamic_queues_go_with_the_connection(void **state)
{
	struct client c;
	pn_link_t *in, *target;

	(void)state;
	open_client(&c);
	for (int i = 0; i < 4; i++) {
		char name[24];

		sprintf(name, "in%d", i);
		in = make_receiver(&c, name, NULL);
		pn_terminus_set_dynamic(pn_link_source(in), true);
		pn_link_open(in);
		act(&c);
		sprintf(name, "out%d", i);
		attached(attach_sender(&c, name,
		                       pn_terminus_get_address(pn_link_remote_source(in))));
	}
	target = pn_sender(c.session, "target");
	pn_terminus_set_dynamic(pn_link_target(target), true);
	pn_link_open(target);
	act(&c);
	assert_non_null(pn_terminus_get_address(pn_link_remote_target(target)));
	assert_int_equal(hub.nodes.queues, 5);
	stop(&c);
	assert_int_equal(hub.nodes.queues, 0);
}

static void exchanges(void **state)
{
	struct client c;
	pn_link_t *out, *keyed, *in;
	pn_delivery_t *sent;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", "amq.direct");
	sent = send_text(&c, out, NULL, "k", "1");
	assert_int_equal(pn_delivery_remote_state(sent), PN_RELEASED);
	in = attach_receiver(&c, "in", "amq.direct/k", 10);
	sent = send_text(&c, out, NULL, "k", "2");
	assert_int_equal(pn_delivery_remote_state(sent), PN_ACCEPTED);
	keyed = attach_sender(&c, "keyed", "amq.direct/k");
	send_text(&c, keyed, NULL, "other", "3");
	expect_message(in, "2", NULL);
	expect_message(in, "3", NULL);
	assert_null(pn_link_current(in));
	pn_link_close(in);
	act(&c);
	sent = send_text(&c, out, NULL, "k", "4");
	assert_int_equal(pn_delivery_remote_state(sent), PN_RELEASED);
	assert_int_equal(hub.nodes.queues, 0);
	stop(&c);
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
	struct client c;
	pn_link_t *relay;

	(void)state;
	open_client(&c);
	relay = attach_sender(&c, "relay", NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[24];
		pn_link_t *in;

		sprintf(name, "l%zu", i);
		in = make_receiver(&c, name, cases[i].node);
		put_filter(in, cases[i].label, cases[i].descriptor, cases[i].code, cases[i].value);
		pn_link_open(in);
		pn_link_flow(in, 10);
		act(&c);
		assert_int_equal(pn_data_size(pn_terminus_filter(pn_link_remote_source(in))) > 0,
		                 cases[i].understood);
		send_text(&c, relay, cases[i].node, cases[i].key, "yes");
		if (cases[i].other)
			send_text(&c, relay, cases[i].node, cases[i].other, "no");
		expect_message(in, "yes", NULL);
		assert_null(pn_link_current(in));
		pn_link_close(in);
		act(&c);
	}
	stop(&c);
}

static void deleted_queue(void **state)
{
	struct client c;
	pn_link_t *out, *in, *again;

	(void)state;
	open_client(&c);
	out = attach_sender(&c, "out", "q");
	in = attach_receiver(&c, "in", "q", 1);
	send_text(&c, out, NULL, NULL, "held");
	send_text(&c, out, NULL, NULL, "waiting");
	nodes_remove(&hub.nodes, nodes_find(&hub.nodes, text("q")));
	turns();
	expect_detached(out, "amqp:resource-deleted");
	expect_detached(in, "amqp:resource-deleted");
	settle(&c, pn_link_current(in), PN_ACCEPTED);
	again = attach_receiver(&c, "again", "q", 1);
	attached(again);
	assert_null(pn_link_current(again));
	stop(&c);
}

static void deleted_exchange(void **state)
{
	struct client c;
	pn_link_t *out;
	struct node *node;

	(void)state;
	open_client(&c);
	nodes_add_exchange(&hub.nodes, text("x"), EXCHANGE_DIRECT, (struct node_flags){0}, &node,
	                   NULL);
	out = attach_sender(&c, "out", "x");
	nodes_remove(&hub.nodes, node);
	turns();
	attached(out);
	send_text(&c, out, NULL, "k", "x");
	expect_detached(out, "amqp:resource-deleted");
	stop(&c);
}

static void auto_deleted_queue(void **state)
{
	struct client c;
	struct node *node;
	pn_link_t *in;

	(void)state;
	open_client(&c);
	nodes_add_queue(&hub.nodes, text("q"), (struct node_flags){.auto_delete = true}, 0, 0,
	                &node, NULL);
	nodes_add_queue(&hub.nodes, text("slow"), (struct node_flags){.auto_delete = true}, 0, 0,
	                &node, NULL);
	node->auto_delete_ms = 100;
	in = attach_receiver(&c, "in", "q", 1);
	attach_receiver(&c, "slow", "slow", 1);
	pn_link_close(in);
	act(&c);
	assert_null(nodes_find(&hub.nodes, text("q")));
	stop(&c);
	assert_non_null(nodes_find(&hub.nodes, text("slow")));
	for (int i = 0; i < 40 && nodes_find(&hub.nodes, text("slow")); i++)
		loop_run_once(loop, 0.1);
	assert_null(nodes_find(&hub.nodes, text("slow")));
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
	struct connection *local = local_new(&hub, &locals, &up_only, NULL);
	struct delivery *d = NULL;
	struct client c;
	pn_link_t *out;

	(void)state;
	opened = downs = 0;
	receiver_open(local, &options, &events, &d);
	open_client(&c);
	out = attach_sender(&c, "out", "q");
	send_text(&c, out, NULL, NULL, "x");
	assert_non_null(d);
	nodes_remove(&hub.nodes, nodes_find(&hub.nodes, text("q")));
	assert_memory_equal(delivery_message(d)->body.data, "x", 1);
	delivery_settle(d, OUTCOME_ACCEPTED, NULL);
	for (int i = 0; i < 50 && opened < 2; i++)
		loop_run_once(loop, 0.1);
	assert_int_equal(opened, 2);
	assert_int_equal(downs, 1);
	connection_free(local);
	stop(&c);
}

/* --- logging in -------------------------------------------------------------------------- */

static struct users *users;
static char users_path[] = "/tmp/test-broker-peer-XXXXXX";

static int set_up_users(bool hashed, bool anonymous)
{
	struct crypt_data data = {0};
	int fd;
	FILE *file;

	strcpy(strrchr(users_path, '-'), "-XXXXXX");
	fd = mkstemp(users_path);
	file = fdopen(fd, "w");
	fprintf(file, "ann:%s\n", hashed ? crypt_r("secret", "$6$saltsalt$", &data) : "secret");
	fclose(file);
	users = users_load(users_path, NULL);
	unlink(users_path);
	return users ? set_up_with(users, anonymous) : -1;
}

static int set_up_plain(void **state)
{
	(void)state;
	return set_up_users(false, false);
}

static int set_up_hashed(void **state)
{
	(void)state;
	return set_up_users(true, false);
}

static int set_up_both(void **state)
{
	(void)state;
	return set_up_users(false, true);
}

static int tear_down_users(void **state)
{
	int result = tear_down(state);

	users_free(users);
	return result;
}

/* 1: it got in; 0: it was turned away. */
static unsigned login(const char *user, const char *password)
{
	uint64_t limit = clock_monotonic_ms() + 5000;
	struct client c;

	start(&c, user, password);
	while (!c.opened && !c.closed && clock_monotonic_ms() < limit)
		loop_run_once(loop, 0.05);
	if (!c.opened) {
		assert_int_equal(c.closed, 1);
		assert_true(c.why.code == GOFER_AUTH || !user);
	}
	stop(&c);
	for (int i = 0; i < 100 && server.peers_count; i++)
		loop_run_once(loop, 0.05);
	assert_int_equal(server.peers_count, 0);
	return c.opened;
}

static void passwords(void **state)
{
	(void)state;
	assert_int_equal(login("ann", "secret"), 1);
	assert_int_equal(login("ann", "Secret"), 0);
	assert_int_equal(login("ann", ""), 0);
	assert_int_equal(login("bob", "secret"), 0);
	assert_int_equal(login(NULL, NULL), 0);
}

static void passwords_or_none(void **state)
{
	(void)state;
	assert_int_equal(login("ann", "secret"), 1);
	assert_int_equal(login("ann", "Secret"), 0);
	assert_int_equal(login(NULL, NULL), 1);
}

/* The client goes while its password is being checked. */
static void gone_before_the_check_is_done(void **state)
{
	struct client c;

	(void)state;
	for (int i = 0; i < 3; i++) {
		start(&c, "ann", "secret");
		stop(&c);
		for (int j = 0; j < 100 && server.peers_count; j++)
			loop_run_once(loop, 0.05);
	}
	assert_int_equal(server.peers_count, 0);
}

/* Neither SASL nor anything else: the AMQP header at once. */
static void without_sasl(void **state)
{
	struct peer *peer = peer_new(&server, false, NULL);
	struct buf out = BUF_INIT;

	(void)state;
	driver_push(peer_driver(peer), "AMQP\0\1\0\0", 8);
	driver_push(peer_driver(peer), "\0\0\0\x11\x02\0\0\0\0S\x10\xc0\4\1\xa1\1x", 17);
	driver_pull(peer_driver(peer), &out);
	turns();
	assert_int_equal(server.peers_count, 0);
	buf_release(&out);
}

/* Proton takes such a frame at any time, and forgets something each time. */
static void a_second_login(void **state)
{
	static const char init[] = "\0\0\0\x1a\2\1\0\0\0S\x41\xc0\x0d\2\xa3\x09"
				   "ANONYMOUS\x40";
	struct peer *peer = peer_new(&server, false, NULL);
	struct buf out = BUF_INIT;

	(void)state;
	driver_push(peer_driver(peer), "AMQP\3\1\0\0", 8);
	driver_push(peer_driver(peer), init, sizeof(init) - 1);
	driver_pull(peer_driver(peer), &out);
	driver_push(peer_driver(peer), "AMQP\0\1\0\0", 8);
	driver_push(peer_driver(peer), "\0\0\0\x11\2\0\0\0\0S\x10\xc0\4\1\xa1\1x", 17);
	driver_pull(peer_driver(peer), &out);
	turns();
	assert_int_equal(server.peers_count, 1);
	assert_int_equal(peer->deadline_ms, 0); /* the open frame was understood */
	driver_push(peer_driver(peer), init, sizeof(init) - 1);
	turns();
	assert_int_equal(server.peers_count, 0);
	buf_release(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_it_says_of_itself),
		TEST(only_so_many_peers),
		TEST(stopping_says_so),
		TEST(a_second_login),
		TEST(a_silent_client_is_cut_off),
		TEST(too_many_links),
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
		cmocka_unit_test_setup_teardown(passwords, set_up_plain, tear_down_users),
		cmocka_unit_test_setup_teardown(passwords, set_up_hashed, tear_down_users),
		cmocka_unit_test_setup_teardown(passwords_or_none, set_up_both, tear_down_users),
		cmocka_unit_test_setup_teardown(gone_before_the_check_is_done, set_up_hashed,
	                                        tear_down_users),
		cmocka_unit_test_setup_teardown(without_sasl, set_up_plain, tear_down_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
