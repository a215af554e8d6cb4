/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/admin_show.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/people.h"

bool admin_is_status(const struct cJSON *status)
{
	return cJSON_IsObject(status) && cJSON_IsArray(json_get(status, "plugins"));
}

bool admin_is_calls(const struct cJSON *calls)
{
	return cJSON_IsArray(calls);
}

/* --- members ----------------------------------------------------------------------------- */

/* The text of a member: a string as it is, anything else as JSON, "-" for null and nothing. To be freed;
 * NULL: out of memory. */
static char *text_of(const struct cJSON *object, const char *key)
{
	const struct cJSON *value = json_get(object, key);

	if (!value || cJSON_IsNull(value))
		return strdup("-");
	return json_string(value) ? strdup(json_string(value)) : json_text(value);
}

static double number_of(const struct cJSON *object, const char *key)
{
	const struct cJSON *value = json_get(object, key);

	return cJSON_IsNumber(value) ? value->valuedouble : 0;
}

static bool is_true(const struct cJSON *object, const char *key)
{
	return cJSON_IsTrue(json_get(object, key));
}

static void add_member(struct grid *g, const struct cJSON *object, const char *key)
{
	char *text = text_of(object, key);

	grid_add(g, GRID_PLAIN, "%s", text ? text : "?");
	free(text);
}

static void add_members(struct grid *g, const struct cJSON *object, const char *const *keys)
{
	for (; *keys; keys++)
		add_member(g, object, *keys);
}

static void add_age(struct grid *g, const struct cJSON *object, const char *key)
{
	struct buf age = BUF_INIT;

	people_age(&age, number_of(object, key));
	grid_add(g, GRID_PLAIN, "%s", buf_text(&age));
	buf_release(&age);
}

/* A last column, which is empty where there is nothing to be said. */
static void add_remark(struct grid *g, const struct cJSON *object, const char *key)
{
	char *text = text_of(object, key);

	grid_add(g, GRID_PLAIN, "%s", text && strcmp(text, "-") != 0 ? text : "");
	g->failed |= !text;
	free(text);
}

static void print_line(struct buf *out, struct buf *line, enum grid_style style,
                       const struct grid_view *view)
{
	grid_print_line(out, buf_text(line), style, view);
	out->failed |= !buf_ok(line);
	buf_release(line);
}

static void print_grid(struct buf *out, struct grid *g, const struct grid_view *view)
{
	grid_print(out, g, view);
	grid_release(g);
}

/* --- the agent --------------------------------------------------------------------------- */

void admin_print_agent(struct buf *out, const struct cJSON *status, const struct grid_view *view)
{
	char *version = text_of(status, "version"), *pid = text_of(status, "pid");
	struct buf line = BUF_INIT;

	buf_printf(&line, "gofer %s, process %s, up ", version ? version : "?", pid ? pid : "?");
	people_age(&line, number_of(status, "uptime"));
	print_line(out, &line, GRID_PLAIN, view);
	free(version);
	free(pid);
}

static const struct cJSON *find_plugin(const struct cJSON *status, const char *name)
{
	const struct cJSON *plugin;

	cJSON_ArrayForEach(plugin, json_get(status, "plugins"))
	{
		const char *other = json_string(json_get(plugin, "name"));

		if (other && !strcmp(other, name))
			return plugin;
	}
	return NULL;
}

static double ended(const struct cJSON *plugin)
{
	return number_of(plugin, "done") + number_of(plugin, "failed");
}

static void add_rate(struct grid *g, const struct cJSON *plugin, const struct cJSON *before,
                     double seconds)
{
	const char *name = json_string(json_get(plugin, "name"));
	const struct cJSON *then = name ? find_plugin(before, name) : NULL;
	double calls = then ? ended(plugin) - ended(then) : 0;

	if (then && seconds > 0 && calls >= 0)
		grid_add(g, GRID_PLAIN, "%.1f", calls / seconds);
	else
		grid_add(g, GRID_PLAIN, "-");
}

static enum grid_style style_of_state(const char *state)
{
	static const struct {
		const char *state;
		enum grid_style style;
	} styles[] = {
		{"attached", GRID_GOOD},      {"connecting", GRID_DOUBTFUL},
		{"unloading", GRID_DOUBTFUL}, {"no url", GRID_DOUBTFUL},
		{"refused", GRID_BAD},
	};

	for (size_t i = 0; i < sizeof(styles) / sizeof(*styles); i++) {
		if (!strcmp(styles[i].state, state))
			return styles[i].style;
	}
	return GRID_PLAIN;
}

static void add_state(struct grid *g, const struct cJSON *plugin)
{
	char *state = text_of(plugin, "state");

	grid_add(g, state ? style_of_state(state) : GRID_PLAIN, "%s", state ? state : "?");
	g->failed |= !state;
	free(state);
}

static const struct grid_column plugin_columns[] = {
	{"PLUGIN", false}, {"QUEUE", false},    {"STATE", false},   {"THREADS", true},
	{"WAITING", true}, {"RUNNING", true},   {"PENDING", true},  {"DONE", true},
	{"FAILED", true},  {"CANCELLED", true}, {"REJECTED", true}, {"BROKER", false},
	{"WHY", false},
};

static const struct grid_column rated_columns[] = {
	{"PLUGIN", false}, {"QUEUE", false},  {"STATE", false},    {"THREADS", true},
	{"WAITING", true}, {"RUNNING", true}, {"PENDING", true},   {"CALLS/S", true},
	{"DONE", true},    {"FAILED", true},  {"CANCELLED", true}, {"REJECTED", true},
	{"BROKER", false}, {"WHY", false},
};

void admin_print_plugins(struct buf *out, const struct cJSON *status, const struct cJSON *before,
                         double seconds, const struct grid_view *view)
{
	static const char *const first[] = {"name", "queue", NULL};
	static const char *const second[] = {"threads", "waiting", "running", "pending", NULL};
	static const char *const third[] = {"done",     "failed", "cancelled",
	                                    "rejected", "broker", NULL};
	struct grid plain = GRID_INIT(plugin_columns), rated = GRID_INIT(rated_columns);
	struct grid *g = before ? &rated : &plain;
	const struct cJSON *plugin;

	cJSON_ArrayForEach(plugin, json_get(status, "plugins"))
	{
		add_members(g, plugin, first);
		add_state(g, plugin);
		add_members(g, plugin, second);
		if (before)
			add_rate(g, plugin, before, seconds);
		add_members(g, plugin, third);
		add_remark(g, plugin, "why");
	}
	print_grid(out, g, view);
}

void admin_print_brokers(struct buf *out, const struct cJSON *status, const struct grid_view *view)
{
	static const struct grid_column columns[] = {{"BROKER", false},
	                                             {"RECONNECTS", true},
	                                             {"STATE", false}};
	struct grid g = GRID_INIT(columns);
	const struct cJSON *broker;

	cJSON_ArrayForEach(broker, json_get(status, "brokers"))
	{
		bool up = is_true(broker, "up");

		add_member(&g, broker, "label");
		add_member(&g, broker, "reconnects");
		grid_add(&g, up ? GRID_GOOD : GRID_BAD, up ? "up" : "down");
	}
	print_grid(out, &g, view);
}

static void put_count(struct buf *line, double count, const char *what)
{
	buf_printf(line, "%.0f %s%s", count, what, count == 1 ? "" : "s");
}

void admin_print_journal(struct buf *out, const struct cJSON *status, const struct grid_view *view)
{
	const struct cJSON *journal = json_get(status, "journal");
	double damaged = number_of(journal, "damaged");
	bool failing = is_true(journal, "failing");
	struct buf line = BUF_INIT;

	if (!cJSON_IsObject(journal))
		return;
	buf_printf(&line, "journal: %.0f pending, ", number_of(journal, "entries"));
	people_bytes(&line, number_of(journal, "bytes"));
	buf_puts(&line, "; ");
	put_count(&line, number_of(journal, "segments"), "file");
	buf_puts(&line, " of ");
	people_bytes(&line, number_of(journal, "file_bytes"));
	if (damaged > 0) {
		buf_puts(&line, "; set aside: ");
		put_count(&line, damaged, "damaged record");
	}
	if (failing)
		buf_puts(&line, "; the last write failed");
	print_line(out, &line, failing ? GRID_BAD : damaged > 0 ? GRID_DOUBTFUL : GRID_PLAIN, view);
}

/* --- calls ------------------------------------------------------------------------------- */

static void add_call_state(struct grid *g, const struct cJSON *call)
{
	char *state = text_of(call, "state");
	bool running = state && !strcmp(state, "running");

	if (is_true(call, "cancelled"))
		grid_add(g, GRID_DOUBTFUL, "%s, cancelled", state ? state : "?");
	else
		grid_add(g, running ? GRID_GOOD : GRID_PLAIN, "%s", state ? state : "?");
	g->failed |= !state;
	free(state);
}

static void add_progress(struct grid *g, const struct cJSON *call)
{
	double total = number_of(call, "total"), completed = number_of(call, "completed");

	if (total > 0)
		grid_add(g, GRID_PLAIN, "%.0f/%.0f", completed, total);
	else if (completed > 0)
		grid_add(g, GRID_PLAIN, "%.0f", completed);
	else
		grid_add(g, GRID_PLAIN, "-");
}

void admin_print_calls(struct buf *out, const struct cJSON *calls, const struct grid_view *view)
{
	static const struct grid_column columns[] = {
		{"SN", false},    {"PLUGIN", false}, {"METHOD", false},  {"DURABLE", false},
		{"STATE", false}, {"AGE", true},     {"PROGRESS", true}, {"DETAILS", false},
	};
	static const char *const keys[] = {"sn", "plugin", "method", NULL};
	struct grid g = GRID_INIT(columns);
	const struct cJSON *call;

	cJSON_ArrayForEach(call, calls)
	{
		add_members(&g, call, keys);
		grid_add(&g, GRID_PLAIN, is_true(call, "durable") ? "yes" : "no");
		add_call_state(&g, call);
		add_age(&g, call, "age");
		add_progress(&g, call);
		add_remark(&g, call, "details");
	}
	print_grid(out, &g, view);
}
