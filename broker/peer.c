/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/peer.h"

#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/event.h>
#include <proton/session.h>
#include <stdlib.h>
#include <string.h>

#include "broker/link.h"
#include "core/clock.h"
#include "core/log.h"

#define SESSIONS_MAX 256       /* of a peer */
#define SESSION_LINKS_MAX 1024 /* of a session */
#define LINKS_MAX 4096         /* of a peer */
#define GREETING_MS 10000      /* from connecting to the open frame */
#define CLOSING_MS 1000        /* from our close frame to the peer's */
#define WATCH_S 0.5

/* --- those that must get on ------------------------------------------------------------- */

static void hurry(struct peer *p, uint64_t within_ms)
{
	struct server *s = p->server;

	if (p->deadline_ms)
		TAILQ_REMOVE(&s->hurried, p, hurry);
	if (TAILQ_EMPTY(&s->hurried))
		loop_timer_start(s->watch, WATCH_S, WATCH_S);
	p->deadline_ms = clock_monotonic_ms() + within_ms;
	TAILQ_INSERT_TAIL(&s->hurried, p, hurry);
}

static void stop_hurrying(struct peer *p)
{
	if (!p->deadline_ms)
		return;
	p->deadline_ms = 0;
	TAILQ_REMOVE(&p->server->hurried, p, hurry);
}

static void on_watch(void *context)
{
	struct server *s = context;
	uint64_t now = clock_monotonic_ms();
	struct peer *p, *next;

	for (p = TAILQ_FIRST(&s->hurried); p; p = next) {
		next = TAILQ_NEXT(p, hurry);
		if (p->deadline_ms > now)
			continue;
		stop_hurrying(p);
		driver_abort(p->driver, GOFER_TIMEOUT,
		             p->closing ? "no answer to the close frame" : "no open frame in time");
	}
	if (TAILQ_EMPTY(&s->hurried))
		loop_timer_stop(s->watch);
}

/* --- what proton tells ------------------------------------------------------------------ */

static void put_text(pn_data_t *data, const char *key, const char *value)
{
	pn_data_put_symbol(data, pn_bytes(strlen(key), key));
	pn_data_put_string(data, pn_bytes(strlen(value), value));
}

static void describe(pn_connection_t *c)
{
	static const char relay[] = "ANONYMOUS-RELAY";
	pn_data_t *offered = pn_connection_offered_capabilities(c);
	pn_data_t *properties = pn_connection_properties(c);

	pn_data_put_array(offered, false, PN_SYMBOL);
	pn_data_enter(offered);
	pn_data_put_symbol(offered, pn_bytes(sizeof(relay) - 1, relay));
	pn_data_exit(offered);
	pn_data_put_map(properties);
	pn_data_enter(properties);
	put_text(properties, "product", "gofer");
	put_text(properties, "version", GOFER_VERSION);
	pn_data_exit(properties);
}

static void on_connection_open(struct peer *p, pn_event_t *event)
{
	pn_connection_t *c = pn_event_connection(event);

	stop_hurrying(p);
	log_debug("broker", "%s: open, container %s", p->name, pn_connection_remote_container(c));
	describe(c);
	pn_connection_set_container(c, p->server->container);
	pn_connection_open(c);
}

static void on_session_open(struct peer *p, pn_event_t *event)
{
	(void)p;
	pn_session_open(pn_event_session(event));
}

/* Counts the links that proton keeps until the peer has detached them, refused ones too: a
 * session's in its context. */
static bool count_link(struct peer *p, pn_link_t *pn)
{
	pn_session_t *session = pn_link_session(pn);
	uintptr_t count = (uintptr_t)pn_session_get_context(session) + 1;

	p->links_count++;
	pn_session_set_context(session, (void *)count);
	return count <= SESSION_LINKS_MAX && p->links_count <= LINKS_MAX;
}

static void uncount_link(struct peer *p, pn_link_t *pn)
{
	pn_session_t *session = pn_link_session(pn);

	p->links_count--;
	pn_session_set_context(session, (void *)((uintptr_t)pn_session_get_context(session) - 1));
}

static void on_link_open(struct peer *p, pn_event_t *event)
{
	pn_link_t *pn = pn_event_link(event);

	if (!count_link(p, pn))
		peer_close(p, "amqp:resource-limit-exceeded", "too many links");
	else if (pn_link_is_sender(pn))
		link_out_open(p, pn);
	else
		link_in_open(p, pn);
}

/* A link without a context was refused, or detached from here: it waits for the peer's answer. */
static void on_link_flow(struct peer *p, pn_event_t *event)
{
	struct link *l = pn_link_get_context(pn_event_link(event));

	if (l)
		l->ops->on_flow(l);
	if (LIST_FIRST(&p->choked))
		link_out_unchoke(p);
}

static void on_delivery(struct peer *p, pn_event_t *event)
{
	pn_delivery_t *delivery = pn_event_delivery(event);
	struct link *l = pn_link_get_context(pn_delivery_link(delivery));

	(void)p;
	if (l)
		l->ops->on_delivery(l, delivery);
	else
		pn_delivery_settle(delivery);
}

static void on_link_close(struct peer *p, pn_event_t *event)
{
	pn_link_t *pn = pn_event_link(event);
	struct link *l = pn_link_get_context(pn);

	if (l)
		link_detach(l, NULL, NULL);
	uncount_link(p, pn);
}

static void on_link_detach(struct peer *p, pn_event_t *event)
{
	if (pn_link_get_context(pn_event_link(event)))
		pn_link_detach(pn_event_link(event));
	on_link_close(p, event);
}

static struct link *first_link(const struct peer *p, const pn_session_t *session)
{
	struct link *l = LIST_FIRST(&p->links);

	while (session && l && pn_link_session(l->pn) != session)
		l = LIST_NEXT(l, entry);
	return l;
}

/* A link may take others with it, those on its dynamic queue: so it is always the first that
 * goes. */
static void drop_links(struct peer *p, const pn_session_t *session)
{
	struct link *l;

	while ((l = first_link(p, session)))
		link_detach(l, NULL, NULL);
}

static void on_session_close(struct peer *p, pn_event_t *event)
{
	pn_session_t *session = pn_event_session(event);

	drop_links(p, session);
	p->links_count -= (uintptr_t)pn_session_get_context(session);
	pn_session_close(session);
	pn_session_free(session);
}

static void on_connection_close(struct peer *p, pn_event_t *event)
{
	p->closing = true;
	drop_links(p, NULL);
	pn_connection_close(pn_event_connection(event));
	hurry(p, CLOSING_MS);
}

static void (*const handlers[])(struct peer *p, pn_event_t *event) = {
	[PN_CONNECTION_REMOTE_OPEN] = on_connection_open,
	[PN_CONNECTION_REMOTE_CLOSE] = on_connection_close,
	[PN_SESSION_REMOTE_OPEN] = on_session_open,
	[PN_SESSION_REMOTE_CLOSE] = on_session_close,
	[PN_LINK_REMOTE_OPEN] = on_link_open,
	[PN_LINK_REMOTE_DETACH] = on_link_detach,
	[PN_LINK_REMOTE_CLOSE] = on_link_close,
	[PN_LINK_FLOW] = on_link_flow,
	[PN_DELIVERY] = on_delivery,
};

static void on_event(struct driver *d, pn_event_t *event, void *context)
{
	struct peer *p = context;
	unsigned type = pn_event_type(event);

	(void)d;
	if (type < sizeof(handlers) / sizeof(handlers[0]) && handlers[type] && !p->closing)
		handlers[type](p, event);
}

/* --- life ------------------------------------------------------------------------------- */

static void peer_free(struct peer *p)
{
	stop_hurrying(p);
	drop_links(p, NULL);
	TAILQ_REMOVE(&p->server->peers, p, entry);
	p->server->peers_count--;
	driver_free(p->driver);
	free(p->name);
	free(p);
}

static void on_closed(struct driver *d, const struct error *why, void *context)
{
	struct peer *p = context;

	(void)d;
	if (why->code == GOFER_AUTH || why->code == GOFER_PROTOCOL || why->code == GOFER_TIMEOUT)
		log_info("broker", "%s: %s", p->name, why->text);
	else
		log_debug("broker", "%s: %s", p->name, why->code ? why->text : "closed");
	peer_free(p);
}

static const struct driver_handler handler = {on_event, on_closed};

static void on_login(void *context)
{
	peer_wake(context);
}

static enum gofer_err set_up(struct peer *p, bool tls, struct error *error)
{
	pn_transport_t *transport = driver_transport(p->driver);

	pn_transport_set_idle_timeout(transport, p->server->idle_timeout_ms);
	pn_transport_set_channel_max(transport, SESSIONS_MAX - 1);
	if (tls && pn_ssl_init(pn_ssl(transport), p->server->tls, NULL))
		return error_set(error, GOFER_FAILED, "TLS can't be set up");
	if (sasl_serve(p->server->sasl, transport, on_login, p))
		return error_set(error, GOFER_NOMEM, "out of memory");
	return GOFER_OK;
}

struct peer *peer_new(struct server *s, bool tls, struct error *error)
{
	struct peer *p = NULL;

	if (s->peers_count >= s->peers_max) {
		error_set(error, GOFER_FULL, "%zu connections are open already", s->peers_count);
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (p)
		p->name = strdup("");
	if (p && p->name)
		p->driver = driver_new(s->hub->loop, true, &handler, p);
	if (!p || !p->driver) {
		error_set(error, GOFER_NOMEM, "out of memory");
		goto failed;
	}
	p->server = s;
	LIST_INIT(&p->links);
	LIST_INIT(&p->choked);
	if (set_up(p, tls, error))
		goto failed;
	TAILQ_INSERT_TAIL(&s->peers, p, entry);
	s->peers_count++;
	hurry(p, GREETING_MS);
	return p;

failed:
	if (p) {
		driver_free(p->driver);
		free(p->name);
	}
	free(p);
	return NULL;
}

struct driver *peer_driver(struct peer *p)
{
	return p->driver;
}

void peer_set_name(struct peer *p, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return;
	free(p->name);
	p->name = copy;
}

void peer_close(struct peer *p, const char *condition, const char *text)
{
	pn_connection_t *c = driver_connection(p->driver);

	if (p->closing)
		return;
	p->closing = true;
	log_info("broker", "%s: closing: %s", p->name, text);
	drop_links(p, NULL);
	pn_condition_set_name(pn_connection_condition(c), condition);
	pn_condition_set_description(pn_connection_condition(c), text);
	pn_connection_open(c);
	pn_connection_close(c);
	hurry(p, CLOSING_MS);
	peer_wake(p);
}

enum gofer_err server_init(struct server *s)
{
	TAILQ_INIT(&s->peers);
	TAILQ_INIT(&s->hurried);
	s->peers_count = 0;
	s->watch = loop_timer_new(s->hub->loop, on_watch, s);
	return s->watch ? GOFER_OK : GOFER_NOMEM;
}

void server_close(struct server *s)
{
	struct peer *p;

	TAILQ_FOREACH(p, &s->peers, entry)
	peer_close(p, "amqp:connection:forced", "the broker is stopping");
}

void server_release(struct server *s)
{
	struct peer *p;

	while ((p = TAILQ_FIRST(&s->peers)))
		peer_free(p);
	loop_timer_free(s->watch);
	s->watch = NULL;
}
