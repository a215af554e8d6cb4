/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/admin.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CLASS_NAME "Admin"
#define THREADS 3
/* Less than SIZE_MAX, so that the pool's own sums can't overflow. */
#define NO_BOUND (SIZE_MAX / 2)

struct admin {
	struct pending *pending; /* immutable */

	/* immutable until the workers are joined */
	struct catalog *catalog;
	struct plugin_context *context;
	struct pool *pool;

	pthread_mutex_t lock;
	char *help; /* guarded by lock */
};

static enum gofer_err admin_echo(struct call *call)
{
	return call_return_copy(call, call_arg(call, "text"));
}

static enum gofer_err admin_hello(struct call *call)
{
	return call_return_string(call, "Hello, I am gofer agent");
}

static enum gofer_err admin_help(struct call *call)
{
	char *text = admin_help_text(plugin_context_state(call_context(call)));
	enum gofer_err rc = text ? call_return_string(call, text) : GOFER_NOMEM;

	free(text);
	return rc;
}

/* An sn of null, or an empty one, is none. */
static enum gofer_err cancel_one(struct call *call, struct pending *p, struct cJSON *list)
{
	const struct cJSON *sn = call_arg(call, "sn");
	const char *text;

	if (!sn || cJSON_IsNull(sn))
		return GOFER_OK;
	if (call_arg_string(call, "sn", &text))
		return GOFER_FAILED;
	if (!*text || pending_cancel(p, text, list) != GOFER_NOTFOUND)
		return GOFER_OK;
	return call_raise(call, "Exception", ADMIN_CANCEL_NOTFOUND, text);
}

static enum gofer_err cancel_some(struct call *call, struct pending *p, struct cJSON *list)
{
	const struct cJSON *json = call_arg(call, "criteria");
	struct error error = ERROR_NONE;
	struct criteria *criteria;
	enum gofer_err rc;

	if (!json || cJSON_IsNull(json))
		return GOFER_OK;
	criteria = criteria_new(json, &error);
	if (!criteria)
		return call_raise(call, "ValueError", "%s", error.text);
	rc = pending_cancel_where(p, criteria, call, list);
	criteria_free(criteria);
	return rc;
}

static enum gofer_err admin_cancel(struct call *call)
{
	struct admin *a = plugin_context_state(call_context(call));
	struct cJSON *list = cJSON_CreateArray();
	enum gofer_err rc = list ? cancel_one(call, a->pending, list) : GOFER_NOMEM;

	if (!rc)
		rc = cancel_some(call, a->pending, list);
	if (!rc)
		return call_return_take(call, list);
	cJSON_Delete(list);
	return rc;
}

static const struct method admin_methods[] = {
	{.name = "cancel",
         .params = "sn=None, criteria=None",
         .run = admin_cancel,
         .help = "Cancels the call with that serial number, and those whose data meet the criteria."},
	{.name = "echo", .params = "text", .run = admin_echo, .help = "Gives the text back."},
	{.name = "hello", .run = admin_hello, .help = "Says that the agent is there."},
	{.name = "help", .run = admin_help, .help = "Tells what the agent's plugins provide."},
	{.name = NULL},
};

static const struct class admin_classes[] = {
	{.name = CLASS_NAME, .help = "The agent itself.", .methods = admin_methods},
	{.name = NULL},
};

static const struct plugin admin_plugin = {
	.name = "admin",
	.summary = "What the agent itself provides.",
	.classes = admin_classes,
};

struct admin *admin_new(struct pending *pending, struct error *error)
{
	struct admin *a = calloc(1, sizeof *a);

	if (!a) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&a->lock, NULL);
	a->pending = pending;
	a->catalog = catalog_new(&admin_plugin, error);
	if (a->catalog) {
		a->context = plugin_context_new(admin_plugin.name, NULL);
		a->pool = pool_new(admin_plugin.name, THREADS, NO_BOUND);
	}
	if (a->catalog && a->context && a->pool) {
		plugin_context_set_state(a->context, a);
		return a;
	}
	if (a->catalog)
		error_set(error, GOFER_NOMEM, "out of memory");
	admin_free(a);
	return NULL;
}

void admin_join(struct admin *a)
{
	if (!a || !a->pool)
		return;
	pool_stop(a->pool, true);
	pool_free(a->pool);
	a->pool = NULL;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	admin_join(a);
	plugin_context_free(a->context);
	catalog_free(a->catalog);
	pthread_mutex_destroy(&a->lock);
	free(a->help);
	free(a);
}

bool admin_provides(const char *classname)
{
	return strcmp(classname, CLASS_NAME) == 0;
}

const struct catalog *admin_catalog(const struct admin *a)
{
	return a->catalog;
}

struct plugin_context *admin_context(const struct admin *a)
{
	return a->context;
}

struct pool *admin_pool(const struct admin *a)
{
	return a->pool;
}

enum gofer_err admin_set_help(struct admin *a, const struct catalog_entry *entries, size_t count)
{
	struct buf text = BUF_INIT;
	enum gofer_err rc = catalog_print_all(&text, entries, count);
	char *help = rc ? NULL : buf_take(&text, NULL);

	buf_release(&text);
	if (!help)
		return rc ? rc : GOFER_NOMEM;
	pthread_mutex_lock(&a->lock);
	char *before = a->help;
	a->help = help;
	pthread_mutex_unlock(&a->lock);
	free(before);
	return GOFER_OK;
}

char *admin_help_text(struct admin *a)
{
	char *text;

	pthread_mutex_lock(&a->lock);
	text = strdup(a->help ? a->help : "");
	pthread_mutex_unlock(&a->lock);
	return text;
}
