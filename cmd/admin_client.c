/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/admin_client.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/management_socket.h"
#include "amqp/loop.h"
#include "amqp/resolve.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/json_scan.h"

#define REPLY_MAX ((size_t)256 << 20)
#define PIECE 65536
#define AGAIN_MS 50 /* where too many wait for a unix socket */

/* One request in the making. */
struct exchange {
	const struct admin_target *target;
	uint64_t end_ms; /* UINT64_MAX: no bound */
	struct error *error;
	int fd;
};

/* --- time -------------------------------------------------------------------------------- */

static uint64_t left_ms(const struct exchange *x)
{
	uint64_t now = clock_monotonic_ms();

	return now < x->end_ms ? x->end_ms - now : 0;
}

static enum gofer_err too_late(const struct exchange *x)
{
	return error_set(x->error, GOFER_TIMEOUT, "no answer within %g s", x->target->wait);
}

/* Waits for `events` of the descriptor (-1: of none), at most until `end_ms`; GOFER_OK then too. */
static enum gofer_err wait_until(const struct exchange *x, int fd, short events, uint64_t end_ms)
{
	uint64_t now = clock_monotonic_ms();
	int limit = end_ms <= now ? 0 : end_ms - now < 3600000 ? (int)(end_ms - now) : 3600000;
	struct pollfd fds[3] = {{.fd = fd, .events = events},
	                        {.fd = x->target->stops[0], .events = POLLIN},
	                        {.fd = x->target->stops[1], .events = POLLIN}};

	if (poll(fds, 3, limit) < 0 && errno != EINTR)
		return error_errno(x->error, GOFER_IO, errno, "poll");
	if (fds[1].revents || fds[2].revents)
		return error_set(x->error, GOFER_CANCELLED, "interrupted");
	return GOFER_OK;
}

static enum gofer_err wait_for(const struct exchange *x, short events)
{
	if (!left_ms(x))
		return too_late(x);
	return wait_until(x, x->fd, events, x->end_ms);
}

/* --- connecting -------------------------------------------------------------------------- */

static enum gofer_err not_there(const struct exchange *x, int errno_value)
{
	const char *socket = x->target->socket;

	if (errno_value == EACCES || errno_value == EPERM)
		return error_set(x->error, GOFER_AUTH,
		                 "%s: %s; only the user who runs the agent, and root, may ask it",
		                 socket, strerror(errno_value));
	return error_set(x->error, GOFER_UNREACHABLE,
	                 "no agent at %s: %s; is goferd running, and there? --root or --socket "
	                 "says where to look",
	                 socket, strerror(errno_value));
}

static enum gofer_err connect_unix(struct exchange *x)
{
	for (;;) {
		enum gofer_err rc;

		x->fd = management_connect_unix(x->target->socket);
		if (x->fd >= 0)
			return GOFER_OK;
		if (errno != EAGAIN)
			return not_there(x, errno);
		if (!left_ms(x))
			return too_late(x);
		rc = wait_until(x, -1, 0, clock_monotonic_ms() + AGAIN_MS);
		if (rc)
			return rc;
	}
}

struct lookup {
	struct resolved addresses[RESOLVE_MAX];
	size_t count;
	bool over;
	struct error why;
};

static void on_resolved(void *context, const struct resolved *addresses, size_t count,
                        const struct error *why)
{
	struct lookup *l = context;

	l->over = true;
	l->count = count;
	if (count)
		memcpy(l->addresses, addresses, count * sizeof(*addresses));
	else
		l->why = *why;
}

static enum gofer_err run_lookup(struct exchange *x, struct loop *loop, struct lookup *l)
{
	struct resolve *resolve =
		resolve_start(loop, x->target->host, x->target->port, on_resolved, l, x->error);
	enum gofer_err rc = resolve ? GOFER_OK : GOFER_FAILED;

	while (!rc && !l->over) {
		loop_run_once(loop, 0.05);
		rc = l->over ? GOFER_OK : left_ms(x) ? wait_until(x, -1, 0, 0) : too_late(x);
	}
	if (!l->over)
		resolve_cancel(resolve);
	else if (!l->count)
		rc = error_set(x->error, GOFER_UNREACHABLE, "%s: %s", x->target->host, l->why.text);
	return rc;
}

static enum gofer_err look_up(struct exchange *x, struct lookup *l)
{
	struct loop *loop = loop_new(x->error);
	enum gofer_err rc = loop ? run_lookup(x, loop, l) : GOFER_FAILED;

	loop_free(loop);
	return rc;
}

/* 0: connected; else the errno. */
static int connection_status(int fd)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	int status = 0;
	socklen_t size = sizeof(status);

	if (poll(&writable, 1, 0) < 1)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &status, &size) ? errno : status;
}

/* Sets x->fd where it gets connected; else `*status` says why not. */
static enum gofer_err try_address(struct exchange *x, const struct resolved *to, uint64_t end_ms,
                                  int *status)
{
	int fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	enum gofer_err rc = GOFER_OK;

	*status =
		fd < 0 || connect(fd, (const struct sockaddr *)&to->address, to->size) ? errno : 0;
	if (*status == EINPROGRESS) {
		rc = wait_until(x, fd, POLLOUT, end_ms);
		*status = connection_status(fd);
	}
	if (!rc && !*status)
		x->fd = fd;
	else if (fd >= 0)
		close(fd);
	return rc;
}

static enum gofer_err connect_tcp(struct exchange *x)
{
	struct lookup l = {.count = 0};
	int status = 0;
	enum gofer_err rc = look_up(x, &l);

	for (size_t i = 0; !rc && i < l.count; i++) {
		uint64_t share = left_ms(x) / (l.count - i);

		rc = try_address(x, &l.addresses[i], clock_monotonic_ms() + share, &status);
		if (!rc && x->fd >= 0)
			return GOFER_OK;
	}
	if (rc)
		return rc;
	if (!left_ms(x))
		return too_late(x);
	return error_set(x->error, GOFER_UNREACHABLE,
	                 "no agent at %s port %u: %s; one listens there with enabled=1 in "
	                 "[management] of its agent.conf",
	                 x->target->host, x->target->port, strerror(status));
}

/* --- request and reply ------------------------------------------------------------------- */

static void print_request(struct buf *out, const char *name, const struct cJSON *args,
                          const struct cJSON *kwargs)
{
	buf_puts(out, "{\"args\": ");
	if (args)
		json_print(out, args);
	buf_puts(out, args ? ", \"kwargs\": " : "[], \"kwargs\": ");
	if (kwargs)
		json_print(out, kwargs);
	buf_puts(out, kwargs ? ", \"name\": " : "{}, \"name\": ");
	json_print_string(out, name, strlen(name));
	buf_puts(out, "}\n");
}

/* A peer that reads no further may have said why. */
static enum gofer_err send_request(const struct exchange *x, const struct buf *request)
{
	for (size_t sent = 0; sent < request->size;) {
		ssize_t n = send(x->fd, request->data + sent, request->size - sent, MSG_NOSIGNAL);
		enum gofer_err rc;

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET)
			return GOFER_OK;
		if (errno != EAGAIN && errno != EINTR)
			return error_errno(x->error, GOFER_IO, errno, "sending the request");
		rc = wait_for(x, POLLOUT);
		if (rc)
			return rc;
	}
	return GOFER_OK;
}

/* More of the reply; `*ended`: there is no more. */
static enum gofer_err read_piece(const struct exchange *x, struct buf *text, bool *ended)
{
	char *piece = buf_reserve(text, PIECE);
	enum gofer_err rc;
	ssize_t n;

	if (!piece)
		return error_set(x->error, GOFER_NOMEM, "out of memory");
	do {
		rc = wait_for(x, POLLIN);
		n = rc ? -1 : recv(x->fd, piece, PIECE, 0);
	} while (!rc && n < 0 && (errno == EAGAIN || errno == EINTR));
	if (rc)
		return rc;
	*ended = n <= 0;
	if (n > 0)
		buf_added(text, (size_t)n);
	return GOFER_OK;
}

static enum gofer_err read_reply(const struct exchange *x, struct buf *text)
{
	struct json_scan scan = JSON_SCAN_INIT;
	enum json_scan_state state = JSON_SCAN_MORE;
	bool ended = false;

	while (state == JSON_SCAN_MORE && !ended) {
		size_t before = text->size, used = 0;
		enum gofer_err rc = read_piece(x, text, &ended);

		if (rc)
			return rc;
		if (text->size > before)
			state = json_scan(&scan, text->data + before, text->size - before, &used);
		if (state == JSON_SCAN_MORE && text->size > REPLY_MAX)
			return error_set(x->error, GOFER_PROTOCOL,
			                 "the answer is longer than %zu bytes", REPLY_MAX);
		if (state == JSON_SCAN_DONE)
			buf_truncate(text, before + used);
	}
	if (!text->size)
		return error_set(x->error, GOFER_PROTOCOL,
		                 "the connection was closed without an answer");
	if (state == JSON_SCAN_DONE)
		return GOFER_OK;
	return error_set(x->error, GOFER_PROTOCOL, "this is no agent's answer%s: %.60s",
	                 state == JSON_SCAN_MORE ? ", or the end of it is missing" : "",
	                 buf_text(text));
}

static enum gofer_err decode_reply(const struct exchange *x, struct admin_reply *reply,
                                   const struct buf *text)
{
	struct error why = ERROR_NONE;

	reply->root = json_parse(text->data, text->size, &why);
	if (!reply->root)
		return error_set(x->error, why.code == GOFER_NOMEM ? GOFER_NOMEM : GOFER_PROTOCOL,
		                 "this is no agent's answer: %s", why.text);
	if (!json_integer(json_get(reply->root, "code"), &reply->code))
		return error_set(x->error, GOFER_PROTOCOL, "the answer has no code: %.60s",
		                 buf_text(text));
	reply->result = json_get(reply->root, "result");
	return GOFER_OK;
}

static enum gofer_err run(struct exchange *x, const struct buf *request, struct admin_reply *reply)
{
	struct buf text = BUF_INIT;
	enum gofer_err rc = x->target->socket ? connect_unix(x) : connect_tcp(x);

	if (!rc)
		rc = send_request(x, request);
	if (!rc)
		rc = read_reply(x, &text);
	if (!rc)
		rc = decode_reply(x, reply, &text);
	buf_release(&text);
	return rc;
}

enum gofer_err admin_request(const struct admin_target *target, const char *name,
                             const struct cJSON *args, const struct cJSON *kwargs,
                             struct admin_reply *reply, struct error *error)
{
	struct exchange x = {.target = target, .end_ms = UINT64_MAX, .error = error, .fd = -1};
	struct buf request = BUF_INIT;
	enum gofer_err rc;

	memset(reply, 0, sizeof(*reply));
	if (target->wait > 0 && target->wait < 1e9)
		x.end_ms = clock_monotonic_ms() + (uint64_t)ceil(target->wait * 1000);
	print_request(&request, name, args, kwargs);
	if (buf_ok(&request))
		rc = run(&x, &request, reply);
	else
		rc = error_set(error, GOFER_NOMEM, "out of memory");
	buf_release(&request);
	if (x.fd >= 0)
		close(x.fd);
	return rc;
}

void admin_reply_release(struct admin_reply *reply)
{
	cJSON_Delete(reply->root);
	memset(reply, 0, sizeof(*reply));
}
