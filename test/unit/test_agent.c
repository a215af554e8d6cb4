/* SPDX-License-Identifier: Apache-2.0 */
/* The agent as a whole, its broker in this process or beyond a socket, its callers beyond a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent_fixture.h"
#include "broker/broker.h"
#include "core/clock.h"
#include "core/log.h"

#define LIMIT_MS 15000

static const struct plugin *const table[] = {&fixture_plugin, NULL};

/* An agent, and a caller with a reply queue of its own. */
static char root[64];
static struct loop *loop;
static struct agent *agent;
static struct settings *settings;
static struct config_faults faults, notes;
static bool ready, stopped;

static struct connection *caller;
static struct receiver *replies;
static char reply_address[128];
static char *texts[64];
static size_t texts_count;

/* --- the caller ----------------------------------------------------------------------- */

static void on_up(struct connection *c, void *context)
{
	(void)c;
	(void)context;
}

static void on_caller_down(struct connection *c, const struct error *why, double retry_s,
                           void *context)
{
	(void)c;
	(void)why;
	(void)retry_s;
	(void)context;
}

static const struct connection_events caller_events = {on_up, on_caller_down, NULL};

static void on_open(struct receiver *r, const char *address, void *context)
{
	(void)context;
	snprintf(reply_address, sizeof reply_address, "%s", address);
	receiver_credit(r, 1000);
}

static void on_message(struct receiver *r, struct delivery *d, void *context)
{
	const struct message *m = delivery_message(d);

	(void)r;
	(void)context;
	assert_true(texts_count < 64);
	texts[texts_count++] = strndup(m->body.data, m->body.size);
	delivery_settle(d, OUTCOME_ACCEPTED, NULL);
}

static void on_down(struct receiver *r, const struct error *why, double retry_s, void *context)
{
	(void)r;
	(void)why;
	(void)retry_s;
	(void)context;
}

static void on_idle_open(struct receiver *r, const char *address, void *context)
{
	(void)r;
	(void)address;
	(void)context;
}

static const struct receiver_events reply_events = {on_open, on_message, on_down};
static const struct receiver_events idle_events = {on_idle_open, on_message, on_down};

static void wait_for(bool (*done)(void), const char *what)
{
	uint64_t until = clock_monotonic_ms() + LIMIT_MS;

	while (!done() && clock_monotonic_ms() < until)
		loop_run_once(loop, 0.01);
	if (!done())
		fail_msg("never %s", what);
}

static bool has_address(void)
{
	return reply_address[0];
}

static void start_caller(uint16_t port)
{
	struct error error = ERROR_NONE;
	struct url url = {.host = (char *)"127.0.0.1", .port = port};

	caller = connection_new(loop, &(struct connection_options){.url = &url, .persistent = true},
	                        &caller_events, NULL, &error);
	assert_non_null(caller);
	replies = receiver_open(caller, &(struct receiver_options){.address = NULL}, &reply_events,
	                        NULL);
	wait_for(has_address, "a reply address");
}

static void call(const char *queue, const char *sn, const char *method)
{
	struct buf text = BUF_INIT;
	struct message m = MESSAGE_INIT;

	buf_printf(&text,
	           "{\"sn\": \"%s\", \"version\": \"2.0\", \"replyto\": \"%s\", \"request\": "
	           "{\"classname\": \"Test\", \"method\": \"%s\", \"args\": %s}}",
	           sn, reply_address, method,
	           strcmp(method, "sleep") == 0          ? "[30]"
	                   : strcmp(method, "echo") == 0 ? "[\"hi\"]"
	                                                 : "[]");
	m.body_kind = MESSAGE_STRING;
	m.body = (struct slice){text.data, text.size};
	assert_int_equal(connection_send(caller,
	                                 &(struct send_options){.address = queue, .message = &m}),
	                 GOFER_OK);
	buf_release(&text);
}

static size_t wanted;

static bool has_texts(void)
{
	return texts_count >= wanted;
}

static void wait_texts(size_t count)
{
	wanted = count;
	wait_for(has_texts, "so many replies");
}

static bool is_said(const char *text)
{
	for (size_t i = 0; i < texts_count; i++)
		if (strstr(texts[i], text))
			return true;
	return false;
}

/* --- the agent ------------------------------------------------------------------------ */

static void on_ready(void *context)
{
	assert_ptr_equal(context, &agent);
	ready = true;
}

static void on_stopped(void *context)
{
	(void)context;
	stopped = true;
}

static const struct agent_events events = {on_ready, on_stopped};

static bool is_ready(void)
{
	return ready;
}

static bool is_stopped(void)
{
	return stopped;
}

static void put(const char *name, const char *text)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof path, "%s/etc", root);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/etc/gofer", root);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/etc/gofer/plugins", root);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/etc/gofer/%s", root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void start_agent(struct settings_source source)
{
	struct error error = ERROR_NONE;

	source.root = root;
	source.table = table;
	settings = settings_load(&source, &faults, &notes);
	if (!settings)
		fail_msg("%s", buf_text(&faults.text));
	agent = agent_new(loop, settings, &events, &agent, &error);
	if (!agent)
		fail_msg("%s", error.text);
}

static void start_own(const char *plugin)
{
	start_agent((struct settings_source){
		.plugins = &plugin,
		.plugins_count = 1,
		.listen = (const char *const[]){"amqp://127.0.0.1:0"},
		.listen_count = 1,
	});
	wait_for(is_ready, "ready");
	start_caller(agent_port(agent));
}

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "%s/gofer-agent-XXXXXX",
	         getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	log_level("", LOG_LEVEL_ERROR);
	loop = loop_new(NULL);
	ready = stopped = false;
	reply_address[0] = '\0';
	fixture_runs = 0;
	return loop && mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	agent_free(agent);
	agent = NULL;
	connection_free(caller);
	caller = NULL;
	loop_free(loop);
	settings_free(settings);
	settings = NULL;
	config_faults_release(&faults);
	config_faults_release(&notes);
	while (texts_count)
		free(texts[--texts_count]);
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static uint64_t stop_and_wait(void)
{
	uint64_t begin = clock_monotonic_ms();

	agent_stop(agent);
	wait_for(is_stopped, "stopped");
	return clock_monotonic_ms() - begin;
}

/* --- tests ---------------------------------------------------------------------------- */

static void test_answers_through_its_own_broker(void **state)
{
	(void)state;
	start_own("test=its-queue");
	assert_int_equal(agent_instances(agent), 1);
	call("its-queue", "one", "echo");
	wait_texts(3);
	assert_true(is_said("\"status\": \"accepted\""));
	assert_true(is_said("\"status\": \"started\""));
	assert_true(is_said("\"retval\": \"hi\""));
	assert_true(stop_and_wait() < 1000);
	assert_int_equal(agent_abandoned(agent), 0);
}

static void test_many_at_once(void **state)
{
	char sn[16];

	(void)state;
	start_own("test");
	for (int i = 0; i < 20; i++) {
		snprintf(sn, sizeof sn, "%d", i);
		call("test", sn, "echo");
	}
	wait_texts(60);
	stop_and_wait();
}

/* Each call that was accepted is answered. */
static void test_soft_stop(void **state)
{
	(void)state;
	start_own("test");
	call("test", "running", "block");
	wait_texts(2);
	call("test", "waiting", "echo");
	wait_texts(3);
	agent_stop(agent);
	for (int i = 0; i < 10; i++)
		loop_run_once(loop, 0.01);
	assert_false(stopped);
	fixture_release(1);
	wait_texts(6);
	wait_for(is_stopped, "stopped");
	assert_true(is_said("\"retval\": \"released\""));
	assert_true(is_said("\"retval\": \"hi\""));
	assert_int_equal(agent_abandoned(agent), 0);
	agent_stop(agent);
}

static void test_second_stop_is_at_once(void **state)
{
	uint64_t begin;

	(void)state;
	start_own("test");
	call("test", "running", "sleep");
	wait_texts(2);
	call("test", "waiting", "echo");
	wait_texts(3);
	agent_stop(agent);
	begin = clock_monotonic_ms();
	assert_true(stop_and_wait() < 4000);
	wait_texts(5);
	assert_true(clock_monotonic_ms() - begin < 4000);
	assert_true(is_said("\"Cancelled\""));
	assert_int_equal(agent_abandoned(agent), 0);
	assert_int_equal(fixture_runs, 1);
}

static void test_grace_is_over(void **state)
{
	uint64_t took;

	(void)state;
	put("agent.conf", "[main]\ngrace=0.3\n");
	start_own("test");
	call("test", "running", "sleep");
	wait_texts(2);
	took = stop_and_wait();
	assert_in_range(took, 300, 4000);
	wait_texts(3);
	assert_true(is_said("\"Cancelled\""));
}

/* Who does not listen is left behind. */
static void test_abandoned(void **state)
{
	(void)state;
	put("agent.conf", "[main]\ngrace=0.1\n");
	start_own("test");
	call("test", "running", "block");
	wait_texts(2);
	assert_in_range(stop_and_wait(), 1000, 6000);
	assert_int_equal(agent_abandoned(agent), 1);
	fixture_release(1);
}

/* A plugin that can't be loaded is left out, the others are not; two on one broker share it. */
static void test_several_plugins(void **state)
{
	(void)state;
	put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\n");
	put("plugins/b.conf", "[main]\nenabled=1\nplugin=test\n[test]\nbroken=1\n");
	put("plugins/c.conf", "[main]\nenabled=1\nplugin=test\n[test]\nname=see\n");
	put("plugins/d.conf", "[main]\nenabled=0\nplugin=test\n");
	log_level("", LOG_LEVEL_ERROR);
	start_own("test");
	assert_int_equal(agent_instances(agent), 3);
	call("c", "1", "who");
	wait_texts(3);
	assert_true(is_said("\"retval\": \"see\""));
	call("a", "2", "who");
	wait_texts(6);
	assert_true(is_said("\"retval\": \"nobody\""));
	stop_and_wait();
}

static void test_no_broker_at_all(void **state)
{
	(void)state;
	put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\n");
	start_agent((struct settings_source){0});
	wait_for(is_ready, "ready");
	assert_int_equal(agent_port(agent), 0);
	assert_true(stop_and_wait() < 1000);
}

/* Ready is who has tried: a broker that is not there keeps nobody waiting. */
static void test_broker_that_is_not_there(void **state)
{
	const char *plugin = "test";

	(void)state;
	start_agent((struct settings_source){.plugins = &plugin,
	                                     .plugins_count = 1,
	                                     .url = "amqp://127.0.0.1:1"});
	wait_for(is_ready, "ready");
	assert_true(stop_and_wait() < 1000);
}

static void test_listening_where_it_cannot(void **state)
{
	struct error error = ERROR_NONE;
	const char *listen = "amqp://192.0.2.1:1";

	(void)state;
	settings = settings_load(&(struct settings_source){.root = root,
	                                                   .table = table,
	                                                   .listen = &listen,
	                                                   .listen_count = 1},
	                         &faults, &notes);
	assert_non_null(settings);
	assert_null(agent_new(loop, settings, &events, NULL, &error));
	assert_int_not_equal(error.code, GOFER_OK);
	assert_true(error.text[0]);
}

/* Freed before it ever ran. */
static void test_never_run(void **state)
{
	const char *plugin = "test";

	(void)state;
	start_agent((struct settings_source){
		.plugins = &plugin,
		.plugins_count = 1,
		.listen = (const char *const[]){"amqp://127.0.0.1:0"},
		.listen_count = 1,
	});
	agent_free(agent);
	agent = NULL;
	agent_free(NULL);
}

/* --- beyond a socket ------------------------------------------------------------------ */

static struct broker *new_broker(uint16_t port)
{
	struct error error = ERROR_NONE;
	struct url url = {.host = (char *)"127.0.0.1", .port = port};
	struct broker *b = broker_new(loop, &(struct broker_options){0}, &error);

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
	start_agent((struct settings_source){.plugins = &plugin, .plugins_count = 1, .url = url});
	wait_for(is_ready, "ready");
	start_caller(port);
	receiver_close(replies);
	reply_address[0] = '\0';
	replies = receiver_open(caller, &(struct receiver_options){.address = "answers"},
	                        &reply_events, NULL);
	wait_for(has_address, "a reply address");
	call("test", "s", "block");
	wait_texts(2);

	broker_free(broker);
	for (int i = 0; i < 10; i++)
		loop_run_once(loop, 0.01);
	fixture_release(1);
	broker = new_broker(port);
	/* Its queues are kept over it, as a broker with a disk keeps them. */
	keeper = broker_connect(broker, &caller_events, NULL);
	receiver_open(keeper, &(struct receiver_options){.address = "answers"}, &idle_events, NULL);
	wait_texts(3);
	assert_true(is_said("\"retval\": \"released\""));
	call("test", "s", "block");
	wait_texts(4);
	assert_string_equal(texts[3], texts[2]);
	call("test", "t", "echo");
	wait_texts(7);
	assert_int_equal(fixture_runs, 2);
	stop_and_wait();
	agent_free(agent);
	agent = NULL;
	connection_free(caller);
	caller = NULL;
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
	put("agent.conf", text);
	put("plugins/a.conf", "[main]\nenabled=1\nplugin=test\n");
	put("plugins/b.conf", "[main]\nenabled=1\nplugin=test\n[messaging]\nheartbeat=\n");
	put("plugins/c.conf", "[main]\nenabled=1\nplugin=test\n[messaging]\nheartbeat=20\n");
	put("plugins/d.conf", "[main]\nenabled=1\nplugin=test\n[messaging]\nheartbeat=20s\n");
	start_agent((struct settings_source){0});
	wait_for(is_ready, "ready");
	broker_stats(broker, &stats);
	assert_int_equal(stats.connections, 2);
	assert_int_equal(stats.queues, 4);
	stop_and_wait();
	agent_free(agent);
	agent = NULL;
	broker_free(broker);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers_through_its_own_broker),
		TEST(test_many_at_once),
		TEST(test_soft_stop),
		TEST(test_second_stop_is_at_once),
		TEST(test_grace_is_over),
		TEST(test_abandoned),
		TEST(test_several_plugins),
		TEST(test_no_broker_at_all),
		TEST(test_broker_that_is_not_there),
		TEST(test_listening_where_it_cannot),
		TEST(test_never_run),
		TEST(test_broker_goes_and_comes_back),
		TEST(test_connections_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
