/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "amqp/dialect.h"

static const char *const products[] = {"gofer", "qpid-cpp", "RabbitMQ", "qpid-dispatch-router"};
enum { GOFER, QPID, RABBITMQ, PLAIN };

static void picked_by_product(void **state)
{
	(void)state;
	for (int i = GOFER; i < PLAIN; i++)
		assert_string_equal(dialect_find(products[i])->product, products[i]);
	assert_null(dialect_find(products[PLAIN])->product);
	assert_ptr_equal(dialect_find(""), dialect_find("qpid-cp"));
	assert_ptr_equal(dialect_find("rabbitmq"), dialect_find(""));
}

/* NULL: can't be spelt. */
static const struct {
	const char *address;
	const char *source[4], *target[4], *to[4], *subject[4];
} cases[] = {
	{"q",
         {"q", "q", "/queue/q", "q"},
         {"q", "q", "/amq/queue/q", "q"},
         {"q", "q", "q", "q"},
         {0}},
	{"amq.direct/q",
         {"amq.direct/q", "amq.direct/q", NULL, "amq.direct/q"},
         {"amq.direct/q", "amq.direct", "/exchange/amq.direct/q", "amq.direct/q"},
         {"amq.direct/q", "amq.direct", "amq.direct/q", "amq.direct/q"},
         {NULL, "q", NULL, NULL}},
	{"x/y/z",
         {"x/y/z", "x/y/z", NULL, "x/y/z"},
         {"x/y/z", "x", "/exchange/x/y%2Fz", "x/y/z"},
         {"x/y/z", "x", "x/y/z", "x/y/z"},
         {NULL, "y/z", NULL, NULL}},
	/* What a router calls its temporary addresses. */
	{"amqp:/_topo/0/r/temp.1",
         {"amqp:/_topo/0/r/temp.1", "amqp:/_topo/0/r/temp.1", NULL, "amqp:/_topo/0/r/temp.1"},
         {"amqp:/_topo/0/r/temp.1", "amqp:", "/exchange/amqp:/_topo%2F0%2Fr%2Ftemp.1",
          "amqp:/_topo/0/r/temp.1"},
         {"amqp:/_topo/0/r/temp.1", "amqp:", "amqp:/_topo/0/r/temp.1", "amqp:/_topo/0/r/temp.1"},
         {NULL, "_topo/0/r/temp.1", NULL, NULL}},
	/* What RabbitMQ makes of the reply address of an AMQP 0-9-1 message. */
	{"/queue/q",
         {"/queue/q", "/queue/q", NULL, "/queue/q"},
         {"/queue/q", "/queue/q", "/amq/queue/q", "/queue/q"},
         {"/queue/q", "/queue/q", "/queue/q", "/queue/q"},
         {0}},
	{"/exchange/x/k",
         {"/exchange/x/k", "/exchange/x/k", NULL, "/exchange/x/k"},
         {"/exchange/x/k", "/exchange/x/k", "/exchange/x/k", "/exchange/x/k"},
         {"/exchange/x/k", "/exchange/x/k", "/exchange/x/k", "/exchange/x/k"},
         {0}},
	{"gr\xc3\xbc\xc3\x9f",
         {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", NULL, "gr\xc3\xbc\xc3\x9f"},
         {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", NULL, "gr\xc3\xbc\xc3\x9f"},
         {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
         {0}},
	{"q/",
         {"q/", "q/", NULL, "q/"},
         {"q/", "q/", "/amq/queue/q%2F", "q/"},
         {"q/", "q/", "q/", "q/"},
         {0}},
};

static void check_node(enum gofer_err err, struct buf *node, const char *expected,
                       const struct error *error)
{
	assert_int_equal(err, expected ? GOFER_OK : GOFER_INVALID);
	if (expected)
		assert_string_equal(buf_text(node), expected);
	else
		assert_non_null(strstr(error->text, "RabbitMQ"));
	buf_release(node);
}

static void check_slice(struct slice slice, const char *expected)
{
	if (!expected) {
		assert_null(slice.data);
		return;
	}
	assert_int_equal(slice.size, strlen(expected));
	assert_memory_equal(slice.data, expected, slice.size);
}

static void spells_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (int p = GOFER; p <= PLAIN; p++) {
			const struct dialect *d = dialect_find(products[p]);
			const char *address = cases[i].address;
			struct buf node = BUF_INIT;
			struct error error;
			struct slice to, subject;

			check_node(d->source(&node, address, false, &error), &node,
			           cases[i].source[p], &error);
			check_node(d->target(&node, address, &error), &node, cases[i].target[p],
			           &error);
			d->properties(address, &to, &subject);
			check_slice(to, cases[i].to[p]);
			check_slice(subject, cases[i].subject[p]);
		}
	}
}

static void rabbitmq_has_a_second_spelling(void **state)
{
	struct buf node = BUF_INIT;

	(void)state;
	assert_int_equal(dialect_find("RabbitMQ")->source(&node, "q", true, NULL), GOFER_OK);
	assert_string_equal(buf_text(&node), "/amq/queue/q");
	buf_release(&node);
}

static void splits_addresses(void **state)
{
	struct slice exchange, queue;

	(void)state;
	assert_true(dialect_split("a/b/c", &exchange, &queue));
	check_slice(exchange, "a");
	check_slice(queue, "b/c");
	assert_false(dialect_split("a", &exchange, &queue));
	assert_false(dialect_split("/a", &exchange, &queue));
	assert_false(dialect_split("a/", &exchange, &queue));
	assert_false(dialect_split("", &exchange, &queue));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(picked_by_product),
		cmocka_unit_test(spells_addresses),
		cmocka_unit_test(rabbitmq_has_a_second_spelling),
		cmocka_unit_test(splits_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
