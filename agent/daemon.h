/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon: one agent on a directory, and a process that goes on by itself.
 *
 *   daemon_fork(&d)              // the parent waits here for how it goes, and gets the exit code
 *   daemon_lock(directory, ...)  // another agent there: GOFER_EXISTS
 *   ... start ...
 *   daemon_ready(&d)             // the parent exits with 0
 *   daemon_unlock(...)
 *
 * Thread: main, before any other is started; daemon_ready() the one that forked.
 */
#ifndef GOFER_AGENT_DAEMON_H
#define GOFER_AGENT_DAEMON_H

#include <stdbool.h>

#include "core/error.h"

struct daemon {
	int pipe; /* to the waiting parent; -1: there is none */
};

#define DAEMON_INIT \
	{ \
		-1 \
	}

/* Forks twice and leaves session and directory. In the child: GOFER_OK. In the parent, once the child is
 * ready or has failed: GOFER_CANCELLED and `*exit_code` to exit with. GOFER_IO: `error`. */
enum gofer_err daemon_fork(struct daemon *d, int *exit_code, struct error *error);
/* Lets the parent go with that code; 0: lets go of standard input and outputs too. Without a parent that
 * waits, nothing happens. */
void daemon_tell(struct daemon *d, int exit_code);

/* Makes `directory` (and those above it), and takes the lock in it; writes the process's number to
 * "agentd.pid" there. `*lock` is the descriptor to keep. GOFER_EXISTS: `error` says who has it. */
enum gofer_err daemon_lock(const char *directory, int *lock, struct error *error);
/* Removes the file and gives the lock back. */
void daemon_unlock(const char *directory, int lock);

#endif
