/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_connection: a kind of connection without a peer, for the tests of what lives on one. What is
 * sent is kept, to be looked at and settled; messages are put in by hand. One receiver.
 */
#ifndef GOFER_TEST_FAKE_CONNECTION_H
#define GOFER_TEST_FAKE_CONNECTION_H

#include "amqp/connection_ops.h"

#define FAKE_MAX 512

struct fake_sent {
	char *address, *body, *correlation, *message_id, *content_type;
	enum message_body kind;
	bool durable, settled;
	void (*on_outcome)(void *context, enum outcome outcome, const struct error *why);
	void *context;
};

/* What became of a delivery. */
struct fake_delivery {
	struct delivery base;
	bool settled;
	enum outcome outcome;
	char why[480];
	char *body, *reply_to, *correlation;
};

struct fake_connection {
	struct connection base;
	struct receiver receiver;
	const struct receiver_events *events;
	void *context;
	char address[64];
	bool opened, closed, settle_at_once;
	enum gofer_err refuse; /* what sending comes to, instead of being kept */
	unsigned credit, credit_calls;
	struct fake_sent sent[FAKE_MAX];
	size_t sent_count;
	struct fake_delivery *deliveries[FAKE_MAX];
	size_t deliveries_count;
};

struct fake_connection *fake_new(void);
void fake_free(struct fake_connection *f);

/* The link is there; the link is gone. */
void fake_open(struct fake_connection *f);
void fake_down(struct fake_connection *f, const char *why, double retry_s);

/* A message comes; what is in `like` is taken except for its body and its texts. */
struct fake_delivery *fake_deliver(struct fake_connection *f, const struct message *like,
                                   const char *body, size_t size, const char *reply_to);
/* One that can't be decoded. */
struct fake_delivery *fake_deliver_garbage(struct fake_connection *f);

/* Settles what was sent and wants to know. */
void fake_settle(struct fake_connection *f, size_t i, enum outcome outcome);
/* The same for another reason than that nobody is there. */
void fake_settle_why(struct fake_connection *f, size_t i, enum outcome outcome,
                     enum gofer_err code);
void fake_settle_all(struct fake_connection *f, enum outcome outcome);

#endif
