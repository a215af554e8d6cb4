/* SPDX-License-Identifier: Apache-2.0 */
/*
 * management_socket: the sockets of management: those that the agent listens at, and the way to them.
 *
 * All are non-blocking and closed on exec. The path of a unix socket may be of any length where /proc is
 * there, and else of what a socket's address holds (107 bytes). Thread: any. Nothing blocks, but for
 * the file system.
 */
#ifndef GOFER_AGENT_MANAGEMENT_SOCKET_H
#define GOFER_AGENT_MANAGEMENT_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/error.h"

/* Where it is below an agent's root. */
#define MANAGEMENT_SOCKET_NAME \
	"management.sock" /* in the directory for what lives as long as the agent */
#define MANAGEMENT_SOCKET "run/gofer/" MANAGEMENT_SOCKET_NAME
#define MANAGEMENT_SOCKETS_MAX 2 /* addresses of a host */

/* Listens at `path` with mode 0600; `*file` tells the file from one that takes its place later. A
 * socket that nobody listens at is replaced. GOFER_EXISTS: somebody does; GOFER_INVALID: what is there is no
 * socket. */
enum gofer_err management_listen_unix(const char *path, int *fd, struct stat *file,
                                      struct error *error);
/* Removes the file, if it still is that one. */
void management_remove_unix(const char *path, const struct stat *file);

/* Listens at a port of the host: an address, or "localhost", which is 127.0.0.1 and, where there is
 * IPv6, ::1. GOFER_INVALID: another name. */
enum gofer_err management_listen_tcp(const char *host, uint16_t port,
                                     int fds[MANAGEMENT_SOCKETS_MAX], size_t *count,
                                     struct error *error);

/* Connects to a unix socket. The descriptor; or -1 and errno, EAGAIN where too many wait there already. */
int management_connect_unix(const char *path);

#endif
