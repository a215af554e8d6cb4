/* SPDX-License-Identifier: Apache-2.0 */
/* Connections inside the process, through the public functions of connection.h and broker.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "core/clock.h"

static struct loop *loop;
static struct broker *broker;
static struct connection *connection;
static bool in_call; /* nothing may call back now */

/* What has been told, as text: "up open:demo message:x ..." */
static char told[2048];

static void tell(const char *format, ...)
{
	size_t used = strlen(told);
	va_list ap;

	assert_false(in_call);
	va_start(ap, format);
	vsnprintf(told + used, sizeof(told) - used, format, ap);
	va_end(ap);
}

static void expect(const char *text)
{
	assert_string_equal(told, text);
	told[0] = 0;
}

static void turn(void)
{
	loop_run_once(loop, 0);
	loop_run_once(loop, 0);
}

/* --- callbacks --------------------------------------------------------------------------- */

static struct delivery *kept[128];
static size_t kept_count;
static struct connection *free_in_message;
static struct receiver *close_in_message;
static char last_address[600];

static void on_up(struct connection *c, void *context)
{
	assert_ptr_equal(context, &broker);
	assert_true(connection_is_up(c));
	tell("up ");
}

static void on_down(struct connection *c, const struct error *why, double retry_s, void *context)
{
	(void)context;
	assert_false(connection_is_up(c));
	tell("down(%s,%g) ", error_name(why->code), retry_s);
}

static void on_closed(struct connection *c, void *context)
{
	(void)c;
	(void)context;
	tell("closed ");
}

static const struct connection_events connection_events = {on_up, on_down, on_closed};

static void on_open(struct receiver *r, const char *address, void *context)
{
	(void)context;
	snprintf(last_address, sizeof(last_address), "%s", address);
	tell(strncmp(address, "temp.", 5) ? "open:%s " : "open:temp ", address);
	receiver_credit(r, 2);
}

static void on_message(struct receiver *r, struct delivery *d, void *context)
{
	const struct message *m = delivery_message(d);

	(void)r;
	tell("%s:%.*s", (const char *)context, m ? (int)m->body.size : 1, m ? m->body.data : "?");
	tell(m && m->delivery_count ? "#%u " : " ", m ? m->delivery_count : 0);
	kept[kept_count++] = d;
	if (free_in_message)
		connection_free(free_in_message);
	free_in_message = NULL;
	if (close_in_message)
		receiver_close(close_in_message);
	close_in_message = NULL;
}

static void on_receiver_down(struct receiver *r, const struct error *why, double retry_s,
                             void *context)
{
	(void)r;
	tell("%s-down(%s,%g) ", (const char *)context, error_name(why->code), retry_s);
}

static const struct receiver_events receiver_events = {on_open, on_message, on_receiver_down};

static void on_outcome(void *context, enum outcome outcome, const struct error *why)
{
	static const char *const names[] = {"accepted", "rejected", "released", "modified", "lost"};

	assert_int_equal(outcome != OUTCOME_ACCEPTED, why != NULL);
	tell("%s=%s%s%s ", (const char *)context, names[outcome], why ? "/" : "",
	     why ? error_name(why->code) : "");
}

/* --- helpers ----------------------------------------------------------------------------- */

static struct receiver *receive(const char *address, const char *exchange, const char *name)
{
	struct receiver_options options = {.address = address, .exchange = exchange};
	struct receiver *r;

	in_call = true;
	r = receiver_open(connection, &options, &receiver_events, (void *)(uintptr_t)name);
	in_call = false;
	assert_non_null(r);
	return r;
}

static void send_message(const char *address, const struct message *message, const char *name)
{
	struct send_options options = {.address = address,
	                               .message = message,
	                               .on_outcome = name ? on_outcome : NULL,
	                               .context = (void *)(uintptr_t)name};

	in_call = true;
	assert_int_equal(connection_send(connection, &options), GOFER_OK);
	in_call = false;
}

static void send_text(const char *address, const char *text, const char *name)
{
	struct message message = {.priority = 4,
	                          .body_kind = MESSAGE_STRING,
	                          .body = {text, strlen(text)}};

	send_message(address, &message, name);
}

static void settle(size_t i, enum outcome outcome)
{
	in_call = true;
	delivery_settle(kept[i], outcome, NULL);
	in_call = false;
	kept[i] = NULL;
}

static size_t waiting(void)
{
	struct broker_stats stats;

	broker_stats(broker, &stats);
	return stats.messages;
}

static size_t queues(void)
{
	struct broker_stats stats;

	broker_stats(broker, &stats);
	return stats.queues;
}

static int set_up(void **state)
{
	struct broker_options options = {.queue_messages = 10, .message_bytes = 4096};

	(void)state;
	told[0] = 0;
	kept_count = 0;
	loop = loop_new(NULL);
	broker = broker_new(loop, &options, NULL);
	connection = broker_connect(broker, &connection_events, &broker);
	return !connection;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < kept_count; i++)
		if (kept[i])
			delivery_settle(kept[i], OUTCOME_RELEASED, NULL);
	connection_free(connection);
	broker_free(broker);
	loop_free(loop);
	return 0;
}

/* --- tests ------------------------------------------------------------------------------- */

static void up_in_the_next_turn(void **state)
{
	(void)state;
	assert_false(connection_is_up(connection));
	assert_string_equal(connection_product(connection), "gofer");
	assert_int_equal(connection_request_body(connection), MESSAGE_STRING);
	expect("");
	turn();
	expect("up ");
}

static void a_message_arrives(void **state)
{
	const struct message *m;

	(void)state;
	receive("demo", NULL, "r");
	turn();
	expect("up open:demo ");
	send_text("demo", "hello", "s");
	expect("");
	turn();
	expect("r:hello s=accepted ");
	m = delivery_message(kept[0]);
	assert_int_equal(m->to.size, 4);
	assert_memory_equal(m->to.data, "demo", 4);
	assert_int_equal(m->body_kind, MESSAGE_STRING);
	assert_int_equal(waiting(), 1);
	settle(0, OUTCOME_ACCEPTED);
	assert_int_equal(waiting(), 0);
}

static void before_it_is_up(void **state)
{
	(void)state;
	receive("demo", NULL, "r");
	send_text("demo", "early", "s");
	turn();
	turn();
	expect("up open:demo s=accepted r:early ");
}

static void credit_is_what_was_given(void **state)
{
	struct receiver *r = receive("demo", NULL, "r");

	(void)state;
	turn();
	for (int i = 0; i < 5; i++)
		send_text("demo", "x", NULL);
	turn();
	expect("up open:demo r:x r:x ");
	settle(0, OUTCOME_ACCEPTED);
	turn();
	expect("");
	receiver_credit(r, 1);
	receiver_credit(r, 1);
	turn();
	expect("r:x r:x ");
}

static void two_receivers_take_turns(void **state)
{
	(void)state;
	receive("demo", NULL, "a");
	receive("demo", NULL, "b");
	turn();
	told[0] = 0;
	send_text("demo", "1", NULL);
	send_text("demo", "2", NULL);
	send_text("demo", "3", NULL);
	turn();
	expect("a:1 b:2 a:3 ");
}

static void nobody_there(void **state)
{
	(void)state;
	turn();
	told[0] = 0;
	send_text("nobody", "x", "s");
	send_text("amq.direct/k", "x", "t");
	send_text("", "x", "u");
	turn();
	expect("s=released/not found t=released/not found u=rejected/invalid ");
	assert_int_equal(queues(), 0);
	send_text("nobody", "x", NULL);
	turn();
	expect("");
}

static void a_full_queue(void **state)
{
	struct receiver *r = receive("demo", NULL, "r");

	(void)state;
	turn();
	for (int i = 0; i < 10; i++)
		send_text("demo", "x", NULL);
	turn();
	told[0] = 0;
	send_text("demo", "x", "s");
	turn();
	expect("s=released/full ");
	settle(0, OUTCOME_ACCEPTED);
	send_text("demo", "x", "s");
	turn();
	expect("s=accepted ");
	receiver_close(r);
}

static void too_large(void **state)
{
	char big[5000];
	struct message message = {.body_kind = MESSAGE_DATA, .body = {big, sizeof(big)}};

	(void)state;
	memset(big, 'x', sizeof(big));
	receive("demo", NULL, "r");
	turn();
	told[0] = 0;
	send_message("demo", &message, "s");
	turn();
	expect("s=rejected/invalid ");
}

static void outcomes(void **state)
{
	struct receiver *r = receive("demo", NULL, "r");

	(void)state;
	turn();
	send_text("demo", "a", NULL);
	send_text("demo", "b", NULL);
	turn();
	expect("up open:demo r:a r:b ");
	settle(1, OUTCOME_RELEASED);
	settle(0, OUTCOME_MODIFIED);
	receiver_credit(r, 2);
	turn();
	expect("r:a#1 r:b ");
	settle(2, OUTCOME_REJECTED);
	settle(3, OUTCOME_LOST);
	assert_int_equal(waiting(), 1);
	receiver_credit(r, 2);
	turn();
	expect("r:b#1 ");
}

static void a_closed_receiver_gives_back(void **state)
{
	struct receiver *a = receive("demo", NULL, "a");
	const struct message *m;

	(void)state;
	turn();
	send_text("demo", "1", NULL);
	turn();
	send_text("demo", "2", NULL); /* on its way, never told */
	receiver_close(a);
	turn();
	expect("up open:demo a:1 ");
	m = delivery_message(kept[0]); /* still to be read */
	assert_memory_equal(m->body.data, "1", 1);
	receive("demo", NULL, "b");
	turn();
	turn();
	expect("open:demo b:1#1 b:2#1 ");
	settle(0, OUTCOME_ACCEPTED); /* leads nowhere */
	assert_int_equal(waiting(), 2);
}

static void temporary_queues(void **state)
{
	struct receiver *r = receive(NULL, NULL, "r");

	(void)state;
	turn();
	expect("up open:temp ");
	assert_int_equal(queues(), 1);
	send_text(last_address, "x", "s");
	turn();
	expect("r:x s=accepted ");
	receiver_close(r);
	assert_int_equal(queues(), 0);
	send_text(last_address, "x", "s");
	turn();
	expect("s=released/not found ");
}

static void temporary_queue_on_an_exchange(void **state)
{
	char address[700];

	(void)state;
	receive(NULL, "amq.direct", "r");
	turn();
	expect("up open:temp ");
	snprintf(address, sizeof(address), "amq.direct/%s", last_address);
	send_text(address, "x", "s");
	turn();
	expect("r:x s=accepted ");
	receive(NULL, "amq.nope", "n");
	turn();
	expect("n-down(not found,1) ");
}

static void receivers_on_exchanges(void **state)
{
	(void)state;
	receive("amq.topic/news.*", NULL, "t");
	receive("amq.fanout", NULL, "f");
	turn();
	told[0] = 0;
	send_text("amq.topic/news.x", "1", NULL);
	send_text("amq.topic/old.x", "2", "s");
	send_text("amq.fanout", "3", NULL);
	turn();
	expect("t:1 s=released/not found f:3 ");
}

static void refused_addresses(void **state)
{
	(void)state;
	receive("amq.nope", NULL, "a");
	receive("", NULL, "b");
	receive("qmf.default.direct", NULL, "c");
	turn();
	expect("up a-down(not found,1) b-down(invalid,-1) c-down(invalid,-1) ");
}

static void refused_receivers_try_again(void **state)
{
	uint64_t limit = clock_monotonic_ms() + 60000;

	(void)state;
	receive("amq.later", NULL, "r");
	turn();
	expect("up r-down(not found,1) ");
	while (!told[0] && clock_monotonic_ms() < limit)
		loop_run_once(loop, 0.1);
	expect("r-down(not found,1) ");
}

static void expired_messages_are_not_seen(void **state)
{
	struct message message = {.priority = 4, .has_ttl = true, .ttl_ms = 1};
	uint64_t limit = clock_monotonic_ms() + 60000;

	(void)state;
	receiver_close(receive("demo", NULL, "r"));
	turn();
	told[0] = 0;
	send_message("demo", &message, "s");
	assert_int_equal(waiting(), 1);
	while (waiting() && clock_monotonic_ms() < limit) /* the sweeper */
		loop_run_once(loop, 0.1);
	assert_int_equal(waiting(), 0);
	expect("s=accepted ");
}

static void ttl_is_counted_down(void **state)
{
	struct message message = {.priority = 4,
	                          .has_ttl = true,
	                          .ttl_ms = 60000,
	                          .body_kind = MESSAGE_STRING,
	                          .body = {"x", 1}};
	uint64_t until = clock_monotonic_ms() + 30;

	(void)state;
	receiver_close(receive("demo", NULL, "r"));
	send_message("demo", &message, NULL);
	while (clock_monotonic_ms() < until)
		loop_run_once(loop, 0.01);
	receive("demo", NULL, "r");
	turn();
	assert_int_equal(kept_count, 1);
	assert_in_range(delivery_message(kept[0])->ttl_ms, 50000, 59980);
}

static void closing(void **state)
{
	struct send_options options = {.address = "demo", .message = &(struct message)MESSAGE_INIT};

	(void)state;
	receive("demo", NULL, "r");
	turn();
	told[0] = 0;
	send_text("demo", "x", "s");
	connection_close(connection);
	connection_close(connection);
	expect("");
	turn();
	expect("closed "); /* neither the outcome nor the message */
	assert_int_equal(connection_send(connection, &options), GOFER_CANCELLED);
	assert_int_equal(waiting(), 1);
	receive("demo", NULL, "q");
	turn();
	expect("");
}

static void freed_in_a_callback(void **state)
{
	(void)state;
	receive("demo", NULL, "r");
	turn();
	told[0] = 0;
	send_text("demo", "1", "s");
	send_text("demo", "2", "s");
	free_in_message = connection;
	turn();
	connection = NULL;
	expect("r:1 ");
	settle(0, OUTCOME_ACCEPTED);
	assert_int_equal(waiting(), 2);
}

static void closed_in_a_callback(void **state)
{
	struct receiver *r = receive("demo", NULL, "r");

	(void)state;
	turn();
	told[0] = 0;
	send_text("demo", "1", NULL);
	send_text("demo", "2", NULL);
	close_in_message = r;
	turn();
	expect("r:1 ");
}

static void the_broker_stops(void **state)
{
	(void)state;
	receive("demo", NULL, "r");
	turn();
	told[0] = 0;
	broker_close(broker);
	assert_true(broker_is_closed(broker));
	expect("");
	turn();
	expect("r-down(unreachable,-1) down(unreachable,-1) ");
	assert_null(broker_connect(broker, &connection_events, NULL));
	broker_free(broker);
	broker = NULL;
	connection_close(connection);
	turn();
	expect("closed ");
}

static void the_broker_goes_first(void **state)
{
	(void)state;
	receive("demo", NULL, "r");
	turn();
	send_text("demo", "x", NULL);
	turn();
	told[0] = 0;
	broker_free(broker);
	broker = NULL;
	turn();
	expect("r-down(unreachable,-1) down(unreachable,-1) ");
	settle(0, OUTCOME_ACCEPTED);
}

/* Many messages, all of them acknowledged, leave nothing behind. */
static void a_hundred_thousand(void **state)
{
	struct receiver *r = receive("demo", NULL, "r");

	(void)state;
	turn();
	for (int i = 0; i < 100000; i++) {
		told[0] = 0;
		kept_count = 0;
		send_text("demo", "x", "s");
		loop_run_once(loop, 0);
		assert_int_equal(kept_count, 1);
		settle(0, OUTCOME_ACCEPTED);
		receiver_credit(r, 1);
	}
	kept_count = 0;
	assert_int_equal(waiting(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(up_in_the_next_turn),
		TEST(a_message_arrives),
		TEST(before_it_is_up),
		TEST(credit_is_what_was_given),
		TEST(two_receivers_take_turns),
		TEST(nobody_there),
		TEST(a_full_queue),
		TEST(too_large),
		TEST(outcomes),
		TEST(a_closed_receiver_gives_back),
		TEST(temporary_queues),
		TEST(temporary_queue_on_an_exchange),
		TEST(receivers_on_exchanges),
		TEST(refused_addresses),
		TEST(refused_receivers_try_again),
		TEST(expired_messages_are_not_seen),
		TEST(ttl_is_counted_down),
		TEST(closing),
		TEST(freed_in_a_callback),
		TEST(closed_in_a_callback),
		TEST(the_broker_stops),
		TEST(the_broker_goes_first),
		TEST(a_hundred_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
