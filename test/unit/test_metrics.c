/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/metrics.h"

static struct plugin_metrics counts;
static struct buf out;

static int set_up(void **state)
{
	(void)state;
	memset(&counts, 0, sizeof counts);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_release(&out);
	return 0;
}

static void print(const struct metrics_view *view)
{
	buf_clear(&out);
	assert_int_equal(metrics_print(&out, view), GOFER_OK);
}

static void print_plugin(const char *name)
{
	const struct metrics_plugin plugin = {.name = name,
	                                      .counts = &counts,
	                                      .waiting = 3,
	                                      .running = 2,
	                                      .pending = 6};
	const struct metrics_view view = {.plugins = &plugin, .plugins_count = 1};

	print(&view);
}

/* Whether the text has this line. */
static bool has(const char *line)
{
	size_t size = strlen(line);

	for (const char *at = buf_text(&out); at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!*at)
			return false;
		if (!strncmp(at, line, size) && at[size] == '\n')
			return true;
	}
	return false;
}

#define expect(line) \
	do { \
		if (!has(line)) \
			fail_msg("no line %s in\n%s", line, buf_text(&out)); \
	} while (0)

static void every_outcome_is_counted(void **state)
{
	(void)state;
	metrics_count(&counts, METRICS_RETURNED, 0.5);
	metrics_count(&counts, METRICS_RETURNED, 0.5);
	metrics_count(&counts, METRICS_RAISED, 0.5);
	metrics_count(&counts, METRICS_EXPIRED, -1);
	print_plugin("demo");
	expect("gofer_calls_total{plugin=\"demo\",outcome=\"returned\"} 2");
	expect("gofer_calls_total{plugin=\"demo\",outcome=\"raised\"} 1");
	expect("gofer_calls_total{plugin=\"demo\",outcome=\"cancelled\"} 0");
	expect("gofer_calls_total{plugin=\"demo\",outcome=\"rejected\"} 0");
	expect("gofer_calls_total{plugin=\"demo\",outcome=\"expired\"} 1");
	expect("gofer_calls_total{plugin=\"demo\",outcome=\"repeated\"} 0");
}

static void the_histogram_is_cumulative(void **state)
{
	(void)state;
	metrics_count(&counts, METRICS_RETURNED, 0);
	metrics_count(&counts, METRICS_RETURNED, 0.001);
	metrics_count(&counts, METRICS_RETURNED, 0.0011);
	metrics_count(&counts, METRICS_CANCELLED, 1e6);
	metrics_count(&counts, METRICS_REJECTED, -1);
	print_plugin("demo");
	expect("gofer_call_seconds_bucket{plugin=\"demo\",le=\"0.0001\"} 1");
	expect("gofer_call_seconds_bucket{plugin=\"demo\",le=\"0.0005\"} 1");
	expect("gofer_call_seconds_bucket{plugin=\"demo\",le=\"0.001\"} 2");
	expect("gofer_call_seconds_bucket{plugin=\"demo\",le=\"0.0025\"} 3");
	expect("gofer_call_seconds_bucket{plugin=\"demo\",le=\"3600.0\"} 3");
	expect("gofer_call_seconds_bucket{plugin=\"demo\",le=\"+Inf\"} 4");
	expect("gofer_call_seconds_sum{plugin=\"demo\"} 1000000.002100");
	expect("gofer_call_seconds_count{plugin=\"demo\"} 4");
}

static void a_bound_is_of_its_bucket(void **state)
{
	static const struct {
		double seconds;
		size_t bucket;
	} cases[] = {{0, 0},
	             {0.0001, 0},
	             {0.000101, 1},
	             {0.01, 6},
	             {0.02, 7},
	             {0.1, 9},
	             {1, 12},
	             {3600, METRICS_BUCKETS - 2},
	             {3600.1, METRICS_BUCKETS - 1},
	             {1e12, METRICS_BUCKETS - 1}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		memset(&counts, 0, sizeof counts);
		metrics_count(&counts, METRICS_RETURNED, cases[i].seconds);
		for (size_t k = 0; k < METRICS_BUCKETS; k++)
			assert_int_equal(counts.buckets[k], k == cases[i].bucket);
	}
}

static void depths_are_told(void **state)
{
	(void)state;
	print_plugin("demo");
	expect("gofer_calls_waiting{plugin=\"demo\"} 3");
	expect("gofer_calls_running{plugin=\"demo\"} 2");
	expect("gofer_calls_pending{plugin=\"demo\"} 6");
}

static void label_values_are_escaped(void **state)
{
	(void)state;
	print_plugin("a\"b\\c\nd\xff\xc3\xa9");
	expect("gofer_calls_running{plugin=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\xc3\xa9\"} 2");
}

static void brokers_are_told(void **state)
{
	static const struct metrics_broker brokers[] = {{"amqp://one", true, 3},
	                                                {"amqp://two", true, 5},
	                                                {"amqp://one", false, 4}};
	const struct metrics_view view = {.brokers = brokers, .brokers_count = 3};

	(void)state;
	print(&view);
	expect("gofer_broker_up{broker=\"amqp://one\"} 0");
	expect("gofer_broker_up{broker=\"amqp://two\"} 1");
	expect("gofer_broker_reconnects_total{broker=\"amqp://one\"} 7");
	expect("gofer_broker_reconnects_total{broker=\"amqp://two\"} 5");
	/* a series that is there twice would make the whole text invalid */
	assert_null(strstr(strstr(out.data, "broker_up{broker=\"amqp://one\"}") + 1,
	                   "broker_up{broker=\"amqp://one\"}"));
}

static void the_journal_is_told(void **state)
{
	const struct journal_stats stats = {.entries = 1,
	                                    .bytes = 2,
	                                    .segments = 3,
	                                    .file_bytes = 4,
	                                    .records = 5,
	                                    .writes = 6,
	                                    .syncs = 7,
	                                    .sync_us = 8000009,
	                                    .failures = 10,
	                                    .damaged = 11,
	                                    .failing = true};
	const struct metrics_view view = {.journal = &stats};

	(void)state;
	print(&view);
	expect("gofer_journal_entries 1");
	expect("gofer_journal_bytes 2");
	expect("gofer_journal_segments 3");
	expect("gofer_journal_file_bytes 4");
	expect("gofer_journal_records_total 5");
	expect("gofer_journal_writes_total 6");
	expect("gofer_journal_syncs_total 7");
	expect("# UNIT gofer_journal_sync_seconds seconds");
	expect("gofer_journal_sync_seconds_total 8.000009");
	expect("gofer_journal_failures_total 10");
	expect("gofer_journal_damaged_total 11");
	expect("gofer_journal_failing 1");
}

static void the_process_is_told(void **state)
{
	const struct metrics_view view = {.start_ms = 1700000000123};
	const char *at;

	(void)state;
	print(&view);
	expect("process_start_time_seconds 1700000000.123000");
	expect("# TYPE gofer_build_info gauge");
	expect("gofer_build_info{version=\"" GOFER_VERSION "\"} 1");
	at = strstr(out.data, "\nprocess_resident_memory_bytes ");
	assert_non_null(at);
	assert_true(strtoull(strchr(at, ' '), NULL, 10) > 100000);
	assert_null(strstr(out.data, "gofer_journal"));
}

static void it_ends_with_its_end(void **state)
{
	const struct metrics_view view = {0};
	static const char end[] = "# EOF\n";

	(void)state;
	print(&view);
	assert_string_equal(out.data + out.size - strlen(end), end);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_outcome_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_histogram_is_cumulative, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_bound_is_of_its_bucket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(depths_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(label_values_are_escaped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(brokers_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_journal_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_process_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_ends_with_its_end, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
