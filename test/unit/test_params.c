/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/params.h"
#include "test/unit/params_cases.h"

static struct cJSON *json(const char *text)
{
	struct cJSON *value = json_parse(text, strlen(text), NULL);

	assert_non_null(value);
	return value;
}

static struct params *parsed(const char *text)
{
	struct error error = ERROR_NONE;
	struct params *p = params_parse(text, &error);

	if (!p)
		fail_msg("%s: %s", text, error.text);
	return p;
}

/* What binding gives, as text: the bound object, or "TypeError: why". */
static char *bind(const struct params *p, bool method, const struct cJSON *args,
                  const struct cJSON *kws)
{
	struct cJSON *bound = NULL;
	struct error error = ERROR_NONE;
	enum gofer_err err =
		params_bind(p, method ? "Dog.bark" : "echo", method, args, kws, &bound, &error);
	char *text = json_text(bound);

	if (err) {
		assert_int_equal(err, GOFER_INVALID);
		assert_null(bound);
		free(text);
		text = strdup(error.text);
	}
	cJSON_Delete(bound);
	assert_non_null(text);
	return text;
}

static void assert_binds(const char *params, const char *args, const char *kws, const char *outcome)
{
	struct params *p = parsed(params);
	struct cJSON *a = json(args), *k = json(kws);
	char *text = bind(p, false, a, k);

	assert_string_equal(text, outcome);
	free(text);
	cJSON_Delete(a);
	cJSON_Delete(k);
	params_free(p);
}

static void arguments_are_bound_as_python_does_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(binding_cases) / sizeof(binding_cases[0]); i++) {
		const struct binding_case *c = &binding_cases[i];
		struct params *p = parsed(c->params);
		struct cJSON *args = json(c->args), *kws = json(c->kws);
		char *text = bind(p, c->method, args, kws);

		if (strcmp(text, c->outcome) || (*text == '{') != c->binds)
			fail_msg("(%s) called with %s %s: %s; Python: %s", c->params, c->args,
			         c->kws, text, c->outcome);
		free(text);
		cJSON_Delete(args);
		cJSON_Delete(kws);
		params_free(p);
	}
}

static void no_arguments_at_all_may_be_null(void **state)
{
	struct params *p = parsed(NULL);
	char *text = bind(p, true, NULL, NULL);

	(void)state;
	assert_int_equal(params_count(p), 0);
	assert_string_equal(text, "{}");
	free(text);
	params_free(p);
}

static void defaults_are_python_literals(void **state)
{
	(void)state;
	assert_binds("a=None, b=True, c=False, d=-1, e=1.5, f=1e400, g='x', h=\"y\\n\", i=[1, []], "
	             "j={'k': [2,], }",
	             "[]", "{}",
	             "{\"a\": null, \"b\": true, \"c\": false, \"d\": -1, \"e\": 1.5, "
	             "\"f\": 1e400, \"g\": \"x\", \"h\": \"y\\n\", \"i\": [1, []], "
	             "\"j\": {\"k\": [2]}}");
}

static void arguments_come_through_exactly(void **state)
{
	(void)state;
	assert_binds("a, *rest, **more",
	             "[9007199254740993, 1e400, {\"b\": 0.1000000000000000055511151231257827}]",
	             "{\"z\": \"\\u0000\\ud800\"}",
	             "{\"a\": 9007199254740993, \"more\": {\"z\": \"\\u0000\\ud800\"}, "
	             "\"rest\": [1e400, {\"b\": 0.1000000000000000055511151231257827}]}");
}

static void a_default_is_not_shared_by_two_calls(void **state)
{
	struct params *p = parsed("a=[]");
	struct cJSON *first = NULL, *second = NULL;

	(void)state;
	assert_int_equal(params_bind(p, "f", false, NULL, NULL, &first, NULL), GOFER_OK);
	cJSON_AddItemToArray(json_get(first, "a"), cJSON_CreateNumber(1));
	assert_int_equal(params_bind(p, "f", false, NULL, NULL, &second, NULL), GOFER_OK);
	assert_int_equal(cJSON_GetArraySize(json_get(second, "a")), 0);
	cJSON_Delete(first);
	cJSON_Delete(second);
	params_free(p);
}

/* An object made in C may hold a key twice. */
static void of_a_keyword_that_is_there_twice_the_last_counts(void **state)
{
	struct params *p = parsed("a=0, *, b=0");
	struct cJSON *kws = cJSON_CreateObject();

	(void)state;
	cJSON_AddNumberToObject(kws, "a", 1);
	cJSON_AddNumberToObject(kws, "b", 1);
	cJSON_AddNumberToObject(kws, "a", 2);
	cJSON_AddNumberToObject(kws, "b", 2);
	char *text = bind(p, false, NULL, kws);
	assert_string_equal(text, "{\"a\": 2, \"b\": 2}");
	free(text);
	cJSON_Delete(kws);
	params_free(p);
}

static void a_name_of_any_length_makes_a_short_message(void **state)
{
	struct params *p = parsed("a");
	struct cJSON *kws = cJSON_CreateObject();
	char *name = malloc(100001);

	(void)state;
	memset(name, 'n', 100000);
	name[100000] = '\0';
	cJSON_AddNumberToObject(kws, name, 1);
	char *text = bind(p, false, NULL, kws);
	assert_int_equal(strncmp(text, "echo() got an unexpected keyword argument 'nnnn", 46), 0);
	assert_in_range(strlen(text), 100, 480);
	free(text);
	free(name);
	cJSON_Delete(kws);
	params_free(p);
}

static void the_list_is_printed_as_python_prints_it(void **state)
{
	static const struct {
		const char *text;
		bool self;
		const char *printed;
	} cases[] = {
		{"", false, ""},
		{"  ", true, "self"},
		{"words,wait=0", true, "self, words, wait=0"},
		{" a , b = 'x, y' ", false, "a, b='x, y'"},
		{"a,*names,**opts", true, "self, a, *names, **opts"},
		{"*,k", false, "*, k"},
		{"*,k", true, "self, *, k"},
		{"a,*,k=[1,  2],**m", false, "a, *, k=[1,  2], **m"},
		{"* rest, k", false, "*rest, k"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct params *p = parsed(cases[i].text);
		struct buf out = BUF_INIT;
		assert_int_equal(params_print(&out, p, cases[i].self), GOFER_OK);
		assert_string_equal(buf_text(&out), cases[i].printed);
		buf_release(&out);
		params_free(p);
	}
}

static void names_are_told_without_stars(void **state)
{
	static const char *const names[] = {"a", "rest", "k", "more"};
	struct params *p = parsed("a, *rest, k=1, **more");

	(void)state;
	assert_int_equal(params_count(p), 4);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(params_name(p, i), names[i]);
	params_free(p);
}

static void faults_are_told_by_column(void **state)
{
	static const struct {
		const char *text, *fault;
	} cases[] = {
		{"a b", "column 3: `,` expected between parameters"},
		{"a,", "column 3: the name of a parameter expected"},
		{",", "column 1: the name of a parameter expected"},
		{"1a", "column 1: the name of a parameter expected"},
		{"a, a", "column 4: `a` is there twice"},
		{"a, **a", "column 6: `a` is there twice"},
		{"a=1, b", "column 6: `b` has no default, but one before it has"},
		{"*a, *b", "column 5: a second star; there may be one"},
		{"*, *b", "column 4: a second star; there may be one"},
		{"*", "column 2: a named parameter must follow the star that stands alone"},
		{"*, **m", "column 7: a named parameter must follow the star that stands alone"},
		{"**m, a", "column 6: nothing may follow a parameter with two stars"},
		{"**m, *a", "column 6: nothing may follow a parameter with two stars"},
		{"**", "column 3: the name of a parameter expected"},
		{"***a", "column 1: more than two stars"},
		{"*a=1", "column 3: `a` has stars and can't have a default"},
		{"a, /", "column 4: the name of a parameter expected"},
		{"a: int", "column 2: `,` expected between parameters"},
		{"a=",
	         "column 3: the default of `a`: not a literal; None, True, False, a number, a "
	         "string, a list or a dict would be right"},
		{"a=nil",
	         "column 3: the default of `a`: not a literal; None, True, False, a "
	         "number, a string, a list or a dict would be right"},
		{"a='x", "column 5: the default of `a`: a string without its closing quote"},
		{"a=[1 2]", "column 6: the default of `a`: `,` or `]` expected"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = ERROR_NONE;
		assert_null(params_parse(cases[i].text, &error));
		assert_int_equal(error.code, GOFER_INVALID);
		assert_string_equal(error.text, cases[i].fault);
		assert_null(params_parse(cases[i].text, NULL));
	}
}

static void there_is_a_most(void **state)
{
	struct buf text = BUF_INIT;
	struct error error = ERROR_NONE;

	(void)state;
	for (int i = 0; i < PARAMS_MAX; i++)
		buf_printf(&text, "%sp%d", i ? ", " : "", i);
	struct params *p = parsed(buf_text(&text));
	assert_int_equal(params_count(p), PARAMS_MAX);
	params_free(p);
	buf_puts(&text, ", one_more");
	assert_null(params_parse(buf_text(&text), &error));
	assert_non_null(strstr(error.text, "too many parameters; at most 64 are taken"));
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_bound_as_python_does_it),
		cmocka_unit_test(no_arguments_at_all_may_be_null),
		cmocka_unit_test(defaults_are_python_literals),
		cmocka_unit_test(arguments_come_through_exactly),
		cmocka_unit_test(a_default_is_not_shared_by_two_calls),
		cmocka_unit_test(of_a_keyword_that_is_there_twice_the_last_counts),
		cmocka_unit_test(a_name_of_any_length_makes_a_short_message),
		cmocka_unit_test(the_list_is_printed_as_python_prints_it),
		cmocka_unit_test(names_are_told_without_stars),
		cmocka_unit_test(faults_are_told_by_column),
		cmocka_unit_test(there_is_a_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
