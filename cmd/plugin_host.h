/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin_host: the child's side of core/host.h: loads a compiled-in plugin, runs the one call
 * that it is given on descriptor 3, tells its progress and its outcome, unloads, ends.
 *
 * It takes its whole process group along when the other side of descriptor 3 is gone.
 *
 * Thread: main, which runs the method; a second one waits for that end.
 */
#ifndef GOFER_CMD_PLUGIN_HOST_H
#define GOFER_CMD_PLUGIN_HOST_H

#include "core/plugin.h"

/* The result is the exit code. */
int plugin_host(const struct plugin *plugin);

#endif
