/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance: an enabled plugin: what it provides, its threads, its queue, and the calls it has.
 *
 * Takes requests from its queue only as far as there is room for them: a call is counted from its
 * delivery until its result is the broker's, and credit is given for what is left of `backlog`.
 * What happens to a delivery is intake's, to a call is execution's; both know this struct.
 *
 *   in = instance_new(&services, descriptor, &error);
 *   instance_attach(in, connection, outbox, label);   // not, where there is no broker
 *   instance_stop(in);       // takes no more; on_idle when the last call is over
 *   instance_cut(in);        // ends what is left
 *   instance_join(in); instance_free(in);
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AGENT_INSTANCE_H
#define GOFER_AGENT_INSTANCE_H

#include "agent/admin.h"
#include "agent/descriptor.h"
#include "agent/outbox.h"
#include "core/dispatch.h"
#include "core/journal.h"
#include "core/tracker.h"

/* Messages that may be on their way to an instance at a time. */
#define INSTANCE_CREDIT_MAX 256
/* Bytes of requests beyond which no more are asked for. */
#define INSTANCE_BYTES_MAX ((size_t)64 << 20)

struct execution;

/* What all instances share; lives longer than they. */
struct instance_services {
	struct loop *loop;
	struct journal *journal;
	struct admin *admin;
	size_t body_max;
	struct dispatch_host offers; /* to the methods that are run */
	/* The last call of an instance is over, or its link has changed. Called in the loop. */
	void (*on_change)(void *context);
	void *context;
};

struct instance {
	/* immutable */
	const struct instance_services *services;
	const struct descriptor *descriptor;
	struct catalog *catalog;
	struct plugin_context *context;
	struct pool *pool;

	/* loop only */
	bool loaded; /* the plugin's load() was called and went well */
	struct outbox *outbox;
	const char *label;
	struct receiver *receiver; /* NULL: not attached, or stopped */
	struct tracker *tracker;
	struct execution *executions;
	size_t count, bytes; /* of these */
	unsigned credit;     /* given and not used */
	bool open, refused, tried, paused, stopping;
	struct loop_timer *resume;
	struct buf scratch; /* for one reply at a time */
};

/* Loads the plugin. `descriptor` is borrowed. NULL: `error`. */
struct instance *instance_new(const struct instance_services *services,
                              const struct descriptor *descriptor, struct error *error);
/* Waits for its threads, after instance_cut(). */
void instance_join(struct instance *in);
/* Unloads the plugin. It must be stopped and joined, and all that may still call back must be gone: what
 * was posted to the loop, the connection, the outbox. NULL is taken. */
void instance_free(struct instance *in);

/* Opens its receiver. All are borrowed; `label` says for people where the broker is. */
enum gofer_err instance_attach(struct instance *in, struct connection *connection,
                               struct outbox *outbox, const char *label);
/* Whether its queue was opened, or refused, once. */
bool instance_was_tried(const struct instance *in);

/* Takes no more requests: those that were not accepted go back to the broker. */
void instance_stop(struct instance *in);
/* Ends what is left: calls that wait are answered with Cancelled, or stay in the journal if they are
 * durable; those that run are asked to stop. After
 * instance_stop(). */
void instance_cut(struct instance *in);
/* Calls that are not over. */
size_t instance_count(const struct instance *in);
/* Calls that a method still runs, and that nobody can stop. */
size_t instance_running(const struct instance *in);

/* For intake and execution: calls come and go (`size`: of the request's body). */
void instance_add(struct instance *in, struct execution *e, size_t size);
void instance_remove(struct instance *in, struct execution *e, size_t size);
/* Something that will pass by itself keeps it from taking requests: asks for no more for a second. */
void instance_pause(struct instance *in, const char *why);

#endif
