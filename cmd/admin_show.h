/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_show: what an agent tells of itself, as tables for people. What is missing in it, or of another kind
 * than it should be, is shown as "-". Thread: main.
 */
#ifndef GOFER_CMD_ADMIN_SHOW_H
#define GOFER_CMD_ADMIN_SHOW_H

#include <stdbool.h>

#include "cmd/grid.h"
#include "core/buf.h"
#include "core/json.h"

/* Whether these are what management answers to "status" and "calls". */
bool admin_is_status(const struct cJSON *status);
bool admin_is_calls(const struct cJSON *calls);

/* Append lines. `before`: what it was `seconds` ago, for a column of calls a second; NULL: none. */
void admin_print_agent(struct buf *out, const struct cJSON *status, const struct grid_view *view);
void admin_print_plugins(struct buf *out, const struct cJSON *status, const struct cJSON *before,
                         double seconds, const struct grid_view *view);
void admin_print_brokers(struct buf *out, const struct cJSON *status, const struct grid_view *view);
void admin_print_journal(struct buf *out, const struct cJSON *status, const struct grid_view *view);
void admin_print_calls(struct buf *out, const struct cJSON *calls, const struct grid_view *view);

#endif
