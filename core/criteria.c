/* SPDX-License-Identifier: Apache-2.0 */
#include "core/criteria.h"

#include <stdlib.h>
#include <string.h>

#include "core/nearest.h"

#define OPERATORS_MAX 8

/* Where in the criteria something stands; on the stack of who reads there. */
struct place {
	const struct place *in; /* NULL: the whole */
	const char *name;
	int item; /* of `and` and `or`; -1: none */
	unsigned depth;
};

struct criteria {
	const struct operation *op;
	const struct cJSON *operand; /* in the copy */
	struct criteria *both[2];    /* of `and` and `or` */
	struct cJSON *copy;          /* of all; owned by the outermost */
};

struct operation {
	const char *name;
	const char *operands; /* what it takes, for people; NULL: anything */
	bool (*takes)(const struct cJSON *operand);
	bool (*match)(const struct criteria *c, const struct cJSON *data);
	bool is_nested;
};

/* --- comparing ------------------------------------------------------------------------ */

enum order { BELOW, EQUAL, ABOVE, DIFFERENT /* and in no order */ };

static enum order compare(const struct cJSON *a, const struct cJSON *b);

static enum order order_of(int difference)
{
	return difference < 0 ? BELOW : difference > 0 ? ABOVE : EQUAL;
}

/* The type, but that truth values are numbers. */
static int type_of(const struct cJSON *value)
{
	int type = value ? value->type & 0xFF : cJSON_NULL;

	return type == cJSON_True || type == cJSON_False ? cJSON_Number : type;
}

static struct cJSON number_of(const struct cJSON *value)
{
	struct cJSON truth = {.type = cJSON_Number, .valuedouble = cJSON_IsTrue(value)};

	return cJSON_IsBool(value) ? truth : *value;
}

static enum order compare_numbers(const struct cJSON *a, const struct cJSON *b)
{
	struct cJSON left = number_of(a), right = number_of(b);

	return order_of(json_compare_numbers(&left, &right));
}

/* NUL, which is held as C0 80, comes before all other characters, and behind the end. */
static int rank(char c)
{
	return (unsigned char)c == 0xC0 ? 1 : c ? (unsigned char)c + 1 : 0;
}

static int compare_texts(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return rank(*a) - rank(*b);
}

static enum order compare_arrays(const struct cJSON *a, const struct cJSON *b)
{
	const struct cJSON *x = a->child, *y = b->child;

	for (; x && y; x = x->next, y = y->next) {
		enum order order = compare(x, y);
		if (order != EQUAL)
			return order;
	}
	return order_of((x != NULL) - (y != NULL));
}

static enum order compare_objects(const struct cJSON *a, const struct cJSON *b)
{
	const struct cJSON *x = a->child, *y = b->child;

	for (; x && y; x = x->next, y = y->next)
		if (compare_texts(x->string, y->string) || compare(x, y) != EQUAL)
			return DIFFERENT;
	return x || y ? DIFFERENT : EQUAL;
}

static enum order compare(const struct cJSON *a, const struct cJSON *b)
{
	int type = type_of(a);

	if (type != type_of(b))
		return DIFFERENT;
	switch (type) {
	case cJSON_Number: return compare_numbers(a, b);
	case cJSON_String: return order_of(compare_texts(a->valuestring, b->valuestring));
	case cJSON_Array: return compare_arrays(a, b);
	case cJSON_Object: return compare_objects(a, b);
	default: return EQUAL;
	}
}

/* --- operators ------------------------------------------------------------------------ */

/* Both in the order of their keys. */
static bool match_members(const struct criteria *c, const struct cJSON *data)
{
	const struct cJSON *own = c->operand->child;
	const struct cJSON *given = cJSON_IsObject(data) ? data->child : NULL;

	if (!own || !given)
		return false;
	while (own && given) {
		int order = compare_texts(own->string, given->string);
		if (order == 0 && compare(own, given) != EQUAL)
			return false;
		own = order <= 0 ? own->next : own;
		given = order >= 0 ? given->next : given;
	}
	return true;
}

static bool match_equal(const struct criteria *c, const struct cJSON *data)
{
	return compare(data, c->operand) == EQUAL;
}

static bool match_other(const struct criteria *c, const struct cJSON *data)
{
	return compare(data, c->operand) != EQUAL;
}

static bool match_above(const struct criteria *c, const struct cJSON *data)
{
	return compare(data, c->operand) == ABOVE;
}

static bool match_below(const struct criteria *c, const struct cJSON *data)
{
	return compare(data, c->operand) == BELOW;
}

static bool match_in(const struct criteria *c, const struct cJSON *data)
{
	const char *text = json_string(data);

	if (cJSON_IsString(c->operand))
		return text && strstr(c->operand->valuestring, text);
	if (cJSON_IsObject(c->operand))
		return text && json_get(c->operand, text);
	for (const struct cJSON *item = c->operand->child; item; item = item->next)
		if (compare(data, item) == EQUAL)
			return true;
	return false;
}

static bool match_and(const struct criteria *c, const struct cJSON *data)
{
	return criteria_match(c->both[0], data) && criteria_match(c->both[1], data);
}

static bool match_or(const struct criteria *c, const struct cJSON *data)
{
	return criteria_match(c->both[0], data) || criteria_match(c->both[1], data);
}

static bool is_object(const struct cJSON *operand)
{
	return cJSON_IsObject(operand);
}

static bool has_order(const struct cJSON *operand)
{
	int type = type_of(operand);

	return type == cJSON_Number || type == cJSON_String || type == cJSON_Array;
}

static bool has_parts(const struct cJSON *operand)
{
	return cJSON_IsArray(operand) || cJSON_IsString(operand) || cJSON_IsObject(operand);
}

static bool is_pair(const struct cJSON *operand)
{
	return cJSON_IsArray(operand) && cJSON_GetArraySize(operand) == 2;
}

static const char ordered[] = "a number, a str or a list", pair[] = "a list of two criteria";

static const struct operation operators[OPERATORS_MAX] = {
	{"match", "a dict", is_object, match_members, false},
	{"eq", NULL, NULL, match_equal, false},
	{"neq", NULL, NULL, match_other, false},
	{"in", "a list, a str or a dict", has_parts, match_in, false},
	{"gt", ordered, has_order, match_above, false},
	{"lt", ordered, has_order, match_below, false},
	{"and", pair, is_pair, match_and, true},
	{"or", pair, is_pair, match_or, true},
};

bool criteria_match(const struct criteria *criteria, const struct cJSON *data)
{
	return criteria->op->match(criteria, data);
}

/* --- faults --------------------------------------------------------------------------- */

static void print_place(struct buf *out, const struct place *place)
{
	if (!place->in) {
		buf_puts(out, "criteria");
		return;
	}
	print_place(out, place->in);
	buf_printf(out, ".%s", place->name);
	if (place->item >= 0)
		buf_printf(out, "[%d]", place->item);
}

static void *fail(const struct place *place, struct error *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Always NULL, for the caller to return. */
static void *fail(const struct place *place, struct error *error, const char *format, ...)
{
	struct buf path = BUF_INIT;
	va_list ap;

	va_start(ap, format);
	error_vset(error, GOFER_INVALID, format, ap);
	va_end(ap);
	print_place(&path, place);
	error_prefix(error, "%s", buf_text(&path));
	buf_release(&path);
	return NULL;
}

static void *fail_nomem(struct error *error)
{
	error_set(error, GOFER_NOMEM, "out of memory");
	return NULL;
}

static void *fail_unknown(const struct place *place, struct error *error, const char *name)
{
	const char *names[OPERATORS_MAX + 1] = {NULL}, *meant;
	struct buf all = BUF_INIT;

	for (size_t i = 0; i < OPERATORS_MAX; i++) {
		names[i] = operators[i].name;
		buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	meant = nearest(name, names);
	fail(place, error, "no operator %.40s%s%s, there are %s", name,
	     meant ? ", did you mean " : "", meant ? meant : "", buf_text(&all));
	buf_release(&all);
	return NULL;
}

/* --- reading -------------------------------------------------------------------------- */

static const struct operation *find_operator(const struct cJSON *json, const struct place *place,
                                             struct error *error)
{
	const struct cJSON *member = cJSON_IsObject(json) ? json->child : NULL;

	if (!cJSON_IsObject(json))
		return fail(place, error,
		            "expected a dict of an operator and its operand, found %s",
		            json_type_name(json));
	if (!member)
		return fail(place, error, "expected an operator, found an empty dict");
	if (member->next)
		return fail(place, error,
		            "expected one operator, found %.40s and %.40s; "
		            "`and` and `or` join two",
		            member->string, member->next->string);
	for (size_t i = 0; i < OPERATORS_MAX; i++)
		if (strcmp(operators[i].name, member->string) == 0)
			return &operators[i];
	return fail_unknown(place, error, member->string);
}

static bool check_operand(const struct operation *op, const struct cJSON *operand,
                          const struct place *place, struct error *error)
{
	const struct place at = {place, op->name, -1, place->depth};

	if (op->takes && !op->takes(operand)) {
		if (op->is_nested && cJSON_IsArray(operand))
			fail(&at, error, "expected %s, found %d", op->operands,
			     cJSON_GetArraySize(operand));
		else
			fail(&at, error, "expected %s, found %s", op->operands,
			     json_type_name(operand));
		return false;
	}
	if (op->is_nested && place->depth == CRITERIA_MAX_DEPTH) {
		fail(&at, error, "nested more than %d deep", CRITERIA_MAX_DEPTH);
		return false;
	}
	return true;
}

/* From a tree that stays. */
static struct criteria *read_criteria(const struct cJSON *json, const struct place *place,
                                      struct error *error)
{
	const struct operation *op = find_operator(json, place, error);
	struct criteria *c;

	if (!op || !check_operand(op, json->child, place, error))
		return NULL;
	c = calloc(1, sizeof *c);
	if (!c)
		return fail_nomem(error);
	c->op = op;
	c->operand = json->child;
	for (int i = 0; op->is_nested && i < 2; i++) {
		const struct place inner = {place, op->name, i, place->depth + 1};

		c->both[i] = read_criteria(cJSON_GetArrayItem(c->operand, i), &inner, error);
		if (!c->both[i]) {
			criteria_free(c);
			return NULL;
		}
	}
	return c;
}

static bool is_deeper(const struct cJSON *value, unsigned depth)
{
	if (!cJSON_IsArray(value) && !cJSON_IsObject(value))
		return false;
	if (!depth)
		return true;
	for (const struct cJSON *item = value->child; item; item = item->next)
		if (is_deeper(item, depth - 1))
			return true;
	return false;
}

struct criteria *criteria_new(const struct cJSON *json, struct error *error)
{
	const struct place whole = {NULL, NULL, -1, 0};
	struct criteria *c;
	struct cJSON *copy;

	if (!json)
		return fail(&whole, error, "expected a dict, found none");
	if (is_deeper(json, JSON_MAX_DEPTH))
		return fail(&whole, error, "nested more than %d deep", JSON_MAX_DEPTH);
	copy = json_copy(json);
	if (!copy)
		return fail_nomem(error);
	c = read_criteria(copy, &whole, error);
	if (c)
		c->copy = copy;
	else
		cJSON_Delete(copy);
	return c;
}

void criteria_free(struct criteria *criteria)
{
	if (!criteria)
		return;
	criteria_free(criteria->both[0]);
	criteria_free(criteria->both[1]);
	cJSON_Delete(criteria->copy);
	free(criteria);
}
