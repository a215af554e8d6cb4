/* SPDX-License-Identifier: Apache-2.0 */
/*
 * management: takes the requests of those who manage this agent, and sends the answers.
 *
 * A request is one JSON object, {"name": "show", "args": [], "kwargs": {}}, over a unix socket or TCP;
 * the answer is {"code": 0, "result": ...} and a line break, and the end of the connection. What a
 * request means is for `on_request` to say: this knows no agent.
 *
 *   m = management_new(loop, &options, &events, context, &error);
 *   ... on_request(context, call, "show", args, kwargs) -> management_answer_take(call, 0, text)
 *   management_free(m);
 *
 * A request is complete when its object is, or where the peer sends no more; what comes behind it is
 * passed over. It may come in any number of pieces. One that is none (no JSON, no object, too
 * long, not there in time) is answered with code 1 and what would be right, without `on_request`.
 *
 * Nobody waits for anybody: requests are read, answered and sent side by side. At most
 * MANAGEMENT_PEERS are connected; one more makes the one go that has been idle for the longest and whose
 * request is not being worked at. Where all are being worked at, the new one is told to come again.
 *
 * Who may ask: over the unix socket, which has mode 0600 from its first moment, the user who runs the
 * agent, and root. Over TCP anybody who reaches the port.
 *
 * Thread: the loop's. Nothing blocks.
 */
#ifndef GOFER_AGENT_MANAGEMENT_H
#define GOFER_AGENT_MANAGEMENT_H

#include <stdint.h>

#include "amqp/loop.h"
#include "core/error.h"
#include "core/json.h"

#define MANAGEMENT_PEERS 64
#define MANAGEMENT_REQUEST_MAX 65536 /* bytes */
#define MANAGEMENT_TIME_S 30. /* for a request to come, and again for its answer to be taken */

struct management;
struct management_call; /* a request that is not answered yet */

struct management_options {
	const char *socket_path; /* its directory exists; NULL: no unix socket */
	const char *host;        /* an address, or "localhost": both of its; NULL: localhost */
	uint16_t port;           /* 0: no TCP */
	double time_s;           /* 0: MANAGEMENT_TIME_S */
};

struct management_events {
	/* `args` is an array and `kwargs` an object, empty where the request has none; all are valid until
	 * this returns. The call is to be answered once, here or later. */
	void (*on_request)(void *context, struct management_call *call, const char *name,
	                   const struct cJSON *args, const struct cJSON *kwargs);
};

/* Listens. The file of a unix socket that nobody listens at any more is replaced. `options` is not kept,
 * `events` is constant. NULL: `error`; GOFER_EXISTS: another agent listens there. */
struct management *management_new(struct loop *loop, const struct management_options *options,
                                  const struct management_events *events, void *context,
                                  struct error *error);
/* Sends the answer, if anybody is there to take it, and frees the call. `result` is taken; NULL is null. A
 * call must be answered after management_free() too: it lives until then. */
void management_answer_take(struct management_call *call, int code, struct cJSON *result);
/* Closes all connections, removes the unix socket's file. NULL is taken. */
void management_free(struct management *m);

#endif
