/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: what a running agent is at, for people and for programs that watch it.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AGENT_REPORT_H
#define GOFER_AGENT_REPORT_H

#include "agent/roster.h"

struct report_parts {
	struct roster *roster;
	const struct instance_services *services;
	uint64_t start_ms; /* since 1970 */
};

/* Appends a JSON object: plugins, brokers, journal. Memory that is short shows in `out`. */
void report_status(struct buf *out, const struct report_parts *parts);
/* Appends a JSON array of all calls that are not over, the oldest first. */
void report_calls(struct buf *out, const struct report_parts *parts);
/* Appends OpenMetrics text. GOFER_NOMEM. */
enum gofer_err report_metrics(struct buf *out, const struct report_parts *parts);

#endif
