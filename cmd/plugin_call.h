/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin_call: a call to a compiled-in plugin, in this process (or a child of it, where the
 * method's model says so) and with no broker: from the request's body to the reply's, so that
 * what is tried here is what an agent would do. Thread: main; blocks as long as the method does.
 */
#ifndef GOFER_CMD_PLUGIN_CALL_H
#define GOFER_CMD_PLUGIN_CALL_H

#include <stdbool.h>

#include "core/plugin.h"

struct plugin_options {
	const char *input, *cntr, *prefix, *secret, *descriptor, *root;
	bool json, trace;
};

/* `argv[0]` is CLASS.METHOD. The result is the exit code. */
int plugin_call(const struct plugin_options *o, const struct plugin *plugin, int argc, char **argv);

#endif
