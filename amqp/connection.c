/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/connection.h"

#include "amqp/client.h"
#include "amqp/connection_ops.h"
#include "amqp/dial.h"

struct connection *connection_new(struct loop *loop, const struct connection_options *options,
                                  const struct connection_events *events, void *context,
                                  struct error *error)
{
	struct connector *connector = dial_new(loop, options->url->host, options->url->port);

	if (!connector) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	return client_new(loop, options, connector, events, context, error);
}

void connection_close(struct connection *c)
{
	c->ops->close(c);
}

void connection_free(struct connection *c)
{
	if (c)
		c->ops->free(c);
}

bool connection_is_up(const struct connection *c)
{
	return c->ops->is_up(c);
}

const char *connection_product(const struct connection *c)
{
	return c->ops->product(c);
}

enum message_body connection_request_body(const struct connection *c)
{
	return c->ops->request_body(c);
}

enum gofer_err connection_send(struct connection *c, const struct send_options *options)
{
	return c->ops->send(c, options);
}

struct receiver *receiver_open(struct connection *c, const struct receiver_options *options,
                               const struct receiver_events *events, void *context)
{
	return c->ops->receiver_open(c, options, events, context);
}

void receiver_credit(struct receiver *r, unsigned n)
{
	r->ops->receiver_credit(r, n);
}

void receiver_close(struct receiver *r)
{
	if (r)
		r->ops->receiver_close(r);
}

const struct message *delivery_message(const struct delivery *d)
{
	return d->decoded ? &d->message : NULL;
}

void delivery_settle(struct delivery *d, enum outcome outcome, const struct error *why)
{
	if (d)
		d->ops->delivery_settle(d, outcome, why);
}
