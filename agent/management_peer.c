/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/management_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/management_request.h"
#include "core/log.h"

#define PACKAGE "agent.management"
#define PIECE 16384
#define READ_TURN 8 /* pieces of one peer before the others' turn */
#define WRITE_PIECE ((size_t)262144)
#define WRITE_TURN 4
#define LINGER_S 1.

/* --- watching ---------------------------------------------------------------------------- */

static struct ev_loop *ev_of(const struct management_call *c)
{
	return loop_ev(c->peers->loop);
}

static void watch(struct management_call *c, int events)
{
	if (c->ended)
		events &= ~EV_READ;
	if (events == (ev_is_active(&c->io) ? c->io.events & (EV_READ | EV_WRITE) : 0))
		return;
	ev_io_stop(ev_of(c), &c->io);
	ev_io_modify(&c->io, events);
	if (events)
		ev_io_start(ev_of(c), &c->io);
}

static void set_limit(struct management_call *c, double seconds)
{
	ev_timer_stop(ev_of(c), &c->limit);
	ev_timer_set(&c->limit, seconds, 0.);
	ev_now_update(ev_of(c));
	ev_timer_start(ev_of(c), &c->limit);
}

/* It is not idle: it stands behind all others. */
static void touch(struct management_call *c)
{
	TAILQ_REMOVE(&c->peers->list, c, entry);
	TAILQ_INSERT_TAIL(&c->peers->list, c, entry);
}

void management_peer_close(struct management_call *c)
{
	ev_io_stop(ev_of(c), &c->io);
	ev_timer_stop(ev_of(c), &c->limit);
	close(c->io.fd);
	TAILQ_REMOVE(&c->peers->list, c, entry);
	c->peers->count--;
	c->peers = NULL;
	buf_release(&c->data);
	if (c->state != MANAGEMENT_ASKED)
		free(c);
}

/* --- the answer -------------------------------------------------------------------------- */

static void linger(struct management_call *c)
{
	shutdown(c->io.fd, SHUT_WR);
	if (c->ended) {
		management_peer_close(c);
		return;
	}
	c->state = MANAGEMENT_LINGERING;
	set_limit(c, LINGER_S);
	watch(c, EV_READ);
}

static void send_answer(struct management_call *c)
{
	for (unsigned i = 0; i < WRITE_TURN && c->sent < c->data.size; i++) {
		size_t left = c->data.size - c->sent;
		ssize_t n = send(c->io.fd, c->data.data + c->sent,
		                 left < WRITE_PIECE ? left : WRITE_PIECE, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			management_peer_close(c);
			return;
		}
		c->sent += (size_t)n;
		touch(c);
	}
	if (c->sent < c->data.size)
		watch(c, EV_READ | EV_WRITE);
	else
		linger(c);
}

static const char no_memory[] = "{\"code\": 1, \"result\": \"out of memory\"}\n";

/* May free the call. */
static void begin_answer(struct management_call *c, struct buf *reply)
{
	if (!buf_ok(reply)) {
		buf_release(reply);
		buf_append(reply, no_memory, sizeof no_memory - 1);
	}
	buf_release(&c->data);
	c->data = *reply;
	c->state = MANAGEMENT_WRITING;
	touch(c);
	set_limit(c, c->peers->time_s);
	send_answer(c);
}

void management_answer_take(struct management_call *c, int code, struct cJSON *result)
{
	struct buf reply = BUF_INIT;

	if (!c->peers) {
		cJSON_Delete(result);
		free(c);
		return;
	}
	ASSERT_LOOP_THREAD(c->peers->loop);
	management_reply_print(&reply, code, result);
	cJSON_Delete(result);
	begin_answer(c, &reply);
}

static void refuse(struct management_call *c, const char *why)
{
	struct buf reply = BUF_INIT;

	log_debug(PACKAGE, "a request was refused: %s", why);
	management_reply_print_text(&reply, 1, why);
	begin_answer(c, &reply);
}

void management_peer_tell(int fd, const char *why)
{
	struct buf reply = BUF_INIT;

	management_reply_print_text(&reply, 1, why);
	if (buf_ok(&reply) && send(fd, reply.data, reply.size, MSG_NOSIGNAL) > 0)
		shutdown(fd, SHUT_WR);
	buf_release(&reply);
}

/* --- the request ------------------------------------------------------------------------- */

/* May free the call. */
static void ask(struct management_call *c)
{
	const struct management_events *events = c->peers->events;
	struct management_request request = {0};
	struct error error = ERROR_NONE;
	enum gofer_err rc = buf_ok(&c->data)
		? management_request_parse(&request, (struct slice){c->data.data, c->data.size},
	                                   &error)
		: error_set(&error, GOFER_NOMEM, "out of memory");

	if (rc) {
		refuse(c, error.text);
	} else {
		c->state = MANAGEMENT_ASKED;
		watch(c, 0);
		ev_timer_stop(ev_of(c), &c->limit);
		events->on_request(c->peers->context, c, request.name, request.args,
		                   request.kwargs);
	}
	management_request_release(&request);
}

/* Whether it goes on reading. */
static bool take_piece(struct management_call *c, const char *piece, size_t size)
{
	size_t used = 0;
	enum json_scan_state state = json_scan(&c->scan, piece, size, &used);
	struct error error = ERROR_NONE;

	buf_append(&c->data, piece, used);
	if (state == JSON_SCAN_WRONG)
		error_set(&error, GOFER_INVALID,
		          "a request must be a JSON object such as {\"name\": \"show\", \"args\": "
		          "[], \"kwargs\": {}}; this begins with \"%c\"",
		          piece[used - 1]);
	else if (c->data.size > MANAGEMENT_REQUEST_MAX)
		error_set(&error, GOFER_INVALID, "the request is longer than %d bytes",
		          MANAGEMENT_REQUEST_MAX);
	else if (state == JSON_SCAN_MORE && buf_ok(&c->data))
		return true;
	if (error.code)
		refuse(c, error.text);
	else
		ask(c);
	return false;
}

/* Whether the call is still there, and there may be more. */
static bool on_end(struct management_call *c)
{
	c->ended = true;
	if (c->state == MANAGEMENT_READING)
		ask(c);
	else if (c->state == MANAGEMENT_LINGERING)
		management_peer_close(c);
	else
		return true;
	return false;
}

/* Whether the call is still there, for its answer to go on. */
static bool take_input(struct management_call *c)
{
	char piece[PIECE];

	for (unsigned i = 0; i < READ_TURN; i++) {
		ssize_t n = recv(c->io.fd, piece, sizeof piece, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n < 0) {
			management_peer_close(c);
			return false;
		}
		if (!n)
			return on_end(c);
		if (c->state != MANAGEMENT_READING)
			continue;
		touch(c);
		if (!take_piece(c, piece, (size_t)n))
			return false;
	}
	return true;
}

static void on_ready(struct ev_loop *ev, ev_io *watcher, int revents)
{
	struct management_call *c = watcher->data;

	(void)ev;
	if ((revents & EV_READ) && !take_input(c))
		return;
	if (c->state == MANAGEMENT_WRITING)
		send_answer(c);
}

static void on_limit(struct ev_loop *ev, ev_timer *watcher, int revents)
{
	struct management_call *c = watcher->data;
	struct error error = ERROR_NONE;

	(void)ev, (void)revents;
	if (c->state != MANAGEMENT_READING) {
		management_peer_close(c);
		return;
	}
	error_set(&error, GOFER_TIMEOUT, "no whole request within %g s", c->peers->time_s);
	refuse(c, error.text);
}

/* --- coming and going -------------------------------------------------------------------- */

enum gofer_err management_peer_add(struct management_peers *peers, int fd)
{
	struct management_call *c = calloc(1, sizeof *c);

	if (!c) {
		close(fd);
		return GOFER_NOMEM;
	}
	c->peers = peers;
	ev_io_init(&c->io, on_ready, fd, EV_READ);
	ev_timer_init(&c->limit, on_limit, 0., 0.);
	c->io.data = c->limit.data = c;
	TAILQ_INSERT_TAIL(&peers->list, c, entry);
	peers->count++;
	set_limit(c, peers->time_s);
	ev_io_start(ev_of(c), &c->io);
	return GOFER_OK;
}

enum gofer_err management_peer_evict(struct management_peers *peers)
{
	struct management_call *c;

	TAILQ_FOREACH(c, &peers->list, entry)
	{
		if (c->state == MANAGEMENT_ASKED)
			continue;
		if (c->state == MANAGEMENT_READING)
			management_peer_tell(c->io.fd,
			                     "too many others came; send the request at once");
		management_peer_close(c);
		return GOFER_OK;
	}
	return GOFER_FULL;
}
