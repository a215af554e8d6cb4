/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin: all that a plugin sees of gofer.
 *
 * A plugin is a file plugins/<name>.c that exports one `const struct plugin`, listed in
 * plugins/table.c. It says what classes and functions it provides; arguments are bound to the
 * names in `params` before a method runs, so that a method never sees wrong ones:
 *
 *   static enum gofer_err bark(struct call *call)
 *   {
 *       const char *words;
 *       if (call_arg_string(call, "words", &words))
 *           return GOFER_FAILED;                      // TypeError is raised already
 *       return call_return_string(call, words);
 *   }
 *   static const struct method dog_methods[] = {
 *       { .name = "bark", .params = "words, wait=0", .run = bark, .help = "Say the words." }, { 0 } };
 *
 * Every method ends in call_return*() or call_raise*(), each of which may be used once. A method that
 * returns without an outcome is answered for: null after GOFER_OK, Cancelled after
 * GOFER_CANCELLED (what call_sleep() gives), else an Exception with the error's name. Of two
 * outcomes the first stands: the second is refused with GOFER_INVALID and logged.
 *
 * What a plugin does by itself, without being called, is an action:
 *
 *   static enum gofer_err sweep(struct plugin_context *context) { ... }
 *   static const struct action actions[] = {
 *       { .name = "sweep", .interval_s = ACTION_MINUTES(90), .run = sweep }, { 0 } };
 *
 * The agent runs each action in the plugin's pool, as if it were a call: first when the plugin has
 * been loaded, then each interval; never two runs of one action at once; none before load() has
 * returned GOFER_OK or once unload() was called. What a run returns other than GOFER_OK is logged,
 * and changes nothing for the runs to come.
 *
 * Thread: methods run in workers (or where their model says), actions in workers; they may block,
 * and several may run at once. What a method gets from its call is valid until it returns. Tables
 * are constant and never freed.
 */
#ifndef GOFER_CORE_PLUGIN_H
#define GOFER_CORE_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "core/json.h"
#include "core/log.h"

struct call;
struct plugin_context; /* a loaded plugin: its name and configuration */

/* What a caller must prove; any one requirement of a method that passes is enough. */
enum requirement_kind { REQUIRE_SECRET, REQUIRE_USER };
struct requirement {
	enum requirement_kind kind;
	const char *value; /* the secret, or the system user's name */
};

/*
 * Where a method runs.
 *
 * CALL_DIRECT: in a worker of the agent. Cancelled, it ends when it looks.
 *
 * CALL_FORK: in a child process of its own. Cancelled, that is killed, certainly and at once, with
 * all that it has started (its process group, by SIGKILL). What it breaks is its own; one that ends
 * without a result is told of as an Exception.
 * - The child is this program started afresh: nothing of the agent's memory is there. The plugin's
 *   load() runs in it before the method, and unload() after it, with the plugin's name and options;
 *   what load() has made in the agent is not seen, and an unload() that takes over 5 s is cut off.
 * - The method is the only one there, and runs in the first thread. SIGHUP means that the agent is
 *   gone, and is gofer's.
 * - Standard input is empty. Lines on standard output and error go to the log, as package
 *   "plugin.<name>", 1000 of them a call. Progress and what is logged go as they always do.
 * - Arguments and result may be 64 MiB long, as JSON. A call costs some milliseconds more.
 */
enum call_model { CALL_DIRECT, CALL_FORK };

struct method {
	const char *name; /* NULL ends a table */
	const char
		*params;  /* as Python writes them, without self: "words, wait=0, *rest, **more" */
	const char *help; /* one sentence */
	enum gofer_err (*run)(struct call *call);
	enum call_model model;
	const struct requirement *require; /* NULL, or ends with value NULL */
};

struct class {
	const char *name;   /* NULL ends a table */
	const char *params; /* of the constructor; NULL: it takes none */
	const char *help;
	const struct method *methods;
};

struct action {
	const char *name;    /* NULL ends a table */
	unsigned interval_s; /* from one run to the next; 0: it runs once, at load */
	enum gofer_err (*run)(struct plugin_context *context);
};

/* In seconds. */
#define ACTION_MINUTES(n) ((n)*60u)
#define ACTION_HOURS(n) ((n)*3600u)
#define ACTION_DAYS(n) ((n)*86400u)
#define ACTION_WEEKS(n) ((n)*604800u)

struct plugin {
	const char *name;               /* [a-z0-9_-]+ */
	const char *summary;            /* one line */
	const struct class *classes;    /* NULL or ends with name NULL; so do the functions */
	const struct method *functions; /* called with the plugin's name as the class */
	const struct action *actions;   /* NULL or ends with name NULL */
	/* NULL, or called before the first call and after the last one; both may block, and of all plugins' one
	 * runs at a time. A reload loads the plugin anew, with a context of its own, before the one that was is
	 * unloaded: there may be two. */
	enum gofer_err (*load)(struct plugin_context *context);
	void (*unload)(struct plugin_context *context);
};

/* The plugin's configuration: a value of a section of its descriptor, NULL if not there. */
const char *plugin_context_name(const struct plugin_context *context);
const char *plugin_context_option(const struct plugin_context *context, const char *section,
                                  const char *key);
/* What load() wants to have again in calls and in unload(). */
void plugin_context_set_state(struct plugin_context *context, void *state);
void *plugin_context_state(const struct plugin_context *context);

/* The call at hand. */
const char *call_sn(const struct call *call);
struct plugin_context *call_context(const struct call *call);

/* A bound argument of the method, or of the constructor; a parameter that was not passed has its
 * default. Never NULL for a name that is in `params`; *rest is an array, **more an object. */
const struct cJSON *call_arg(const struct call *call, const char *name);
const struct cJSON *call_cntr_arg(const struct call *call, const char *name);

/* The same with its type checked: GOFER_OK, or a TypeError is raised
 * ("words must be str, not int") and GOFER_FAILED returned. A double may be any number (one too
 * large for it is infinite), an integer a whole one (ValueError if it needs more than 64 bits);
 * bool is neither. */
enum gofer_err call_arg_string(struct call *call, const char *name, const char **out);
enum gofer_err call_cntr_arg_string(struct call *call, const char *name, const char **out);
enum gofer_err call_arg_double(struct call *call, const char *name, double *out);
enum gofer_err call_arg_integer(struct call *call, const char *name, long long *out);

/* The end of a call. The _take form owns `value` also on failure; NULL is null. */
enum gofer_err call_return_take(struct call *call, struct cJSON *value);
enum gofer_err call_return_copy(struct call *call, const struct cJSON *value);
enum gofer_err call_return_string(struct call *call, const char *text);
/* Raises builtins.<xclass> with the message as its argument; returns GOFER_FAILED. */
enum gofer_err call_raise(struct call *call, const char *xclass, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Raises OSError [errno, strerror, path?]; path may be NULL. Returns GOFER_FAILED. */
enum gofer_err call_raise_errno(struct call *call, int errno_value, const char *path);

/* Tells the caller how far it is. `details` may be NULL (null is sent). Never blocks. */
void call_progress(struct call *call, long long total, long long completed, const char *details);

/* Whether somebody asked for the call to stop: a long method looks, and ends. */
bool call_cancelled(const struct call *call);
/* Raises gofer.rmi.dispatcher.Cancelled [sn]; returns GOFER_FAILED. */
enum gofer_err call_raise_cancelled(struct call *call);
/* Sleeps; GOFER_CANCELLED at once when the call is cancelled. */
enum gofer_err call_sleep(struct call *call, double seconds);

#endif
