/* SPDX-License-Identifier: Apache-2.0 */
/* gofer broker: the embedded broker as a process of its own. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "amqp/loop.h"
#include "amqp/url.h"
#include "broker/broker.h"
#include "cmd/command.h"
#include "cmd/exit_codes.h"
#include "core/log.h"

#define PROGRAM "gofer-broker"
#define DEFAULT_URL "amqp://127.0.0.1:5672"
/* How long clients have to answer the close frame, and how often that is looked at. */
#define CLOSE_S 3.0
#define CLOSE_POLL_S 0.02

struct command_options {
	struct option_list listen;
	const char *users, *cert, *key;
	bool allow_anonymous, verbose;
	long long queue_messages, queue_bytes, message_bytes, connections;
	double idle_timeout_s;
};

#define OFFSET(field) offsetof(struct command_options, field)
#define SIZE_MOST (1LL << 40)

/* clang-format off */
static const struct option_spec specs[] = {
	{.name = "listen", .letter = 'l', .kind = OPTION_LIST, .offset = OFFSET(listen),
	 .argument = "URL", .help = "where to listen, amqp:// or amqps://; may be given several "
	         "times; port 0 is any that is free; by default " DEFAULT_URL},
	{.name = "users", .kind = OPTION_TEXT, .offset = OFFSET(users), .argument = "FILE",
	 .help = "who may connect, \"name:password\" lines; a password may be a hash of crypt(3)"},
	{.name = "allow-anonymous", .kind = OPTION_FLAG, .offset = OFFSET(allow_anonymous),
	 .help = "with --users: others too"},
	{.name = "cert", .kind = OPTION_TEXT, .offset = OFFSET(cert), .argument = "FILE",
	 .help = "the certificate for amqps://, PEM"},
	{.name = "key", .kind = OPTION_TEXT, .offset = OFFSET(key), .argument = "FILE",
	 .help = "its key, PEM"},
	{.name = "queue-messages", .kind = OPTION_INTEGER, .offset = OFFSET(queue_messages),
	 .argument = "N", .help = "messages that a queue holds", .initial = "100000", .min = 1,
	 .max = SIZE_MOST},
	{.name = "queue-bytes", .kind = OPTION_INTEGER, .offset = OFFSET(queue_bytes),
	 .argument = "N", .help = "bytes of messages that a queue holds", .initial = "268435456",
	 .min = 1, .max = SIZE_MOST},
	{.name = "message-bytes", .kind = OPTION_INTEGER, .offset = OFFSET(message_bytes),
	 .argument = "N", .help = "bytes of the largest message", .initial = "16777216",
	 .min = 1024, .max = SIZE_MOST},
	{.name = "connections", .kind = OPTION_INTEGER, .offset = OFFSET(connections),
	 .argument = "N", .help = "connections at a time", .initial = "10000", .min = 1,
	 .max = 1000000},
	{.name = "idle-timeout", .kind = OPTION_DURATION, .offset = OFFSET(idle_timeout_s),
	 .argument = "TIME", .help = "a client that is silent for longer is gone",
	 .initial = "30s"},
	{.name = "verbose", .letter = 'v', .kind = OPTION_FLAG, .offset = OFFSET(verbose),
	 .help = "log every connection, and every message that is not taken"},
	{.kind = OPTION_END},
};
/* clang-format on */

/* --- life ------------------------------------------------------------------------------- */

struct process {
	struct loop *loop;
	struct broker *broker;
	struct loop_signal *signals[2];
	struct loop_timer *closing;
	unsigned polls;
};

static void on_closing(void *context)
{
	struct process *p = context;

	if (broker_is_closed(p->broker) || ++p->polls * CLOSE_POLL_S > CLOSE_S)
		loop_stop(p->loop);
}

/* A second signal does not wait for the clients. */
static void on_signal(void *context, int signum)
{
	struct process *p = context;

	if (p->polls) {
		loop_stop(p->loop);
		return;
	}
	log_info("broker", "%s: ending", strsignal(signum));
	broker_close(p->broker);
	p->polls = 1;
	loop_timer_start(p->closing, CLOSE_POLL_S, CLOSE_POLL_S);
}

static enum gofer_err listen_one(struct process *p, const char *text, struct error *error)
{
	struct url url = {0};
	enum gofer_err err = url_parse(&url, text, error);

	if (!err)
		err = broker_listen(p->broker, &url, error);
	url_release(&url);
	return err;
}

static enum gofer_err listen_all(struct process *p, const struct option_list *urls,
                                 struct error *error)
{
	enum gofer_err err = GOFER_OK;

	if (!urls->count)
		return listen_one(p, DEFAULT_URL, error);
	for (size_t i = 0; !err && i < urls->count; i++)
		err = listen_one(p, urls->items[i], error);
	return err;
}

static enum gofer_err start(struct process *p, const struct command_options *o, struct error *error)
{
	static const int signums[] = {SIGTERM, SIGINT};
	const struct broker_options options = {
		.users = o->users,
		.allow_anonymous = o->allow_anonymous,
		.cert = o->cert,
		.key = o->key,
		.queue_messages = (size_t)o->queue_messages,
		.queue_bytes = (size_t)o->queue_bytes,
		.message_bytes = (size_t)o->message_bytes,
		.connections = (size_t)o->connections,
		.idle_timeout_s = o->idle_timeout_s,
	};

	p->loop = loop_new(error);
	if (!p->loop)
		return GOFER_FAILED;
	p->closing = loop_timer_new(p->loop, on_closing, p);
	p->broker = p->closing ? broker_new(p->loop, &options, error) : NULL;
	if (!p->broker)
		return error->code ? error->code : GOFER_NOMEM;
	for (size_t i = 0; i < sizeof(signums) / sizeof(signums[0]); i++) {
		p->signals[i] = loop_signal_new(p->loop, signums[i], on_signal, p);
		if (!p->signals[i])
			return error_set(error, GOFER_NOMEM, "out of memory");
	}
	return listen_all(p, &o->listen, error);
}

static void finish(struct process *p)
{
	for (size_t i = 0; i < sizeof(p->signals) / sizeof(p->signals[0]); i++)
		loop_signal_free(p->signals[i]);
	loop_timer_free(p->closing);
	broker_free(p->broker);
	loop_free(p->loop);
}

static int run(void *options, int argc, char **argv)
{
	const struct command_options *o = options;
	struct process p = {0};
	struct error error = ERROR_NONE;
	int code = EXIT_CODE_OK;

	if (argc > 0) {
		fprintf(stderr, PROGRAM ": %s: takes no arguments, only options\n", argv[0]);
		return EXIT_CODE_USAGE;
	}
	log_open(LOG_TARGET_STDERR, PROGRAM);
	if (o->verbose)
		log_level("broker", LOG_LEVEL_DEBUG);
	if (start(&p, o, &error)) {
		fprintf(stderr, PROGRAM ": %s\n", error.text);
		code = exit_code_of(error.code);
	} else {
		loop_run(p.loop);
	}
	finish(&p);
	log_close();
	return code;
}

const struct command command_broker = {
	.name = "broker",
	.args = "",
	.summary = "Run a message broker",
	.details =
		"An AMQP 1.0 broker in memory: queues are made when they are first used, messages\n"
		"do not outlive it. It says on standard error where it listens; SIGTERM ends it.\n"
		"\n"
		"  gofer broker -l amqp://127.0.0.1:5672\n"
		"  gofer broker -l amqps://0.0.0.0:5671 --cert c.pem --key k.pem --users users\n"
		"\n"
		"Where others than this host can reach it, it wants --users or amqps://.",
	.options = specs,
	.options_size = sizeof(struct command_options),
	.run = run,
};
