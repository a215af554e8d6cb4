/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker.h"

#include <stdlib.h>
#include <string.h>

#include "broker/hub.h"
#include "broker/listen.h"
#include "broker/local.h"
#include "broker/peer.h"
#include "broker/sasl.h"
#include "broker/users.h"
#include "core/log.h"
#include "core/uuid.h"

#define QUEUE_MESSAGES 100000
#define QUEUE_BYTES ((size_t)256 << 20)
#define MESSAGE_BYTES ((size_t)16 << 20)
#define CONNECTIONS 10000
#define IDLE_TIMEOUT_S 30.0

struct broker {
	struct loop *loop;
	struct hub hub;
	struct server server;
	struct users *users;
	struct sasl *sasl;
	pn_ssl_domain_t *tls;
	struct listener_list listeners;
	struct local_list locals;
	char container[sizeof("gofer-") + UUID_TEXT_SIZE];
	uint16_t port;
	bool has_hub, has_server, closed;
};

static size_t or_default(size_t value, size_t otherwise)
{
	return value ? value : otherwise;
}

static enum gofer_err load_certificate(struct broker *b, const struct broker_options *o,
                                       struct error *error)
{
	if (!o->cert && !o->key)
		return GOFER_OK;
	if (!o->cert || !o->key)
		return error_set(error, GOFER_INVALID,
		                 "TLS needs both a certificate and its key, here is only the %s",
		                 o->cert ? "certificate" : "key");
	b->tls = pn_ssl_domain(PN_SSL_MODE_SERVER);
	if (!b->tls)
		return error_set(error, GOFER_NOMEM, "out of memory");
	if (pn_ssl_domain_set_credentials(b->tls, o->cert, o->key, NULL))
		return error_set(
			error, GOFER_INVALID,
			"certificate %s and key %s can't be used: not readable, not PEM, or "
			"they do not belong together",
			o->cert, o->key);
	if (pn_ssl_domain_set_peer_authentication(b->tls, PN_SSL_ANONYMOUS_PEER, NULL))
		return error_set(error, GOFER_FAILED, "TLS can't be set up");
	return GOFER_OK;
}

static enum gofer_err load_users(struct broker *b, const struct broker_options *o,
                                 struct error *error)
{
	if (o->users) {
		b->users = users_load(o->users, error);
		if (!b->users)
			return GOFER_FAILED;
	}
	b->sasl = sasl_new(b->loop, b->users, o->allow_anonymous);
	return b->sasl ? GOFER_OK : error_set(error, GOFER_NOMEM, "out of memory");
}

static enum gofer_err start_server(struct broker *b, const struct broker_options *o,
                                   struct error *error)
{
	double idle_s = o->idle_timeout_s > 0 ? o->idle_timeout_s : IDLE_TIMEOUT_S;

	b->has_hub = true;
	if (hub_init(&b->hub, b->loop, or_default(o->queue_messages, QUEUE_MESSAGES),
	             or_default(o->queue_bytes, QUEUE_BYTES),
	             or_default(o->message_bytes, MESSAGE_BYTES)))
		return error_set(error, GOFER_NOMEM, "out of memory");
	b->server.hub = &b->hub;
	b->server.sasl = b->sasl;
	b->server.tls = b->tls;
	b->server.container = b->container;
	b->server.peers_max = or_default(o->connections, CONNECTIONS);
	b->server.idle_timeout_ms = (unsigned)(idle_s * 1000);
	b->has_server = true;
	if (server_init(&b->server))
		return error_set(error, GOFER_NOMEM, "out of memory");
	return GOFER_OK;
}

struct broker *broker_new(struct loop *loop, const struct broker_options *options,
                          struct error *error)
{
	struct broker *b = calloc(1, sizeof(*b));

	if (!b) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	b->loop = loop;
	LIST_INIT(&b->listeners);
	LIST_INIT(&b->locals);
	strcpy(b->container, "gofer-");
	uuid_generate(b->container + strlen(b->container));
	if (load_users(b, options, error) || load_certificate(b, options, error) ||
	    start_server(b, options, error)) {
		broker_free(b);
		return NULL;
	}
	return b;
}

static enum gofer_err check_exposure(const struct broker *b, const struct url *url,
                                     struct error *error)
{
	if (url->tls && !b->tls)
		return error_set(error, GOFER_INVALID,
		                 "amqps://%s:%u needs a certificate and its key", url->host,
		                 url->port);
	if (url_is_loopback(url) || url->tls || b->users)
		return GOFER_OK;
	return error_set(error, GOFER_AUTH,
	                 "listening on %s, where others can reach it, needs a users file or TLS "
	                 "(amqps:// with a certificate and its key)",
	                 url->host);
}

enum gofer_err broker_listen(struct broker *b, const struct url *url, struct error *error)
{
	enum gofer_err err = check_exposure(b, url, error);
	const char *format;

	if (err)
		return err;
	if (b->closed)
		return error_set(error, GOFER_CANCELLED, "the broker is closed");
	err = listen_on(&b->listeners, &b->server, url, &b->port, error);
	if (err) {
		error_prefix(error, "%s:%u", url->host, url->port);
		return err;
	}
	format = strchr(url->host, ':') ? "listening on %s://[%s]:%u" : "listening on %s://%s:%u";
	log_write("broker", LOG_LEVEL_INFO, format, url->tls ? "amqps" : "amqp", url->host,
	          b->port);
	if (!url_is_loopback(url) && !url->tls)
		log_warning("broker",
		            "passwords and messages on port %u can be read on the way: no TLS",
		            b->port);
	return GOFER_OK;
}

uint16_t broker_port(const struct broker *b)
{
	return b->port;
}

struct connection *broker_connect(struct broker *b, const struct connection_events *events,
                                  void *context)
{
	if (b->closed)
		return NULL;
	return local_new(&b->hub, &b->locals, events, context);
}

void broker_close(struct broker *b)
{
	if (b->closed)
		return;
	b->closed = true;
	listen_stop(&b->listeners);
	server_close(&b->server);
	local_down_all(&b->locals);
}

bool broker_is_closed(const struct broker *b)
{
	return b->closed && !b->server.peers_count;
}

void broker_free(struct broker *b)
{
	if (!b)
		return;
	if (b->has_server) {
		broker_close(b);
		server_release(&b->server);
	}
	local_orphan_all(&b->locals);
	if (b->has_hub)
		hub_release(&b->hub);
	sasl_free(b->sasl);
	users_free(b->users);
	if (b->tls)
		pn_ssl_domain_free(b->tls);
	free(b);
}

void broker_stats(const struct broker *b, struct broker_stats *out)
{
	const struct name *n = NULL;

	*out = (struct broker_stats){
		.connections = b->server.peers_count,
		.queues = b->hub.nodes.queues,
		.received = b->hub.received,
		.delivered = b->hub.delivered,
	};
	while ((n = names_next(&b->hub.nodes.names, n))) {
		const struct queue *q = ((const struct node *)n)->queue;

		out->messages += q ? q->messages : 0;
		out->bytes += q ? q->bytes : 0;
	}
}
