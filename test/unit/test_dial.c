/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/dial.h"
#include "core/clock.h"

struct attempt {
	unsigned calls;
	struct error why; /* code GOFER_OK: reached */
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

static int listener(int family, uint16_t *port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *address =
		family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t size = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, address, size) || listen(fd, 5)) {
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, address, &size), 0);
	*port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

static void on_done(void *context, const struct error *why)
{
	static const struct error none = ERROR_NONE;
	struct attempt *attempt = context;

	attempt->calls++;
	attempt->why = why ? *why : none;
}

static void reach(struct connector *k, struct attempt *attempt)
{
	uint64_t limit = clock_monotonic_ms() + 60000;

	memset(attempt, 0, sizeof(*attempt));
	assert_int_equal(k->ops->start(k, on_done, attempt, NULL), GOFER_OK);
	assert_int_equal(attempt->calls, 0);
	while (!attempt->calls && clock_monotonic_ms() < limit)
		loop_run_once(loop, 0.1);
	assert_int_equal(attempt->calls, 1);
}

static void on_event(struct driver *d, pn_event_t *event, void *context)
{
	(void)d;
	(void)event;
	(void)context;
}

static void on_closed(struct driver *d, const struct error *why, void *context)
{
	(void)d;
	(void)why;
	(void)context;
}

static const struct driver_handler handler = {on_event, on_closed};

/* What is written to the driver's socket comes out at the listener. */
static void check_attach(struct connector *k, int fd)
{
	struct driver *d = driver_new(loop, false, &handler, NULL);
	char header[8];
	int accepted;

	pn_connection_open(driver_connection(d));
	assert_int_equal(k->ops->attach(k, d, NULL), GOFER_OK);
	loop_run_once(loop, 0.1);
	accepted = accept(fd, NULL, NULL);
	assert_true(accepted >= 0);
	assert_int_equal(recv(accepted, header, 8, MSG_WAITALL), 8);
	assert_memory_equal(header, "AMQP", 4);
	close(accepted);
	driver_free(d);
}

static void reaches(int family, const char *host)
{
	struct connector *k;
	struct attempt attempt;
	uint16_t port;
	int fd = listener(family, &port);

	if (fd < 0) /* no IPv6 here */
		skip();
	k = dial_new(loop, host, port);
	assert_string_equal(k->ops->stage(k), "idle");
	reach(k, &attempt);
	assert_int_equal(attempt.why.code, GOFER_OK);
	assert_string_equal(k->ops->stage(k), "connected");
	check_attach(k, fd);
	/* Again, and not attached this time. */
	reach(k, &attempt);
	assert_int_equal(attempt.why.code, GOFER_OK);
	k->ops->free(k);
	close(fd);
}

static void reaches_an_address(void **state)
{
	(void)state;
	reaches(AF_INET, "127.0.0.1");
}

static void reaches_an_ipv6_address(void **state)
{
	(void)state;
	reaches(AF_INET6, "::1");
}

/* The name may mean ::1 first, where nobody listens. */
static void tries_each_address(void **state)
{
	(void)state;
	reaches(AF_INET, "localhost");
}

static void refused(void **state)
{
	struct connector *k;
	struct attempt attempt;
	uint16_t port;
	int fd = listener(AF_INET, &port);

	(void)state;
	close(fd);
	k = dial_new(loop, "127.0.0.1", port);
	for (int i = 0; i < 2; i++) {
		reach(k, &attempt);
		assert_int_equal(attempt.why.code, GOFER_UNREACHABLE);
		assert_string_equal(attempt.why.text, "Connection refused");
	}
	k->ops->free(k);
}

static void a_name_that_is_none(void **state)
{
	struct connector *k = dial_new(loop, "no-such-host.invalid", 1);
	struct attempt attempt;

	(void)state;
	reach(k, &attempt);
	assert_int_equal(attempt.why.code, GOFER_UNREACHABLE);
	k->ops->free(k);
}

static void stopped_at_any_time(void **state)
{
	struct attempt attempt = {0};
	uint16_t port;
	int fd = listener(AF_INET, &port);

	(void)state;
	for (int turns = 0; turns < 8; turns++) {
		struct connector *k = dial_new(loop, turns % 2 ? "localhost" : "127.0.0.1", port);
		unsigned calls;

		assert_int_equal(k->ops->start(k, on_done, &attempt, NULL), GOFER_OK);
		for (int i = 0; i < turns / 2; i++)
			loop_run_once(loop, 0.001);
		calls = attempt.calls;
		k->ops->stop(k);
		k->ops->stop(k);
		assert_string_equal(k->ops->stage(k), "idle");
		loop_run_once(loop, 0.01);
		assert_int_equal(attempt.calls, calls);
		k->ops->free(k);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reaches_an_address),  cmocka_unit_test(reaches_an_ipv6_address),
		cmocka_unit_test(tries_each_address),  cmocka_unit_test(refused),
		cmocka_unit_test(a_name_that_is_none), cmocka_unit_test(stopped_at_any_time),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
