/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"

#define ACCEPT_TURN 64 /* connections taken in one turn */
#define PAUSE_S 0.2    /* without descriptors there is no point in trying at once again */

struct listener {
	LIST_ENTRY(listener) entry;
	struct server *server;
	ev_io acceptable;
	ev_timer pause;
	int fd;
	bool tls;
};

/* --- taking connections ---------------------------------------------------------------- */

static void format_address(const struct sockaddr_storage *from, socklen_t size, char *out,
                           size_t out_size)
{
	char host[INET6_ADDRSTRLEN + 16], port[8];

	if (getnameinfo((const struct sockaddr *)from, size, host, sizeof(host), port, sizeof(port),
	                NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(out, out_size, "a peer");
	else
		snprintf(out, out_size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static void admit(struct listener *l, int fd, const char *name)
{
	struct error error = ERROR_NONE;
	struct peer *p = peer_new(l->server, l->tls, &error);

	if (!p) {
		close(fd);
		log_warning("broker", "%s: turned away: %s", name, error.text);
		return;
	}
	peer_set_name(p, name);
	log_debug("broker", "%s: connected", name);
	if (driver_attach_socket(peer_driver(p), fd, &error))
		driver_abort(peer_driver(p), error.code, error.text);
}

static bool is_out_of_something(int errno_value)
{
	return errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOBUFS ||
		errno_value == ENOMEM;
}

static void on_acceptable(struct ev_loop *ev, ev_io *watcher, int revents)
{
	struct listener *l = watcher->data;
	struct sockaddr_storage from;
	char name[96];

	(void)revents;
	for (int i = 0; i < ACCEPT_TURN; i++) {
		socklen_t size = sizeof(from);
		int fd = accept4(l->fd, (struct sockaddr *)&from, &size,
		                 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && is_out_of_something(errno)) {
			log_warning("broker", "can't take a connection: %s", strerror(errno));
			ev_io_stop(ev, watcher);
			ev_timer_start(ev, &l->pause);
		}
		if (fd < 0)
			return;
		format_address(&from, size, name, sizeof(name));
		admit(l, fd, name);
	}
}

static void on_pause_over(struct ev_loop *ev, ev_timer *watcher, int revents)
{
	struct listener *l = watcher->data;

	(void)revents;
	ev_io_start(ev, &l->acceptable);
}

/* --- sockets ---------------------------------------------------------------------------- */

static int open_socket(const struct addrinfo *at)
{
	int on = 1, fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	on = errno;
	close(fd);
	errno = on;
	return -1;
}

static uint16_t *port_of(struct sockaddr *address)
{
	if (address->sa_family == AF_INET6)
		return &((struct sockaddr_in6 *)(void *)address)->sin6_port;
	return &((struct sockaddr_in *)(void *)address)->sin_port;
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return 0;
	return ntohs(*port_of((struct sockaddr *)&address));
}

static void listener_free(struct listener *l)
{
	struct ev_loop *ev = loop_ev(l->server->hub->loop);

	ev_io_stop(ev, &l->acceptable);
	ev_timer_stop(ev, &l->pause);
	LIST_REMOVE(l, entry);
	close(l->fd);
	free(l);
}

/* Takes the descriptor. */
static enum gofer_err add_listener(struct listener_list *list, struct server *s, int fd, bool tls)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l) {
		close(fd);
		return GOFER_NOMEM;
	}
	l->server = s;
	l->fd = fd;
	l->tls = tls;
	ev_io_init(&l->acceptable, on_acceptable, fd, EV_READ);
	ev_timer_init(&l->pause, on_pause_over, PAUSE_S, 0.);
	l->acceptable.data = l->pause.data = l;
	ev_io_start(loop_ev(s->hub->loop), &l->acceptable);
	LIST_INSERT_HEAD(list, l, entry);
	return GOFER_OK;
}

/* Hosts that have no IPv6 still have ::1 in their hosts file. */
static bool is_missing_family(int errno_value)
{
	return errno_value == EAFNOSUPPORT || errno_value == EADDRNOTAVAIL;
}

static enum gofer_err listen_all(struct listener_list *list, struct server *s, bool tls,
                                 const struct addrinfo *addresses, uint16_t *port,
                                 struct error *error)
{
	int last = EADDRNOTAVAIL;

	for (const struct addrinfo *at = addresses; at; at = at->ai_next) {
		int fd;

		*port_of(at->ai_addr) = htons(*port);
		fd = open_socket(at);
		if (fd < 0 && is_missing_family(errno)) {
			last = errno;
			continue;
		}
		if (fd < 0)
			return error_errno(error, GOFER_IO, errno, "can't listen");
		*port = bound_port(fd);
		if (add_listener(list, s, fd, tls))
			return error_set(error, GOFER_NOMEM, "out of memory");
	}
	if (LIST_EMPTY(list))
		return error_errno(error, GOFER_IO, last, "can't listen");
	return GOFER_OK;
}

static enum gofer_err look_up(const char *host, struct addrinfo **out, struct error *error)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST,
		.ai_socktype = SOCK_STREAM,
	};
	int result = getaddrinfo(host, NULL, &hints, out);

	if (result == EAI_NONAME) {
		hints.ai_flags = AI_PASSIVE;
		result = getaddrinfo(host, NULL, &hints, out);
	}
	if (result)
		return error_set(error, GOFER_NOTFOUND, "host %s: %s", host, gai_strerror(result));
	return GOFER_OK;
}

enum gofer_err listen_on(struct listener_list *list, struct server *s, const struct url *url,
                         uint16_t *port, struct error *error)
{
	struct listener_list made = LIST_HEAD_INITIALIZER(made);
	struct addrinfo *addresses = NULL;
	struct listener *l;
	enum gofer_err err = look_up(url->host, &addresses, error);

	if (err)
		return err;
	*port = url->port;
	err = listen_all(&made, s, url->tls, addresses, port, error);
	freeaddrinfo(addresses);
	if (err) {
		listen_stop(&made);
		return err;
	}
	while ((l = LIST_FIRST(&made))) {
		LIST_REMOVE(l, entry);
		LIST_INSERT_HEAD(list, l, entry);
	}
	return GOFER_OK;
}

void listen_stop(struct listener_list *list)
{
	struct listener *l;

	while ((l = LIST_FIRST(list)))
		listener_free(l);
}
