/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/client_conf.h"

#include <stdlib.h>
#include <string.h>

#include "core/nearest.h"

#define SYSTEM_FILE "/etc/gofer/client.conf"
#define SECTION "call"

static const struct config_property schema[] = {
	{.section = SECTION, .key = "*", .kind = CONFIG_TEXT, .help = "an option's default"},
	{.section = NULL},
};

struct check {
	const struct option_spec *specs;
	const struct config *config;
	struct config_faults *faults;
};

static bool is_wanted(const struct option_spec *specs)
{
	while (specs->kind != OPTION_END && !specs->config)
		specs++;
	return specs->kind != OPTION_END;
}

static bool is_key(const struct option_spec *specs, const char *key)
{
	while (specs->kind != OPTION_END && (!specs->config || strcmp(specs->config, key)))
		specs++;
	return specs->kind != OPTION_END;
}

static const char *nearest_key(const struct option_spec *specs, const char *key)
{
	const char *names[OPTIONS_MAX + 1];
	size_t count = 0;

	for (; specs->kind != OPTION_END && count < OPTIONS_MAX; specs++) {
		if (specs->config)
			names[count++] = specs->config;
	}
	names[count] = NULL;
	return nearest(key, names);
}

static bool check_key(void *arg, const char *key, const char *value)
{
	const struct check *c = arg;
	const char *file = NULL, *near;
	unsigned line = 0;

	(void)value;
	if (is_key(c->specs, key))
		return true;
	near = nearest_key(c->specs, key);
	config_where(c->config, SECTION, key, &file, &line);
	config_fault(c->faults, file ? file : "client.conf", line,
	             "unknown key \"%s\" in [%s]%s%s%s", key, SECTION,
	             near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return true;
}

static void read_own(struct config *config, struct config_faults *faults)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	struct buf path = BUF_INIT;

	if (base && *base)
		buf_puts(&path, base);
	else if (home && *home)
		buf_printf(&path, "%s/.config", home);
	if (path.size) {
		buf_puts(&path, "/gofer/client.conf");
		config_read_file(config, buf_text(&path), faults);
	}
	buf_release(&path);
}

struct config *client_conf_read(const struct option_spec *specs, struct config_faults *faults)
{
	struct config *config;

	if (!is_wanted(specs))
		return NULL;
	config = config_new(schema);
	if (!config) {
		config_fault(faults, "client.conf", 0, "out of memory");
		return NULL;
	}
	config_read_file(config, SYSTEM_FILE, faults);
	read_own(config, faults);
	config_each(config, SECTION, check_key,
	            &(struct check){.specs = specs, .config = config, .faults = faults});
	return config;
}
