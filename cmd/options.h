/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: a typed table of options: parsing, --help and completions come from it.
 *
 * Long and short options, "--opt=value", "-ovalue", "-o value", "--" ends options; options and
 * arguments may be mixed; "-" and a negative number ("-5") are arguments. Unknown options are told
 * with the nearest match named. -h/--help is every table's and is added here.
 *
 * An option that is not on the command line is looked for in the environment, then in the [call]
 * section of client.conf, and is its `initial` text otherwise.
 *
 * Thread: main, before any other is started.
 */
#ifndef GOFER_CMD_OPTIONS_H
#define GOFER_CMD_OPTIONS_H

#include <stddef.h>

#include "core/buf.h"
#include "core/config.h"
#include "core/error.h"

enum option_kind {
	OPTION_END,
	OPTION_FLAG,   /* bool at offset = true; "--no-x" is a spec of its own where wanted */
	OPTION_TEXT,   /* const char * */
	OPTION_SECRET, /* const char *; as text, and what argv held is wiped, so that ps has it not */
	OPTION_LIST,   /* struct option_list; may be given several times */
	OPTION_INTEGER,  /* long long, within min..max */
	OPTION_DURATION, /* double, seconds; suffixes as clock_duration() */
	OPTION_JSON,     /* const char *, checked to be JSON */
};

struct option_list {
	const char **items;
	size_t count;
};

struct option_spec {
	const char *name; /* long, without dashes; NULL: short only */
	char letter;      /* short; 0: none */
	enum option_kind kind;
	size_t offset;        /* in the command's struct */
	const char *argument; /* as --help names it: "URL"; NULL for a flag */
	const char *help;
	const char *initial;     /* the default, as text, parsed as if given; NULL: zero */
	const char *environment; /* "GOFER_URL": read when not given; or NULL */
	const char *
		config; /* key in client.conf's [call] section, read when neither is given; or NULL */
	long long min, max; /* OPTION_INTEGER; both 0: unbounded */
	size_t given;       /* offset of a bool: whether the command line gave it; 0: nowhere */
};

#define OPTIONS_MAX 64 /* specs of one table */

/* Fills `out` from argv (which is reordered: arguments come last), the environment and `config` (may be
 * NULL). Returns how many of argv were options, or -1 and `error` (one line, for stderr), or -2 when
 * --help was asked for. Strings point into argv or `config`, or live until options_release(), which
 * is due in every case. */
int options_parse(const struct option_spec *specs, void *out, int argc, char **argv,
                  const struct config *config, struct error *error);
void options_release(const struct option_spec *specs, void *out);
/* Appends the options' part of --help. */
void options_print_help(struct buf *out, const struct option_spec *specs);

#endif
