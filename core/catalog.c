/* SPDX-License-Identifier: Apache-2.0 */
#include "core/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

/* A class, or the functions of the plugin: those have no class. */
struct group {
	const struct class *class;
	char *cntr_qualname;
	struct params *cntr_params;
	struct catalog_method *methods; /* sorted by name; params and qualname are owned */
	size_t count;
};

struct catalog {
	const struct plugin *plugin;
	struct group functions;
	struct group *classes; /* sorted by name */
	size_t classes_count;
};

/* --- checks --- */

static bool is_plugin_name(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")];
}

static bool is_identifier(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	return *name && !(*name >= '0' && *name <= '9') && !name[strspn(name, letters)];
}

static enum gofer_err check_requirements(const struct requirement *r, const char *qualname,
                                         struct error *error)
{
	for (; r && r->value; r++)
		if (!*r->value)
			return error_set(error, GOFER_INVALID,
			                 "%s: an empty secret or user required", qualname);
	return GOFER_OK;
}

static enum gofer_err check_method(const struct method *method, const char *qualname,
                                   struct error *error)
{
	if (!is_identifier(method->name))
		return error_set(error, GOFER_INVALID, "%s: not a name", qualname);
	if (!method->run)
		return error_set(error, GOFER_INVALID, "%s: nothing to run", qualname);
	if (!method->help)
		return error_set(error, GOFER_INVALID, "%s: no help", qualname);
	return check_requirements(method->require, qualname, error);
}

static enum gofer_err check_self(const struct params *params, const char *qualname, bool self,
                                 struct error *error)
{
	for (size_t i = 0; self && i < params_count(params); i++)
		if (strcmp(params_name(params, i), "self") == 0)
			return error_set(error, GOFER_INVALID,
			                 "%s: self among the parameters; it is left out", qualname);
	return GOFER_OK;
}

static enum gofer_err check_action(const struct action *actions, size_t at, struct error *error)
{
	const struct action *action = &actions[at];

	if (!is_identifier(action->name))
		return error_set(error, GOFER_INVALID, "action %s: not a name", action->name);
	if (!action->run)
		return error_set(error, GOFER_INVALID, "action %s: nothing to run", action->name);
	for (size_t i = 0; i < at; i++)
		if (strcmp(actions[i].name, action->name) == 0)
			return error_set(error, GOFER_INVALID, "action %s: there twice",
			                 action->name);
	return GOFER_OK;
}

static enum gofer_err check_actions(const struct action *actions, struct error *error)
{
	enum gofer_err err = GOFER_OK;

	for (size_t i = 0; !err && actions && actions[i].name; i++)
		err = check_action(actions, i, error);
	return err;
}

/* --- building --- */

static char *join_name(const char *class, const char *method)
{
	struct buf name = BUF_INIT;

	if (class)
		buf_printf(&name, "%s.", class);
	buf_puts(&name, method);
	return buf_take(&name, NULL);
}

static enum gofer_err parse_params(const char *text, const char *qualname, bool self,
                                   struct params **params, struct error *error)
{
	*params = params_parse(text, error);
	if (!*params)
		return error_prefix(error, "%s: parameters", qualname);
	return check_self(*params, qualname, self, error);
}

/* On failure what was made so far is in `out`, to be freed with the rest. */
static enum gofer_err add_method(struct catalog_method *out, const struct group *group,
                                 const struct method *method, struct error *error)
{
	char *qualname = join_name(group->class ? group->class->name : NULL, method->name);
	struct params *params = NULL;

	if (!qualname)
		return error_set(error, GOFER_NOMEM, "out of memory");
	enum gofer_err err = check_method(method, qualname, error);
	if (!err)
		err = parse_params(method->params, qualname, group->class != NULL, &params, error);
	*out = (struct catalog_method){
		.method = method,
		.class = group->class,
		.params = params,
		.cntr_params = group->cntr_params,
		.qualname = qualname,
		.cntr_qualname = group->cntr_qualname,
	};
	return err;
}

static int compare_methods(const void *a, const void *b)
{
	const struct catalog_method *x = a, *y = b;

	return strcmp(x->method->name, y->method->name);
}

static enum gofer_err add_methods(struct group *group, const struct method *methods,
                                  struct error *error)
{
	size_t count = 0;
	enum gofer_err err = GOFER_OK;

	while (methods && methods[count].name)
		count++;
	group->methods = calloc(count + 1, sizeof(*group->methods));
	if (!group->methods)
		return error_set(error, GOFER_NOMEM, "out of memory");
	while (!err && group->count < count) {
		size_t i = group->count++;
		err = add_method(&group->methods[i], group, &methods[i], error);
	}
	if (err)
		return err;
	qsort(group->methods, count, sizeof(*group->methods), compare_methods);
	for (size_t i = 1; i < count; i++)
		if (compare_methods(&group->methods[i - 1], &group->methods[i]) == 0)
			return error_set(error, GOFER_INVALID, "%s: there twice",
			                 group->methods[i].qualname);
	return GOFER_OK;
}

static enum gofer_err add_class(struct group *group, const struct class *class, struct error *error)
{
	group->class = class;
	if (!is_identifier(class->name))
		return error_set(error, GOFER_INVALID, "class %s: not a name", class->name);
	if (!class->help)
		return error_set(error, GOFER_INVALID, "class %s: no help", class->name);
	group->cntr_qualname = join_name(class->name, "__init__");
	if (!group->cntr_qualname)
		return error_set(error, GOFER_NOMEM, "out of memory");
	enum gofer_err err =
		parse_params(class->params, group->cntr_qualname, true, &group->cntr_params, error);
	return err ? err : add_methods(group, class->methods, error);
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return strcmp(x->class->name, y->class->name);
}

static enum gofer_err check_class_names(const struct catalog *c, struct error *error)
{
	for (size_t i = 0; i < c->classes_count; i++) {
		const char *name = c->classes[i].class->name;
		if (i && strcmp(c->classes[i - 1].class->name, name) == 0)
			return error_set(error, GOFER_INVALID, "class %s: there twice", name);
		if (strcmp(name, c->plugin->name) == 0)
			return error_set(error, GOFER_INVALID,
			                 "class %s: named like its plugin, whose functions it "
			                 "would hide",
			                 name);
	}
	return GOFER_OK;
}

static enum gofer_err add_classes(struct catalog *c, const struct class *classes,
                                  struct error *error)
{
	size_t count = 0;
	enum gofer_err err = GOFER_OK;

	while (classes && classes[count].name)
		count++;
	c->classes = calloc(count + 1, sizeof(*c->classes));
	if (!c->classes)
		return error_set(error, GOFER_NOMEM, "out of memory");
	while (!err && c->classes_count < count) {
		size_t i = c->classes_count++;
		err = add_class(&c->classes[i], &classes[i], error);
	}
	if (err)
		return err;
	qsort(c->classes, count, sizeof(*c->classes), compare_groups);
	return check_class_names(c, error);
}

static enum gofer_err fill(struct catalog *c, struct error *error)
{
	if (!is_plugin_name(c->plugin->name))
		return error_set(error, GOFER_INVALID,
		                 "not a name; small letters, digits, _ and - would be right");
	if (!c->plugin->summary)
		return error_set(error, GOFER_INVALID, "no summary");
	enum gofer_err err = check_actions(c->plugin->actions, error);
	if (!err)
		err = add_classes(c, c->plugin->classes, error);
	return err ? err : add_methods(&c->functions, c->plugin->functions, error);
}

struct catalog *catalog_new(const struct plugin *plugin, struct error *error)
{
	struct catalog *c = calloc(1, sizeof(*c));

	if (!c) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	c->plugin = plugin;
	if (!fill(c, error))
		return c;
	error_prefix(error, "plugin %s", plugin->name);
	catalog_free(c);
	return NULL;
}

static void group_release(struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		free((char *)group->methods[i].qualname);
		params_free((struct params *)group->methods[i].params);
	}
	free(group->methods);
	free(group->cntr_qualname);
	params_free(group->cntr_params);
}

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->classes_count; i++)
		group_release(&c->classes[i]);
	free(c->classes);
	group_release(&c->functions);
	free(c);
}

/* --- looking up --- */

const struct plugin *catalog_plugin(const struct catalog *c)
{
	return c->plugin;
}

static const struct group *find_group(const struct catalog *c, const char *classname)
{
	if (strcmp(classname, c->plugin->name) == 0)
		return &c->functions;
	for (size_t i = 0; i < c->classes_count; i++)
		if (strcmp(classname, c->classes[i].class->name) == 0)
			return &c->classes[i];
	return NULL;
}

bool catalog_has_class(const struct catalog *c, const char *classname)
{
	return find_group(c, classname) != NULL;
}

const struct catalog_method *catalog_find(const struct catalog *c, const char *classname,
                                          const char *method)
{
	const struct group *group = find_group(c, classname);

	for (size_t i = 0; group && i < group->count; i++)
		if (strcmp(method, group->methods[i].method->name) == 0)
			return &group->methods[i];
	return NULL;
}

/* --- Admin.help() --- */

static void print_methods(struct buf *out, const struct group *group, const char *indent)
{
	for (size_t i = 0; i < group->count; i++) {
		buf_printf(out, "%s%s(", indent, group->methods[i].method->name);
		params_print(out, group->methods[i].params, group->class != NULL);
		buf_puts(out, ")\n");
	}
}

enum gofer_err catalog_print_help(struct buf *out, const struct catalog *c, const char *name)
{
	buf_printf(out, "  <plugin> %s\n    Classes:\n", name);
	for (size_t i = 0; i < c->classes_count; i++) {
		buf_printf(out, "      <class> %s\n        Methods:\n", c->classes[i].class->name);
		print_methods(out, &c->classes[i], "          ");
	}
	buf_puts(out, "    Functions:\n");
	print_methods(out, &c->functions, "      ");
	return buf_ok(out) ? GOFER_OK : GOFER_NOMEM;
}

static int compare_entries(const void *a, const void *b)
{
	const struct catalog_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* What runs once has a century to go until the next run. */
static void print_interval(struct buf *out, unsigned seconds)
{
	char text[48];

	clock_timedelta(text, seconds ? seconds : ACTION_DAYS(36500));
	buf_puts(out, text);
}

static size_t actions_count(const struct action *actions)
{
	size_t count = 0;

	while (actions && actions[count].name)
		count++;
	return count;
}

/* Plugins may have actions of one name: then the shorter interval comes first. */
static int compare_actions(const void *a, const void *b)
{
	const struct action *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->interval_s > y->interval_s) - (x->interval_s < y->interval_s);
}

static void print_sorted_actions(struct buf *out, struct action *actions, size_t count)
{
	qsort(actions, count, sizeof(*actions), compare_actions);
	buf_puts(out, "\nActions:");
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "\n  %s() ", actions[i].name);
		print_interval(out, actions[i].interval_s);
	}
}

static enum gofer_err print_actions(struct buf *out, const struct catalog_entry *entries,
                                    size_t count)
{
	size_t total = 0, at = 0;

	for (size_t i = 0; i < count; i++)
		total += actions_count(entries[i].catalog->plugin->actions);
	struct action *all = calloc(total + 1, sizeof(*all));
	if (!all)
		return GOFER_NOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct action *actions = entries[i].catalog->plugin->actions;
		for (; actions && actions->name; actions++)
			all[at++] = *actions;
	}
	print_sorted_actions(out, all, total);
	free(all);
	return GOFER_OK;
}

enum gofer_err catalog_print_all(struct buf *out, const struct catalog_entry *entries, size_t count)
{
	struct catalog_entry *sorted = calloc(count + 1, sizeof(*sorted));

	if (!sorted)
		return GOFER_NOMEM;
	if (count)
		memcpy(sorted, entries, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_entries);
	buf_puts(out, "Plugins:\n");
	for (size_t i = 0; i < count; i++) {
		buf_puts(out, "\n");
		catalog_print_help(out, sorted[i].catalog, sorted[i].name);
	}
	enum gofer_err err = print_actions(out, sorted, count);
	free(sorted);
	return err || !buf_ok(out) ? GOFER_NOMEM : GOFER_OK;
}
