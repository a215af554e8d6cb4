/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe: what an agent says of itself in Admin.help, as lines that can be called.
 *
 *   Demo.count(total, delay=0)        a method of a class
 *   demo.echo(something)              a function of a plugin
 *
 * `self` is left out, as it is in a call; actions are, too. For people, and for the completions of a
 * shell. The text may be any gofer agent's. Thread: any.
 */
#ifndef GOFER_CMD_DESCRIBE_H
#define GOFER_CMD_DESCRIBE_H

#include "core/buf.h"

/* Appends a line for each method and function in the text; nothing where it is no such text. */
void describe_print(struct buf *out, const char *help);

#endif
