/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show: replies, as a person or a script gets to see them. Results go to standard output, what
 * is told to standard error. Thread: main.
 */
#ifndef GOFER_CMD_SHOW_H
#define GOFER_CMD_SHOW_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/document.h"

/* Appends a value: a string bare, anything else as JSON on one line. */
void show_value(struct buf *out, const struct cJSON *value);
/* Appends "TypeError: bark() missing ...", on one line where the message is. */
void show_exception(struct buf *out, const struct reply *reply);
/* Appends "CODE: description: details". */
void show_rejection(struct buf *out, const struct reply *reply);
/* Appends the reply, all of it, as one line of JSON. */
void show_json(struct buf *out, const struct reply *reply);
/* Appends one line for a reply of any kind: "SN progress 1/3 details". */
void show_line(struct buf *out, const struct reply *reply);

/* Decodes a reply; takes it out of its signed envelope where it is in one. As reply_decode(). */
enum gofer_err show_decode(struct reply *reply, struct slice body, struct error *error);

/* Prints the last reply of a call where it belongs; the exit code. `json`: all of it on standard
 * output; `trace`: with the exception's trace. */
int show_result(const struct reply *reply, bool json, bool trace);
/* The exit code that a last reply stands for; -1: it is none. */
int show_code(const struct reply *reply);

#endif
