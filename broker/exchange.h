/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange: from a key to the queues that are bound to it.
 *
 * direct: the key is the binding's; topic: the binding's key is a pattern of words between dots,
 * where "*" is any one word and "#" any number of them, none included; fanout: keys do not matter.
 * Bindings belong to both ends and go with either.
 *
 *   x = exchange_new(EXCHANGE_TOPIC);
 *   exchange_bind(x, q, (struct slice){ "a.*", 3 });
 *   exchange_route(x, key, &targets);    -> targets.items[0 .. targets.count - 1]
 *
 * Thread: the loop's.
 */
#ifndef GOFER_BROKER_EXCHANGE_H
#define GOFER_BROKER_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/queue.h"
#include "core/buf.h"
#include "core/error.h"

enum exchange_type { EXCHANGE_DIRECT, EXCHANGE_TOPIC, EXCHANGE_FANOUT };

struct exchange;

/* Where a message goes; kept from message to message for its memory. */
struct targets {
	struct queue **items;
	size_t count, capacity;
	uint64_t route; /* of the routing at hand */
};

void targets_clear(struct targets *t);
void targets_release(struct targets *t);

/* NULL: out of memory. */
struct exchange *exchange_new(enum exchange_type type);
void exchange_free(struct exchange *x); /* with its bindings; NULL is taken */
enum exchange_type exchange_type(const struct exchange *x);
size_t exchange_bindings(const struct exchange *x);

/* "direct", "topic", "fanout". GOFER_NOTFOUND: it is none of them. */
enum gofer_err exchange_type_parse(struct slice text, enum exchange_type *type);
const char *exchange_type_name(enum exchange_type type);

/* GOFER_OK also if it is bound so already; GOFER_FULL at EXCHANGE_BINDINGS_MAX; GOFER_NOMEM. */
#define EXCHANGE_BINDINGS_MAX 1000000
enum gofer_err exchange_bind(struct exchange *x, struct queue *q, struct slice key);
enum gofer_err exchange_unbind(struct exchange *x, struct queue *q,
                               struct slice key); /* GOFER_NOTFOUND */
/* Takes a queue out of all exchanges: before it is freed. */
void exchange_unbind_queue(struct queue *q);

/* Adds the queues that a message with this key goes to, each once. GOFER_NOMEM. */
enum gofer_err exchange_route(struct exchange *x, struct slice key, struct targets *targets);

/* Whether a topic's pattern covers the key. */
bool exchange_topic_matches(struct slice pattern, struct slice key);

#endif
