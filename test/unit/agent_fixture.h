/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_fixture: an instance of a plugin made for the tests, on a fake connection.
 *
 * The plugin "test" has the class Test: echo(x), block() (until fixture_release()), progress(n),
 * burst(n) (progress, after fixture_release()), sleep(seconds), who() (what its descriptor says in
 * [test] name).
 */
#ifndef GOFER_TEST_AGENT_FIXTURE_H
#define GOFER_TEST_AGENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>

#include "agent/instance.h"
#include "core/document.h"
#include "fake_connection.h"

struct fixture {
	char directory[32]; /* the journal's */
	struct loop *loop;
	struct journal *journal;
	struct loop_task journal_task;
	struct instance_services services;
	struct descriptor descriptor;
	struct fake_connection *fake;
	struct outbox *outbox;
	struct pending *pending;
	struct pool *loader;
	struct module *module;
	struct instance *instance;
	unsigned changes;
};

extern const struct plugin fixture_plugin;
extern const struct plugin fixture_other_plugin; /* with nothing in it but the class Other */
extern atomic_uint fixture_runs;                 /* methods that were begun */
extern atomic_uint fixture_loads; /* and not unloaded, which takes long with [test] lingers */
/* How often the plugin's actions ran: one each second where its descriptor has [test] ticks, one once; how often one
 * ran beside itself. */
extern atomic_uint fixture_ticks, fixture_onces, fixture_beside;

/* Made with 1 thread and a backlog of 8, attached and open. To be freed with fixture_free(). */
struct fixture *fixture_new(void);
/* The same; what is not 0 in `like` (threads, backlog, latency_s) is taken. */
struct fixture *fixture_new_like(const struct descriptor *like, size_t body_max,
                                 const struct journal_options *journal);
void fixture_free(struct fixture *f);

/* Counts from 0, and block() blocks: before each test. */
void fixture_reset(void);
/* Lets block() return, `n` times. */
void fixture_release(unsigned n);
/* Turns the loop until so many messages were sent, or fails after seconds. */
void fixture_wait_sent(struct fixture *f, size_t count);
/* Turns the loop for that long. */
void fixture_turn(struct fixture *f, double seconds);
/* Turns the loop until so many methods were begun in all. */
void fixture_wait_runs(struct fixture *f, unsigned runs);

/* Delivers a request to Test.`method` with these arguments (a JSON array), from the address "replies". */
struct fake_delivery *fixture_call(struct fixture *f, const char *sn, const char *method,
                                   const char *args);
/* The same with `replyto` as it stands in JSON, and as `like` says. */
struct fake_delivery *fixture_call_like(struct fixture *f, const struct message *like,
                                        const char *sn, const char *method, const char *args,
                                        const char *replyto);
/* A usual message: a string, not durable. */
extern const struct message fixture_message;

/* The text that `key` of sent message `i` has; "" if it is no string. Valid until the next call. */
const char *fixture_text(const struct fixture *f, size_t i, const char *key);
/* Decodes sent message `i`; to be released. */
struct reply fixture_reply(const struct fixture *f, size_t i);
void fixture_expect_status(const struct fixture *f, size_t i, enum reply_kind kind, const char *sn);

#endif
