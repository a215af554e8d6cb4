/* SPDX-License-Identifier: Apache-2.0 */
/* The lock, the way to the background, and what the service manager is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/daemon.h"
#include "agent/notify.h"

static char directory[64], path[160];

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "%s/gofer-daemon-XXXXXX",
	         getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const files[] = {"run/gofer/agentd.pid",
	                                    "run/gofer/agentd.lock",
	                                    "run/gofer",
	                                    "run",
	                                    "socket",
	                                    NULL};

	(void)state;
	for (const char *const *f = files; *f; f++) {
		snprintf(path, sizeof path, "%s/%s", directory, *f);
		remove(path);
	}
	return rmdir(directory);
}

static const char *in_directory(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static long number_in(const char *name)
{
	FILE *file = fopen(in_directory(name), "r");
	long number = -1;

	if (file && fscanf(file, "%ld", &number) != 1)
		number = -2;
	if (file)
		fclose(file);
	return number;
}

static void test_one_agent_a_directory(void **state)
{
	char run[128], want[64];
	struct error error = ERROR_NONE;
	int lock, second;

	(void)state;
	snprintf(run, sizeof run, "%s/run/gofer", directory);
	assert_int_equal(daemon_lock(run, &lock, &error), GOFER_OK);
	assert_true(lock >= 0);
	assert_int_equal(number_in("run/gofer/agentd.pid"), getpid());
	assert_int_equal(daemon_lock(run, &second, &error), GOFER_EXISTS);
	assert_int_equal(second, -1);
	snprintf(want, sizeof want, "with process id %ld", (long)getpid());
	assert_non_null(strstr(error.text, want));
	assert_non_null(strstr(error.text, run));
	daemon_unlock(run, lock);
	assert_int_equal(number_in("run/gofer/agentd.pid"), -1);
	/* It can be had again; a number of a process that is gone keeps nobody out. */
	assert_int_equal(daemon_lock(run, &lock, &error), GOFER_OK);
	daemon_unlock(run, lock);
}

static void test_directory_that_cannot_be(void **state)
{
	struct error error = ERROR_NONE;
	FILE *file = fopen(in_directory("socket"), "w");
	char run[200];
	int lock;

	(void)state;
	fclose(file);
	snprintf(run, sizeof run, "%s/socket/gofer", directory);
	assert_int_equal(daemon_lock(run, &lock, &error), GOFER_IO);
	assert_int_equal(lock, -1);
	assert_non_null(strstr(error.text, "/socket/gofer can't be made"));
}

/* What the parent exits with. In the child, `told` is told, or it ends without a word (-1). */
static int fork_daemon(int told, const char *mark)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct daemon d = DAEMON_INIT;
		struct error error;
		int code = 99;

		switch (daemon_fork(&d, &code, &error)) {
		case GOFER_CANCELLED: _exit(code);
		case GOFER_OK: break;
		default: _exit(98);
		}
		if (mark && (getsid(0) == getpid() || mkdir(mark, 0700)))
			_exit(97);
		if (told >= 0)
			daemon_tell(&d, told);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_parent_waits(void **state)
{
	struct stat st;
	char mark[160];

	(void)state;
	snprintf(mark, sizeof mark, "%s/run", directory);
	assert_int_equal(fork_daemon(0, mark), 0);
	assert_int_equal(stat(mark, &st), 0);
	assert_int_equal(fork_daemon(7, NULL), 7);
	assert_int_equal(fork_daemon(-1, NULL), 1);
}

static void test_nobody_waits(void **state)
{
	struct daemon d = DAEMON_INIT;

	(void)state;
	daemon_tell(&d, 0);
	assert_int_equal(d.pipe, -1);
	assert_true(write(STDERR_FILENO, "", 0) == 0);
}

static int bind_socket(struct sockaddr_un *at, socklen_t size)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	at->sun_family = AF_UNIX;
	assert_int_equal(bind(fd, (struct sockaddr *)at, size), 0);
	return fd;
}

static void expect(int fd, const char *text)
{
	char got[64] = "";

	assert_int_equal(recv(fd, got, sizeof got - 1, 0), strlen(text));
	assert_string_equal(got, text);
	close(fd);
}

static void test_notify(void **state)
{
	struct sockaddr_un at = {0};
	int fd;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");

	snprintf(at.sun_path, sizeof at.sun_path, "%.90s/socket", directory);
	fd = bind_socket(&at, sizeof at);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	notify_send("READY=1\nSTATUS=x");
	expect(fd, "READY=1\nSTATUS=x");

	memset(&at, 0, sizeof at);
	int size =
		snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "gofer-test-%ld", (long)getpid());
	fd = bind_socket(&at,
	                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size));
	at.sun_path[0] = '@';
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	notify_send("STOPPING=1");
	expect(fd, "STOPPING=1");

	setenv("NOTIFY_SOCKET", "nonsense", 1);
	notify_send("READY=1");
	unsetenv("NOTIFY_SOCKET");
}

static void test_watchdog(void **state)
{
	char pid[16];

	(void)state;
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	assert_true(notify_watchdog_s() == 0);
	setenv("WATCHDOG_USEC", "3000000", 1);
	assert_true(notify_watchdog_s() == 1.5);
	setenv("WATCHDOG_PID", "1", 1);
	assert_true(notify_watchdog_s() == 0);
	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_true(notify_watchdog_s() == 1.5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_agent_a_directory),
		TEST(test_directory_that_cannot_be),
		TEST(test_parent_waits),
		TEST(test_nobody_waits),
		TEST(test_notify),
		TEST(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
