/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/plugin_journal.h"

#include <stdio.h>
#include <string.h>

#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "cmd/people.h"
#include "core/clock.h"
#include "core/journal.h"
#include "core/json.h"

#define DIRECTORY "var/lib/gofer/journal"

static const char *const states[] = {
	[JOURNAL_ACCEPTED] = "accepted",
	[JOURNAL_STARTED] = "started",
	[JOURNAL_CANCELLED] = "cancelled",
	[JOURNAL_RESULT] = "result",
};

struct listing {
	bool json;
	uint64_t now_ms;
	struct buf out;
	size_t count;
};

static double age_s(const struct listing *l, const struct journal_sight *sight)
{
	return sight->accepted_ms < l->now_ms ? (double)(l->now_ms - sight->accepted_ms) / 1000 : 0;
}

static void put_string(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ", \"%s\": ", name);
	if (text)
		json_print_string(out, text, strlen(text));
	else
		buf_puts(out, "null");
}

static void put_json(struct listing *l, const struct journal_sight *sight)
{
	buf_printf(&l->out, "%s{\"age\": %.3f, \"durable\": %s", l->count ? ", " : "",
	           age_s(l, sight), sight->durable ? "true" : "false");
	put_string(&l->out, "plugin", sight->plugin);
	put_string(&l->out, "replyto", sight->replyto);
	buf_printf(&l->out, ", \"size\": %zu", sight->size);
	put_string(&l->out, "sn", sight->sn);
	put_string(&l->out, "state", states[sight->state]);
	buf_putc(&l->out, '}');
}

static void put_line(struct listing *l, const struct journal_sight *sight)
{
	if (!l->count)
		buf_printf(&l->out, "%-9s %-8s %9s %10s  %s\n", "STATE", "DURABLE", "AGE", "BYTES",
		           "PLUGIN SN");
	buf_printf(&l->out, "%-9s %-8s %8.0fs %10zu  ", states[sight->state],
	           sight->durable ? "yes" : "no", age_s(l, sight), sight->size);
	people_line(&l->out, sight->plugin, PEOPLE_WHOLE);
	buf_putc(&l->out, ' ');
	people_line(&l->out, sight->sn, PEOPLE_WHOLE);
	buf_putc(&l->out, '\n');
}

static void on_sight(void *context, const struct journal_sight *sight)
{
	struct listing *l = context;

	(l->json ? put_json : put_line)(l, sight);
	l->count++;
}

static bool ends_with_slash(const char *path)
{
	size_t size = strlen(path);

	return size && path[size - 1] == '/';
}

static void tell_damaged(const char *directory, size_t damaged)
{
	if (damaged)
		fprintf(stderr,
		        "gofer plugin: %s: %zu place%s where no record can be read; the agent's "
		        "next start puts what stands there aside\n",
		        directory, damaged, damaged == 1 ? "" : "s");
}

int plugin_journal(struct plugin_options *o, int argc, char **argv)
{
	struct listing l = {.json = o->json, .now_ms = clock_wall_ms(), .out = BUF_INIT};
	struct buf directory = BUF_INIT;
	struct error error = ERROR_NONE;
	size_t damaged = 0;
	enum gofer_err rc;

	(void)argc, (void)argv;
	buf_printf(&directory, "%s%s" DIRECTORY, o->root, ends_with_slash(o->root) ? "" : "/");
	if (l.json)
		buf_putc(&l.out, '[');
	rc = journal_inspect(buf_text(&directory), on_sight, &l, &damaged, &error);
	if (l.json)
		buf_puts(&l.out, "]\n");
	if (rc)
		fprintf(stderr, "gofer plugin: %s\n", error.text);
	else
		output_take(&l.out);
	tell_damaged(buf_text(&directory), damaged);
	buf_release(&directory);
	buf_release(&l.out);
	return rc ? (int)exit_code_of(rc) : EXIT_CODE_OK;
}
