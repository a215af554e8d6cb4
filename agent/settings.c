/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/settings.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/schema.h"
#include "core/log.h"

#define CONFIG_DIRECTORY "etc/gofer"

/* One reading in progress. */
struct loading {
	const struct settings_source *source;
	struct settings *settings;
	struct config_faults *faults, *notes;
	bool out_of_memory;
};

/* NULL when out of memory. */
static char *path_of(const struct loading *l, const char *relative)
{
	const char *root = l->source->root ? l->source->root : "/";
	size_t size = strlen(root);
	struct buf path = BUF_INIT;

	buf_puts(&path, root);
	if (size && root[size - 1] != '/')
		buf_putc(&path, '/');
	buf_puts(&path, relative);
	return buf_take(&path, NULL);
}

static bool override(struct loading *l, const char *section, const char *key, const char *value,
                     const char *origin)
{
	return !value || !config_set(l->settings->config, section, key, value, origin);
}

static bool read_agent_files(struct loading *l)
{
	const struct settings_source *source = l->source;
	struct config *config = l->settings->config;
	char *file = path_of(l, CONFIG_DIRECTORY "/agent.conf");
	char *directory = path_of(l, CONFIG_DIRECTORY "/conf.d");
	bool ok = file && directory;

	if (ok && source->config_file) {
		if (config_read_file(config, source->config_file, l->faults) == GOFER_NOTFOUND)
			config_fault(l->faults, source->config_file, 0, "there is no such file");
	} else if (ok) {
		config_read_file(config, file, l->faults);
	}
	if (ok)
		config_read_directory(config, directory, l->faults);
	ok = ok && override(l, "broker", "users", source->users, "--users") &&
		override(l, "broker", "cert", source->cert, "--cert") &&
		override(l, "broker", "key", source->key, "--key");
	free(file);
	free(directory);
	return ok;
}

static void fault_at(struct loading *l, const char *section, const char *key, const char *text)
{
	const char *file = "agent.conf";
	unsigned line = 0;

	config_where(l->settings->config, section, key, &file, &line);
	config_fault(l->faults, file, line, "[%s] %s: %s", section, key, text);
}

static bool check_level(void *arg, const char *key, const char *value)
{
	enum log_level level;

	if (log_level_parse(value, &level))
		fault_at(arg, "logging", key, "must be debug, info, warning or error");
	return true;
}

static const char *value_of(const struct config *c, const char *section, const char *key)
{
	const char *value = config_text(c, section, key);

	return value && *value ? value : NULL;
}

static void check_url(struct loading *l, const char *text, bool of_option)
{
	struct url url = {0};
	struct error error = ERROR_NONE;

	if (text && url_parse(&url, text, &error)) {
		if (of_option)
			config_fault(l->faults, "--url", 0, "%s", error.text);
		else
			fault_at(l, "messaging", "url", error.text);
	}
	url_release(&url);
}

static void add_listener(struct loading *l, const char *text, const char *origin, unsigned line)
{
	struct listen_settings *listen = &l->settings->listen;
	struct url *more = realloc(listen->urls, (listen->count + 1) * sizeof *more);
	struct error error = ERROR_NONE;

	if (!more) {
		l->out_of_memory = true;
		return;
	}
	listen->urls = more;
	memset(&more[listen->count], 0, sizeof *more);
	if (url_parse(&more[listen->count++], text, &error))
		config_fault(l->faults, origin, line, "%s", error.text);
}

/* "url, url": the configuration's way to name several. */
static void add_configured_listeners(struct loading *l)
{
	const char *text = value_of(l->settings->config, "broker", "listen"), *file = NULL;
	char *copy = text ? strdup(text) : NULL, *rest = NULL;
	unsigned line = 0;

	if (!text)
		return;
	if (!copy) {
		l->out_of_memory = true;
		return;
	}
	config_where(l->settings->config, "broker", "listen", &file, &line);
	for (char *one = strtok_r(copy, ", \t", &rest); one; one = strtok_r(NULL, ", \t", &rest))
		add_listener(l, one, file, line);
	free(copy);
}

static void take_listeners(struct loading *l)
{
	struct listen_settings *listen = &l->settings->listen;
	const struct config *c = l->settings->config;

	add_configured_listeners(l);
	for (size_t i = 0; i < l->source->listen_count; i++)
		add_listener(l, l->source->listen[i], "--listen", 0);
	listen->users = value_of(c, "broker", "users");
	listen->cert = value_of(c, "broker", "cert");
	listen->key = value_of(c, "broker", "key");
	listen->allow_anonymous = config_bool(c, "broker", "allow_anonymous");
	listen->queue_messages = (size_t)config_integer(c, "broker", "queue_messages");
	listen->queue_bytes = config_size(c, "broker", "queue_bytes");
	listen->message_bytes = config_size(c, "broker", "message_bytes");
	listen->connections = (size_t)config_integer(c, "broker", "connections");
	listen->idle_timeout_s = config_duration(c, "broker", "idle_timeout");
}

static void take_agent(struct loading *l)
{
	struct settings *s = l->settings;

	config_each(s->config, "logging", check_level, l);
	check_url(l, value_of(s->config, "messaging", "url"), false);
	check_url(l, l->source->url, true);
	schema_check_agent(s->config, l->notes);
	take_listeners(l);
	s->grace_s = config_duration(s->config, "main", "grace");
	s->body_max = config_size(s->config, "messaging", "max_body");
}

static bool load_agent(struct loading *l)
{
	size_t before = l->faults->count;

	l->settings->run = path_of(l, "run/gofer");
	l->settings->journal = path_of(l, "var/lib/gofer/journal");
	l->settings->config = config_new(schema_agent);
	if (!l->settings->run || !l->settings->journal || !l->settings->config ||
	    !read_agent_files(l)) {
		l->out_of_memory = true;
		return false;
	}
	config_check(l->settings->config, l->faults);
	if (l->faults->count == before)
		take_agent(l);
	return l->faults->count == before && !l->out_of_memory;
}

static int is_descriptor(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot &&
		(strcmp(dot, ".conf") == 0 || strcmp(dot, ".json") == 0);
}

static void check_name_is_free(struct loading *l, struct descriptor *d)
{
	for (const struct descriptor *other = l->settings->descriptors; other;
	     other = other->next) {
		if (d->enabled && other->enabled && strcmp(d->name, other->name) == 0) {
			descriptor_fault(d, l->faults, "main", "name",
			                 "[main] name: \"%s\" is taken by %s", d->name,
			                 other->origin);
			return;
		}
	}
}

static void attach(const struct settings *s, struct descriptor *d, const char *url,
                   struct config_faults *faults)
{
	if (d->enabled || d->faulty)
		descriptor_attach(d, s->config, url, s->running->urls, s->running->count, faults);
}

static void add_descriptor(struct loading *l, struct descriptor *d, const char *url)
{
	struct descriptor **end = &l->settings->descriptors;

	if (!d) {
		l->out_of_memory = true;
		return;
	}
	check_name_is_free(l, d);
	attach(l->settings, d, url, l->faults);
	while (*end)
		end = &(*end)->next;
	*end = d;
}

static void read_descriptor(struct loading *l, const char *directory, const char *name)
{
	const char *url = value_of(l->settings->config, "messaging", "url");
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%s", directory, name);
	add_descriptor(l, descriptor_read(buf_text(&path), l->source->table, l->faults, l->notes),
	               url);
	buf_release(&path);
}

static void load_descriptors(struct loading *l)
{
	char *directory = path_of(l, CONFIG_DIRECTORY "/plugins");
	struct dirent **names = NULL;
	int count = directory ? scandir(directory, &names, is_descriptor, alphasort) : -1;

	l->out_of_memory |= !directory;
	if (directory && count < 0 && errno != ENOENT)
		config_fault(l->faults, directory, 0, "%s", strerror(errno));
	for (int i = 0; i < count; i++) {
		read_descriptor(l, directory, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	free(directory);
}

/* Whoever names a plugin on the command line wants to reach it. */
static const char *url_of_options(const struct settings *s)
{
	if (!s->url && !s->running->count)
		return value_of(s->config, "messaging", "url");
	return s->url;
}

static bool load_options(struct loading *l)
{
	const char *url = url_of_options(l->settings);
	bool ok = true;

	for (size_t i = 0; i < l->source->plugins_count && !l->out_of_memory; i++) {
		struct descriptor *d =
			descriptor_of_option(l->source->plugins[i], l->source->table, l->faults);

		add_descriptor(l, d, url);
		if (d && d->enabled && !d->broker.attached)
			descriptor_fault(d, l->faults, "messaging", "url",
			                 "which broker? give --url or --listen, or [messaging] url "
			                 "in agent.conf");
		ok = ok && d && d->enabled;
	}
	return ok;
}

struct settings *settings_load(const struct settings_source *source, struct config_faults *faults,
                               struct config_faults *notes)
{
	struct settings *settings = calloc(1, sizeof *settings);
	struct loading l = {source, settings, faults, notes, !settings};
	bool ok = false;

	if (settings) {
		settings->table = source->table;
		settings->running = source->running ? source->running : &settings->listen;
		settings->url = source->url ? strdup(source->url) : NULL;
		l.out_of_memory = source->url && !settings->url;
		ok = load_agent(&l);
	}
	if (ok) {
		load_descriptors(&l);
		ok = load_options(&l);
	}
	if (l.out_of_memory)
		config_fault(faults, "agent.conf", 0, "out of memory");
	if (ok && !l.out_of_memory)
		return settings;
	settings_free(settings);
	return NULL;
}

struct descriptor *settings_read(const struct settings *settings, const char *origin,
                                 struct config_faults *faults, struct config_faults *notes)
{
	const char *option = descriptor_option(origin);
	struct descriptor *d = option ? descriptor_of_option(option, settings->table, faults)
				      : descriptor_read(origin, settings->table, faults, notes);

	if (d)
		attach(settings, d,
		       option ? url_of_options(settings)
		              : value_of(settings->config, "messaging", "url"),
		       faults);
	return d;
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	for (struct descriptor *next, *d = settings->descriptors; d; d = next) {
		next = d->next;
		descriptor_unref(d);
	}
	for (size_t i = 0; i < settings->listen.count; i++)
		url_release(&settings->listen.urls[i]);
	free(settings->listen.urls);
	config_free(settings->config);
	free(settings->url);
	free(settings->run);
	free(settings->journal);
	free(settings);
}

/* The Python system's packages begin with its own name: "gofer.agent" is our "agent". */
static const char *package_of(const char *key)
{
	if (strcmp(key, "gofer") == 0)
		return "";
	return strncmp(key, "gofer.", 6) == 0 ? key + 6 : key;
}

static bool apply_level(void *arg, const char *key, const char *value)
{
	enum log_level level;

	(void)arg;
	if (log_level_parse(value, &level) == GOFER_OK && log_level(package_of(key), level))
		log_warning("agent", "[logging] %s: too many packages, ignored", key);
	return true;
}

void settings_apply_logging(const struct settings *settings)
{
	config_each(settings->config, "logging", apply_level, NULL);
}
