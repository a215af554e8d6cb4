/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_private.h"

#define TWO_63 9223372036854775808.0
#define SHORT_INTEGER 15 /* characters; each such integer is a double, and printed alike */

/* --- making --------------------------------------------------------------------------- */

struct cJSON *json_new(int type)
{
	struct cJSON *value = cJSON_malloc(sizeof(*value));

	if (value) {
		memset(value, 0, sizeof(*value));
		value->type = type;
	}
	return value;
}

void json_set_double(struct cJSON *number, double value)
{
	number->valuedouble = value;
	number->valueint = value >= INT_MAX ? INT_MAX : value <= INT_MIN ? INT_MIN : (int)value;
}

static bool short_integer(const char *text, size_t size, double *value)
{
	long long whole = 0;
	size_t i = text[0] == '-';

	if (size > SHORT_INTEGER || (text[0] == '-' && text[1] == '0'))
		return false;
	for (; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		whole = whole * 10 + (text[i] - '0');
	}
	*value = (double)(text[0] == '-' ? -whole : whole);
	return true;
}

struct cJSON *json_new_number(const char *text, size_t size)
{
	struct cJSON *number = json_new(cJSON_Number);
	double value;

	if (!number)
		return NULL;
	if (short_integer(text, size, &value)) {
		json_set_double(number, value);
		return number;
	}
	number->valuestring = cJSON_malloc(size + 1);
	if (!number->valuestring) {
		cJSON_Delete(number);
		return NULL;
	}
	memcpy(number->valuestring, text, size);
	number->valuestring[size] = '\0';
	json_set_double(number, strtod(number->valuestring, NULL));
	return number;
}

struct cJSON *json_number_from_text(const char *text)
{
	return json_new_number(text, strlen(text));
}

struct cJSON *json_copy(const struct cJSON *value)
{
	return cJSON_Duplicate(value, 1);
}

/* --- asking --------------------------------------------------------------------------- */

struct cJSON *json_get(const struct cJSON *object, const char *key)
{
	struct cJSON *found = NULL;

	if (!cJSON_IsObject(object))
		return NULL;
	for (struct cJSON *member = object->child; member; member = member->next)
		if (member->string && strcmp(member->string, key) == 0)
			found = member;
	return found;
}

const char *json_string(const struct cJSON *value)
{
	return cJSON_IsString(value) ? value->valuestring : NULL;
}

bool json_string_is_plain(const struct cJSON *value)
{
	const unsigned char *at = (const unsigned char *)json_string(value);

	if (!at)
		return false;
	for (; *at; at++)
		if (*at == 0xC0 || (*at == 0xED && at[1] >= 0xA0))
			return false;
	return true;
}

const char *json_type_name(const struct cJSON *value)
{
	char space[JSON_DOUBLE_SIZE];

	switch (value ? value->type & 0xFF : cJSON_NULL) {
	case cJSON_False:
	case cJSON_True: return "bool";
	case cJSON_Number: return strpbrk(json_number_text(value, space), ".eE") ? "float" : "int";
	case cJSON_String: return "str";
	case cJSON_Array: return "list";
	case cJSON_Object: return "dict";
	default: return "NoneType";
	}
}

/* --- numbers by value ----------------------------------------------------------------- */

#define EXPONENT_MAX 1000000000000000LL /* beyond, all exponents are taken as this one */

/* A number in decimal: 0.d1d2d3... times ten to the `exponent`, d1 not 0. */
struct decimal {
	bool negative, zero;
	const char *at; /* the first digit that is not 0; a point may stand among the digits */
	long long exponent;
};

/* The next digit, 0 for ever once they have ended. */
static int next_digit(const char **at)
{
	if (**at == '.')
		++*at;
	return **at >= '0' && **at <= '9' ? *(*at)++ - '0' : 0;
}

static bool digits_end(const char *at)
{
	at += *at == '.';
	return *at < '0' || *at > '9';
}

static long long exponent_of(const char *text)
{
	const char *e = strpbrk(text, "eE");

	if (!e)
		return 0;
	long long value = strtoll(e + 1, NULL, 10);
	return value > EXPONENT_MAX ? EXPONENT_MAX : value < -EXPONENT_MAX ? -EXPONENT_MAX : value;
}

static struct decimal decimal_of(const char *text)
{
	struct decimal d = {text[0] == '-', false, text + (text[0] == '-'), exponent_of(text)};

	d.exponent += (long long)strspn(d.at, "0123456789");
	while (*d.at == '0' || *d.at == '.') {
		if (*d.at == '0')
			d.exponent--;
		d.at++;
	}
	d.zero = digits_end(d.at);
	return d;
}

static int sign_of(const struct decimal *d)
{
	return d->zero ? 0 : d->negative ? -1 : 1;
}

static int decimals_compare(const char *a, const char *b)
{
	struct decimal x = decimal_of(a), y = decimal_of(b);
	int sign = sign_of(&x);

	if (sign != sign_of(&y) || sign == 0)
		return sign - sign_of(&y);
	if (x.exponent != y.exponent)
		return x.exponent < y.exponent ? -sign : sign;
	while (!digits_end(x.at) || !digits_end(y.at)) {
		int difference = next_digit(&x.at) - next_digit(&y.at);
		if (difference)
			return difference < 0 ? -sign : sign;
	}
	return 0;
}

/* What is behind the first `exponent` digits is all 0: nothing is left after the point. */
static bool rest_is_zero(const char *at)
{
	while (!digits_end(at))
		if (next_digit(&at) != 0)
			return false;
	return true;
}

static bool decimal_integer(const char *text, long long *out)
{
	struct decimal d = decimal_of(text);
	long long value = 0;

	for (; !d.zero && d.exponent > 0; d.exponent--) {
		int digit = next_digit(&d.at);
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, d.negative ? -digit : digit, &value))
			return false;
	}
	if (!d.zero && !rest_is_zero(d.at))
		return false;
	*out = value;
	return true;
}

bool json_integer(const struct cJSON *value, long long *out)
{
	double number;

	if (!cJSON_IsNumber(value))
		return false;
	if (value->valuestring)
		return decimal_integer(value->valuestring, out);
	number = value->valuedouble;
	if (isnan(number) || number < -TWO_63 || number >= TWO_63 || number != trunc(number))
		return false;
	*out = (long long)number;
	return true;
}

/* --- equality ------------------------------------------------------------------------- */

int json_compare_numbers(const struct cJSON *a, const struct cJSON *b)
{
	char left[JSON_DOUBLE_SIZE], right[JSON_DOUBLE_SIZE];

	if (!a->valuestring && !b->valuestring)
		return (a->valuedouble > b->valuedouble) - (a->valuedouble < b->valuedouble);
	return decimals_compare(json_number_text(a, left), json_number_text(b, right));
}

static bool numbers_equal(const struct cJSON *a, const struct cJSON *b)
{
	if (!a->valuestring && !b->valuestring)
		return a->valuedouble == b->valuedouble; /* what is no number is never equal */
	return json_compare_numbers(a, b) == 0;
}

static bool arrays_equal(const struct cJSON *a, const struct cJSON *b)
{
	const struct cJSON *x = a->child, *y = b->child;

	for (; x && y; x = x->next, y = y->next)
		if (!json_equal(x, y))
			return false;
	return !x && !y;
}

/* Two objects whose members were put in order. */
static bool members_equal(const struct json_members *a, const struct cJSON *x,
                          const struct json_members *b, const struct cJSON *y)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct cJSON *left = a->list ? a->list[i] : x;
		const struct cJSON *right = b->list ? b->list[i] : y;
		if (strcmp(left->string, right->string) || !json_equal(left, right))
			return false;
		x = left->next;
		y = right->next;
	}
	return true;
}

static bool objects_equal(const struct cJSON *a, const struct cJSON *b)
{
	struct json_members left = {NULL, 0}, right = {NULL, 0};
	bool equal = false;

	if (!json_members_init(&left, a) && !json_members_init(&right, b))
		equal = members_equal(&left, a->child, &right, b->child);
	json_members_release(&left);
	json_members_release(&right);
	return equal;
}

bool json_equal(const struct cJSON *a, const struct cJSON *b)
{
	int type = a ? a->type & 0xFF : cJSON_NULL;

	if (type != (b ? b->type & 0xFF : cJSON_NULL))
		return false;
	switch (type) {
	case cJSON_Number: return numbers_equal(a, b);
	case cJSON_Raw:
	case cJSON_String: return strcmp(a->valuestring, b->valuestring) == 0;
	case cJSON_Array: return arrays_equal(a, b);
	case cJSON_Object: return objects_equal(a, b);
	default: return true;
	}
}
