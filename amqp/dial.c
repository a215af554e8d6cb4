/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/dial.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "amqp/resolve.h"

#define DIAL_STAGGER_S 0.25

enum dial_state { DIAL_IDLE, DIAL_RESOLVING, DIAL_CONNECTING, DIAL_CONNECTED };

struct dial;

struct dial_try {
	ev_io writable;
	struct dial *dial;
	int fd; /* -1: not tried yet, or failed */
};

struct dial {
	struct connector base;

	/* immutable */
	struct loop *loop;
	char *host;
	uint16_t port;

	enum dial_state state;
	connector_done *done;
	void *context;
	struct resolve *resolve;
	struct loop_timer *stagger;
	struct resolved addresses[RESOLVE_MAX];
	struct dial_try tries[RESOLVE_MAX];
	size_t count, next; /* addresses; the first that was not tried yet */
	struct error why;   /* of the try that failed first: the preferred address */
	int fd;             /* DIAL_CONNECTED: the socket, until it is attached */
};

static void end_try(struct dial *d, struct dial_try *try)
{
	if (try->fd < 0)
		return;
	ev_io_stop(loop_ev(d->loop), &try->writable);
	close(try->fd);
	try->fd = -1;
}

static bool is_trying(const struct dial *d)
{
	for (size_t i = 0; i < d->next; i++)
		if (d->tries[i].fd >= 0)
			return true;
	return false;
}

static void dial_stop(struct connector *k)
{
	struct dial *d = (struct dial *)k;

	resolve_cancel(d->resolve);
	d->resolve = NULL;
	loop_timer_stop(d->stagger);
	for (size_t i = 0; i < d->next; i++)
		end_try(d, &d->tries[i]);
	d->count = d->next = 0;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->state = DIAL_IDLE;
}

static void fail(struct dial *d, const struct error *why)
{
	struct error copy = *why;

	dial_stop(&d->base);
	d->done(d->context, &copy);
}

static void note_failure(struct dial *d, int errno_value)
{
	if (!d->why.code)
		error_set(&d->why, GOFER_UNREACHABLE, "%s", strerror(errno_value));
}

static void connected(struct dial *d, struct dial_try *try)
{
	int fd = try->fd;

	ev_io_stop(loop_ev(d->loop), &try->writable);
	try->fd = -1;
	dial_stop(&d->base);
	d->fd = fd;
	d->state = DIAL_CONNECTED;
	d->done(d->context, NULL);
}

static void try_next(struct dial *d);

static void on_writable(struct ev_loop *ev, ev_io *watcher, int revents)
{
	struct dial_try *try = watcher->data;
	struct dial *d = try->dial;
	int status = 0;
	socklen_t size = sizeof(status);

	(void)ev;
	(void)revents;
	if (getsockopt(try->fd, SOL_SOCKET, SO_ERROR, &status, &size))
		status = errno;
	if (!status) {
		connected(d, try);
		return;
	}
	note_failure(d, status);
	end_try(d, try);
	try_next(d);
}

/* Whether the address may still answer. */
static bool begin_try(struct dial *d, struct dial_try *try, const struct resolved *to)
{
	int fd = socket(to->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		note_failure(d, errno);
		return false;
	}
	if (connect(fd, (const struct sockaddr *)&to->address, to->size) && errno != EINPROGRESS &&
	    errno != EINTR) {
		note_failure(d, errno);
		close(fd);
		return false;
	}
	try->fd = fd;
	ev_io_init(&try->writable, on_writable, fd, EV_WRITE);
	try->writable.data = try;
	ev_io_start(loop_ev(d->loop), &try->writable);
	return true;
}

static void try_next(struct dial *d)
{
	bool begun = false;

	while (!begun && d->next < d->count) {
		begun = begin_try(d, &d->tries[d->next], &d->addresses[d->next]);
		d->next++;
	}
	if (!begun && !is_trying(d))
		fail(d, &d->why);
	else if (d->next < d->count)
		loop_timer_start(d->stagger, DIAL_STAGGER_S, 0);
	else
		loop_timer_stop(d->stagger);
}

static void on_stagger(void *context)
{
	try_next(context);
}

static void on_resolved(void *context, const struct resolved *addresses, size_t count,
                        const struct error *why)
{
	struct dial *d = context;

	d->resolve = NULL;
	if (why) {
		fail(d, why);
		return;
	}
	memcpy(d->addresses, addresses, count * sizeof(*addresses));
	d->count = count;
	d->state = DIAL_CONNECTING;
	try_next(d);
}

static enum gofer_err dial_start(struct connector *k, connector_done *done, void *context,
                                 struct error *error)
{
	struct dial *d = (struct dial *)k;
	static const struct error none = ERROR_NONE;

	dial_stop(k);
	d->why = none;
	d->done = done;
	d->context = context;
	d->resolve = resolve_start(d->loop, d->host, d->port, on_resolved, d, error);
	if (!d->resolve)
		return GOFER_FAILED;
	d->state = DIAL_RESOLVING;
	return GOFER_OK;
}

static enum gofer_err dial_attach(struct connector *k, struct driver *driver, struct error *error)
{
	struct dial *d = (struct dial *)k;
	int fd = d->fd;

	d->fd = -1;
	d->state = DIAL_IDLE;
	return driver_attach_socket(driver, fd, error);
}

static void dial_free(struct connector *k)
{
	struct dial *d = (struct dial *)k;

	dial_stop(k);
	loop_timer_free(d->stagger);
	free(d->host);
	free(d);
}

static const char *dial_stage(const struct connector *k)
{
	static const char *const stages[] = {
		[DIAL_IDLE] = "idle",
		[DIAL_RESOLVING] = "looking its name up",
		[DIAL_CONNECTING] = "connecting",
		[DIAL_CONNECTED] = "connected",
	};

	return stages[((const struct dial *)k)->state];
}

static const struct connector_ops dial_ops = {dial_start, dial_stop, dial_stage, dial_attach,
                                              dial_free};

struct connector *dial_new(struct loop *loop, const char *host, uint16_t port)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->base.ops = &dial_ops;
	d->loop = loop;
	d->port = port;
	d->fd = -1;
	for (size_t i = 0; i < RESOLVE_MAX; i++) {
		d->tries[i].dial = d;
		d->tries[i].fd = -1;
	}
	d->host = strdup(host);
	d->stagger = loop_timer_new(loop, on_stagger, d);
	if (d->host && d->stagger)
		return &d->base;
	loop_timer_free(d->stagger);
	free(d->host);
	free(d);
	return NULL;
}
