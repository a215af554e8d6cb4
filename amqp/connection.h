/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection: a client's connection to one broker, with receivers on it and messages sent through it.
 *
 * Connects, authenticates, beats, reconnects with full jitter, attaches its receivers again, sends
 * again what was not settled; hides how each broker spells addresses and makes queues (the
 * dialects). Addresses here are gofer's: "queue" or "exchange/queue".
 *
 *   c = connection_new(loop, &options, &events, context, &error);
 *   r = receiver_open(c, &(struct receiver_options){ .address = "demo" }, &receiver_events, context);
 *   connection_send(c, &(struct send_options){ ... });
 *   connection_close(c); connection_free(c);
 *
 * There are two kinds behind the one interface (connection_ops.h): over a socket, made here, and
 * to the broker in this very process, made by broker_connect().
 *
 * Thread: the loop's, for all. No function here blocks, and none calls back before it returns.
 */
#ifndef GOFER_AMQP_CONNECTION_H
#define GOFER_AMQP_CONNECTION_H

#include <stdbool.h>

#include "amqp/loop.h"
#include "amqp/message.h"
#include "amqp/url.h"
#include "core/error.h"

struct connection;
struct receiver;
struct delivery;

struct connection_options {
	const struct url *url;    /* copied */
	const char *container_id; /* NULL: a fresh one */
	const char *cacert, *clientcert,
		*clientkey;      /* files, PEM; NULL: the host's bundle, none, none */
	bool no_host_validation; /* TLS: take any host name */
	double heartbeat_s; /* peer silent for longer: connection is dead; 0: 10 s; 4 s at least, for
	                     * brokers that beat no faster than once a second */
	double connect_timeout_s; /* for one attempt, from name lookup to open frame, and for the
	                           * answer to one attach; 0: 10 s */
	bool persistent; /* reconnect until closed; otherwise the first failure is the last */
};

struct connection_events {
	/* Open frames are exchanged. Receivers attach now. */
	void (*on_up)(struct connection *c, void *context);
	/* Lost, or an attempt failed. `retry_s`: the next attempt comes in that many seconds; negative:
	 * none will, all that waits is given up after this call. */
	void (*on_down)(struct connection *c, const struct error *why, double retry_s,
	                void *context);
	/* After connection_close(): all is over, connection_free() may be called. NULL allowed. */
	void (*on_closed)(struct connection *c, void *context);
};

/* Starts connecting in the next turn of the loop. `events` is constant. NULL: `error`. */
struct connection *connection_new(struct loop *loop, const struct connection_options *options,
                                  const struct connection_events *events, void *context,
                                  struct error *error);
/* Closes in order: what was sent is flushed, links are detached, the close frames are exchanged, for
 * one second at most; then on_closed. Receivers and sends call back no more. May be called twice. */
void connection_close(struct connection *c);
/* Frees at once, whatever the state; receivers with it, deliveries stay until settled. NULL is taken. */
void connection_free(struct connection *c);

bool connection_is_up(const struct connection *c);
/* What the peer says it is: "gofer", "qpid-cpp", "RabbitMQ"; "" before it was ever up. */
const char *connection_product(const struct connection *c);
/* The kind of body section that a request must have on this broker. Once up. */
enum message_body connection_request_body(const struct connection *c);

/* Receiving. */
struct receiver_options {
	/* NULL: a temporary queue, gone with this receiver (but on RabbitMQ 3.10). "exchange/queue": that
	 * queue, bound to the exchange by its name. */
	const char *address;
	const char *exchange; /* with a temporary queue: bind it to this exchange; or NULL */
	bool durable;         /* a named queue is made durable where it must be made */
};
struct receiver_events {
	/* Attached, also each time again. `address`: what to give as a reply address; it may be another one
	 * than before where the queue is temporary. There is no credit yet. */
	void (*on_open)(struct receiver *r, const char *address, void *context);
	/* The delivery is the callee's, to be settled once, at any time. */
	void (*on_message)(struct receiver *r, struct delivery *d, void *context);
	/* Refused, detached by the broker, or lost with its connection. It attaches again by itself, alone, in
	 * `retry_s`; negative: with its connection, or never where that is not persistent. */
	void (*on_down)(struct receiver *r, const struct error *why, double retry_s, void *context);
};
/* `events` is constant; NULL: out of memory. Attaches as soon as the connection is up. */
struct receiver *receiver_open(struct connection *c, const struct receiver_options *options,
                               const struct receiver_events *events, void *context);
/* Allows `n` more messages to come. Forgotten when the link is down: give it again in on_open. */
void receiver_credit(struct receiver *r, unsigned n);
/* Detaches and frees; unsettled deliveries go back to the broker (their handles stay valid). */
void receiver_close(struct receiver *r);

enum outcome {
	OUTCOME_ACCEPTED,
	OUTCOME_REJECTED, /* will never do; a broker may dead-letter it */
	OUTCOME_RELEASED, /* not taken; as if never delivered. On sending: nobody is at that address, or,
	                   * where `why` is GOFER_FULL, there is no room: it may be sent again */
	OUTCOME_MODIFIED, /* failed; delivery-count goes up */
	OUTCOME_LOST,     /* sending: nobody can say, the connection is gone for good */
};
/* The message; its slices are valid until the delivery is settled. NULL if it was none: settle as
 * rejected. */
const struct message *delivery_message(const struct delivery *d);
/* Settles and frees. Works (as nothing) after its connection is gone. `why`: for a rejection, NULL allowed. */
void delivery_settle(struct delivery *d, enum outcome outcome, const struct error *why);

/* Sending. */
struct send_options {
	const char *address;
	const struct message
		*message; /* encoded before the call returns; `to` and `subject` are set
	                                * here as the broker needs them */
	bool request; /* a call's request: an address that does not exist is worth finding out */
	/* What became of it, once; `why` says more where it was not accepted. NULL allowed. */
	void (*on_outcome)(void *context, enum outcome outcome, const struct error *why);
	void *context;
};
/* Queues the message in the order of calls for one address; it goes out when the connection is up and the
 * broker gives credit, and again after a reconnect if it was not settled (persistent ones; at least
 * once). GOFER_NOMEM; GOFER_FULL when CONNECTION_SEND_MAX messages wait; GOFER_CANCELLED once closed or
 * down for good. */
#define CONNECTION_SEND_MAX 65536
enum gofer_err connection_send(struct connection *c, const struct send_options *options);

#endif
