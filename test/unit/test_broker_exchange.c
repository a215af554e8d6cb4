/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "broker/exchange.h"

static struct slice text(const char *s)
{
	return (struct slice){s, strlen(s)};
}

static void topic_patterns(void **state)
{
	static const struct {
		const char *pattern, *key;
		bool matches;
	} cases[] = {
		{"a", "a", true},
		{"a", "b", false},
		{"a.b", "a.b", true},
		{"a.b", "a", false},
		{"a", "a.b", false},
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"*", "a", true},
		{"*", "a.b", false},
		{"*", "", false},
		{"*.b", "a.b", true},
		{"a.*", "a.b", true},
		{"a.*", "a", false},
		{"a.*", "a.b.c", false},
		{"a.*.c", "a.x.c", true},
		{"a.*.c", "a.c", false},
		{"#", "", true},
		{"#", "a", true},
		{"#", "a.b.c", true},
		{"a.#", "a", true},
		{"a.#", "a.b.c", true},
		{"a.#", "b.c", false},
		{"#.c", "c", true},
		{"#.c", "a.b.c", true},
		{"#.c", "a.b", false},
		{"a.#.c", "a.c", true},
		{"a.#.c", "a.b.b.c", true},
		{"a.#.c", "a.b.b", false},
		{"#.b.#", "a.b.c", true},
		{"#.b.#", "b", true},
		{"#.b.#", "a.c", false},
		{"#.*", "", false},
		{"#.*", "a", true},
		{"*.#", "a.b", true},
		{"#.#", "", true},
		{"a.#.b.#.c", "a.b.c", true},
		{"a.#.b.#.c", "a.x.b.y.b.c", true},
		{"a.#.b.#.c", "a.x.c", false},
		{"#.a.b", "a.a.b", true},
		{"a#", "a", false},
		{"a.", "a.", true},
		{"a.", "a", false},
		{"a..b", "a..b", true},
		{"a.*.b", "a..b", true},
		{"*a", "aa", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (exchange_topic_matches(text(cases[i].pattern), text(cases[i].key)) !=
		    cases[i].matches)
			fail_msg("pattern '%s', key '%s'", cases[i].pattern, cases[i].key);
	}
}

/* As slow as it can be, and quick all the same. */
static void a_topic_of_many_wildcards(void **state)
{
	char pattern[600] = "", key[600] = "";

	(void)state;
	for (int i = 0; i < 100; i++) {
		strcat(pattern, "#.a.");
		strcat(key, "a.a.");
	}
	strcat(pattern, "b");
	strcat(key, "c");
	assert_false(exchange_topic_matches(text(pattern), text(key)));
}

static struct targets targets;

static size_t route(struct exchange *x, const char *key)
{
	targets_clear(&targets);
	assert_int_equal(exchange_route(x, text(key), &targets), GOFER_OK);
	return targets.count;
}

static bool goes_to(const struct queue *q)
{
	for (size_t i = 0; i < targets.count; i++)
		if (targets.items[i] == q)
			return true;
	return false;
}

static struct queue *a, *b;

static int set_up(void **state)
{
	(void)state;
	a = queue_new(10, 1000);
	b = queue_new(10, 1000);
	return !a || !b;
}

static int tear_down(void **state)
{
	(void)state;
	queue_free(a);
	queue_free(b);
	targets_release(&targets);
	return 0;
}

static void direct(void **state)
{
	struct exchange *x = exchange_new(EXCHANGE_DIRECT);

	(void)state;
	assert_int_equal(exchange_bind(x, a, text("k")), GOFER_OK);
	assert_int_equal(exchange_bind(x, a, text("k")), GOFER_OK);
	assert_int_equal(exchange_bind(x, a, text("l")), GOFER_OK);
	assert_int_equal(exchange_bind(x, b, text("l")), GOFER_OK);
	assert_int_equal(exchange_bindings(x), 3);
	assert_int_equal(a->bindings_count, 2);
	assert_int_equal(route(x, "k"), 1);
	assert_true(goes_to(a));
	assert_int_equal(route(x, "l"), 2);
	assert_true(goes_to(a) && goes_to(b));
	assert_int_equal(route(x, "m"), 0);
	assert_int_equal(route(x, ""), 0);
	exchange_unbind_queue(a);
	exchange_unbind_queue(b);
	assert_int_equal(exchange_bindings(x), 0);
	exchange_free(x);
}

static void topic_gives_each_queue_one(void **state)
{
	struct exchange *x = exchange_new(EXCHANGE_TOPIC);

	(void)state;
	exchange_bind(x, a, text("news.#"));
	exchange_bind(x, a, text("*.sport"));
	exchange_bind(x, b, text("#.sport"));
	assert_int_equal(route(x, "news.sport"), 2);
	assert_int_equal(route(x, "news.weather"), 1);
	assert_true(goes_to(a));
	assert_int_equal(route(x, "old.news.sport"), 1);
	assert_true(goes_to(b));
	assert_int_equal(exchange_unbind(x, a, text("news.#")), GOFER_OK);
	assert_int_equal(exchange_unbind(x, a, text("news.#")), GOFER_NOTFOUND);
	assert_int_equal(exchange_unbind(x, a, text("other")), GOFER_NOTFOUND);
	assert_int_equal(exchange_unbind(x, b, text("*.sport")), GOFER_NOTFOUND);
	assert_int_equal(route(x, "news.weather"), 0);
	exchange_free(x);
	assert_int_equal(a->bindings_count, 0);
	assert_int_equal(b->bindings_count, 0);
}

static void fanout(void **state)
{
	struct exchange *x = exchange_new(EXCHANGE_FANOUT);

	(void)state;
	exchange_bind(x, a, text(""));
	exchange_bind(x, a, text("ignored"));
	exchange_bind(x, b, text(""));
	assert_int_equal(route(x, "anything"), 2);
	exchange_unbind_queue(b);
	assert_int_equal(route(x, ""), 1);
	exchange_free(x);
}

static void many_queues(void **state)
{
	struct exchange *x = exchange_new(EXCHANGE_DIRECT);
	struct queue *queues[1000];
	char key[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		queues[i] = queue_new(1, 1);
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(exchange_bind(x, queues[i], text(key)), GOFER_OK);
		assert_int_equal(exchange_bind(x, queues[i], text("all")), GOFER_OK);
	}
	assert_int_equal(route(x, "all"), 1000);
	assert_int_equal(route(x, "k777"), 1);
	assert_true(goes_to(queues[777]));
	for (int i = 0; i < 1000; i += 2) {
		exchange_unbind_queue(queues[i]);
		queue_free(queues[i]);
	}
	assert_int_equal(route(x, "all"), 500);
	exchange_free(x);
	for (int i = 1; i < 1000; i += 2)
		queue_free(queues[i]);
}

static void types_by_name(void **state)
{
	enum exchange_type type;

	(void)state;
	assert_int_equal(exchange_type_parse(text("fanout"), &type), GOFER_OK);
	assert_int_equal(type, EXCHANGE_FANOUT);
	assert_string_equal(exchange_type_name(EXCHANGE_TOPIC), "topic");
	assert_int_equal(exchange_type_parse(text("headers"), &type), GOFER_NOTFOUND);
	assert_int_equal(exchange_type_parse(text("direc"), &type), GOFER_NOTFOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(topic_patterns), TEST(a_topic_of_many_wildcards),
		TEST(direct),         TEST(topic_gives_each_queue_one),
		TEST(fanout),         TEST(many_queues),
		TEST(types_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
