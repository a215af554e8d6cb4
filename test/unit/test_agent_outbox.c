/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/outbox.h"
#include "core/clock.h"
#include "core/log.h"
#include "fake_connection.h"

static struct loop *loop;
static struct fake_connection *fake;
static struct outbox *outbox;

static int set_up(void **state)
{
	(void)state;
	loop = loop_new(NULL);
	fake = fake_new();
	outbox = outbox_new(loop, &fake->base, NULL, NULL);
	return !outbox;
}

static int tear_down(void **state)
{
	(void)state;
	outbox_free(outbox);
	outbox_free(NULL);
	loop_free(loop);
	fake_free(fake);
	return 0;
}

struct waiter {
	struct outbox_wait wait;
	unsigned done;
	enum outcome outcome;
};

static void on_done(struct outbox_wait *wait, enum outcome outcome)
{
	struct waiter *w = (struct waiter *)wait;

	w->done++;
	w->outcome = outcome;
}

static struct outbox_reply reply_to(const char *address, const char *body)
{
	return (struct outbox_reply){
		.address = address,
		.kind = MESSAGE_DATA,
		.correlation = {"sn", 2},
		.body = {body, strlen(body)},
	};
}

static void test_message(void **state)
{
	struct outbox_reply reply = reply_to("R", "body");

	(void)state;
	reply.durable = true;
	outbox_send(outbox, &reply);
	assert_int_equal(fake->sent_count, 1);
	assert_string_equal(fake->sent[0].address, "R");
	assert_string_equal(fake->sent[0].body, "body");
	assert_string_equal(fake->sent[0].correlation, "sn");
	assert_string_equal(fake->sent[0].content_type, "application/json");
	assert_int_equal(fake->sent[0].kind, MESSAGE_DATA);
	assert_true(fake->sent[0].durable);
	assert_null(fake->sent[0].on_outcome);
}

static void test_outcome_is_told_once(void **state)
{
	struct outbox_reply reply = reply_to("R", "body");
	struct waiter w = {.wait.done = on_done};

	(void)state;
	outbox_send_last(outbox, &reply, &w.wait);
	assert_int_equal(w.done, 0);
	fake_settle(fake, 0, OUTCOME_MODIFIED);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.outcome, OUTCOME_MODIFIED);
}

static void turn_until_sent(size_t count)
{
	uint64_t until = clock_monotonic_ms() + 60000;

	while (fake->sent_count < count && clock_monotonic_ms() < until)
		loop_run_once(loop, 0.05);
	assert_int_equal(fake->sent_count, count);
}

/* Where there is no room: status is dropped, results wait, in order, and those that come later behind
 * them. */
static void test_no_room(void **state)
{
	struct outbox_reply status = reply_to("R", "status"), a = reply_to("R", "a"),
			    b = reply_to("R", "b"), c = reply_to("R", "c");
	struct waiter wa = {.wait.done = on_done}, wb = {.wait.done = on_done},
		      wc = {.wait.done = on_done};

	(void)state;
	fake->refuse = GOFER_FULL;
	outbox_send(outbox, &status);
	outbox_send_last(outbox, &a, &wa.wait);
	outbox_send_last(outbox, &b, &wb.wait);
	for (int i = 0; i < 3; i++)
		loop_run_once(loop, 0.3);
	assert_int_equal(fake->sent_count, 0);
	fake->refuse = GOFER_OK;
	outbox_send_last(outbox, &c, &wc.wait);
	assert_int_equal(fake->sent_count, 0);
	turn_until_sent(3);
	assert_string_equal(fake->sent[0].body, "a");
	assert_string_equal(fake->sent[1].body, "b");
	assert_string_equal(fake->sent[2].body, "c");
	fake_settle_all(fake, OUTCOME_ACCEPTED);
	assert_int_equal(wa.done + wb.done + wc.done, 3);
	/* Nobody waits now: the next goes at once. */
	outbox_send_last(outbox, &a, &wa.wait);
	assert_int_equal(fake->sent_count, 4);
}

/* A result whose queue is full is tried again, and holds up nobody; for another reason it is not. */
static void test_queue_that_is_full(void **state)
{
	struct outbox_reply a = reply_to("full", "a"), b = reply_to("R", "b");
	struct waiter wa = {.wait.done = on_done}, wb = {.wait.done = on_done};

	(void)state;
	outbox_send_last(outbox, &a, &wa.wait);
	fake_settle_why(fake, 0, OUTCOME_RELEASED, GOFER_FULL);
	assert_int_equal(wa.done, 0);
	outbox_send_last(outbox, &b, &wb.wait);
	fake_settle(fake, 1, OUTCOME_ACCEPTED);
	assert_int_equal(wb.done, 1);
	fake->refuse = GOFER_FULL;
	for (int i = 0; i < 3; i++)
		loop_run_once(loop, 0.3);
	fake->refuse = GOFER_OK;
	turn_until_sent(3);
	assert_string_equal(fake->sent[2].body, "a");
	fake_settle_why(fake, 2, OUTCOME_RELEASED, GOFER_FULL);
	turn_until_sent(4);
	fake_settle(fake, 3, OUTCOME_ACCEPTED);
	assert_int_equal(wa.done, 1);
	assert_int_equal(wa.outcome, OUTCOME_ACCEPTED);
	/* it is not tried for ever */
	outbox_send_last(outbox, &a, &wa.wait);
	fake_settle_why(fake, 4, OUTCOME_RELEASED, GOFER_FULL);
	wa.wait.until_ms = 1;
	turn_until_sent(6);
	fake_settle_why(fake, 5, OUTCOME_RELEASED, GOFER_FULL);
	assert_int_equal(wa.done, 2);
	assert_int_equal(wa.outcome, OUTCOME_RELEASED);
}

/* Freed with some that wait: they are not called. */
static void test_forgotten(void **state)
{
	struct outbox_reply reply = reply_to("R", "body");
	static struct waiter w = {.wait.done = on_done};

	(void)state;
	fake->refuse = GOFER_CANCELLED;
	outbox_send_last(outbox, &reply, &w.wait);
	outbox_free(outbox);
	outbox = NULL;
	assert_int_equal(w.done, 0);
}

static size_t lines_of(FILE *file)
{
	size_t lines = 0;
	int c;

	rewind(file);
	while ((c = fgetc(file)) != EOF)
		lines += c == '\n';
	return lines;
}

/* An address that nobody is at is told once, another one is another matter. */
static void test_told_once(void **state)
{
	struct outbox_reply gone = reply_to("gone", "body"), other = reply_to("other", "body");
	struct waiter w[6];
	FILE *said = tmpfile();
	int saved = dup(STDERR_FILENO);

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		w[i] = (struct waiter){.wait.done = on_done};
		outbox_send_last(outbox, i == 3 ? &other : &gone, &w[i].wait);
	}
	fflush(stderr);
	dup2(fileno(said), STDERR_FILENO);
	for (size_t i = 0; i < 4; i++)
		fake_settle(fake, i, OUTCOME_RELEASED);
	fake_settle(fake, 4, OUTCOME_ACCEPTED);
	fake_settle(fake, 5, OUTCOME_LOST);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(lines_of(said), 2);
	fclose(said);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(w[i].done, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_message, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outcome_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_queue_that_is_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_told_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
