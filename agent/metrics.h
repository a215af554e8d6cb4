/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: what the agent counts, and how it looks as OpenMetrics text.
 *
 *   struct plugin_metrics counts = {0};                          // one for each plugin
 *   metrics_count(&counts, METRICS_RETURNED, 0.012);
 *   view = {...}; metrics_print(&out, &view);                    // when somebody asks
 *
 * The view is plain data, borrowed for the time of the print: whoever fills it knows the agent, this
 * does not. Thread: the loop's, for all that is in the view.
 */
#ifndef GOFER_AGENT_METRICS_H
#define GOFER_AGENT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"
#include "core/journal.h"

/* What became of a request. */
enum metrics_outcome {
	METRICS_RETURNED,
	METRICS_RAISED,
	METRICS_CANCELLED,
	METRICS_REJECTED, /* it was no request, or not allowed */
	METRICS_EXPIRED,  /* its time to live was over */
	METRICS_REPEATED, /* the same came before, and was not run again */
	METRICS_OUTCOMES
};

#define METRICS_BUCKETS 22 /* of the histogram; the last one has no bound */

struct plugin_metrics {
	uint64_t calls[METRICS_OUTCOMES];
	uint64_t buckets[METRICS_BUCKETS]; /* each without those below it */
	uint64_t sum_us;
};

/* Counts a request. `seconds`: from its delivery to its end, for the histogram; less than 0: it was not
 * run, and is not in there. */
void metrics_count(struct plugin_metrics *m, enum metrics_outcome outcome, double seconds);

struct metrics_plugin {
	const char *name;
	const struct plugin_metrics *counts;
	size_t waiting; /* accepted and not begun */
	size_t running; /* in a method */
	size_t pending; /* delivered and not over: those two, and what is being stored or answered */
};

struct metrics_broker {
	const char *label; /* without secrets; of equal ones one line is made */
	bool up;
	uint64_t reconnects;
};

struct metrics_view {
	const struct metrics_plugin *plugins;
	size_t plugins_count;
	const struct metrics_broker *brokers;
	size_t brokers_count;
	const struct journal_stats *journal; /* NULL: there is none */
	uint64_t start_ms;                   /* since 1970 */
};

/* Appends all of it, up to "# EOF". GOFER_NOMEM is the only failure. */
enum gofer_err metrics_print(struct buf *out, const struct metrics_view *view);

#endif
