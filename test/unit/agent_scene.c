/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_scene.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_fixture.h"
#include "core/clock.h"
#include "core/log.h"

#define LIMIT_MS 15000

const struct plugin *const scene_table[] = {&fixture_plugin, &fixture_other_plugin, NULL};

struct agent_scene scene;

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

const struct connection_events scene_caller_events = {on_up, on_caller_down, NULL};

static void on_open(struct receiver *r, const char *address, void *context)
{
	(void)context;
	snprintf(scene.reply_address, sizeof scene.reply_address, "%s", address);
	receiver_credit(r, 1000);
}

static void on_message(struct receiver *r, struct delivery *d, void *context)
{
	const struct message *m = delivery_message(d);

	(void)r;
	(void)context;
	assert_true(scene.texts_count < SCENE_TEXTS);
	scene.texts[scene.texts_count++] = strndup(m->body.data, m->body.size);
	delivery_settle(d, OUTCOME_ACCEPTED, NULL);
}

static void on_down(struct receiver *r, const struct error *why, double retry_s, void *context)
{
	(void)r;
	(void)why;
	(void)retry_s;
	(void)context;
}

/* One that gives no credit. */
static void on_idle_open(struct receiver *r, const char *address, void *context)
{
	(void)r;
	(void)address;
	(void)context;
}

const struct receiver_events scene_reply_events = {on_open, on_message, on_down};
const struct receiver_events scene_idle_events = {on_idle_open, on_message, on_down};

void scene_wait(bool (*done)(void), const char *what)
{
	uint64_t until = clock_monotonic_ms() + LIMIT_MS;

	while (!done() && clock_monotonic_ms() < until)
		loop_run_once(scene.loop, 0.01);
	if (!done())
		fail_msg("never %s", what);
}

bool scene_has_address(void)
{
	return scene.reply_address[0];
}

void scene_start_caller(uint16_t port)
{
	struct error error = ERROR_NONE;
	struct url url = {.host = (char *)"127.0.0.1", .port = port};

	scene.caller = connection_new(scene.loop,
	                              &(struct connection_options){.url = &url, .persistent = true},
	                              &scene_caller_events, NULL, &error);
	assert_non_null(scene.caller);
	scene.replies = receiver_open(scene.caller, &(struct receiver_options){.address = NULL},
	                              &scene_reply_events, NULL);
	scene_wait(scene_has_address, "a reply address");
}

void scene_call(const char *queue, const char *sn, const char *method)
{
	struct buf text = BUF_INIT;
	struct message m = MESSAGE_INIT;

	buf_printf(&text,
	           "{\"sn\": \"%s\", \"version\": \"2.0\", \"replyto\": \"%s\", \"request\": "
	           "{\"classname\": \"Test\", \"method\": \"%s\", \"args\": %s}}",
	           sn, scene.reply_address, method,
	           strcmp(method, "sleep") == 0          ? "[30]"
	                   : strcmp(method, "echo") == 0 ? "[\"hi\"]"
	                                                 : "[]");
	m.body_kind = MESSAGE_STRING;
	m.body = (struct slice){text.data, text.size};
	assert_int_equal(connection_send(scene.caller,
	                                 &(struct send_options){.address = queue, .message = &m}),
	                 GOFER_OK);
	buf_release(&text);
}

static size_t wanted;

static bool has_texts(void)
{
	return scene.texts_count >= wanted;
}

void scene_wait_texts(size_t count)
{
	wanted = count;
	scene_wait(has_texts, "so many replies");
}

bool scene_is_said(const char *text)
{
	for (size_t i = 0; i < scene.texts_count; i++)
		if (strstr(scene.texts[i], text))
			return true;
	return false;
}

/* --- the agent ------------------------------------------------------------------------ */

static void on_ready(void *context)
{
	assert_ptr_equal(context, &scene.agent);
	scene.ready = true;
}

static void on_stopped(void *context)
{
	(void)context;
	scene.stopped = true;
}

const struct agent_events scene_events = {on_ready, on_stopped};

bool scene_is_ready(void)
{
	return scene.ready;
}

bool scene_is_stopped(void)
{
	return scene.stopped;
}

void scene_put(const char *name, const char *text)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof path, "%s/etc", scene.root);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/etc/gofer", scene.root);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/etc/gofer/plugins", scene.root);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/etc/gofer/%s", scene.root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

void scene_start(struct settings_source source)
{
	struct error error = ERROR_NONE;

	source.root = scene.root;
	source.table = scene_table;
	scene.settings = settings_load(&source, &scene.faults, &scene.notes);
	if (!scene.settings)
		fail_msg("%s", buf_text(&scene.faults.text));
	scene.agent = agent_new(scene.loop, scene.settings, &scene_events, &scene.agent, &error);
	if (!scene.agent)
		fail_msg("%s", error.text);
}

void scene_start_own(const char *plugin)
{
	scene_start((struct settings_source){
		.plugins = &plugin,
		.plugins_count = plugin ? 1 : 0,
		.listen = (const char *const[]){"amqp://127.0.0.1:0"},
		.listen_count = 1,
	});
	scene_wait(scene_is_ready, "ready");
	scene_start_caller(agent_port(scene.agent));
}

static void make_directory(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", scene.root, name);
	mkdir(path, 0755);
}

int scene_set_up(void **state)
{
	(void)state;
	snprintf(scene.root, sizeof scene.root, "%s/gofer-agent-XXXXXX",
	         getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	log_level("", LOG_LEVEL_ERROR);
	scene.loop = loop_new(NULL);
	scene.ready = scene.stopped = false;
	scene.reply_address[0] = '\0';
	fixture_reset();
	if (!scene.loop || !mkdtemp(scene.root))
		return -1;
	make_directory("run");
	make_directory("run/gofer");
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

int scene_tear_down(void **state)
{
	(void)state;
	fixture_release(100);
	agent_free(scene.agent);
	scene.agent = NULL;
	connection_free(scene.caller);
	scene.caller = NULL;
	loop_free(scene.loop);
	settings_free(scene.settings);
	scene.settings = NULL;
	config_faults_release(&scene.faults);
	config_faults_release(&scene.notes);
	while (scene.texts_count)
		free(scene.texts[--scene.texts_count]);
	return nftw(scene.root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

uint64_t scene_stop_and_wait(void)
{
	uint64_t begin = clock_monotonic_ms();

	agent_stop(scene.agent);
	scene_wait(scene_is_stopped, "stopped");
	return clock_monotonic_ms() - begin;
}
