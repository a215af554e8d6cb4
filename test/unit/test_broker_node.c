/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of nodes, the table of names under it, and blobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/blob.h"
#include "broker/node.h"
#include "core/clock.h"

static struct slice text(const char *s)
{
	return (struct slice){s, strlen(s)};
}

/* --- names ------------------------------------------------------------------------------- */

struct thing {
	struct name name;
	char text[24];
};

static void names_by_the_thousand(void **state)
{
	struct thing *things = calloc(5000, sizeof(*things));
	struct names t;
	size_t seen = 0;

	(void)state;
	names_init(&t);
	assert_null(names_find(&t, "x", 1));
	assert_null(names_next(&t, NULL));
	for (int i = 0; i < 5000; i++) {
		things[i].name.text.data = things[i].text;
		things[i].name.text.size = (size_t)sprintf(things[i].text, "name-%d", i);
		assert_int_equal(names_add(&t, &things[i].name), GOFER_OK);
	}
	for (int i = 0; i < 5000; i += 3)
		names_remove(&t, &things[i].name);
	for (int i = 0; i < 5000; i++) {
		struct name *n = names_find(&t, things[i].text, strlen(things[i].text));

		assert_ptr_equal(n, i % 3 ? &things[i].name : NULL);
	}
	for (struct name *n = NULL; (n = names_next(&t, n));)
		seen++;
	assert_int_equal(seen, t.count);
	assert_int_equal(seen, 3333);
	names_release(&t);
	free(things);
}

static void empty_and_long_names(void **state)
{
	static char long_text[3000];
	struct name empty = {.text = {"", 0}}, one = {.text = {"a\0b", 3}},
		    two = {.text = {"a\0c", 3}};
	struct name big = {.text = {long_text, sizeof(long_text)}};
	struct names t;

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	names_init(&t);
	names_add(&t, &empty);
	names_add(&t, &one);
	names_add(&t, &two);
	names_add(&t, &big);
	assert_ptr_equal(names_find(&t, NULL, 0), &empty);
	assert_ptr_equal(names_find(&t, "a\0b", 3), &one);
	assert_ptr_equal(names_find(&t, "a\0c", 3), &two);
	assert_ptr_equal(names_find(&t, long_text, sizeof(long_text)), &big);
	assert_null(names_find(&t, long_text, sizeof(long_text) - 1));
	names_release(&t);
}

/* --- nodes ------------------------------------------------------------------------------- */

static struct nodes nodes;

static int set_up(void **state)
{
	(void)state;
	return nodes_init(&nodes, 100, 10000);
}

static int tear_down(void **state)
{
	(void)state;
	nodes_release(&nodes);
	return 0;
}

static const struct node_flags no_flags;

static struct node *attach(const char *name)
{
	struct address at;
	struct error error = ERROR_NONE;

	assert_int_equal(nodes_attach(&nodes, text(name), no_flags, &at, &error), GOFER_OK);
	return at.node;
}

static void what_is_there_from_the_start(void **state)
{
	static const char *const exchanges[] = {"amq.direct", "amq.topic", "amq.fanout"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct node *node = nodes_find(&nodes, text(exchanges[i]));

		assert_non_null(node);
		assert_int_equal(node->kind, NODE_EXCHANGE);
		assert_int_equal(exchange_type(node->exchange), i);
		assert_true(node_is_builtin(node));
	}
	assert_int_equal(nodes_find(&nodes, text(NODE_MANAGEMENT_NAME))->kind, NODE_MANAGEMENT);
	assert_int_equal(nodes.queues, 0);
}

static void a_queue_is_made_once(void **state)
{
	struct node *node = attach("demo");
	struct address at;

	(void)state;
	assert_int_equal(node->kind, NODE_QUEUE);
	assert_ptr_equal(node->queue->node, node);
	assert_int_equal(node->queue->messages_max, 100);
	assert_false(node_is_builtin(node));
	assert_ptr_equal(attach("demo"), node);
	assert_int_equal(nodes.queues, 1);
	assert_int_equal(nodes_resolve(&nodes, text("demo"), &at, NULL), GOFER_OK);
	assert_ptr_equal(at.node, node);
	assert_false(at.has_key);
	nodes_remove(&nodes, node);
	assert_int_equal(nodes_resolve(&nodes, text("demo"), &at, NULL), GOFER_NOTFOUND);
	assert_int_equal(nodes.queues, 0);
}

static void keys_of_exchanges(void **state)
{
	struct address at;

	(void)state;
	assert_int_equal(nodes_resolve(&nodes, text("amq.direct/q/1"), &at, NULL), GOFER_OK);
	assert_string_equal(at.node->text, "amq.direct");
	assert_true(at.has_key);
	assert_int_equal(at.key.size, 3);
	assert_memory_equal(at.key.data, "q/1", 3);
	assert_int_equal(nodes_resolve(&nodes, text("amq.direct/"), &at, NULL), GOFER_OK);
	assert_true(at.has_key);
	assert_int_equal(at.key.size, 0);
	assert_int_equal(nodes_resolve(&nodes, text("amq.direct"), &at, NULL), GOFER_OK);
	assert_false(at.has_key);
	assert_int_equal(attach("no-exchange/q")->kind, NODE_QUEUE);
	assert_int_equal(nodes_resolve(&nodes, text("no-exchange/q/r"), &at, NULL), GOFER_NOTFOUND);
	assert_int_equal(nodes_resolve(&nodes, text("/amq.direct/x"), &at, NULL), GOFER_NOTFOUND);
	assert_int_equal(nodes_add_exchange(&nodes, text("my/x"), EXCHANGE_DIRECT, no_flags, NULL,
	                                    NULL),
	                 GOFER_OK);
	assert_int_equal(nodes_resolve(&nodes, text("my/x/k"), &at, NULL), GOFER_OK);
	assert_string_equal(at.node->text, "my/x");
}

static void names_that_make_no_queue(void **state)
{
	char big[NODE_NAME_MAX + 2];
	struct address at;
	struct error error = ERROR_NONE;

	(void)state;
	memset(big, 'n', sizeof(big));
	assert_int_equal(nodes_attach(&nodes, text("amq.nope"), no_flags, &at, &error),
	                 GOFER_NOTFOUND);
	assert_string_equal(error.text, "no such queue or exchange: amq.nope");
	assert_int_equal(nodes_attach(&nodes, text("qmf.other"), no_flags, &at, NULL),
	                 GOFER_NOTFOUND);
	assert_int_equal(nodes_attach(&nodes, text("temp.gone"), no_flags, &at, NULL),
	                 GOFER_NOTFOUND);
	assert_int_equal(nodes_attach(&nodes, text(""), no_flags, &at, &error), GOFER_INVALID);
	assert_int_equal(nodes_attach(&nodes, (struct slice){NULL, 0}, no_flags, &at, NULL),
	                 GOFER_INVALID);
	assert_int_equal(nodes_attach(&nodes, (struct slice){"a\0b", 3}, no_flags, &at, NULL),
	                 GOFER_INVALID);
	assert_int_equal(nodes_attach(&nodes, (struct slice){big, sizeof(big)}, no_flags, &at,
	                              &error),
	                 GOFER_INVALID);
	assert_string_equal(error.text, "a name of 514 bytes, the longest is 512");
	assert_int_equal(nodes_attach(&nodes, (struct slice){big, NODE_NAME_MAX}, no_flags, &at,
	                              NULL),
	                 GOFER_OK);
	assert_int_equal(nodes.queues, 1);
}

static void dynamic_queues_have_names_of_their_own(void **state)
{
	struct node *a, *b;

	(void)state;
	assert_int_equal(nodes_add_dynamic(&nodes, &a, NULL), GOFER_OK);
	assert_int_equal(nodes_add_dynamic(&nodes, &b, NULL), GOFER_OK);
	assert_string_not_equal(a->text, b->text);
	assert_true(a->flags.dynamic);
	assert_ptr_equal(nodes_find(&nodes, text(a->text)), a);
}

static void bounds_of_its_own(void **state)
{
	struct node *node;

	(void)state;
	assert_int_equal(nodes_add_queue(&nodes, text("q"), no_flags, 7, 99999, &node, NULL),
	                 GOFER_OK);
	assert_int_equal(node->queue->messages_max, 7);
	assert_int_equal(node->queue->bytes_max, 10000);
	assert_int_equal(nodes_add_queue(&nodes, text("q"), no_flags, 0, 0, &node, NULL),
	                 GOFER_EXISTS);
	assert_int_equal(nodes_add_exchange(&nodes, text("q"), EXCHANGE_TOPIC, no_flags, NULL,
	                                    NULL),
	                 GOFER_EXISTS);
}

static void only_so_many(void **state)
{
	struct error error = ERROR_NONE;
	struct address at;
	char name[16];

	(void)state;
	while (nodes.names.count < NODES_MAX) {
		sprintf(name, "q%zu", nodes.names.count);
		assert_int_equal(nodes_attach(&nodes, text(name), no_flags, &at, NULL), GOFER_OK);
	}
	assert_int_equal(nodes_attach(&nodes, text("one-more"), no_flags, &at, &error), GOFER_FULL);
	assert_string_equal(error.text, "there are 100000 queues and exchanges already");
}

static void a_removed_queue_is_unbound(void **state)
{
	struct node *node = attach("q"), *direct = nodes_find(&nodes, text("amq.direct"));
	struct targets targets = {0};

	(void)state;
	assert_int_equal(exchange_bind(direct->exchange, node->queue, text("k")), GOFER_OK);
	nodes_remove(&nodes, node);
	targets_clear(&targets);
	assert_int_equal(exchange_route(direct->exchange, text("k"), &targets), GOFER_OK);
	assert_int_equal(targets.count, 0);
	targets_release(&targets);
}

/* --- blobs ------------------------------------------------------------------------------- */

static struct blob *encoded(const struct message *message)
{
	struct buf bytes = BUF_INIT;
	struct blob *b;

	assert_int_equal(message_encode(&bytes, message), GOFER_OK);
	b = blob_new(bytes.size);
	assert_non_null(b);
	memcpy(b->data, bytes.data, bytes.size);
	blob_describe(b, message);
	buf_release(&bytes);
	return b;
}

static struct message decoded(struct slice bytes, struct buf *scratch)
{
	struct message m;

	assert_int_equal(message_decode(&m, bytes.data, bytes.size, scratch, NULL), GOFER_OK);
	return m;
}

static void bytes_go_out_as_they_came(void **state)
{
	struct message message = {.priority = 4,
	                          .body_kind = MESSAGE_STRING,
	                          .body = text("hello")};
	struct blob *b = encoded(&message);
	struct buf scratch = BUF_INIT;
	struct slice out;

	(void)state;
	assert_int_equal(b->expires_ms, 0);
	assert_int_equal(blob_bytes(b, 0, &scratch, &out), GOFER_OK);
	assert_ptr_equal(out.data, b->data);
	assert_int_equal(out.size, b->size);
	blob_ref(b);
	blob_unref(b);
	blob_unref(b);
	blob_unref(NULL);
	buf_release(&scratch);
}

static void failures_are_added_to_the_count(void **state)
{
	struct message message = {.priority = 7,
	                          .durable = true,
	                          .first_acquirer = true,
	                          .delivery_count = 2,
	                          .body_kind = MESSAGE_STRING,
	                          .body = text("hello")};
	struct blob *b = encoded(&message);
	struct buf scratch = BUF_INIT, sections = BUF_INIT;
	struct slice out;
	struct message m;

	(void)state;
	assert_int_equal(blob_bytes(b, 3, &scratch, &out), GOFER_OK);
	m = decoded(out, &sections);
	assert_int_equal(m.delivery_count, 5);
	assert_int_equal(m.priority, 7);
	assert_true(m.durable);
	assert_false(m.first_acquirer);
	assert_int_equal(m.body.size, 5);
	blob_unref(b);
	buf_release(&scratch);
	buf_release(&sections);
}

static void ttl_goes_down(void **state)
{
	struct message message = {.priority = 4, .has_ttl = true, .ttl_ms = 1000};
	struct blob *b = encoded(&message);
	struct buf scratch = BUF_INIT, sections = BUF_INIT;
	struct slice out;

	(void)state;
	assert_true(b->expires_ms > clock_monotonic_ms());
	assert_false(blob_is_expired(b, b->arrived_ms + 999));
	assert_true(blob_is_expired(b, b->arrived_ms + 1000));
	b->arrived_ms -= 400;
	assert_int_equal(blob_bytes(b, 0, &scratch, &out), GOFER_OK);
	assert_in_range(decoded(out, &sections).ttl_ms, 500, 600);
	b->arrived_ms -= 5000;
	assert_int_equal(blob_bytes(b, 0, &scratch, &out), GOFER_OK);
	assert_int_equal(decoded(out, &sections).ttl_ms, 1);
	blob_unref(b);
	buf_release(&scratch);
	buf_release(&sections);
}

static void the_earlier_limit_counts(void **state)
{
	struct message past = {.priority = 4, .expiry_ms = 5};
	struct message both = {.priority = 4,
	                       .has_ttl = true,
	                       .ttl_ms = 100000,
	                       .expiry_ms = clock_wall_ms() + 2000};
	struct message none = {.priority = 4, .has_ttl = true, .ttl_ms = 0};
	struct blob *b = encoded(&past);

	(void)state;
	assert_true(blob_is_expired(b, clock_monotonic_ms()));
	blob_unref(b);
	b = encoded(&both);
	assert_false(blob_is_expired(b, clock_monotonic_ms() + 1000));
	assert_true(blob_is_expired(b, clock_monotonic_ms() + 3000));
	blob_unref(b);
	b = encoded(&none);
	assert_int_equal(b->expires_ms, 0);
	blob_unref(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_by_the_thousand),
		cmocka_unit_test(empty_and_long_names),
		TEST(what_is_there_from_the_start),
		TEST(a_queue_is_made_once),
		TEST(keys_of_exchanges),
		TEST(names_that_make_no_queue),
		TEST(dynamic_queues_have_names_of_their_own),
		TEST(bounds_of_its_own),
		TEST(only_so_many),
		TEST(a_removed_queue_is_unbound),
		cmocka_unit_test(bytes_go_out_as_they_came),
		cmocka_unit_test(failures_are_added_to_the_count),
		cmocka_unit_test(ttl_goes_down),
		cmocka_unit_test(the_earlier_limit_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
