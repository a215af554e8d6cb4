/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/execution.h"
#include "agent/metrics.h"
#include "core/clock.h"

static void put_text(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "\"%s\": ", name);
	if (text)
		json_print_string(out, text, strlen(text));
	else
		buf_puts(out, "null");
}

static void put_count(struct buf *out, const char *name, unsigned long long count)
{
	buf_printf(out, ", \"%s\": %llu", name, count);
}

static void put_bool(struct buf *out, const char *name, bool value)
{
	buf_printf(out, ", \"%s\": %s", name, value ? "true" : "false");
}

/* --- status --------------------------------------------------------------------------- */

static const char *state_of(const struct report_parts *parts, const struct instance *in)
{
	if (in->stopping)
		return "unloading";
	if (!roster_uplink(parts->roster, in))
		return "no url";
	if (in->open)
		return "attached";
	return in->refused ? "refused" : "connecting";
}

static void put_plugin(struct buf *out, const struct report_parts *parts, const struct instance *in)
{
	const struct descriptor *d = in->descriptor;
	const struct plugin_metrics *m = &in->metrics;
	bool is_attached = roster_uplink(parts->roster, in);

	buf_putc(out, '{');
	put_text(out, "name", d->name);
	buf_puts(out, ", ");
	put_text(out, "plugin", d->plugin->name);
	buf_puts(out, ", ");
	put_text(out, "queue", is_attached ? d->queue : NULL);
	buf_puts(out, ", ");
	put_text(out, "broker", is_attached ? in->label : NULL);
	buf_puts(out, ", ");
	put_text(out, "state", state_of(parts, in));
	buf_puts(out, ", ");
	put_text(out, "why", in->refused && in->why.text[0] ? in->why.text : NULL);
	put_count(out, "threads", d->threads);
	put_count(out, "waiting", pool_waiting(in->pool));
	put_count(out, "running", pool_running(in->pool));
	put_count(out, "pending", in->count);
	put_count(out, "done", m->calls[METRICS_RETURNED]);
	put_count(out, "failed", m->calls[METRICS_RAISED]);
	put_count(out, "cancelled", m->calls[METRICS_CANCELLED]);
	put_count(out, "rejected", m->calls[METRICS_REJECTED]);
	buf_putc(out, '}');
}

static void put_plugins(struct buf *out, const struct report_parts *parts)
{
	const struct instance *in = NULL;
	bool first = true;

	while ((in = roster_next(parts->roster, in))) {
		buf_puts(out, first ? "" : ", ");
		put_plugin(out, parts, in);
		first = false;
	}
}

static void put_brokers(struct buf *out, const struct uplinks *uplinks)
{
	const struct uplink *u = NULL;
	bool first = true;

	while ((u = uplinks_next(uplinks, u))) {
		buf_puts(out, first ? "{" : ", {");
		put_text(out, "label", uplink_label(u));
		put_bool(out, "up", uplink_is_up(u));
		put_count(out, "reconnects", uplink_reconnects(u));
		buf_putc(out, '}');
		first = false;
	}
}

static void put_journal(struct buf *out, const struct journal *journal)
{
	struct journal_stats stats;

	journal_stats(journal, &stats);
	buf_printf(out, "{\"entries\": %zu", stats.entries);
	put_count(out, "bytes", stats.bytes);
	put_count(out, "segments", stats.segments);
	put_count(out, "file_bytes", stats.file_bytes);
	put_bool(out, "failing", stats.failing);
	put_count(out, "damaged", stats.damaged);
	buf_putc(out, '}');
}

static double since(uint64_t then_ms)
{
	uint64_t now_ms = clock_wall_ms();

	return now_ms > then_ms ? (double)(now_ms - then_ms) / 1000 : 0;
}

void report_status(struct buf *out, const struct report_parts *parts)
{
	buf_printf(out, "{\"version\": \"%s\", \"pid\": %d, \"uptime\": %.3f, \"plugins\": [",
	           GOFER_VERSION, (int)getpid(), since(parts->start_ms));
	put_plugins(out, parts);
	buf_puts(out, "], \"brokers\": [");
	put_brokers(out, roster_uplinks(parts->roster));
	buf_puts(out, "], \"journal\": ");
	put_journal(out, parts->services->journal);
	buf_putc(out, '}');
}

/* --- calls ---------------------------------------------------------------------------- */

static const char *const states[] = {
	[CALL_QUEUED] = "queued",
	[CALL_RUNNING] = "running",
	[CALL_FINISHED] = "result",
	[CALL_DISCARDED] = "result",
};

static void put_call(struct buf *out, const char *plugin, const struct execution_sight *sight)
{
	struct buf method = BUF_INIT;

	if (sight->classname)
		buf_printf(&method, "%s.%s", sight->classname, sight->method);
	buf_putc(out, '{');
	put_text(out, "sn", sight->sn);
	buf_puts(out, ", ");
	put_text(out, "plugin", plugin);
	buf_puts(out, ", ");
	put_text(out, "method", sight->classname ? buf_text(&method) : NULL);
	buf_puts(out, ", ");
	put_text(out, "state", states[sight->state]);
	buf_printf(out, ", \"age\": %.3f", since(sight->accepted_ms));
	put_bool(out, "durable", sight->durable);
	put_bool(out, "cancelled", sight->cancelled);
	buf_printf(out, ", \"total\": %lld, \"completed\": %lld, \"details\": ", sight->total,
	           sight->completed);
	json_print(out, sight->details);
	buf_putc(out, '}');
	buf_release(&method);
}

struct seen_call {
	const struct instance *instance;
	struct execution_sight sight;
};

static int compare_ages(const void *a, const void *b)
{
	const struct seen_call *left = a, *right = b;

	return left->sight.accepted_ms < right->sight.accepted_ms
		? -1
		: left->sight.accepted_ms > right->sight.accepted_ms;
}

static size_t count_calls(struct roster *r)
{
	const struct instance *in = NULL;
	size_t count = 0;

	while ((in = roster_next(r, in)))
		count += in->count;
	return count;
}

/* To be freed; NULL: out of memory. */
static struct seen_call *look_at_all(struct roster *r, size_t *count)
{
	struct seen_call *all = calloc(count_calls(r) + 1, sizeof *all);
	const struct instance *in = NULL;

	*count = 0;
	while (all && (in = roster_next(r, in))) {
		for (struct execution *e = in->executions; e; e = execution_next(e)) {
			all[*count].instance = in;
			execution_look(e, &all[(*count)++].sight);
		}
	}
	return all;
}

void report_calls(struct buf *out, const struct report_parts *parts)
{
	size_t count;
	struct seen_call *all = look_at_all(parts->roster, &count);

	buf_putc(out, '[');
	if (all)
		qsort(all, count, sizeof *all, compare_ages);
	for (size_t i = 0; i < count; i++) {
		buf_puts(out, i ? ", " : "");
		put_call(out, all[i].instance->descriptor->name, &all[i].sight);
	}
	/* without the end of the array it is no JSON, which is told */
	if (all)
		buf_putc(out, ']');
	free(all);
}

/* --- metrics -------------------------------------------------------------------------- */

static size_t list_plugins(struct metrics_plugin *to, struct roster *r)
{
	struct instance *in = NULL;
	size_t count = 0;

	for (; (in = roster_next(r, in)); count++)
		to[count] = (struct metrics_plugin){
			.name = in->descriptor->name,
			.counts = &in->metrics,
			.waiting = pool_waiting(in->pool),
			.running = pool_running(in->pool),
			.pending = in->count,
		};
	return count;
}

static size_t count_uplinks(const struct uplinks *uplinks)
{
	const struct uplink *u = NULL;
	size_t count = 0;

	while ((u = uplinks_next(uplinks, u)))
		count++;
	return count;
}

static size_t list_brokers(struct metrics_broker *to, const struct uplinks *uplinks)
{
	const struct uplink *u = NULL;
	size_t count = 0;

	for (; (u = uplinks_next(uplinks, u)); count++)
		to[count] = (struct metrics_broker){
			.label = uplink_label(u),
			.up = uplink_is_up(u),
			.reconnects = uplink_reconnects(u),
		};
	return count;
}

enum gofer_err report_metrics(struct buf *out, const struct report_parts *parts)
{
	const struct uplinks *uplinks = roster_uplinks(parts->roster);
	struct metrics_plugin *plugins = calloc(roster_count(parts->roster) + 1, sizeof *plugins);
	struct metrics_broker *brokers = calloc(count_uplinks(uplinks) + 1, sizeof *brokers);
	enum gofer_err rc = GOFER_NOMEM;
	struct journal_stats stats;

	journal_stats(parts->services->journal, &stats);
	if (plugins && brokers) {
		const struct metrics_view view = {
			.plugins = plugins,
			.plugins_count = list_plugins(plugins, parts->roster),
			.brokers = brokers,
			.brokers_count = list_brokers(brokers, uplinks),
			.journal = &stats,
			.start_ms = parts->start_ms,
		};
		rc = metrics_print(out, &view);
	}
	free(plugins);
	free(brokers);
	return rc;
}
