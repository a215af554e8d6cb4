/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output: what commands write to standard output. A write that fails is remembered: output that
 * got lost makes an exit code other than 0, unless its reader has gone. Thread: main. May block.
 */
#ifndef GOFER_CMD_OUTPUT_H
#define GOFER_CMD_OUTPUT_H

#include "core/buf.h"
#include "core/error.h"

void output_append(const char *data, size_t size);
void output_puts(const char *text);
/* All of `text`, which is released. */
void output_take(struct buf *text);
/* Writes out what was appended. GOFER_IO: it is lost, or something was before. */
enum gofer_err output_flush(void);
/* Flushes for the last time; tells of a failure on standard error. The exit code of the process. */
int output_finish(int code);

#endif
