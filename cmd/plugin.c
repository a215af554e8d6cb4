/* SPDX-License-Identifier: Apache-2.0 */
/* gofer plugin: what the compiled-in plugins provide, their descriptors, and calls with no broker. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/descriptor.h"
#include "agent/schema.h"
#include "cmd/command.h"
#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "cmd/plugin_call.h"
#include "cmd/plugin_host.h"
#include "cmd/plugin_journal.h"
#include "core/nearest.h"
#include "plugins/table.h"

#define PLUGINS_MAX 64

#define OFFSET(field) offsetof(struct plugin_options, field)

/* clang-format off */
static const struct option_spec specs[] = {
	{.name = "input", .letter = 'i', .kind = OPTION_JSON, .offset = OFFSET(input),
	 .argument = "JSON",
	 .help = "call: all arguments: [[ARGUMENT...], {\"NAME\": VALUE...}]"},
	{.name = "cntr", .letter = 'c', .kind = OPTION_JSON, .offset = OFFSET(cntr),
	 .argument = "JSON", .help = "call: arguments of the constructor, in the same form"},
	{.name = "progress", .letter = 'p', .kind = OPTION_TEXT, .offset = OFFSET(prefix),
	 .argument = "PREFIX",
	 .help = "call: print the details of progress, each line behind PREFIX"},
	{.name = "secret", .letter = 'S', .kind = OPTION_SECRET, .offset = OFFSET(secret),
	 .argument = "SECRET", .environment = "GOFER_SECRET",
	 .help = "call: the shared secret that the method asks for"},
	{.name = "descriptor", .kind = OPTION_TEXT, .offset = OFFSET(descriptor),
	 .argument = "FILE", .help = "call: what configures the plugin"},
	{.name = "json", .kind = OPTION_FLAG, .offset = OFFSET(json),
	 .help = "call: print the whole reply, one line of JSON; journal: a JSON array"},
	{.name = "root", .kind = OPTION_TEXT, .offset = OFFSET(root), .argument = "DIR",
	 .initial = "/", .help = "journal: the agent's directory, as its own --root"},
	{.name = "trace", .kind = OPTION_FLAG, .offset = OFFSET(trace),
	 .help = "call: with an exception, print its trace"},
	{.kind = OPTION_END},
};
/* clang-format on */

/* --- finding ----------------------------------------------------------------------------- */

static const struct plugin *find(const char *name)
{
	const struct plugin *plugin = plugin_table_find(name);
	const char *names[PLUGINS_MAX + 1], *near;
	size_t count = 0;

	if (plugin)
		return plugin;
	for (const struct plugin *const *p = plugin_table; *p && count < PLUGINS_MAX; p++)
		names[count++] = (*p)->name;
	names[count] = NULL;
	near = nearest(name, names);
	fprintf(stderr, "gofer plugin: no plugin \"%s\"; ", name);
	if (near)
		fprintf(stderr, "did you mean \"%s\"?\n", near);
	else
		fputs("\"gofer plugin list\" lists what there is\n", stderr);
	return NULL;
}

/* --- list, help -------------------------------------------------------------------------- */

static const char *const models[] = {[CALL_DIRECT] = "direct", [CALL_FORK] = "fork"};

static unsigned models_of(const struct method *methods)
{
	unsigned set = 0;

	for (; methods && methods->name; methods++)
		set |= 1U << methods->model;
	return set;
}

static void print_models(struct buf *out, const struct plugin *plugin)
{
	unsigned set = models_of(plugin->functions);

	for (const struct class *c = plugin->classes; c && c->name; c++)
		set |= models_of(c->methods);
	for (size_t i = 0; i < sizeof(models) / sizeof(*models); i++) {
		if (set & 1U << i)
			buf_printf(out, "%s%s", out->size ? "," : "", models[i]);
	}
}

static int list(struct plugin_options *o, int argc, char **argv)
{
	struct buf text = BUF_INIT, models_text = BUF_INIT;

	(void)o, (void)argc, (void)argv;
	for (const struct plugin *const *p = plugin_table; *p; p++) {
		buf_clear(&models_text);
		print_models(&models_text, *p);
		buf_printf(&text, "%-12s %-11s %s\n", (*p)->name, buf_text(&models_text),
		           (*p)->summary);
	}
	buf_release(&models_text);
	output_take(&text);
	return EXIT_CODE_OK;
}

static void print_callable(struct buf *out, const char *indent, const char *space, const char *name,
                           const char *params, const char *text, enum call_model model)
{
	buf_printf(out, "%s%s%s(%s)", indent, space, name, params ? params : "");
	if (model != CALL_DIRECT)
		buf_printf(out, "    [%s]", models[model]);
	buf_putc(out, '\n');
	if (text)
		buf_printf(out, "%s    %s\n", indent, text);
}

static void print_methods(struct buf *out, const char *indent, const char *space,
                          const struct method *methods)
{
	for (; methods && methods->name; methods++)
		print_callable(out, indent, space, methods->name, methods->params, methods->help,
		               methods->model);
}

static int help(struct plugin_options *o, int argc, char **argv)
{
	const struct plugin *plugin = find(argv[0]);
	struct buf text = BUF_INIT, space = BUF_INIT;

	(void)o, (void)argc;
	if (!plugin)
		return EXIT_CODE_USAGE;
	buf_printf(&text, "%s: %s\n", plugin->name, plugin->summary);
	if (plugin->classes && plugin->classes->name)
		buf_puts(&text, "\nClasses:\n");
	for (const struct class *c = plugin->classes; c && c->name; c++) {
		print_callable(&text, "  ", "", c->name, c->params, c->help, CALL_DIRECT);
		print_methods(&text, "    ", ".", c->methods);
	}
	if (plugin->functions && plugin->functions->name)
		buf_puts(&text, "\nFunctions:\n");
	buf_printf(&space, "%s.", plugin->name);
	print_methods(&text, "  ", buf_text(&space), plugin->functions);
	buf_release(&space);
	output_take(&text);
	return EXIT_CODE_OK;
}

/* --- check ------------------------------------------------------------------------------- */

static void print_good(const struct descriptor *d)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s: good; ", d->origin);
	if (d->enabled)
		buf_printf(&text, "plugin %s as %s, queue %s, %u threads\n", d->plugin->name,
		           d->name, d->queue, d->threads);
	else
		buf_puts(&text, "but it does not enable its plugin (enabled=1 in [main] would)\n");
	output_take(&text);
}

static bool check_one(const char *path)
{
	struct config_faults faults = {.text = BUF_INIT, .count = 0};
	struct config_faults notes = {.text = BUF_INIT, .count = 0};
	struct config *agent = config_new(schema_agent);
	struct descriptor *d = NULL;
	bool good;

	if (access(path, R_OK))
		config_fault(&faults, path, 0, "%s", strerror(errno));
	else
		d = descriptor_read(path, plugin_table, &faults, &notes);
	if (d && agent)
		descriptor_attach(d, agent, NULL, NULL, 0, &faults);
	fputs(buf_text(&faults.text), stderr);
	fputs(buf_text(&notes.text), stderr);
	good = d && !faults.count;
	if (good)
		print_good(d);
	descriptor_unref(d);
	config_free(agent);
	config_faults_release(&faults);
	config_faults_release(&notes);
	return good;
}

static int check(struct plugin_options *o, int argc, char **argv)
{
	int code = EXIT_CODE_OK;

	(void)o;
	for (int i = 0; i < argc; i++) {
		if (!check_one(argv[i]))
			code = EXIT_CODE_USAGE;
	}
	return code;
}

/* --- call -------------------------------------------------------------------------------- */

static int call(struct plugin_options *o, int argc, char **argv)
{
	const struct plugin *plugin = find(argv[0]);

	return plugin ? plugin_call(o, plugin, argc - 1, argv + 1) : EXIT_CODE_USAGE;
}

/* --- host -------------------------------------------------------------------------------- */

static int host(struct plugin_options *o, int argc, char **argv)
{
	const struct plugin *plugin = find(argv[0]);

	(void)o, (void)argc;
	return plugin ? plugin_host(plugin) : EXIT_CODE_USAGE;
}

/* --- the command ------------------------------------------------------------------------- */

static const struct {
	const char *name, *args;
	int min, max; /* arguments; -1: any number */
	int (*run)(struct plugin_options *o, int argc, char **argv);
} actions[] = {
	{"call", "NAME CLASS.METHOD [ARGUMENT...]", 2, -1, call},
	{"check", "DESCRIPTOR...", 1, -1, check},
	{"help", "NAME", 1, 1, help},
	{"host", "NAME", 1, 1, host},
	{"journal", "", 0, 0, plugin_journal},
	{"list", "", 0, 0, list},
};

/* "host" is nobody's to type. */
static const char *const words[] = {"call", "check", "help", "journal", "list", NULL};

static int unknown(const char *word)
{
	const char *near = nearest(word, words);

	fprintf(stderr, "gofer plugin: unknown \"%s\"; ", word);
	if (near)
		fprintf(stderr, "did you mean \"%s\"?\n", near);
	else
		fputs("it is one of list, help, check, call, journal\n", stderr);
	return EXIT_CODE_USAGE;
}

static int run(void *opaque, int argc, char **argv)
{
	struct plugin_options *o = opaque;

	if (!argc) {
		fputs("gofer plugin: list, help NAME, check DESCRIPTOR or call NAME CLASS.METHOD?\n",
		      stderr);
		return EXIT_CODE_USAGE;
	}
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (strcmp(actions[i].name, argv[0]))
			continue;
		if (argc - 1 >= actions[i].min &&
		    (actions[i].max < 0 || argc - 1 <= actions[i].max))
			return actions[i].run(o, argc - 1, argv + 1);
		fprintf(stderr, "gofer plugin: usage: gofer plugin %s%s%s\n", actions[i].name,
		        *actions[i].args ? " " : "", actions[i].args);
		return EXIT_CODE_USAGE;
	}
	return unknown(argv[0]);
}

const struct command command_plugin = {
	.name = "plugin",
	.args = "list | help NAME | check DESCRIPTOR... | call NAME ... | journal",
	.summary = "Look at plugins, check descriptors, call without a broker",
	.details =
		"list   the plugins in this program\n"
		"help   a plugin's classes, methods and functions\n"
		"check  reads descriptors, and tells every fault by file and line\n"
		"call   NAME CLASS.METHOD [ARGUMENT...] runs a method here, to try it; arguments\n"
		"       are as with gofer call\n"
		"journal  what an agent has accepted and not answered yet, from the files under\n"
		"       --root; it may be running",
	.words = words,
	.options = specs,
	.options_size = sizeof(struct plugin_options),
	.run = run,
};
