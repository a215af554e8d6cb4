/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/driver.h"
#include "core/clock.h"
#include "core/log.h"

/* One end of a connection, and what has been seen of it. */
struct end {
	struct driver *driver;
	unsigned events, opened, ended;
	struct error why;
	bool keep_open;                    /* does not answer a close frame */
	bool in_driver;                    /* the test is inside a function of the driver's */
	pn_event_type_t free_on, abort_on; /* PN_EVENT_NONE: never */
	bool free_on_closed;
	size_t received;
	void (*also)(struct end *end, pn_event_t *event);
};

static struct loop *loop;

static int set_up(void **state)
{
	(void)state;
	loop = loop_new(NULL);
	return !loop;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void release(struct end *end)
{
	driver_free(end->driver);
	end->driver = NULL;
}

static void on_event(struct driver *d, pn_event_t *event, void *context)
{
	struct end *end = context;
	pn_event_type_t type = pn_event_type(event);

	assert_int_equal(end->ended, 0);
	end->events++;
	if (type == PN_CONNECTION_REMOTE_OPEN) {
		end->opened++;
		pn_connection_open(driver_connection(d));
	}
	if (type == PN_CONNECTION_REMOTE_CLOSE && !end->keep_open)
		pn_connection_close(driver_connection(d));
	if (end->also)
		end->also(end, event);
	if (end->abort_on && type == end->abort_on)
		driver_abort(d, GOFER_FAILED, "enough");
	if (end->free_on && type == end->free_on) {
		end->ended++; /* no callback comes any more */
		release(end);
		assert_int_equal(pn_event_type(event), type);
	}
}

static void on_closed(struct driver *d, const struct error *why, void *context)
{
	struct end *end = context;

	assert_false(end->in_driver);
	assert_ptr_equal(d, end->driver);
	assert_ptr_equal(driver_context(d), end);
	end->ended++;
	end->why = *why;
	if (end->free_on_closed)
		release(end);
}

static const struct driver_handler handler = {on_event, on_closed};

static void make(struct end *end, bool server)
{
	end->driver = driver_new(loop, server, &handler, end);
	assert_non_null(end->driver);
	if (!server)
		pn_connection_open(driver_connection(end->driver));
}

static void attach(struct end *end, int fd)
{
	end->in_driver = true;
	assert_int_equal(driver_attach_socket(end->driver, fd, NULL), GOFER_OK);
	end->in_driver = false;
}

/* Turns the loop until `*counter` has come to `value`, for a minute at most. */
static void until(const unsigned *counter, unsigned value)
{
	uint64_t limit = clock_monotonic_ms() + 60000;

	while (*counter < value && clock_monotonic_ms() < limit)
		loop_run_once(loop, 0.1);
	assert_int_equal(*counter, value);
}

static void pair_of_sockets(struct end *client, struct end *server)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	attach(client, fds[0]);
	attach(server, fds[1]);
}

static void pair_of_peers(struct end *client, struct end *server)
{
	driver_attach_peer(client->driver, server->driver);
}

/* --- the whole life, over both kinds of connection --------------------------------------- */

static void life(void (*join)(struct end *client, struct end *server))
{
	struct end client = {0}, server = {0};

	make(&client, false);
	make(&server, true);
	join(&client, &server);
	assert_int_equal(client.events + server.events, 0);
	until(&client.opened, 1);
	until(&server.opened, 1);

	pn_connection_close(driver_connection(client.driver));
	driver_wake(client.driver);
	until(&client.ended, 1);
	until(&server.ended, 1);
	assert_int_equal(client.why.code, GOFER_OK);
	assert_int_equal(server.why.code, GOFER_OK);

	driver_wake(client.driver);
	driver_abort(client.driver, GOFER_FAILED, "too late");
	for (int i = 0; i < 5; i++)
		loop_run_once(loop, 0);
	assert_int_equal(client.ended, 1);
	release(&client);
	release(&server);
}

static void opens_and_closes(void **state)
{
	(void)state;
	life(pair_of_sockets);
	life(pair_of_peers);
}

/* A message of a size that no buffer on the way holds. */
#define BIG 3000000

static void send_when_asked(struct end *end, pn_event_t *event)
{
	static char bytes[BIG];
	pn_link_t *link = pn_event_link(event);

	(void)end;
	if (pn_event_type(event) == PN_LINK_FLOW && pn_link_credit(link) > 0 &&
	    !pn_link_current(link)) {
		pn_delivery(link, pn_dtag("1", 1));
		memset(bytes, 'x', BIG);
		bytes[BIG - 1] = 'y';
		assert_int_equal(pn_link_send(link, bytes, BIG), BIG);
		pn_link_advance(link);
	}
}

static void take_all(struct end *end, pn_event_t *event)
{
	pn_delivery_t *delivery;
	char bytes[16384];
	ssize_t n;

	switch (pn_event_type(event)) {
	case PN_SESSION_REMOTE_OPEN: pn_session_open(pn_event_session(event)); break;
	case PN_LINK_REMOTE_OPEN:
		pn_link_open(pn_event_link(event));
		pn_link_flow(pn_event_link(event), 1);
		break;
	case PN_DELIVERY:
		delivery = pn_event_delivery(event);
		while ((n = pn_link_recv(pn_event_link(event), bytes, sizeof(bytes))) > 0)
			end->received += (size_t)n;
		if (pn_delivery_partial(delivery))
			break;
		assert_int_equal(bytes[0], 'x');
		pn_delivery_settle(delivery);
		pn_connection_close(driver_connection(end->driver));
		break;
	default: break;
	}
}

static void big_message(void (*join)(struct end *client, struct end *server))
{
	struct end client = {.also = send_when_asked}, server = {.also = take_all};
	pn_session_t *session;

	make(&client, false);
	make(&server, true);
	session = pn_session(driver_connection(client.driver));
	pn_session_open(session);
	pn_link_open(pn_sender(session, "big"));
	join(&client, &server);
	until(&server.ended, 1);
	until(&client.ended, 1);
	assert_int_equal(server.received, BIG);
	assert_int_equal(client.why.code, GOFER_OK);
	assert_int_equal(server.why.code, GOFER_OK);
	release(&client);
	release(&server);
}

static void carries_what_no_buffer_holds(void **state)
{
	(void)state;
	big_message(pair_of_sockets);
	big_message(pair_of_peers);
}

/* Every packet is one write. */
static void one_turn_is_one_write(void **state)
{
	struct end client = {0};
	char bytes[65536];
	unsigned packets = 0;
	pn_session_t *session;
	int fds[2];

	(void)state;
	make(&client, false);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	attach(&client, fds[0]);
	loop_run_once(loop, 0);
	while (recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		packets++;
	assert_int_equal(packets, 1);
	session = pn_session(driver_connection(client.driver));
	pn_session_open(session);
	for (char name[] = "a"; *name < 'z'; ++*name) {
		pn_link_open(pn_sender(session, name));
		driver_wake(client.driver);
	}
	assert_int_equal(recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	loop_run_once(loop, 0);
	assert_true(recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 25 * 20);
	assert_int_equal(recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	release(&client);
	close(fds[1]);
}

/* --- the ends that are none in order ----------------------------------------------------- */

/* What a client says of somebody who answers with these bytes, and closes after them if `shut`. */
static void answer(const char *bytes, size_t size, bool shut, enum gofer_err code, const char *text)
{
	struct end client = {0};
	int fds[2];

	make(&client, false);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	attach(&client, fds[0]);
	assert_int_equal(write(fds[1], bytes, size), (ssize_t)size);
	if (shut)
		shutdown(fds[1], SHUT_WR);
	until(&client.ended, 1);
	if (client.why.code != code || !strstr(client.why.text, text))
		fail_msg("not \"%s\" but %s: \"%s\"", text, error_name(client.why.code),
		         client.why.text);
	release(&client);
	close(fds[1]);
}
#define ANSWER(bytes, ...) answer(bytes, sizeof(bytes) - 1, __VA_ARGS__)

static void says_what_the_other_side_is(void **state)
{
	(void)state;
	ANSWER("HTTP/1.1 400 Bad Request\r\n\r\n", false, GOFER_PROTOCOL,
	       "is no AMQP 1.0 peer: it speaks HTTP");
	ANSWER("HTTP/1", true, GOFER_PROTOCOL, "is no AMQP 1.0 peer: it speaks HTTP");
	ANSWER("AMQP\0\0\x09\x01", true, GOFER_PROTOCOL, "it speaks AMQP 0-9-1 only");
	ANSWER("\x15\x03\x01\0\x02\x02\x28", true, GOFER_PROTOCOL, "it speaks TLS");
	ANSWER("220 mail.example ESMTP\r\n", false, GOFER_PROTOCOL,
	       "is no AMQP 1.0 peer: it begins with \"220 mail\"");
	ANSWER("", true, GOFER_IO, "closed by the peer before it sent anything");
	ANSWER("AMQP\0\1\0\0", true, GOFER_IO, "closed by the peer");
	ANSWER("AMQP", true, GOFER_IO, "closed by the peer");
}

static void says_how_frames_are_broken(void **state)
{
	(void)state;
	/* a frame of 4 GB; a frame shorter than its own head; no performative; an unknown one */
	ANSWER("AMQP\0\1\0\0\xff\xff\xff\xff\2\0\0\0", false, GOFER_PROTOCOL, "broke the protocol");
	ANSWER("AMQP\0\1\0\0\0\0\0\1\2\0\0\0", false, GOFER_PROTOCOL, "broke the protocol");
	ANSWER("AMQP\0\1\0\0\0\0\0\x0c\2\0\0\0zzzz", false, GOFER_PROTOCOL, "broke the protocol");
	ANSWER("AMQP\0\1\0\0\0\0\0\x0c\2\0\0\0\0\x53\x99\x45", false, GOFER_PROTOCOL,
	       "broke the protocol");
}

#define OPEN "\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\x04\x01\xa1\x01x"
#define CLOSE "\0\0\0\x0c\2\0\0\0\0\x53\x18\x45"

/* What a peer said that is gone before a byte can be sent to it. */
static void last_words(const char *bytes, size_t size, enum gofer_err code, const char *text)
{
	struct end client = {0};
	int fds[2];

	make(&client, false);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[1], bytes, size), (ssize_t)size);
	close(fds[1]);
	attach(&client, fds[0]);
	until(&client.ended, 1);
	assert_int_equal(client.why.code, code);
	assert_string_equal(client.why.text, text);
	release(&client);
}
#define LAST_WORDS(bytes, ...) last_words(bytes, sizeof(bytes) - 1, __VA_ARGS__)

static void last_words_are_heard(void **state)
{
	(void)state;
	LAST_WORDS("HTTP/1.1 503 Go away\r\n", GOFER_PROTOCOL,
	           "the other side is no AMQP 1.0 peer: it speaks HTTP");
	LAST_WORDS("AMQP\0\1\0\0" OPEN CLOSE, GOFER_OK, "");
	LAST_WORDS("AMQP\0\1\0\0" OPEN, GOFER_IO, "connection closed by the peer");
}

static void a_bad_descriptor_is_told(void **state)
{
	struct end client = {0};
	struct error error = ERROR_NONE;

	(void)state;
	make(&client, false);
	assert_int_equal(driver_attach_socket(client.driver, -1, &error), GOFER_IO);
	assert_string_equal(error.text, "cannot use the connection: Bad file descriptor");
	release(&client);
}

/* A frame size that no peer may have: proton complains of it. */
static void proton_complains_to_the_log(void **state)
{
	static const char open[] =
		"AMQP\0\1\0\0\0\0\0\x14\2\0\0\0\0\x53\x10\xc0\x07\x03\xa1\x01x\x40\x52\x09";
	char bytes[512] = "";
	int error = dup(2), fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	for (int debug = 0; debug < 2; debug++) {
		struct end one = {0};

		make(&one, false);
		log_level("amqp", debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
		dup2(fds[1], 2);
		assert_true(driver_push(one.driver, open, sizeof(open) - 1));
		dup2(error, 2);
		assert_int_equal(one.opened, 1);
		assert_int_equal(read(fds[0], bytes, sizeof(bytes) - 1) > 0, debug);
		release(&one);
	}
	log_level("amqp", LOG_LEVEL_INFO);
	assert_non_null(strstr(bytes, "proton: "));
	close(error);
	close(fds[0]);
	close(fds[1]);
}

static void a_reset_is_told(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger hard = {1, 0};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), peer;
	struct end client = {0};

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
	peer = accept(listener, NULL, NULL);
	make(&client, false);
	attach(&client, fd);
	loop_run_once(loop, 0);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(peer);
	until(&client.ended, 1);
	assert_int_equal(client.why.code, GOFER_IO);
	assert_string_equal(client.why.text, "connection lost: Connection reset by peer");
	release(&client);
	close(listener);
}

static void a_peer_that_goes_ends_the_other(void **state)
{
	struct end client = {0}, server = {0};

	(void)state;
	make(&client, false);
	make(&server, true);
	pair_of_peers(&client, &server);
	until(&server.opened, 1);
	until(&client.opened, 1);
	release(&server);
	until(&client.ended, 1);
	assert_int_equal(client.why.code, GOFER_IO);
	release(&client);
}

static void a_close_may_go_unanswered(void **state)
{
	struct end client = {0}, server = {.keep_open = true};

	(void)state;
	make(&client, false);
	make(&server, true);
	pair_of_sockets(&client, &server);
	until(&client.opened, 1);
	pn_connection_close(driver_connection(client.driver));
	driver_wake(client.driver);
	for (int i = 0; i < 10; i++)
		loop_run_once(loop, 0.01);
	assert_int_equal(client.ended, 0);
	release(&server);
	until(&client.ended, 1);
	assert_int_equal(client.why.code, GOFER_OK);
	release(&client);
}

/* --- ends that the owner makes ----------------------------------------------------------- */

static void abort_tells_why_and_later(void **state)
{
	struct end never = {0}, client = {0}, server = {0};

	(void)state;
	make(&never, false);
	make(&client, false);
	make(&server, true);
	pair_of_sockets(&client, &server);
	until(&client.opened, 1);
	never.in_driver = client.in_driver = true;
	driver_abort(never.driver, GOFER_UNREACHABLE, "nobody there");
	driver_abort(client.driver, GOFER_TIMEOUT, "took too long");
	driver_abort(client.driver, GOFER_FAILED, "the second reason counts for nothing");
	never.in_driver = client.in_driver = false;
	until(&never.ended, 1);
	until(&client.ended, 1);
	until(&server.ended, 1);
	assert_int_equal(never.why.code, GOFER_UNREACHABLE);
	assert_string_equal(never.why.text, "nobody there");
	assert_int_equal(never.events, 0);
	assert_int_equal(client.why.code, GOFER_TIMEOUT);
	assert_string_equal(client.why.text, "took too long");
	assert_int_equal(server.why.code, GOFER_IO);
	release(&never);
	release(&client);
	release(&server);
}

static void frees_and_aborts_anywhere(void **state)
{
	static const pn_event_type_t types[] = {PN_CONNECTION_INIT, PN_CONNECTION_BOUND,
	                                        PN_CONNECTION_REMOTE_OPEN};
	void (*const joins[])(struct end *, struct end *) = {pair_of_sockets, pair_of_peers};

	(void)state;
	for (int i = 0; i < 12; i++) {
		pn_event_type_t type = types[i % 3];
		struct end client = {.free_on = i < 6 ? type : PN_EVENT_NONE,
		                     .abort_on = i < 6 ? PN_EVENT_NONE : type,
		                     .free_on_closed = true};
		struct end server = {.free_on_closed = true};

		make(&client, false);
		make(&server, true);
		joins[i / 3 % 2](&client, &server);
		until(&client.ended, 1);
		until(&server.ended, 1);
		assert_null(client.driver);
		assert_null(server.driver);
		if (i >= 6)
			assert_string_equal(client.why.text, "enough");
	}
	driver_free(NULL);
}

static void free_before_the_first_turn(void **state)
{
	struct end client = {0}, server = {0};

	(void)state;
	make(&client, false);
	make(&server, true);
	pair_of_peers(&client, &server);
	release(&client);
	release(&server);
	loop_run_once(loop, 0);
	assert_int_equal(client.events + server.events, 0);
}

/* --- time, SASL, fairness ---------------------------------------------------------------- */

static void silence_is_a_timeout(void **state)
{
	struct end client = {0};
	int fds[2];

	(void)state;
	make(&client, false);
	pn_transport_set_idle_timeout(driver_transport(client.driver), 100);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	attach(&client, fds[0]);
	assert_int_equal(write(fds[1], "AMQP\0\1\0\0", 8), 8);
	until(&client.ended, 1);
	assert_int_equal(client.why.code, GOFER_TIMEOUT);
	assert_string_equal(client.why.text, "nothing heard from the peer for 0.1 s");
	release(&client);
	close(fds[1]);
}

static void heartbeats_keep_it_up(void **state)
{
	struct end client = {0}, server = {0};
	uint64_t limit;

	(void)state;
	make(&client, false);
	make(&server, true);
	pn_transport_set_idle_timeout(driver_transport(client.driver), 200);
	pn_transport_set_idle_timeout(driver_transport(server.driver), 200);
	pair_of_sockets(&client, &server);
	limit = clock_monotonic_ms() + 700;
	while (clock_monotonic_ms() < limit)
		loop_run_once(loop, 0.1);
	assert_int_equal(client.opened, 1);
	assert_int_equal(client.ended + server.ended, 0);
	release(&client);
	release(&server);
}

static void refused_credentials_are_told(void **state)
{
	struct end client = {0}, server = {0};
	pn_sasl_t *sasl;

	(void)state;
	make(&client, false);
	make(&server, true);
	pn_connection_set_user(driver_connection(client.driver), "guest");
	pn_connection_set_password(driver_connection(client.driver), "wrong");
	sasl = pn_sasl(driver_transport(client.driver));
	pn_sasl_allowed_mechs(sasl, "PLAIN");
	pn_sasl_set_allow_insecure_mechs(sasl, true);
	pn_sasl_allowed_mechs(pn_sasl(driver_transport(server.driver)), "ANONYMOUS");
	pn_transport_require_auth(driver_transport(server.driver), true);
	pair_of_sockets(&client, &server);
	until(&client.ended, 1);
	until(&server.ended, 1);
	assert_int_equal(client.why.code, GOFER_AUTH);
	assert_null(strstr(client.why.text, "wrong"));
	assert_int_not_equal(server.why.code, GOFER_OK);
	release(&client);
	release(&server);
}

static void ask_again(struct end *end, pn_event_t *event)
{
	if (pn_event_type(event) == PN_SESSION_REMOTE_OPEN) {
		pn_session_t *session = pn_event_session(event);

		if (!(pn_session_state(session) & PN_LOCAL_ACTIVE))
			pn_session_open(session);
		pn_session_close(session);
		session = pn_session(driver_connection(end->driver));
		pn_session_open(session);
		end->received++;
	}
	if (pn_event_type(event) == PN_SESSION_REMOTE_CLOSE)
		pn_session_free(pn_event_session(event));
}

static void count_fire(void *context)
{
	++*(unsigned *)context;
}

/* Two that never stop talking leave others their turn, and the stack flat. */
static void ping_pong_is_fair(void **state)
{
	struct end client = {.also = ask_again}, server = {.also = ask_again};
	unsigned fired = 0;
	struct loop_timer *timer = loop_timer_new(loop, count_fire, &fired);

	(void)state;
	make(&client, false);
	make(&server, true);
	pn_session_open(pn_session(driver_connection(client.driver)));
	pair_of_peers(&client, &server);
	loop_timer_start(timer, 0.02, 0.02);
	until(&fired, 3);
	assert_true(client.received > 50);
	release(&client);
	release(&server);
	loop_timer_free(timer);
}

/* --- by hand ----------------------------------------------------------------------------- */

static void pushes_and_pulls(void **state)
{
	struct end client = {0}, server = {0};
	struct buf bytes = BUF_INIT;

	(void)state;
	make(&client, false);
	make(&server, true);
	for (int i = 0; i < 3; i++) {
		driver_pull(client.driver, &bytes);
		assert_true(driver_push(server.driver, bytes.data, bytes.size));
		buf_clear(&bytes);
		driver_pull(server.driver, &bytes);
		assert_true(driver_push(client.driver, bytes.data, bytes.size));
		buf_clear(&bytes);
	}
	assert_int_equal(client.opened, 1);
	assert_int_equal(server.opened, 1);
	client.in_driver = true;
	assert_false(driver_push(client.driver, "\xff\xff\xff\xff\2\0\0\0", 8) &&
	             driver_push(client.driver, "more", 4));
	client.in_driver = false;
	until(&client.ended, 1);
	assert_int_equal(client.why.code, GOFER_PROTOCOL);
	assert_int_equal(server.ended, 0);
	buf_release(&bytes);
	release(&client);
	release(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_and_closes),
		cmocka_unit_test(carries_what_no_buffer_holds),
		cmocka_unit_test(one_turn_is_one_write),
		cmocka_unit_test(says_what_the_other_side_is),
		cmocka_unit_test(says_how_frames_are_broken),
		cmocka_unit_test(last_words_are_heard),
		cmocka_unit_test(a_bad_descriptor_is_told),
		cmocka_unit_test(proton_complains_to_the_log),
		cmocka_unit_test(a_reset_is_told),
		cmocka_unit_test(a_peer_that_goes_ends_the_other),
		cmocka_unit_test(a_close_may_go_unanswered),
		cmocka_unit_test(abort_tells_why_and_later),
		cmocka_unit_test(frees_and_aborts_anywhere),
		cmocka_unit_test(free_before_the_first_turn),
		cmocka_unit_test(silence_is_a_timeout),
		cmocka_unit_test(heartbeats_keep_it_up),
		cmocka_unit_test(refused_credentials_are_told),
		cmocka_unit_test(ping_pong_is_fair),
		cmocka_unit_test(pushes_and_pulls),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
