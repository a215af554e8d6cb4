/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "agent/management.h"
#include "agent/management_socket.h"
#include "agent/report.h"
#include "core/clock.h"
#include "core/log.h"

#define PACKAGE "agent.control"

struct control {
	const struct instance_services *services;
	struct roster *roster;
	const struct settings *settings;
	struct management *management; /* NULL: closed */
	struct report_parts parts;
	LIST_HEAD(, cancelled) cancelled;
};

/* A request on its way to its answer. */
struct operation {
	struct control *control;
	struct management_call *call;
	const struct cJSON *args, *kwargs;
};

/* --- answers -------------------------------------------------------------------------- */

/* Copies the text. */
static void answer_text(struct management_call *call, int code, const char *text)
{
	management_answer_take(call, code, cJSON_CreateString(text));
}

static void refuse(struct management_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void refuse(struct management_call *call, const char *format, ...)
{
	struct error why = ERROR_NONE;
	va_list ap;

	va_start(ap, format);
	error_vset(&why, GOFER_INVALID, format, ap);
	va_end(ap);
	answer_text(call, 1, why.text);
}

/* The JSON in `text`. */
static void answer_json(struct management_call *call, struct buf *text)
{
	struct cJSON *value = buf_ok(text) ? json_parse(text->data, text->size, NULL) : NULL;

	if (value)
		management_answer_take(call, 0, value);
	else
		refuse(call, "out of memory");
	buf_release(text);
}

/* --- arguments ------------------------------------------------------------------------ */

/* By place or by name; NULL: neither, or null. */
static const struct cJSON *argument(const struct operation *o, int place, const char *name)
{
	const struct cJSON *value = place < 0 ? NULL : cJSON_GetArrayItem(o->args, place);

	if (!value)
		value = json_get(o->kwargs, name);
	return cJSON_IsNull(value) ? NULL : value;
}

/* NULL: it was refused. */
static const char *text_argument(const struct operation *o, const char *name)
{
	const struct cJSON *value = argument(o, 0, name);

	if (!value || !json_string_is_plain(value) || !*json_string(value)) {
		refuse(o->call, "the %s is missing, or is no string", name);
		return NULL;
	}
	return json_string(value);
}

static bool is_hard(const struct operation *o)
{
	return cJSON_IsTrue(argument(o, 1, "hard"));
}

/* --- loading -------------------------------------------------------------------------- */

/* A change that somebody waits for; embedded copies of what its answer says. */
struct waiter {
	struct management_call *call;
	const char *verb;
	char name[];
};

static void on_done(void *context, const struct error *error)
{
	struct waiter *w = context;
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s %s", w->name, w->verb);
	if (error)
		refuse(w->call, "%s", error->text);
	else
		answer_text(w->call, 0, buf_text(&text));
	buf_release(&text);
	free(w);
}

static void change(const struct operation *o, struct descriptor *d, const char *verb)
{
	struct waiter *w = malloc(sizeof *w + strlen(d->name) + 1);
	struct error error = {GOFER_NOMEM, "out of memory"};
	const struct roster_done done = {on_done, w};

	if (w) {
		w->call = o->call;
		w->verb = verb;
		strcpy(w->name, d->name);
		if (roster_load(o->control->roster, d, is_hard(o), &done, &error) == GOFER_OK)
			return;
	}
	free(w);
	refuse(o->call, "%s", error.text);
}

/* Of a descriptor that is right and enabled one reference; otherwise the request is refused. */
static struct descriptor *read_descriptor(const struct operation *o, const char *origin)
{
	struct config_faults faults = {BUF_INIT, 0}, notes = {BUF_INIT, 0};
	struct descriptor *d = NULL;

	if (origin[0] != '/' && !descriptor_option(origin)) {
		refuse(o->call, "%s: neither a loaded plugin's name nor a descriptor's whole path",
		       origin);
		return NULL;
	}
	d = settings_read(o->control->settings, origin, &faults, &notes);
	if (faults.count || !d)
		answer_text(o->call, 1, buf_text(&faults.text));
	else if (!d->enabled)
		refuse(o->call, "%s: not enabled; [main] enabled=1 is what would do it", origin);
	if (d && !d->enabled) {
		descriptor_unref(d);
		d = NULL;
	}
	config_faults_release(&faults);
	config_faults_release(&notes);
	return d;
}

static void load(const struct operation *o)
{
	const char *path = text_argument(o, "path");
	struct descriptor *d = path ? read_descriptor(o, path) : NULL;

	if (d && roster_find(o->control->roster, d->name))
		refuse(o->call, "plugin %s is loaded already; reload it to have it read anew",
		       d->name);
	else if (d)
		change(o, d, "loaded");
	descriptor_unref(d);
}

static void reload(const struct operation *o)
{
	const char *path = text_argument(o, "path");
	const struct instance *in = path ? roster_find(o->control->roster, path) : NULL;
	struct descriptor *d = path ? read_descriptor(o, in ? in->descriptor->origin : path) : NULL;

	if (d && !roster_find(o->control->roster, d->name))
		refuse(o->call, "plugin %s is not loaded; load is what would do it", d->name);
	else if (d)
		change(o, d, "reloaded");
	descriptor_unref(d);
}

/* By name, or by the descriptor that it was loaded from. */
static struct instance *find(const struct control *c, const char *text)
{
	struct instance *in = roster_find(c->roster, text);

	if (in)
		return in;
	while ((in = roster_next(c->roster, in)))
		if (strcmp(in->descriptor->origin, text) == 0)
			return in;
	return NULL;
}

static void unload(const struct operation *o)
{
	const char *path = text_argument(o, "path");
	struct instance *in = path ? find(o->control, path) : NULL;
	struct buf text = BUF_INIT;
	size_t left;

	if (!in) {
		if (path)
			refuse(o->call, "%s: no such plugin is loaded", path);
		return;
	}
	roster_unload(o->control->roster, in, is_hard(o));
	left = instance_busy(in);
	buf_puts(&text, in->descriptor->name);
	if (left)
		buf_printf(&text, " takes no more requests; %zu call%s to finish", left,
		           left == 1 ? "" : "s");
	else
		buf_puts(&text, " unloaded");
	answer_text(o->call, 0, buf_text(&text));
	buf_release(&text);
}

/* --- cancelling ----------------------------------------------------------------------- */

static enum gofer_err cancel_some(const struct control *c, const struct cJSON *json,
                                  struct cJSON *list, struct error *error)
{
	struct criteria *criteria = criteria_new(json, error);
	enum gofer_err rc;

	if (!criteria)
		return error->code ? error->code : GOFER_INVALID;
	rc = pending_cancel_where(c->services->pending, criteria, NULL, list);
	criteria_free(criteria);
	return rc ? error_set(error, rc, "out of memory") : GOFER_OK;
}

static enum gofer_err cancel_all(const struct operation *o, struct cJSON *list, struct error *error)
{
	const struct cJSON *sn = argument(o, 0, "sn"), *criteria = argument(o, 1, "criteria");
	const char *text = json_string(sn);

	if (!sn && !criteria)
		return error_set(error, GOFER_INVALID, "cancel needs an sn or criteria");
	if (sn && !text)
		return error_set(error, GOFER_INVALID, "sn must be a string");
	if (sn && pending_cancel(o->control->services->pending, text, list) == GOFER_NOTFOUND)
		return error_set(error, GOFER_NOTFOUND, ADMIN_CANCEL_NOTFOUND, text);
	return criteria ? cancel_some(o->control, criteria, list, error) : GOFER_OK;
}

/* What was cancelled is so in the journal before it is told. */
struct cancelled {
	LIST_ENTRY(cancelled) entry;
	struct journal_wait wait;
	struct management_call *call;
	struct cJSON *list;
};

static void tell_cancelled(struct cancelled *c)
{
	LIST_REMOVE(c, entry);
	management_answer_take(c->call, 0, c->list);
	free(c);
}

static void on_written(struct journal_wait *wait, enum gofer_err result)
{
	struct cancelled *c = (struct cancelled *)((char *)wait - offsetof(struct cancelled, wait));

	if (result)
		log_warning(PACKAGE, "the journal does not have all cancellations yet: %s",
		            error_name(result));
	tell_cancelled(c);
}

static void cancel(const struct operation *o)
{
	struct cJSON *list = cJSON_CreateArray();
	struct cancelled *c = calloc(1, sizeof *c);
	struct error error = {GOFER_OK, "out of memory"};

	if (!list || !c || cancel_all(o, list, &error)) {
		cJSON_Delete(list);
		free(c);
		refuse(o->call, "%s", error.text);
		return;
	}
	/* The answer goes out before thousands of others. */
	roster_mark(o->control->roster);
	c->call = o->call;
	c->list = list;
	c->wait.stored = on_written;
	LIST_INSERT_HEAD(&o->control->cancelled, c, entry);
	journal_flush(o->control->services->journal, &c->wait);
}

/* --- looking -------------------------------------------------------------------------- */

static void show(const struct operation *o)
{
	char *text = admin_help_text(o->control->services->admin);

	if (text)
		answer_text(o->call, 0, text);
	else
		refuse(o->call, "out of memory");
	free(text);
}

static void status(const struct operation *o)
{
	struct buf text = BUF_INIT;

	report_status(&text, &o->control->parts);
	answer_json(o->call, &text);
}

static void calls(const struct operation *o)
{
	struct buf text = BUF_INIT;

	report_calls(&text, &o->control->parts);
	answer_json(o->call, &text);
}

static void metrics(const struct operation *o)
{
	struct buf text = BUF_INIT;

	if (report_metrics(&text, &o->control->parts))
		refuse(o->call, "out of memory");
	else
		answer_text(o->call, 0, buf_text(&text));
	buf_release(&text);
}

/* --- requests ------------------------------------------------------------------------- */

#define ARGUMENTS_MAX 2

/* What a request takes: its arguments in the order of their places, by which or by name they come. */
struct request_kind {
	const char *name;
	void (*run)(const struct operation *o);
	const char *arguments[ARGUMENTS_MAX + 1];
};

static const struct request_kind kinds[] = {
	{"calls", calls, {NULL}},
	{"cancel", cancel, {"sn", "criteria", NULL}},
	{"load", load, {"path", NULL}},
	{"metrics", metrics, {NULL}},
	{"reload", reload, {"path", "hard", NULL}},
	{"show", show, {NULL}},
	{"status", status, {NULL}},
	{"unload", unload, {"path", "hard", NULL}},
};

static int place_of(const struct request_kind *kind, const char *argument)
{
	for (int i = 0; kind->arguments[i]; i++)
		if (strcmp(kind->arguments[i], argument) == 0)
			return i;
	return -1;
}

/* Whether it has no arguments that it does not take; refused if not. */
static bool check_arguments(const struct request_kind *kind, const struct operation *o)
{
	int count = cJSON_GetArraySize(o->args), most = 0;
	const struct cJSON *one;

	while (kind->arguments[most])
		most++;
	if (count > most) {
		refuse(o->call, "%s takes at most %d arguments, here are %d", kind->name, most,
		       count);
		return false;
	}
	cJSON_ArrayForEach(one, o->kwargs)
	{
		int place = place_of(kind, one->string);

		if (place < 0 || place < count) {
			refuse(o->call, "%s: argument \"%.40s\" %s", kind->name, one->string,
			       place < 0 ? "is not known" : "is there twice");
			return false;
		}
	}
	return true;
}

static void run(const struct request_kind *kind, const struct operation *o)
{
	const struct cJSON *hard = argument(o, place_of(kind, "hard"), "hard");

	log_debug(PACKAGE, "management request: %s", kind->name);
	if (!check_arguments(kind, o))
		return;
	if (place_of(kind, "hard") >= 0 && hard && !cJSON_IsBool(hard))
		refuse(o->call, "hard must be true or false");
	else
		kind->run(o);
}

static void on_request(void *context, struct management_call *call, const char *name,
                       const struct cJSON *args, const struct cJSON *kwargs)
{
	const struct operation o = {context, call, args, kwargs};
	struct buf known = BUF_INIT;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			run(&kinds[i], &o);
			buf_release(&known);
			return;
		}
		buf_printf(&known, "%s%s", i ? ", " : "", kinds[i].name);
	}
	refuse(call, "there is no request %.40s; there are: %s", name, buf_text(&known));
	buf_release(&known);
}

static const struct management_events events = {on_request};

void control_renew(struct control *c, const struct settings *settings)
{
	c->settings = settings;
}

/* --- life ----------------------------------------------------------------------------- */

static enum gofer_err listen_for_requests(struct control *c, struct error *error)
{
	const struct config *config = c->settings->config;
	struct management_options options = {0};
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/" MANAGEMENT_SOCKET_NAME, c->settings->run);
	options.socket_path = buf_text(&path);
	if (config_bool(config, "management", "enabled")) {
		options.host = config_text(config, "management", "host");
		options.port = (uint16_t)config_integer(config, "management", "port");
	}
	c->management = management_new(c->services->loop, &options, &events, c, error);
	buf_release(&path);
	return c->management ? GOFER_OK : GOFER_FAILED;
}

struct control *control_new(const struct control_options *options, struct error *error)
{
	struct control *c = calloc(1, sizeof *c);

	if (!c) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	c->services = options->services;
	c->roster = options->roster;
	c->settings = options->settings;
	c->parts = (struct report_parts){options->roster, options->services, clock_wall_ms()};
	if (listen_for_requests(c, error) == GOFER_OK)
		return c;
	control_free(c);
	return NULL;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	management_free(c->management);
	c->management = NULL;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	control_close(c);
	while (!LIST_EMPTY(&c->cancelled)) /* the journal tells them no more */
		tell_cancelled(LIST_FIRST(&c->cancelled));
	free(c);
}
