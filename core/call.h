/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call: one invocation, from its request to its outcome; the runner's side of what plugin.h shows to
 * methods.
 *
 *   loop    call_new() -> give it to a worker            call_cancel() at any time
 *   worker  call_start() -> dispatch_run() -> outcome, progress through the sink
 *   loop    call_unref()
 *
 * States: queued -> running -> finished, or queued -> discarded. The step out of "queued" is atomic:
 * either the worker starts it or the canceller takes it, never both.
 *
 * Thread: call_cancel(), call_cancelled(), call_ref() and call_unref() from any; the rest from the
 * thread that owns the call at the time, first the loop, then the worker.
 */
#ifndef GOFER_CORE_CALL_H
#define GOFER_CORE_CALL_H

#include "core/config.h"
#include "core/document.h"
#include "core/plugin.h"

/* Where a running call tells things to. Called in the worker; must not block. */
struct call_sink {
	/* `details` is borrowed, NULL for null. */
	void (*progress)(void *context, struct call *call, long long total, long long completed,
	                 const struct cJSON *details);
};

enum call_state { CALL_QUEUED, CALL_RUNNING, CALL_FINISHED, CALL_DISCARDED };

/* Takes over `request` (a decoded one; *request is empty afterwards, also on failure). `sink` is constant and
 * outlives the call; NULL: progress goes nowhere. NULL when out of memory. One reference. */
struct call *call_new_take(struct request *request, struct plugin_context *plugin,
                           const struct call_sink *sink, void *sink_context);
struct call *call_ref(struct call *call);
void call_unref(struct call *call);

const struct request *call_request(const struct call *call);
/* In whose name it runs, where that is not known before: before it is started. */
void call_set_context(struct call *call, struct plugin_context *plugin);

/* queued -> running. False: it was cancelled meanwhile and must not run. */
bool call_start(struct call *call);
/* Asks for the end. True: it was queued, is now discarded and will never start (the caller of this
 * answers for it); false: it runs (and will see it) or is over. */
bool call_cancel(struct call *call);
enum call_state call_state(const struct call *call);
/* For who waits for something else than call_sleep(): `wake` is called by whoever cancels the
 * call, in their thread and at each time, and here and now if that was before. NULL takes it
 * back: once this has returned it is not called any more. It must not block, nor touch the
 * call. */
void call_on_cancel(struct call *call, void (*wake)(void *context), void *context);

/* How it ended: valid once finished. A returned value is NULL for null; the exception's strings are
 * NULL where the memory for them was short (the result then says MemoryError). */
bool call_raised(const struct call *call);
const struct cJSON *call_retval(const struct call *call);
const struct exception *call_exception(const struct call *call);
/* Appends the body of the result reply; GOFER_NOMEM is the only failure. Once finished, or of one
 * that was discarded: that is answered with Cancelled. */
enum gofer_err call_print_result(struct buf *out, const struct call *call,
                                 const struct reply_head *head);

/* For dispatch and other runners: the bound arguments (taken; what was bound before is freed; cntr_args
 * NULL for a function), and an exception of any module (GOFER_FAILED, or GOFER_INVALID when the call
 * has its outcome already). */
void call_bind_take(struct call *call, struct cJSON *args, struct cJSON *cntr_args);
enum gofer_err call_raise_module(struct call *call, const char *xmodule, const char *xclass,
                                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Raises `x`, which is taken (and empty afterwards). The results are the same. */
enum gofer_err call_raise_take(struct call *call, struct exception *x);
/* running -> finished. A method's return code without an outcome becomes one here. */
void call_finish(struct call *call, enum gofer_err returned);

/* plugin_context, for the agent and for `gofer plugin call`: `config` is what configures the
 * plugin, constant and living longer; NULL: nothing. `name` is copied. NULL: out of memory. */
struct plugin_context *plugin_context_new(const char *name, const struct config *config);
const struct config *plugin_context_config(const struct plugin_context *context);
void plugin_context_free(struct plugin_context *context);

#endif
