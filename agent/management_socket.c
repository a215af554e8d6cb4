/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/management_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)
#define TRIES 3 /* to get the place of a dead one, which others may want too */

static int close_keeping_errno(int fd)
{
	int kept = errno;

	if (fd >= 0)
		close(fd);
	errno = kept;
	return -1;
}

/* --- unix -------------------------------------------------------------------------------- */

/* An address, and what it needs as long as it is used. */
struct unix_address {
	struct sockaddr_un name;
	int directory; /* -1: none is needed */
};

/* A path that an address has no room for is reached by way of its directory's descriptor. */
static bool make_short(struct unix_address *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, (size_t)(slash - path)) : NULL;
	int size;

	if (!directory) {
		errno = ENAMETOOLONG;
		return false;
	}
	a->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(directory);
	if (a->directory < 0)
		return false;
	size = snprintf(a->name.sun_path, sizeof a->name.sun_path, "/proc/self/fd/%d/%s",
	                a->directory, slash + 1);
	if (size < (int)sizeof a->name.sun_path)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

static bool set_address(struct unix_address *a, const char *path)
{
	size_t size = strlen(path);

	*a = (struct unix_address){.name.sun_family = AF_UNIX, .directory = -1};
	if (size >= sizeof a->name.sun_path)
		return make_short(a, path);
	memcpy(a->name.sun_path, path, size);
	return true;
}

/* A socket with `use` (connect, bind) made of it, or -1 and errno. */
static int open_unix(const char *path,
                     int (*use)(int fd, const struct sockaddr *name, socklen_t size))
{
	struct unix_address a;
	bool named = set_address(&a, path);
	int fd = named ? socket(AF_UNIX, SOCK_STREAM | SOCKET_FLAGS, 0) : -1;

	if (fd >= 0 && use(fd, (const struct sockaddr *)&a.name, sizeof a.name))
		fd = close_keeping_errno(fd);
	close_keeping_errno(a.directory);
	return fd;
}

/* The file gets the mode of the socket that it is made for. */
static int bind_private(int fd, const struct sockaddr *name, socklen_t size)
{
	return fchmod(fd, S_IRUSR | S_IWUSR) || bind(fd, name, size);
}

static int connect_to(int fd, const struct sockaddr *name, socklen_t size)
{
	return connect(fd, name, size);
}

int management_connect_unix(const char *path)
{
	return open_unix(path, connect_to);
}

/* GOFER_OK: what stood in the way is gone. */
static enum gofer_err clear_away(const char *path, struct error *error)
{
	struct stat there;
	int fd;

	if (lstat(path, &there))
		return errno == ENOENT ? GOFER_OK : error_errno(error, GOFER_IO, errno, "%s", path);
	if (!S_ISSOCK(there.st_mode))
		return error_set(error, GOFER_INVALID,
		                 "%s is no socket; it stands where the agent's own must be", path);
	fd = management_connect_unix(path);
	if (fd >= 0 || errno == EAGAIN) {
		close_keeping_errno(fd);
		return error_set(error, GOFER_EXISTS, "another agent listens at %s", path);
	}
	if (errno != ECONNREFUSED && errno != ENOENT)
		return error_errno(error, GOFER_IO, errno, "%s", path);
	if (unlink(path) && errno != ENOENT)
		return error_errno(error, GOFER_IO, errno, "%s is dead and can't be removed", path);
	return GOFER_OK;
}

static enum gofer_err bind_unix(const char *path, int *fd, struct error *error)
{
	for (int i = 0; i < TRIES; i++) {
		enum gofer_err rc;

		*fd = open_unix(path, bind_private);
		if (*fd >= 0)
			return GOFER_OK;
		if (errno != EADDRINUSE)
			break;
		rc = clear_away(path, error);
		if (rc)
			return rc;
		errno = EADDRINUSE;
	}
	return error_errno(error, GOFER_IO, errno, "can't listen at %s", path);
}

static bool is_private(const struct stat *file)
{
	return S_ISSOCK(file->st_mode) && !(file->st_mode & (S_IRWXG | S_IRWXO));
}

enum gofer_err management_listen_unix(const char *path, int *fd, struct stat *file,
                                      struct error *error)
{
	enum gofer_err rc = bind_unix(path, fd, error);

	if (rc)
		return rc;
	if (lstat(path, file))
		rc = error_errno(error, GOFER_IO, errno, "%s", path);
	else if (!is_private(file))
		rc = error_set(error, GOFER_IO, "%s: others could use it too", path);
	else if (listen(*fd, SOMAXCONN))
		rc = error_errno(error, GOFER_IO, errno, "can't listen at %s", path);
	if (rc) {
		unlink(path);
		*fd = close_keeping_errno(*fd);
	}
	return rc;
}

void management_remove_unix(const char *path, const struct stat *file)
{
	struct stat there;

	if (!lstat(path, &there) && there.st_dev == file->st_dev && there.st_ino == file->st_ino)
		unlink(path);
}

/* --- TCP --------------------------------------------------------------------------------- */

static int open_tcp(const struct addrinfo *at)
{
	int on = 1, fd = socket(at->ai_family, SOCK_STREAM | SOCKET_FLAGS, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, SOMAXCONN))
		return close_keeping_errno(fd);
	return fd;
}

/* A machine may have no IPv6. */
static bool is_missing_family(int errno_value)
{
	return errno_value == EAFNOSUPPORT || errno_value == EADDRNOTAVAIL;
}

static enum gofer_err add_tcp(const char *host, const char *port, int fds[MANAGEMENT_SOCKETS_MAX],
                              size_t *count, struct error *error)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *at = NULL;
	enum gofer_err rc = GOFER_OK;

	if (getaddrinfo(host, port, &hints, &at))
		return error_set(error, GOFER_INVALID,
		                 "management host \"%s\": must be an address or localhost", host);
	fds[*count] = open_tcp(at);
	if (fds[*count] >= 0)
		(*count)++;
	else
		rc = error_errno(error, is_missing_family(errno) ? GOFER_NOTFOUND : GOFER_IO, errno,
		                 "can't listen at %s port %s", host, port);
	freeaddrinfo(at);
	return rc;
}

enum gofer_err management_listen_tcp(const char *host, uint16_t port,
                                     int fds[MANAGEMENT_SOCKETS_MAX], size_t *count,
                                     struct error *error)
{
	char text[8];
	enum gofer_err rc;

	*count = 0;
	snprintf(text, sizeof text, "%u", port);
	if (strcmp(host, "localhost") != 0)
		return add_tcp(host, text, fds, count, error);
	rc = add_tcp("127.0.0.1", text, fds, count, error);
	if (!rc || rc == GOFER_NOTFOUND) {
		struct error second = ERROR_NONE;

		add_tcp("::1", text, fds, count, &second);
		rc = *count && second.code == GOFER_NOTFOUND ? GOFER_OK : second.code;
		if (rc)
			error_set(error, rc, "%s", second.text);
	}
	while (rc && *count)
		close(fds[--*count]);
	return rc;
}
