/* SPDX-License-Identifier: Apache-2.0 */
/* gofer agentd: the agent as a process: options, configuration, lock, signals, life. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/daemon.h"
#include "agent/notify.h"
#include "agent/settings.h"
#include "agent/trim.h"
#include "amqp/loop.h"
#include "cmd/command.h"
#include "cmd/exit_codes.h"
#include "core/log.h"
#include "plugins/table.h"

#define PROGRAM "goferd"
#define PACKAGE "agent"

struct agentd_options {
	bool foreground, test, check;
	const char *config_file, *root, *url, *users, *cert, *key;
	struct option_list plugins, listen;
};

#define OFFSET(field) offsetof(struct agentd_options, field)

/* clang-format off */
static const struct option_spec specs[] = {
	{.name = "foreground", .letter = 'f', .kind = OPTION_FLAG, .offset = OFFSET(foreground),
	 .help = "stay in the foreground, log to standard error"},
	{.name = "config", .letter = 'c', .kind = OPTION_TEXT, .offset = OFFSET(config_file),
	 .argument = "FILE", .help = "the agent's configuration, instead of etc/gofer/agent.conf"},
	{.name = "root", .kind = OPTION_TEXT, .offset = OFFSET(root), .argument = "DIR",
	 .help = "etc, var and run are in this directory; what is needed is made"},
	{.name = "plugin", .kind = OPTION_LIST, .offset = OFFSET(plugins), .argument = "NAME[=QUEUE]",
	 .help = "load this plugin without a descriptor, on that queue or one of its own name; may "
	         "be given several times"},
	{.name = "url", .letter = 'u', .kind = OPTION_SECRET, .offset = OFFSET(url), .argument = "URL",
	 .help = "the broker of such plugins; with --listen it is the agent itself by default"},
	{.name = "listen", .letter = 'l', .kind = OPTION_LIST, .offset = OFFSET(listen),
	 .argument = "URL", .help = "be a broker too; may be given several times"},
	{.name = "users", .kind = OPTION_TEXT, .offset = OFFSET(users), .argument = "FILE",
	 .help = "with --listen: who may connect, \"name:password\" lines"},
	{.name = "cert", .kind = OPTION_TEXT, .offset = OFFSET(cert), .argument = "FILE",
	 .help = "with --listen amqps://...: the certificate, PEM"},
	{.name = "key", .kind = OPTION_TEXT, .offset = OFFSET(key), .argument = "FILE",
	 .help = "its key, PEM"},
	{.name = "test", .letter = 't', .kind = OPTION_FLAG, .offset = OFFSET(test),
	 .help = "read the configuration, say whether it is right, and stop"},
	{.name = "check", .kind = OPTION_FLAG, .offset = OFFSET(check),
	 .help = "the same, and tell every fault by file and line"},
	{.kind = OPTION_END},
};
/* clang-format on */

/* --- configuration -------------------------------------------------------------------- */

/* What the daemon may still need once it has left this directory. To be freed; NULL stays NULL. */
static char *absolute(const char *path)
{
	struct buf out = BUF_INIT;
	char *here;

	if (!path)
		return NULL;
	here = path[0] == '/' ? NULL : getcwd(NULL, 0);
	if (here)
		buf_printf(&out, "%s/", here);
	buf_puts(&out, path);
	free(here);
	return buf_take(&out, NULL);
}

/* What the command line says, in a form that holds when this directory was left. */
struct source {
	struct settings_source settings;
	char *root, *config_file, *users, *cert, *key;
};

static void source_init(struct source *s, const struct agentd_options *o)
{
	s->root = absolute(o->root);
	s->config_file = absolute(o->config_file);
	s->users = absolute(o->users);
	s->cert = absolute(o->cert);
	s->key = absolute(o->key);
	s->settings = (struct settings_source){
		.root = s->root,
		.config_file = s->config_file,
		.plugins = o->plugins.items,
		.plugins_count = o->plugins.count,
		.url = o->url,
		.listen = o->listen.items,
		.listen_count = o->listen.count,
		.users = s->users,
		.cert = s->cert,
		.key = s->key,
		.table = plugin_table,
	};
}

static void source_release(struct source *s)
{
	free(s->root);
	free(s->config_file);
	free(s->users);
	free(s->cert);
	free(s->key);
}

static void print_line_by_line(const char *text, const char *prefix)
{
	while (*text) {
		size_t size = strcspn(text, "\n");

		fprintf(stderr, "%s%.*s\n", prefix, (int)size, text);
		text += size + (text[size] == '\n');
	}
}

/* -t and --check. */
static int report(const struct config_faults *faults, const struct config_faults *notes, bool all)
{
	const char *text = buf_text(&faults->text);

	if (all)
		print_line_by_line(buf_text(&notes->text), "note: ");
	if (faults->count == 0) {
		puts("the configuration is right");
		return EXIT_CODE_OK;
	}
	if (all) {
		fputs(text, stderr);
		return EXIT_CODE_USAGE;
	}
	fprintf(stderr, "%.*s\n", (int)strcspn(text, "\n"), text);
	if (faults->count > 1)
		fprintf(stderr, "and %zu more; --check tells all\n", faults->count - 1);
	return EXIT_CODE_USAGE;
}

static void log_lines(const char *text, enum log_level level)
{
	while (*text) {
		size_t size = strcspn(text, "\n");

		log_write("agent.settings", level, "%.*s", (int)size, text);
		text += size + (text[size] == '\n');
	}
}

/* --- life ----------------------------------------------------------------------------- */

#define SIGNALS 3
static const int signums[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

struct process {
	struct source source;
	const struct settings *settings; /* as they were at the start */
	struct loop *loop;
	struct agent *agent;
	struct daemon daemon;
	struct loop_signal *signals[SIGNALS];
	struct loop_timer *watchdog;
	bool hangup_ends, ending;
	size_t abandoned; /* methods that use still what they were given */
};

static void on_ready(void *context)
{
	struct process *p = context;
	char state[80];

	snprintf(state, sizeof state, "READY=1\nSTATUS=%zu plugins", agent_instances(p->agent));
	notify_send(state);
	daemon_tell(&p->daemon, EXIT_CODE_OK);
	trim();
}

static void on_stopped(void *context)
{
	struct process *p = context;

	loop_stop(p->loop);
}

static const struct agent_events events = {on_ready, on_stopped};

/* What of the agent itself counts only from its next start on. */
static void tell_unchanged(const struct config *before, const struct config *after)
{
	static const struct {
		const char *section, *key;
	} fixed[] = {
		{"broker", "listen"},   {"broker", "users"},       {"broker", "cert"},
		{"broker", "key"},      {"messaging", "max_body"}, {"management", "enabled"},
		{"management", "host"}, {"management", "port"},
	};

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
		const char *a = config_text(before, fixed[i].section, fixed[i].key);
		const char *b = config_text(after, fixed[i].section, fixed[i].key);

		if (strcmp(a ? a : "", b ? b : "") != 0)
			log_warning(PACKAGE,
			            "[%s] %s has changed: it counts from the next start on",
			            fixed[i].section, fixed[i].key);
	}
}

static void renew(struct process *p)
{
	struct config_faults faults = {BUF_INIT, 0}, notes = {BUF_INIT, 0};
	struct settings *settings = settings_load(&p->source.settings, &faults, &notes);

	log_info(PACKAGE, "SIGHUP: reading the configuration again");
	log_lines(buf_text(&faults.text), LOG_LEVEL_ERROR);
	log_lines(buf_text(&notes.text), LOG_LEVEL_WARNING);
	if (settings) {
		tell_unchanged(p->settings->config, settings->config);
		log_levels_reset();
		settings_apply_logging(settings);
		agent_renew_take(p->agent, settings);
	} else {
		log_error(PACKAGE, "the configuration is faulty; going on with the one before");
	}
	config_faults_release(&faults);
	config_faults_release(&notes);
}

static void on_signal(void *context, int signum)
{
	struct process *p = context;

	if (!p->agent)
		return; /* it could not be made, and is being taken apart */
	if (signum == SIGHUP && !p->hangup_ends) {
		if (!p->ending)
			renew(p);
		return;
	}
	log_info(PACKAGE, "%s: ending", strsignal(signum));
	notify_send("STOPPING=1");
	p->ending = true;
	agent_stop(p->agent);
}

static void on_watchdog(void *context)
{
	(void)context;
	notify_send("WATCHDOG=1");
}

static enum gofer_err start_watchdog(struct process *p)
{
	double interval_s = notify_watchdog_s();

	if (interval_s <= 0)
		return GOFER_OK;
	p->watchdog = loop_timer_new(p->loop, on_watchdog, p);
	if (!p->watchdog)
		return GOFER_NOMEM;
	loop_timer_start(p->watchdog, interval_s, interval_s);
	return GOFER_OK;
}

/* Before there is a pid file: whoever has read it may send a signal. */
static enum gofer_err listen_to_signals(struct process *p, struct error *error)
{
	p->loop = loop_new(error);
	if (!p->loop)
		return GOFER_FAILED;
	for (size_t i = 0; i < SIGNALS; i++) {
		p->signals[i] = loop_signal_new(p->loop, signums[i], on_signal, p);
		if (!p->signals[i])
			return error_set(error, GOFER_NOMEM, "out of memory");
	}
	return GOFER_OK;
}

static enum gofer_err start(struct process *p, const struct settings *settings, struct error *error)
{
	p->agent = agent_new(p->loop, settings, &events, p, error);
	if (!p->agent)
		return error->code ? error->code : GOFER_FAILED;
	if (start_watchdog(p))
		return error_set(error, GOFER_NOMEM, "out of memory");
	return GOFER_OK;
}

/* Nobody listens to signals from here on, and none may cut short what is left to do. */
static void hold_signals(void)
{
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&held, signums[i]);
	pthread_sigmask(SIG_BLOCK, &held, NULL);
}

static void finish(struct process *p)
{
	hold_signals();
	loop_timer_free(p->watchdog);
	for (size_t i = 0; i < SIGNALS; i++)
		loop_signal_free(p->signals[i]);
	agent_free(p->agent);
	loop_free(p->loop);
}

static int run_agent(struct process *p, const struct settings *settings)
{
	struct error error = ERROR_NONE;

	if (start(p, settings, &error)) {
		fprintf(stderr, PROGRAM ": %s\n", error.text);
		finish(p);
		return exit_code_of(error.code);
	}
	loop_run(p->loop);
	p->abandoned = agent_abandoned(p->agent);
	if (p->abandoned == 0)
		finish(p);
	else
		log_warning(PACKAGE, "%zu call%s did not end when asked to, cut off", p->abandoned,
		            p->abandoned == 1 ? "" : "s");
	return EXIT_CODE_OK;
}

static int run_locked(struct process *p, const struct settings *settings)
{
	struct error error = ERROR_NONE;
	int lock;

	if (listen_to_signals(p, &error) || daemon_lock(settings->run, &lock, &error)) {
		fprintf(stderr, PROGRAM ": %s\n", error.text);
		finish(p);
		return exit_code_of(error.code);
	}
	int code = run_agent(p, settings);
	daemon_unlock(settings->run, lock);
	return code;
}

/* The variable is inherited by more than the services that it was set for. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void open_log(bool foreground)
{
	if (!foreground)
		log_open(LOG_TARGET_SYSLOG, PROGRAM);
	else
		log_open(stderr_is_journal() ? LOG_TARGET_JOURNAL : LOG_TARGET_STDERR, PROGRAM);
}

static int run_settings(struct process *p, const struct settings *settings, bool foreground,
                        const struct config_faults *faults, const struct config_faults *notes)
{
	struct error error = ERROR_NONE;
	int code = EXIT_CODE_IO;

	if (!foreground) {
		fputs(buf_text(&faults->text), stderr);
		enum gofer_err rc = daemon_fork(&p->daemon, &code, &error);
		if (rc == GOFER_IO)
			fprintf(stderr, PROGRAM ": %s\n", error.text);
		if (rc)
			return code;
	}
	p->hangup_ends = foreground && isatty(STDIN_FILENO);
	open_log(foreground);
	settings_apply_logging(settings);
	log_lines(buf_text(&faults->text), LOG_LEVEL_ERROR);
	log_lines(buf_text(&notes->text), LOG_LEVEL_WARNING);
	code = run_locked(p, settings);
	daemon_tell(&p->daemon, code ? code : EXIT_CODE_RAISED);
	log_close();
	return code;
}

static int run(void *options, int argc, char **argv)
{
	const struct agentd_options *o = options;
	struct config_faults faults = {BUF_INIT, 0}, notes = {BUF_INIT, 0};
	struct process process = {.daemon = DAEMON_INIT};
	struct settings *settings;
	int code;

	if (argc > 0) {
		fprintf(stderr, PROGRAM ": %s: takes no arguments, only options\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	source_init(&process.source, o);
	settings = settings_load(&process.source.settings, &faults, &notes);
	process.settings = settings;
	process.source.settings.running = settings ? &settings->listen : NULL;
	if (o->test || o->check || !settings)
		code = report(&faults, &notes, o->check || !o->test);
	else
		code = run_settings(&process, settings, o->foreground, &faults, &notes);
	if (!process.abandoned)
		settings_free(settings);
	source_release(&process.source);
	config_faults_release(&faults);
	config_faults_release(&notes);
	return code;
}

const struct command command_agentd = {
	.name = "agentd",
	.alias = "goferd",
	.args = "",
	.summary = "Run the agent",
	.details =
		"Without -f it goes to the background once it is ready, and logs to syslog.\n"
		"\n"
		"  gofer agentd -f --root /tmp/x --listen amqp://127.0.0.1:5672 --plugin demo\n"
		"\n"
		"SIGTERM: no more requests; calls have [main] grace seconds to end. A second one "
		"ends them now.\n"
		"SIGHUP: the configuration is read again; plugins whose descriptor has changed are "
		"loaded, reloaded or unloaded.",
	.options = specs,
	.options_size = sizeof(struct agentd_options),
	.run = run,
};
