/* SPDX-License-Identifier: Apache-2.0 */
#include "core/criteria.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPERATORS ", there are match, eq, neq, in, gt, lt, and, or"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct cJSON *parse(const char *text)
{
	struct error error = ERROR_NONE;
	struct cJSON *value = json_parse(text, strlen(text), &error);

	if (!value)
		fail_msg("%s: %s", text, error.text);
	return value;
}

static struct criteria *criteria_of(const char *text)
{
	struct error error = ERROR_NONE;
	struct cJSON *json = parse(text);
	struct criteria *c = criteria_new(json, &error);

	if (!c)
		fail_msg("%s: %s", text, error.text);
	cJSON_Delete(json); /* what was read does not need it */
	return c;
}

struct example {
	const char *criteria, *data;
	bool holds;
};

static void assert_examples(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct criteria *c = criteria_of(examples[i].criteria);
		struct cJSON *data = parse(examples[i].data);

		if (criteria_match(c, data) != examples[i].holds)
			fail_msg("%s of %s, expected %s", examples[i].criteria, examples[i].data,
			         examples[i].holds ? "true" : "false");
		cJSON_Delete(data);
		criteria_free(c);
	}
}

/* --- operators ------------------------------------------------------------------------ */

static void members_match_where_the_data_has_them(void **state)
{
	static const struct example examples[] = {
		{"{\"match\": {\"id\": 44, \"age\": 88}}", "{\"id\": 44, \"age\": 88}", true},
		{"{\"match\": {\"id\": 44, \"age\": 88}}", "{\"age\": 88, \"id\": 44, \"z\": 1}",
	         true},
		{"{\"match\": {\"id\": 44, \"age\": 88}}", "{\"id\": 44}", true},
		{"{\"match\": {\"id\": 44, \"age\": 88}}", "{\"age\": 88}", true},
		{"{\"match\": {\"id\": 44, \"age\": 88}}", "{\"other\": 1}", true},
		{"{\"match\": {\"id\": 44, \"age\": 88}}", "{\"id\": 88}", false},
		{"{\"match\": {\"id\": 44, \"age\": 88}}", "{\"id\": 44, \"age\": 18}", false},
		{"{\"match\": {\"id\": 44, \"age\": 88}}", "{\"age\": 18, \"id\": 44}", false},
		{"{\"match\": {\"id\": 44}}", "{}", false},
		{"{\"match\": {\"id\": 44}}", "44", false},
		{"{\"match\": {\"id\": 44}}", "null", false},
		{"{\"match\": {\"id\": 44}}", "[\"id\"]", false},
		{"{\"match\": {\"id\": null}}", "{\"id\": null}", true},
		{"{\"match\": {\"id\": null}}", "{\"id\": 0}", false},
		{"{\"match\": {\"id\": [1, {\"a\": 2}]}}", "{\"id\": [1.0, {\"a\": 2}]}", true},
		{"{\"match\": {}}", "{\"id\": 44}", false},
		{"{\"match\": {}}", "{}", false},
		{"{\"match\": {\"b\": 1, \"d\": 1}}", "{\"a\": 1, \"c\": 1, \"d\": 2, \"e\": 1}",
	         false},
		{"{\"match\": {\"a\\u0000\": 1, \"b\": 2}}", "{\"a\": 9, \"a\\u0000\": 2}", false},
	};

	(void)state;
	assert_examples(examples, COUNT(examples));
}

static void equal_is_what_python_has_for_equal(void **state)
{
	static const struct example examples[] = {
		{"{\"eq\": 1}", "1", true},
		{"{\"eq\": 1}", "2", false},
		{"{\"eq\": 1}", "1.0", true},
		{"{\"eq\": 1}", "true", true},
		{"{\"eq\": false}", "0", true},
		{"{\"eq\": false}", "-0.0", true},
		{"{\"eq\": true}", "2", false},
		{"{\"eq\": null}", "null", true},
		{"{\"eq\": null}", "false", false},
		{"{\"eq\": 1}", "\"1\"", false},
		{"{\"eq\": \"\"}", "[]", false},
		{"{\"eq\": [1, [true]]}", "[true, [1]]", true},
		{"{\"eq\": [1, 2]}", "[2, 1]", false},
		{"{\"eq\": [1]}", "[1, 1]", false},
		{"{\"eq\": {\"a\": 1, \"b\": [0]}}", "{\"b\": [false], \"a\": true}", true},
		{"{\"eq\": {\"a\": 1}}", "{\"a\": 1, \"b\": 1}", false},
		{"{\"eq\": {\"a\": 1}}", "{\"b\": 1}", false},
		{"{\"eq\": {}}", "[]", false},
		{"{\"neq\": 1}", "2", true},
		{"{\"neq\": 1}", "1.0", false},
		{"{\"neq\": 1}", "\"1\"", true},
		{"{\"neq\": 1}", "null", true},
	};

	(void)state;
	assert_examples(examples, COUNT(examples));
}

static void order_is_what_python_has_for_order(void **state)
{
	static const struct example examples[] = {
		{"{\"gt\": 1}", "2", true},
		{"{\"gt\": 1}", "1", false},
		{"{\"gt\": 1}", "1.0000001", true},
		{"{\"gt\": -1}", "-2", false},
		{"{\"gt\": -2}", "-1", true},
		{"{\"gt\": -1}", "0", true},
		{"{\"gt\": 0}", "true", true},
		{"{\"lt\": 1}", "false", true},
		{"{\"lt\": 2}", "1", true},
		{"{\"lt\": 2}", "2", false},
		{"{\"lt\": 1e3}", "999.99", true},
		{"{\"lt\": 0.02}", "0.011", true},
		{"{\"gt\": \"a\"}", "\"b\"", true},
		{"{\"gt\": \"a\"}", "\"a\"", false},
		{"{\"gt\": \"a\"}", "\"a\\u0000\"", true},
		{"{\"gt\": \"a\\u0000\"}", "\"a\\u0001\"", true},
		{"{\"lt\": \"a\\u0000b\"}", "\"a\\u0000a\"", true},
		{"{\"gt\": \"\\uffff\"}", "\"\\ud83d\\ude00\"", true},
		{"{\"gt\": \"10\"}", "\"9\"", true},
		{"{\"gt\": [1, 2]}", "[1, 3]", true},
		{"{\"gt\": [1, 2]}", "[1, 2, 0]", true},
		{"{\"lt\": [1, 2]}", "[1]", true},
		{"{\"lt\": [1, 2]}", "[0, \"x\"]", true},
		{"{\"lt\": [{\"a\": 1}, 2]}", "[{\"a\": true}, 1]", true},
	};

	(void)state;
	assert_examples(examples, COUNT(examples));
}

static void what_has_no_order_is_neither_above_nor_below(void **state)
{
	static const struct example examples[] = {
		{"{\"gt\": 1}", "\"2\"", false},
		{"{\"lt\": 1}", "\"2\"", false},
		{"{\"gt\": 1}", "null", false},
		{"{\"lt\": 1}", "null", false},
		{"{\"gt\": 1}", "{}", false},
		{"{\"gt\": \"1\"}", "[\"2\"]", false},
		{"{\"gt\": [1]}", "[\"2\"]", false},
		{"{\"lt\": [1]}", "[\"2\"]", false},
		{"{\"gt\": [null]}", "[null]", false},
		{"{\"gt\": [{\"a\": 1}]}", "[{\"a\": 2}]", false},
		{"{\"lt\": [{\"a\": 1}]}", "[{\"a\": 2}]", false},
	};

	(void)state;
	assert_examples(examples, COUNT(examples));
}

/* Where doubles can't tell any more. */
static void numbers_are_exact(void **state)
{
	static const struct example examples[] = {
		{"{\"eq\": 9007199254740993}", "9007199254740992", false},
		{"{\"eq\": 9007199254740993}", "9007199254740993.0", true},
		{"{\"gt\": 9007199254740992}", "9007199254740993", true},
		{"{\"lt\": 9007199254740993}", "9007199254740992", true},
		{"{\"gt\": 9007199254740993}", "9007199254740993", false},
		{"{\"gt\": -9007199254740993}", "-9007199254740992", true},
		{"{\"lt\": 1e400}", "1e399", true},
		{"{\"lt\": -1e400}", "-1e401", true},
		{"{\"gt\": 1e-401}", "1e-400", true},
		{"{\"gt\": 123456789012345678901234567890}", "123456789012345678901234567891",
	         true},
		{"{\"gt\": 123456789012345678901234567890}", "123456789012345678901234567890.5",
	         true},
		{"{\"lt\": 123456789012345678901234567890}", "5", true},
		{"{\"in\": [9007199254740993, 9007199254740995]}", "9007199254740994", false},
		{"{\"match\": {\"id\": 18446744073709551617}}", "{\"id\": 18446744073709551616}",
	         false},
	};

	(void)state;
	assert_examples(examples, COUNT(examples));
}

static void in_a_list_a_text_or_an_object(void **state)
{
	static const struct example examples[] = {
		{"{\"in\": [1, 2]}", "1", true},
		{"{\"in\": [1, 2]}", "2.0", true},
		{"{\"in\": [1, 2]}", "true", true},
		{"{\"in\": [1, 2]}", "3", false},
		{"{\"in\": [1, 2]}", "[1, 2]", false},
		{"{\"in\": [[1, 2], {\"a\": 1}]}", "[1, 2]", true},
		{"{\"in\": [[1, 2], {\"a\": 1}]}", "{\"a\": 1}", true},
		{"{\"in\": [null]}", "null", true},
		{"{\"in\": []}", "null", false},
		{"{\"in\": \"abc\"}", "\"bc\"", true},
		{"{\"in\": \"abc\"}", "\"\"", true},
		{"{\"in\": \"abc\"}", "\"ac\"", false},
		{"{\"in\": \"abc\"}", "1", false},
		{"{\"in\": {\"a\": 1}}", "\"a\"", true},
		{"{\"in\": {\"a\": 1}}", "\"b\"", false},
		{"{\"in\": {\"1\": 1}}", "1", false},
	};

	(void)state;
	assert_examples(examples, COUNT(examples));
}

static void criteria_are_joined(void **state)
{
	static const char deep[] =
		"{\"or\": [{\"eq\": 10}, {\"and\": [{\"gt\": 1}, {\"or\": [{\"eq\": 2}, {\"lt\": 2}]}]}]}";
	static const struct example examples[] = {
		{"{\"and\": [{\"gt\": 1}, {\"lt\": 3}]}", "2", true},
		{"{\"and\": [{\"gt\": 1}, {\"lt\": 3}]}", "1", false},
		{"{\"and\": [{\"gt\": 1}, {\"lt\": 3}]}", "3", false},
		{"{\"or\": [{\"eq\": 1}, {\"eq\": 3}]}", "1", true},
		{"{\"or\": [{\"eq\": 1}, {\"eq\": 3}]}", "3", true},
		{"{\"or\": [{\"eq\": 1}, {\"eq\": 3}]}", "2", false},
		{deep, "10", true},
		{deep, "2", true},
		{deep, "1.5", true},
		{deep, "1", false},
		{deep, "3", false},
		{"{\"or\": [{\"match\": {\"id\": 1}}, {\"eq\": null}]}", "null", true},
	};

	(void)state;
	assert_examples(examples, COUNT(examples));
}

/* What looks like criteria in an operand is a value there. */
static void an_operand_is_a_value(void **state)
{
	static const struct example examples[] = {
		{"{\"eq\": {\"eq\": 1}}", "{\"eq\": 1}", true},
		{"{\"eq\": {\"eq\": 1}}", "1", false},
		{"{\"match\": {\"gt\": 1}}", "{\"gt\": 1}", true},
		{"{\"match\": {\"gt\": 1}}", "{\"gt\": 2}", false},
		{"{\"in\": [{\"eq\": 1}, {\"eq\": 2}]}", "{\"eq\": 2}", true},
	};

	(void)state;
	assert_examples(examples, COUNT(examples));
}

static void no_data_is_null(void **state)
{
	struct criteria *c = criteria_of("{\"eq\": null}"), *other = criteria_of("{\"gt\": 1}");

	(void)state;
	assert_true(criteria_match(c, NULL));
	assert_false(criteria_match(other, NULL));
	criteria_free(c);
	criteria_free(other);
	criteria_free(NULL);
}

/* --- faults --------------------------------------------------------------------------- */

static void faults_are_told_with_their_place(void **state)
{
	static const struct {
		const char *criteria, *text;
	} faults[] = {
		{"5", "criteria: expected a dict of an operator and its operand, found int"},
		{"null",
	         "criteria: expected a dict of an operator and its operand, found NoneType"},
		{"{}", "criteria: expected an operator, found an empty dict"},
		{"{\"gt\": 1, \"eq\": 2}",
	         "criteria: expected one operator, found eq and gt; "
	         "`and` and `or` join two"},
		{"{\"nqe\": 1}", "criteria: no operator nqe, did you mean neq" OPERATORS},
		{"{\"x\\u0001y\": 1}", "criteria: no operator x?y" OPERATORS},
		{"{\"match\": 88}", "criteria.match: expected a dict, found int"},
		{"{\"in\": 1}", "criteria.in: expected a list, a str or a dict, found int"},
		{"{\"gt\": null}",
	         "criteria.gt: expected a number, a str or a list, found NoneType"},
		{"{\"lt\": {}}", "criteria.lt: expected a number, a str or a list, found dict"},
		{"{\"and\": {\"eq\": 1}}",
	         "criteria.and: expected a list of two criteria, found dict"},
		{"{\"or\": [{\"eq\": 1}]}",
	         "criteria.or: expected a list of two criteria, found 1"},
		{"{\"or\": [1, 2, 3]}", "criteria.or: expected a list of two criteria, found 3"},
		{"{\"and\": [{\"eq\": 1}, {\"gt\": {}}]}",
	         "criteria.and[1].gt: expected a number, a str or a list, found dict"},
		{"{\"and\": [{\"or\": [{\"eq\": 1}, 7]}, {\"eq\": 1}]}",
	         "criteria.and[0].or[1]: expected a dict of an operator and its operand, found int"},
		{"{\"and\": [{\"or\": [{\"eq\": 1}, {\"matsch\": {}}]}, {\"eq\": 1}]}",
	         "criteria.and[0].or[1]: no operator matsch, did you mean match" OPERATORS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(faults); i++) {
		struct cJSON *json = parse(faults[i].criteria);
		struct error error = ERROR_NONE;

		assert_null(criteria_new(json, &error));
		assert_string_equal(error.text, faults[i].text);
		assert_int_equal(error.code, GOFER_INVALID);
		assert_null(criteria_new(json, NULL));
		cJSON_Delete(json);
	}
	assert_null(criteria_new(NULL, NULL));
}

/* {"or": [{"or": [..., {"eq": 0}]}, {"eq": 1}]}, so many times */
static struct cJSON *nested(unsigned depth)
{
	struct cJSON *value = parse("{\"eq\": 0}");

	while (depth--) {
		struct cJSON *outer = parse("{\"or\": []}");
		struct cJSON *both = json_get(outer, "or");

		cJSON_AddItemToArray(both, value);
		cJSON_AddItemToArray(both, parse("{\"eq\": 1}"));
		value = outer;
	}
	return value;
}

static void depth_is_bounded(void **state)
{
	struct cJSON *just = nested(CRITERIA_MAX_DEPTH), *deep = nested(CRITERIA_MAX_DEPTH + 1);
	struct cJSON *list = parse("[]"), *operand = parse("{\"eq\": 1}"), *zero = parse("0");
	struct error error = ERROR_NONE;
	struct criteria *c = criteria_new(just, &error);

	(void)state;
	assert_non_null(c);
	assert_true(criteria_match(c, zero));
	assert_null(criteria_new(deep, &error));
	assert_non_null(strstr(error.text, ".or[0].or: nested more than 32 deep"));
	assert_memory_equal(error.text, "criteria.or[0].or[0]", 20);
	for (int i = 0; i < JSON_MAX_DEPTH; i++) {
		struct cJSON *outer = parse("[]");

		cJSON_AddItemToArray(outer, list);
		list = outer;
	}
	cJSON_ReplaceItemInObject(operand, "eq", list);
	assert_null(criteria_new(operand, &error));
	assert_string_equal(error.text, "criteria: nested more than 200 deep");
	criteria_free(c);
	cJSON_Delete(just);
	cJSON_Delete(deep);
	cJSON_Delete(operand);
	cJSON_Delete(zero);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_match_where_the_data_has_them),
		cmocka_unit_test(equal_is_what_python_has_for_equal),
		cmocka_unit_test(order_is_what_python_has_for_order),
		cmocka_unit_test(what_has_no_order_is_neither_above_nor_below),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(in_a_list_a_text_or_an_object),
		cmocka_unit_test(criteria_are_joined),
		cmocka_unit_test(an_operand_is_a_value),
		cmocka_unit_test(no_data_is_null),
		cmocka_unit_test(faults_are_told_with_their_place),
		cmocka_unit_test(depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
