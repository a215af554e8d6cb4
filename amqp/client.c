/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/client.h"

#include <stdlib.h>
#include <string.h>

#include "amqp/condition.h"
#include "amqp/endpoint.h"
#include "amqp/opening.h"
#include "amqp/qmf.h"
#include "amqp/sender.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/uuid.h"

#define HEARTBEAT_S 10.0
/* RabbitMQ beats no faster than once a second, at half of what is advertised, which is half of ours. */
#define HEARTBEAT_LEAST_S 4.0
#define TIMEOUT_S 10.0
/* A connection that lasted this long was no failure: the next wait is a first one again. */
#define LASTING_MS 5000
/* Of the second that a close may take, the part in which what was sent is waited for. */
#define FLUSH_S 0.6
#define CLOSE_S 0.4

static const struct driver_handler driver_handler;

/* --- holding on -------------------------------------------------------------------------- */

static void reap(struct client *c)
{
	if (!c->freed || c->busy || c->deferred)
		return;
	url_release(&c->url);
	tls_free(c->tls);
	free(c->peer);
	free(c->container);
	free(c->product);
	free(c);
}

void client_enter(struct client *c)
{
	c->busy++;
}

void client_leave(struct client *c)
{
	c->busy--;
	reap(c);
}

static void on_task(struct loop_task *task)
{
	struct client *c = (struct client *)((char *)task - offsetof(struct client, task));

	c->deferred = false;
	client_enter(c);
	if (!c->freed)
		sender_report(c->sender);
	client_leave(c);
}

void client_defer(struct client *c)
{
	if (c->deferred)
		return;
	c->deferred = true;
	loop_defer(c->loop, &c->task);
}

/* --- the way down ------------------------------------------------------------------------ */

static void over(struct client *c)
{
	c->state = CLIENT_OVER;
	if (c->closed && c->events->on_closed)
		c->events->on_closed(&c->base, c->context);
}

static void disconnect(struct client *c)
{
	c->connector->ops->stop(c->connector);
	loop_timer_stop(c->timer);
	client_receivers_lost(c);
	qmf_lost(c->qmf);
	sender_lost(c->sender);
	driver_free(c->driver);
	c->driver = NULL;
	c->sessions = 0;
}

static void idle(struct client *c)
{
	c->state = CLIENT_IDLE;
	loop_timer_start(c->timer, 0, 0);
}

static double retry_delay(struct client *c, const struct error *why)
{
	if (!c->persistent)
		return -1;
	if (c->up_since_ms && clock_monotonic_ms() - c->up_since_ms >= LASTING_MS)
		backoff_reset(&c->backoff);
	return why->code == GOFER_AUTH ? backoff_next_long(&c->backoff) : backoff_next(&c->backoff);
}

static void forget_vhost_retry(struct client *c)
{
	c->refusal.code = GOFER_OK;
	if (c->vhost_retried)
		c->vhost_prefixed = false;
	c->vhost_retried = false;
}

/* Down, with `why` for people. May free the client's contents: the user is called. */
static void down(struct client *c, const struct error *why)
{
	struct error copy = *why;
	double delay;

	disconnect(c);
	if (c->closed) {
		over(c);
		return;
	}
	delay = retry_delay(c, &copy);
	c->up_since_ms = 0;
	forget_vhost_retry(c);
	c->state = delay < 0 ? CLIENT_OVER : CLIENT_BACKOFF;
	if (delay >= 0)
		loop_timer_start(c->timer, delay, 0);
	c->events->on_down(&c->base, &copy, delay, c->context);
	if (!c->freed && !c->closed)
		client_receivers_report(c, &copy);
	if (!c->freed && !c->closed && c->state == CLIENT_OVER)
		sender_give_up(c->sender, &copy);
}

/* The virtual host is spelt in two ways, and which one is right shows too late: RabbitMQ alone wants
 * "vhost:NAME" for the open frame's hostname and tells only afterwards that it is RabbitMQ, all others
 * want NAME. So NAME goes first. The other one follows at once where the answer is from RabbitMQ (which
 * has then given us its default host), or where an authenticated connection is refused. */
static bool respell_vhost(struct client *c)
{
	if (!c->url.vhost || c->vhost_retried || c->closed)
		return false;
	c->vhost_retried = true;
	c->vhost_prefixed = !c->vhost_prefixed;
	return true;
}

static bool was_refused_late(struct client *c)
{
	return c->state == CLIENT_OPENING &&
		pn_transport_is_authenticated(driver_transport(c->driver));
}

static void lost(struct client *c, const struct error *why)
{
	struct error final = c->why.code ? c->why : *why;

	if (!final.code)
		error_set(&final, GOFER_UNREACHABLE, "the broker closed the connection");
	if (c->broken)
		error_prefix(&final, "the broker broke the protocol");
	if (final.code == GOFER_IO && c->state != CLIENT_UP)
		final.code = GOFER_UNREACHABLE;
	if (c->tls)
		tls_explain(c->tls, &final);
	error_prefix(&final, "%s", c->peer);
	if (was_refused_late(c) && respell_vhost(c)) {
		c->refusal = final;
		disconnect(c);
		idle(c);
		return;
	}
	down(c, c->refusal.code ? &c->refusal : &final);
}

static void on_closed(struct driver *d, const struct error *why, void *context)
{
	struct client *c = context;

	(void)d;
	client_enter(c);
	lost(c, why);
	client_leave(c);
}

void client_violation(struct client *c, const char *what)
{
	c->broken = true;
	driver_abort(c->driver, GOFER_PROTOCOL, what);
}

/* --- the way up -------------------------------------------------------------------------- */

static enum gofer_err open_driver(struct client *c, struct error *error)
{
	c->broken = false;
	c->driver = driver_new(c->loop, false, &driver_handler, c);
	if (!c->driver)
		return error_set(error, GOFER_NOMEM, "out of memory");
	if (opening_ours(c, c->driver, error))
		return GOFER_FAILED;
	return c->connector->ops->attach(c->connector, c->driver, error);
}

static void fail_attempt(struct client *c, const struct error *why)
{
	struct error prefixed = *why;

	error_prefix(&prefixed, "%s", c->peer);
	down(c, &prefixed);
}

static void on_reached(void *context, const struct error *why)
{
	struct client *c = context;
	struct error error = ERROR_NONE;

	client_enter(c);
	c->state = CLIENT_OPENING;
	if (why)
		fail_attempt(c, why);
	else if (open_driver(c, &error))
		fail_attempt(c, &error);
	client_leave(c);
}

static void begin_attempt(struct client *c)
{
	static const struct error none = ERROR_NONE;
	struct error error = ERROR_NONE;

	c->why = none;
	c->state = CLIENT_REACHING;
	loop_timer_start(c->timer, c->timeout_s, 0);
	if (c->connector->ops->start(c->connector, on_reached, c, &error))
		fail_attempt(c, &error);
}

/* --- what the peer says of itself -------------------------------------------------------- */

static void up(struct client *c)
{
	c->state = CLIENT_UP;
	c->up_since_ms = clock_monotonic_ms();
	c->vhost_retried = false; /* as it was spelt this time, from now on */
	c->sessions_max = pn_transport_get_channel_max(driver_transport(c->driver)) + 1u;
	loop_timer_stop(c->timer);
	log_debug("amqp", "%s: connected to %s", c->peer, *c->product ? c->product : "a broker");
	client_receivers_up(c);
	sender_up(c->sender);
	if (c->events->on_up)
		c->events->on_up(&c->base, c->context);
}

static void on_remote_open(struct client *c, pn_connection_t *connection)
{
	if (c->state != CLIENT_OPENING || opening_is_refusal(connection))
		return;
	free(c->product);
	c->product = opening_property(connection, "product");
	if (!c->product) {
		driver_abort(c->driver, GOFER_NOMEM, "out of memory");
		return;
	}
	c->dialect = dialect_find(c->product);
	if (c->dialect->vhost_prefix != c->vhost_prefixed && respell_vhost(c)) {
		disconnect(c);
		idle(c);
		return;
	}
	c->relay = c->dialect->relay && opening_offers(connection, "ANONYMOUS-RELAY");
	up(c);
}

static void on_remote_close(struct client *c, pn_connection_t *connection)
{
	pn_condition_t *condition = pn_connection_remote_condition(connection);

	if (!c->why.code && pn_condition_is_set(condition))
		condition_error(condition, "", &c->why);
	pn_connection_close(connection);
	driver_wake(c->driver);
}

static void on_event(struct driver *d, pn_event_t *event, void *context)
{
	struct client *c = context;

	if (c->broken)
		return;
	client_enter(c);
	switch (pn_event_type(event)) {
	case PN_CONNECTION_REMOTE_OPEN: on_remote_open(c, driver_connection(d)); break;
	case PN_CONNECTION_REMOTE_CLOSE: on_remote_close(c, driver_connection(d)); break;
	default: endpoint_event(c, event); break;
	}
	client_leave(c);
}

static const struct driver_handler driver_handler = {on_event, on_closed};

/* --- closing ----------------------------------------------------------------------------- */

static void close_frames(struct client *c)
{
	c->state = CLIENT_CLOSING;
	sender_lost(c->sender);
	pn_connection_close(driver_connection(c->driver));
	driver_wake(c->driver);
	loop_timer_start(c->timer, CLOSE_S, 0);
}

void client_flushed(struct client *c)
{
	if (c->state == CLIENT_FLUSHING)
		close_frames(c);
}

static void client_close(struct connection *base)
{
	struct client *c = client_of(base);

	if (c->closed)
		return;
	c->closed = true;
	if (c->state == CLIENT_UP) {
		client_receivers_detach(c);
		c->state = CLIENT_FLUSHING;
		loop_timer_start(c->timer, FLUSH_S, 0);
		if (sender_is_idle(c->sender))
			close_frames(c);
		return;
	}
	disconnect(c);
	c->state = CLIENT_CLOSING;
	loop_timer_start(c->timer, 0, 0);
}

static void client_free(struct connection *base)
{
	struct client *c = client_of(base);

	c->freed = true;
	client_receivers_free(c);
	qmf_free(c->qmf);
	sender_free(c->sender);
	driver_free(c->driver);
	c->driver = NULL;
	c->connector->ops->free(c->connector);
	loop_timer_free(c->timer);
	reap(c);
}

/* --- the timer --------------------------------------------------------------------------- */

static void time_out(struct client *c)
{
	const char *stage = c->state == CLIENT_REACHING
		? c->connector->ops->stage(c->connector)
		: "waiting for its answer: is it an AMQP port?";
	struct error why;

	error_set(&why, GOFER_TIMEOUT, "not connected within %.3g s (%s)", c->timeout_s, stage);
	fail_attempt(c, &why);
}

static void close_timed_out(struct client *c)
{
	disconnect(c);
	over(c);
}

static void on_timer(void *context)
{
	struct client *c = context;

	client_enter(c);
	switch (c->state) {
	case CLIENT_IDLE:
	case CLIENT_BACKOFF: begin_attempt(c); break;
	case CLIENT_REACHING:
	case CLIENT_OPENING: time_out(c); break;
	case CLIENT_FLUSHING: close_frames(c); break;
	case CLIENT_CLOSING: close_timed_out(c); break;
	case CLIENT_UP:
	case CLIENT_OVER: break;
	}
	client_leave(c);
}

/* --- making one -------------------------------------------------------------------------- */

static bool client_is_up(const struct connection *base)
{
	return ((const struct client *)base)->state == CLIENT_UP;
}

static const char *client_product(const struct connection *base)
{
	return ((const struct client *)base)->product;
}

static enum message_body client_request_body(const struct connection *base)
{
	return ((const struct client *)base)->dialect->request_body;
}

static enum gofer_err client_send(struct connection *base, const struct send_options *options)
{
	struct client *c = client_of(base);

	if (c->closed || c->state == CLIENT_OVER)
		return GOFER_CANCELLED;
	return sender_send(c->sender, options);
}

static const struct connection_ops client_ops = {
	.close = client_close,
	.free = client_free,
	.is_up = client_is_up,
	.product = client_product,
	.request_body = client_request_body,
	.send = client_send,
	.receiver_open = client_receiver_open,
	.receiver_credit = client_receiver_credit,
	.receiver_close = client_receiver_close,
	.delivery_settle = client_delivery_settle,
};

static char *peer_name(const struct url *url)
{
	struct buf name = BUF_INIT;

	buf_printf(&name, strchr(url->host, ':') ? "[%s]:%u" : "%s:%u", url->host, url->port);
	if (url->vhost)
		buf_printf(&name, "/%s", url->vhost);
	return buf_take(&name, NULL);
}

static char *fresh_container(void)
{
	char id[UUID_TEXT_SIZE];

	uuid_generate(id);
	return strdup(id);
}

static enum gofer_err make_tls(struct client *c, const struct connection_options *options,
                               struct error *error)
{
	struct tls_options tls = {
		.host = c->url.host,
		.cacert = options->cacert,
		.clientcert = options->clientcert,
		.clientkey = options->clientkey,
		.no_host_validation = options->no_host_validation,
	};

	if (!c->url.tls)
		return GOFER_OK;
	c->tls = tls_new(&tls, error);
	return c->tls ? GOFER_OK : GOFER_INVALID;
}

static void set_times(struct client *c, const struct connection_options *options)
{
	c->heartbeat_s = options->heartbeat_s > 0 ? options->heartbeat_s : HEARTBEAT_S;
	if (c->heartbeat_s < HEARTBEAT_LEAST_S)
		c->heartbeat_s = HEARTBEAT_LEAST_S;
	c->timeout_s = options->connect_timeout_s > 0 ? options->connect_timeout_s : TIMEOUT_S;
	c->backoff = (struct backoff){.first_s = 0.5, .limit_s = 60};
}

struct connection *client_new(struct loop *loop, const struct connection_options *options,
                              struct connector *connector, const struct connection_events *events,
                              void *context, struct error *error)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c) {
		error_set(error, GOFER_NOMEM, "out of memory");
		connector->ops->free(connector);
		return NULL;
	}
	c->base.ops = &client_ops;
	c->loop = loop;
	c->connector = connector;
	c->events = events;
	c->context = context;
	c->persistent = options->persistent;
	c->fresh_container = !options->container_id;
	c->task.run = on_task;
	c->dialect = dialect_find("");
	set_times(c, options);
	if (url_copy(&c->url, options->url) || !(c->peer = peer_name(&c->url)) ||
	    !(c->container =
	              options->container_id ? strdup(options->container_id) : fresh_container()) ||
	    !(c->product = strdup("")) || !(c->timer = loop_timer_new(loop, on_timer, c)) ||
	    !(c->sender = sender_new(c)) || !(c->qmf = qmf_new(c))) {
		error_set(error, GOFER_NOMEM, "out of memory");
		goto fail;
	}
	if (make_tls(c, options, error))
		goto fail;
	idle(c);
	return &c->base;
fail:
	client_free(&c->base);
	return NULL;
}
