/* SPDX-License-Identifier: Apache-2.0 */
#include "core/call.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DISPATCHER "gofer.rmi.dispatcher"
#define SLEEP_MAX_S 1e9 /* some 30 years: fits any time_t */

struct call {
	/* immutable */
	struct request request;
	const struct call_sink *sink;
	void *sink_context;

	struct plugin_context *plugin; /* constant from the start on */
	atomic_uint references;
	atomic_int state; /* enum call_state */
	atomic_bool cancelled;

	/* so that a sleeper is woken; `cancelled` is set with the lock held */
	pthread_mutex_t lock;
	pthread_cond_t wake;

	/* guarded by lock */
	void (*on_cancel)(void *context);
	void *on_cancel_context;

	/* the worker's until the call is finished, then constant */
	struct cJSON *args, *cntr_args;
	bool ended, raised;
	struct cJSON *retval;
	struct exception exception;
};

/* --- life --- */

static void init_wake(pthread_cond_t *wake)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(wake, &attr);
	pthread_condattr_destroy(&attr);
}

struct call *call_new_take(struct request *request, struct plugin_context *plugin,
                           const struct call_sink *sink, void *sink_context)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call) {
		request_release(request);
		memset(request, 0, sizeof(*request));
		return NULL;
	}
	call->request = *request;
	memset(request, 0, sizeof(*request));
	call->plugin = plugin;
	call->sink = sink;
	call->sink_context = sink_context;
	atomic_init(&call->references, 1);
	atomic_init(&call->state, CALL_QUEUED);
	atomic_init(&call->cancelled, false);
	pthread_mutex_init(&call->lock, NULL);
	init_wake(&call->wake);
	return call;
}

struct call *call_ref(struct call *call)
{
	atomic_fetch_add_explicit(&call->references, 1, memory_order_relaxed);
	return call;
}

void call_unref(struct call *call)
{
	if (!call || atomic_fetch_sub_explicit(&call->references, 1, memory_order_acq_rel) > 1)
		return;
	request_release(&call->request);
	cJSON_Delete(call->args);
	cJSON_Delete(call->cntr_args);
	cJSON_Delete(call->retval);
	exception_release(&call->exception);
	pthread_cond_destroy(&call->wake);
	pthread_mutex_destroy(&call->lock);
	free(call);
}

const struct request *call_request(const struct call *call)
{
	return &call->request;
}

const char *call_sn(const struct call *call)
{
	return call->request.sn;
}

void call_set_context(struct call *call, struct plugin_context *plugin)
{
	call->plugin = plugin;
}

struct plugin_context *call_context(const struct call *call)
{
	return call->plugin;
}

/* --- states --- */

static bool leave_queue(struct call *call, enum call_state state)
{
	int queued = CALL_QUEUED;

	return atomic_compare_exchange_strong(&call->state, &queued, (int)state);
}

bool call_start(struct call *call)
{
	return leave_queue(call, CALL_RUNNING);
}

bool call_cancel(struct call *call)
{
	bool discarded = leave_queue(call, CALL_DISCARDED);

	/* Discarded or not: a worker may be asleep over it before its start. */
	pthread_mutex_lock(&call->lock);
	atomic_store(&call->cancelled, true);
	pthread_cond_broadcast(&call->wake);
	if (call->on_cancel)
		call->on_cancel(call->on_cancel_context);
	pthread_mutex_unlock(&call->lock);
	return discarded;
}

void call_on_cancel(struct call *call, void (*wake)(void *context), void *context)
{
	pthread_mutex_lock(&call->lock);
	call->on_cancel = wake;
	call->on_cancel_context = context;
	if (wake && call_cancelled(call))
		wake(context);
	pthread_mutex_unlock(&call->lock);
}

enum call_state call_state(const struct call *call)
{
	return (enum call_state)atomic_load(&call->state);
}

bool call_cancelled(const struct call *call)
{
	return atomic_load(&call->cancelled);
}

static struct timespec time_after(double seconds)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)seconds;
	at.tv_nsec += (long)((seconds - floor(seconds)) * 1e9);
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

enum gofer_err call_sleep(struct call *call, double seconds)
{
	int result = seconds > 0 ? 0 : ETIMEDOUT; /* nan is no time at all */
	struct timespec until = time_after(result ? 0 : fmin(seconds, SLEEP_MAX_S));

	pthread_mutex_lock(&call->lock);
	while (!call_cancelled(call) && result != ETIMEDOUT)
		result = pthread_cond_timedwait(&call->wake, &call->lock, &until);
	pthread_mutex_unlock(&call->lock);
	return call_cancelled(call) ? GOFER_CANCELLED : GOFER_OK;
}

void call_progress(struct call *call, long long total, long long completed, const char *details)
{
	if (!call->sink || !call->sink->progress)
		return;
	struct cJSON *value = details ? cJSON_CreateString(details) : NULL;
	call->sink->progress(call->sink_context, call, total, completed, value);
	cJSON_Delete(value);
}

/* --- arguments --- */

void call_bind_take(struct call *call, struct cJSON *args, struct cJSON *cntr_args)
{
	cJSON_Delete(call->args);
	cJSON_Delete(call->cntr_args);
	call->args = args;
	call->cntr_args = cntr_args;
}

const struct cJSON *call_arg(const struct call *call, const char *name)
{
	return json_get(call->args, name);
}

const struct cJSON *call_cntr_arg(const struct call *call, const char *name)
{
	return json_get(call->cntr_args, name);
}

static enum gofer_err wrong_type(struct call *call, const char *name, const char *wanted,
                                 const struct cJSON *value)
{
	return call_raise(call, "TypeError", "%s must be %s, not %s", name, wanted,
	                  json_type_name(value));
}

static enum gofer_err take_string(struct call *call, const char *name, const struct cJSON *value,
                                  const char **out)
{
	*out = json_string(value);
	return *out ? GOFER_OK : wrong_type(call, name, "str", value);
}

enum gofer_err call_arg_string(struct call *call, const char *name, const char **out)
{
	return take_string(call, name, call_arg(call, name), out);
}

enum gofer_err call_cntr_arg_string(struct call *call, const char *name, const char **out)
{
	return take_string(call, name, call_cntr_arg(call, name), out);
}

enum gofer_err call_arg_double(struct call *call, const char *name, double *out)
{
	const struct cJSON *value = call_arg(call, name);

	*out = 0;
	if (!cJSON_IsNumber(value))
		return wrong_type(call, name, "a number", value);
	*out = value->valuedouble;
	return GOFER_OK;
}

enum gofer_err call_arg_integer(struct call *call, const char *name, long long *out)
{
	const struct cJSON *value = call_arg(call, name);

	*out = 0;
	if (json_integer(value, out))
		return GOFER_OK;
	if (value && strcmp(json_type_name(value), "int") == 0)
		return call_raise(call, "ValueError", "%s must fit into 64 bits", name);
	return wrong_type(call, name, "int", value);
}

/* --- outcome --- */

/* Whether an outcome may be set now; from here on there is one. */
static bool end_once(struct call *call)
{
	if (call->ended) {
		log_error("core.call", "call %s: a second outcome is refused; the first stands",
		          call->request.sn);
		return false;
	}
	call->ended = true;
	return true;
}

enum gofer_err call_return_take(struct call *call, struct cJSON *value)
{
	if (!end_once(call)) {
		cJSON_Delete(value);
		return GOFER_INVALID;
	}
	call->retval = value;
	return GOFER_OK;
}

enum gofer_err call_return_copy(struct call *call, const struct cJSON *value)
{
	struct cJSON *copy = json_copy(value);

	return value && !copy ? GOFER_NOMEM : call_return_take(call, copy);
}

enum gofer_err call_return_string(struct call *call, const char *text)
{
	struct cJSON *value = cJSON_CreateString(text);

	return value ? call_return_take(call, value) : GOFER_NOMEM;
}

static enum gofer_err raise_text(struct call *call, const char *xmodule, const char *xclass,
                                 const char *format, va_list ap)
{
	char *text = NULL;

	if (!end_once(call))
		return GOFER_INVALID;
	call->raised = true;
	if (vasprintf(&text, format, ap) < 0)
		return GOFER_FAILED;
	exception_set(&call->exception, xmodule, xclass, "%s", text);
	free(text);
	return GOFER_FAILED;
}

static enum gofer_err raise_args_take(struct call *call, const char *xmodule, const char *xclass,
                                      struct cJSON *xargs)
{
	if (!end_once(call)) {
		cJSON_Delete(xargs);
		return GOFER_INVALID;
	}
	call->raised = true;
	if (xargs)
		exception_set_args_take(&call->exception, xmodule, xclass, xargs);
	return GOFER_FAILED;
}

enum gofer_err call_raise(struct call *call, const char *xclass, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	enum gofer_err err = raise_text(call, "builtins", xclass, format, ap);
	va_end(ap);
	return err;
}

enum gofer_err call_raise_module(struct call *call, const char *xmodule, const char *xclass,
                                 const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	enum gofer_err err = raise_text(call, xmodule, xclass, format, ap);
	va_end(ap);
	return err;
}

/* The array takes `item`; NULL when memory was short anywhere. */
static struct cJSON *append_take(struct cJSON *array, struct cJSON *item)
{
	if (array && item && cJSON_AddItemToArray(array, item))
		return array;
	cJSON_Delete(array);
	cJSON_Delete(item);
	return NULL;
}

enum gofer_err call_raise_errno(struct call *call, int errno_value, const char *path)
{
	char reason[128];
	struct cJSON *args = append_take(cJSON_CreateArray(), cJSON_CreateNumber(errno_value));

	args = append_take(args,
	                   cJSON_CreateString(strerror_r(errno_value, reason, sizeof(reason))));
	if (path)
		args = append_take(args, cJSON_CreateString(path));
	return raise_args_take(call, "builtins", "OSError", args);
}

enum gofer_err call_raise_cancelled(struct call *call)
{
	return call_raise_module(call, DISPATCHER, "Cancelled", "%s", call->request.sn);
}

enum gofer_err call_raise_take(struct call *call, struct exception *x)
{
	struct exception taken = *x;

	*x = (struct exception){0};
	if (!end_once(call)) {
		exception_release(&taken);
		return GOFER_INVALID;
	}
	call->raised = true;
	call->exception = taken;
	return GOFER_FAILED;
}

void call_finish(struct call *call, enum gofer_err returned)
{
	if (!call->ended && returned == GOFER_CANCELLED)
		call_raise_cancelled(call);
	else if (!call->ended && returned == GOFER_NOMEM)
		raise_args_take(call, "builtins", "MemoryError", NULL);
	else if (!call->ended && returned)
		call_raise(call, "Exception", "%s", error_name(returned));
	call->ended = true;
	atomic_store(&call->state, CALL_FINISHED);
}

bool call_raised(const struct call *call)
{
	return call->raised;
}

const struct cJSON *call_retval(const struct call *call)
{
	return call->retval;
}

const struct exception *call_exception(const struct call *call)
{
	return &call->exception;
}

static enum gofer_err print_cancelled(struct buf *out, const struct call *call,
                                      const struct reply_head *head)
{
	struct exception x = {0};

	enum gofer_err err = exception_set(&x, DISPATCHER, "Cancelled", "%s", call->request.sn);
	if (!err)
		err = reply_raised(out, head, &x);
	exception_release(&x);
	return err;
}

/* What is raised when there was no memory for saying it: all of it is on the stack. */
static enum gofer_err print_memory_error(struct buf *out, const struct reply_head *head)
{
	char xmodule[] = "builtins", xclass[] = "MemoryError";
	struct cJSON none = {.type = cJSON_Array};
	struct exception x = {.xmodule = xmodule,
	                      .xclass = xclass,
	                      .exval = xclass,
	                      .xargs = &none};

	return reply_raised(out, head, &x);
}

enum gofer_err call_print_result(struct buf *out, const struct call *call,
                                 const struct reply_head *head)
{
	if (call_state(call) == CALL_DISCARDED)
		return print_cancelled(out, call, head);
	if (!call->raised)
		return reply_result(out, head, call->retval);
	if (!call->exception.xclass || !call->exception.xargs)
		return print_memory_error(out, head);
	return reply_raised(out, head, &call->exception);
}

/* --- the plugin's context --- */

struct plugin_context {
	char *name;
	const struct config *config;
	void *state;
};

struct plugin_context *plugin_context_new(const char *name, const struct config *config)
{
	struct plugin_context *context = calloc(1, sizeof(*context));

	if (!context)
		return NULL;
	context->name = strdup(name);
	context->config = config;
	if (context->name)
		return context;
	free(context);
	return NULL;
}

const struct config *plugin_context_config(const struct plugin_context *context)
{
	return context->config;
}

void plugin_context_free(struct plugin_context *context)
{
	if (!context)
		return;
	free(context->name);
	free(context);
}

const char *plugin_context_name(const struct plugin_context *context)
{
	return context->name;
}

const char *plugin_context_option(const struct plugin_context *context, const char *section,
                                  const char *key)
{
	return context->config ? config_text(context->config, section, key) : NULL;
}

void plugin_context_set_state(struct plugin_context *context, void *state)
{
	context->state = state;
}

void *plugin_context_state(const struct plugin_context *context)
{
	return context->state;
}
