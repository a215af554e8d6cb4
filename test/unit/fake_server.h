/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_server: the broker's end of a client's connection, in memory: two drivers back to back. It
 * follows a script of nodes, and notes what it is sent. Its connector takes the place of dial.
 */
#ifndef GOFER_TEST_FAKE_SERVER_H
#define GOFER_TEST_FAKE_SERVER_H

#include <proton/link.h>

#include "amqp/client.h"

#define SERVER_MAX 1024

/* How a node behaves; the first one of the script whose address is that of the attach. */
struct fake_server_node {
	const char *address;   /* "*": any; "": the link to no node; "dynamic": a dynamic source */
	const char *condition; /* refused with it, NULL: not */
	unsigned refusals;     /* so often; 0: always */
	bool end_session;      /* by ending the session, as RabbitMQ does */
	bool mute;             /* no answer to the attach */
	bool no_credit, hold;  /* senders: gives none; settles nothing */
	uint64_t outcome;      /* 0: accepted */
	const char *poison; /* a message with this body has the link detached: amqp:not-allowed */
	uint64_t largest;   /* message size */
};

struct fake_server_message {
	char *to, *subject, *body, *link; /* `link`: the address of the target */
	bool settled;
	pn_delivery_t *delivery;
};

struct fake_server {
	struct connector connector;
	struct loop *loop;
	struct driver *driver; /* NULL: nobody is connected */

	/* the script */
	const char *product;
	bool relay, qmf;
	struct fake_server_node nodes[16];
	const char *open_condition; /* closes right after its open frame */
	unsigned open_refusals;     /* so often; 0: always */
	const char *need_hostname;  /* with any other it closes after SASL */
	bool unreachable, silent,
		detached;     /* connecting fails; never ends; gives a driver attached to nothing */
	uint16_t channel_max; /* 0: many */
	const char *qmf_error; /* the text of its answers; NULL: success */
	unsigned qmf_code;
	bool qmf_mute;
	bool keep_settled; /* leaves what its receivers settled to the test */

	/* what it has seen */
	unsigned starts, stops, connections, closes;
	unsigned attached, refused, detached_links;
	char hostname[128];
	char last_source[128], last_target[128], last_durability, last_capability[16];
	unsigned highest_sessions, sessions;
	unsigned flows; /* flow frames for its senders */
	struct fake_server_message messages[SERVER_MAX];
	size_t count;
	char queues[16][64]; /* made by QMF */
	char bindings[16][128];
	unsigned queues_count, bindings_count;
	bool durable_queue;

	/* its own */
	connector_done *done;
	void *context;
	struct loop_timer *timer;
	struct driver *client;
	unsigned dynamic;
};

void fake_server_init(struct fake_server *s, struct loop *loop, const char *product);
void fake_server_release(struct fake_server *s);

/* The connection breaks. */
void fake_server_vanish(struct fake_server *s);
/* Closes the connection in order, with a condition. */
void fake_server_close(struct fake_server *s, const char *condition);
/* The link that sends from (to) the node; NULL if there is none. */
pn_link_t *fake_server_sender(struct fake_server *s, const char *address);
pn_link_t *fake_server_receiver(struct fake_server *s, const char *address);
/* Sends a message, if there is credit. */
bool fake_server_send(struct fake_server *s, const char *address, const char *body);
pn_delivery_t *fake_server_send_bytes(struct fake_server *s, const char *address, const char *bytes,
                                      size_t size);
void fake_server_detach(struct fake_server *s, pn_link_t *link, const char *condition);
void fake_server_give_credit(struct fake_server *s, const char *address, int credit);
/* Settles what was held. */
void fake_server_settle(struct fake_server *s, size_t i, uint64_t outcome);
/* Bodies of all messages so far, one letter or word each, "a b c". */
const char *fake_server_bodies(struct fake_server *s);

#endif
