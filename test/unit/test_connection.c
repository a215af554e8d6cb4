/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <proton/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "test/unit/client_fixture.h"

/* --- up and down ------------------------------------------------------------------------- */

static void comes_up_and_closes(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_start(&f);
	assert_int_equal(f.ups, 0);
	assert_false(connection_is_up(f.c));
	assert_string_equal(connection_product(f.c), "");
	UNTIL(f.loop, f.ups == 1);
	assert_true(connection_is_up(f.c));
	assert_string_equal(connection_product(f.c), "gofer");
	assert_int_equal(connection_request_body(f.c), MESSAGE_STRING);
	assert_string_equal(f.server.hostname, "broker.test");
	connection_close(f.c);
	connection_close(f.c);
	assert_int_equal(f.closed, 0);
	UNTIL(f.loop, f.closed == 1);
	assert_int_equal(f.server.closes, 1);
	assert_int_equal(f.downs, 0);
	assert_false(connection_is_up(f.c));
	client_fixture_release(&f);
}

static void tells_the_peer_who_it_is(void **state)
{
	struct client_fixture f;
	pn_connection_t *remote;
	pn_data_t *properties;
	pn_bytes_t key, value;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.container_id = "me";
	f.options.heartbeat_s = 7;
	client_fixture_up(&f);
	remote = driver_connection(f.server.driver);
	assert_string_equal(pn_connection_remote_container(remote), "me");
	/* Half of what it waits for, as the protocol recommends. */
	assert_int_equal(pn_transport_get_remote_idle_timeout(driver_transport(f.server.driver)),
	                 3500);
	properties = pn_connection_remote_properties(remote);
	pn_data_rewind(properties);
	assert_true(pn_data_next(properties));
	pn_data_enter(properties);
	pn_data_next(properties);
	key = pn_data_get_symbol(properties);
	pn_data_next(properties);
	value = pn_data_get_string(properties);
	assert_memory_equal(key.start, "product", key.size);
	assert_memory_equal(value.start, "gofer", value.size);
	client_fixture_release(&f);
}

static void a_failure_is_the_last_one(void **state)
{
	struct client_fixture f;
	struct sent sent = {0};

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.unreachable = true;
	client_fixture_start(&f);
	assert_int_equal(send_text(&f, &sent, "q", "a"), GOFER_OK);
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_UNREACHABLE);
	assert_string_equal(f.why.text, "broker.test:5672: nobody there");
	assert_true(f.retry_s < 0);
	UNTIL(f.loop, sent.outcomes == 1);
	assert_int_equal(sent.outcome, OUTCOME_LOST);
	assert_int_equal(send_text(&f, NULL, "q", "a"), GOFER_CANCELLED);
	turn(f.loop, 0.7);
	assert_int_equal(f.server.starts, 1);
	connection_close(f.c);
	UNTIL(f.loop, f.closed == 1);
	client_fixture_release(&f);
}

static void a_persistent_one_tries_again(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.persistent = true;
	f.server.unreachable = true;
	client_fixture_start(&f);
	UNTIL(f.loop, f.downs == 2);
	assert_in_range(f.retry_s * 1000, 0, 1000);
	f.server.unreachable = false;
	UNTIL(f.loop, f.ups == 1);
	fake_server_vanish(&f.server);
	UNTIL(f.loop, f.downs == 3);
	assert_int_equal(f.why.code, GOFER_IO);
	assert_true(f.retry_s >= 0);
	UNTIL(f.loop, f.ups == 2);
	client_fixture_release(&f);
}

static void why_the_broker_closed_is_told(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_up(&f);
	fake_server_close(&f.server, "amqp:connection:forced");
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_UNREACHABLE);
	assert_string_equal(f.why.text,
	                    "broker.test:5672: as the script says (amqp:connection:forced)");
	client_fixture_release(&f);
}

static void a_close_without_reason_is_told(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, NULL);
	client_fixture_up(&f);
	assert_string_equal(connection_product(f.c), "");
	fake_server_close(&f.server, "");
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_UNREACHABLE);
	assert_string_equal(f.why.text, "broker.test:5672: the broker closed the connection");
	client_fixture_release(&f);
}

static void refused_at_its_open_frame(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.persistent = true;
	f.server.open_condition = "amqp:unauthorized-access";
	client_fixture_start(&f);
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_AUTH);
	/* It is tried again, but not soon. */
	assert_in_range(f.retry_s, 30, 60);
	client_fixture_release(&f);
}

static void one_attempt_has_a_limit(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.connect_timeout_s = 0.1;
	f.server.silent = true;
	client_fixture_start(&f);
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_TIMEOUT);
	assert_string_equal(f.why.text,
	                    "broker.test:5672: not connected within 0.1 s (connecting)");
	client_fixture_release(&f);
}

static void a_peer_that_says_nothing(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.options.connect_timeout_s = 0.1;
	f.server.detached = true;
	client_fixture_start(&f);
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_TIMEOUT);
	assert_non_null(strstr(f.why.text, "waiting for its answer"));
	client_fixture_release(&f);
}

/* --- peers from bytes -------------------------------------------------------------------- */

static void push(struct client_fixture *f, const char *bytes, size_t size)
{
	struct buf out = BUF_INIT;

	UNTIL(f->loop, f->server.connections == 1);
	driver_pull(f->server.client, &out);
	driver_push(f->server.client, bytes, size);
	driver_pull(f->server.client, &out);
	buf_release(&out);
}

#define BYTES(text) text, sizeof(text) - 1
#define SASL_HEADER "AMQP\x03\x01\x00\x00"
/* SASL frames: size, data offset, type 1, channel 0, then the list: one mechanism; the outcome 1. */
#define MECHANISMS "\0\0\0\x15\x02\x01\0\0\0\x53\x40\xc0\x08\x01\xa3\x05PLAIN"
#define OUTCOME_AUTH "\0\0\0\x10\x02\x01\0\0\0\x53\x44\xc0\x03\x01\x50\x01"
static void a_web_server(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.detached = true;
	client_fixture_start(&f);
	push(&f, BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"));
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_PROTOCOL);
	assert_string_equal(f.why.text,
	                    "broker.test:5672: the other side is no AMQP 1.0 peer: it speaks HTTP");
	client_fixture_release(&f);
}

static void half_a_frame(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.detached = true;
	f.options.connect_timeout_s = 0.2;
	client_fixture_start(&f);
	push(&f, BYTES(SASL_HEADER "\x00\x00\x00\x40\x02\x01"));
	turn(f.loop, 0.05);
	assert_int_equal(f.downs, 0);
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_TIMEOUT);
	client_fixture_release(&f);
}

static void wrong_password(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	url_release(&f.url);
	assert_int_equal(url_parse(&f.url, "amqp://guest:secret@broker.test", NULL), GOFER_OK);
	f.options.persistent = true;
	f.server.detached = true;
	client_fixture_start(&f);
	push(&f, BYTES(SASL_HEADER MECHANISMS));
	push(&f, BYTES(OUTCOME_AUTH));
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_AUTH);
	assert_null(strstr(f.why.text, "secret"));
	assert_memory_equal(f.why.text, "broker.test:5672: ", 18);
	assert_in_range(f.retry_s, 30, 60);
	client_fixture_release(&f);
}

/* A broker that lets only users in, and a url without one. */
static void no_mechanism_in_common(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.detached = true;
	client_fixture_start(&f);
	push(&f, BYTES(SASL_HEADER MECHANISMS));
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_AUTH);
	client_fixture_release(&f);
}

/* --- virtual hosts ----------------------------------------------------------------------- */

static void with_vhost(struct client_fixture *f, const char *product)
{
	client_fixture_init(f, product);
	url_release(&f->url);
	assert_int_equal(url_parse(&f->url, "amqp://broker.test/fleet", NULL), GOFER_OK);
}

static void a_vhost_is_the_hostname(void **state)
{
	struct client_fixture f;

	(void)state;
	with_vhost(&f, "qpid-cpp");
	client_fixture_up(&f);
	assert_string_equal(f.server.hostname, "fleet");
	assert_int_equal(f.server.connections, 1);
	client_fixture_release(&f);
}

static void rabbitmq_wants_a_prefix(void **state)
{
	struct client_fixture f;

	(void)state;
	with_vhost(&f, "RabbitMQ");
	f.options.persistent = true;
	client_fixture_up(&f);
	assert_string_equal(f.server.hostname, "vhost:fleet");
	assert_int_equal(f.server.connections, 2);
	assert_int_equal(f.downs, 0);
	fake_server_vanish(&f.server);
	UNTIL(f.loop, f.ups == 2);
	assert_string_equal(f.server.hostname, "vhost:fleet");
	assert_int_equal(f.server.connections, 3); /* known by now */
	client_fixture_release(&f);
}

/* It closes the connection of those who may not use the default virtual host before it says who it is. */
static void a_late_refusal_has_the_other_spelling_tried(void **state)
{
	struct client_fixture f;

	(void)state;
	with_vhost(&f, "RabbitMQ");
	f.server.need_hostname = "vhost:fleet";
	client_fixture_up(&f);
	assert_int_equal(f.downs, 0);
	assert_int_equal(f.server.connections, 2);
	client_fixture_release(&f);
}

static void refused_in_both_spellings(void **state)
{
	struct client_fixture f;

	(void)state;
	with_vhost(&f, "gofer");
	f.server.need_hostname = "another";
	client_fixture_start(&f);
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_UNREACHABLE);
	assert_int_equal(f.server.connections, 2);
	client_fixture_release(&f);
}

/* --- closing and freeing ----------------------------------------------------------------- */

static void closes_while_connecting(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.silent = true;
	f.options.persistent = true;
	client_fixture_start(&f);
	UNTIL(f.loop, f.server.starts == 1);
	connection_close(f.c);
	UNTIL(f.loop, f.closed == 1);
	assert_int_equal(f.ups + f.downs, 0);
	assert_true(f.server.stops > 0);
	client_fixture_release(&f);
}

static void closes_before_it_began(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_start(&f);
	connection_close(f.c);
	UNTIL(f.loop, f.closed == 1);
	assert_int_equal(f.server.starts, 0);
	client_fixture_release(&f);
}

static void closes_while_backing_off(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.unreachable = true;
	f.options.persistent = true;
	client_fixture_start(&f);
	UNTIL(f.loop, f.downs == 1);
	connection_close(f.c);
	UNTIL(f.loop, f.closed == 1);
	turn(f.loop, 0.6);
	assert_int_equal(f.server.starts, 1);
	client_fixture_release(&f);
}

/* The peer does not answer the close frame. */
static void a_close_takes_a_second_at_most(void **state)
{
	struct client_fixture f;
	uint64_t begin;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.server.nodes[0] = (struct fake_server_node){.address = "q", .no_credit = true};
	client_fixture_up(&f);
	assert_int_equal(send_text(&f, NULL, "q", "a"), GOFER_OK);
	turn(f.loop, 0.05);
	begin = clock_monotonic_ms();
	connection_close(f.c);
	UNTIL(f.loop, f.closed == 1);
	assert_in_range(clock_monotonic_ms() - begin, 400, 1200);
	client_fixture_release(&f);
}

static void closes_when_up(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.close_on_up = true;
	client_fixture_start(&f);
	UNTIL(f.loop, f.closed == 1);
	assert_int_equal(f.ups, 1);
	client_fixture_release(&f);
}

static void freed_in_its_callbacks(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	f.free_on_up = true;
	client_fixture_start(&f);
	UNTIL(f.loop, f.ups == 1);
	assert_null(f.c);
	turn(f.loop, 0.05);
	client_fixture_release(&f);

	client_fixture_init(&f, "gofer");
	f.free_on_down = true;
	f.server.unreachable = true;
	client_fixture_start(&f);
	UNTIL(f.loop, f.downs == 1);
	assert_null(f.c);
	client_fixture_release(&f);

	client_fixture_init(&f, "gofer");
	f.free_on_down = true;
	client_fixture_up(&f);
	fake_server_vanish(&f.server);
	UNTIL(f.loop, f.downs == 1);
	client_fixture_release(&f);
}

static void freed_at_any_time(void **state)
{
	(void)state;
	for (unsigned turns = 0; turns < 40; turns++) {
		struct client_fixture f;
		struct probe named = {.credit = 3}, temporary = {.credit = 3};

		client_fixture_init(&f, "qpid-cpp");
		f.server.relay = f.server.qmf = true;
		f.server.nodes[0] = (struct fake_server_node){.address = "q",
		                                              .condition = "amqp:not-found",
		                                              .refusals = 1};
		client_fixture_start(&f);
		probe_open(&f, &named, "amq.direct/q");
		probe_open(&f, &temporary, NULL);
		send_text(&f, NULL, "somewhere", "a");
		send_request(&f, NULL, "elsewhere", "b");
		for (unsigned i = 0; i < turns; i++)
			loop_run_once(f.loop, 0.001);
		if (turns % 3 == 1)
			connection_close(f.c);
		if (turns % 3 == 2)
			turn(f.loop, 0.002);
		client_fixture_release(&f);
	}
}

/* --- a peer that breaks the rules -------------------------------------------------------- */

static void the_peer_begins_a_session(void **state)
{
	struct client_fixture f;
	pn_session_t *session;

	(void)state;
	client_fixture_init(&f, "gofer");
	client_fixture_up(&f);
	session = pn_session(driver_connection(f.server.driver));
	pn_session_open(session);
	driver_wake(f.server.driver);
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_PROTOCOL);
	client_fixture_release(&f);
}

/* --- over a socket ----------------------------------------------------------------------- */

static void refused_port(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct client_fixture f;
	char text[64];

	(void)state;
	/* Bound and not listening: nobody else can have the port, and it refuses. */
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	client_fixture_init(&f, "gofer");
	url_release(&f.url);
	snprintf(text, sizeof(text), "amqp://127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(url_parse(&f.url, text, NULL), GOFER_OK);
	client_fixture_connect(&f);
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_UNREACHABLE);
	snprintf(text, sizeof(text), "127.0.0.1:%u: Connection refused", ntohs(address.sin_port));
	assert_string_equal(f.why.text, text);
	close(fd);
	client_fixture_release(&f);
}

static void a_name_that_does_not_resolve(void **state)
{
	struct client_fixture f;

	(void)state;
	client_fixture_init(&f, "gofer");
	url_release(&f.url);
	assert_int_equal(url_parse(&f.url, "amqp://no-such-host.invalid", NULL), GOFER_OK);
	client_fixture_connect(&f);
	UNTIL(f.loop, f.downs == 1);
	assert_int_equal(f.why.code, GOFER_UNREACHABLE);
	assert_non_null(strstr(f.why.text, "no-such-host.invalid"));
	assert_non_null(strstr(f.why.text, "does not resolve"));
	client_fixture_release(&f);
}

static void files_for_tls_are_told_at_once(void **state)
{
	struct client_fixture f;
	struct error error = ERROR_NONE;
	static const struct connection_events events = {NULL, NULL, NULL};

	(void)state;
	client_fixture_init(&f, "gofer");
	url_release(&f.url);
	assert_int_equal(url_parse(&f.url, "amqps://broker.test", NULL), GOFER_OK);
	f.options.cacert = "/nonexistent/ca.pem";
	assert_null(connection_new(f.loop, &f.options, &events, NULL, &error));
	assert_int_equal(error.code, GOFER_INVALID);
	assert_non_null(strstr(error.text, "/nonexistent/ca.pem"));
	f.options.cacert = "/dev/null";
	assert_null(connection_new(f.loop, &f.options, &events, NULL, &error));
	assert_non_null(strstr(error.text, "/dev/null"));
	client_fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_up_and_closes),
		cmocka_unit_test(tells_the_peer_who_it_is),
		cmocka_unit_test(a_failure_is_the_last_one),
		cmocka_unit_test(a_persistent_one_tries_again),
		cmocka_unit_test(why_the_broker_closed_is_told),
		cmocka_unit_test(a_close_without_reason_is_told),
		cmocka_unit_test(refused_at_its_open_frame),
		cmocka_unit_test(one_attempt_has_a_limit),
		cmocka_unit_test(a_peer_that_says_nothing),
		cmocka_unit_test(a_web_server),
		cmocka_unit_test(half_a_frame),
		cmocka_unit_test(wrong_password),
		cmocka_unit_test(no_mechanism_in_common),
		cmocka_unit_test(a_vhost_is_the_hostname),
		cmocka_unit_test(rabbitmq_wants_a_prefix),
		cmocka_unit_test(a_late_refusal_has_the_other_spelling_tried),
		cmocka_unit_test(refused_in_both_spellings),
		cmocka_unit_test(closes_while_connecting),
		cmocka_unit_test(closes_before_it_began),
		cmocka_unit_test(closes_while_backing_off),
		cmocka_unit_test(a_close_takes_a_second_at_most),
		cmocka_unit_test(closes_when_up),
		cmocka_unit_test(freed_in_its_callbacks),
		cmocka_unit_test(freed_at_any_time),
		cmocka_unit_test(the_peer_begins_a_session),
		cmocka_unit_test(refused_port),
		cmocka_unit_test(a_name_that_does_not_resolve),
		cmocka_unit_test(files_for_tls_are_told_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
