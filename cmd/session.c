/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/session.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"

#define SIGNALS 3

struct session {
	struct session_options options;
	const struct session_events *events;
	void *context;
	struct loop *loop;
	struct url url;
	struct connection *connection;
	struct receiver *receiver;
	struct loop_timer *deadline;
	struct loop_signal *signals[SIGNALS];
	struct progress *progress;
	unsigned long long received;
	unsigned credit; /* what the broker may still send */
	int code;
	bool ready, interrupted;
	bool over; /* the code is final */
	bool gone; /* there is no connection that could be closed in order */
};

/* --- telling, ending --------------------------------------------------------------------- */

static void tell(struct session *s, const char *format, va_list ap)
{
	progress_clear(s->progress);
	fputs("gofer call: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void session_warn(struct session *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tell(s, format, ap);
	va_end(ap);
}

void session_end(struct session *s, int code)
{
	if (s->over)
		return;
	s->over = true;
	s->code = code;
	loop_stop(s->loop);
}

void session_fail(struct session *s, int code, const char *format, ...)
{
	va_list ap;

	if (s->over)
		return;
	va_start(ap, format);
	tell(s, format, ap);
	va_end(ap);
	session_end(s, code);
}

static int code_of(const struct error *why)
{
	if (why->code == GOFER_AUTH || why->code == GOFER_PROTOCOL)
		return exit_code_of(why->code);
	return EXIT_CODE_UNREACHABLE;
}

static void fail_lost(struct session *s, const struct error *why)
{
	const char *work = s->ready && s->events->on_lost ? s->events->on_lost(s->context) : "";

	session_fail(s, code_of(why), "%s%s", why->text, work);
}

/* --- the connection ---------------------------------------------------------------------- */

/* A receiver that takes nothing is ready once: it may be refused, and go, without harm. */
static void set_ready(struct session *s, const char *replyto)
{
	if (s->ready && !s->options.window)
		return;
	s->ready = true;
	s->events->on_ready(s->context, replyto);
}

static void on_up(struct connection *c, void *context)
{
	struct session *s = context;

	(void)c;
	if (!s->over && !s->options.receive)
		set_ready(s, NULL);
}

static void on_down(struct connection *c, const struct error *why, double retry_s, void *context)
{
	struct session *s = context;

	(void)c;
	if (s->over)
		return;
	if (s->ready && retry_s >= 0) {
		session_warn(s, "%s; again in %.1f s", why->text, retry_s);
		return;
	}
	s->gone = true;
	fail_lost(s, why);
}

static void on_closed(struct connection *c, void *context)
{
	struct session *s = context;

	(void)c;
	s->gone = true;
	loop_stop(s->loop);
}

static const struct connection_events connection_events = {.on_up = on_up,
                                                           .on_down = on_down,
                                                           .on_closed = on_closed};

/* --- the receiver ------------------------------------------------------------------------ */

/* As much credit as there may be now. */
static unsigned credit_due(const struct session *s)
{
	unsigned long long left = s->options.limit - s->received;

	if (s->options.limit && left < s->options.window)
		return (unsigned)left;
	return s->options.window;
}

static void on_open(struct receiver *r, const char *address, void *context)
{
	struct session *s = context;

	if (s->over)
		return;
	s->credit = credit_due(s);
	if (s->credit)
		receiver_credit(r, s->credit);
	set_ready(s, address);
}

/* Half a window at a time, so that not each message costs a frame. */
static void renew_credit(struct session *s)
{
	unsigned due = credit_due(s);

	if (s->credit > s->options.window / 2 || due <= s->credit)
		return;
	receiver_credit(s->receiver, due - s->credit);
	s->credit = due;
}

static void on_message(struct receiver *r, struct delivery *d, void *context)
{
	struct session *s = context;

	(void)r;
	if (s->over) {
		delivery_settle(d, OUTCOME_RELEASED, NULL);
		return;
	}
	s->received++;
	s->credit--;
	s->events->on_message(s->context, d);
	if (!s->over)
		renew_credit(s);
}

static void on_receiver_down(struct receiver *r, const struct error *why, double retry_s,
                             void *context)
{
	struct session *s = context;

	(void)r;
	if (s->over || (s->options.persistent && retry_s < 0))
		return;
	if (!s->options.window && why->code != GOFER_NOTFOUND) {
		set_ready(s, NULL);
		return;
	}
	if (s->options.persistent && s->ready)
		session_warn(s, "%s; again in %.1f s", why->text, retry_s);
	else
		fail_lost(s, why);
}

static const struct receiver_events receiver_events = {.on_open = on_open,
                                                       .on_message = on_message,
                                                       .on_down = on_receiver_down};

/* --- what was sent ----------------------------------------------------------------------- */

void session_on_outcome(void *context, enum outcome outcome, const struct error *why)
{
	struct session *s = context;
	const char *address = s->options.call->address;
	const char *more = why && *why->text ? why->text : NULL;

	if (s->over || outcome == OUTCOME_LOST)
		return;
	if (outcome == OUTCOME_ACCEPTED) {
		if (s->events->on_sent)
			s->events->on_sent(s->context);
		return;
	}
	if (why ? why->code == GOFER_NOTFOUND : outcome == OUTCOME_RELEASED)
		session_fail(s, EXIT_CODE_UNREACHABLE, "no such address: %s", address);
	else
		session_fail(s, why ? code_of(why) : EXIT_CODE_UNREACHABLE,
		             "%s: the broker did not take the request%s%s", address,
		             more ? ": " : "", more ? more : "");
}

/* --- time and signals -------------------------------------------------------------------- */

static void on_deadline(void *context)
{
	struct session *s = context;
	struct buf url = BUF_INIT;

	if (s->over)
		return;
	if (s->ready) {
		s->events->on_timeout(s->context);
		return;
	}
	url_print(&url, &s->url);
	session_fail(s, EXIT_CODE_UNREACHABLE, "%s: no %s within %g s", buf_text(&url),
	             connection_is_up(s->connection) ? "reply queue" : "connection",
	             s->options.wait);
	buf_release(&url);
}

void session_wait(struct session *s, double seconds)
{
	if (seconds > 0)
		loop_timer_start(s->deadline, seconds, 0);
	else
		loop_timer_stop(s->deadline);
}

static void on_signal(void *context, int signum)
{
	struct session *s = context;

	(void)signum;
	if (s->interrupted || s->over) {
		s->gone = true;
		session_end(s, EXIT_CODE_INTERRUPTED);
		loop_stop(s->loop);
		return;
	}
	s->interrupted = true;
	if (s->ready)
		s->events->on_interrupt(s->context);
	else
		session_end(s, EXIT_CODE_INTERRUPTED);
}

/* As under nohup, or behind "&" in a script. */
static bool is_ignored(int number)
{
	struct sigaction action;

	return !sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN;
}

static bool watch_signals(struct session *s)
{
	static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < SIGNALS; i++) {
		if (is_ignored(numbers[i]))
			continue;
		s->signals[i] = loop_signal_new(s->loop, numbers[i], on_signal, s);
		if (!s->signals[i])
			return false;
	}
	return true;
}

/* --- life -------------------------------------------------------------------------------- */

static enum gofer_err connect_to_broker(struct session *s, struct error *error)
{
	const struct call_options *o = s->options.call;
	struct connection_options options = {
		.url = &s->url,
		.cacert = o->cacert,
		.clientcert = o->clientcert,
		.clientkey = o->clientkey,
		.no_host_validation = o->no_host_validation,
		.persistent = s->options.persistent,
	};

	s->connection = connection_new(s->loop, &options, &connection_events, s, error);
	if (!s->connection)
		return error->code ? error->code : GOFER_NOMEM;
	if (!s->options.receive)
		return GOFER_OK;
	s->receiver =
		receiver_open(s->connection,
	                      &(struct receiver_options){.address = s->options.address,
	                                                 .exchange = o->exchange,
	                                                 .durable = s->options.address != NULL},
	                      &receiver_events, s);
	return s->receiver ? GOFER_OK : error_set(error, GOFER_NOMEM, "out of memory");
}

static enum gofer_err set_up(struct session *s, struct error *error)
{
	enum gofer_err err = url_parse(&s->url, s->options.call->url, error);

	if (err)
		return err;
	log_open(LOG_TARGET_STDERR, "gofer call");
	log_level("", LOG_LEVEL_WARNING);
	s->loop = loop_new(error);
	if (!s->loop)
		return error->code;
	s->deadline = loop_timer_new(s->loop, on_deadline, s);
	if (!s->deadline || !watch_signals(s))
		return error_set(error, GOFER_NOMEM, "out of memory");
	return connect_to_broker(s, error);
}

struct session *session_new(const struct session_options *options,
                            const struct session_events *events, void *context, int *code)
{
	struct session *s = calloc(1, sizeof(*s));
	struct error error = ERROR_NONE;
	enum gofer_err err = GOFER_NOMEM;

	if (s) {
		s->options = *options;
		s->events = events;
		s->context = context;
		err = set_up(s, &error);
	}
	if (!err)
		return s;
	fprintf(stderr, "gofer call: %s\n", *error.text ? error.text : "out of memory");
	*code = exit_code_of(err);
	session_free(s);
	return NULL;
}

int session_run(struct session *s)
{
	session_wait(s, s->options.wait);
	loop_run(s->loop);
	progress_clear(s->progress);
	loop_timer_stop(s->deadline);
	if (!s->gone) {
		connection_close(s->connection);
		while (!s->gone)
			loop_run(s->loop);
	}
	return s->code;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	connection_free(s->connection);
	loop_timer_free(s->deadline);
	for (size_t i = 0; i < SIGNALS; i++)
		loop_signal_free(s->signals[i]);
	loop_free(s->loop);
	url_release(&s->url);
	free(s);
}

struct connection *session_connection(struct session *s)
{
	return s->connection;
}

struct loop *session_loop(struct session *s)
{
	return s->loop;
}

void session_pass_over(struct session *s)
{
	s->received--;
}

void session_set_progress(struct session *s, struct progress *progress)
{
	s->progress = progress;
}
