/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/queue.h"
#include "core/clock.h"

/* A consumer that keeps what it is offered in the order in which it came. */
struct taker {
	struct consumer consumer;
	struct entry *got[64];
	size_t count;
	bool settles, fails, pauses;
	unsigned gone, forgotten;
};

struct giver {
	struct producer producer;
	unsigned rooms, gone;
	bool waits_again;
};

static struct taker *taker_of(struct consumer *c)
{
	return (struct taker *)c;
}

static enum gofer_err on_offer(struct consumer *c, struct entry *e)
{
	struct taker *t = taker_of(c);

	if (t->fails)
		return GOFER_NOMEM;
	assert_ptr_equal(e->holder, c);
	assert_true(t->count < 64);
	t->got[t->count++] = e;
	if (t->settles)
		queue_remove(e);
	if (t->pauses)
		queue_pause(c);
	return GOFER_OK;
}

static void on_consumer_gone(struct consumer *c)
{
	assert_null(c->queue);
	taker_of(c)->gone++;
}

static void on_forget(struct consumer *c, struct entry *e)
{
	assert_ptr_equal(e->holder, c);
	taker_of(c)->forgotten++;
}

static const struct consumer_ops consumer_ops = {on_offer, on_consumer_gone, on_forget};

static void on_room(struct producer *p)
{
	struct giver *g = (struct giver *)p;

	g->rooms++;
	if (g->waits_again)
		queue_await_room(p);
}

static void on_producer_gone(struct producer *p)
{
	assert_null(p->queue);
	((struct giver *)p)->gone++;
}

static const struct producer_ops producer_ops = {on_room, on_producer_gone};

static struct taker taker(void)
{
	return (struct taker){.consumer = {.ops = &consumer_ops}};
}

static struct giver giver(void)
{
	return (struct giver){.producer = {.ops = &producer_ops}};
}

/* --- helpers ----------------------------------------------------------------------------- */

static struct queue *q;

static int set_up(void **state)
{
	(void)state;
	q = queue_new(10, 1000);
	return !q;
}

static int tear_down(void **state)
{
	(void)state;
	queue_free(q);
	return 0;
}

static struct blob *blob(char letter)
{
	struct blob *b = blob_new(1);

	assert_non_null(b);
	b->data[0] = letter;
	return b;
}

static enum gofer_err put_as(char letter, bool settled)
{
	struct blob *b = blob(letter);
	enum gofer_err err = queue_put(q, b, settled);

	blob_unref(b);
	return err;
}

static void put(const char *letters)
{
	for (; *letters; letters++)
		assert_int_equal(put_as(*letters, false), GOFER_OK);
}

static char letter_of(const struct entry *e)
{
	return e->blob->data[0];
}

static void expect_got(const struct taker *t, const char *letters)
{
	char got[65] = "";

	for (size_t i = 0; i < t->count; i++)
		got[i] = letter_of(t->got[i]);
	assert_string_equal(got, letters);
}

/* What waits, in order, by giving it to somebody who takes all. */
static void expect_waiting(const char *letters)
{
	struct taker t = taker();
	size_t before = q->messages;

	queue_join(q, &t.consumer);
	queue_credit(&t.consumer, 60);
	queue_pause(&t.consumer);
	expect_got(&t, letters);
	for (size_t i = t.count; i > 0; i--)
		queue_return(t.got[i - 1], false, false);
	queue_leave(&t.consumer);
	assert_int_equal(q->messages, before);
}

/* --- order and turns --------------------------------------------------------------------- */

static void first_in_first_out(void **state)
{
	struct taker t = taker();

	(void)state;
	put("abc");
	queue_join(q, &t.consumer);
	assert_int_equal(t.count, 0);
	queue_credit(&t.consumer, 2);
	expect_got(&t, "ab");
	assert_int_equal(t.consumer.credit, 0);
	assert_int_equal(q->held, 2);
	assert_int_equal(q->messages, 3);
	put("d");
	expect_got(&t, "ab");
	queue_credit(&t.consumer, 5);
	expect_got(&t, "abcd");
	assert_int_equal(t.consumer.credit, 3);
	put("e");
	expect_got(&t, "abcde");
	queue_leave(&t.consumer);
}

static void consumers_take_turns(void **state)
{
	struct taker a = taker(), b = taker(), c = taker();

	(void)state;
	queue_join(q, &a.consumer);
	queue_join(q, &b.consumer);
	queue_join(q, &c.consumer);
	queue_credit(&a.consumer, 3);
	queue_credit(&b.consumer, 1);
	queue_credit(&c.consumer, 3);
	put("123456");
	expect_got(&a, "146");
	expect_got(&b, "2");
	expect_got(&c, "35");
	assert_int_equal(q->consumers, 3);
	queue_leave(&a.consumer);
	queue_leave(&b.consumer);
	queue_leave(&c.consumer);
	assert_int_equal(q->consumers, 0);
}

static void no_credit_no_messages(void **state)
{
	struct taker a = taker();

	(void)state;
	queue_join(q, &a.consumer);
	put("a");
	queue_credit(&a.consumer, 0);
	assert_int_equal(a.count, 0);
	queue_credit(&a.consumer, 1);
	queue_credit(&a.consumer, 0);
	expect_got(&a, "a");
	queue_leave(&a.consumer);
}

static void a_pause_ends_the_offers(void **state)
{
	struct taker a = taker();

	(void)state;
	a.pauses = true;
	put("abc");
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 9);
	expect_got(&a, "a");
	queue_credit(&a.consumer, 9);
	expect_got(&a, "ab");
	queue_leave(&a.consumer);
}

static void settled_consumers_hold_nothing(void **state)
{
	struct taker a = taker();

	(void)state;
	a.settles = true;
	put("ab");
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 9);
	assert_int_equal(a.count, 2);
	assert_int_equal(q->messages, 0);
	assert_int_equal(q->bytes, 0);
	queue_leave(&a.consumer);
}

static void a_failing_offer_keeps_the_message(void **state)
{
	struct taker a = taker(), b = taker();

	(void)state;
	a.fails = true;
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 9);
	put("ab");
	assert_int_equal(a.consumer.credit, 0);
	assert_int_equal(q->held, 0);
	queue_join(q, &b.consumer);
	queue_credit(&b.consumer, 9);
	expect_got(&b, "ab");
	assert_int_equal(b.got[0]->failures, 0);
	queue_leave(&a.consumer);
	queue_leave(&b.consumer);
}

/* --- fates ------------------------------------------------------------------------------- */

static void accepted_is_gone(void **state)
{
	struct taker a = taker();

	(void)state;
	put("ab");
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 2);
	queue_remove(a.got[1]);
	assert_int_equal(q->messages, 1);
	queue_remove(a.got[0]);
	assert_int_equal(q->messages, 0);
	queue_leave(&a.consumer);
	expect_waiting("");
}

static void released_takes_its_old_place(void **state)
{
	struct taker a = taker();

	(void)state;
	put("abcdef");
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 4);
	queue_return(a.got[2], false, false); /* c */
	queue_return(a.got[0], false, false); /* a */
	queue_return(a.got[3], false, false); /* d */
	queue_return(a.got[1], false, false); /* b */
	expect_waiting("abcdef");
	assert_int_equal(TAILQ_FIRST(&q->waiting)->failures, 0);
	queue_leave(&a.consumer);
}

/* Whatever the order in which they come back. */
static void returned_in_any_order(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct taker a = taker();

		put("abcdefghij");
		queue_join(q, &a.consumer);
		queue_credit(&a.consumer, 1 + round % 10);
		while (a.count) {
			size_t i = (size_t)rand_r(&seed) % a.count;

			queue_return(a.got[i], false, false);
			a.got[i] = a.got[--a.count];
			if (rand_r(&seed) % 3 == 0)
				queue_credit(&a.consumer, 1);
			if (a.count > 20)
				break;
		}
		queue_leave(&a.consumer);
		expect_waiting("abcdefghij");
		assert_int_equal(queue_purge(q, 0), 10);
	}
}

static void failed_counts(void **state)
{
	struct taker a = taker();

	(void)state;
	put("a");
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 1);
	queue_return(a.got[0], true, false);
	queue_credit(&a.consumer, 1);
	expect_got(&a, "aa");
	assert_int_equal(a.got[1]->failures, 1);
	queue_return(a.got[1], true, false);
	assert_int_equal(TAILQ_FIRST(&q->waiting)->failures, 2);
	queue_leave(&a.consumer);
}

static void leaving_returns_what_is_held_as_failed(void **state)
{
	struct taker a = taker(), b = taker();

	(void)state;
	put("abcd");
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 3);
	queue_join(q, &b.consumer);
	queue_credit(&b.consumer, 4);
	expect_got(&b, "d");
	queue_leave(&a.consumer);
	expect_got(&b, "dabc");
	assert_int_equal(b.got[0]->failures, 0);
	assert_int_equal(b.got[3]->failures, 1);
	queue_leave(&b.consumer);
	queue_leave(&b.consumer);
}

static void refused_goes_to_another(void **state)
{
	struct taker a = taker(), b = taker();

	(void)state;
	put("ab");
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 9);
	queue_return(a.got[0], true, true);
	expect_got(&a, "ab");
	assert_int_equal(q->refused, 1);
	put("c");
	expect_got(&a, "abc"); /* what it refused does not stand in the way */
	queue_join(q, &b.consumer);
	queue_credit(&b.consumer, 9);
	expect_got(&b, "a");
	assert_int_equal(b.got[0]->failures, 1);
	queue_return(b.got[0], true, true);
	assert_int_equal(b.count, 1);
	queue_leave(&a.consumer);
	queue_leave(&b.consumer);
	expect_waiting("abc"); /* another consumer, another chance */
	assert_int_equal(queue_purge(q, 0), 3);
	assert_int_equal(q->refused, 0);
}

/* --- bounds ------------------------------------------------------------------------------ */

static void too_large_is_left_to_others(void **state)
{
	struct taker small = taker(), any = taker();
	struct blob *large = blob_new(200);

	(void)state;
	assert_non_null(large);
	large->data[0] = 'L';
	small.consumer.largest = 199;
	queue_join(q, &small.consumer);
	queue_credit(&small.consumer, 10);
	put("a");
	assert_int_equal(queue_put(q, large, false), GOFER_OK);
	blob_unref(large);
	put("b");
	expect_got(&small, "ab");
	queue_join(q, &any.consumer);
	queue_credit(&any.consumer, 10);
	expect_got(&any, "L");
	queue_leave(&any.consumer);
	small.consumer.largest = 200;
	queue_credit(&small.consumer, 10);
	expect_got(&small, "abL");
	queue_leave(&small.consumer);
}

static void full_by_count(void **state)
{
	struct taker a = taker();

	(void)state;
	put("abcdefghi");
	assert_int_equal(queue_room(q), 1);
	put("j");
	assert_true(queue_is_full(q));
	assert_int_equal(queue_room(q), 0);
	assert_int_equal(put_as('k', false), GOFER_FULL);
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 1);
	assert_int_equal(put_as('k', false), GOFER_FULL); /* held ones count */
	queue_remove(a.got[0]);
	assert_int_equal(put_as('k', false), GOFER_OK);
	queue_leave(&a.consumer);
	expect_waiting("bcdefghijk");
}

static void full_by_bytes(void **state)
{
	struct blob *big = blob_new(600);

	(void)state;
	assert_int_equal(queue_put(q, big, false), GOFER_OK);
	assert_int_equal(queue_put(q, big, false), GOFER_OK);
	assert_int_equal(queue_put(q, big, false), GOFER_FULL);
	assert_int_equal(q->bytes, 1200);
	assert_int_equal(big->refs, 3);
	queue_purge(q, 0);
	assert_int_equal(big->refs, 1);
	blob_unref(big);
}

static void settled_messages_may_exceed_the_bound(void **state)
{
	(void)state;
	put("abcdefghij");
	for (int i = 0; i < 10; i++)
		assert_int_equal(put_as('k', true), GOFER_OK);
	assert_int_equal(put_as('z', true), GOFER_FULL);
	assert_int_equal(q->messages, 20);
}

static void room_is_told_when_a_quarter_is_free(void **state)
{
	struct giver g = giver();

	(void)state;
	queue_enter(q, &g.producer);
	put("abcdefghij");
	queue_await_room(&g.producer);
	queue_await_room(&g.producer);
	queue_purge(q, 2);
	assert_int_equal(g.rooms, 0);
	queue_purge(q, 1);
	assert_int_equal(g.rooms, 1);
	queue_purge(q, 0);
	assert_int_equal(g.rooms, 1);
	queue_exit(&g.producer);
	queue_exit(&g.producer);
}

static void room_is_told_once_even_to_who_waits_again(void **state)
{
	struct giver g = giver(), h = giver();

	(void)state;
	g.waits_again = h.waits_again = true;
	queue_enter(q, &g.producer);
	queue_enter(q, &h.producer);
	put("a");
	queue_await_room(&g.producer);
	queue_await_room(&h.producer);
	queue_purge(q, 0);
	assert_int_equal(g.rooms, 1);
	assert_int_equal(h.rooms, 1);
	queue_exit(&g.producer);
	queue_exit(&h.producer);
}

/* --- time -------------------------------------------------------------------------------- */

static struct blob *lives_for(char letter, int64_t ms)
{
	struct blob *b = blob(letter);

	b->expires_ms = (uint64_t)((int64_t)clock_monotonic_ms() + ms);
	return b;
}

static void put_for(char letter, int64_t ms)
{
	struct blob *b = lives_for(letter, ms);

	assert_int_equal(queue_put(q, b, false), GOFER_OK);
	blob_unref(b);
}

static void expired_are_not_given(void **state)
{
	struct taker a = taker();

	(void)state;
	put_for('a', -1);
	put("b");
	put_for('c', -1);
	put_for('d', 60000);
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 9);
	expect_got(&a, "bd");
	assert_int_equal(q->messages, 2);
	assert_int_equal(q->expiring, 0);
	queue_leave(&a.consumer);
	assert_int_equal(q->expiring, 1);
}

static void expired_are_swept(void **state)
{
	uint64_t now = clock_monotonic_ms();

	(void)state;
	put("a");
	put_for('b', 1000);
	put_for('c', 5000);
	assert_int_equal(q->expiring, 2);
	queue_expire(q, now);
	assert_int_equal(q->messages, 3);
	queue_expire(q, now + 2000);
	assert_int_equal(q->messages, 2);
	assert_int_equal(q->expiring, 1);
	queue_expire(q, now + 9000);
	assert_int_equal(q->messages, 1);
	assert_int_equal(q->next_expiry_ms, UINT64_MAX);
	expect_waiting("a");
}

/* --- the end ----------------------------------------------------------------------------- */

static void everybody_is_told_of_the_end(void **state)
{
	struct taker a = taker(), b = taker();
	struct giver g = giver(), h = giver();

	(void)state;
	put("abcde");
	queue_join(q, &a.consumer);
	queue_join(q, &b.consumer);
	queue_credit(&a.consumer, 2);
	queue_enter(q, &g.producer);
	queue_enter(q, &h.producer);
	queue_await_room(&h.producer);
	queue_free(q);
	q = NULL;
	assert_int_equal(a.gone, 1);
	assert_int_equal(a.forgotten, 2);
	assert_int_equal(b.gone, 1);
	assert_int_equal(b.forgotten, 0);
	assert_int_equal(g.gone, 1);
	assert_int_equal(h.gone, 1);
	queue_free(NULL);
}

static void purging_counts(void **state)
{
	struct taker a = taker();

	(void)state;
	put("abcd");
	queue_join(q, &a.consumer);
	queue_credit(&a.consumer, 1);
	assert_int_equal(queue_purge(q, 2), 2);
	expect_waiting("d");
	assert_int_equal(queue_purge(q, 0), 1);
	assert_int_equal(q->messages, 1); /* the one that is held */
	queue_leave(&a.consumer);
	expect_waiting("a");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(first_in_first_out),
		TEST(consumers_take_turns),
		TEST(no_credit_no_messages),
		TEST(a_pause_ends_the_offers),
		TEST(settled_consumers_hold_nothing),
		TEST(a_failing_offer_keeps_the_message),
		TEST(accepted_is_gone),
		TEST(released_takes_its_old_place),
		TEST(returned_in_any_order),
		TEST(failed_counts),
		TEST(leaving_returns_what_is_held_as_failed),
		TEST(refused_goes_to_another),
		TEST(too_large_is_left_to_others),
		TEST(full_by_count),
		TEST(full_by_bytes),
		TEST(settled_messages_may_exceed_the_bound),
		TEST(room_is_told_when_a_quarter_is_free),
		TEST(room_is_told_once_even_to_who_waits_again),
		TEST(expired_are_not_given),
		TEST(expired_are_swept),
		TEST(everybody_is_told_of_the_end),
		TEST(purging_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
