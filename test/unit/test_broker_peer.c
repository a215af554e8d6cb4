/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of the broker: how they are made, authenticated, bounded and ended. */
#include "broker_rig.h"

#include <crypt.h>
#include <proton/condition.h>
#include <proton/terminus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/users.h"
#include "core/clock.h"

/* Proton forgets the mechanism of a sasl-init frame when another one comes. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:pn_strndup\nleak:libqpid-proton\n";
}

static int set_up(void **state)
{
	(void)state;
	return rig_make(NULL, true);
}

/* --- connections ------------------------------------------------------------------------- */

static void what_it_says_of_itself(void **state)
{
	struct rig_client c;
	pn_connection_t *pn;
	pn_data_t *data;
	pn_bytes_t value;

	(void)state;
	rig_start(&c, NULL, NULL);
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
	rig_act(&c);
	assert_int_equal(c.closed, 1);
	assert_int_equal(c.why.code, GOFER_OK);
	assert_int_equal(rig.server.peers_count, 0);
	rig_stop(&c);
}

static void only_so_many_peers(void **state)
{
	struct rig_client c[3];
	struct error error = ERROR_NONE;

	(void)state;
	for (int i = 0; i < 3; i++)
		rig_open(&c[i]);
	assert_null(peer_new(&rig.server, false, &error));
	assert_string_equal(error.text, "3 connections are open already");
	for (int i = 0; i < 3; i++)
		rig_stop(&c[i]);
	assert_int_equal(rig.server.peers_count, 0);
}

static void stopping_says_so(void **state)
{
	struct rig_client c;
	pn_connection_t *pn;
	pn_link_t *in;

	(void)state;
	rig_open(&c);
	in = rig_receiver(&c, "in", "q", 5);
	rig_expect_attached(in);
	server_close(&rig.server);
	server_close(&rig.server);
	rig_turns();
	pn = driver_connection(c.driver);
	assert_string_equal(pn_condition_get_name(pn_connection_remote_condition(pn)),
	                    "amqp:connection:forced");
	pn_connection_close(pn);
	rig_act(&c);
	assert_int_equal(rig.server.peers_count, 0);
	rig_stop(&c);
}

/* A client that does not answer the close frame has a second. */
static void a_silent_client_is_cut_off(void **state)
{
	struct rig_client c;
	uint64_t begin = clock_monotonic_ms();

	(void)state;
	rig_open(&c);
	server_close(&rig.server);
	while (rig.server.peers_count && clock_monotonic_ms() < begin + 10000)
		loop_run_once(rig.loop, 0.1);
	assert_int_equal(rig.server.peers_count, 0);
	assert_in_range(clock_monotonic_ms() - begin, 900, 4000);
	rig_stop(&c);
}

static void too_many_links(void **state)
{
	struct rig_client c;
	char name[24];

	(void)state;
	rig_open(&c);
	for (int i = 0; i < 1025; i++) {
		pn_link_t *link;

		sprintf(name, "l%d", i);
		link = rig_make_receiver(&c, name, i % 2 ? "q" : "amq.nope");
		pn_link_open(link);
	}
	rig_act(&c);
	rig_turns();
	assert_string_equal(pn_condition_get_name(
				    pn_connection_remote_condition(driver_connection(c.driver))),
	                    "amqp:resource-limit-exceeded");
	rig_stop(&c);
	assert_int_equal(rig_queue("q")->consumers, 0);
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
	return users ? rig_make(users, anonymous) : -1;
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
	int result = rig_free(state);

	users_free(users);
	return result;
}

/* 1: it got in; 0: it was turned away. */
static unsigned login(const char *user, const char *password)
{
	uint64_t limit = clock_monotonic_ms() + 60000;
	struct rig_client c;

	rig_start(&c, user, password);
	while (!c.opened && !c.closed && clock_monotonic_ms() < limit)
		loop_run_once(rig.loop, 0.05);
	if (!c.opened) {
		assert_int_equal(c.closed, 1);
		assert_true(c.why.code == GOFER_AUTH || !user);
	}
	rig_stop(&c);
	for (int i = 0; i < 100 && rig.server.peers_count; i++)
		loop_run_once(rig.loop, 0.05);
	assert_int_equal(rig.server.peers_count, 0);
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
	struct rig_client c;

	(void)state;
	for (int i = 0; i < 3; i++) {
		rig_start(&c, "ann", "secret");
		rig_stop(&c);
		for (int j = 0; j < 100 && rig.server.peers_count; j++)
			loop_run_once(rig.loop, 0.05);
	}
	assert_int_equal(rig.server.peers_count, 0);
}

/* Neither SASL nor anything else: the AMQP header at once. */
static void without_sasl(void **state)
{
	struct peer *peer = peer_new(&rig.server, false, NULL);
	struct buf out = BUF_INIT;

	(void)state;
	driver_push(peer_driver(peer), "AMQP\0\1\0\0", 8);
	driver_push(peer_driver(peer), "\0\0\0\x11\x02\0\0\0\0S\x10\xc0\4\1\xa1\1x", 17);
	driver_pull(peer_driver(peer), &out);
	rig_turns();
	assert_int_equal(rig.server.peers_count, 0);
	buf_release(&out);
}

/* Proton takes such a frame at any time, and forgets something each time. */
static void a_second_login(void **state)
{
	static const char init[] = "\0\0\0\x1a\2\1\0\0\0S\x41\xc0\x0d\2\xa3\x09"
				   "ANONYMOUS\x40";
	struct peer *peer = peer_new(&rig.server, false, NULL);
	struct buf out = BUF_INIT;

	(void)state;
	driver_push(peer_driver(peer), "AMQP\3\1\0\0", 8);
	driver_push(peer_driver(peer), init, sizeof(init) - 1);
	driver_pull(peer_driver(peer), &out);
	driver_push(peer_driver(peer), "AMQP\0\1\0\0", 8);
	driver_push(peer_driver(peer), "\0\0\0\x11\2\0\0\0\0S\x10\xc0\4\1\xa1\1x", 17);
	driver_pull(peer_driver(peer), &out);
	rig_turns();
	assert_int_equal(rig.server.peers_count, 1);
	assert_int_equal(peer->deadline_ms, 0); /* the open frame was understood */
	driver_push(peer_driver(peer), init, sizeof(init) - 1);
	rig_turns();
	assert_int_equal(rig.server.peers_count, 0);
	buf_release(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_free)
	const struct CMUnitTest tests[] = {
		TEST(what_it_says_of_itself),
		TEST(only_so_many_peers),
		TEST(stopping_says_so),
		TEST(a_second_login),
		TEST(a_silent_client_is_cut_off),
		TEST(too_many_links),
		cmocka_unit_test_setup_teardown(passwords, set_up_plain, tear_down_users),
		cmocka_unit_test_setup_teardown(passwords, set_up_hashed, tear_down_users),
		cmocka_unit_test_setup_teardown(passwords_or_none, set_up_both, tear_down_users),
		cmocka_unit_test_setup_teardown(gone_before_the_check_is_done, set_up_hashed,
	                                        tear_down_users),
		cmocka_unit_test_setup_teardown(without_sasl, set_up_plain, tear_down_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
