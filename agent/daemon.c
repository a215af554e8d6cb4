/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"

#define LOCK_FILE "agentd.lock"
#define PID_FILE "agentd.pid"

/* --- background ----------------------------------------------------------------------- */

/* What the child says before it goes its way, or that it went without a word. */
static int wait_for_child(int pipe, pid_t first)
{
	unsigned char code = 1;
	ssize_t n;

	while (waitpid(first, NULL, 0) < 0 && errno == EINTR)
		;
	do {
		n = read(pipe, &code, 1);
	} while (n < 0 && errno == EINTR);
	close(pipe);
	return n == 1 ? code : 1;
}

/* In the first child: the second is no leader of its session, and can get no terminal. */
static void leave_session(void)
{
	pid_t second;

	setsid();
	second = fork();
	if (second)
		_exit(second < 0);
}

static void redirect(int fd, int flags)
{
	int null = open("/dev/null", flags | O_CLOEXEC);

	/* In a chroot without it a closed descriptor would be taken by the next file opened. */
	if (null >= 0 && null != fd) {
		dup2(null, fd);
		close(null);
	}
}

enum gofer_err daemon_fork(struct daemon *d, int *exit_code, struct error *error)
{
	int ends[2];
	pid_t first;

	if (pipe2(ends, O_CLOEXEC))
		return error_errno(error, GOFER_IO, errno, "no pipe");
	first = fork();
	if (first < 0) {
		close(ends[0]);
		close(ends[1]);
		return error_errno(error, GOFER_IO, errno, "no process");
	}
	if (first > 0) {
		close(ends[1]);
		*exit_code = wait_for_child(ends[0], first);
		return GOFER_CANCELLED;
	}
	close(ends[0]);
	leave_session();
	if (chdir("/"))
		_exit(1);
	umask(027);
	redirect(STDIN_FILENO, O_RDONLY);
	d->pipe = ends[1];
	return GOFER_OK;
}

void daemon_tell(struct daemon *d, int exit_code)
{
	unsigned char code = (unsigned char)exit_code;

	if (d->pipe < 0)
		return;
	if (!exit_code) {
		redirect(STDOUT_FILENO, O_WRONLY);
		redirect(STDERR_FILENO, O_WRONLY);
	}
	while (write(d->pipe, &code, 1) < 0 && errno == EINTR)
		;
	close(d->pipe);
	d->pipe = -1;
}

/* --- lock ----------------------------------------------------------------------------- */

/* Makes each directory of the path that is not there. */
static enum gofer_err make_directories(const char *path, struct error *error)
{
	char *copy = strdup(path);
	enum gofer_err rc = GOFER_OK;

	if (!copy)
		return error_set(error, GOFER_NOMEM, "out of memory");
	for (char *at = copy + 1; !rc; at++) {
		char c = *at;

		if (c && c != '/')
			continue;
		*at = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			rc = error_errno(error, GOFER_IO, errno, "%s can't be made", copy);
		*at = c;
		if (!c)
			break;
	}
	free(copy);
	return rc;
}

static char *path_in(const char *directory, const char *file)
{
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%s", directory, file);
	return buf_take(&path, NULL);
}

static void print_pid(int fd)
{
	char text[16];
	int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	/* The number helps people; the lock is what counts. */
	if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)size, 0) < 0)
		return;
}

static enum gofer_err is_taken(int fd, const char *directory, struct error *error)
{
	char text[16] = "";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		return error_set(error, GOFER_EXISTS,
		                 "an agent runs on %s already, with process id %ld", directory,
		                 pid);
	return error_set(error, GOFER_EXISTS, "an agent runs on %s already", directory);
}

static enum gofer_err take_lock(const char *path, const char *directory, int *lock,
                                struct error *error)
{
	enum gofer_err rc = GOFER_OK;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return error_errno(error, GOFER_IO, errno, "%s can't be opened", path);
	if (flock(fd, LOCK_EX | LOCK_NB))
		rc = errno == EWOULDBLOCK
			? is_taken(fd, directory, error)
			: error_errno(error, GOFER_IO, errno, "%s can't be locked", path);
	if (rc) {
		close(fd);
		return rc;
	}
	print_pid(fd);
	*lock = fd;
	return GOFER_OK;
}

static enum gofer_err write_pid_file(const char *path, struct error *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return error_errno(error, GOFER_IO, errno, "%s can't be written", path);
	print_pid(fd);
	close(fd);
	return GOFER_OK;
}

enum gofer_err daemon_lock(const char *directory, int *lock, struct error *error)
{
	char *lock_path = path_in(directory, LOCK_FILE), *pid_path = path_in(directory, PID_FILE);
	enum gofer_err rc = GOFER_NOMEM;

	*lock = -1;
	if (!lock_path || !pid_path) {
		error_set(error, rc, "out of memory");
		goto cleanup;
	}
	rc = make_directories(directory, error);
	if (!rc)
		rc = take_lock(lock_path, directory, lock, error);
	if (!rc)
		rc = write_pid_file(pid_path, error);
	if (rc && *lock >= 0) {
		close(*lock);
		*lock = -1;
	}
cleanup:
	free(lock_path);
	free(pid_path);
	return rc;
}

/* The lock's file stays: removing it would let two agents lock two files of one name. */
void daemon_unlock(const char *directory, int lock)
{
	char *path = path_in(directory, PID_FILE);

	if (path)
		unlink(path);
	free(path);
	close(lock);
}
