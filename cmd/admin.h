/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin: the parts of `gofer admin`: its options, and what it does that is more than to ask and print.
 *
 * admin.c         options, actions
 * admin_client.c  a request to the agent, and its answer
 * admin_show.c    tables
 * admin_top.c     the live view
 * admin_config.c  what the configuration files come to
 *
 * Thread: main, for all.
 */
#ifndef GOFER_CMD_ADMIN_H
#define GOFER_CMD_ADMIN_H

#include <stdbool.h>

#include "cmd/admin_client.h"
#include "cmd/grid.h"

struct admin_options {
	const char *root, *socket, *host;
	const char *load, *reload, *unload; /* as the Python system has them */
	const char *data;
	double wait, interval;
	long long port;
	bool show, json, hard;
	bool root_given, host_given, port_given;
};

/* Tells it on standard error, on one line; the exit code for it. */
int admin_fail(const struct error *error);
/* For a reply whose code is not 0: tells what it says. The exit code. */
int admin_refused(const struct admin_reply *reply);
/* Whether that descriptor is a terminal that may be coloured and drawn on. */
bool admin_is_screen(int fd);

/* Both give the exit code. */
int admin_top(const struct admin_options *o, const struct admin_target *target);
/* `name` NULL: of the agent; else of the plugin of that name. */
int admin_config(const struct admin_options *o, const char *name);

#endif
