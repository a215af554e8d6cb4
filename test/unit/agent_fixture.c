/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/schema.h"
#include "core/clock.h"

#define LIMIT_MS 60000

atomic_uint fixture_runs, fixture_loads, fixture_ticks, fixture_onces, fixture_beside;
static atomic_uint ticking;
static sem_t gate;

static __attribute__((constructor)) void make_gate(void)
{
	sem_init(&gate, 0, 0);
}

const struct message fixture_message = {.priority = 4, .body_kind = MESSAGE_STRING};

/* --- the plugin ----------------------------------------------------------------------- */

static enum gofer_err test_echo(struct call *call)
{
	fixture_runs++;
	return call_return_copy(call, call_arg(call, "x"));
}

static enum gofer_err test_block(struct call *call)
{
	fixture_runs++;
	sem_wait(&gate);
	return call_return_string(call, "released");
}

static enum gofer_err test_progress(struct call *call)
{
	long long n;

	fixture_runs++;
	if (call_arg_integer(call, "n", &n))
		return GOFER_FAILED;
	for (long long i = 1; i <= n; i++)
		call_progress(call, n, i, "step");
	return call_return_string(call, "done");
}

static enum gofer_err test_burst(struct call *call)
{
	sem_wait(&gate);
	return test_progress(call);
}

static enum gofer_err test_sleep(struct call *call)
{
	double seconds;

	fixture_runs++;
	if (call_arg_double(call, "seconds", &seconds))
		return GOFER_FAILED;
	enum gofer_err rc = call_sleep(call, seconds);
	return rc ? rc : call_return_string(call, "slept");
}

static enum gofer_err test_who(struct call *call)
{
	const char *name = plugin_context_option(call_context(call), "test", "name");

	fixture_runs++;
	return call_return_string(call, name ? name : "nobody");
}

static enum gofer_err load(struct plugin_context *context)
{
	if (plugin_context_option(context, "test", "broken"))
		return GOFER_FAILED;
	fixture_loads++;
	return GOFER_OK;
}

static void unload(struct plugin_context *context)
{
	if (plugin_context_option(context, "test", "lingers"))
		usleep(300 * 1000);
	fixture_loads--;
}

static const struct method methods[] = {
	{.name = "echo", .params = "x", .run = test_echo, .help = "A test."},
	{.name = "block", .run = test_block, .help = "A test."},
	{.name = "progress", .params = "n", .run = test_progress, .help = "A test."},
	{.name = "burst", .params = "n", .run = test_burst, .help = "A test."},
	{.name = "sleep", .params = "seconds", .run = test_sleep, .help = "A test."},
	{.name = "who", .run = test_who, .help = "A test."},
	{.name = NULL},
};

static const struct class classes[] = {
	{.name = "Test", .help = "Tests.", .methods = methods},
	{.name = NULL},
};

/* Takes longer than its interval. */
static enum gofer_err tick(struct plugin_context *context)
{
	if (!plugin_context_option(context, "test", "ticks"))
		return GOFER_OK;
	if (ticking++)
		fixture_beside++;
	usleep(1100 * 1000);
	ticking--;
	fixture_ticks++;
	return GOFER_OK;
}

static enum gofer_err once(struct plugin_context *context)
{
	fixture_onces++;
	return plugin_context_option(context, "test", "ticks") ? GOFER_FAILED : GOFER_OK;
}

static const struct action actions[] = {
	{.name = "tick", .interval_s = 1, .run = tick},
	{.name = "once", .run = once},
	{.name = NULL},
};

static const struct class other_classes[] = {
	{.name = "Other", .help = "Tests.", .methods = methods},
	{.name = NULL},
};

const struct plugin fixture_other_plugin = {
	.name = "other",
	.summary = "For the tests.",
	.classes = other_classes,
};

const struct plugin fixture_plugin = {
	.name = "test",
	.summary = "For the tests.",
	.classes = classes,
	.actions = actions,
	.load = load,
	.unload = unload,
};

/* --- the parts ------------------------------------------------------------------------ */

static void on_change(void *context)
{
	((struct fixture *)context)->changes++;
}

static void on_cancel(void *context)
{
	struct fixture *f = context;

	instance_mark(f->instance);
	instance_sweep(f->instance);
}

static void on_journal(struct loop_task *task)
{
	struct fixture *f =
		(struct fixture *)((char *)task - offsetof(struct fixture, journal_task));

	if (f->journal)
		journal_run(f->journal);
}

/* With all files in it. */
static void remove_directory(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *one;

	while (dir && (one = readdir(dir)))
		unlinkat(dirfd(dir), one->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

static void notify(void *context)
{
	struct fixture *f = context;

	loop_post(f->loop, &f->journal_task);
}

static void describe(struct fixture *f, const struct descriptor *like)
{
	f->descriptor = *like;
	f->descriptor.references = 1;
	f->descriptor.forward = f->descriptor.accept = ",";
	f->descriptor.origin = (char *)"test.conf";
	f->descriptor.config = config_new(schema_plugin);
	config_set(f->descriptor.config, "test", "name", "somebody", "test");
	f->descriptor.name = (char *)"test";
	f->descriptor.queue = (char *)"queue";
	f->descriptor.plugin = &fixture_plugin;
	f->descriptor.threads = like->threads ? like->threads : 1;
	f->descriptor.backlog = like->backlog ? like->backlog : 8;
}

struct fixture *fixture_new_like(const struct descriptor *like, size_t body_max,
                                 const struct journal_options *journal)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct journal_options options = *journal;
	struct error error = ERROR_NONE;

	fixture_reset();
	log_level("", LOG_LEVEL_ERROR);
	f->loop = loop_new(&error);
	strcpy(f->directory, "/tmp/gofer-agent-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	options.directory = f->directory;
	options.notify = notify;
	options.context = f;
	f->journal = journal_new(&options, &error);
	f->journal_task.run = on_journal;
	f->pending = pending_new(f->loop, on_cancel, f);
	f->services = (struct instance_services){
		.loop = f->loop,
		.journal = f->journal,
		.tracker = tracker_new(&(struct tracker_options){0}),
		.pending = f->pending,
		.admin = admin_new(f->pending, &error),
		.body_max = body_max,
		.on_change = on_change,
		.context = f,
	};
	assert_non_null(f->services.admin);
	describe(f, like);
	f->fake = fake_new();
	f->outbox = outbox_new(f->loop, &f->fake->base, NULL, NULL);
	f->loader = pool_new("loader", 1, 10);
	f->module = module_new(&f->descriptor, f->loader, &error);
	assert_non_null(f->module);
	assert_int_equal(module_load(f->module, &error), 0);
	f->instance = instance_new(&f->services, f->module, &error);
	if (!f->instance)
		fail_msg("%s", error.text);
	assert_int_equal(instance_attach(f->instance, &f->fake->base, f->outbox, "nowhere"), 0);
	fake_open(f->fake);
	return f;
}

struct fixture *fixture_new(void)
{
	return fixture_new_like(&(struct descriptor){0}, 4096, &(struct journal_options){0});
}

void fixture_free(struct fixture *f)
{
	instance_stop(f->instance);
	fixture_release(100);
	instance_cut(f->instance, true);
	instance_join(f->instance);
	admin_join(f->services.admin);
	loop_run_once(f->loop, 0);
	journal_stop(f->journal);
	outbox_free(f->outbox);
	instance_free(f->instance);
	module_unref(f->module);
	pool_free(f->loader);
	admin_free(f->services.admin);
	pending_free(f->pending);
	tracker_free(f->services.tracker);
	journal_free(f->journal);
	f->journal = NULL;
	loop_free(f->loop);
	remove_directory(f->directory);
	fake_free(f->fake);
	config_free(f->descriptor.config);
	free(f);
}

void fixture_reset(void)
{
	while (sem_trywait(&gate) == 0)
		;
	fixture_runs = fixture_loads = fixture_ticks = fixture_onces = fixture_beside = 0;
}

void fixture_release(unsigned n)
{
	while (n--)
		sem_post(&gate);
}

void fixture_turn(struct fixture *f, double seconds)
{
	uint64_t until = clock_monotonic_us() + (uint64_t)(seconds * 1e6);

	do
		loop_run_once(f->loop, 0.002);
	while (clock_monotonic_us() < until);
}

void fixture_wait_sent(struct fixture *f, size_t count)
{
	uint64_t until = clock_monotonic_ms() + LIMIT_MS;

	while (f->fake->sent_count < count && clock_monotonic_ms() < until)
		loop_run_once(f->loop, 0.02);
	if (f->fake->sent_count < count)
		fail_msg("%zu messages were sent, not %zu", f->fake->sent_count, count);
}

void fixture_wait_runs(struct fixture *f, unsigned runs)
{
	uint64_t until = clock_monotonic_ms() + LIMIT_MS;

	while (fixture_runs < runs && clock_monotonic_ms() < until)
		loop_run_once(f->loop, 0.002);
	assert_int_equal(fixture_runs, runs);
}

/* --- messages ------------------------------------------------------------------------- */

struct fake_delivery *fixture_call_like(struct fixture *f, const struct message *like,
                                        const char *sn, const char *method, const char *args,
                                        const char *replyto)
{
	struct buf text = BUF_INIT;
	const char *dot = strchr(method, '.');

	buf_printf(&text,
	           "{\"sn\": \"%s\", \"version\": \"2.0\", \"replyto\": %s, \"data\": {\"b\":1,  "
	           "\"a\":2}, "
	           "\"request\": {\"classname\": \"%.*s\", \"method\": \"%s\", \"args\": %s}}",
	           sn, replyto, dot ? (int)(dot - method) : 4, dot ? method : "Test",
	           dot ? dot + 1 : method, args);
	struct fake_delivery *d = fake_deliver(f->fake, like, text.data, text.size, NULL);
	buf_release(&text);
	return d;
}

struct fake_delivery *fixture_call(struct fixture *f, const char *sn, const char *method,
                                   const char *args)
{
	return fixture_call_like(f, &fixture_message, sn, method, args, "\"replies\"");
}

struct reply fixture_reply(const struct fixture *f, size_t i)
{
	struct reply reply;
	struct error error = ERROR_NONE;

	assert_true(i < f->fake->sent_count);
	if (reply_decode(&reply, f->fake->sent[i].body, strlen(f->fake->sent[i].body), &error))
		fail_msg("reply %zu: %s: %s", i, error.text, f->fake->sent[i].body);
	return reply;
}

const char *fixture_text(const struct fixture *f, size_t i, const char *key)
{
	static char text[480];
	struct reply reply = fixture_reply(f, i);
	const char *value = json_string(json_get(reply.root, key));

	snprintf(text, sizeof text, "%s", value ? value : "");
	reply_release(&reply);
	return text;
}

void fixture_expect_status(const struct fixture *f, size_t i, enum reply_kind kind, const char *sn)
{
	struct reply reply = fixture_reply(f, i);

	assert_int_equal(reply.kind, kind);
	assert_string_equal(reply.sn, sn);
	reply_release(&reply);
}
