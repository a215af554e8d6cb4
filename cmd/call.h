/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call: the parts of `gofer call`: its options, and its ways of running.
 *
 * call.c        options, and which way is meant
 * call_one.c    one call: synchronous, asynchronous (-r), or not waited for (-w 0)
 * call_repeat.c many calls (-n, -C, --latency)
 * call_listen.c replies that arrive at an address (--listen)
 *
 * Thread: main, for all.
 */
#ifndef GOFER_CMD_CALL_H
#define GOFER_CMD_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "amqp/connection.h"
#include "cmd/call_args.h"
#include "core/buf.h"
#include "core/uuid.h"

struct call_options {
	const char *url, *address, *target, *input, *cntr, *data;
	const char *cacert, *clientcert, *clientkey;
	const char *reply, *exchange, *prefix, *listen, *until_done;
	const char *secret, *secret_file, *user, *password, *password_file;
	double wait, ttl;
	long long repeat, concurrency, count;
	bool no_host_validation, durable, no_durable, no_cancel;
	bool json, jsonl, trace, quiet, latency, describe;
	bool address_given, wait_given, repeat_given, concurrency_given;
	bool secret_file_given, password_file_given;
};

/* What to call, and the options that say how. */
struct call_job {
	const struct call_options *options;
	struct call_args args;
	struct cJSON *data;      /* NULL: none */
	char *secret, *password; /* NULL: none */
};

/* The ways. The result is the exit code. */
int call_one(const struct call_job *job);
int call_repeat(const struct call_job *job);
int call_listen(const struct call_options *options);

/* One request made over and over: encoded once, with a fresh sn each time. */
struct call_request {
	struct buf body;
	size_t sn_at; /* in body */
	char sn[UUID_TEXT_SIZE];
	const char *address, *replyto; /* borrowed */
	bool durable;
	double ttl;
	void (*on_outcome)(void *context, enum outcome outcome, const struct error *why);
	void *context;
};

/* `replyto` NULL: no reply is wanted. GOFER_NOMEM. The first sn is there already. */
enum gofer_err call_request_init(struct call_request *request, const struct call_job *job,
                                 const char *replyto);
/* Admin.cancel of a serial number, at the address of the job. */
enum gofer_err call_request_init_cancel(struct call_request *request, const struct call_job *job,
                                        const char *replyto, const char *sn);
void call_request_renew(struct call_request *request); /* another sn */
enum gofer_err call_request_send(const struct call_request *request, struct connection *c);
void call_request_release(struct call_request *request);

#endif
