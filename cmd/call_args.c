/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/call_args.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/utf8.h"

#define FILE_MAX_BYTES (64u << 20)

static enum gofer_err no_memory(struct error *error)
{
	return error_set(error, GOFER_NOMEM, "out of memory");
}

/* --- text -------------------------------------------------------------------------------- */

/* A string value; a NUL becomes what core/json.h says that it is held as. */
static enum gofer_err make_string(const char *text, size_t size, const char *what,
                                  struct cJSON **value, struct error *error)
{
	struct buf held = BUF_INIT;

	for (size_t i = 0; i < size;) {
		uint32_t code;
		size_t n = utf8_decode(text + i, size - i, &code);

		if (code == UTF8_INVALID) {
			buf_release(&held);
			return error_set(error, GOFER_INVALID, "%s: no UTF-8 at byte %zu", what, i);
		}
		if (text[i])
			buf_append(&held, text + i, n);
		else
			buf_append(&held, "\xc0\x80", 2);
		i += n;
	}
	*value = buf_ok(&held) ? cJSON_CreateString(buf_text(&held)) : NULL;
	buf_release(&held);
	return *value ? GOFER_OK : no_memory(error);
}

static enum gofer_err read_all(int fd, const char *path, struct buf *text, struct error *error)
{
	for (;;) {
		char *room = buf_reserve(text, 65536);
		ssize_t n;

		if (!room)
			return no_memory(error);
		n = read(fd, room, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(error, GOFER_INVALID, errno, "%s", path);
		if (n == 0)
			return GOFER_OK;
		buf_added(text, (size_t)n);
		if (text->size > FILE_MAX_BYTES)
			return error_set(error, GOFER_INVALID, "%s: more than %u bytes", path,
			                 FILE_MAX_BYTES);
	}
}

enum gofer_err call_args_read_file(const char *path, char **text, size_t *size, struct error *error)
{
	bool standard = !strcmp(path, "-");
	struct buf content = BUF_INIT;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	enum gofer_err err;

	if (fd < 0)
		return error_errno(error, GOFER_INVALID, errno, "%s", path);
	err = read_all(fd, standard ? "standard input" : path, &content, error);
	if (!standard)
		close(fd);
	buf_putc(&content, '\0');
	if (!err && !buf_ok(&content))
		err = no_memory(error);
	if (!err) {
		*text = buf_take(&content, size);
		*size -= 1;
	}
	buf_release(&content);
	return err;
}

/* --- values ------------------------------------------------------------------------------ */

/* As JSON writes one, so that no digit is lost: "007" and "+5" are strings. */
static bool is_whole_number(const char *text)
{
	if (*text == '-')
		text++;
	if (!isdigit((unsigned char)*text) || (*text == '0' && text[1]))
		return false;
	return strspn(text, "0123456789") == strlen(text);
}

static const char *named_file(const char *text)
{
	if (!strcmp(text, "-"))
		return text;
	return *text == '@' ? text + 1 : NULL;
}

static enum gofer_err make_value(const char *text, struct cJSON **value, struct error *error)
{
	const char *path = named_file(text);
	char *content = NULL;
	size_t size;
	enum gofer_err err;

	if (is_whole_number(text)) {
		*value = json_number_from_text(text);
		return *value ? GOFER_OK : no_memory(error);
	}
	if (!path)
		return make_string(text, strlen(text), "argument", value, error);
	err = call_args_read_file(path, &content, &size, error);
	if (!err)
		err = make_string(content, size, path, value, error);
	free(content);
	return err;
}

static enum gofer_err make_json(const char *text, struct cJSON **value, struct error *error)
{
	const char *path = named_file(text);
	char *content = NULL;
	size_t size = strlen(text);
	enum gofer_err err = GOFER_OK;

	if (path)
		err = call_args_read_file(path, &content, &size, error);
	if (err)
		return err;
	*value = json_parse(content ? content : text, size, error);
	free(content);
	return *value ? GOFER_OK : error_prefix(error, "no JSON");
}

/* --- words ------------------------------------------------------------------------------- */

static size_t name_size(const char *text)
{
	size_t n = 0;

	if (!isalpha((unsigned char)*text) && *text != '_')
		return 0;
	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return n;
}

static enum gofer_err add_keyword(struct call_args *args, const char *word, size_t size,
                                  struct cJSON *value, struct error *error)
{
	char *name = strndup(word, size);
	enum gofer_err err = GOFER_OK;

	if (!name)
		err = no_memory(error);
	else if (json_get(args->kws, name))
		err = error_set(error, GOFER_INVALID, "\"%s\" is given twice", name);
	else if (!cJSON_AddItemToObject(args->kws, name, value))
		err = no_memory(error);
	if (err)
		cJSON_Delete(value);
	free(name);
	return err;
}

static enum gofer_err add_word(struct call_args *args, const char *word, struct error *error)
{
	size_t size = name_size(word);
	struct cJSON *value = NULL;
	bool json = !strncmp(word + size, ":=", 2);
	bool keyword = size && (json || word[size] == '=');
	enum gofer_err err;

	if (json)
		err = make_json(word + size + 2, &value, error);
	else
		err = make_value(keyword ? word + size + 1 : word, &value, error);
	if (err)
		return strcmp(word, "-") ? error_prefix(error, "%.60s", word) : err;
	if (keyword)
		return add_keyword(args, word, size, value, error);
	if (!cJSON_AddItemToArray(args->args, value)) {
		cJSON_Delete(value);
		return no_memory(error);
	}
	return GOFER_OK;
}

enum gofer_err call_args_words(struct call_args *args, int argc, char **argv, struct error *error)
{
	cJSON_Delete(args->args);
	cJSON_Delete(args->kws);
	args->args = cJSON_CreateArray();
	args->kws = cJSON_CreateObject();
	if (!args->args || !args->kws)
		return no_memory(error);
	for (int i = 0; i < argc; i++) {
		enum gofer_err err = add_word(args, argv[i], error);

		if (err)
			return err;
	}
	return GOFER_OK;
}

/* --- the rest ---------------------------------------------------------------------------- */

enum gofer_err call_args_target(struct call_args *args, const char *text, struct error *error)
{
	const char *dot = strchr(text, '.');
	char *classname, *method;

	if (!dot || dot == text || !dot[1])
		return error_set(error, GOFER_INVALID,
		                 "\"%.80s\" is no CLASS.METHOD (or PLUGIN.FUNCTION)", text);
	classname = strndup(text, (size_t)(dot - text));
	method = strdup(dot + 1);
	if (!classname || !method) {
		free(classname);
		free(method);
		return no_memory(error);
	}
	free(args->classname);
	free(args->method);
	args->classname = classname;
	args->method = method;
	return GOFER_OK;
}

bool call_args_is_target(const char *text)
{
	const char *dot = strchr(text, '.');

	return dot && dot != text && dot[1] && !strpbrk(dot + 1, "./") && !strpbrk(text, "/ =@");
}

static enum gofer_err parse_pair(const char *json, struct cJSON **args, struct cJSON **kws,
                                 struct error *error)
{
	struct cJSON *pair = json_parse(json, strlen(json), error);

	if (!pair)
		return error_prefix(error, "no JSON");
	if (!cJSON_IsArray(pair) || cJSON_GetArraySize(pair) != 2 || !cJSON_IsArray(pair->child) ||
	    !cJSON_IsObject(pair->child->next)) {
		cJSON_Delete(pair);
		return error_set(error, GOFER_INVALID,
		                 "not of the form [[ARGUMENT...], {\"NAME\": VALUE...}]");
	}
	cJSON_Delete(*args);
	cJSON_Delete(*kws);
	*args = cJSON_DetachItemFromArray(pair, 0);
	*kws = cJSON_DetachItemFromArray(pair, 0);
	cJSON_Delete(pair);
	return GOFER_OK;
}

enum gofer_err call_args_input(struct call_args *args, const char *json, struct error *error)
{
	return parse_pair(json, &args->args, &args->kws, error);
}

enum gofer_err call_args_cntr(struct call_args *args, const char *json, struct error *error)
{
	return parse_pair(json, &args->cntr_args, &args->cntr_kws, error);
}

void call_args_release(struct call_args *args)
{
	free(args->classname);
	free(args->method);
	cJSON_Delete(args->args);
	cJSON_Delete(args->kws);
	cJSON_Delete(args->cntr_args);
	cJSON_Delete(args->cntr_kws);
	*args = (struct call_args)CALL_ARGS_INIT;
}
