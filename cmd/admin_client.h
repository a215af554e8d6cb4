/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_client: one request to an agent's management, and its answer.
 *
 *   if (admin_request(&target, "cancel", args, NULL, &reply, &error)) ...
 *   reply.code, reply.result
 *   admin_reply_release(&reply);
 *
 * Thread: main. Blocks until the answer is there, for `wait` seconds at most.
 */
#ifndef GOFER_CMD_ADMIN_CLIENT_H
#define GOFER_CMD_ADMIN_CLIENT_H

#include <stdint.h>

#include "core/error.h"
#include "core/json.h"

struct admin_target {
	const char *socket; /* the path of the unix socket; NULL: TCP */
	const char *host;
	uint16_t port;
	double wait; /* seconds for all of it; 0: no bound */
	/* Descriptors that end the wait as soon as there is something to be read; -1: none. */
	int stops[2];
};

struct admin_reply {
	struct cJSON *root; /* owned; the rest points into it */
	long long code;
	const struct cJSON *result; /* NULL: it has none */
};

/* `args` and `kwargs` NULL: none. GOFER_UNREACHABLE: no agent is there; GOFER_AUTH: it is not ours to ask;
 * GOFER_TIMEOUT; GOFER_PROTOCOL: what came is no answer; GOFER_CANCELLED: one of `stops`; GOFER_IO;
 * GOFER_NOMEM. admin_reply_release() in every case. */
enum gofer_err admin_request(const struct admin_target *target, const char *name,
                             const struct cJSON *args, const struct cJSON *kwargs,
                             struct admin_reply *reply, struct error *error);
void admin_reply_release(struct admin_reply *reply);

#endif
