/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/metrics.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/utf8.h"

static const struct bound {
	uint64_t us; /* at most so long */
	const char *text;
} bounds[METRICS_BUCKETS] = {
	{100, "0.0001"},        {250, "0.00025"},     {500, "0.0005"},      {1000, "0.001"},
	{2500, "0.0025"},       {5000, "0.005"},      {10000, "0.01"},      {25000, "0.025"},
	{50000, "0.05"},        {100000, "0.1"},      {250000, "0.25"},     {500000, "0.5"},
	{1000000, "1.0"},       {2500000, "2.5"},     {5000000, "5.0"},     {10000000, "10.0"},
	{30000000, "30.0"},     {60000000, "60.0"},   {300000000, "300.0"}, {1800000000, "1800.0"},
	{3600000000, "3600.0"}, {UINT64_MAX, "+Inf"},
};

static const char *const outcomes[METRICS_OUTCOMES] = {
	[METRICS_RETURNED] = "returned",   [METRICS_RAISED] = "raised",
	[METRICS_CANCELLED] = "cancelled", [METRICS_REJECTED] = "rejected",
	[METRICS_EXPIRED] = "expired",     [METRICS_REPEATED] = "repeated",
};

void metrics_count(struct plugin_metrics *m, enum metrics_outcome outcome, double seconds)
{
	uint64_t us = seconds > 0 ? (uint64_t)(seconds * 1e6) : 0;
	size_t i = 0;

	m->calls[outcome]++;
	if (seconds < 0)
		return;
	while (us > bounds[i].us)
		i++;
	m->buckets[i]++;
	m->sum_us += us;
}

/* --- labels and numbers ------------------------------------------------------------------ */

static void put_label_value(struct buf *out, const char *text)
{
	size_t size = strlen(text);

	while (size) {
		uint32_t code;
		size_t n = utf8_decode(text, size, &code);

		if (code == UTF8_INVALID)
			buf_puts(out, "\xef\xbf\xbd");
		else if (code == '\n')
			buf_puts(out, "\\n");
		else if (code == '"' || code == '\\')
			buf_printf(out, "\\%c", (char)code);
		else
			buf_append(out, text, n);
		text += n;
		size -= n;
	}
}

/* name{label="value" */
static void put_labelled(struct buf *out, const char *name, const char *label, const char *value)
{
	buf_printf(out, "%s{%s=\"", name, label);
	put_label_value(out, value);
	buf_putc(out, '"');
}

static void put_seconds(struct buf *out, uint64_t us)
{
	buf_printf(out, " %" PRIu64 ".%06" PRIu64 "\n", us / 1000000, us % 1000000);
}

static void put_number(struct buf *out, uint64_t number)
{
	buf_printf(out, " %" PRIu64 "\n", number);
}

/* --- plugins ----------------------------------------------------------------------------- */

static void put_calls(struct buf *out, const struct metrics_view *view, const char *name)
{
	for (size_t i = 0; i < view->plugins_count; i++) {
		for (size_t k = 0; k < METRICS_OUTCOMES; k++) {
			put_labelled(out, name, "plugin", view->plugins[i].name);
			buf_printf(out, ",outcome=\"%s\"}", outcomes[k]);
			put_number(out, view->plugins[i].counts->calls[k]);
		}
	}
}

static void put_histogram(struct buf *out, const struct metrics_plugin *plugin, const char *name)
{
	const struct plugin_metrics *m = plugin->counts;
	char series[80];
	uint64_t count = 0;

	snprintf(series, sizeof series, "%s_bucket", name);
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		count += m->buckets[i];
		put_labelled(out, series, "plugin", plugin->name);
		buf_printf(out, ",le=\"%s\"}", bounds[i].text);
		put_number(out, count);
	}
	snprintf(series, sizeof series, "%s_sum", name);
	put_labelled(out, series, "plugin", plugin->name);
	buf_putc(out, '}');
	put_seconds(out, m->sum_us);
	snprintf(series, sizeof series, "%s_count", name);
	put_labelled(out, series, "plugin", plugin->name);
	buf_putc(out, '}');
	put_number(out, count);
}

static void put_durations(struct buf *out, const struct metrics_view *view, const char *name)
{
	for (size_t i = 0; i < view->plugins_count; i++)
		put_histogram(out, &view->plugins[i], name);
}

/* A gauge of each plugin: the member of `struct metrics_plugin` that is so far behind its start. */
static void put_depths(struct buf *out, const struct metrics_view *view, const char *name,
                       size_t offset)
{
	for (size_t i = 0; i < view->plugins_count; i++) {
		const char *plugin = (const char *)&view->plugins[i];
		size_t depth;

		memcpy(&depth, plugin + offset, sizeof depth);
		put_labelled(out, name, "plugin", view->plugins[i].name);
		buf_putc(out, '}');
		put_number(out, depth);
	}
}

static void put_waiting(struct buf *out, const struct metrics_view *view, const char *name)
{
	put_depths(out, view, name, offsetof(struct metrics_plugin, waiting));
}

static void put_running(struct buf *out, const struct metrics_view *view, const char *name)
{
	put_depths(out, view, name, offsetof(struct metrics_plugin, running));
}

static void put_pending(struct buf *out, const struct metrics_view *view, const char *name)
{
	put_depths(out, view, name, offsetof(struct metrics_plugin, pending));
}

/* --- brokers ----------------------------------------------------------------------------- */

/* All connections of one label as one; false: an earlier one has told of them. */
static bool gather(const struct metrics_view *view, size_t at, struct metrics_broker *all)
{
	*all = view->brokers[at];
	for (size_t i = 0; i < view->brokers_count; i++) {
		if (i == at || strcmp(view->brokers[i].label, all->label) != 0)
			continue;
		if (i < at)
			return false;
		all->up = all->up && view->brokers[i].up;
		all->reconnects += view->brokers[i].reconnects;
	}
	return true;
}

static void put_brokers(struct buf *out, const struct metrics_view *view, const char *name,
                        uint64_t (*number)(const struct metrics_broker *broker))
{
	for (size_t i = 0; i < view->brokers_count; i++) {
		struct metrics_broker all;

		if (!gather(view, i, &all))
			continue;
		put_labelled(out, name, "broker", all.label);
		buf_putc(out, '}');
		put_number(out, number(&all));
	}
}

static uint64_t broker_up(const struct metrics_broker *broker)
{
	return broker->up;
}

static uint64_t broker_reconnects(const struct metrics_broker *broker)
{
	return broker->reconnects;
}

static void put_up(struct buf *out, const struct metrics_view *view, const char *name)
{
	put_brokers(out, view, name, broker_up);
}

static void put_reconnects(struct buf *out, const struct metrics_view *view, const char *name)
{
	put_brokers(out, view, name, broker_reconnects);
}

/* --- process ----------------------------------------------------------------------------- */

static void put_start(struct buf *out, const struct metrics_view *view, const char *name)
{
	buf_puts(out, name);
	put_seconds(out, view->start_ms * 1000);
}

/* Without /proc, as in a chroot, there is no number and nothing is told. */
static void put_resident(struct buf *out, const struct metrics_view *view, const char *name)
{
	char text[80] = "";
	unsigned long long pages = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	(void)view;
	if (fd >= 0)
		close(fd);
	if (n <= 0 || sscanf(text, "%*u %llu", &pages) != 1)
		return;
	buf_puts(out, name);
	put_number(out, pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void put_build(struct buf *out, const struct metrics_view *view, const char *name)
{
	(void)view;
	put_labelled(out, name, "version", GOFER_VERSION);
	buf_puts(out, "} 1\n");
}

/* --- the tables -------------------------------------------------------------------------- */

/*
 * `name` is the family's; its samples have `suffix` behind it. No type is used that the text format before
 * OpenMetrics has not: a node exporter reads that one from files.
 */
struct family {
	const char *name, *type, *suffix, *unit, *help;
	void (*put)(struct buf *out, const struct metrics_view *view, const char *sample);
};

/* clang-format off */
static const struct family families[] = {
	{"gofer_calls", "counter", "_total", NULL,
	 "Requests, by what became of them.", put_calls},
	{"gofer_call_seconds", "histogram", "", "seconds",
	 "From the delivery of a request to the end of its call.", put_durations},
	{"gofer_calls_waiting", "gauge", "", NULL,
	 "Calls that were accepted and not begun.", put_waiting},
	{"gofer_calls_running", "gauge", "", NULL,
	 "Calls that a method is at.", put_running},
	{"gofer_calls_pending", "gauge", "", NULL,
	 "Requests that were delivered and are not over.", put_pending},
	{"gofer_broker_up", "gauge", "", NULL,
	 "Whether the connection to the broker is there.", put_up},
	{"gofer_broker_reconnects", "counter", "_total", NULL,
	 "Connections to the broker after the first.", put_reconnects},
	{"gofer_build_info", "gauge", "", NULL,
	 "The program.", put_build},
	{"process_resident_memory_bytes", "gauge", "", "bytes",
	 "Memory of the agent.", put_resident},
	{"process_start_time_seconds", "gauge", "", "seconds",
	 "When the agent was started.", put_start},
};
/* clang-format on */

static void put_head(struct buf *out, const struct family *f)
{
	buf_printf(out, "# TYPE %s %s\n", f->name, f->type);
	if (f->unit)
		buf_printf(out, "# UNIT %s %s\n", f->name, f->unit);
	buf_printf(out, "# HELP %s %s\n", f->name, f->help);
}

static void put_family(struct buf *out, const struct family *f, const struct metrics_view *view)
{
	char sample[80];

	put_head(out, f);
	snprintf(sample, sizeof sample, "%s%s", f->name, f->suffix);
	f->put(out, view, sample);
}

static void put_journal(struct buf *out, const struct journal_stats *j)
{
	/* clang-format off */
	const struct {
		struct family family;
		uint64_t value;
	} rows[] = {
		{{"gofer_journal_entries", "gauge", "", NULL,
		  "Requests in the journal.", NULL}, j->entries},
		{{"gofer_journal_bytes", "gauge", "", "bytes",
		  "Requests and results in the journal.", NULL}, j->bytes},
		{{"gofer_journal_file_bytes", "gauge", "", "bytes",
		  "The journal's files.", NULL}, j->file_bytes},
		{{"gofer_journal_segments", "gauge", "", NULL,
		  "How many files these are.", NULL}, j->segments},
		{{"gofer_journal_records", "counter", "_total", NULL,
		  "Records written.", NULL}, j->records},
		{{"gofer_journal_writes", "counter", "_total", NULL,
		  "Writes, of one or more records.", NULL}, j->writes},
		{{"gofer_journal_syncs", "counter", "_total", NULL,
		  "Waits for the disk.", NULL}, j->syncs},
		{{"gofer_journal_failures", "counter", "_total", NULL,
		  "Writes that failed.", NULL}, j->failures},
		{{"gofer_journal_damaged", "counter", "_total", NULL,
		  "Records that could not be read.", NULL}, j->damaged},
		{{"gofer_journal_failing", "gauge", "", NULL,
		  "Whether the last write failed.", NULL}, j->failing},
	};
	static const struct family sync = {"gofer_journal_sync_seconds", "counter", "_total",
	                                   "seconds", "Time spent in waits for the disk.", NULL};
	/* clang-format on */

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		put_head(out, &rows[i].family);
		buf_printf(out, "%s%s", rows[i].family.name, rows[i].family.suffix);
		put_number(out, rows[i].value);
	}
	put_head(out, &sync);
	buf_printf(out, "%s%s", sync.name, sync.suffix);
	put_seconds(out, j->sync_us);
}

enum gofer_err metrics_print(struct buf *out, const struct metrics_view *view)
{
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		put_family(out, &families[i], view);
	if (view->journal)
		put_journal(out, view->journal);
	buf_puts(out, "# EOF\n");
	return buf_ok(out) ? GOFER_OK : GOFER_NOMEM;
}
