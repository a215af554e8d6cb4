/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/management.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/management_peer.h"
#include "agent/management_socket.h"
#include "core/log.h"

#define PACKAGE "agent.management"
#define LISTENERS_MAX (1 + MANAGEMENT_SOCKETS_MAX)
#define ACCEPT_TURN 16 /* connections taken in one turn */
#define PAUSE_S 0.2    /* without descriptors there is no point in trying at once again */

struct listener {
	struct management *server;
	ev_io acceptable;
	ev_timer pause;
};

struct management {
	struct management_peers peers;
	struct listener listeners[LISTENERS_MAX];
	size_t listeners_count;
	char *path;       /* of the unix socket; NULL: there is none */
	struct stat file; /* the same */
};

/* --- taking connections ------------------------------------------------------------------ */

static void admit(struct management *m, int fd)
{
	if (m->peers.count >= MANAGEMENT_PEERS && management_peer_evict(&m->peers)) {
		management_peer_tell(fd, "too many requests are being worked at; try again later");
		close(fd);
		return;
	}
	if (management_peer_add(&m->peers, fd))
		log_warning(PACKAGE, "a connection was turned away: out of memory");
}

static bool is_out_of_something(int errno_value)
{
	return errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOBUFS ||
		errno_value == ENOMEM;
}

static void on_acceptable(struct ev_loop *ev, ev_io *watcher, int revents)
{
	struct listener *l = watcher->data;

	(void)revents;
	for (unsigned i = 0; i < ACCEPT_TURN; i++) {
		int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && is_out_of_something(errno)) {
			log_warning(PACKAGE, "can't take a connection: %s", strerror(errno));
			ev_io_stop(ev, watcher);
			ev_timer_start(ev, &l->pause);
		}
		if (fd < 0)
			return;
		admit(l->server, fd);
	}
}

static void on_pause_over(struct ev_loop *ev, ev_timer *watcher, int revents)
{
	struct listener *l = watcher->data;

	(void)revents;
	ev_io_start(ev, &l->acceptable);
}

/* --- coming and going -------------------------------------------------------------------- */

static void add_listener(struct management *m, int fd)
{
	struct listener *l = &m->listeners[m->listeners_count++];

	l->server = m;
	ev_io_init(&l->acceptable, on_acceptable, fd, EV_READ);
	ev_timer_init(&l->pause, on_pause_over, PAUSE_S, 0.);
	l->acceptable.data = l->pause.data = l;
	ev_io_start(loop_ev(m->peers.loop), &l->acceptable);
}

static void end_listener(struct listener *l)
{
	struct ev_loop *ev = loop_ev(l->server->peers.loop);

	ev_io_stop(ev, &l->acceptable);
	ev_timer_stop(ev, &l->pause);
	close(l->acceptable.fd);
}

static enum gofer_err open_unix(struct management *m, const char *path, struct error *error)
{
	char *copy = strdup(path);
	enum gofer_err rc;
	int fd = -1;

	if (!copy)
		return error_set(error, GOFER_NOMEM, "out of memory");
	rc = management_listen_unix(path, &fd, &m->file, error);
	if (rc) {
		free(copy);
		return rc;
	}
	m->path = copy;
	add_listener(m, fd);
	log_debug(PACKAGE, "listening at %s", path);
	return GOFER_OK;
}

static enum gofer_err open_tcp(struct management *m, const char *host, uint16_t port,
                               struct error *error)
{
	int fds[MANAGEMENT_SOCKETS_MAX];
	size_t count = 0;
	enum gofer_err rc = management_listen_tcp(host, port, fds, &count, error);

	for (size_t i = 0; i < count; i++)
		add_listener(m, fds[i]);
	if (!rc)
		log_info(PACKAGE, "listening at %s port %u: who reaches it can manage this agent",
		         host, port);
	return rc;
}

struct management *management_new(struct loop *loop, const struct management_options *options,
                                  const struct management_events *events, void *context,
                                  struct error *error)
{
	struct management *m = calloc(1, sizeof *m);
	enum gofer_err rc = GOFER_OK;

	ASSERT_LOOP_THREAD(loop);
	if (!m) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	m->peers.loop = loop;
	m->peers.time_s = options->time_s > 0 ? options->time_s : MANAGEMENT_TIME_S;
	m->peers.events = events;
	m->peers.context = context;
	TAILQ_INIT(&m->peers.list);
	if (options->socket_path)
		rc = open_unix(m, options->socket_path, error);
	if (!rc && options->port)
		rc = open_tcp(m, options->host ? options->host : "localhost", options->port, error);
	if (!rc)
		return m;
	management_free(m);
	return NULL;
}

void management_free(struct management *m)
{
	struct management_call *call;

	if (!m)
		return;
	ASSERT_LOOP_THREAD(m->peers.loop);
	if (m->path)
		management_remove_unix(m->path, &m->file);
	for (size_t i = 0; i < m->listeners_count; i++)
		end_listener(&m->listeners[i]);
	while ((call = TAILQ_FIRST(&m->peers.list)))
		management_peer_close(call);
	free(m->path);
	free(m);
}
