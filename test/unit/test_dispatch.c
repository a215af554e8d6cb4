/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/dispatch.h"

/* --- a plugin whose methods tell how they were called --- */

static int runs;

static enum gofer_err tell(struct call *call)
{
	static const char *const names[] = {"words", "wait", "rest", "name", "age"};
	struct cJSON *told = cJSON_CreateObject();

	runs++;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct cJSON *value = call_arg(call, names[i]);
		if (!value)
			value = call_cntr_arg(call, names[i]);
		if (value)
			cJSON_AddItemToObject(told, names[i], json_copy(value));
	}
	return call_return_take(call, told);
}

static enum gofer_err fall(struct call *call)
{
	(void)call;
	return GOFER_IO;
}

static enum gofer_err wait_long(struct call *call)
{
	return call_sleep(call, 60);
}

static const struct requirement secret[] = {{REQUIRE_SECRET, "foo"}, {0}};
static const struct requirement secrets[] = {{REQUIRE_SECRET, "foo"}, {REQUIRE_SECRET, "bar"}, {0}};
static const struct requirement user[] = {{REQUIRE_USER, "gofer"}, {0}};
static const struct requirement either[] = {{REQUIRE_SECRET, "foo"}, {REQUIRE_USER, "gofer"}, {0}};
static const struct requirement nothing[] = {{0}};

static const struct method dog[] = {
	{.name = "bark", .params = "words, wait=0", .run = tell, .help = ""},
	{.name = "fall", .run = fall, .help = ""},
	{.name = "wait", .run = wait_long, .help = ""},
	{.name = "open", .run = tell, .help = "", .require = nothing},
	{.name = "testpam", .params = "words", .run = tell, .help = "", .require = user},
	{.name = "either", .run = tell, .help = "", .require = either},
	{.name = "forked", .params = "words", .run = tell, .help = "", .model = CALL_FORK},
	{.name = "guarded",
         .params = "words",
         .run = tell,
         .help = "",
         .model = CALL_FORK,
         .require = secret},
	{0},
};
static const struct method cat[] = {
	{.name = "meow", .params = "words", .run = tell, .help = "", .require = secret},
	{.name = "purr", .run = tell, .help = "", .require = secrets},
	{0},
};
static const struct method cowboy[] =
	{{.name = "howdy", .params = "words=None", .run = tell, .help = ""}, {0}};
static const struct class classes[] = {
	{.name = "Dog", .help = "", .methods = dog},
	{.name = "Cat", .help = "", .methods = cat},
	{.name = "Cowboy", .params = "name, age=0", .help = "", .methods = cowboy},
	{0},
};
static const struct method functions[] = {
	{.name = "echo", .params = "*rest", .run = tell, .help = ""},
	{.name = "locked", .run = tell, .help = "", .require = secret},
	{0},
};
static const struct plugin plugin = {.name = "testplugin",
                                     .summary = "",
                                     .classes = classes,
                                     .functions = functions};

/* --- running requests against it --- */

struct asked {
	int count;
	const char *service;
	bool known;
};

/* Knows one password. */
static bool authenticate(void *context, const char *name, const char *password, const char *service)
{
	struct asked *asked = context;

	asked->count++;
	asked->known = service != NULL;
	return strcmp(name, "gofer") == 0 && strcmp(password, "right") == 0;
}

/* Runs it; `more` are further members of the request's body (", \"secret\": …"). */
static struct call *run_as(const char *request, const char *more, const struct dispatch_host *host)
{
	struct catalog *catalog = catalog_new(&plugin, NULL);
	struct request decoded = {0};
	struct rejection rejection = {0};
	struct buf body = BUF_INIT;

	buf_printf(&body, "{\"version\": \"2.0\", \"sn\": \"1\", \"request\": {%s}%s}", request,
	           more);
	if (request_decode(&decoded, buf_text(&body), body.size, &rejection))
		fail_msg("%s: %s", buf_text(&body), rejection.details);
	struct call *call = call_new_take(&decoded, NULL, NULL, NULL);
	assert_true(call_start(call));
	dispatch_run(catalog, call, host);
	assert_int_equal(call_state(call), CALL_FINISHED);
	buf_release(&body);
	catalog_free(catalog);
	return call;
}

static void assert_returns_as(const char *request, const char *more,
                              const struct dispatch_host *host, const char *retval)
{
	struct call *call = run_as(request, more, host);
	char *text = json_text(call_retval(call));

	if (call_raised(call))
		fail_msg("%s: %s", request, call_exception(call)->exval);
	assert_string_equal(text, retval);
	free(text);
	call_unref(call);
}

static void assert_returns(const char *request, const char *retval)
{
	assert_returns_as(request, "", NULL, retval);
}

static void assert_raises_as(const char *request, const char *more,
                             const struct dispatch_host *host, const char *xmodule,
                             const char *xclass, const char *message)
{
	int before = runs;
	struct call *call = run_as(request, more, host);

	assert_true(call_raised(call));
	assert_int_equal(runs, before);
	const struct exception *x = call_exception(call);
	assert_string_equal(x->xmodule, xmodule);
	assert_string_equal(x->xclass, xclass);
	assert_int_equal(cJSON_GetArraySize(x->xargs), 1);
	assert_string_equal(json_string(x->xargs->child), message);
	call_unref(call);
}

#define DISPATCHER "gofer.rmi.dispatcher"
#define TARGET(class, method) "\"classname\": \"" class "\", \"method\": \"" method "\""

/* --- what is called --- */

static void methods_get_their_arguments(void **state)
{
	(void)state;
	assert_returns(TARGET("Dog", "bark") ", \"args\": [\"hi\"]",
	               "{\"wait\": 0, \"words\": \"hi\"}");
	assert_returns(TARGET("Dog", "bark") ", \"args\": [\"hi\"], \"kws\": {\"wait\": 5}",
	               "{\"wait\": 5, \"words\": \"hi\"}");
	assert_returns(TARGET("Dog", "bark") ", \"args\": [], \"kwargs\": {\"words\": 1}",
	               "{\"wait\": 0, \"words\": 1}");
	assert_returns(TARGET("Dog", "bark") ", \"args\": [1], \"cntr\": [[], {}]",
	               "{\"wait\": 0, \"words\": 1}");
}

static void functions_are_called_by_the_plugins_name(void **state)
{
	(void)state;
	assert_returns(TARGET("testplugin", "echo") ", \"args\": [1, null]",
	               "{\"rest\": [1, null]}");
	/* what a class is built from says nothing to a function */
	assert_returns(TARGET("testplugin", "echo") ", \"cntr\": [[1], {\"a\": 2}]",
	               "{\"rest\": []}");
}

static void the_constructor_gets_its_arguments(void **state)
{
	(void)state;
	assert_returns(TARGET("Cowboy", "howdy") ", \"cntr\": [[\"jeff\"], {\"age\": 10}]",
	               "{\"age\": 10, \"name\": \"jeff\", \"words\": null}");
}

static void what_there_is_not_is_told_as_python_does(void **state)
{
	static const struct {
		const char *request, *xclass, *message;
	} cases[] = {
		{TARGET("NoClass", "x"), "NamespaceNotFound",
	         "\"NoClass\" not provided by plugin."},
		{TARGET("dog", "bark"), "NamespaceNotFound", "\"dog\" not provided by plugin."},
		{TARGET("Dog", "nosuch"), "MemberNotFound",
	         "\"Dog.nosuch()\" not provided by plugin."},
		{TARGET("testplugin", "bark"), "MemberNotFound",
	         "\"testplugin.bark()\" not provided by plugin."},
		/* though its constructor would fail, too */
		{TARGET("Cowboy", "nosuch"), "MemberNotFound",
	         "\"Cowboy.nosuch()\" not provided by plugin."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_raises_as(cases[i].request, "", NULL, DISPATCHER, cases[i].xclass,
		                 cases[i].message);
}

static void wrong_arguments_are_a_type_error(void **state)
{
	static const char *const cases[][2] = {
		{TARGET("Dog", "bark"),
	         "Dog.bark() missing 1 required positional argument: 'words'"},
		{TARGET("Dog", "bark") ", \"args\": [1, 2, 3]",
	         "Dog.bark() takes from 2 to 3 positional arguments but 4 were given"},
		{TARGET("Dog", "bark") ", \"args\": [1], \"kws\": {\"x\": 1}",
	         "Dog.bark() got an unexpected keyword argument 'x'"},
		{TARGET("testplugin", "echo") ", \"kws\": {\"x\": 1}",
	         "echo() got an unexpected keyword argument 'x'"},
		{TARGET("Cowboy", "howdy"),
	         "Cowboy.__init__() missing 1 required positional argument: 'name'"},
		{TARGET("Cowboy", "howdy") ", \"cntr\": [[1, 2, 3], {}]",
	         "Cowboy.__init__() takes from 2 to 3 positional arguments but 4 were given"},
		{TARGET("Dog", "bark") ", \"args\": [1], \"cntr\": [[1], {}]",
	         "Dog.__init__() takes 1 positional argument but 2 were given"},
		/* the constructor comes first */
		{TARGET("Cowboy", "howdy") ", \"args\": [1, 2, 3], \"cntr\": [[], {\"x\": 1}]",
	         "Cowboy.__init__() got an unexpected keyword argument 'x'"},
		{TARGET("Cowboy", "howdy") ", \"args\": [1, 2, 3], \"cntr\": [[1], {}]",
	         "Cowboy.howdy() takes from 1 to 2 positional arguments but 4 were given"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_raises_as(cases[i][0], "", NULL, "builtins", "TypeError", cases[i][1]);
}

static void a_method_that_fails_is_answered_for(void **state)
{
	(void)state;
	assert_raises_as(TARGET("Dog", "fall"), "", NULL, "builtins", "Exception", "input/output");
}

static void a_method_that_was_cancelled_raises(void **state)
{
	static const char body[] = "{\"version\": \"2.0\", \"sn\": \"7\", \"request\": "
				   "{" TARGET("Dog", "wait") "}}";
	struct catalog *catalog = catalog_new(&plugin, NULL);
	struct request request = {0};
	struct rejection rejection = {0};

	(void)state;
	assert_int_equal(request_decode(&request, body, strlen(body), &rejection), GOFER_OK);
	struct call *call = call_new_take(&request, NULL, NULL, NULL);
	call_start(call);
	call_cancel(call);
	dispatch_run(catalog, call, NULL);
	assert_string_equal(call_exception(call)->xclass, "Cancelled");
	assert_string_equal(json_string(call_exception(call)->xargs->child), "7");
	call_unref(call);
	catalog_free(catalog);
}

/* --- who may call --- */

#define MEOW TARGET("Cat", "meow") ", \"args\": [\"x\"]"
#define PURR TARGET("Cat", "purr")
#define PAM TARGET("Dog", "testpam") ", \"args\": [1]"

static void a_secret_must_be_passed_and_be_right(void **state)
{
	static const char *const wrong[] = {"garfield",
	                                    "fo",
	                                    "fooo",
	                                    "FOO",
	                                    "foo ",
	                                    "a secret as long as you like it to be, and longer"};
	struct buf more = BUF_INIT;

	(void)state;
	assert_returns_as(MEOW, ", \"secret\": \"foo\"", NULL, "{\"words\": \"x\"}");
	assert_raises_as(MEOW, "", NULL, DISPATCHER, "SecretRequired",
	                 "Cat.meow(), secret required");
	assert_raises_as(MEOW, ", \"secret\": null", NULL, DISPATCHER, "SecretRequired",
	                 "Cat.meow(), secret required");
	assert_raises_as(MEOW, ", \"secret\": \"\"", NULL, DISPATCHER, "SecretRequired",
	                 "Cat.meow(), secret required");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		buf_clear(&more);
		buf_printf(&more, ", \"secret\": \"%s\"", wrong[i]);
		assert_raises_as(MEOW, buf_text(&more), NULL, DISPATCHER, "SecretNotMatched",
		                 "Cat.meow(), secret not matched");
	}
	buf_release(&more);
	assert_raises_as(TARGET("testplugin", "locked"), "", NULL, DISPATCHER, "SecretRequired",
	                 "testplugin.locked(), secret required");
}

static void any_of_several_secrets_is_enough(void **state)
{
	(void)state;
	assert_returns_as(PURR, ", \"secret\": \"foo\"", NULL, "{}");
	assert_returns_as(PURR, ", \"secret\": \"bar\"", NULL, "{}");
	assert_raises_as(PURR, ", \"secret\": \"baz\"", NULL, DISPATCHER, "SecretNotMatched",
	                 "Cat.purr(), secret not matched");
}

static void who_may_not_call_learns_nothing_of_the_parameters(void **state)
{
	(void)state;
	assert_raises_as(TARGET("Cat", "meow"), "", NULL, DISPATCHER, "SecretRequired",
	                 "Cat.meow(), secret required");
}

static void a_user_must_be_the_right_one_and_prove_it(void **state)
{
	struct asked asked = {0};
	const struct dispatch_host host = {.authenticate = authenticate, .context = &asked};
	static const struct {
		const char *pam, *xclass, *message;
		int asked;
	} cases[] = {
		{"", "UserRequired", "Dog.testpam(), user (name) required", 0},
		{", \"pam\": null", "UserRequired", "Dog.testpam(), user (name) required", 0},
		{", \"pam\": {\"user\": \"\", \"password\": \"x\"}", "UserRequired",
	         "Dog.testpam(), user (name) required", 0},
		{", \"pam\": {\"user\": \"gofer\", \"password\": null}", "PasswordRequired",
	         "Dog.testpam(), password required", 0},
		{", \"pam\": {\"user\": \"xx\", \"password\": \"right\"}", "UserNotAuthorized",
	         "Dog.testpam(), user must be: gofer, passed: xx", 0},
		{", \"pam\": {\"user\": \"gofer\", \"password\": \"wrong\"}", "NotAuthenticated",
	         "Dog.testpam(), user \"gofer\" not authenticated", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		asked.count = 0;
		assert_raises_as(PAM, cases[i].pam, &host, DISPATCHER, cases[i].xclass,
		                 cases[i].message);
		assert_int_equal(asked.count, cases[i].asked);
	}
	assert_returns_as(PAM, ", \"pam\": {\"user\": \"gofer\", \"password\": \"right\"}", &host,
	                  "{\"words\": 1}");
	assert_false(asked.known);
	assert_returns_as(PAM,
	                  ", \"pam\": {\"user\": \"gofer\", \"password\": \"right\", "
	                  "\"service\": \"login\"}",
	                  &host, "{\"words\": 1}");
	assert_true(asked.known);
}

static void without_a_host_nobody_is_authenticated(void **state)
{
	(void)state;
	assert_raises_as(PAM, ", \"pam\": {\"user\": \"gofer\", \"password\": \"right\"}", NULL,
	                 DISPATCHER, "NotAuthenticated",
	                 "Dog.testpam(), user \"gofer\" not authenticated");
}

static void any_one_requirement_is_enough(void **state)
{
	struct asked asked = {0};
	const struct dispatch_host host = {.authenticate = authenticate, .context = &asked};
	static const char request[] = TARGET("Dog", "either");

	(void)state;
	assert_returns_as(request, ", \"secret\": \"foo\"", &host, "{}");
	assert_int_equal(asked.count, 0);
	assert_returns_as(request, ", \"pam\": {\"user\": \"gofer\", \"password\": \"right\"}",
	                  &host, "{}");
	assert_returns_as(request,
	                  ", \"secret\": \"bad\", \"pam\": {\"user\": \"gofer\", "
	                  "\"password\": \"right\"}",
	                  &host, "{}");
	/* none is: the last is told */
	assert_raises_as(request, ", \"secret\": \"bad\"", &host, DISPATCHER, "UserRequired",
	                 "Dog.either(), user (name) required");
	assert_returns_as(TARGET("Dog", "open"), "", &host, "{}");
}

/* --- where it runs --- */

struct host {
	const struct plugin *plugin;
	int count;
};

static enum gofer_err fork_it(struct host *processes, const struct plugin *of, struct call *call)
{
	processes->plugin = of;
	processes->count++;
	return call_return_string(call, json_string(call_arg(call, "words")));
}

#define FORKED TARGET("Dog", "forked")
#define GUARDED TARGET("Dog", "guarded") ", \"args\": [\"x\"]"

static void what_is_to_be_forked_is_given_away(void **state)
{
	struct host processes = {NULL, 0};
	const struct dispatch_host host = {.fork = fork_it, .processes = &processes};
	int before = runs;

	(void)state;
	assert_returns_as(FORKED ", \"args\": [\"x\"]", "", &host, "\"x\"");
	assert_ptr_equal(processes.plugin, &plugin);
	assert_returns_as(GUARDED, ", \"secret\": \"foo\"", &host, "\"x\"");
	assert_int_equal(processes.count, 2);
	assert_int_equal(runs, before);
	/* others are not */
	assert_returns_as(TARGET("Dog", "bark") ", \"args\": [1]", "", &host,
	                  "{\"wait\": 0, \"words\": 1}");
	assert_int_equal(processes.count, 2);
}

static void what_can_not_be_called_is_not_forked(void **state)
{
	struct host processes = {NULL, 0};
	const struct dispatch_host host = {.fork = fork_it, .processes = &processes};

	(void)state;
	assert_raises_as(FORKED, "", &host, "builtins", "TypeError",
	                 "Dog.forked() missing 1 required positional argument: 'words'");
	assert_raises_as(GUARDED, "", &host, DISPATCHER, "SecretRequired",
	                 "Dog.guarded(), secret required");
	assert_int_equal(processes.count, 0);
}

static void it_is_run_nowhere_if_not_in_a_process(void **state)
{
	const struct dispatch_host host = {.fork = NULL};

	(void)state;
	assert_raises_as(FORKED ", \"args\": [1]", "", NULL, "builtins", "Exception",
	                 "Dog.forked() runs in a child process, and none can be had");
	assert_raises_as(FORKED ", \"args\": [1]", "", &host, "builtins", "Exception",
	                 "Dog.forked() runs in a child process, and none can be had");
}

static void the_child_runs_it_and_asks_for_no_secret(void **state)
{
	static const char *const cases[][2] = {
		{"{" GUARDED "}", "{\"words\": \"x\"}"},
		{"{" TARGET("Cat", "meow") ", \"args\": [1]}", "{\"words\": 1}"},
		{"{" FORKED "}", NULL},
		{"{" TARGET("Dog", "nosuch") "}", NULL},
	};
	struct catalog *catalog = catalog_new(&plugin, NULL);
	struct request request = {0};
	struct rejection rejection = {0};
	struct buf body = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&body);
		buf_printf(&body, "{\"version\": \"2.0\", \"sn\": \"1\", \"request\": %s}",
		           cases[i][0]);
		assert_int_equal(request_decode(&request, body.data, body.size, &rejection),
		                 GOFER_OK);
		struct call *call = call_new_take(&request, NULL, NULL, NULL);
		call_start(call);
		dispatch_run_forked(catalog, call);
		assert_int_equal(call_state(call), CALL_FINISHED);
		assert_int_equal(call_raised(call), cases[i][1] == NULL);
		char *text = json_text(call_retval(call));
		assert_string_equal(text, cases[i][1] ? cases[i][1] : "null");
		free(text);
		call_unref(call);
	}
	buf_release(&body);
	catalog_free(catalog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods_get_their_arguments),
		cmocka_unit_test(functions_are_called_by_the_plugins_name),
		cmocka_unit_test(the_constructor_gets_its_arguments),
		cmocka_unit_test(what_there_is_not_is_told_as_python_does),
		cmocka_unit_test(wrong_arguments_are_a_type_error),
		cmocka_unit_test(a_method_that_fails_is_answered_for),
		cmocka_unit_test(a_method_that_was_cancelled_raises),
		cmocka_unit_test(a_secret_must_be_passed_and_be_right),
		cmocka_unit_test(any_of_several_secrets_is_enough),
		cmocka_unit_test(who_may_not_call_learns_nothing_of_the_parameters),
		cmocka_unit_test(a_user_must_be_the_right_one_and_prove_it),
		cmocka_unit_test(without_a_host_nobody_is_authenticated),
		cmocka_unit_test(any_one_requirement_is_enough),
		cmocka_unit_test(what_is_to_be_forked_is_given_away),
		cmocka_unit_test(what_can_not_be_called_is_not_forked),
		cmocka_unit_test(it_is_run_nowhere_if_not_in_a_process),
		cmocka_unit_test(the_child_runs_it_and_asks_for_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
