/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node: what an address leads to: a queue, an exchange, or the management.
 *
 * There from the start: amq.direct, amq.topic, amq.fanout and the management node
 * qmf.default.direct. An address is a node's name, or "exchange/key". A name that nothing has is a
 * queue yet to be made, except under the prefixes "amq." (the broker's exchanges) and "qmf." and
 * under that of dynamic queues ("temp."): a reply that comes late must not make the queue anew that
 * its caller has left.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_BROKER_NODE_H
#define GOFER_BROKER_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/exchange.h"
#include "broker/names.h"
#include "broker/queue.h"
#include "core/buf.h"
#include "core/error.h"

#define NODE_MANAGEMENT_NAME "qmf.default.direct"
#define NODE_NAME_MAX 512
#define NODES_MAX 100000

enum node_kind { NODE_QUEUE, NODE_EXCHANGE, NODE_MANAGEMENT };

/* What the maker asked for; kept for those who query. */
struct node_flags {
	bool durable;
	bool auto_delete; /* goes with its last consumer; an exchange: with its last binding */
	bool exclusive;
	bool dynamic; /* goes with the link that made it */
};

struct node {
	struct name name; /* first: what names_find() gives is the node */
	enum node_kind kind;
	struct node_flags flags;
	struct queue *queue;       /* NODE_QUEUE */
	struct exchange *exchange; /* NODE_EXCHANGE */
	uint64_t auto_delete_ms;   /* auto_delete: that long after the last consumer left */
	uint64_t deserted_ms;      /* when that was, monotonic; 0: never yet */
	char text[];               /* the name, with a NUL behind it */
};

struct nodes {
	struct names names;
	size_t queue_messages, queue_bytes; /* of a queue that is made without bounds of its own */
	size_t queues;
};

/* Where a message is sent to. */
struct address {
	struct node *node;
	bool has_key; /* the address itself names one */
	struct slice key;
};

/* GOFER_NOMEM. nodes_release() in every case. */
enum gofer_err nodes_init(struct nodes *nodes, size_t queue_messages, size_t queue_bytes);
void nodes_release(struct nodes *nodes);

struct node *nodes_find(const struct nodes *nodes, struct slice name); /* NULL: none */
/* Leads there: GOFER_NOTFOUND and `error`. */
enum gofer_err nodes_resolve(const struct nodes *nodes, struct slice text, struct address *out,
                             struct error *error);
/* The same, and a queue is made where the name is free for one. GOFER_NOTFOUND: it is not;
 * GOFER_INVALID: no name; GOFER_FULL: NODES_MAX are there; GOFER_NOMEM. */
enum gofer_err nodes_attach(struct nodes *nodes, struct slice text, struct node_flags flags,
                            struct address *out, struct error *error);

/* Makes one; GOFER_EXISTS where there is a node of that name already; else as nodes_attach().
 * Bounds: 0 is the default, more than it is the default too. */
enum gofer_err nodes_add_queue(struct nodes *nodes, struct slice name, struct node_flags flags,
                               size_t messages_max, size_t bytes_max, struct node **out,
                               struct error *error);
enum gofer_err nodes_add_exchange(struct nodes *nodes, struct slice name, enum exchange_type type,
                                  struct node_flags flags, struct node **out, struct error *error);
/* A queue with a name of its own. */
enum gofer_err nodes_add_dynamic(struct nodes *nodes, struct node **out, struct error *error);

/* Removes it, its bindings, its messages; whoever is on it is told. Not for the ones that are there
 * from the start: node_is_builtin(). */
void nodes_remove(struct nodes *nodes, struct node *node);
bool node_is_builtin(const struct node *node);

#endif
