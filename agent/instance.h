/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance: a plugin that is loaded: its threads, its queue, its actions, and the calls it has.
 *
 * Takes requests from its queue only as far as there is room for them: a call is counted from its
 * delivery until its result is the broker's, and credit is given for what is left of `backlog`.
 * What happens to a delivery is intake's, to a call is execution's; both know this struct.
 *
 * It outlives a reload, with all that waits in it: what is replaced is its module, which a call looks up when
 * it starts and keeps until it is over.
 *
 *   in = instance_new(&services, module, &error);     // the module is loaded
 *   instance_attach(in, connection, outbox, label);   // not, where there is no broker
 *   instance_change(in, module);                      // reloaded
 *   instance_stop(in);       // takes no more; on_change when the last call is over
 *   instance_cut(in);        // ends what is left
 *   instance_join(in); instance_free(in);
 *
 * Thread: the loop's, but for what says otherwise.
 */
#ifndef GOFER_AGENT_INSTANCE_H
#define GOFER_AGENT_INSTANCE_H

#include <pthread.h>

#include "agent/actions.h"
#include "agent/admin.h"
#include "agent/metrics.h"
#include "agent/module.h"
#include "agent/outbox.h"
#include "core/dispatch.h"
#include "agent/pending.h"
#include "core/journal.h"
#include "core/tracker.h"

/* Messages that may be on their way to an instance at a time. */
#define INSTANCE_CREDIT_MAX 256
/* Bytes of requests beyond which no more are asked for. */
#define INSTANCE_BYTES_MAX ((size_t)64 << 20)

struct execution;
struct instance;

/* What all instances share; lives longer than they. */
struct instance_services {
	struct loop *loop;
	struct journal *journal;
	struct tracker *tracker;
	struct admin *admin;
	struct pending *pending;
	size_t body_max;
	struct dispatch_host offers; /* to the methods that are run */
	/* The module of another plugin that `in` forwards calls of this class to; a reference, NULL: there is
	 * none. Called in workers. NULL allowed. */
	struct module *(*forward)(void *context, struct instance *in, const char *classname);
	/* The last call of an instance is over, or its link has changed. Called in the loop. */
	void (*on_change)(void *context);
	void *context;
};

struct instance {
	/* immutable */
	const struct instance_services *services;
	struct pool *pool;
	struct actions *actions;

	pthread_mutex_t lock;
	struct module *module; /* guarded by lock, but for the loop's reading */

	/* loop only */
	const struct descriptor *descriptor; /* the module's */
	struct outbox *outbox;               /* held while attached */
	const char *label;
	struct receiver *receiver; /* NULL: not attached, or stopped */
	struct execution *executions;
	size_t count, bytes; /* of these */
	unsigned credit;     /* given and not used */
	unsigned
		link; /* another number each time that it was lost: what came by it and is not settled is
	                      * the broker's again */
	bool open, refused, tried, paused, stopping;
	struct error why; /* it was refused */
	struct plugin_metrics metrics;
	struct loop_timer *resume;
	struct buf scratch; /* for one reply at a time */
};

/* The module is loaded, and referred to. NULL: `error`. */
struct instance *instance_new(const struct instance_services *services, struct module *module,
                              struct error *error);
/* Starts its actions. */
void instance_start(struct instance *in);
/* Waits for its threads, after instance_cut(), or when nothing is busy. */
void instance_join(struct instance *in);
/* It must be stopped and joined, and all that may still call back must be gone: what
 * was posted to the loop, and where calls are left the connection and the outbox. NULL is taken. */
void instance_free(struct instance *in);

/* Opens its receiver. All are borrowed; `label` says for people where the broker is. */
enum gofer_err instance_attach(struct instance *in, struct connection *connection,
                               struct outbox *outbox, const char *label);
/* Closes it: what was not accepted goes back to the broker. What was is still run, and answered through the
 * outbox that it came with. */
void instance_detach(struct instance *in);

/* From now on calls and actions are those of this module, which is loaded, and referred to; those that
 * have started go on with the one before. `hard`: those are asked to stop. The queue is not changed. */
void instance_change(struct instance *in, struct module *module, bool hard);
/* Its module; that in which a call of the class will find its method, which is another plugin's where this
 * one lacks it and forwards it. A reference. Any thread. */
struct module *instance_module(struct instance *in);
struct module *instance_target(struct instance *in, const char *classname);
/* Tells the journal of calls that were cancelled; answers those of them that wait. */
void instance_mark(struct instance *in);
void instance_sweep(struct instance *in);

/* Whether its queue was opened, or refused, once. */
bool instance_was_tried(const struct instance *in);

/* Takes no more requests: those that were not accepted go back to the broker. */
void instance_stop(struct instance *in);
/* Ends what is left: calls that wait are answered with Cancelled, but for durable ones where `keep` says that
 * they stay in the journal for the next start; those that run are asked to stop. After instance_stop(). */
void instance_cut(struct instance *in, bool keep);
/* Calls and actions that are not over. */
size_t instance_busy(const struct instance *in);
/* Methods and actions that still run, and that nobody can stop. */
size_t instance_running(const struct instance *in);

/* For intake and execution: calls come and go (`size`: of the request's body). */
void instance_add(struct instance *in, struct execution *e, size_t size);
void instance_remove(struct instance *in, struct execution *e, size_t size);
/* Something that will pass by itself keeps it from taking requests: asks for no more for a second. */
void instance_pause(struct instance *in, const char *why);

#endif
