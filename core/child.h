/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child: a process of a program, in a process group of its own, and two ways to hear of it.
 *
 *   if ((errno_value = child_spawn(&child, program, argv))) ...
 *   read and write child.channel, read child.output (both non-blocking)
 *   status = child_reap(&child);
 *
 * In the child: descriptor 3 is the other end of the channel, 1 and 2 are both the output, 0 has
 * nothing to read; whatever was opened with O_CLOEXEC is closed; every signal is as it is by
 * default, and none is blocked. It is spawned, not forked: a thread of a threaded program may not
 * go on in a copy.
 *
 * Thread: one owns it, who spawns and reaps; child_kill() any, as long as they see to it that it
 * comes before child_reap(). SIGCHLD must not be ignored by the process, nor anybody else reap.
 */
#ifndef GOFER_CORE_CHILD_H
#define GOFER_CORE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#define CHILD_CHANNEL 3 /* the descriptor in the child */

struct child {
	pid_t pid;   /* and its process group's */
	int channel; /* our end of a stream */
	int output;  /* what it writes to 1 and 2 */
};

/* Runs `program`, a path. 0, or the errno that says why there is none. */
int child_spawn(struct child *child, const char *program, char *const argv[]);
/* SIGKILL to all of its group. */
void child_kill(const struct child *child);
/* Whether it has ended by itself, and is still to be reaped. */
bool child_has_ended(const struct child *child);
/* Kills what is left of its group and waits until it is gone; blocks only as long as the kernel
 * needs for that. The status as waitpid() has it. */
int child_reap(struct child *child);
/* Closes its descriptors. */
void child_close(struct child *child);

#endif
