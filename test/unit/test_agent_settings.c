/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent makes of its files and its command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/schema.h"
#include "agent/settings.h"
#include "core/log.h"

static const struct plugin demo = {.name = "demo"}, other = {.name = "other"};
static const struct plugin *const table[] = {&demo, &other, NULL};

static char root[64];
static struct config_faults faults, notes;
static struct settings *settings;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

static int set_up(void **state)
{
	char path[128];

	(void)state;
	snprintf(root, sizeof root, "%s/gofer-settings-XXXXXX",
	         getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(root));
	for (const char *const *d = (const char *const[]){"/etc", "/etc/gofer", "/etc/gofer/conf.d",
	                                                  "/etc/gofer/plugins", NULL};
	     *d; d++) {
		snprintf(path, sizeof path, "%s%s", root, *d);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	settings_free(settings);
	settings = NULL;
	config_faults_release(&faults);
	config_faults_release(&notes);
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof path, "%s/etc/gofer/%s", root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Loads; what is not set in `source` is as with no options. */
static bool load_with(struct settings_source source)
{
	settings_free(settings);
	config_faults_release(&faults);
	config_faults_release(&notes);
	source.root = root;
	source.table = table;
	settings = settings_load(&source, &faults, &notes);
	return settings;
}

static bool load(void)
{
	return load_with((struct settings_source){0});
}

static void expect_fault(const char *what)
{
	if (!strstr(buf_text(&faults.text), what))
		fail_msg("no fault \"%s\" in: %s", what, buf_text(&faults.text));
}

static void expect_note(const char *what)
{
	if (!strstr(buf_text(&notes.text), what))
		fail_msg("no note \"%s\" in: %s", what, buf_text(&notes.text));
}

static void test_nothing_at_all(void **state)
{
	char path[128];

	(void)state;
	assert_true(load());
	assert_int_equal(faults.count + notes.count, 0);
	assert_null(settings->descriptors);
	assert_int_equal(settings->listen.count, 0);
	assert_int_equal(settings->body_max, 8 << 20);
	assert_true(settings->grace_s == 10);
	snprintf(path, sizeof path, "%s/run/gofer", root);
	assert_string_equal(settings->run, path);
	settings_free(NULL);
}

static void test_no_root(void **state)
{
	struct settings_source source = {.table = table};
	struct settings *s = settings_load(&source, &faults, &notes);

	(void)state;
	if (s)
		assert_string_equal(s->run, "/run/gofer");
	settings_free(s);
}

static void test_agent_conf_and_more(void **state)
{
	(void)state;
	put("agent.conf", "[main]\ngrace=1m\n[messaging]\nmax_body=64k\nurl=amqp://u:p@one\n");
	put("conf.d/10.conf", "[main]\ngrace=3\n");
	put("conf.d/20.json", "{\"main\": {\"grace\": \"4\"}}");
	put("conf.d/.hidden.conf", "[main]\ngrace=5\n");
	assert_true(load());
	assert_true(settings->grace_s == 4);
	assert_int_equal(settings->body_max, 65536);
}

static void test_config_file_of_the_command_line(void **state)
{
	char path[128];

	(void)state;
	put("agent.conf", "[main]\ngrace=1\n");
	put("mine", "[main]\ngrace=2\n");
	snprintf(path, sizeof path, "%s/etc/gofer/mine", root);
	assert_true(load_with((struct settings_source){.config_file = path}));
	assert_true(settings->grace_s == 2);
	snprintf(path, sizeof path, "%s/etc/gofer/not-there", root);
	assert_false(load_with((struct settings_source){.config_file = path}));
	expect_fault("not-there: there is no such file");
}

/* Of the agent's own faults none is forgiven, and all are told. */
static void test_faults_of_the_agent(void **state)
{
	(void)state;
	put("agent.conf", "[main]\ngrace=soon\nthreads=3\n[messaging]\nmax_body=1\n");
	assert_false(load());
	expect_fault("/etc/gofer/agent.conf:2: [main] grace: must be a time");
	expect_fault("/etc/gofer/agent.conf:3: [main] unknown key `threads`");
	expect_fault("/etc/gofer/agent.conf:5: [messaging] max_body: must be");
	assert_int_equal(faults.count, 3);

	put("agent.conf", "[messaging]\nurl=amqp://u:geheim@:1\n[logging]\nagent=loud\n");
	assert_false(load());
	expect_fault("agent.conf:2: [messaging] url:");
	expect_fault("agent.conf:4: [logging] agent: must be debug, info, warning or error");
	assert_null(strstr(buf_text(&faults.text), "geheim"));

	put("agent.conf", "[broker]\nlisten=amqp://127.0.0.1:1, amqp://[::1\n");
	assert_false(load());
	expect_fault("agent.conf:2: ");
	put("agent.conf", "");
	assert_false(load_with((struct settings_source){.url = "amqp://h:x"}));
	expect_fault("--url: ");
	assert_false(load_with((struct settings_source){.listen = (const char *const[]){"http://x"},
	                                                .listen_count = 1}));
	expect_fault("--listen: ");
}

static void test_listeners(void **state)
{
	(void)state;
	put("agent.conf",
	    "[broker]\nlisten=amqp://127.0.0.1:1, amqp://127.0.0.1:2\nusers=/u\n"
	    "allow_anonymous=yes\nqueue_messages=5\nqueue_bytes=1m\n"
	    "message_bytes=2m\nconnections=7\nidle_timeout=8\ncert=/c\n");
	assert_true(load_with(
		(struct settings_source){.listen = (const char *const[]){"amqps://127.0.0.1:3"},
	                                 .listen_count = 1,
	                                 .users = "/v",
	                                 .key = "/k"}));
	assert_int_equal(settings->listen.count, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(settings->listen.urls[i].port, i + 1);
	assert_true(settings->listen.urls[2].tls);
	assert_string_equal(settings->listen.users, "/v");
	assert_string_equal(settings->listen.cert, "/c");
	assert_string_equal(settings->listen.key, "/k");
	assert_true(settings->listen.allow_anonymous);
	assert_int_equal(settings->listen.queue_messages, 5);
	assert_int_equal(settings->listen.queue_bytes, 1 << 20);
	assert_int_equal(settings->listen.message_bytes, 2 << 20);
	assert_int_equal(settings->listen.connections, 7);
	assert_true(settings->listen.idle_timeout_s == 8);
}

/* --- descriptors ---------------------------------------------------------------------- */

static void test_descriptor(void **state)
{
	const struct descriptor *d;

	(void)state;
	put("agent.conf", "[messaging]\nurl=amqp://broker\ncacert=/ca\n");
	put("plugins/demo.conf", "[main]\nenabled=1\n");
	put("plugins/full.conf",
	    "[main]\nenabled=yes\nname=mine\nplugin=other\nthreads=7\nlatency=1.5\n"
	    "[messaging]\nurl=amqps://else/vh\nuuid=not-this\ncacert=/x\nclientcert=/y\n"
	    "host_validation=0\nheartbeat=5\n[model]\nqueue=amq.direct/the-queue\n"
	    "[pending]\ndepth=9\n[own]\nkey=value\n");
	put("plugins/off.json", "{\"main\": {\"enabled\": \"0\", \"plugin\": \"of.python\"}}");
	put("plugins/README", "no descriptor");
	put("plugins/uuid.conf", "[main]\nenabled=1\nplugin=demo\n[messaging]\nurl=\nuuid=u1\n");
	assert_true(load());
	assert_int_equal(faults.count, 0);

	d = settings->descriptors;
	assert_true(d->enabled && !d->faulty);
	assert_string_equal(d->name, "demo");
	assert_string_equal(d->queue, "demo");
	assert_ptr_equal(d->plugin, &demo);
	assert_int_equal(d->threads, 1);
	assert_int_equal(d->backlog, 1000);
	assert_true(d->latency_s == 0);
	assert_true(d->broker.attached && !d->broker.own);
	assert_string_equal(d->broker.url.host, "broker");
	assert_string_equal(d->broker.cacert, "/ca");
	assert_null(d->broker.clientcert);
	assert_true(d->broker.host_validation);
	assert_true(d->broker.heartbeat_s == 0);

	d = d->next;
	assert_string_equal(d->name, "mine");
	assert_string_equal(d->queue, "the-queue");
	assert_ptr_equal(d->plugin, &other);
	assert_int_equal(d->threads, 7);
	assert_int_equal(d->backlog, 9);
	assert_true(d->latency_s == 1.5);
	assert_true(d->broker.url.tls);
	assert_string_equal(d->broker.url.host, "else");
	assert_string_equal(d->broker.cacert, "/x");
	assert_string_equal(d->broker.clientcert, "/y");
	assert_string_equal(d->broker.clientkey, "/y");
	assert_false(d->broker.host_validation);
	assert_true(d->broker.heartbeat_s == 5);
	assert_string_equal(config_text(d->config, "own", "key"), "value");

	d = d->next;
	assert_false(d->enabled);
	assert_false(d->faulty);

	d = d->next;
	assert_string_equal(d->queue, "u1");
	assert_string_equal(d->broker.url.host, "broker");
	assert_null(d->next);
}

/* One that is wrong is out; the others are not. */
static void test_faulty_descriptors(void **state)
{
	static const struct {
		const char *text, *fault;
	} rows[] = {
		{"[main]\nenabled=perhaps\n", "a.conf:2: [main] enabled: must be 1 or 0"},
		{"[main]\nenabled=1\nplugin=nothing\n",
	         "a.conf:3: there is no plugin \"nothing\" in this program; there are: demo, other"},
		{"[main]\nenabled=1\n", "a.conf: there is no plugin \"a\""},
		{"[main]\nenabled=1\nplugin=demo\nthreads=0\n",
	         "a.conf:4: [main] threads: must be"},
		{"[main]\nenabled=1\nplugin=demo\n[messaging]\nurl=amqp://x:99999\n",
	         "a.conf:5: [messaging] url: "},
		{"[main]\nenabled=1\nplugin=demo\n[messaging]\nauthenticator=x\n",
	         "a.conf:5: [messaging] authenticator: this version can't check signatures"},
		{"[main]\nenabled=1\nplugin=demo\nlatencey=3\n", "did you mean `latency`?"},
		{"[main]\nenabled=1\nplugin=demo\nname=Admin\n",
	         "a.conf:4: [main] name: \"Admin\""},
		{"[main]\nenabled=1\nplugin=demo\n[pending]\ndepth=0\n",
	         "a.conf:5: [pending] depth"},
		{"[model]\nmanaged=3\n", "a.conf:2: [model] managed: must be"},
		{"enabled=1\n[main\n", "a.conf:1: "},
	};

	(void)state;
	put("plugins/z.conf", "[main]\nenabled=1\nplugin=other\n");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		put("plugins/a.conf", rows[i].text);
		assert_true(load());
		expect_fault(rows[i].fault);
		assert_false(settings->descriptors->enabled);
		assert_true(settings->descriptors->faulty);
		assert_true(settings->descriptors->next->enabled);
	}
}

static void test_names_are_taken_once(void **state)
{
	(void)state;
	put("plugins/a.conf", "[main]\nenabled=1\nplugin=demo\nname=same\n");
	put("plugins/b.conf", "[main]\nenabled=1\nplugin=other\nname=same\n");
	put("plugins/c.conf", "[main]\nenabled=0\nplugin=other\nname=same\n");
	assert_true(load());
	assert_int_equal(faults.count, 1);
	expect_fault("b.conf:4: [main] name: \"same\" is taken by ");
	expect_fault("/plugins/a.conf");
	assert_true(settings->descriptors->enabled);
	assert_false(settings->descriptors->next->enabled);
}

static void test_long_names(void **state)
{
	struct buf text = BUF_INIT;

	(void)state;
	buf_puts(&text, "[main]\nenabled=1\nplugin=demo\n[model]\nqueue=");
	for (int i = 0; i < 300; i++)
		buf_putc(&text, 'q');
	put("plugins/a.conf", buf_text(&text));
	assert_true(load());
	expect_fault("a.conf:5: the queue's name has over 255 bytes");
	buf_clear(&text);
	buf_puts(&text, "[main]\nenabled=1\nplugin=demo\nname=");
	for (int i = 0; i < 300; i++)
		buf_putc(&text, 'n');
	put("plugins/a.conf", buf_text(&text));
	assert_true(load());
	expect_fault("a.conf:4: [main] name: at most 255 bytes");
	buf_release(&text);
}

/* What gofer 2.x knew and this does not do is told, unless it asks for nothing. */
static void test_notes(void **state)
{
	(void)state;
	put("agent.conf", "[management]\nenabled=1\nhost=x\nport=1\n[pam]\nservice=login\n");
	put("plugins/demo.conf",
	    "[main]\nenabled=1\naccept=*\nforward=a,b\n[model]\nmanaged=2\nexpiration=10\n"
	    "exchange=amq.direct\n");
	assert_true(load());
	assert_int_equal(faults.count, 0);
	expect_note("agent.conf:6: [pam] service: not supported");
	expect_note("demo.conf:6: [model] managed: not supported");
	expect_note("demo.conf:7: [model] expiration: not supported");
	expect_note("demo.conf:8: [model] exchange: not supported");
	assert_int_equal(notes.count, 4);

	put("agent.conf", "[management]\nenabled=0\nhost=x\n");
	put("plugins/demo.conf", "[main]\nenabled=1\naccept=,\nforward=,\n[model]\nmanaged=1\n");
	assert_true(load());
	assert_int_equal(notes.count, 0);
}

/* --- which broker --------------------------------------------------------------------- */

static void test_no_broker(void **state)
{
	(void)state;
	put("plugins/demo.conf", "[main]\nenabled=1\n");
	assert_true(load());
	assert_false(settings->descriptors->broker.attached);
}

static void test_own_broker(void **state)
{
	static const struct {
		const char *listen, *url;
		bool own;
	} rows[] = {
		{"amqp://127.0.0.1:9", "", true},
		{"amqp://127.0.0.1:9", "amqp://localhost:9", true},
		{"amqp://0.0.0.0:9", "amqp://127.0.0.1:9", true},
		{"amqp://host:9", "amqp://user:pw@host:9", true},
		{"amqp://127.0.0.1:9", "amqp://localhost:8", false},
		{"amqps://127.0.0.1:9", "amqp://localhost:9", false},
		{"amqp://host:9", "amqp://localhost:9", false},
		{"amqp://0.0.0.0:9", "amqp://elsewhere:9", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[128];
		const char *listen[] = {rows[i].listen};

		snprintf(text, sizeof text, "[main]\nenabled=1\n[messaging]\nurl=%s\n",
		         rows[i].url);
		put("plugins/demo.conf", text);
		assert_true(
			load_with((struct settings_source){.listen = listen, .listen_count = 1}));
		assert_true(settings->descriptors->broker.attached);
		assert_int_equal(settings->descriptors->broker.own, rows[i].own);
	}
}

static void test_plugins_of_the_command_line(void **state)
{
	const char *plugins[] = {"demo", "other=queue=x"}, *listen[] = {"amqp://127.0.0.1:9"};
	struct settings_source source = {.plugins = plugins, .plugins_count = 2};
	const struct descriptor *d;

	(void)state;
	assert_false(load_with(source));
	expect_fault("--plugin demo: which broker?");

	source.url = "amqp://there";
	assert_true(load_with(source));
	d = settings->descriptors;
	assert_string_equal(d->origin, "--plugin demo");
	assert_true(d->enabled);
	assert_string_equal(d->name, "demo");
	assert_string_equal(d->queue, "demo");
	assert_string_equal(d->broker.url.host, "there");
	d = d->next;
	assert_string_equal(d->name, "other");
	assert_string_equal(d->queue, "queue=x");
	assert_ptr_equal(d->plugin, &other);

	/* The agent itself is meant where it listens, whatever agent.conf names. */
	put("agent.conf", "[messaging]\nurl=amqp://conf\n");
	source.url = NULL;
	source.listen = listen;
	source.listen_count = 1;
	assert_true(load_with(source));
	assert_true(settings->descriptors->broker.own);
	source.listen_count = 0;
	assert_true(load_with(source));
	assert_string_equal(settings->descriptors->broker.url.host, "conf");

	plugins[1] = "nothing";
	assert_false(load_with(source));
	expect_fault("--plugin nothing: there is no plugin \"nothing\"");
	plugins[1] = "";
	assert_false(load_with(source));
	plugins[1] = "demo";
	assert_false(load_with(source));
	expect_fault("is taken by --plugin demo");
}

static void test_logging(void **state)
{
	(void)state;
	put("agent.conf", "[logging]\nroot=error\ngofer.agent=debug\nagent.uplink = INFO\n");
	assert_true(load());
	settings_apply_logging(settings);
	assert_false(log_enabled("core", LOG_LEVEL_WARNING));
	assert_true(log_enabled("agent", LOG_LEVEL_DEBUG));
	assert_true(log_enabled("agent.intake", LOG_LEVEL_DEBUG));
	assert_false(log_enabled("agent.uplink", LOG_LEVEL_DEBUG));
	put("agent.conf", "[logging]\ngofer=warning\n");
	assert_true(load());
	settings_apply_logging(settings);
	assert_true(log_enabled("core", LOG_LEVEL_WARNING));
}

/* A line that begins and ends so; several may begin so. */
static const char *find_row(const char *text, const char *begin, const char *help)
{
	size_t size = strlen(help);

	while ((text = strstr(text, begin))) {
		const char *end = strchr(text, '\n');

		if (end - text > (ptrdiff_t)size + 2 && !strncmp(end - size - 2, help, size))
			return text;
		text = end;
	}
	return NULL;
}

/* Each property is told of in the documentation, in the tables' own words. */
static void test_documentation(void **state)
{
	struct buf want = BUF_INIT, have = BUF_INIT;
	FILE *file = fopen("docs/configuration.md", "r");
	const struct config_property *const schemas[] = {schema_agent, schema_plugin};
	size_t n;

	(void)state;
	assert_non_null(file);
	while ((n = fread(buf_reserve(&have, 4096), 1, 4096, file)) > 0)
		buf_added(&have, n);
	fclose(file);
	for (size_t i = 0; i < 2; i++) {
		for (const struct config_property *p = schemas[i]; p->section; p++) {
			const char *row;

			buf_clear(&want);
			buf_printf(&want, "| `[%s] %s` |", p->section, p->key);
			row = find_row(buf_text(&have), buf_text(&want), p->help);
			if (!row)
				fail_msg("%s ... | %s | is missing", buf_text(&want), p->help);
		}
	}
	buf_release(&want);
	buf_release(&have);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_at_all),
		TEST(test_no_root),
		TEST(test_agent_conf_and_more),
		TEST(test_config_file_of_the_command_line),
		TEST(test_faults_of_the_agent),
		TEST(test_listeners),
		TEST(test_descriptor),
		TEST(test_faulty_descriptors),
		TEST(test_names_are_taken_once),
		TEST(test_long_names),
		TEST(test_notes),
		TEST(test_no_broker),
		TEST(test_own_broker),
		TEST(test_plugins_of_the_command_line),
		TEST(test_logging),
		TEST(test_documentation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
