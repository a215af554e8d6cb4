/* SPDX-License-Identifier: Apache-2.0 */
/* gofer admin: looks at a running agent, and tells it what to do. */
#include "cmd/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/management_socket.h"
#include "cmd/admin_show.h"
#include "cmd/command.h"
#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "cmd/people.h"
#include "core/nearest.h"

#define DEFAULT_HOST "localhost"
#define DEFAULT_PORT "5650"
#define MANY 10000

#define OFFSET(field) offsetof(struct admin_options, field)

/* clang-format off */
static const struct option_spec specs[] = {
	{.name = "root", .kind = OPTION_TEXT, .offset = OFFSET(root), .argument = "DIR",
	 .initial = "/", .given = OFFSET(root_given),
	 .help = "the agent's directory, as its own --root"},
	{.name = "socket", .kind = OPTION_TEXT, .offset = OFFSET(socket), .argument = "PATH",
	 .help = "the agent's socket, by default " MANAGEMENT_SOCKET " below the root"},
	{.name = "host", .letter = 'H', .kind = OPTION_TEXT, .offset = OFFSET(host),
	 .argument = "HOST", .initial = DEFAULT_HOST, .given = OFFSET(host_given),
	 .help = "over TCP, to this host"},
	{.name = "port", .letter = 'p', .kind = OPTION_INTEGER, .offset = OFFSET(port),
	 .argument = "PORT", .initial = DEFAULT_PORT, .min = 1, .max = 65535,
	 .given = OFFSET(port_given), .help = "over TCP, to this port"},
	{.name = "wait", .letter = 'w', .kind = OPTION_DURATION, .offset = OFFSET(wait),
	 .argument = "TIME", .initial = "10",
	 .help = "wait so long for an answer; 0: without a bound"},
	{.name = "json", .kind = OPTION_FLAG, .offset = OFFSET(json),
	 .help = "print what the agent says as JSON, on one line"},
	{.name = "hard", .kind = OPTION_FLAG, .offset = OFFSET(hard),
	 .help = "reload, unload: end the calls that run"},
	{.name = "data", .letter = 'd', .kind = OPTION_JSON, .offset = OFFSET(data),
	 .argument = "CRITERIA",
	 .help = "cancel: every call whose user data is like this: {\"match\": {\"id\": 1}}"},
	{.name = "interval", .kind = OPTION_DURATION, .offset = OFFSET(interval),
	 .argument = "TIME", .initial = "1", .help = "top: look again after so long"},
	{.name = "show", .letter = 's', .kind = OPTION_FLAG, .offset = OFFSET(show),
	 .help = "the same as show"},
	{.name = "load", .letter = 'l', .kind = OPTION_TEXT, .offset = OFFSET(load),
	 .argument = "PATH", .help = "the same as load PATH"},
	{.name = "reload", .letter = 'r', .kind = OPTION_TEXT, .offset = OFFSET(reload),
	 .argument = "PATH", .help = "the same as reload PATH"},
	{.name = "unload", .letter = 'u', .kind = OPTION_TEXT, .offset = OFFSET(unload),
	 .argument = "PATH", .help = "the same as unload PATH"},
	{.kind = OPTION_END},
};
/* clang-format on */

/* --- telling ----------------------------------------------------------------------------- */

static void tell(const char *text)
{
	struct buf line = BUF_INIT;

	people_line(&line, text, PEOPLE_WHOLE);
	fprintf(stderr, "gofer admin: %s\n", buf_text(&line));
	buf_release(&line);
}

int admin_fail(const struct error *error)
{
	tell(error->text);
	return (int)exit_code_of(error->code);
}

int admin_refused(const struct admin_reply *reply)
{
	const char *why = json_string(reply->result);
	char *text = why ? NULL : json_text(reply->result);

	tell(why ? why : text ? text : "out of memory");
	free(text);
	return EXIT_CODE_RAISED;
}

static int usage(const char *text)
{
	tell(text);
	return EXIT_CODE_USAGE;
}

bool admin_is_screen(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

static struct grid_view view_of_output(void)
{
	const char *no_color = getenv("NO_COLOR");

	return (struct grid_view){.colour = !(no_color && *no_color) &&
	                                  admin_is_screen(STDOUT_FILENO)};
}

static int protocol_fault(const char *what)
{
	struct error error = ERROR_NONE;

	error_set(&error, GOFER_PROTOCOL, "this is no agent's answer to %s", what);
	return admin_fail(&error);
}

/* --- printing ---------------------------------------------------------------------------- */

/* Each prints the result of a request; the exit code. */

static int print_json(const struct cJSON *result)
{
	struct buf out = BUF_INIT;

	json_print(&out, result);
	buf_putc(&out, '\n');
	output_take(&out);
	return EXIT_CODE_OK;
}

static int print_text(const struct cJSON *result)
{
	const char *text = json_string(result);
	struct buf out = BUF_INIT;

	if (!text)
		return print_json(result);
	people_text(&out, text, strlen(text));
	if (*text && text[strlen(text) - 1] != '\n')
		buf_putc(&out, '\n');
	output_take(&out);
	return EXIT_CODE_OK;
}

/* For a program, which needs it to the byte; or for a person. */
static int print_metrics(const struct cJSON *result)
{
	const char *text = json_string(result);

	if (!text)
		return protocol_fault("metrics");
	if (isatty(STDOUT_FILENO))
		return print_text(result);
	output_puts(text);
	return EXIT_CODE_OK;
}

static int print_status(const struct cJSON *status)
{
	const struct grid_view view = view_of_output();
	struct buf out = BUF_INIT;

	if (!admin_is_status(status))
		return protocol_fault("status");
	admin_print_agent(&out, status, &view);
	buf_putc(&out, '\n');
	admin_print_plugins(&out, status, NULL, 0, &view);
	buf_putc(&out, '\n');
	admin_print_brokers(&out, status, &view);
	buf_putc(&out, '\n');
	admin_print_journal(&out, status, &view);
	output_take(&out);
	return EXIT_CODE_OK;
}

static int print_calls(const struct cJSON *calls)
{
	const struct grid_view view = view_of_output();
	struct buf out = BUF_INIT;

	if (!admin_is_calls(calls))
		return protocol_fault("calls");
	admin_print_calls(&out, calls, &view);
	output_take(&out);
	return EXIT_CODE_OK;
}

/* The serial numbers, a line each. */
static int print_cancelled(const struct cJSON *list)
{
	struct buf out = BUF_INIT;
	const struct cJSON *sn;

	if (!cJSON_IsArray(list))
		return print_text(list);
	cJSON_ArrayForEach(sn, list)
	{
		const char *text = json_string(sn);

		people_line(&out, text ? text : "?", PEOPLE_WHOLE);
		buf_putc(&out, '\n');
	}
	if (!cJSON_GetArraySize(list))
		tell("no call is like that");
	output_take(&out);
	return EXIT_CODE_OK;
}

/* --- asking ------------------------------------------------------------------------------ */

/* What an action works with. */
struct admin_job {
	const struct admin_options *options;
	const struct admin_target *target;
	const struct admin_action *action;
	int argc;
	char **argv;
};

struct admin_action {
	const char *name;
	int min, max;     /* arguments */
	const char *args; /* for people */
	bool paths;       /* they may be files' names */
	int (*run)(const struct admin_job *job);
	int (*print)(const struct cJSON *result); /* of those that ask the agent */
};

/* Both arguments are taken. */
static int ask_take(const struct admin_job *job, struct cJSON *args, struct cJSON *kwargs)
{
	struct error error = ERROR_NONE;
	struct admin_reply reply;
	enum gofer_err rc =
		admin_request(job->target, job->action->name, args, kwargs, &reply, &error);
	int code;

	if (rc)
		code = admin_fail(&error);
	else if (reply.code)
		code = admin_refused(&reply);
	else
		code = (job->options->json ? print_json : job->action->print)(reply.result);
	admin_reply_release(&reply);
	cJSON_Delete(args);
	cJSON_Delete(kwargs);
	return code;
}

static int ask(const struct admin_job *job)
{
	return ask_take(job, NULL, NULL);
}

/* The agent is elsewhere: a file that is here must be named by its whole path. A name that is no
 * path is the agent's to understand. To be freed. */
static char *whole_path(const struct admin_job *job, const char *text)
{
	bool here = job->action->paths && job->target->socket && *text != '/' &&
		(strchr(text, '/') || (!strcmp(job->action->name, "load") && !access(text, F_OK)));
	char *directory = here ? getcwd(NULL, 0) : NULL;
	struct buf path = BUF_INIT;

	if (directory)
		buf_printf(&path, "%s/", directory);
	buf_puts(&path, text);
	free(directory);
	return buf_take(&path, NULL);
}

/* One argument each: whatever becomes of one, the next has its turn. */
static int ask_for_each(const struct admin_job *job)
{
	int code = EXIT_CODE_OK;

	for (int i = 0; i < job->argc; i++) {
		struct cJSON *args = cJSON_CreateArray();
		struct cJSON *kwargs = job->options->hard ? cJSON_CreateObject() : NULL;
		char *path = whole_path(job, job->argv[i]);
		int one;

		cJSON_AddItemToArray(args, cJSON_CreateString(path ? path : ""));
		if (kwargs)
			cJSON_AddTrueToObject(kwargs, "hard");
		free(path);
		one = ask_take(job, args, kwargs);
		code = code ? code : one;
	}
	return code;
}

static int load(const struct admin_job *job)
{
	if (job->options->hard)
		return usage("--hard is for reload and unload");
	return ask_for_each(job);
}

static int cancel(const struct admin_job *job)
{
	const char *data = job->options->data;
	struct cJSON *kwargs;

	if (!data == !job->argc)
		return usage("cancel needs serial numbers (\"gofer admin calls\" lists them), or "
		             "--data CRITERIA");
	if (!data)
		return ask_for_each(job);
	kwargs = cJSON_CreateObject();
	cJSON_AddItemToObject(kwargs, "criteria", json_parse(data, strlen(data), NULL));
	return ask_take(job, NULL, kwargs);
}

static int top(const struct admin_job *job)
{
	return admin_top(job->options, job->target);
}

static int show_config(const struct admin_job *job)
{
	return admin_config(job->options, job->argc ? job->argv[0] : NULL);
}

static const struct admin_action actions[] = {
	{"calls", 0, 0, "", false, ask, print_calls},
	{"cancel", 0, MANY, "SN... | --data CRITERIA", false, cancel, print_cancelled},
	{"load", 1, MANY, "PATH...", true, load, print_text},
	{"metrics", 0, 0, "", false, ask, print_metrics},
	{"reload", 1, MANY, "NAME...", true, ask_for_each, print_text},
	{"show", 0, 0, "", false, ask, print_text},
	{"show-config", 0, 1, "[PLUGIN]", false, show_config, NULL},
	{"status", 0, 0, "", false, ask, print_status},
	{"top", 0, 0, "", false, top, NULL},
	{"unload", 1, MANY, "NAME...", true, ask_for_each, print_text},
	{NULL, 0, 0, NULL, false, NULL, NULL},
};

static const char *const words[] = {"calls",       "cancel", "load", "metrics", "reload", "show",
                                    "show-config", "status", "top",  "unload",  NULL};

/* --- the command ------------------------------------------------------------------------- */

static const struct admin_action *find(const char *name)
{
	const struct admin_action *a = actions;

	while (a->name && strcmp(a->name, name))
		a++;
	return a->name ? a : NULL;
}

static int unknown(const char *word)
{
	const char *near = nearest(word, words);
	struct error error = ERROR_NONE;

	if (near)
		error_set(&error, GOFER_INVALID, "unknown \"%s\"; did you mean \"%s\"?", word,
		          near);
	else
		error_set(&error, GOFER_INVALID,
		          "unknown \"%s\"; \"gofer admin --help\" lists what there is", word);
	return admin_fail(&error);
}

/* -s, -l, -r and -u as an action and its argument; how many of them were given. */
static int python_words(const struct admin_options *o, char *out[2])
{
	const struct {
		char *name;
		const char *value;
	} flags[] = {{"load", o->load}, {"reload", o->reload}, {"unload", o->unload}};
	int count = o->show;

	out[0] = "show";
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		if (!flags[i].value)
			continue;
		out[0] = flags[i].name;
		out[1] = (char *)flags[i].value;
		count++;
	}
	return count;
}

static char *socket_path(const struct admin_options *o)
{
	size_t size = strlen(o->root);
	struct buf path = BUF_INIT;

	if (o->socket)
		return strdup(o->socket);
	buf_printf(&path, "%s%s" MANAGEMENT_SOCKET, o->root,
	           size && o->root[size - 1] == '/' ? "" : "/");
	return buf_take(&path, NULL);
}

static int run_job(const struct admin_job *job)
{
	const struct admin_action *action = job->action;
	struct error error = ERROR_NONE;

	if (job->argc >= action->min && job->argc <= action->max)
		return action->run(job);
	error_set(&error, GOFER_INVALID, "usage: gofer admin %s%s%s", action->name,
	          *action->args ? " " : "", action->args);
	return admin_fail(&error);
}

static int run_action(const struct admin_options *o, int argc, char **argv)
{
	bool tcp = o->host_given || o->port_given;
	char *socket = tcp ? NULL : socket_path(o);
	const struct admin_target target = {.socket = socket,
	                                    .host = o->host,
	                                    .port = (uint16_t)o->port,
	                                    .wait = o->wait,
	                                    .stops = {-1, -1}};
	const struct admin_job job = {o, &target, find(argv[0]), argc - 1, argv + 1};
	int code;

	code = job.action ? run_job(&job) : unknown(argv[0]);
	free(socket);
	return code;
}

static int run(void *opaque, int argc, char **argv)
{
	struct admin_options *o = opaque;
	char *python[2] = {NULL, NULL};
	int count = python_words(o, python);

	if ((o->host_given || o->port_given) && (o->socket || o->root_given))
		return usage("--host and --port are another way than --root and --socket");
	if (count > 1 || (count && argc))
		return usage("one thing at a time");
	if (count)
		return run_action(o, python[1] ? 2 : 1, python);
	if (!argc)
		return usage("status, show, load, reload, unload, calls, cancel, metrics, top or "
		             "show-config?");
	return run_action(o, argc, argv);
}

const struct command command_admin = {
	.name = "admin",
	.alias = "mgt",
	.args = "status | show | load PATH | reload NAME | unload NAME | calls | cancel SN | metrics "
		"| top | show-config [PLUGIN]",
	.summary = "Look at a running agent, and tell it what to do",
	.details =
		"status       plugins, brokers, journal\n"
		"show         classes, methods and actions of the plugins, as Admin.help tells them\n"
		"load         PATH... loads the plugins that these descriptors enable\n"
		"reload       NAME... (or a descriptor's path) reads the descriptor again; calls that\n"
		"             run go on with what they began with, --hard ends them\n"
		"unload       NAME... takes no more requests; calls that run end first, unless --hard\n"
		"calls        what runs and what waits\n"
		"cancel       SN... or --data CRITERIA: cancels calls, prints their serial numbers\n"
		"metrics      the agent's figures, as OpenMetrics text\n"
		"top          the live view; q ends it\n"
		"show-config  what the files under --root come to, of the agent or of a plugin;\n"
		"             no agent needs to run",
	.words = words,
	.options = specs,
	.options_size = sizeof(struct admin_options),
	.run = run,
};
