/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on their way from accepted to forgotten; credit; and how an instance stops. */
#include "agent_fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/execution.h"
#include "core/clock.h"
#include "core/log.h"

static void call_block(struct fixture *f, unsigned i)
{
	char sn[16];

	snprintf(sn, sizeof sn, "b%u", i);
	fixture_call(f, sn, "block", "[]");
}

/* --- running -------------------------------------------------------------------------- */

static void test_progress_in_order(void **state)
{
	struct fixture *f = fixture_new();
	struct reply reply;

	(void)state;
	fixture_call(f, "p", "progress", "[5]");
	fixture_wait_sent(f, 8);
	fixture_expect_status(f, 0, REPLY_ACCEPTED, "p");
	fixture_expect_status(f, 1, REPLY_STARTED, "p");
	for (size_t i = 0; i < 5; i++) {
		reply = fixture_reply(f, 2 + i);
		assert_int_equal(reply.kind, REPLY_PROGRESS);
		assert_int_equal(reply.total, 5);
		assert_int_equal(reply.completed, i + 1);
		assert_string_equal(json_string(reply.details), "step");
		assert_non_null(reply.timestamp);
		reply_release(&reply);
		assert_false(f->fake->sent[2 + i].durable);
	}
	fixture_expect_status(f, 7, REPLY_RETURNED, "p");
	fixture_free(f);
}

/* A loop that does not listen is no reason to keep all that a method says: the first ones and the
 * newest. */
static void test_progress_is_bounded(void **state)
{
	struct fixture *f = fixture_new();
	struct reply reply;
	uint64_t until = clock_monotonic_ms() + 60000; /* under a sanitizer, on a busy machine */
	size_t n = EXECUTION_PROGRESS_MAX;

	(void)state;
	fixture_call(f, "p", "burst", "[100000]");
	fixture_wait_sent(f, 2);
	fixture_release(1); /* from here on the loop takes nothing until all is told */
	while (pool_running(f->instance->pool) || pool_waiting(f->instance->pool))
		assert_true(clock_monotonic_ms() < until);
	fixture_wait_sent(f, 3 + n);
	fixture_turn(f, 0.02);
	assert_int_equal(f->fake->sent_count, 3 + n);
	fixture_expect_status(f, 1, REPLY_STARTED, "p");
	reply = fixture_reply(f, n);
	assert_int_equal(reply.completed, n - 1);
	reply_release(&reply);
	reply = fixture_reply(f, 1 + n);
	assert_int_equal(reply.completed, 100000);
	reply_release(&reply);
	fixture_expect_status(f, 2 + n, REPLY_RETURNED, "p");
	fixture_free(f);
}

static void test_exceptions(void **state)
{
	static const struct {
		const char *method, *args, *xmodule, *xclass;
	} rows[] = {
		{"Nothing.echo", "[1]", "gofer.rmi.dispatcher", "NamespaceNotFound"},
		{"nothing", "[1]", "gofer.rmi.dispatcher", "MemberNotFound"},
		{"echo", "[]", "builtins", "TypeError"},
		{"echo", "[1, 2]", "builtins", "TypeError"},
		{"progress", "[\"many\"]", "builtins", "TypeError"},
	};
	struct fixture *f = fixture_new();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct reply reply;
		char sn[8];

		snprintf(sn, sizeof sn, "%zu", i);
		fixture_call(f, sn, rows[i].method, rows[i].args);
		fixture_wait_sent(f, 3 * i + 3);
		reply = fixture_reply(f, 3 * i + 2);
		assert_int_equal(reply.kind, REPLY_RAISED);
		assert_string_equal(reply.xmodule, rows[i].xmodule);
		assert_string_equal(reply.xclass, rows[i].xclass);
		reply_release(&reply);
	}
	fixture_free(f);
}

static void test_configuration_of_the_plugin(void **state)
{
	struct fixture *f = fixture_new();
	struct reply reply;

	(void)state;
	assert_int_equal(fixture_loads, 1);
	fixture_call(f, "w", "who", "[]");
	fixture_wait_sent(f, 3);
	reply = fixture_reply(f, 2);
	assert_string_equal(json_string(reply.retval), "somebody");
	reply_release(&reply);
	fixture_free(f);
	assert_int_equal(fixture_loads, 0);
}

static void test_load_that_fails(void **state)
{
	struct fixture *f = fixture_new();
	struct error error = ERROR_NONE;

	(void)state;
	config_set(f->descriptor.config, "test", "broken", "1", "test");
	struct module *module = module_new(&f->descriptor, f->loader, &error);
	assert_int_equal(module_load(module, &error), GOFER_FAILED);
	assert_non_null(strstr(error.text, "load() failed"));
	module_unref(module);
	fixture_free(f);
	assert_int_equal(fixture_loads, 0);
}

static void test_latency(void **state)
{
	struct fixture *f = fixture_new_like(&(struct descriptor){.latency_s = 0.15}, 4096,
	                                     &(struct journal_options){0});
	uint64_t begin = clock_monotonic_ms();

	(void)state;
	fixture_call(f, "l", "echo", "[1]");
	assert_int_equal(f->fake->sent_count, 1);
	fixture_wait_sent(f, 3);
	assert_true(clock_monotonic_ms() - begin >= 150);
	/* Admin does not wait. */
	begin = clock_monotonic_ms();
	fixture_call(f, "a", "Admin.hello", "[]");
	fixture_wait_sent(f, 6);
	assert_true(clock_monotonic_ms() - begin < 150);
	fixture_free(f);
}

static void expect_cancelled(struct fixture *f, size_t i, const char *sn)
{
	struct reply reply = fixture_reply(f, i);

	assert_int_equal(reply.kind, REPLY_RAISED);
	assert_string_equal(reply.sn, sn);
	assert_string_equal(reply.xmodule, "gofer.rmi.dispatcher");
	assert_string_equal(reply.xclass, "Cancelled");
	assert_string_equal(json_string(cJSON_GetArrayItem(reply.xargs, 0)), sn);
	reply_release(&reply);
}

/* In the time before its start: discarded, at once, and said so. */
static void test_cancelled_in_latency(void **state)
{
	struct fixture *f = fixture_new_like(&(struct descriptor){.latency_s = 30}, 4096,
	                                     &(struct journal_options){0});

	(void)state;
	fixture_call(f, "l", "echo", "[1]");
	fixture_turn(f, 0.05);
	execution_cancel(f->instance->executions);
	fixture_wait_sent(f, 2);
	expect_cancelled(f, 1, "l");
	assert_int_equal(fixture_runs, 0);
	fixture_free(f);
}

static void test_cancelled_while_waiting_and_while_running(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_call(f, "running", "sleep", "[30]");
	fixture_wait_sent(f, 2);
	fixture_call(f, "waiting", "echo", "[1]");
	/* The newest is the first of the list. */
	execution_cancel(f->instance->executions);
	execution_cancel(execution_next(f->instance->executions));
	fixture_wait_sent(f, 5);
	expect_cancelled(f, 3, "running");
	expect_cancelled(f, 4, "waiting");
	assert_int_equal(fixture_runs, 1);
	fixture_free(f);
}

/* --- the end -------------------------------------------------------------------------- */

static void test_forgotten_when_the_result_is_taken(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_call(f, "s", "echo", "[1]");
	fixture_wait_sent(f, 3);
	assert_null(f->fake->sent[0].on_outcome);
	assert_null(f->fake->sent[1].on_outcome);
	assert_int_equal(f->instance->count, 1);
	assert_int_equal(journal_count(f->journal), 1);
	fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	assert_int_equal(f->instance->count, 0);
	assert_int_equal(f->instance->bytes, 0);
	assert_int_equal(journal_count(f->journal), 0);
	assert_int_equal(tracker_finished(f->services.tracker), 1);
	fixture_free(f);
}

/* Nobody is there: dropped. Nobody can say: the journal keeps it. */
static void test_result_that_is_not_taken(void **state)
{
	static const struct {
		enum outcome outcome;
		size_t journal;
	} rows[] = {{OUTCOME_RELEASED, 0}, {OUTCOME_REJECTED, 0}, {OUTCOME_LOST, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture *f = fixture_new();

		fixture_call(f, "s", "echo", "[1]");
		fixture_wait_sent(f, 3);
		fake_settle_all(f->fake, rows[i].outcome);
		assert_int_equal(f->instance->count, 0);
		assert_int_equal(journal_count(f->journal), rows[i].journal);
		fixture_turn(f, 0.02);
		assert_int_equal(f->fake->sent_count, 3);
		fixture_free(f);
	}
}

struct known {
	enum journal_state state;
	char sn[16], plugin[16], replyto[16];
	bool durable;
	size_t size, count;
};

static void on_sight(void *context, const struct journal_sight *sight)
{
	struct known *k = context;

	k->state = sight->state;
	snprintf(k->sn, sizeof k->sn, "%s", sight->sn);
	snprintf(k->plugin, sizeof k->plugin, "%s", sight->plugin);
	snprintf(k->replyto, sizeof k->replyto, "%s", sight->replyto);
	k->durable = sight->durable;
	k->size = sight->size;
	k->count++;
}

static struct known look(const struct fixture *f)
{
	struct known k = {0};
	size_t damaged;

	assert_int_equal(journal_inspect(f->directory, on_sight, &k, &damaged, NULL), GOFER_OK);
	assert_int_equal(damaged, 0);
	return k;
}

static void test_what_the_journal_knows(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = {.body_kind = MESSAGE_DATA, .durable = true};
	struct known k;

	(void)state;
	fixture_call_like(f, &like, "s", "block", "[]", "\"R\"");
	fixture_wait_sent(f, 2);
	fixture_turn(f, 0.01 * JOURNAL_DELAY_MS);
	k = look(f);
	assert_int_equal(k.count, 1);
	assert_int_equal(k.state, JOURNAL_STARTED);
	assert_string_equal(k.sn, "s");
	assert_string_equal(k.plugin, "test");
	assert_string_equal(k.replyto, "R");
	assert_true(k.durable);
	fixture_release(1);
	fixture_wait_sent(f, 3);
	k = look(f);
	assert_int_equal(k.count, 1);
	assert_int_equal(k.state, JOURNAL_RESULT);
	assert_int_equal(k.size, strlen(f->fake->sent[2].body));
	fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	fixture_turn(f, 0.01 * JOURNAL_DELAY_MS);
	assert_int_equal(look(f).count, 0);
	fixture_free(f);
}

struct flush {
	struct journal_wait wait;
	bool over;
};

static void on_flushed(struct journal_wait *wait, enum gofer_err result)
{
	assert_int_equal(result, GOFER_OK);
	((struct flush *)wait)->over = true;
}

/* As after a cancellation; until it is written. */
static void sweep(struct fixture *f)
{
	struct flush flush = {.wait.stored = on_flushed};

	instance_mark(f->instance);
	instance_sweep(f->instance);
	journal_flush(f->journal, &flush.wait);
	while (!flush.over)
		loop_run_once(f->loop, 0.05);
}

/* As cancel() does, from another thread in life. */
static void cancel_by_sn(struct fixture *f, const char *sn)
{
	struct cJSON *list = cJSON_CreateArray();

	assert_int_equal(pending_cancel(f->pending, sn, list), GOFER_OK);
	assert_string_equal(json_string(cJSON_GetArrayItem(list, 0)), sn);
	cJSON_Delete(list);
	sweep(f);
}

/* A method that does not look goes on; should the agent end meanwhile it is not begun again. */
static void test_cancelled_is_in_the_journal(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = {.body_kind = MESSAGE_DATA, .durable = true};
	struct known k;

	(void)state;
	fixture_call_like(f, &like, "s", "block", "[]", "\"R\"");
	fixture_wait_sent(f, 2);
	cancel_by_sn(f, "s");
	k = look(f);
	assert_int_equal(k.count, 1);
	assert_int_equal(k.state, JOURNAL_CANCELLED);
	fixture_release(1);
	fixture_wait_sent(f, 3);
	assert_int_equal(look(f).state, JOURNAL_RESULT);
	assert_int_equal(pending_cancel(f->pending, "s", NULL), GOFER_NOTFOUND);
	fixture_free(f);
}

/* No thread is free to see that one that waits was cancelled: it is answered all the same, and once. */
static void test_cancelled_while_all_are_busy(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = {.body_kind = MESSAGE_DATA, .durable = true};

	(void)state;
	fixture_call(f, "busy", "block", "[]");
	fixture_wait_runs(f, 1);
	fixture_call_like(f, &like, "durable", "echo", "[1]", "\"R\"");
	fixture_call(f, "quick", "echo", "[1]");
	fixture_wait_sent(f, 4);
	cancel_by_sn(f, "quick");
	cancel_by_sn(f, "durable");
	fixture_wait_sent(f, 6);
	expect_cancelled(f, 4, "quick");
	expect_cancelled(f, 5, "durable");
	cancel_by_sn(f, "busy");
	fixture_release(1);
	fixture_wait_sent(f, 7);
	fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	assert_int_equal(fixture_runs, 1);
	assert_int_equal(instance_busy(f->instance), 0);
	assert_int_equal(f->instance->metrics.calls[METRICS_CANCELLED], 2);
	assert_int_equal(f->instance->metrics.calls[METRICS_RETURNED], 1);
	fixture_free(f);
}

/* What waits when all ends is run by the next start, if it is durable; others are answered. */
static void test_durable_ones_stay_for_the_next_start(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = fixture_message;

	(void)state;
	call_block(f, 0);
	fixture_call(f, "quick", "echo", "[1]");
	like.durable = true;
	fixture_call_like(f, &like, "kept", "echo", "[1]", "\"R\"");
	fixture_wait_sent(f, 4);
	instance_stop(f->instance);
	instance_cut(f->instance, true);
	fixture_wait_sent(f, 5);
	fixture_turn(f, 0.01 * JOURNAL_DELAY_MS);
	assert_non_null(strstr(f->fake->sent[4].body, "Cancelled"));
	assert_int_equal(f->fake->sent_count, 5);
	assert_int_equal(journal_count(f->journal), 3);
	fixture_free(f);
}

/* Nobody has cancelled them, though others may have been at the same moment. */
static void test_kept_ones_are_not_cancelled(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = {.body_kind = MESSAGE_DATA, .durable = true};
	struct known k;

	(void)state;
	call_block(f, 0);
	fixture_call_like(f, &like, "kept", "echo", "[1]", "\"R\"");
	fixture_wait_sent(f, 3);
	instance_stop(f->instance);
	instance_cut(f->instance, true);
	sweep(f);
	assert_int_equal(pending_cancel(f->pending, "kept", NULL), GOFER_NOTFOUND);
	k = look(f);
	assert_int_equal(k.count, 2);
	assert_int_equal(k.state, JOURNAL_ACCEPTED);
	fixture_free(f);
}

/* It has not started, either, though a thread has it. */
static void test_one_in_latency_is_kept(void **state)
{
	struct fixture *f = fixture_new_like(&(struct descriptor){.latency_s = 30}, 4096,
	                                     &(struct journal_options){0});
	struct message like = {.body_kind = MESSAGE_DATA, .durable = true};
	struct known k;

	(void)state;
	fixture_call_like(f, &like, "kept", "echo", "[1]", "\"R\"");
	fixture_wait_sent(f, 1);
	while (!pool_running(f->instance->pool))
		fixture_turn(f, 0.01);
	instance_stop(f->instance);
	instance_cut(f->instance, true);
	while (instance_busy(f->instance) && f->fake->sent_count == 1)
		fixture_turn(f, 0.01);
	assert_int_equal(f->fake->sent_count, 1);
	k = look(f);
	assert_int_equal(k.count, 1);
	assert_int_equal(k.state, JOURNAL_ACCEPTED);
	fixture_free(f);
}

/* A durable request is accepted when the journal has it, not before. */
static void test_durable_waits_for_the_journal(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = fixture_message;
	struct fake_delivery *d;

	(void)state;
	like.durable = true;
	d = fixture_call_like(f, &like, "s", "echo", "[1]", "\"R\"");
	assert_false(d->settled);
	assert_int_equal(f->fake->sent_count, 0);
	assert_int_equal(pool_waiting(f->instance->pool) + pool_running(f->instance->pool), 0);
	fixture_wait_sent(f, 3);
	assert_true(d->settled);
	fixture_free(f);
}

/* --- credit --------------------------------------------------------------------------- */

static void test_credit_is_the_room(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	assert_int_equal(f->fake->credit, 8);
	for (unsigned i = 0; i < 8; i++)
		call_block(f, i);
	assert_int_equal(f->fake->credit, 0);
	assert_int_equal(f->instance->count, 8);
	/* Room for one is not worth asking; room for two is. */
	fixture_release(1);
	fixture_wait_sent(f, 8 + 2 + 1);
	assert_int_equal(f->fake->credit, 0);
	fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	assert_int_equal(f->fake->credit, 0);
	fixture_release(1);
	fixture_wait_sent(f, 8 + 4 + 1);
	fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	assert_int_equal(f->fake->credit, 2);
	fixture_free(f);
}

static void test_credit_in_batches(void **state)
{
	struct fixture *f = fixture_new_like(&(struct descriptor){.backlog = 1000}, 4096,
	                                     &(struct journal_options){0});
	char sn[16];

	(void)state;
	assert_int_equal(f->fake->credit, INSTANCE_CREDIT_MAX);
	for (unsigned i = 0; i < 150; i++) {
		snprintf(sn, sizeof sn, "%u", i);
		fixture_call(f, sn, "echo", "[1]");
		fixture_wait_sent(f, 3 * i + 3);
		fake_settle_all(f->fake, OUTCOME_ACCEPTED);
		assert_in_range(f->fake->credit, INSTANCE_CREDIT_MAX / 2, INSTANCE_CREDIT_MAX);
	}
	assert_true(f->fake->credit_calls <= 5);
	fixture_free(f);
}

static void test_backlog_of_one(void **state)
{
	struct fixture *f = fixture_new_like(&(struct descriptor){.backlog = 1}, 4096,
	                                     &(struct journal_options){0});

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(f->fake->credit, 1);
		call_block(f, i);
		assert_int_equal(f->fake->credit, 0);
		fixture_release(1);
		fixture_wait_sent(f, 3 * i + 3);
		fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	}
	fixture_free(f);
}

/* What was refused made no call: the room is there again. */
static void test_credit_after_refusals(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		assert_true(f->fake->credit > 0);
		fake_deliver(f->fake, &fixture_message, "x", 1, NULL);
	}
	fixture_free(f);
}

static void test_link_lost_and_back(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = fixture_message;
	struct fake_delivery *d, *again;

	(void)state;
	fixture_call(f, "running", "block", "[]");
	fixture_wait_sent(f, 2);
	like.durable = true;
	d = fixture_call_like(f, &like, "waits", "echo", "[1]", "\"R\"");
	fake_down(f->fake, "lost", -1);
	assert_int_equal(f->instance->credit, 0);
	fixture_turn(f, 0.02);
	assert_int_equal(d->outcome, OUTCOME_RELEASED);
	fake_open(f->fake);
	assert_int_equal(f->fake->credit, 7);
	/* The broker saw none of the settlements: it sends both again. */
	again = fixture_call(f, "running", "block", "[]");
	assert_int_equal(again->outcome, OUTCOME_ACCEPTED);
	again = fixture_call_like(f, &like, "waits", "echo", "[1]", "\"R\"");
	fixture_wait_sent(f, 3);
	assert_int_equal(again->outcome, OUTCOME_ACCEPTED);
	fixture_release(1);
	fixture_wait_sent(f, 6);
	fixture_turn(f, 0.02);
	assert_int_equal(f->fake->sent_count, 6);
	assert_int_equal(fixture_runs, 2);
	fixture_free(f);
}

/* What the log has about the queue; `refusals` attempts in vain, then it is there. */
static size_t lines_said(struct fixture *f, unsigned refusals, double retry_s)
{
	FILE *said = tmpfile();
	int saved = dup(STDERR_FILENO), c;
	size_t lines = 0;

	log_level("", LOG_LEVEL_INFO);
	dup2(fileno(said), STDERR_FILENO);
	for (unsigned i = 0; i < refusals; i++)
		fake_down(f->fake, "not-found", retry_s);
	fake_open(f->fake);
	dup2(saved, STDERR_FILENO);
	close(saved);
	log_level("", LOG_LEVEL_ERROR);
	rewind(said);
	while ((c = fgetc(said)) != EOF)
		lines += c == '\n';
	fclose(said);
	return lines;
}

/* Once refused, once back, however often it was tried; the connection's loss is not the queue's to tell. */
static void test_refusal_is_told_once(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	assert_true(instance_was_tried(f->instance));
	assert_int_equal(lines_said(f, 5, 1.0), 2);
	assert_int_equal(lines_said(f, 1, -1), 1);
	assert_int_equal(f->fake->credit, 8);
	fixture_free(f);
}

/* --- stopping ------------------------------------------------------------------------- */

static void test_soft_stop(void **state)
{
	struct fixture *f = fixture_new();
	unsigned changes;

	(void)state;
	fixture_call(f, "running", "block", "[]");
	fixture_wait_sent(f, 2);
	fixture_call(f, "waiting", "echo", "[1]");
	instance_stop(f->instance);
	assert_false(f->fake->opened);
	fixture_turn(f, 0.02);
	assert_int_equal(instance_busy(f->instance), 2);
	assert_int_equal(instance_running(f->instance), 1);
	fixture_release(1);
	fixture_wait_sent(f, 6);
	changes = f->changes;
	fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	assert_int_equal(instance_busy(f->instance), 0);
	assert_int_equal(f->changes, changes + 1);
	assert_int_equal(fixture_runs, 2);
	fixture_free(f);
}

static void test_hard_stop(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_call(f, "running", "sleep", "[30]");
	fixture_wait_sent(f, 2);
	fixture_call(f, "waiting", "echo", "[1]");
	fixture_call(f, "waiting too", "echo", "[1]");
	instance_stop(f->instance);
	instance_cut(f->instance, true);
	fixture_wait_sent(f, 7);
	for (size_t i = 4; i < 7; i++) /* in no certain order */
		expect_cancelled(f, i, f->fake->sent[i].correlation);
	assert_string_not_equal(f->fake->sent[4].correlation, f->fake->sent[5].correlation);
	fake_settle_all(f->fake, OUTCOME_ACCEPTED);
	assert_int_equal(instance_busy(f->instance), 0);
	assert_int_equal(fixture_runs, 1);
	fixture_free(f);
}

/* What the journal had not stored yet when the instance stopped is not run: it goes back. */
static void test_stop_before_accepted(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = fixture_message;
	struct fake_delivery *d;

	(void)state;
	like.durable = true;
	d = fixture_call_like(f, &like, "s", "echo", "[1]", "\"R\"");
	instance_stop(f->instance);
	fixture_turn(f, 0.02);
	assert_int_equal(d->outcome, OUTCOME_RELEASED);
	assert_int_equal(f->fake->sent_count, 0);
	assert_int_equal(instance_busy(f->instance), 0);
	assert_int_equal(journal_count(f->journal), 0);
	fixture_free(f);
}

/* What was not accepted when its link was lost or left is the broker's again: it is not run from here. */
static void test_link_lost_before_accepted(void **state)
{
	(void)state;
	for (int detached = 0; detached < 2; detached++) {
		struct fixture *f = fixture_new();
		struct message like = {.body_kind = MESSAGE_DATA, .durable = true};
		struct fake_delivery *d = fixture_call_like(f, &like, "s", "echo", "[1]", "\"R\"");

		if (detached)
			instance_detach(f->instance);
		else
			fake_down(f->fake, "gone", -1);
		while (!d->settled)
			fixture_turn(f, 0.01);
		fixture_turn(f, 0.02);
		assert_int_equal(d->outcome, OUTCOME_RELEASED);
		assert_int_equal(f->fake->sent_count, 0);
		assert_int_equal(fixture_runs, 0);
		assert_int_equal(journal_count(f->journal), 0);
		fixture_free(f);
	}
}

/* And where it comes again before the journal has it, that is the one to be accepted. */
static void test_again_before_accepted(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = {.body_kind = MESSAGE_DATA, .durable = true};
	struct fake_delivery *first, *again;

	(void)state;
	first = fixture_call_like(f, &like, "s", "echo", "[1]", "\"R\"");
	fake_down(f->fake, "gone", -1);
	fake_open(f->fake);
	again = fixture_call_like(f, &like, "s", "echo", "[1]", "\"R\"");
	assert_false(again->settled);
	fixture_wait_sent(f, 3);
	assert_int_equal(first->outcome, OUTCOME_RELEASED);
	assert_int_equal(again->outcome, OUTCOME_ACCEPTED);
	assert_int_equal(fixture_runs, 1);
	fixture_free(f);
}

/* Freed with all there can be: a delivery that the journal has, a call that waits, one that runs and a result
 * that nobody took. */
static void test_free_in_the_middle(void **state)
{
	struct fixture *f = fixture_new();
	struct message like = fixture_message;
	struct fake_delivery *d;

	(void)state;
	fixture_call(f, "done", "echo", "[1]");
	fixture_wait_sent(f, 3);
	fixture_call(f, "running", "block", "[]");
	fixture_wait_sent(f, 5);
	fixture_call(f, "waiting", "echo", "[1]");
	like.durable = true;
	d = fixture_call_like(f, &like, "stored", "echo", "[1]", "\"R\"");
	assert_false(d->settled);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_progress_in_order),
		cmocka_unit_test(test_progress_is_bounded),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_configuration_of_the_plugin),
		cmocka_unit_test(test_load_that_fails),
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_cancelled_in_latency),
		cmocka_unit_test(test_cancelled_while_waiting_and_while_running),
		cmocka_unit_test(test_forgotten_when_the_result_is_taken),
		cmocka_unit_test(test_result_that_is_not_taken),
		cmocka_unit_test(test_what_the_journal_knows),
		cmocka_unit_test(test_cancelled_is_in_the_journal),
		cmocka_unit_test(test_cancelled_while_all_are_busy),
		cmocka_unit_test(test_durable_ones_stay_for_the_next_start),
		cmocka_unit_test(test_kept_ones_are_not_cancelled),
		cmocka_unit_test(test_one_in_latency_is_kept),
		cmocka_unit_test(test_durable_waits_for_the_journal),
		cmocka_unit_test(test_credit_is_the_room),
		cmocka_unit_test(test_credit_in_batches),
		cmocka_unit_test(test_backlog_of_one),
		cmocka_unit_test(test_credit_after_refusals),
		cmocka_unit_test(test_link_lost_and_back),
		cmocka_unit_test(test_refusal_is_told_once),
		cmocka_unit_test(test_soft_stop),
		cmocka_unit_test(test_hard_stop),
		cmocka_unit_test(test_stop_before_accepted),
		cmocka_unit_test(test_link_lost_before_accepted),
		cmocka_unit_test(test_again_before_accepted),
		cmocka_unit_test(test_free_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
