/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/call.h"
#include "cmd/describe.h"
#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "cmd/progress.h"
#include "cmd/session.h"
#include "cmd/show.h"

#define WINDOW 64
#define CANCEL_WAIT_S 1
#define FULL_RETRY_S 0.2
#define HAND_OVER_WAIT_S 90 /* for the broker to take a request that is not waited for */

enum stage { STAGE_NEW, STAGE_FULL, STAGE_SENT, STAGE_ACCEPTED, STAGE_STARTED, STAGE_CANCELLING };

struct one {
	const struct call_job *job;
	const struct call_options *options;
	struct session *session;
	struct call_request request, cancel;
	struct progress *progress;
	struct loop_timer *retry;
	char *replyto;
	enum stage stage;
};

static void fail_nomem(struct one *one)
{
	session_fail(one->session, EXIT_CODE_IO, "out of memory");
}

static void send_request(struct one *one, struct call_request *request)
{
	enum gofer_err err = call_request_send(request, session_connection(one->session));

	if (err)
		session_fail(one->session, exit_code_of(err), "the request could not be sent: %s",
		             error_name(err));
}

static void send_call(struct one *one)
{
	one->stage = STAGE_SENT;
	send_request(one, &one->request);
}

static void on_retry(void *context)
{
	struct one *one = context;

	if (one->stage == STAGE_FULL)
		send_call(one);
}

/* Where there is no room, there may be some in time. */
static void on_outcome(void *context, enum outcome outcome, const struct error *why)
{
	struct one *one = context;

	if (outcome != OUTCOME_RELEASED || !why || why->code != GOFER_FULL ||
	    one->stage != STAGE_SENT) {
		session_on_outcome(one->session, outcome, why);
		return;
	}
	one->stage = STAGE_FULL;
	loop_timer_start(one->retry, FULL_RETRY_S, 0);
}

static void begin_call(struct one *one, const char *replyto)
{
	one->retry = loop_timer_new(session_loop(one->session), on_retry, one);
	if (!one->retry || call_request_init(&one->request, one->job, replyto)) {
		fail_nomem(one);
		return;
	}
	one->request.on_outcome = on_outcome;
	one->request.context = one;
	send_call(one);
}

/* --- a call that is waited for ----------------------------------------------------------- */

static void on_ready(void *context, const char *replyto)
{
	struct one *one = context;

	one->replyto = strdup(replyto);
	if (!one->replyto) {
		fail_nomem(one);
		return;
	}
	one->progress = progress_new(session_loop(one->session), one->options->quiet);
	session_set_progress(one->session, one->progress);
	begin_call(one, one->replyto);
}

static void set_stage(struct one *one, enum stage stage, const char *name)
{
	if (one->stage != STAGE_CANCELLING)
		one->stage = stage;
	progress_state(one->progress, name);
}

/* As the Python system prints it, None included. */
static void print_details(const char *prefix, const struct reply *reply)
{
	struct buf line = BUF_INIT;

	buf_puts(&line, prefix);
	if (!reply->details || cJSON_IsNull(reply->details))
		buf_puts(&line, "None");
	else
		show_value(&line, reply->details);
	buf_putc(&line, '\n');
	output_take(&line);
	output_flush();
}

static void take_progress(struct one *one, const struct reply *reply)
{
	struct buf details = BUF_INIT;

	if (one->options->prefix) {
		progress_clear(one->progress);
		print_details(one->options->prefix, reply);
	}
	if (!one->progress)
		return;
	if (reply->details && !cJSON_IsNull(reply->details))
		show_value(&details, reply->details);
	progress_update(one->progress, reply->total, reply->completed, buf_text(&details));
	buf_release(&details);
}

static void print_every(struct one *one, const struct reply *reply)
{
	struct buf line = BUF_INIT;

	progress_clear(one->progress);
	show_json(&line, reply);
	output_take(&line);
	output_flush();
}

/* False: it has none of what an agent's description has. */
static bool print_description(const struct reply *reply)
{
	const char *help = json_string(reply->retval);
	struct buf lines = BUF_INIT;

	if (help)
		describe_print(&lines, help);
	if (!lines.size) {
		buf_release(&lines);
		return false;
	}
	output_take(&lines);
	output_flush();
	return true;
}

static int print_result(const struct call_options *o, const struct reply *reply)
{
	if (o->describe && !o->json && reply->kind == REPLY_RETURNED && print_description(reply))
		return EXIT_CODE_OK;
	return show_result(reply, o->json && !o->jsonl, o->trace);
}

static void take_result(struct one *one, const struct reply *reply)
{
	const struct call_options *o = one->options;
	int code = show_code(reply);

	progress_clear(one->progress);
	if (!o->jsonl || code != EXIT_CODE_OK)
		code = print_result(o, reply);
	session_end(one->session, one->stage == STAGE_CANCELLING ? EXIT_CODE_INTERRUPTED : code);
}

static void take_reply(struct one *one, const struct reply *reply)
{
	if (one->options->jsonl)
		print_every(one, reply);
	switch (reply->kind) {
	case REPLY_ACCEPTED: set_stage(one, STAGE_ACCEPTED, "accepted"); break;
	case REPLY_STARTED: set_stage(one, STAGE_STARTED, "started"); break;
	case REPLY_PROGRESS: take_progress(one, reply); break;
	default: take_result(one, reply); break;
	}
}

/* The agent's answer to the cancellation, whatever it says, is what was waited for. */
static void take_cancelled(struct one *one, const struct reply *reply)
{
	if (show_code(reply) >= 0)
		session_end(one->session, EXIT_CODE_INTERRUPTED);
}

/* Nobody else uses the reply queue: a rejection without a serial number is of a request that the agent
 * could not read. */
static bool is_ours(const struct one *one, const struct reply *reply)
{
	if (!reply->sn)
		return reply->kind == REPLY_REJECTED;
	return !strcmp(reply->sn, one->request.sn);
}

static void on_message(void *context, struct delivery *d)
{
	struct one *one = context;
	const struct message *message = delivery_message(d);
	struct error error = ERROR_NONE;
	struct reply reply;
	enum gofer_err err;

	if (!message) {
		session_fail(one->session, EXIT_CODE_PROTOCOL,
		             "what came as a reply is no message");
		delivery_settle(d, OUTCOME_REJECTED, NULL);
		return;
	}
	err = show_decode(&reply, message->body, &error);
	if (err)
		session_fail(one->session, err == GOFER_NOMEM ? EXIT_CODE_IO : EXIT_CODE_PROTOCOL,
		             "what came is no reply: %s", error.text);
	else if (is_ours(one, &reply))
		take_reply(one, &reply);
	else if (one->stage == STAGE_CANCELLING && reply.sn && !strcmp(reply.sn, one->cancel.sn))
		take_cancelled(one, &reply);
	reply_release(&reply);
	delivery_settle(d, err ? OUTCOME_REJECTED : OUTCOME_ACCEPTED, NULL);
}

static void on_timeout(void *context)
{
	static const char *const last[] = {
		[STAGE_NEW] = "",
		[STAGE_FULL] = ": there is no room for the request on the agent's queue",
		[STAGE_SENT] = ": the request was sent, and no agent has taken it up",
		[STAGE_ACCEPTED] = ": the agent has accepted the request, and not started it",
		[STAGE_STARTED] = ": the method has been started, and has not ended",
	};
	struct one *one = context;

	if (one->stage == STAGE_CANCELLING)
		session_end(one->session, EXIT_CODE_INTERRUPTED);
	else
		session_fail(one->session, EXIT_CODE_TIMEOUT, "%s: no answer in %g s%s",
		             one->options->address, one->options->wait, last[one->stage]);
}

static void on_interrupt(void *context)
{
	struct one *one = context;

	if (one->stage <= STAGE_FULL || one->options->no_cancel) {
		session_end(one->session, EXIT_CODE_INTERRUPTED);
		return;
	}
	one->stage = STAGE_CANCELLING;
	if (call_request_init_cancel(&one->cancel, one->job, one->replyto, one->request.sn)) {
		fail_nomem(one);
		return;
	}
	session_warn(one->session, "interrupted, asking the agent to cancel %s", one->request.sn);
	session_wait(one->session, CANCEL_WAIT_S);
	send_request(one, &one->cancel);
}

static const char *on_lost(void *context)
{
	struct one *one = context;

	return one->stage <= STAGE_FULL ? "" : "; the request was sent, its outcome is unknown";
}

/* --- a call that is not ------------------------------------------------------------------ */

static void on_ready_to_leave(void *context, const char *replyto)
{
	struct one *one = context;

	(void)replyto;
	begin_call(one, one->options->reply);
}

static void on_sent(void *context)
{
	struct one *one = context;
	struct buf line = BUF_INIT;

	if (one->options->json || one->options->jsonl)
		buf_printf(&line, "{\"sn\": \"%s\"}\n", one->request.sn);
	else
		buf_printf(&line, "%s\n", one->request.sn);
	output_take(&line);
	session_end(one->session, EXIT_CODE_OK);
}

static void on_leave_timeout(void *context)
{
	struct one *one = context;

	session_fail(one->session, EXIT_CODE_TIMEOUT,
	             "%s: the broker has not taken the request in time", one->options->address);
}

static void on_leave_interrupt(void *context)
{
	struct one *one = context;

	session_end(one->session, EXIT_CODE_INTERRUPTED);
}

/* --- both -------------------------------------------------------------------------------- */

static const struct session_events waiting = {
	.on_ready = on_ready,
	.on_message = on_message,
	.on_interrupt = on_interrupt,
	.on_timeout = on_timeout,
	.on_lost = on_lost,
};

static const struct session_events leaving = {
	.on_ready = on_ready_to_leave,
	.on_sent = on_sent,
	.on_interrupt = on_leave_interrupt,
	.on_timeout = on_leave_timeout,
	.on_lost = on_lost,
};

/* The queue that replies go to is made where it may have to be, so that none gets lost before somebody
 * listens there. */
static bool is_queue(const char *address)
{
	return address && !strchr(address, '/');
}

int call_one(const struct call_job *job)
{
	const struct call_options *o = job->options;
	bool wait = !o->reply && o->wait > 0;
	struct one one = {.job = job, .options = o};
	struct session_options options = {
		.call = o,
		.receive = wait || is_queue(o->reply),
		.address = wait ? NULL : o->reply,
		.window = wait ? WINDOW : 0,
		.wait = o->wait > 0 ? o->wait : HAND_OVER_WAIT_S,
	};
	int code = EXIT_CODE_IO;

	one.session = session_new(&options, wait ? &waiting : &leaving, &one, &code);
	if (one.session)
		code = session_run(one.session);
	loop_timer_free(one.retry);
	progress_free(one.progress);
	session_free(one.session);
	call_request_release(&one.request);
	call_request_release(&one.cancel);
	free(one.replyto);
	return code;
}
