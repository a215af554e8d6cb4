/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/schema.h"
#include "amqp/url.h"
#include "cmd/admin.h"
#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "cmd/people.h"
#include "core/config.h"
#include "core/json.h"

#define DIRECTORY "etc/gofer"
#define SEPARATORS ", \t"

/* One listing in the making. */
struct listing {
	const struct config *config;
	bool json;
	struct buf out;
	const char *section; /* the last one that was begun */
	bool first;          /* no key of it was told yet */
};

/* --- values ------------------------------------------------------------------------------ */

/* Urls, without the users and passwords in them. */
static void put_urls(struct buf *out, const char *text)
{
	char *copy = strdup(text), *rest = NULL;
	bool first = true;

	out->failed |= !copy;
	for (char *one = copy ? strtok_r(copy, SEPARATORS, &rest) : NULL; one;
	     one = strtok_r(NULL, SEPARATORS, &rest)) {
		struct url url = {0};

		buf_puts(out, first ? "" : ", ");
		if (url_parse(&url, one, NULL))
			buf_puts(out, "(no url)");
		else
			url_print(out, &url);
		url_release(&url);
		first = false;
	}
	free(copy);
}

static void put_value(struct buf *out, const char *key, const char *value)
{
	if (!strcmp(key, "url") || !strcmp(key, "listen"))
		put_urls(out, value);
	else
		buf_puts(out, value);
}

/* --- one key ----------------------------------------------------------------------------- */

static void begin_section(struct listing *l, const char *section)
{
	if (l->section && !strcmp(l->section, section))
		return;
	if (l->json)
		buf_printf(&l->out, "%s\"%s\": {", l->section ? "}, " : "", section);
	else
		buf_printf(&l->out, "%s[%s]\n", l->section ? "\n" : "", section);
	l->section = section;
	l->first = true;
}

static void put_json_string(struct buf *out, const char *text)
{
	json_print_string(out, text, strlen(text));
}

static void put_json(struct listing *l, const char *key, const char *value, const char *origin)
{
	buf_puts(&l->out, l->first ? "" : ", ");
	put_json_string(&l->out, key);
	buf_puts(&l->out, ": {\"origin\": ");
	put_json_string(&l->out, origin);
	buf_puts(&l->out, ", \"value\": ");
	if (value)
		put_json_string(&l->out, value);
	else
		buf_puts(&l->out, "null");
	buf_putc(&l->out, '}');
}

/* As a file that may be read again: a default is a comment, further lines of a value are indented. */
static void put_ini(struct listing *l, const char *key, const char *value, const char *origin,
                    bool given)
{
	if (given)
		buf_printf(&l->out, "# %s\n", origin);
	buf_printf(&l->out, "%s%s =%s", given ? "" : "#", key, value && *value ? " " : "");
	for (const char *at = value ? value : ""; *at;) {
		size_t size = strcspn(at, "\n");

		people_text(&l->out, at, size);
		at += size + (at[size] == '\n');
		buf_puts(&l->out, *at ? given ? "\n\t" : "\n#\t" : "");
	}
	buf_putc(&l->out, '\n');
}

static void put_key(struct listing *l, const char *section, const char *key, const char *value)
{
	struct buf shown = BUF_INIT, origin = BUF_INIT;
	const char *file = NULL;
	unsigned line = 0;
	bool given = config_where(l->config, section, key, &file, &line);

	if (value)
		put_value(&shown, key, value);
	if (!given)
		buf_puts(&origin, "default");
	else if (line)
		buf_printf(&origin, "%s:%u", file, line);
	else
		buf_puts(&origin, file);
	begin_section(l, section);
	if (l->json)
		put_json(l, key, value ? buf_text(&shown) : NULL, buf_text(&origin));
	else
		put_ini(l, key, buf_text(&shown), buf_text(&origin), given);
	l->first = false;
	l->out.failed |= !buf_ok(&shown) || !buf_ok(&origin);
	buf_release(&shown);
	buf_release(&origin);
}

/* --- all keys ---------------------------------------------------------------------------- */

static bool on_key(void *context, const char *key, const char *value)
{
	struct listing *l = context;

	put_key(l, l->section, key, value);
	return true;
}

static void put_all(struct listing *l, const struct config_property *schema)
{
	for (const struct config_property *p = schema; p->section; p++) {
		if (strcmp(p->key, "*") != 0) {
			put_key(l, p->section, p->key, config_text(l->config, p->section, p->key));
			continue;
		}
		begin_section(l, p->section);
		config_each(l->config, p->section, on_key, l);
	}
}

static int print(const struct config *c, const struct config_property *schema, bool json)
{
	struct listing l = {.config = c, .json = json, .out = BUF_INIT, .first = true};

	if (json)
		buf_putc(&l.out, '{');
	put_all(&l, schema);
	if (json)
		buf_puts(&l.out, l.section ? "}}\n" : "}\n");
	output_take(&l.out);
	return EXIT_CODE_OK;
}

/* --- files ------------------------------------------------------------------------------- */

/* To be freed. */
static char *path_of(const char *root, const char *directory, const char *name, const char *ending)
{
	size_t size = strlen(root);
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s%s" DIRECTORY "%s%s%s", root, size && root[size - 1] == '/' ? "" : "/",
	           directory, name, ending);
	return buf_take(&path, NULL);
}

static void read_agent(struct config *c, const char *root, struct config_faults *faults)
{
	char *file = path_of(root, "/", "agent", ".conf");
	char *directory = path_of(root, "/", "conf.d", "");

	if (file && directory) {
		config_read_file(c, file, faults);
		config_read_directory(c, directory, faults);
	} else {
		config_fault(faults, NULL, 0, "out of memory");
	}
	free(file);
	free(directory);
}

static void read_plugin(struct config *c, const char *root, const char *name,
                        struct config_faults *faults)
{
	static const char *const endings[] = {".conf", ".json"};
	enum gofer_err rc = GOFER_NOTFOUND;

	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings) && rc == GOFER_NOTFOUND; i++) {
		char *file = path_of(root, "/plugins/", name, endings[i]);

		rc = file ? config_read_file(c, file, faults) : GOFER_NOMEM;
		free(file);
	}
	if (rc == GOFER_NOTFOUND) {
		char *directory = path_of(root, "/plugins", "", "");

		config_fault(faults, directory, 0, "there is no %s.conf and no %s.json", name,
		             name);
		free(directory);
	}
}

int admin_config(const struct admin_options *o, const char *name)
{
	const struct config_property *schema = name ? schema_plugin : schema_agent;
	struct config_faults faults = {.text = BUF_INIT, .count = 0};
	struct config *c = config_new(schema);
	int code = EXIT_CODE_USAGE;

	if (!c)
		config_fault(&faults, NULL, 0, "out of memory");
	else if (name)
		read_plugin(c, o->root, name, &faults);
	else
		read_agent(c, o->root, &faults);
	if (c && !faults.count)
		config_check(c, &faults);
	if (faults.count)
		fputs(buf_text(&faults.text), stderr);
	else
		code = print(c, schema, o->json);
	config_free(c);
	config_faults_release(&faults);
	return code;
}
