/* SPDX-License-Identifier: Apache-2.0 */
#include "core/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What becomes the child's descriptors; -1: not open. */
struct ends {
	int channel, output, null;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_ends(struct ends *ends)
{
	close_fd(&ends->channel);
	close_fd(&ends->output);
	close_fd(&ends->null);
}

/* Away from the numbers that the child's are going to have, whose order would count otherwise. */
static int lift(int *fd)
{
	int lifted;

	if (*fd < 0 || *fd > CHILD_CHANNEL)
		return 0;
	lifted = fcntl(*fd, F_DUPFD_CLOEXEC, CHILD_CHANNEL + 1);
	if (lifted < 0)
		return errno;
	close(*fd);
	*fd = lifted;
	return 0;
}

static int open_ends(struct child *child, struct ends *ends)
{
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return errno;
	child->channel = pair[0];
	ends->channel = pair[1];
	if (pipe2(pair, O_CLOEXEC))
		return errno;
	child->output = pair[0];
	ends->output = pair[1];
	ends->null = open("/dev/null", O_RDONLY | O_CLOEXEC); /* a chroot may have none */
	if (fcntl(child->channel, F_SETFL, O_NONBLOCK) || fcntl(child->output, F_SETFL, O_NONBLOCK))
		return errno;
	err = lift(&ends->channel);
	err = err ? err : lift(&ends->output);
	return err ? err : lift(&ends->null);
}

static int set_actions(posix_spawn_file_actions_t *actions, const struct ends *ends)
{
	int err = ends->null < 0
		? posix_spawn_file_actions_addclose(actions, STDIN_FILENO)
		: posix_spawn_file_actions_adddup2(actions, ends->null, STDIN_FILENO);

	if (!err)
		err = posix_spawn_file_actions_adddup2(actions, ends->output, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(actions, ends->output, STDERR_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(actions, ends->channel, CHILD_CHANNEL);
	return err;
}

static void set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t set;

	posix_spawnattr_setflags(attributes,
	                         POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
	                                 POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(attributes, 0);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(attributes, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(attributes, &set);
}

static int spawn(struct child *child, const struct ends *ends, const char *program,
                 char *const argv[])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return err;
	err = posix_spawnattr_init(&attributes);
	if (!err) {
		set_attributes(&attributes);
		err = set_actions(&actions, ends);
		if (!err)
			err = posix_spawn(&child->pid, program, &actions, &attributes, argv,
			                  environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

int child_spawn(struct child *child, const char *program, char *const argv[])
{
	struct ends ends = {-1, -1, -1};
	int err;

	*child = (struct child){0, -1, -1};
	err = open_ends(child, &ends);
	if (!err)
		err = spawn(child, &ends, program, argv);
	close_ends(&ends);
	if (err)
		child_close(child);
	return err;
}

void child_kill(const struct child *child)
{
	kill(-child->pid, SIGKILL);
}

bool child_has_ended(const struct child *child)
{
	siginfo_t info = {.si_pid = 0};
	int rc;

	do {
		rc = waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT);
	} while (rc && errno == EINTR);
	return rc || info.si_pid == child->pid;
}

/* Killed first: until it is reaped its number, which is the group's, can be nobody else's. */
int child_reap(struct child *child)
{
	int status = 0;

	child_kill(child);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

void child_close(struct child *child)
{
	close_fd(&child->channel);
	close_fd(&child->output);
}
