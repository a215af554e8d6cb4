/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cmd/call.h"
#include "cmd/show.h"
#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "cmd/session.h"

#define WINDOW 64

struct listen {
	const struct call_options *options;
	struct session *session;
	long long printed;
};

static void on_ready(void *context, const char *address)
{
	(void)context;
	(void)address;
}

/* Whether the line is out: a reply that could not be printed stays in its queue. */
static bool print_reply(struct listen *l, const struct reply *reply)
{
	struct buf line = BUF_INIT;

	if (l->options->json || l->options->jsonl)
		show_json(&line, reply);
	else
		show_line(&line, reply);
	output_take(&line);
	if (!output_flush())
		return true;
	session_end(l->session, EXIT_CODE_IO);
	return false;
}

static void count_reply(struct listen *l, const struct reply *reply)
{
	const struct call_options *o = l->options;
	int code = show_code(reply);

	l->printed++;
	if (o->until_done && code >= 0 && reply->sn && !strcmp(reply->sn, o->until_done))
		session_end(l->session, code);
	else if (o->count && l->printed >= o->count)
		session_end(l->session, o->until_done ? EXIT_CODE_TIMEOUT : EXIT_CODE_OK);
}

static enum outcome pass_over(struct listen *l, const char *why)
{
	session_warn(l->session, "%s: passed over what is no reply: %s", l->options->listen, why);
	session_pass_over(l->session);
	return OUTCOME_REJECTED;
}

static enum outcome take_message(struct listen *l, const struct message *message)
{
	struct error error = ERROR_NONE;
	struct reply reply = {0};
	enum outcome outcome = OUTCOME_ACCEPTED;

	if (!message)
		return pass_over(l, "no message");
	if (show_decode(&reply, message->body, &error))
		outcome = pass_over(l, error.text);
	else if (!print_reply(l, &reply))
		outcome = OUTCOME_RELEASED;
	else
		count_reply(l, &reply);
	reply_release(&reply);
	return outcome;
}

static void on_message(void *context, struct delivery *d)
{
	delivery_settle(d, take_message(context, delivery_message(d)), NULL);
}

static void on_interrupt(void *context)
{
	struct listen *l = context;

	session_end(l->session, EXIT_CODE_INTERRUPTED);
}

static void on_timeout(void *context)
{
	struct listen *l = context;

	session_fail(l->session, EXIT_CODE_TIMEOUT, "%s: %lld replies in %g s", l->options->listen,
	             l->printed, l->options->wait);
}

static const struct session_events events = {
	.on_ready = on_ready,
	.on_message = on_message,
	.on_interrupt = on_interrupt,
	.on_timeout = on_timeout,
};

int call_listen(const struct call_options *options)
{
	struct listen l = {.options = options};
	int code = EXIT_CODE_IO;

	l.session = session_new(
		&(struct session_options){
			.call = options,
			.receive = true,
			.address = options->listen,
			.window = options->until_done ? 1 : WINDOW,
			.limit = (unsigned long long)options->count,
			.persistent = true,
			.wait = options->wait_given ? options->wait : 0,
		},
		&events, &l, &code);
	if (l.session)
		code = session_run(l.session);
	session_free(l.session);
	return code;
}
