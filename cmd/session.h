/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session: one connection of a caller's, from its first byte to the exit code: the loop, the
 * receiver for replies, the deadline, the signals that interrupt.
 *
 *   s = session_new(&options, &events, context);
 *   code = session_run(s);     // until session_end() or session_fail()
 *   session_free(s);
 *
 * What fails is told on standard error and ends the run; events come no more then.
 *
 * Thread: main.
 */
#ifndef GOFER_CMD_SESSION_H
#define GOFER_CMD_SESSION_H

#include "amqp/connection.h"
#include "amqp/loop.h"
#include "cmd/call.h"
#include "cmd/exit_codes.h"
#include "cmd/progress.h"

struct session;

struct session_options {
	const struct call_options *call; /* url, TLS */
	bool receive; /* replies are wanted: at `address`, or a temporary queue where it is NULL */
	const char *address;
	unsigned window;          /* as many messages may be on their way to us */
	unsigned long long limit; /* as many are taken at all; 0: no bound */
	bool persistent;          /* a connection that gets lost is made again */
	double wait;              /* seconds for all of it; 0: no bound */
};

struct session_events {
	/* Requests may be sent; `replyto` is NULL without a receiver. Again after each reconnect. */
	void (*on_ready)(void *context, const char *replyto);
	/* To be settled by the callee. NULL if nothing is received. */
	void (*on_message)(void *context, struct delivery *d);
	/* The broker took a request. NULL allowed. */
	void (*on_sent)(void *context);
	void (*on_interrupt)(void *context); /* the first time; a second one ends the session */
	void (*on_timeout)(void *context);   /* once ready; before, it is told here */
	/* What became of the work, where the connection gets lost: "" or "; ...". NULL allowed. */
	const char *(*on_lost)(void *context);
};

/* NULL: told on standard error, `*code` is the exit code. `events` is constant. */
struct session *session_new(const struct session_options *options,
                            const struct session_events *events, void *context, int *code);
int session_run(struct session *s);
void session_free(struct session *s); /* NULL is taken */

struct connection *session_connection(struct session *s);
struct loop *session_loop(struct session *s);

/* The deadline, counted from now, anew. 0: none. */
void session_wait(struct session *s, double seconds);
void session_end(struct session *s, int code);
/* Tells why on standard error, and ends. */
void session_fail(struct session *s, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void session_warn(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* In on_message: this one does not count towards the limit. */
void session_pass_over(struct session *s);
/* Something that is on the terminal and must go before anything is told there. NULL: nothing. */
void session_set_progress(struct session *s, struct progress *progress);

/* For call_request, `context` being the session: ends it where a request was not taken. */
void session_on_outcome(void *context, enum outcome outcome, const struct error *why);

#endif
