/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

struct reading {
	struct config *config;
	struct config_faults *faults;
	const struct buf *text;
	size_t faults_before;
};

static enum gofer_err no_memory(const struct reading *r)
{
	config_fault(r->faults, r->config->file, 0, "out of memory");
	return GOFER_NOMEM;
}

/* Whether there are so many faults that it's enough. */
static bool is_hopeless(const struct reading *r)
{
	return r->faults->count - r->faults_before >= CONFIG_FAULTS_MAX;
}

static unsigned line_of(const struct reading *r, const char *at)
{
	unsigned line = 1;

	for (const char *p = r->text->data; p < at; p++)
		line += *p == '\n';
	return line;
}

/* A value as text; NULL: out of memory. */
static char *value_text(const struct cJSON *value)
{
	return cJSON_IsString(value) ? strdup(value->valuestring) : json_text(value);
}

static enum gofer_err take_value(const struct reading *r, const char *section,
                                 const struct cJSON *value, unsigned line)
{
	bool container = cJSON_IsArray(value) || cJSON_IsObject(value);
	const char *key = value->string;

	if (cJSON_IsNull(value))
		return config_put(r->config, section, key, NULL, line, r->faults);
	if (container && config_knows_section(r->config->schema, section)) {
		config_fault(r->faults, r->config->file, line,
		             "[%s] %s: must be text, a number, true, false or null; found %s",
		             section, key, json_type_name(value));
		return GOFER_OK;
	}
	if (cJSON_IsString(value) && !json_string_is_plain(value)) {
		config_fault(r->faults, r->config->file, line,
		             "[%s] %s: must be text without \\u0000 and lone surrogates", section,
		             key);
		return GOFER_OK;
	}
	char *text = value_text(value);
	enum gofer_err err =
		text ? config_put(r->config, section, key, text, line, r->faults) : no_memory(r);
	free(text);
	return err;
}

/* `where` is the text of the section's object. */
static enum gofer_err take_section(const struct reading *r, const struct cJSON *section,
                                   struct slice where)
{
	unsigned line = line_of(r, where.data);
	enum gofer_err err = config_put_section(r->config, section->string, line, r->faults);
	struct slice place;

	for (const struct cJSON *value = section->child; value && !err && !is_hopeless(r);
	     value = value->next) {
		if (json_member_text(where.data, where.size, value->string, &place))
			line = line_of(r, place.data);
		err = take_value(r, section->string, value, line);
	}
	return err;
}

static enum gofer_err take_root(const struct reading *r, const struct cJSON *root)
{
	enum gofer_err err = GOFER_OK;
	struct slice place = {r->text->data, r->text->size};

	for (const struct cJSON *section = root->child; section && !err && !is_hopeless(r);
	     section = section->next) {
		json_member_text(r->text->data, r->text->size, section->string, &place);
		if (cJSON_IsObject(section))
			err = take_section(r, section, place);
		else
			config_fault(r->faults, r->config->file, line_of(r, place.data),
			             "[%s]: must be an object, {\"key\": value}; found %s",
			             section->string, json_type_name(section));
	}
	return err;
}

/* "line 3 column 7: what", with the line where faults have it. */
static void fault_of_syntax(const struct reading *r, const struct error *error)
{
	unsigned line = 0;
	int skip = 0;

	if (sscanf(error->text, "line %u %n", &line, &skip) < 1 || !skip)
		line = 0;
	config_fault(r->faults, r->config->file, line, "%s", error->text + (line ? skip : 0));
}

enum gofer_err config_read_json(struct config *c, const struct buf *text,
                                struct config_faults *faults)
{
	struct reading r = {.config = c,
	                    .faults = faults,
	                    .text = text,
	                    .faults_before = faults->count};
	struct error error = ERROR_NONE;
	struct cJSON *root = json_parse(buf_text(text), text->size, &error);
	enum gofer_err err = GOFER_OK;

	if (!root && error.code == GOFER_NOMEM)
		err = no_memory(&r);
	else if (!root)
		fault_of_syntax(&r, &error);
	else if (!cJSON_IsObject(root))
		config_fault(faults, c->file, 1,
		             "must be an object, {\"section\": {\"key\": value}}; found %s",
		             json_type_name(root));
	else
		err = take_root(&r, root);
	cJSON_Delete(root);
	return err;
}
