/* SPDX-License-Identifier: Apache-2.0 */
/* completion: the shell's completions, made of the commands' tables. Thread: any. */
#ifndef GOFER_CMD_COMPLETION_H
#define GOFER_CMD_COMPLETION_H

#include "core/buf.h"

void completion_print_bash(struct buf *out);

#endif
