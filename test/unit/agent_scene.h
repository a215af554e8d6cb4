/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_scene: a whole agent on a directory of its own, with the plugin of agent_fixture, and a caller that
 * reaches it through a socket and keeps the replies. One at a time: `scene`.
 */
#ifndef GOFER_TEST_AGENT_SCENE_H
#define GOFER_TEST_AGENT_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/agent.h"
#include "agent/settings.h"
#include "amqp/connection.h"

#define SCENE_TEXTS 64

struct agent_scene {
	char root[64];
	struct loop *loop;
	struct agent *agent;
	struct settings *settings;
	struct config_faults faults, notes;
	bool ready, stopped;

	struct connection *caller;
	struct receiver *replies;
	char reply_address[128];
	char *texts[SCENE_TEXTS];
	size_t texts_count;
};

extern struct agent_scene scene;
extern const struct plugin *const scene_table[];
extern const struct agent_events scene_events;
extern const struct connection_events scene_caller_events;
extern const struct receiver_events scene_reply_events;
extern const struct receiver_events scene_idle_events; /* without credit */

int scene_set_up(void **state);
int scene_tear_down(void **state);
#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

/* Writes a file below etc/gofer. */
void scene_put(const char *name, const char *text);
/* The agent, by these and what the files say. */
void scene_start(struct settings_source source);
/* The same as its own broker, with `plugin` as from the command line (NULL: none), ready, and a caller. */
void scene_start_own(const char *plugin);
void scene_start_caller(uint16_t port);
/* Stops the agent and waits for it; milliseconds. */
uint64_t scene_stop_and_wait(void);

/* Turns the loop until it is so, or fails after seconds. */
void scene_wait(bool (*done)(void), const char *what);
bool scene_is_ready(void);
bool scene_is_stopped(void);
bool scene_has_address(void);

/* Calls Test.`method` with arguments that suit it. */
void scene_call(const char *queue, const char *sn, const char *method);
/* Waits for so many replies in all; whether one holds the text. */
void scene_wait_texts(size_t count);
bool scene_is_said(const char *text);

#endif
