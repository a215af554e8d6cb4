/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin_journal: what an agent's journal holds, whether the agent runs or not. Reads only. Thread:
 * main; blocks on reads.
 */
#ifndef GOFER_CMD_PLUGIN_JOURNAL_H
#define GOFER_CMD_PLUGIN_JOURNAL_H

#include "cmd/plugin_call.h"

/* Lists the requests in the journal under `o->root`, the oldest first. The result is the exit code. */
int plugin_journal(struct plugin_options *o, int argc, char **argv);

#endif
