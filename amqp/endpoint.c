/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/endpoint.h"

#include <inttypes.h>
#include <stdio.h>

#include "amqp/sender.h"

enum gofer_err endpoint_make(struct endpoint *e, bool sender, const char *name, struct error *error)
{
	struct client *c = e->client;
	char unique[24];

	if (c->sessions >= c->sessions_max)
		return error_set(error, GOFER_FULL, "the broker allows %u sessions a connection",
		                 c->sessions_max);
	snprintf(unique, sizeof(unique), "%c%" PRIu64, sender ? 's' : 'r', ++c->links);
	e->session = pn_session(driver_connection(c->driver));
	if (!e->session)
		return error_set(error, GOFER_NOMEM, "out of memory");
	e->link = (sender ? pn_sender : pn_receiver)(e->session, name ? name : unique);
	if (!e->link) {
		pn_session_free(e->session);
		e->session = NULL;
		return error_set(error, GOFER_NOMEM, "out of memory");
	}
	pn_session_set_context(e->session, e);
	pn_link_set_context(e->link, e);
	if (sender)
		pn_link_set_snd_settle_mode(e->link, PN_SND_UNSETTLED);
	e->begun = e->open = false;
	c->sessions++;
	return GOFER_OK;
}

void endpoint_open(struct endpoint *e)
{
	pn_session_open(e->session);
	pn_link_open(e->link);
	driver_wake(e->client->driver);
}

/* Left to the engine, they would be settled without a word about what became of them. */
static void release_deliveries(pn_link_t *link)
{
	pn_delivery_t *d;

	while ((d = pn_unsettled_head(link))) {
		pn_delivery_update(d, PN_RELEASED);
		pn_delivery_settle(d);
	}
}

/* What a session's context says when it is no endpoint's any more. */
static char unanswered, answered, freed;

static struct endpoint *endpoint_of(pn_session_t *session)
{
	void *context = pn_session_get_context(session);

	return context == &unanswered || context == &answered || context == &freed ? NULL : context;
}

/* Frees a session that both sides have ended; no sooner, or what a peer may still do to it would find it
 * half gone in the engine. */
static void close_session(pn_session_t *session)
{
	pn_session_close(session);
	if (pn_session_get_context(session) == &freed ||
	    !(pn_session_state(session) & PN_REMOTE_CLOSED))
		return;
	pn_session_set_context(session, &freed);
	pn_session_free(session); /* and its link */
}

/* A session that the peer has ended is sent no more detach. */
static void bury(pn_session_t *session, pn_link_t *link)
{
	if (pn_link_is_receiver(link))
		release_deliveries(link);
	if (!(pn_session_state(session) & PN_REMOTE_CLOSED))
		pn_link_close(link);
	close_session(session);
}

static bool is_answered(pn_session_t *session, pn_link_t *link)
{
	return !(pn_link_state(link) & PN_REMOTE_UNINIT) ||
		pn_session_state(session) & PN_REMOTE_CLOSED;
}

void endpoint_lost(struct endpoint *e)
{
	if (!e->session)
		return;
	pn_session_set_context(e->session, e->begun ? &answered : &unanswered);
	pn_link_set_context(e->link, NULL);
	e->session = NULL;
	e->link = NULL;
	e->open = false;
}

void endpoint_close(struct endpoint *e)
{
	pn_session_t *session = e->session;
	pn_link_t *link = e->link;

	if (!session)
		return;
	endpoint_lost(e);
	if (is_answered(session, link))
		bury(session, link);
	driver_wake(e->client->driver);
}

/* Nobody's any more, but its answer was still to come. */
static bool is_abandoned(pn_session_t *session)
{
	return !endpoint_of(session) && pn_session_state(session) & PN_LOCAL_ACTIVE;
}

static void end(struct endpoint *e, pn_condition_t *condition)
{
	struct error why;
	enum condition_kind kind =
		condition_error(condition, "detached by the broker, which does not say why", &why);

	endpoint_close(e);
	e->ops->on_end(e, kind, &why);
}

/* An attach is refused by answering it without the terminus that was asked for; why comes with the
 * detach that follows. */
static bool is_refusal(pn_link_t *link)
{
	pn_terminus_t *remote = pn_link_is_receiver(link) ? pn_link_remote_source(link)
							  : pn_link_remote_target(link);

	return pn_terminus_get_type(remote) == PN_UNSPECIFIED;
}

/* Proton takes a second answer to a begin, and then frees the session too early: it must not come to
 * that. */
static void on_session_open(struct client *c, pn_session_t *session)
{
	struct endpoint *e = endpoint_of(session);

	if (pn_session_state(session) & PN_LOCAL_UNINIT)
		client_violation(c, "it began a session of its own");
	else if (e ? e->begun : pn_session_get_context(session) == &answered)
		client_violation(c, "it answered a begin twice");
	else if (e)
		e->begun = true;
	else
		pn_session_set_context(session, &answered);
}

static void on_session_end(pn_session_t *session)
{
	struct endpoint *e = endpoint_of(session);

	if (e)
		end(e, pn_session_remote_condition(session));
	else
		close_session(session);
}

/* Both ends of it are gone, and its channel is free: no sooner may the next session have it. */
static void on_session_final(struct client *c)
{
	if (c->sessions)
		c->sessions--;
	sender_room(c->sender);
}

static void on_link_open(struct client *c, pn_link_t *link)
{
	pn_session_t *session = pn_link_session(link);
	struct endpoint *e = pn_link_get_context(link);

	if (pn_link_state(link) & PN_LOCAL_UNINIT) {
		client_violation(c, "it attached a link of its own");
	} else if (!e) {
		if (is_abandoned(session))
			bury(session, link);
	} else if (!is_refusal(link)) {
		e->open = true;
		e->ops->on_open(e);
	}
}

static void on_link_end(pn_link_t *link)
{
	struct endpoint *e = pn_link_get_context(link);

	if (e)
		end(e, pn_link_remote_condition(link));
}

static void on_link_flow(pn_link_t *link)
{
	struct endpoint *e = pn_link_get_context(link);

	if (e && e->open && e->ops->on_flow)
		e->ops->on_flow(e);
}

static void on_delivery(struct client *c, pn_event_t *event)
{
	struct endpoint *e = pn_link_get_context(pn_event_link(event));

	if (e && e->open)
		e->ops->on_delivery(e, pn_event_delivery(event));
	else if (e)
		client_violation(c, "it sent a message on a link that it had refused");
}

void endpoint_event(struct client *c, pn_event_t *event)
{
	switch (pn_event_type(event)) {
	case PN_SESSION_REMOTE_OPEN: on_session_open(c, pn_event_session(event)); break;
	case PN_SESSION_REMOTE_CLOSE: on_session_end(pn_event_session(event)); break;
	case PN_SESSION_FINAL: on_session_final(c); break;
	case PN_LINK_REMOTE_OPEN: on_link_open(c, pn_event_link(event)); break;
	case PN_LINK_REMOTE_CLOSE:
	case PN_LINK_REMOTE_DETACH: on_link_end(pn_event_link(event)); break;
	case PN_LINK_FLOW: on_link_flow(pn_event_link(event)); break;
	case PN_DELIVERY: on_delivery(c, event); break;
	default: break;
	}
}

ssize_t endpoint_arrived(struct endpoint *e, pn_delivery_t *delivery)
{
	if (!pn_delivery_readable(delivery))
		return -1;
	if (pn_link_credit(e->link) <= 0) {
		client_violation(e->client, "it sent a message without credit");
		return -1;
	}
	if (pn_delivery_aborted(delivery)) {
		pn_delivery_settle(delivery);
		pn_link_flow(e->link, 1);
		return -1;
	}
	if (pn_delivery_pending(delivery) > CLIENT_MESSAGE_MAX) {
		client_violation(e->client, "it sent a message of more than 64 MiB");
		return -1;
	}
	return pn_delivery_partial(delivery) ? -1 : (ssize_t)pn_delivery_pending(delivery);
}

bool endpoint_read(struct endpoint *e, char *bytes, size_t size)
{
	bool whole = !size || pn_link_recv(e->link, bytes, size) == (ssize_t)size;

	pn_link_advance(e->link);
	return whole;
}
