/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_args: what is to be called and with what, from the words of a command line.
 *
 *   CLASS.METHOD                what; split at the first dot
 *   VALUE                       an argument
 *   NAME=VALUE                  a keyword argument
 *   :=JSON  NAME:=JSON          the same, any JSON
 *
 * A VALUE is a number if it is a whole number as JSON writes it, the text of a file if it is @FILE, the
 * text of standard input if it is "-", and a string otherwise; JSON may be @FILE or "-" too. Text is
 * taken to the byte and must be UTF-8.
 *
 * Thread: main. Blocks on the files that words name.
 */
#ifndef GOFER_CMD_CALL_ARGS_H
#define GOFER_CMD_CALL_ARGS_H

#include <stdbool.h>

#include "core/error.h"
#include "core/json.h"

struct call_args {
	char *classname, *method;           /* owned, as all here */
	struct cJSON *args, *kws;           /* an array and an object; NULL: none */
	struct cJSON *cntr_args, *cntr_kws; /* both NULL: none */
};

#define CALL_ARGS_INIT \
	{ \
		NULL, NULL, NULL, NULL, NULL, NULL \
	}

/* Each sets its part, or leaves it and says in `error` what is wrong: GOFER_INVALID, GOFER_NOMEM. */
enum gofer_err call_args_target(struct call_args *args, const char *text, struct error *error);
enum gofer_err call_args_words(struct call_args *args, int argc, char **argv, struct error *error);
/* "[[ARGUMENT...], {NAME: VALUE...}]" */
enum gofer_err call_args_input(struct call_args *args, const char *json, struct error *error);
enum gofer_err call_args_cntr(struct call_args *args, const char *json, struct error *error);
void call_args_release(struct call_args *args);

/* Whether `text` has the form NAME.NAME, and so may be what is called. */
bool call_args_is_target(const char *text);

/* The text of a file, "-" being standard input; not all of it is necessarily text. The caller frees it. */
enum gofer_err call_args_read_file(const char *path, char **text, size_t *size,
                                   struct error *error);

#endif
