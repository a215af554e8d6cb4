/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/call.h"
#include "cmd/show.h"
#include "cmd/exit_codes.h"
#include "cmd/latency.h"
#include "cmd/output.h"
#include "cmd/session.h"
#include "core/clock.h"

#define WINDOW_MAX 4096
#define LOOK_S 0.25 /* how often calls are looked at for being late */

/* One of the calls that are under way. */
struct slot {
	char sn[UUID_TEXT_SIZE]; /* "" while free */
	uint64_t start_us;
	unsigned next; /* in its chain of the table, plus one; 0: none */
};

struct repeat {
	const struct call_job *job;
	const struct call_options *options;
	struct session *session;
	struct loop_timer *look;
	struct call_request request;
	struct call_request cancel;
	char *replyto;
	struct slot *slots;
	unsigned *table; /* heads of chains of slots, plus one; a power of two of them */
	unsigned concurrency, mask;
	unsigned long long started, done, failed;
	int code; /* of the first failure */
	uint64_t start_us, end_us;
	struct latency latency;
};

/* --- the table --------------------------------------------------------------------------- */

/* The sn are random: their first digits are as good as a hash. */
static unsigned chain_of(const struct repeat *r, const char *sn)
{
	unsigned hash = 0;

	for (int i = 0; i < 8 && sn[i]; i++)
		hash = hash * 31 + (unsigned char)sn[i];
	return hash & r->mask;
}

static void insert(struct repeat *r, unsigned index)
{
	unsigned *head = &r->table[chain_of(r, r->slots[index].sn)];

	r->slots[index].next = *head;
	*head = index + 1;
}

static struct slot *find(const struct repeat *r, const char *sn)
{
	unsigned i = r->table[chain_of(r, sn)];

	while (i && strcmp(r->slots[i - 1].sn, sn))
		i = r->slots[i - 1].next;
	return i ? &r->slots[i - 1] : NULL;
}

static void take_out(struct repeat *r, struct slot *slot)
{
	unsigned *link = &r->table[chain_of(r, slot->sn)];
	unsigned number = (unsigned)(slot - r->slots) + 1;

	while (*link != number)
		link = &r->slots[*link - 1].next;
	*link = slot->next;
	slot->sn[0] = '\0';
}

static bool allocate(struct repeat *r)
{
	unsigned size = 16;

	while (size < 2 * r->concurrency)
		size *= 2;
	r->mask = size - 1;
	r->slots = calloc(r->concurrency, sizeof(*r->slots));
	r->table = calloc(size, sizeof(*r->table));
	return r->slots && r->table;
}

/* --- calls ------------------------------------------------------------------------------- */

static void start_call(struct repeat *r, struct slot *slot)
{
	enum gofer_err err;

	if (r->started >= (unsigned long long)r->options->repeat)
		return;
	if (r->started++)
		call_request_renew(&r->request);
	memcpy(slot->sn, r->request.sn, sizeof(slot->sn));
	slot->start_us = clock_monotonic_us();
	insert(r, (unsigned)(slot - r->slots));
	err = call_request_send(&r->request, session_connection(r->session));
	if (err)
		session_fail(r->session, exit_code_of(err), "a request could not be sent: %s",
		             error_name(err));
}

static void end_call(struct repeat *r, struct slot *slot, int code)
{
	uint64_t now = clock_monotonic_us();

	r->done++;
	r->end_us = now;
	latency_add(&r->latency, now - slot->start_us);
	take_out(r, slot);
	if (code != EXIT_CODE_OK) {
		r->failed++;
		r->code = r->code ? r->code : code;
	}
	if (r->done >= (unsigned long long)r->options->repeat)
		session_end(r->session, r->code);
	else
		start_call(r, slot);
}

/* Only the first: the others are likely to be the same. */
static void tell_failure(struct repeat *r, const struct reply *reply)
{
	struct buf text = BUF_INIT;

	if (r->failed)
		return;
	if (reply->kind == REPLY_RAISED)
		show_exception(&text, reply);
	else
		show_rejection(&text, reply);
	session_warn(r->session, "a call failed: %s", buf_text(&text));
	buf_release(&text);
}

static bool has(struct slice body, const char *text)
{
	return body.size && memmem(body.data, body.size, text, strlen(text));
}

/* Whether it may be the last reply of a call: most are not, and decoding them all is half of the work.
 * What has an escape may be spelt in another way. */
static bool may_be_last(struct slice body)
{
	static const char *const signs[] = {"\"result\"", "\"rejected\"", "\"message\"", "\\u"};

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		if (has(body, signs[i]))
			return true;
	}
	return false;
}

static void take_reply(struct repeat *r, const struct reply *reply)
{
	int code = show_code(reply);
	struct slot *slot = code >= 0 && reply->sn && *reply->sn ? find(r, reply->sn) : NULL;

	if (slot && code > 0)
		tell_failure(r, reply);
	if (slot)
		end_call(r, slot, code);
}

static void on_message(void *context, struct delivery *d)
{
	const struct message *message = delivery_message(d);
	struct reply reply = {0};

	if (message && may_be_last(message->body) && !show_decode(&reply, message->body, NULL))
		take_reply(context, &reply);
	reply_release(&reply);
	delivery_settle(d, OUTCOME_ACCEPTED, NULL);
}

static void look_for_late(void *context)
{
	struct repeat *r = context;
	uint64_t now = clock_monotonic_us();

	for (unsigned i = 0; i < r->concurrency; i++) {
		struct slot *slot = &r->slots[i];

		if (!*slot->sn || (double)(now - slot->start_us) < r->options->wait * 1e6)
			continue;
		if (!r->failed)
			session_warn(r->session, "a call failed: no answer in %g s",
			             r->options->wait);
		end_call(r, slot, EXIT_CODE_TIMEOUT);
	}
}

/* --- events ------------------------------------------------------------------------------ */

static void on_ready(void *context, const char *replyto)
{
	struct repeat *r = context;

	r->replyto = strdup(replyto);
	if (!r->replyto || call_request_init(&r->request, r->job, r->replyto)) {
		session_fail(r->session, EXIT_CODE_IO, "out of memory");
		return;
	}
	r->request.on_outcome = session_on_outcome;
	r->request.context = r->session;
	session_wait(r->session, 0);
	loop_timer_start(r->look, LOOK_S, LOOK_S);
	r->start_us = r->end_us = clock_monotonic_us();
	for (unsigned i = 0; i < r->concurrency; i++)
		start_call(r, &r->slots[i]);
}

static void cancel_call(struct repeat *r, const char *sn)
{
	call_request_release(&r->cancel);
	if (!call_request_init_cancel(&r->cancel, r->job, NULL, sn))
		call_request_send(&r->cancel, session_connection(r->session));
}

static void on_interrupt(void *context)
{
	struct repeat *r = context;

	for (unsigned i = 0; i < r->concurrency && !r->options->no_cancel; i++) {
		if (*r->slots[i].sn)
			cancel_call(r, r->slots[i].sn);
	}
	session_end(r->session, EXIT_CODE_INTERRUPTED);
}

static void on_timeout(void *context)
{
	(void)context;
}

static const struct session_events events = {
	.on_ready = on_ready,
	.on_message = on_message,
	.on_interrupt = on_interrupt,
	.on_timeout = on_timeout,
};

/* --- the figures ------------------------------------------------------------------------- */

static void add_number(struct cJSON *object, const char *key, const char *format, double value)
{
	char text[64];
	struct cJSON *number;

	snprintf(text, sizeof(text), format, value);
	number = json_number_from_text(text);
	if (!number || !cJSON_AddItemToObject(object, key, number))
		cJSON_Delete(number);
}

static void print_json(const struct repeat *r, double seconds, double rate)
{
	struct cJSON *object = cJSON_CreateObject();
	struct buf line = BUF_INIT;

	add_number(object, "calls", "%.0f", (double)r->done);
	add_number(object, "failed", "%.0f", (double)r->failed);
	add_number(object, "seconds", "%.6f", seconds);
	add_number(object, "rate", "%.1f", rate);
	add_number(object, "p50_us", "%.0f", (double)latency_percentile(&r->latency, 50));
	add_number(object, "p90_us", "%.0f", (double)latency_percentile(&r->latency, 90));
	add_number(object, "p99_us", "%.0f", (double)latency_percentile(&r->latency, 99));
	add_number(object, "max_us", "%.0f", (double)r->latency.max_us);
	json_print(&line, object);
	buf_putc(&line, '\n');
	output_take(&line);
	cJSON_Delete(object);
}

static double ms(uint64_t us)
{
	return (double)us / 1000;
}

static void print_text(const struct repeat *r, double seconds, double rate)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%llu calls in %.3f s, %.0f calls/s, %llu failed\n", r->done, seconds,
	           rate, r->failed);
	buf_printf(&text, "latency: p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, max %.3f ms\n",
	           ms(latency_percentile(&r->latency, 50)), ms(latency_percentile(&r->latency, 90)),
	           ms(latency_percentile(&r->latency, 99)), ms(r->latency.max_us));
	if (r->options->latency || (isatty(STDOUT_FILENO) && !r->options->quiet))
		latency_print(&text, &r->latency);
	output_take(&text);
}

static void print_figures(const struct repeat *r)
{
	double seconds = (double)(r->end_us - r->start_us) / 1e6;
	double rate = seconds > 0 ? (double)r->done / seconds : 0;

	if (r->options->json || r->options->jsonl)
		print_json(r, seconds, rate);
	else
		print_text(r, seconds, rate);
}

/* --- life -------------------------------------------------------------------------------- */

/* Where the connection was lost, nobody knows of the calls under way. */
static void count_lost(struct repeat *r)
{
	for (unsigned i = 0; i < r->concurrency; i++) {
		if (*r->slots[i].sn) {
			r->done++;
			r->failed++;
		}
	}
}

static void set_concurrency(struct repeat *r)
{
	long long wanted = r->options->concurrency;

	r->concurrency = (unsigned)(wanted < r->options->repeat ? wanted : r->options->repeat);
}

int call_repeat(const struct call_job *job)
{
	struct repeat *r = calloc(1, sizeof(*r));
	int code = EXIT_CODE_IO;
	unsigned window;

	if (!r)
		goto cleanup;
	r->job = job;
	r->options = job->options;
	set_concurrency(r);
	if (!allocate(r))
		goto cleanup;
	window = r->concurrency > WINDOW_MAX / 8 ? WINDOW_MAX : 64 + r->concurrency * 8;
	r->session = session_new(&(struct session_options){.call = r->options,
	                                                   .receive = true,
	                                                   .window = window,
	                                                   .wait = r->options->wait},
	                         &events, r, &code);
	if (!r->session)
		goto cleanup;
	r->look = loop_timer_new(session_loop(r->session), look_for_late, r);
	if (!r->look)
		goto cleanup;
	code = session_run(r->session);
	if (code != EXIT_CODE_INTERRUPTED)
		count_lost(r);
	if (r->start_us)
		print_figures(r);

cleanup:
	if (r) {
		loop_timer_free(r->look);
		session_free(r->session);
		call_request_release(&r->request);
		call_request_release(&r->cancel);
		free(r->replyto);
		free(r->slots);
		free(r->table);
	}
	free(r);
	return code;
}
