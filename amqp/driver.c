/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/driver.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <proton/condition.h>
#include <proton/connection_driver.h>
#include <proton/logger.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/fault.h"
#include "core/clock.h"
#include "core/log.h"

/* What one connection may do in one turn before the others have theirs. */
#define READ_TURN 65536
#define WRITE_TURN 262144
#define ROUNDS_TURN 4
/* The engine's read buffer of 8 KiB grows to this where a connection fills it. */
#define READ_LARGE 65536

enum attachment { ATTACHED_NOT, ATTACHED_SOCKET, ATTACHED_PEER };

/* All loop only. */
struct driver {
	struct loop *loop;
	const struct driver_handler *handler;
	void *context;
	pn_connection_driver_t pn;

	struct loop_task turn;
	bool deferred; /* `turn` is in the loop's list */

	enum attachment attachment;
	int fd;
	ev_io readable, writable;
	struct driver *peer; /* NULL again when it has ended */

	ev_timer timer;
	uint64_t timer_ms; /* when `timer` goes off */

	struct fault_wire wire;
	struct error why;
	bool has_why;
	bool started;     /* events have been handed out */
	bool over;        /* no more bytes, whatever the engine thinks */
	bool closed;      /* on_closed was called */
	bool freed;       /* driver_free() was called; goes when `busy` and `deferred` allow it */
	bool dispatching; /* in on_event */
	bool timed_out;
	bool write_failed;
	unsigned busy; /* how many functions up the stack still use it */
};

static void mark(struct driver *d)
{
	if (d->deferred || d->closed || d->freed)
		return;
	d->deferred = true;
	loop_defer(d->loop, &d->turn);
}

static void reap(struct driver *d)
{
	if (!d->freed || d->busy)
		return;
	if (d->pn.transport)
		pn_connection_driver_destroy(&d->pn);
	if (!d->deferred)
		free(d);
}

static void enter(struct driver *d)
{
	d->busy++;
}

static void leave(struct driver *d)
{
	d->busy--;
	reap(d);
}

/* --- how it ends ------------------------------------------------------------------------ */

static void end(struct driver *d, const struct error *why)
{
	if (!d->has_why)
		d->why = *why;
	d->has_why = true;
	d->over = true;
}

static bool remote_closed(const struct driver *d)
{
	return pn_connection_state(d->pn.connection) & PN_REMOTE_CLOSED;
}

/* Our close frame is on its way, so that an end of the stream is what we asked for. */
static bool close_sent(struct driver *d)
{
	return pn_connection_state(d->pn.connection) & PN_LOCAL_CLOSED && !d->write_failed &&
		pn_connection_driver_write_closed(&d->pn);
}

static void end_io(struct driver *d, int errno_value)
{
	struct error why = ERROR_NONE;

	if (!remote_closed(d) && !close_sent(d))
		error_errno(&why, GOFER_IO, errno_value, "connection lost");
	end(d, &why);
}

static void end_eof(struct driver *d)
{
	struct error why = ERROR_NONE;

	if (!remote_closed(d) && !close_sent(d))
		fault_eof(&why, &d->wire);
	end(d, &why);
}

static void end_timeout(struct driver *d)
{
	struct error why;

	error_set(&why, GOFER_TIMEOUT, "nothing heard from the peer for %.3g s",
	          pn_transport_get_idle_timeout(d->pn.transport) / 1e3);
	end(d, &why);
}

static void end_condition(struct driver *d)
{
	pn_condition_t *condition = pn_transport_condition(d->pn.transport);
	struct error why;

	fault_condition(&why, &d->wire, pn_condition_get_name(condition),
	                pn_condition_get_description(condition));
	end(d, &why);
}

static bool has_condition(struct driver *d)
{
	return pn_condition_is_set(pn_transport_condition(d->pn.transport));
}

/* Proton stops reading without a condition on frames that it cannot make sense of. */
static bool stopped_reading(struct driver *d)
{
	return pn_connection_driver_read_closed(&d->pn) && !remote_closed(d);
}

/* The engine's own reasons to end. */
static void check_engine(struct driver *d)
{
	static const struct error orderly = ERROR_NONE;

	if (d->over)
		return;
	if (d->timed_out)
		end_timeout(d);
	else if (has_condition(d) || stopped_reading(d))
		end_condition(d);
	else if (pn_connection_driver_finished(&d->pn))
		end(d, &orderly);
}

static void peer_gone(struct driver *d)
{
	d->peer = NULL;
	end_eof(d);
	mark(d);
}

static void disconnect(struct driver *d)
{
	struct ev_loop *ev = loop_ev(d->loop);
	struct driver *peer = d->peer;

	ev_timer_stop(ev, &d->timer);
	if (d->fd >= 0) {
		ev_io_stop(ev, &d->readable);
		ev_io_stop(ev, &d->writable);
		close(d->fd);
		d->fd = -1;
	}
	d->peer = NULL;
	if (peer)
		peer_gone(peer);
}

/* --- events and time -------------------------------------------------------------------- */

static void dispatch(struct driver *d)
{
	pn_event_t *event;

	if (d->dispatching)
		return;
	d->started = true;
	d->dispatching = true;
	while (!d->freed && (event = pn_connection_driver_next_event(&d->pn)))
		d->handler->on_event(d, event, d->context);
	d->dispatching = false;
}

static void finish(struct driver *d)
{
	disconnect(d);
	if (d->started) {
		pn_connection_driver_close(&d->pn);
		dispatch(d);
	}
	if (d->freed)
		return;
	d->closed = true;
	log_debug("amqp", "connection ended: %s", d->why.code ? d->why.text : "in order");
	d->handler->on_closed(d, &d->why, d->context);
}

static void on_timer(struct ev_loop *ev, ev_timer *watcher, int revents)
{
	(void)ev;
	(void)revents;
	mark(watcher->data);
}

/* The timer is moved only to an earlier time: one that comes too early costs a tick, and most
 * deadlines move on before they are reached. */
static void arm(struct driver *d, uint64_t now, uint64_t next)
{
	struct ev_loop *ev = loop_ev(d->loop);

	if (!next || (ev_is_active(&d->timer) && d->timer_ms <= next))
		return;
	ev_timer_stop(ev, &d->timer);
	ev_timer_set(&d->timer, next > now ? (next - now) / 1e3 : 1e-3, 0.);
	ev_timer_start(ev, &d->timer);
	d->timer_ms = next;
}

static void tick(struct driver *d)
{
	bool before = has_condition(d);
	uint64_t now = clock_monotonic_ms();
	int64_t next = pn_transport_tick(d->pn.transport, (int64_t)now);

	if (!before && has_condition(d))
		d->timed_out = true;
	arm(d, now, next > 0 ? (uint64_t)next : 0);
}

/* --- bytes ------------------------------------------------------------------------------ */

static void sent(struct driver *d, const char *bytes, size_t size)
{
	fault_sent(&d->wire, bytes, size);
	pn_connection_driver_write_done(&d->pn, size);
}

static void received(struct driver *d, const char *bytes, size_t size)
{
	fault_received(&d->wire, bytes, size);
	pn_connection_driver_read_done(&d->pn, size);
}

/* What the peer sent before the connection broke may tell why: it is read until its end. */
static void on_write_failed(struct driver *d, int errno_value)
{
	d->write_failed = true;
	if (pn_connection_driver_read_closed(&d->pn))
		end_io(d, errno_value);
	else
		pn_connection_driver_write_close(&d->pn);
}

static void flush_socket(struct driver *d)
{
	size_t written = 0;
	pn_bytes_t out;

	if (ev_is_active(&d->writable))
		return;
	while (written < WRITE_TURN && (out = pn_connection_driver_write_buffer(&d->pn)).size) {
		ssize_t n = send(d->fd, out.start, out.size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			on_write_failed(d, errno);
			return;
		}
		if (n > 0)
			sent(d, out.start, (size_t)n);
		if (n < (ssize_t)out.size) {
			ev_io_start(loop_ev(d->loop), &d->writable);
			return;
		}
		written += (size_t)n;
	}
	if (written >= WRITE_TURN)
		mark(d);
}

/* A turn moves what fits into the peer's read buffer; the peer handles it in a turn of its own. An
 * engine that reads before its first events are handled is not bound yet and would lose some. */
static void flush_peer(struct driver *d)
{
	pn_bytes_t out = pn_connection_driver_write_buffer(&d->pn);
	pn_rwbytes_t room;
	size_t n = out.size;

	if (!out.size || !d->peer)
		return;
	if (!d->peer->started) {
		mark(d);
		return;
	}
	room = pn_connection_driver_read_buffer(&d->peer->pn);
	if (room.size) {
		n = room.size < out.size ? room.size : out.size;
		memcpy(room.start, out.start, n);
		received(d->peer, room.start, n);
		mark(d->peer);
	}
	sent(d, out.start, n);
	if (pn_connection_driver_write_buffer(&d->pn).size)
		mark(d);
}

static void flush(struct driver *d)
{
	if (d->attachment == ATTACHED_SOCKET)
		flush_socket(d);
	else
		flush_peer(d);
}

/* One read's worth; false when there is no more to be had now. */
static bool read_some(struct driver *d, size_t *total, bool *filled)
{
	pn_rwbytes_t room =
		pn_connection_driver_read_buffer_sized(&d->pn, *filled ? READ_LARGE : 0);
	ssize_t n;

	if (!room.size)
		return false;
	do {
		n = recv(d->fd, room.start, room.size, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		end_io(d, errno);
	if (n == 0)
		end_eof(d);
	if (n <= 0)
		return false;
	received(d, room.start, (size_t)n);
	*total += (size_t)n;
	*filled = (size_t)n == room.size;
	return *filled;
}

static void on_readable(struct ev_loop *ev, ev_io *watcher, int revents)
{
	struct driver *d = watcher->data;
	bool filled = false, more = true;
	size_t total = 0;

	(void)ev;
	(void)revents;
	enter(d);
	dispatch(d);
	while (!d->freed && !d->over && more && total < READ_TURN) {
		more = read_some(d, &total, &filled);
		dispatch(d);
	}
	mark(d);
	leave(d);
}

static void on_writable(struct ev_loop *ev, ev_io *watcher, int revents)
{
	(void)revents;
	ev_io_stop(ev, watcher);
	mark(watcher->data);
}

/* --- the turn --------------------------------------------------------------------------- */

/* Sending makes events too (credit to go on with), which may make more to send. */
static void exchange(struct driver *d)
{
	for (int i = 0; i < ROUNDS_TURN; i++) {
		dispatch(d);
		if (d->freed || d->over)
			return;
		tick(d);
		flush(d);
		if (!pn_connection_driver_has_event(&d->pn))
			break;
	}
	if (pn_connection_driver_has_event(&d->pn))
		mark(d);
	if (d->attachment == ATTACHED_SOCKET && pn_connection_driver_read_closed(&d->pn))
		ev_io_stop(loop_ev(d->loop), &d->readable);
}

static void run_turn(struct driver *d)
{
	if (!d->over && d->attachment != ATTACHED_NOT)
		exchange(d);
	if (d->freed)
		return;
	check_engine(d);
	if (d->over)
		finish(d);
}

static void on_turn(struct loop_task *task)
{
	struct driver *d = (struct driver *)((char *)task - offsetof(struct driver, turn));

	d->deferred = false;
	enter(d);
	if (!d->freed && !d->closed)
		run_turn(d);
	leave(d);
}

/* A peer can make proton complain, on standard error by default. Frames, which PN_TRACE_FRM asks
 * for, hold passwords and bodies and are left out. */
static void on_proton_log(intptr_t context, pn_log_subsystem_t subsystem, pn_log_level_t level,
                          const char *text)
{
	(void)context;
	(void)subsystem;
	(void)level;
	log_debug("amqp", "proton: %s", text);
}

static void take_log(pn_transport_t *transport)
{
	pn_logger_t *logger = pn_transport_logger(transport);

	pn_logger_reset_mask(logger, PN_SUBSYSTEM_ALL, PN_LEVEL_FRAME | PN_LEVEL_RAW);
	pn_logger_set_log_sink(logger, on_proton_log, 0);
}

/* --- what the owner calls --------------------------------------------------------------- */

struct driver *driver_new(struct loop *loop, bool server, const struct driver_handler *handler,
                          void *context)
{
	struct driver *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	if (pn_connection_driver_init(&d->pn, NULL, NULL)) {
		free(d);
		return NULL;
	}
	d->loop = loop;
	d->handler = handler;
	d->context = context;
	d->turn.run = on_turn;
	d->fd = -1;
	ev_timer_init(&d->timer, on_timer, 0., 0.);
	d->timer.data = d;
	pn_transport_set_max_frame(d->pn.transport, DRIVER_MAX_FRAME);
	take_log(d->pn.transport);
	if (server)
		pn_transport_set_server(d->pn.transport);
	return d;
}

void driver_free(struct driver *d)
{
	if (!d || d->freed)
		return;
	ASSERT_LOOP_THREAD(d->loop);
	d->freed = true;
	disconnect(d);
	reap(d);
}

pn_connection_t *driver_connection(struct driver *d)
{
	return d->pn.connection;
}

pn_transport_t *driver_transport(struct driver *d)
{
	return d->pn.transport;
}

void *driver_context(struct driver *d)
{
	return d->context;
}

static enum gofer_err prepare_socket(int fd, struct error *error)
{
	int flags = fcntl(fd, F_GETFL), on = 1;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_errno(error, GOFER_IO, errno, "cannot use the connection");
	/* A socket that is not TCP has no such option, nor such a delay. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return GOFER_OK;
}

enum gofer_err driver_attach_socket(struct driver *d, int fd, struct error *error)
{
	enum gofer_err err = prepare_socket(fd, error);

	if (err) {
		close(fd);
		return err;
	}
	d->attachment = ATTACHED_SOCKET;
	d->fd = fd;
	ev_io_init(&d->readable, on_readable, fd, EV_READ);
	ev_io_init(&d->writable, on_writable, fd, EV_WRITE);
	d->readable.data = d->writable.data = d;
	ev_io_start(loop_ev(d->loop), &d->readable);
	mark(d);
	return GOFER_OK;
}

void driver_attach_peer(struct driver *a, struct driver *b)
{
	a->attachment = b->attachment = ATTACHED_PEER;
	a->peer = b;
	b->peer = a;
	mark(a);
	mark(b);
}

void driver_wake(struct driver *d)
{
	ASSERT_LOOP_THREAD(d->loop);
	mark(d);
}

void driver_abort(struct driver *d, enum gofer_err code, const char *why)
{
	struct error error = ERROR_NONE;

	if (d->over || d->freed)
		return;
	error_set(&error, code, "%s", why);
	end(d, &error);
	disconnect(d);
	mark(d);
}

bool driver_push(struct driver *d, const char *bytes, size_t size)
{
	pn_rwbytes_t room;

	enter(d);
	dispatch(d);
	while (!d->freed && size && (room = pn_connection_driver_read_buffer(&d->pn)).size) {
		size_t n = size < room.size ? size : room.size;

		memcpy(room.start, bytes, n);
		received(d, room.start, n);
		bytes += n;
		size -= n;
		dispatch(d);
	}
	mark(d);
	leave(d);
	return !size;
}

void driver_pull(struct driver *d, struct buf *out)
{
	pn_bytes_t bytes;

	enter(d);
	dispatch(d);
	while (!d->freed && (bytes = pn_connection_driver_write_buffer(&d->pn)).size) {
		buf_append(out, bytes.start, bytes.size);
		sent(d, bytes.start, bytes.size);
		dispatch(d);
	}
	mark(d);
	leave(d);
}
