/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "amqp/resolve.h"
#include "core/clock.h"

struct answer {
	unsigned calls;
	size_t count;
	struct resolved addresses[RESOLVE_MAX];
	struct error why;
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

static void on_done(void *context, const struct resolved *addresses, size_t count,
                    const struct error *why)
{
	struct answer *answer = context;

	answer->calls++;
	answer->count = count;
	memcpy(answer->addresses, addresses, count * sizeof(*addresses));
	assert_true(count ? !why : why != NULL);
	if (why)
		answer->why = *why;
}

static void ask(struct answer *answer, const char *host)
{
	uint64_t limit = clock_monotonic_ms() + 60000;

	memset(answer, 0, sizeof(*answer));
	assert_non_null(resolve_start(loop, host, 5672, on_done, answer, NULL));
	assert_int_equal(answer->calls, 0);
	while (!answer->calls && clock_monotonic_ms() < limit)
		loop_run_once(loop, 0.1);
	assert_int_equal(answer->calls, 1);
}

static void numbers_are_taken_as_they_are(void **state)
{
	const struct sockaddr_in *v4;
	const struct sockaddr_in6 *v6;
	struct answer answer;

	(void)state;
	ask(&answer, "127.0.0.2");
	assert_int_equal(answer.count, 1);
	v4 = (const struct sockaddr_in *)&answer.addresses[0].address;
	assert_int_equal(v4->sin_family, AF_INET);
	assert_int_equal(ntohs(v4->sin_port), 5672);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), 0x7f000002);
	ask(&answer, "::1");
	assert_int_equal(answer.count, 1);
	v6 = (const struct sockaddr_in6 *)&answer.addresses[0].address;
	assert_int_equal(v6->sin6_family, AF_INET6);
	assert_int_equal(ntohs(v6->sin6_port), 5672);
}

static void names_are_looked_up(void **state)
{
	struct answer answer;

	(void)state;
	ask(&answer, "localhost");
	assert_true(answer.count >= 1);
}

static void a_name_that_is_none(void **state)
{
	struct answer answer;

	(void)state;
	ask(&answer, "no-such-host.invalid");
	assert_int_equal(answer.count, 0);
	assert_int_equal(answer.why.code, GOFER_UNREACHABLE);
	assert_non_null(strstr(answer.why.text, "no-such-host.invalid"));
}

/* Cancelled before, while and after the lookup's thread is at it; the loop goes right after. */
static void a_cancelled_one_stays_silent(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "no-such-host.invalid"};

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		struct loop *own = loop_new(NULL);
		struct answer answer = {0};
		struct resolve *r;

		r = resolve_start(own, hosts[i % 3], 1, on_done, &answer, NULL);
		assert_non_null(r);
		if (i % 3)
			loop_run_once(own, i * 3e-6);
		if (!answer.calls)
			resolve_cancel(r);
		loop_free(own);
		assert_in_range(answer.calls, 0, i % 3 ? 1 : 0);
	}
	resolve_cancel(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_taken_as_they_are),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(a_name_that_is_none),
		cmocka_unit_test(a_cancelled_one_stays_silent),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
