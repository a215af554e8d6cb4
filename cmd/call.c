/* SPDX-License-Identifier: Apache-2.0 */
/* gofer call: the options, and which way of calling they ask for. */
#include "cmd/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/exit_codes.h"

#define TTL_MAX_S 4294967 /* what AMQP's milliseconds can hold */
#define LATENCY_REPEAT 1000
#define DESCRIBE "Admin.help" /* what every gofer agent answers */

#define OFFSET(field) offsetof(struct call_options, field)

/* clang-format off */
static const struct option_spec specs[] = {
	{.name = "url", .letter = 'u', .kind = OPTION_SECRET, .offset = OFFSET(url),
	 .argument = "URL", .initial = "amqp://localhost", .environment = "GOFER_URL",
	 .config = "url", .help = "the broker"},
	{.name = "address", .letter = 'a', .kind = OPTION_TEXT, .offset = OFFSET(address),
	 .argument = "ADDRESS", .environment = "GOFER_ADDRESS", .config = "address",
	 .given = OFFSET(address_given), .help = "the agent's queue, or EXCHANGE/QUEUE"},
	{.name = "target", .letter = 't', .kind = OPTION_TEXT, .offset = OFFSET(target),
	 .argument = "CLASS.METHOD", .help = "what to call; PLUGIN.FUNCTION for a function"},
	{.name = "input", .letter = 'i', .kind = OPTION_JSON, .offset = OFFSET(input),
	 .argument = "JSON", .help = "all arguments: [[ARGUMENT...], {\"NAME\": VALUE...}]"},
	{.name = "cntr", .letter = 'c', .kind = OPTION_JSON, .offset = OFFSET(cntr),
	 .argument = "JSON", .help = "arguments of the constructor, in the same form"},
	{.name = "wait", .letter = 'w', .kind = OPTION_DURATION, .offset = OFFSET(wait),
	 .argument = "TIME", .initial = "90", .environment = "GOFER_WAIT", .config = "wait",
	 .given = OFFSET(wait_given),
	 .help = "wait so long for the result; 0: do not wait, no reply is asked for, print the "
	         "serial number"},
	{.name = "reply", .letter = 'r', .kind = OPTION_TEXT, .offset = OFFSET(reply),
	 .argument = "ADDRESS",
	 .help = "do not wait: replies go to this address; print the serial number"},
	{.name = "progress", .letter = 'p', .kind = OPTION_TEXT, .offset = OFFSET(prefix),
	 .argument = "PREFIX", .help = "print the details of progress, each line behind PREFIX"},
	{.name = "data", .letter = 'd', .kind = OPTION_JSON, .offset = OFFSET(data),
	 .argument = "JSON", .help = "comes back in every reply"},
	{.name = "ttl", .letter = 'T', .kind = OPTION_DURATION, .offset = OFFSET(ttl),
	 .argument = "TIME", .environment = "GOFER_TTL", .config = "ttl",
	 .help = "the agent must take the request up in this time"},
	{.name = "secret", .letter = 'S', .kind = OPTION_SECRET, .offset = OFFSET(secret),
	 .argument = "SECRET", .environment = "GOFER_SECRET", .config = "secret",
	 .help = "the shared secret that the method asks for"},
	{.name = "secret-file", .kind = OPTION_TEXT, .offset = OFFSET(secret_file),
	 .argument = "FILE", .environment = "GOFER_SECRET_FILE", .config = "secret_file",
	 .given = OFFSET(secret_file_given), .help = "the same, read from a file"},
	{.name = "user", .kind = OPTION_TEXT, .offset = OFFSET(user), .argument = "NAME",
	 .environment = "GOFER_USER", .config = "user",
	 .help = "call as this user of the agent's host"},
	{.name = "password", .kind = OPTION_SECRET, .offset = OFFSET(password),
	 .argument = "PASSWORD", .environment = "GOFER_PASSWORD", .config = "password",
	 .help = "the user's password; better from a file or the environment"},
	{.name = "password-file", .kind = OPTION_TEXT, .offset = OFFSET(password_file),
	 .argument = "FILE", .environment = "GOFER_PASSWORD_FILE", .config = "password_file",
	 .given = OFFSET(password_file_given), .help = "the same, read from a file"},
	{.name = "exchange", .kind = OPTION_TEXT, .offset = OFFSET(exchange),
	 .argument = "EXCHANGE", .environment = "GOFER_EXCHANGE", .config = "exchange",
	 .help = "bind the temporary reply queue to this exchange"},
	{.name = "durable", .kind = OPTION_FLAG, .offset = OFFSET(durable),
	 .help = "the request survives a restart of the broker and of the agent; so it is where "
	         "the result is not waited for"},
	{.name = "no-durable", .kind = OPTION_FLAG, .offset = OFFSET(no_durable),
	 .help = "it does not; so it is where the result is waited for"},
	{.name = "no-cancel", .kind = OPTION_FLAG, .offset = OFFSET(no_cancel),
	 .help = "when interrupted, leave the call running"},
	{.name = "json", .kind = OPTION_FLAG, .offset = OFFSET(json),
	 .help = "print the whole last reply, one line of JSON"},
	{.name = "jsonl", .kind = OPTION_FLAG, .offset = OFFSET(jsonl),
	 .help = "print every reply as it comes, a line of JSON each"},
	{.name = "trace", .kind = OPTION_FLAG, .offset = OFFSET(trace),
	 .help = "with an exception, print its trace"},
	{.name = "quiet", .letter = 'q', .kind = OPTION_FLAG, .offset = OFFSET(quiet),
	 .help = "no progress on the terminal"},
	{.name = "repeat", .letter = 'n', .kind = OPTION_INTEGER, .offset = OFFSET(repeat),
	 .argument = "COUNT", .min = 1, .max = 1000000000000, .given = OFFSET(repeat_given),
	 .help = "call so often, and print the rate and the latency"},
	{.name = "concurrency", .letter = 'C', .kind = OPTION_INTEGER,
	 .offset = OFFSET(concurrency), .argument = "COUNT", .initial = "1", .min = 1,
	 .max = 10000, .given = OFFSET(concurrency_given), .help = "so many calls at a time"},
	{.name = "latency", .kind = OPTION_FLAG, .offset = OFFSET(latency),
	 .help = "repeat (1000 times without -n), and print the latency's distribution too"},
	{.name = "describe", .kind = OPTION_FLAG, .offset = OFFSET(describe),
	 .help = "print what can be called at the address: methods and functions, a line each"},
	{.name = "listen", .kind = OPTION_TEXT, .offset = OFFSET(listen), .argument = "ADDRESS",
	 .help = "call nothing: print the replies that arrive at this address"},
	{.name = "count", .kind = OPTION_INTEGER, .offset = OFFSET(count), .argument = "COUNT",
	 .min = 1, .max = 1000000000000, .help = "with --listen: stop after so many replies"},
	{.name = "until-done", .kind = OPTION_TEXT, .offset = OFFSET(until_done),
	 .argument = "SN", .help = "with --listen: stop with the result of this call"},
	{.name = "cacert", .kind = OPTION_TEXT, .offset = OFFSET(cacert), .argument = "FILE",
	 .environment = "GOFER_CACERT", .config = "cacert",
	 .help = "TLS: certificates of the authorities to trust; default: the host's"},
	{.name = "clientcert", .kind = OPTION_TEXT, .offset = OFFSET(clientcert),
	 .argument = "FILE", .environment = "GOFER_CLIENTCERT", .config = "clientcert",
	 .help = "TLS: our certificate"},
	{.name = "clientkey", .kind = OPTION_TEXT, .offset = OFFSET(clientkey),
	 .argument = "FILE", .environment = "GOFER_CLIENTKEY", .config = "clientkey",
	 .help = "TLS: our certificate's key"},
	{.name = "no-host-validation", .kind = OPTION_FLAG, .offset = OFFSET(no_host_validation),
	 .environment = "GOFER_NO_HOST_VALIDATION", .config = "no_host_validation",
	 .help = "TLS: take a certificate of any host"},
	{.kind = OPTION_END},
};
/* clang-format on */

/* --- what the options say ---------------------------------------------------------------- */

/* A file on the command line counts more than a secret in the environment. */
static enum gofer_err read_secret(const char *text, const char *path, bool path_given,
                                  char **secret, struct error *error)
{
	size_t size;
	enum gofer_err err;

	if (!path || (text && !path_given)) {
		*secret = text ? strdup(text) : NULL;
		return text && !*secret ? error_set(error, GOFER_NOMEM, "out of memory") : GOFER_OK;
	}
	err = call_args_read_file(path, secret, &size, error);
	if (!err)
		(*secret)[strcspn(*secret, "\r\n")] = '\0';
	return err;
}

/* The address is the first word, unless an option gives it; where the environment or client.conf
 * does, a first word that can't be a target is an address none the less. */
static enum gofer_err take_address(struct call_options *o, int *argc, char ***argv,
                                   struct error *error)
{
	bool word = *argc > 0 && !o->address_given &&
		(!o->address || o->describe || !(o->target || call_args_is_target(**argv)));

	if (word) {
		o->address = **argv;
		++*argv;
		--*argc;
	}
	if (!o->address || !*o->address)
		return error_set(error, GOFER_INVALID,
		                 "no ADDRESS: gofer call ADDRESS CLASS.METHOD [ARGUMENT...]");
	return GOFER_OK;
}

static enum gofer_err take_target(struct call_options *o, struct call_args *args, int *argc,
                                  char ***argv, struct error *error)
{
	const char *target = o->describe ? DESCRIBE : o->target;

	if (o->describe && *argc > 0)
		return error_set(error, GOFER_INVALID,
		                 "--describe calls nothing else: \"%.60s\" is too much", **argv);
	if (!target && *argc > 0) {
		target = **argv;
		++*argv;
		--*argc;
	}
	if (!target)
		return error_set(error, GOFER_INVALID,
		                 "no CLASS.METHOD: gofer call ADDRESS CLASS.METHOD [ARGUMENT...]");
	return call_args_target(args, target, error);
}

static enum gofer_err take_arguments(const struct call_options *o, struct call_args *args, int argc,
                                     char **argv, struct error *error)
{
	enum gofer_err err;

	if (o->input && argc)
		return error_set(error, GOFER_INVALID, "arguments both in --input and as \"%.60s\"",
		                 argv[0]);
	err = o->input ? call_args_input(args, o->input, error)
		       : call_args_words(args, argc, argv, error);
	if (err && o->input)
		return error_prefix(error, "option \"--input\"");
	if (!err && o->cntr && (err = call_args_cntr(args, o->cntr, error)))
		return error_prefix(error, "option \"--cntr\"");
	return err;
}

static enum gofer_err check(struct call_options *o, struct error *error)
{
	const struct {
		bool wrong;
		const char *text;
	} rules[] = {
		{o->durable && o->no_durable, "--durable and --no-durable exclude each other"},
		{o->ttl > TTL_MAX_S, "--ttl: more than 49 days"},
		{o->reply && !*o->reply, "--reply: the address is empty"},
		{o->listen && !*o->listen, "--listen: the address is empty"},
		{o->count && !o->listen, "--count goes with --listen"},
		{o->until_done && !o->listen, "--until-done goes with --listen"},
		{o->describe && (o->listen || o->reply || o->wait <= 0 || o->repeat || o->target),
	         "--describe is a call of its own: without -t, -n, -r, -w 0 and --listen"},
		{o->user && !o->password && !o->password_file,
	         "--user needs a password: --password-file, GOFER_PASSWORD"},
		{o->clientkey && !o->clientcert, "--clientkey goes with --clientcert"},
		{!o->listen && o->repeat && (o->reply || o->wait <= 0),
	         "--repeat, --concurrency and --latency wait for results; -r and -w 0 do not"},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		if (rules[i].wrong)
			return error_set(error, GOFER_INVALID, "%s", rules[i].text);
	}
	return GOFER_OK;
}

static enum gofer_err make_job(struct call_job *job, struct call_options *o, int argc, char **argv,
                               struct error *error)
{
	enum gofer_err err = take_address(o, &argc, &argv, error);

	if (!err)
		err = take_target(o, &job->args, &argc, &argv, error);
	if (!err)
		err = take_arguments(o, &job->args, argc, argv, error);
	if (!err)
		err = read_secret(o->secret, o->secret_file, o->secret_file_given, &job->secret,
		                  error);
	if (!err && o->user)
		err = read_secret(o->password, o->password_file, o->password_file_given,
		                  &job->password, error);
	if (!err && o->data) {
		job->data = json_parse(o->data, strlen(o->data), error);
		err = job->data ? GOFER_OK : GOFER_INVALID;
	}
	return err;
}

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* --- the command ------------------------------------------------------------------------- */

static int fail(const struct error *error)
{
	fprintf(stderr, "gofer call: %s\n", error->text);
	return exit_code_of(error->code);
}

static int run_job(struct call_options *o, int argc, char **argv)
{
	struct call_job job = {.options = o, .args = CALL_ARGS_INIT};
	struct error error = ERROR_NONE;
	int code;

	if (make_job(&job, o, argc, argv, &error))
		code = fail(&error);
	else
		code = o->repeat ? call_repeat(&job) : call_one(&job);
	call_args_release(&job.args);
	cJSON_Delete(job.data);
	wipe(job.secret);
	wipe(job.password);
	return code;
}

static int run(void *options, int argc, char **argv)
{
	struct call_options *o = options;
	struct error error = ERROR_NONE;

	if (!o->repeat && (o->latency || o->concurrency_given))
		o->repeat = o->latency ? LATENCY_REPEAT : o->concurrency;
	if (o->listen && argc)
		error_set(&error, GOFER_INVALID, "--listen calls nothing: \"%.60s\" is too much",
		          argv[0]);
	else
		check(o, &error);
	if (error.code)
		return fail(&error);
	return o->listen ? call_listen(o) : run_job(o, argc, argv);
}

const struct command command_call = {
	.name = "call",
	.alias = "rmi",
	.args = "[ADDRESS] CLASS.METHOD [ARGUMENT...]",
	.summary = "Call a method on an agent",
	.details =
		"Arguments: VALUE, NAME=VALUE, :=JSON, NAME:=JSON. A whole number is a number,\n"
		"@FILE the text of a file, - standard input, anything else a string; JSON may be\n"
		"@FILE or - too.\n"
		"\n"
		"Times are seconds; with a suffix (s, m, h, d) they are what it says.\n"
		"\n"
		"The result goes to standard output: a string as it is, anything else as JSON.\n"
		"What goes wrong is told on standard error and by the exit code; see\n"
		"\"gofer help exit-codes\".\n"
		"\n"
		"  gofer call web-17 Demo.echo hello\n"
		"  gofer call -u amqps://broker/ -w 10m web-17 Demo.count total=1000 delay:=0.5\n"
		"  gofer call -n 10000 -C 16 web-17 Demo.echo hello",
	.options = specs,
	.options_size = sizeof(struct call_options),
	.run = run,
};
