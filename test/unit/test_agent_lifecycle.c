/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins loaded, reloaded and unloaded while the agent runs, calls forwarded between them, actions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_fixture.h"
#include "agent_scene.h"

#define DESCRIPTOR "[main]\nenabled=1\nplugin=test\nthreads=2\n"

static size_t plugins_wanted;

static bool has_plugins(void)
{
	return agent_instances(scene.agent) == plugins_wanted;
}

static void wait_plugins(size_t count)
{
	plugins_wanted = count;
	scene_wait(has_plugins, "so many plugins");
}

static unsigned loads_wanted;

static bool has_loads(void)
{
	return fixture_loads == loads_wanted;
}

/* Modules that are loaded and not unloaded: of a plugin that is being reloaded there may be two. */
static void wait_loads(unsigned count)
{
	loads_wanted = count;
	scene_wait(has_loads, "so many modules");
}

static unsigned runs_wanted;

static bool has_runs(void)
{
	return fixture_runs >= runs_wanted;
}

static void wait_runs(unsigned count)
{
	runs_wanted = count;
	scene_wait(has_runs, "so many runs");
}

static void start(void)
{
	scene_start_own(NULL);
}

/* As SIGHUP does. */
static void renew(void)
{
	struct settings_source source = {
		.root = scene.root,
		.table = scene_table,
		.listen = (const char *const[]){"amqp://127.0.0.1:0"},
		.listen_count = 1,
	};
	struct settings *settings = settings_load(&source, &scene.faults, &scene.notes);

	assert_non_null(settings);
	agent_renew_take(scene.agent, settings);
}

static void test_loaded_and_unloaded(void **state)
{
	(void)state;
	start();
	assert_int_equal(agent_instances(scene.agent), 0);
	scene_put("plugins/a.conf", DESCRIPTOR);
	renew();
	wait_plugins(1);
	assert_int_equal(fixture_loads, 1);
	scene_call("a", "1", "echo");
	scene_wait_texts(3);
	scene_put("plugins/a.conf", "[main]\nenabled=0\nplugin=test\n");
	renew();
	wait_plugins(0);
	wait_loads(0);
	scene_put("plugins/a.conf", DESCRIPTOR);
	renew();
	wait_plugins(1);
	scene_call("a", "2", "echo");
	scene_wait_texts(6);
}

/* What is the same is not touched. */
static void test_nothing_has_changed(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", DESCRIPTOR);
	start();
	scene_call("a", "1", "block");
	wait_runs(1);
	scene_put("plugins/a.conf", "# the same in other words\n" DESCRIPTOR);
	renew();
	wait_loads(1);
	fixture_release(1);
	scene_wait_texts(3);
	assert_true(scene_is_said("released"));
}

/* What runs ends as it began, what waits is the new one's. */
static void test_reloaded_in_the_middle(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\n[test]\nname=old\n");
	start();
	scene_call("a", "running", "block");
	wait_runs(1);
	scene_call("a", "waiting", "who");
	scene_wait_texts(3);
	scene_put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\n[test]\nname=new\n");
	scene_put("plugins/b.conf", DESCRIPTOR);
	renew();
	wait_plugins(2); /* and the reload is through: one is loaded after the other */
	assert_int_equal(fixture_loads, 3);
	fixture_release(1);
	scene_wait_texts(6);
	assert_true(scene_is_said("released"));
	assert_true(scene_is_said("\"new\""));
	wait_loads(2);
}

/* Threads are a matter of the pool, which lives on. */
static void test_more_threads(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\nthreads=1\n");
	start();
	scene_call("a", "1", "block");
	scene_call("a", "2", "block");
	wait_runs(1);
	scene_put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\nthreads=2\n");
	renew();
	wait_runs(2);
	fixture_release(2);
	scene_wait_texts(6);
}

static void test_another_queue(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", DESCRIPTOR "[messaging]\nuuid=here\n");
	scene_put("plugins/b.conf", DESCRIPTOR "[messaging]\nuuid=there\n");
	start();
	scene_call("here", "1", "block");
	wait_runs(1);
	scene_put("plugins/b.conf", "[main]\nenabled=0\nplugin=test\n");
	renew();
	wait_plugins(1); /* its queue stays, and keeps what comes */
	scene_put("plugins/a.conf", DESCRIPTOR "[messaging]\nuuid=there\n");
	renew();
	scene_call("there", "2", "echo");
	scene_wait_texts(5);
	fixture_release(1);
	scene_wait_texts(6);
	assert_true(scene_is_said("released"));
}

/* The one that was goes on. */
static void test_new_one_cannot_be_loaded(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", DESCRIPTOR "[test]\nname=old\n");
	start();
	scene_put("plugins/a.conf", DESCRIPTOR "[test]\nname=new\nbroken=1\n");
	renew();
	scene_put("plugins/b.conf", DESCRIPTOR);
	renew();
	wait_plugins(2); /* and the first one is through too: one is loaded after the other */
	scene_call("a", "1", "who");
	scene_wait_texts(3);
	assert_true(scene_is_said("\"old\""));
	scene_put("plugins/a.conf", "[main]\nenabled=perhaps\n");
	renew();
	scene_call("a", "2", "who");
	scene_wait_texts(6);
}

/* It goes on where it is, too. */
static void test_new_one_cannot_be_connected(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", DESCRIPTOR "[test]\nname=old\n");
	start();
	scene_put("plugins/a.conf",
	          DESCRIPTOR "[messaging]\nurl=amqps://127.0.0.1:1\n"
	                     "cacert=/nowhere\n[test]\nname=new\n");
	renew();
	scene_put("plugins/b.conf", DESCRIPTOR);
	renew();
	wait_plugins(2); /* and the first one is through too: one is loaded after the other */
	scene_call("a", "1", "who");
	scene_wait_texts(3);
	assert_true(scene_is_said("\"old\""));
}

static void test_unloading_waits(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\n");
	start();
	scene_call("a", "1", "block");
	scene_call("a", "2", "echo");
	wait_runs(1);
	scene_wait_texts(3);
	scene_put("plugins/a.conf", "[main]\nenabled=0\nplugin=test\n");
	renew();
	scene_call("a", "3", "echo"); /* waits at the broker */
	assert_int_equal(agent_instances(scene.agent), 1);
	fixture_release(1);
	scene_wait_texts(6);
	wait_plugins(0);
	scene_put("plugins/a.conf", DESCRIPTOR);
	renew();
	scene_wait_texts(9);
}

static void test_forwarded(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", "[main]\nenabled=1\nplugin=other\nforward=x, b\n");
	scene_put("plugins/b.conf", DESCRIPTOR "accept=a\n[test]\nname=b\n");
	scene_put("plugins/c.conf", DESCRIPTOR "accept=*\n[test]\nname=c\n");
	scene_put("plugins/d.conf", "[main]\nenabled=1\nplugin=other\nforward=*\n");
	scene_put("plugins/e.conf", "[main]\nenabled=1\nplugin=other\n");
	start();
	scene_call("a", "1", "who");
	scene_wait_texts(3);
	assert_true(scene_is_said("\"b\""));
	scene_call("d", "2", "who");
	scene_wait_texts(6);
	assert_true(scene_is_said("\"c\"")); /* b does not accept d's */
	assert_false(scene_is_said("NamespaceNotFound"));
	scene_call("e", "3", "who");
	scene_wait_texts(9);
	assert_true(scene_is_said("NamespaceNotFound"));
}

/* A call that is forwarded keeps what it runs in. */
static void test_forwarded_to_one_that_goes(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", "[main]\nenabled=1\nplugin=other\nforward=*\n");
	scene_put("plugins/b.conf", DESCRIPTOR "accept=*\n");
	start();
	scene_call("a", "1", "block");
	wait_runs(1);
	scene_put("plugins/b.conf", "[main]\nenabled=0\nplugin=test\n");
	renew();
	wait_plugins(1);
	assert_int_equal(fixture_loads, 1);
	scene_call("a", "2", "echo"); /* waits for a's one thread */
	fixture_release(1);
	scene_wait_texts(6);
	assert_true(scene_is_said("released"));
	assert_true(scene_is_said("NamespaceNotFound"));
	wait_loads(0);
}

static void test_actions(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", DESCRIPTOR "[test]\nticks=1\n");
	start();
	while (fixture_ticks < 3)
		loop_run_once(scene.loop, 0.05);
	assert_int_equal(fixture_onces, 1);
	assert_int_equal(fixture_beside, 0);
	scene_put("plugins/a.conf", DESCRIPTOR "[test]\nticks=2\n");
	renew();
	while (fixture_onces < 2)
		loop_run_once(scene.loop, 0.05);
	scene_put("plugins/a.conf", "[main]\nenabled=0\nplugin=test\n");
	renew();
	wait_plugins(0);
	wait_loads(0);
}

/* Nothing is done any more, but what was accepted ends. */
static void test_renewed_and_stopped(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", DESCRIPTOR);
	start();
	scene_put("plugins/b.conf", DESCRIPTOR);
	scene_put("plugins/a.conf", DESCRIPTOR "[test]\nname=new\n");
	renew();
	scene_stop_and_wait();
}

/* What is read while a plugin is on its way in counts when it is there. */
static void test_unwanted_while_loading(void **state)
{
	(void)state;
	scene_put("plugins/b.conf", DESCRIPTOR);
	start();
	scene_put("plugins/a.conf", DESCRIPTOR);
	scene_put("plugins/b.conf", "[main]\nenabled=0\nplugin=test\n"); /* its queue stays */
	renew();
	scene_put("plugins/a.conf", "[main]\nenabled=0\nplugin=test\n");
	scene_put("plugins/b.conf", DESCRIPTOR);
	renew();
	scene_call("b", "1", "echo"); /* one is loaded after the other */
	scene_wait_texts(3);
	wait_plugins(1);
	wait_loads(1);
}

static void test_as_before_while_loading(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", DESCRIPTOR "[test]\nname=old\n");
	start();
	scene_put("plugins/a.conf", DESCRIPTOR "[test]\nname=new\n");
	renew();
	scene_put("plugins/a.conf", DESCRIPTOR "[test]\nname=old\n");
	scene_put("plugins/b.conf", DESCRIPTOR);
	renew();
	wait_plugins(2);
	for (size_t i = 1; i <= 20 && !scene_is_said("\"old\""); i++) {
		char sn[8];

		snprintf(sn, sizeof sn, "%zu", i);
		scene_call("a", sn, "who");
		scene_wait_texts(3 * i);
	}
	assert_true(scene_is_said("\"old\""));
}

/* What a plugin has to put away is waited for. */
static void test_stopped_while_unloading(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", DESCRIPTOR "[test]\nlingers=1\n");
	start();
	scene_put("plugins/a.conf", "[main]\nenabled=0\nplugin=test\n");
	renew();
	wait_plugins(0);
	assert_int_equal(fixture_loads, 1);
	scene_stop_and_wait();
	assert_int_equal(agent_abandoned(scene.agent), 0);
	assert_int_equal(fixture_loads, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(test_loaded_and_unloaded),
		SCENE_TEST(test_nothing_has_changed),
		SCENE_TEST(test_reloaded_in_the_middle),
		SCENE_TEST(test_more_threads),
		SCENE_TEST(test_another_queue),
		SCENE_TEST(test_new_one_cannot_be_loaded),
		SCENE_TEST(test_new_one_cannot_be_connected),
		SCENE_TEST(test_unloading_waits),
		SCENE_TEST(test_forwarded),
		SCENE_TEST(test_forwarded_to_one_that_goes),
		SCENE_TEST(test_actions),
		SCENE_TEST(test_renewed_and_stopped),
		SCENE_TEST(test_unwanted_while_loading),
		SCENE_TEST(test_as_before_while_loading),
		SCENE_TEST(test_stopped_while_unloading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
