/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/catalog.h"

static enum gofer_err run(struct call *call)
{
	(void)call;
	return GOFER_OK;
}

#define METHOD(n, p) \
	{ \
		.name = (n), .params = (p), .run = run, .help = "Help." \
	}
static enum gofer_err act(struct plugin_context *context)
{
	(void)context;
	return GOFER_OK;
}

#define ACTION(n, s) \
	{ \
		.name = (n), .interval_s = (s), .run = act \
	}
#define CLASS(n, m) \
	{ \
		.name = (n), .help = "Help.", .methods = (m) \
	}

/* --- the plugins of the recording test/wire/reply-admin-help.json, out of order --- */

static const struct method duck[] = {METHOD("quack", "words"), METHOD("fly", NULL), {0}};
static const struct method test_admin[] = {METHOD("echo", "thing"), {0}};
static const struct class builtin_classes[] = {CLASS("TestAdmin", test_admin),
                                               CLASS("Duck", duck),
                                               {0}};
static const struct method echo[] = {METHOD("echo", "something"), {0}};
static const struct plugin builtin = {.name = "builtin",
                                      .summary = "A summary",
                                      .classes = builtin_classes,
                                      .functions = echo};

static const struct method panther[] = {
	METHOD("test_suicide", ""), METHOD("test_progress", ""), METHOD("test_exceptions", ""),
	METHOD("test", ""),         METHOD("sleep", "n=90"),     {0},
};
static const struct class forked_classes[] = {CLASS("Panther", panther), {0}};
static const struct action forked_actions[] = {ACTION("heartbeat", 500), {0}};
static const struct plugin forked = {.name = "forked",
                                     .summary = "",
                                     .classes = forked_classes,
                                     .actions = forked_actions};

static const struct method cancel[] = {METHOD("test", NULL), {0}};
static const struct method cat[] = {
	METHOD("superMethod", "a, *names, **opts"),
	METHOD("meow", "words"),
	METHOD("badException", NULL),
	METHOD("returnObject", NULL),
	{0},
};
static const struct method cowboy[] = {METHOD("howdy", NULL),
                                       METHOD("age", NULL),
                                       METHOD("name", NULL),
                                       {0}};
static const struct method dog[] = {
	METHOD("bark", "words, wait=0"),
	METHOD("keyError", "key"),
	METHOD("myError", NULL),
	METHOD("__str__", NULL),
	METHOD("sleep", "n"),
	METHOD("wag", "n"),
	METHOD("testLayered", NULL),
	METHOD("testLayered2", NULL),
	METHOD("testpam", NULL),
	METHOD("testpam4", NULL),
	METHOD("testpam3", NULL),
	METHOD("testpam2", NULL),
	{0},
};
static const struct method heartbeat[] = {METHOD("send", NULL), {0}};
static const struct method lion[] = {METHOD("roar", NULL), {0}};
static const struct method shutdown_methods[] = {METHOD("request", NULL), {0}};
static const struct method progress[] = {METHOD("send_half", "total"),
                                         METHOD("send", "total"),
                                         {0}};
static const struct method rabbit[] = {METHOD("hop", "n"), {0}};
static const struct method repo_lib[] = {METHOD("update", NULL), {0}};
static const struct method zombie[] = {METHOD("sleep", "n"), {0}};
static const struct class test_classes[] = {
	CLASS("Zombie", zombie),
	CLASS("RepoLib", repo_lib),
	CLASS("Rabbit", rabbit),
	CLASS("Progress", progress),
	CLASS("Cancel", cancel),
	CLASS("PluginShutdown", shutdown_methods),
	CLASS("Lion", lion),
	CLASS("Heartbeat", heartbeat),
	CLASS("Dog", dog),
	{.name = "Cowboy", .params = "name, age=0", .help = "", .methods = cowboy},
	CLASS("Cat", cat),
	{0},
};
static const struct action test_actions[] = {
	ACTION("recurring_action", 90),
	ACTION("one_timer", 0),
	ACTION("apply", 5),
	{0},
};
static const struct plugin test_plugin = {.name = "testplugin",
                                          .summary = "",
                                          .classes = test_classes,
                                          .functions = echo,
                                          .actions = test_actions};

static struct catalog *made(const struct plugin *plugin)
{
	struct error error = ERROR_NONE;
	struct catalog *c = catalog_new(plugin, &error);

	if (!c)
		fail_msg("%s", error.text);
	return c;
}

/* The recorded text of Admin.help(); but our actions are no methods, and so have no self. */
static const char recorded[] = "Plugins:\n"
			       "\n"
			       "  <plugin> builtin\n"
			       "    Classes:\n"
			       "      <class> Duck\n"
			       "        Methods:\n"
			       "          fly(self)\n"
			       "          quack(self, words)\n"
			       "      <class> TestAdmin\n"
			       "        Methods:\n"
			       "          echo(self, thing)\n"
			       "    Functions:\n"
			       "      echo(something)\n"
			       "\n"
			       "  <plugin> forked\n"
			       "    Classes:\n"
			       "      <class> Panther\n"
			       "        Methods:\n"
			       "          sleep(self, n=90)\n"
			       "          test(self)\n"
			       "          test_exceptions(self)\n"
			       "          test_progress(self)\n"
			       "          test_suicide(self)\n"
			       "    Functions:\n"
			       "\n"
			       "  <plugin> testplugin\n"
			       "    Classes:\n"
			       "      <class> Cancel\n"
			       "        Methods:\n"
			       "          test(self)\n"
			       "      <class> Cat\n"
			       "        Methods:\n"
			       "          badException(self)\n"
			       "          meow(self, words)\n"
			       "          returnObject(self)\n"
			       "          superMethod(self, a, *names, **opts)\n"
			       "      <class> Cowboy\n"
			       "        Methods:\n"
			       "          age(self)\n"
			       "          howdy(self)\n"
			       "          name(self)\n"
			       "      <class> Dog\n"
			       "        Methods:\n"
			       "          __str__(self)\n"
			       "          bark(self, words, wait=0)\n"
			       "          keyError(self, key)\n"
			       "          myError(self)\n"
			       "          sleep(self, n)\n"
			       "          testLayered(self)\n"
			       "          testLayered2(self)\n"
			       "          testpam(self)\n"
			       "          testpam2(self)\n"
			       "          testpam3(self)\n"
			       "          testpam4(self)\n"
			       "          wag(self, n)\n"
			       "      <class> Heartbeat\n"
			       "        Methods:\n"
			       "          send(self)\n"
			       "      <class> Lion\n"
			       "        Methods:\n"
			       "          roar(self)\n"
			       "      <class> PluginShutdown\n"
			       "        Methods:\n"
			       "          request(self)\n"
			       "      <class> Progress\n"
			       "        Methods:\n"
			       "          send(self, total)\n"
			       "          send_half(self, total)\n"
			       "      <class> Rabbit\n"
			       "        Methods:\n"
			       "          hop(self, n)\n"
			       "      <class> RepoLib\n"
			       "        Methods:\n"
			       "          update(self)\n"
			       "      <class> Zombie\n"
			       "        Methods:\n"
			       "          sleep(self, n)\n"
			       "    Functions:\n"
			       "      echo(something)\n"
			       "\n"
			       "Actions:\n"
			       "  apply() 0:00:05\n"
			       "  heartbeat() 0:08:20\n"
			       "  one_timer() 36500 days, 0:00:00\n"
			       "  recurring_action() 0:01:30";

static void help_is_what_python_says(void **state)
{
	struct catalog_entry entries[] = {
		{"testplugin", made(&test_plugin)},
		{"builtin", made(&builtin)},
		{"forked", made(&forked)},
	};
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(catalog_print_all(&out, entries, 3), GOFER_OK);
	assert_string_equal(buf_text(&out), recorded);
	buf_release(&out);
	for (size_t i = 0; i < 3; i++)
		catalog_free((struct catalog *)entries[i].catalog);
}

static void help_of_nothing(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(catalog_print_all(&out, NULL, 0), GOFER_OK);
	assert_string_equal(buf_text(&out), "Plugins:\n\nActions:");
	buf_release(&out);
}

static void intervals_are_printed_as_python_does(void **state)
{
	static const struct action some[] = {
		ACTION("f", ACTION_WEEKS(2) + ACTION_HOURS(23) + ACTION_MINUTES(59) + 59),
		ACTION("e", ACTION_HOURS(36)),
		ACTION("d", ACTION_DAYS(1)),
		ACTION("c", ACTION_DAYS(1) - 1),
		ACTION("b", ACTION_MINUTES(1)),
		{0},
	};
	static const struct action others[] = {ACTION("c", 3600), ACTION("a", 4294967295), {0}};
	const struct plugin x = {.name = "x", .summary = "", .actions = some};
	const struct plugin y = {.name = "y", .summary = "", .actions = others};
	struct catalog_entry entries[] = {{"x", made(&x)}, {"y", made(&y)}};
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(catalog_print_all(&out, entries, 2), GOFER_OK);
	assert_string_equal(strstr(buf_text(&out), "Actions:"),
	                    "Actions:\n"
	                    "  a() 49710 days, 6:28:15\n"
	                    "  b() 0:01:00\n"
	                    "  c() 1:00:00\n"
	                    "  c() 23:59:59\n"
	                    "  d() 1 day, 0:00:00\n"
	                    "  e() 1 day, 12:00:00\n"
	                    "  f() 14 days, 23:59:59");
	buf_release(&out);
	for (size_t i = 0; i < 2; i++)
		catalog_free((struct catalog *)entries[i].catalog);
}

static void help_calls_the_plugin_what_it_is_called(void **state)
{
	struct catalog *c = made(&builtin);
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(catalog_print_help(&out, c, "other"), GOFER_OK);
	assert_int_equal(strncmp(buf_text(&out), "  <plugin> other\n    Classes:\n", 30), 0);
	assert_string_equal(buf_text(&out) + out.size - 37,
	                    "    Functions:\n      echo(something)\n");
	buf_release(&out);
	catalog_free(c);
}

static void methods_are_found_by_class_and_name(void **state)
{
	struct catalog *c = made(&test_plugin);
	const struct catalog_method *m = catalog_find(c, "Dog", "bark");

	(void)state;
	assert_ptr_equal(catalog_plugin(c), &test_plugin);
	assert_non_null(m);
	assert_ptr_equal(m->method, &dog[0]);
	assert_string_equal(m->class->name, "Dog");
	assert_string_equal(m->qualname, "Dog.bark");
	assert_string_equal(m->cntr_qualname, "Dog.__init__");
	assert_int_equal(params_count(m->params), 2);
	assert_int_equal(params_count(m->cntr_params), 0);

	m = catalog_find(c, "Cowboy", "howdy");
	assert_non_null(m);
	assert_string_equal(params_name(m->cntr_params, 1), "age");

	assert_null(catalog_find(c, "Dog", "meow"));
	assert_null(catalog_find(c, "Dog", ""));
	assert_null(catalog_find(c, "dog", "bark"));
	assert_null(catalog_find(c, "", "bark"));
	catalog_free(c);
}

static void functions_are_found_by_the_plugins_name(void **state)
{
	struct catalog *c = made(&test_plugin);
	const struct catalog_method *m = catalog_find(c, "testplugin", "echo");

	(void)state;
	assert_non_null(m);
	assert_null(m->class);
	assert_null(m->cntr_params);
	assert_null(m->cntr_qualname);
	assert_string_equal(m->qualname, "echo");
	assert_null(catalog_find(c, "testplugin", "bark"));
	catalog_free(c);
}

static void a_class_is_known_or_not(void **state)
{
	struct catalog *c = made(&forked);

	(void)state;
	assert_true(catalog_has_class(c, "Panther"));
	assert_true(catalog_has_class(c, "forked")); /* though it has no function */
	assert_false(catalog_has_class(c, "panther"));
	assert_false(catalog_has_class(c, "builtin"));
	assert_false(catalog_has_class(c, ""));
	catalog_free(c);
}

static void assert_refused(const struct plugin *plugin, const char *fault)
{
	struct error error = ERROR_NONE;

	assert_null(catalog_new(plugin, &error));
	assert_int_equal(error.code, GOFER_INVALID);
	assert_string_equal(error.text, fault);
	assert_null(catalog_new(plugin, NULL));
}

static void refuse_methods(const struct method *methods, const char *fault)
{
	const struct class classes[] = {CLASS("A", methods), {0}};
	const struct plugin plugin = {.name = "p", .summary = "", .classes = classes};

	assert_refused(&plugin, fault);
}

static void refuse_classes(const struct class *classes, const char *fault)
{
	const struct plugin plugin = {.name = "p", .summary = "", .classes = classes};

	assert_refused(&plugin, fault);
}

static void faults_in_methods_are_told(void **state)
{
	static const struct requirement empty[] = {{REQUIRE_SECRET, "x"},
	                                           {REQUIRE_SECRET, ""},
	                                           {0}};

	(void)state;
	refuse_methods((struct method[]){METHOD("m", NULL), METHOD("m", NULL), {0}},
	               "plugin p: A.m: there twice");
	refuse_methods((struct method[]){METHOD("m-1", NULL), {0}}, "plugin p: A.m-1: not a name");
	refuse_methods((struct method[]){METHOD("", NULL), {0}}, "plugin p: A.: not a name");
	refuse_methods((struct method[]){METHOD("1m", NULL), {0}}, "plugin p: A.1m: not a name");
	refuse_methods((struct method[]){{.name = "m", .help = ""}, {0}},
	               "plugin p: A.m: nothing to run");
	refuse_methods((struct method[]){{.name = "m", .run = run}, {0}}, "plugin p: A.m: no help");
	refuse_methods((struct method[]){METHOD("m", "a b"), {0}},
	               "plugin p: A.m: parameters: column 3: `,` expected between parameters");
	refuse_methods((struct method[]){METHOD("m", "self, a"), {0}},
	               "plugin p: A.m: self among the parameters; it is left out");
	refuse_methods((struct method[]){{.name = "m", .run = run, .help = "", .require = empty},
	                                 {0}},
	               "plugin p: A.m: an empty secret or user required");
}

static void faults_in_classes_are_told(void **state)
{
	(void)state;
	refuse_classes((struct class[]){CLASS("A", NULL), CLASS("B", NULL), CLASS("A", NULL), {0}},
	               "plugin p: class A: there twice");
	refuse_classes((struct class[]){CLASS("A.B", NULL), {0}},
	               "plugin p: class A.B: not a name");
	refuse_classes((struct class[]){CLASS("p", NULL), {0}},
	               "plugin p: class p: named like its plugin, whose functions it would hide");
	refuse_classes((struct class[]){{.name = "A"}, {0}}, "plugin p: class A: no help");
	refuse_classes((struct class[]){{.name = "A", .help = "", .params = "a, a"}, {0}},
	               "plugin p: A.__init__: parameters: column 4: `a` is there twice");
	refuse_classes((struct class[]){{.name = "A", .help = "", .params = "self"}, {0}},
	               "plugin p: A.__init__: self among the parameters; it is left out");
}

static void refuse_actions(const struct action *actions, const char *fault)
{
	const struct plugin plugin = {.name = "p", .summary = "", .actions = actions};

	assert_refused(&plugin, fault);
}

static void faults_in_actions_are_told(void **state)
{
	(void)state;
	refuse_actions((struct action[]){ACTION("a", 1), ACTION("b", 1), ACTION("a", 2), {0}},
	               "plugin p: action a: there twice");
	refuse_actions((struct action[]){ACTION("a b", 1), {0}},
	               "plugin p: action a b: not a name");
	refuse_actions((struct action[]){ACTION("", 1), {0}}, "plugin p: action : not a name");
	refuse_actions((struct action[]){{.name = "a", .interval_s = 1}, {0}},
	               "plugin p: action a: nothing to run");
}

static void faults_of_the_plugin_are_told(void **state)
{
	static const struct method twice[] = {METHOD("f", NULL), METHOD("f", "self"), {0}};

	(void)state;
	assert_refused(&(struct plugin){.name = "P", .summary = ""},
	               "plugin P: not a name; small letters, digits, _ and - would be right");
	assert_refused(&(struct plugin){.name = "", .summary = ""},
	               "plugin : not a name; small letters, digits, _ and - would be right");
	assert_refused(&(struct plugin){.name = "p"}, "plugin p: no summary");
	assert_refused(&(struct plugin){.name = "p", .summary = "", .functions = twice},
	               "plugin p: f: there twice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help_is_what_python_says),
		cmocka_unit_test(help_of_nothing),
		cmocka_unit_test(intervals_are_printed_as_python_does),
		cmocka_unit_test(help_calls_the_plugin_what_it_is_called),
		cmocka_unit_test(methods_are_found_by_class_and_name),
		cmocka_unit_test(functions_are_found_by_the_plugins_name),
		cmocka_unit_test(a_class_is_known_or_not),
		cmocka_unit_test(faults_in_methods_are_told),
		cmocka_unit_test(faults_in_classes_are_told),
		cmocka_unit_test(faults_in_actions_are_told),
		cmocka_unit_test(faults_of_the_plugin_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
