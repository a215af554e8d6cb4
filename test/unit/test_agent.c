/* SPDX-License-Identifier: Apache-2.0 */
/* The agent as a whole, its broker in this process or beyond a socket, its callers beyond a socket. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent_fixture.h"
#include "agent_scene.h"
#include "broker/broker.h"
#include "core/clock.h"

/* --- tests ---------------------------------------------------------------------------- */

static void test_answers_through_its_own_broker(void **state)
{
	(void)state;
	scene_start_own("test=its-queue");
	assert_int_equal(agent_instances(scene.agent), 1);
	scene_call("its-queue", "one", "echo");
	scene_wait_texts(3);
	assert_true(scene_is_said("\"status\": \"accepted\""));
	assert_true(scene_is_said("\"status\": \"started\""));
	assert_true(scene_is_said("\"retval\": \"hi\""));
	assert_true(scene_stop_and_wait() < 1000);
	assert_int_equal(agent_abandoned(scene.agent), 0);
}

static void test_many_at_once(void **state)
{
	char sn[16];

	(void)state;
	scene_start_own("test");
	for (int i = 0; i < 20; i++) {
		snprintf(sn, sizeof sn, "%d", i);
		scene_call("test", sn, "echo");
	}
	scene_wait_texts(60);
	scene_stop_and_wait();
}

/* Each call that was accepted is answered. */
static void test_soft_stop(void **state)
{
	(void)state;
	scene_start_own("test");
	scene_call("test", "running", "block");
	scene_wait_texts(2);
	scene_call("test", "waiting", "echo");
	scene_wait_texts(3);
	agent_stop(scene.agent);
	for (int i = 0; i < 10; i++)
		loop_run_once(scene.loop, 0.01);
	assert_false(scene.stopped);
	fixture_release(1);
	scene_wait_texts(6);
	scene_wait(scene_is_stopped, "stopped");
	assert_true(scene_is_said("\"retval\": \"released\""));
	assert_true(scene_is_said("\"retval\": \"hi\""));
	assert_int_equal(agent_abandoned(scene.agent), 0);
	agent_stop(scene.agent);
}

static void test_second_stop_is_at_once(void **state)
{
	uint64_t begin;

	(void)state;
	scene_start_own("test");
	scene_call("test", "running", "sleep");
	scene_wait_texts(2);
	scene_call("test", "waiting", "echo");
	scene_wait_texts(3);
	agent_stop(scene.agent);
	begin = clock_monotonic_ms();
	assert_true(scene_stop_and_wait() < 4000);
	scene_wait_texts(5);
	assert_true(clock_monotonic_ms() - begin < 4000);
	assert_true(scene_is_said("\"Cancelled\""));
	assert_int_equal(agent_abandoned(scene.agent), 0);
	assert_int_equal(fixture_runs, 1);
}

static void test_grace_is_over(void **state)
{
	uint64_t took;

	(void)state;
	scene_put("agent.conf", "[main]\ngrace=0.3\n");
	scene_start_own("test");
	scene_call("test", "running", "sleep");
	scene_wait_texts(2);
	took = scene_stop_and_wait();
	assert_in_range(took, 300, 4000);
	scene_wait_texts(3);
	assert_true(scene_is_said("\"Cancelled\""));
}

/* Who does not listen is left behind. */
static void test_abandoned(void **state)
{
	(void)state;
	scene_put("agent.conf", "[main]\ngrace=0.1\n");
	scene_start_own("test");
	scene_call("test", "running", "block");
	scene_wait_texts(2);
	assert_in_range(scene_stop_and_wait(), 1000, 6000);
	assert_int_equal(agent_abandoned(scene.agent), 1);
	fixture_release(1);
}

/* The broker's peers have the time to go by themselves. */
static void test_peer_that_is_slow_to_go(void **state)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	scene_start_own("test");
	to.sin_port = htons(agent_port(scene.agent));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	loop_run_once(scene.loop, 0.01);
	agent_stop(scene.agent);
	for (int i = 0; i < 20; i++)
		loop_run_once(scene.loop, 0.01);
	assert_false(scene.stopped);
	close(fd);
	scene_wait(scene_is_stopped, "stopped");
}

/* A request that comes too late is not looked at: what it asks about is going. */
static void test_asked_at_the_end(void **state)
{
	static const char request[] = "{\"name\": \"status\"}";
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char byte;

	(void)state;
	scene_start_own("test");
	snprintf(to.sun_path, sizeof to.sun_path, "%s/run/gofer/management.sock", scene.root);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	scene_stop_and_wait();
	assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
	agent_free(scene.agent);
	scene.agent = NULL;
	assert_true(read(fd, &byte, 1) <= 0);
	close(fd);
}

/* A plugin that can't be loaded is left out, the others are not; two on one broker share it. */
static void test_several_plugins(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\n");
	scene_put("plugins/b.conf", "[main]\nenabled=1\nplugin=test\n[test]\nbroken=1\n");
	scene_put("plugins/c.conf", "[main]\nenabled=1\nplugin=test\n[test]\nname=see\n");
	scene_put("plugins/d.conf", "[main]\nenabled=0\nplugin=test\n");
	log_level("", LOG_LEVEL_ERROR);
	scene_start_own("test");
	assert_int_equal(agent_instances(scene.agent), 3);
	scene_call("c", "1", "who");
	scene_wait_texts(3);
	assert_true(scene_is_said("\"retval\": \"see\""));
	scene_call("a", "2", "who");
	scene_wait_texts(6);
	assert_true(scene_is_said("\"retval\": \"nobody\""));
	scene_stop_and_wait();
}

static void test_no_broker_at_all(void **state)
{
	(void)state;
	scene_put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\n");
	scene_start((struct settings_source){0});
	scene_wait(scene_is_ready, "ready");
	assert_int_equal(agent_port(scene.agent), 0);
	assert_true(scene_stop_and_wait() < 1000);
}

/* Ready is who has tried: a broker that is not there keeps nobody waiting. */
static void test_broker_that_is_not_there(void **state)
{
	const char *plugin = "test";

	(void)state;
	scene_start((struct settings_source){.plugins = &plugin,
	                                     .plugins_count = 1,
	                                     .url = "amqp://127.0.0.1:1"});
	scene_wait(scene_is_ready, "ready");
	assert_true(scene_stop_and_wait() < 1000);
}

static void test_listening_where_it_cannot(void **state)
{
	struct error error = ERROR_NONE;
	const char *listen = "amqp://192.0.2.1:1";

	(void)state;
	scene.settings = settings_load(&(struct settings_source){.root = scene.root,
	                                                         .table = scene_table,
	                                                         .listen = &listen,
	                                                         .listen_count = 1},
	                               &scene.faults, &scene.notes);
	assert_non_null(scene.settings);
	assert_null(agent_new(scene.loop, scene.settings, &scene_events, NULL, &error));
	assert_int_not_equal(error.code, GOFER_OK);
	assert_true(error.text[0]);
}

/* Freed before it ever ran. */
static void test_never_run(void **state)
{
	const char *plugin = "test";

	(void)state;
	scene_start((struct settings_source){
		.plugins = &plugin,
		.plugins_count = 1,
		.listen = (const char *const[]){"amqp://127.0.0.1:0"},
		.listen_count = 1,
	});
	agent_free(scene.agent);
	scene.agent = NULL;
	agent_free(NULL);
}

/* --- beyond a socket ------------------------------------------------------------------ */

static struct broker *new_broker(uint16_t port)
{
	struct error error = ERROR_NONE;
	struct url url = {.host = (char *)"127.0.0.1", .port = port};
	struct broker *b = broker_new(scene.loop, &(struct broker_options){0}, &error);

	assert_non_null(b);
	if (broker_listen(b, &url, &error))
		fail_msg("%s", error.text);
	return b;
}

/* The broker goes in mid-call, and comes back: the call goes on, its result is sent afterwards, the request
 * that comes again is not run again. */
static void test_broker_goes_and_comes_back(void **state)
{
	struct broker *broker = new_broker(0);
	struct connection *keeper;
	uint16_t port = broker_port(broker);
	const char *plugin = "test";
	char url[64];

	(void)state;
	snprintf(url, sizeof url, "amqp://127.0.0.1:%u", port);
	scene_start((struct settings_source){.plugins = &plugin, .plugins_count = 1, .url = url});
	scene_wait(scene_is_ready, "ready");
	scene_start_caller(port);
	receiver_close(scene.replies);
	scene.reply_address[0] = '\0';
	scene.replies =
		receiver_open(scene.caller, &(struct receiver_options){.address = "answers"},
	                      &scene_reply_events, NULL);
	scene_wait(scene_has_address, "a reply address");
	scene_call("test", "s", "block");
	scene_wait_texts(2);

	broker_free(broker);
	for (int i = 0; i < 10; i++)
		loop_run_once(scene.loop, 0.01);
	fixture_release(1);
	broker = new_broker(port);
	/* Its queues are kept over it, as a broker with a disk keeps them. */
	keeper = broker_connect(broker, &scene_caller_events, NULL);
	receiver_open(keeper, &(struct receiver_options){.address = "answers"}, &scene_idle_events,
	              NULL);
	scene_wait_texts(3);
	assert_true(scene_is_said("\"retval\": \"released\""));
	scene_call("test", "s", "block");
	scene_wait_texts(4);
	assert_string_equal(scene.texts[3], scene.texts[2]);
	scene_call("test", "t", "echo");
	scene_wait_texts(7);
	assert_int_equal(fixture_runs, 2);
	scene_stop_and_wait();
	agent_free(scene.agent);
	scene.agent = NULL;
	connection_free(scene.caller);
	scene.caller = NULL;
	connection_free(keeper);
	broker_free(broker);
}

/* Plugins that reach one broker in one way share a connection; another way is another connection. */
static void test_connections_are_shared(void **state)
{
	struct broker *broker = new_broker(0);
	struct broker_stats stats;
	char text[256];

	(void)state;
	snprintf(text, sizeof text, "[messaging]\nurl=amqp://127.0.0.1:%u\n", broker_port(broker));
	scene_put("agent.conf", text);
	scene_put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\n");
	scene_put("plugins/b.conf", "[main]\nenabled=1\nplugin=test\n[messaging]\nheartbeat=\n");
	scene_put("plugins/c.conf", "[main]\nenabled=1\nplugin=test\n[messaging]\nheartbeat=20\n");
	scene_put("plugins/d.conf", "[main]\nenabled=1\nplugin=test\n[messaging]\nheartbeat=20s\n");
	scene_start((struct settings_source){0});
	scene_wait(scene_is_ready, "ready");
	broker_stats(broker, &stats);
	assert_int_equal(stats.connections, 2);
	assert_int_equal(stats.queues, 4);
	scene_stop_and_wait();
	agent_free(scene.agent);
	scene.agent = NULL;
	broker_free(broker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(test_answers_through_its_own_broker),
		SCENE_TEST(test_many_at_once),
		SCENE_TEST(test_soft_stop),
		SCENE_TEST(test_second_stop_is_at_once),
		SCENE_TEST(test_grace_is_over),
		SCENE_TEST(test_abandoned),
		SCENE_TEST(test_peer_that_is_slow_to_go),
		SCENE_TEST(test_asked_at_the_end),
		SCENE_TEST(test_several_plugins),
		SCENE_TEST(test_no_broker_at_all),
		SCENE_TEST(test_broker_that_is_not_there),
		SCENE_TEST(test_listening_where_it_cannot),
		SCENE_TEST(test_never_run),
		SCENE_TEST(test_broker_goes_and_comes_back),
		SCENE_TEST(test_connections_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
