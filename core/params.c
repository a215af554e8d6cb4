/* SPDX-License-Identifier: Apache-2.0 */
#include "core/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/literal.h"

enum param_kind {
	PARAM_POSITIONAL, /* by position or by keyword */
	PARAM_REST,       /* *rest */
	PARAM_KEYWORD,    /* behind a star: by keyword only */
	PARAM_MORE,       /* **more */
};

struct param {
	enum param_kind kind;
	char *name;
	struct cJSON *initial; /* NULL: none, it must be passed */
	char *initial_text;    /* as it was written */
};

struct params {
	struct param items[PARAMS_MAX];
	size_t count;
	size_t positional; /* how many of the items, the first ones, are positional */
	size_t defaults;   /* how many of those have a default */
	bool bare_star;
	bool rest, more;
};

/* --- parsing --- */

struct parser {
	const char *text, *at;
	struct params *list;
	struct error *error;
};

static bool fail(struct parser *p, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool fail(struct parser *p, const char *at, const char *format, ...)
{
	struct error what = ERROR_NONE;
	va_list ap;

	va_start(ap, format);
	error_vset(&what, GOFER_INVALID, format, ap);
	va_end(ap);
	error_set(p->error, GOFER_INVALID, "column %zu: %s", (size_t)(at - p->text) + 1, what.text);
	return false;
}

static bool no_memory(struct parser *p)
{
	error_set(p->error, GOFER_NOMEM, "out of memory");
	return false;
}

static void skip_space(struct parser *p)
{
	p->at += strspn(p->at, " \t\r\n");
}

/* How many bytes at `at` are a name; 0: none begins there. */
static size_t name_size(const char *at)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	return *at >= '0' && *at <= '9' ? 0 : strspn(at, letters);
}

static const struct param *find(const struct params *list, const char *name, size_t size)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct param *param = &list->items[i];
		if (strlen(param->name) == size && memcmp(param->name, name, size) == 0)
			return param;
	}
	return NULL;
}

static bool has_keyword_only(const struct params *list)
{
	return list->count > list->positional + list->rest + list->more;
}

/* Whether a parameter with `stars` may stand here, and which kind it is. */
static bool pick_kind(struct parser *p, const char *start, size_t stars, enum param_kind *kind)
{
	const struct params *list = p->list;

	if (list->more)
		return fail(p, start, "nothing may follow a parameter with two stars");
	if (stars == 1 && (list->rest || list->bare_star))
		return fail(p, start, "a second star; there may be one");
	if (stars == 0)
		*kind = list->rest || list->bare_star ? PARAM_KEYWORD : PARAM_POSITIONAL;
	else
		*kind = stars == 1 ? PARAM_REST : PARAM_MORE;
	return true;
}

static bool parse_default(struct parser *p, struct param *param)
{
	skip_space(p);
	if (*p->at != '=')
		return true;
	if (param->kind == PARAM_REST || param->kind == PARAM_MORE)
		return fail(p, p->at, "`%s` has stars and can't have a default", param->name);
	p->at++;
	skip_space(p);
	const char *start = p->at;
	struct error what = ERROR_NONE;
	param->initial = literal_parse(&p->at, &what);
	if (!param->initial && what.code == GOFER_NOMEM)
		return no_memory(p);
	if (!param->initial)
		return fail(p, p->at, "the default of `%s`: %s", param->name, what.text);
	param->initial_text = strndup(start, (size_t)(p->at - start));
	return param->initial_text ? true : no_memory(p);
}

static bool check_default(struct parser *p, const char *start, const struct param *param)
{
	struct params *list = p->list;

	if (param->kind != PARAM_POSITIONAL)
		return true;
	if (!param->initial && list->defaults)
		return fail(p, start, "`%s` has no default, but one before it has", param->name);
	list->positional++;
	list->defaults += param->initial != NULL;
	return true;
}

static bool parse_named(struct parser *p, const char *start, size_t stars, size_t size)
{
	struct params *list = p->list;
	struct param *param = &list->items[list->count];
	enum param_kind kind = PARAM_POSITIONAL;

	if (!pick_kind(p, start, stars, &kind))
		return false;
	if (find(list, p->at, size))
		return fail(p, p->at, "`%.*s` is there twice", (int)size, p->at);
	if (list->count == PARAMS_MAX)
		return fail(p, start, "too many parameters; at most %d are taken", PARAMS_MAX);
	param->kind = kind;
	param->name = strndup(p->at, size);
	if (!param->name)
		return no_memory(p);
	list->count++;
	list->rest |= kind == PARAM_REST;
	list->more |= kind == PARAM_MORE;
	p->at += size;
	return parse_default(p, param) && check_default(p, start, param);
}

static bool parse_bare_star(struct parser *p, const char *start)
{
	enum param_kind kind;

	if (!pick_kind(p, start, 1, &kind))
		return false;
	p->list->bare_star = true;
	return true;
}

static bool parse_one(struct parser *p)
{
	skip_space(p);
	const char *start = p->at;
	size_t stars = strspn(p->at, "*");
	if (stars > 2)
		return fail(p, start, "more than two stars");
	p->at += stars;
	skip_space(p);
	size_t size = name_size(p->at);
	if (size)
		return parse_named(p, start, stars, size);
	if (stars == 1 && (*p->at == ',' || !*p->at))
		return parse_bare_star(p, start);
	return fail(p, p->at, "the name of a parameter expected");
}

static bool parse_list(struct parser *p)
{
	skip_space(p);
	if (!*p->at)
		return true;
	for (;;) {
		if (!parse_one(p))
			return false;
		skip_space(p);
		if (!*p->at)
			break;
		if (*p->at != ',')
			return fail(p, p->at, "`,` expected between parameters");
		p->at++;
	}
	if (p->list->bare_star && !has_keyword_only(p->list))
		return fail(p, p->at, "a named parameter must follow the star that stands alone");
	return true;
}

struct params *params_parse(const char *text, struct error *error)
{
	struct parser p = {.text = text ? text : "", .error = error};

	p.at = p.text;
	p.list = calloc(1, sizeof(*p.list));
	if (!p.list) {
		no_memory(&p);
		return NULL;
	}
	if (parse_list(&p))
		return p.list;
	params_free(p.list);
	return NULL;
}

void params_free(struct params *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++) {
		free(p->items[i].name);
		free(p->items[i].initial_text);
		cJSON_Delete(p->items[i].initial);
	}
	free(p);
}

size_t params_count(const struct params *p)
{
	return p->count;
}

const char *params_name(const struct params *p, size_t i)
{
	return p->items[i].name;
}

enum gofer_err params_print(struct buf *out, const struct params *p, bool self)
{
	static const char *const stars[] = {
		[PARAM_POSITIONAL] = "",
		[PARAM_REST] = "*",
		[PARAM_KEYWORD] = "",
		[PARAM_MORE] = "**",
	};
	const char *comma = self && p->count ? ", " : "";

	if (self)
		buf_puts(out, "self");
	for (size_t i = 0; i < p->count; i++) {
		const struct param *param = &p->items[i];
		if (p->bare_star && i == p->positional) {
			buf_printf(out, "%s*", comma);
			comma = ", ";
		}
		buf_printf(out, "%s%s%s", comma, stars[param->kind], param->name);
		if (param->initial)
			buf_printf(out, "=%s", param->initial_text);
		comma = ", ";
	}
	return buf_ok(out) ? GOFER_OK : GOFER_NOMEM;
}

/* --- binding --- */

/* Arguments on their way to parameters. Checked in CPython's order: keywords as they come, then too
 * many positional ones, then missing ones, positional before keyword-only. */
struct binding {
	const struct params *list;
	const char *qualname;
	bool self;
	struct error *error;
	const struct cJSON
		*values[PARAMS_MAX]; /* passed for the parameter of that index, or NULL */
	const struct cJSON *rest;    /* the first argument beyond the positional ones */
	size_t given;                /* how many positional arguments, without self */
	struct cJSON *more;          /* the object of **more; owned until it is bound */
};

static void take_positional(struct binding *b, const struct cJSON *args)
{
	const struct cJSON *arg = args ? args->child : NULL;

	for (; arg; arg = arg->next, b->given++) {
		if (b->given < b->list->positional)
			b->values[b->given] = arg;
		else if (!b->rest)
			b->rest = arg;
	}
}

static enum gofer_err add_copy(struct cJSON *object, const char *name, const struct cJSON *value)
{
	struct cJSON *copy = json_copy(value);

	if (copy && cJSON_AddItemToObject(object, name, copy))
		return GOFER_OK;
	cJSON_Delete(copy);
	return GOFER_NOMEM;
}

static enum gofer_err take_keyword(struct binding *b, const struct cJSON *kw)
{
	const char *name = kw->string;
	const struct param *param = find(b->list, name, strlen(name));

	if (param && (param->kind == PARAM_POSITIONAL || param->kind == PARAM_KEYWORD)) {
		size_t i = (size_t)(param - b->list->items);
		/* What a keyword has set before is the same key again in the JSON: the last counts. */
		if (param->kind == PARAM_KEYWORD || i >= b->given) {
			b->values[i] = kw;
			return GOFER_OK;
		}
	} else if (!b->self || strcmp(name, "self")) {
		if (b->more)
			return add_copy(b->more, name, kw);
		return error_set(b->error, GOFER_INVALID,
		                 "%s() got an unexpected keyword argument '%s'", b->qualname, name);
	}
	return error_set(b->error, GOFER_INVALID, "%s() got multiple values for argument '%s'",
	                 b->qualname, name);
}

static enum gofer_err take_keywords(struct binding *b, const struct cJSON *kws)
{
	if (b->list->more && !(b->more = cJSON_CreateObject()))
		return GOFER_NOMEM;
	for (const struct cJSON *kw = kws ? kws->child : NULL; kw; kw = kw->next) {
		enum gofer_err err = take_keyword(b, kw);
		if (err)
			return err;
	}
	return GOFER_OK;
}

static size_t keyword_only_given(const struct binding *b)
{
	size_t count = 0;

	for (size_t i = b->list->positional; i < b->list->count; i++)
		count += b->values[i] != NULL;
	return count;
}

static enum gofer_err check_too_many(const struct binding *b)
{
	size_t self = b->self, most = b->list->positional + self, given = b->given + self;
	size_t least = most - b->list->defaults, keywords = keyword_only_given(b);
	char takes[64], also[96] = "";

	if (given <= most || b->list->rest)
		return GOFER_OK;
	if (b->list->defaults)
		snprintf(takes, sizeof(takes), "from %zu to %zu", least, most);
	else
		snprintf(takes, sizeof(takes), "%zu", most);
	if (keywords)
		snprintf(also, sizeof(also),
		         " positional argument%s (and %zu keyword-only argument%s)",
		         given == 1 ? "" : "s", keywords, keywords == 1 ? "" : "s");
	return error_set(b->error, GOFER_INVALID,
	                 "%s() takes %s positional argument%s but %zu%s %s given", b->qualname,
	                 takes, most == 1 && !b->list->defaults ? "" : "s", given, also,
	                 given == 1 && !keywords ? "was" : "were");
}

static bool is_missing(const struct binding *b, size_t i, enum param_kind kind)
{
	const struct param *param = &b->list->items[i];

	return param->kind == kind && !param->initial && !b->values[i];
}

static void print_missing(struct buf *out, const struct binding *b, enum param_kind kind,
                          size_t count)
{
	size_t printed = 0;

	for (size_t i = 0; i < b->list->count; i++) {
		if (!is_missing(b, i, kind))
			continue;
		if (printed)
			buf_puts(out,
			         count == 2                     ? " and "
			                 : printed + 1 == count ? ", and "
			                                        : ", ");
		buf_printf(out, "'%s'", b->list->items[i].name);
		printed++;
	}
}

static enum gofer_err check_missing(const struct binding *b, enum param_kind kind)
{
	struct buf names = BUF_INIT;
	size_t count = 0;

	for (size_t i = 0; i < b->list->count; i++)
		count += is_missing(b, i, kind);
	if (!count)
		return GOFER_OK;
	print_missing(&names, b, kind, count);
	enum gofer_err err = buf_ok(&names) ? GOFER_INVALID : GOFER_NOMEM;
	error_set(b->error, err, "%s() missing %zu required %s argument%s: %s", b->qualname, count,
	          kind == PARAM_POSITIONAL ? "positional" : "keyword-only", count == 1 ? "" : "s",
	          buf_text(&names));
	buf_release(&names);
	return err;
}

/* A new array of `first` and what follows it. */
static struct cJSON *copy_rest(const struct cJSON *first)
{
	struct cJSON *array = cJSON_CreateArray();

	for (; array && first; first = first->next) {
		struct cJSON *copy = json_copy(first);
		if (copy && cJSON_AddItemToArray(array, copy))
			continue;
		cJSON_Delete(copy);
		cJSON_Delete(array);
		return NULL;
	}
	return array;
}

static struct cJSON *bound_value(struct binding *b, size_t i)
{
	const struct param *param = &b->list->items[i];
	struct cJSON *more = b->more;

	switch (param->kind) {
	case PARAM_REST: return copy_rest(b->rest);
	case PARAM_MORE: b->more = NULL; return more;
	default: return json_copy(b->values[i] ? b->values[i] : param->initial);
	}
}

static enum gofer_err build(struct binding *b, struct cJSON **bound)
{
	struct cJSON *object = cJSON_CreateObject();

	for (size_t i = 0; object && i < b->list->count; i++) {
		struct cJSON *value = bound_value(b, i);
		if (value && cJSON_AddItemToObject(object, b->list->items[i].name, value))
			continue;
		cJSON_Delete(value);
		cJSON_Delete(object);
		object = NULL;
	}
	*bound = object;
	return object ? GOFER_OK : GOFER_NOMEM;
}

enum gofer_err params_bind(const struct params *p, const char *qualname, bool self,
                           const struct cJSON *args, const struct cJSON *kws, struct cJSON **bound,
                           struct error *error)
{
	struct binding b = {.list = p, .qualname = qualname, .self = self, .error = error};

	*bound = NULL;
	take_positional(&b, args);
	enum gofer_err err = take_keywords(&b, kws);
	if (!err)
		err = check_too_many(&b);
	if (!err)
		err = check_missing(&b, PARAM_POSITIONAL);
	if (!err)
		err = check_missing(&b, PARAM_KEYWORD);
	if (!err)
		err = build(&b, bound);
	if (err == GOFER_NOMEM)
		error_set(error, err, "out of memory");
	cJSON_Delete(b.more);
	return err;
}
