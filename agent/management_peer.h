/* SPDX-License-Identifier: Apache-2.0 */
/*
 * management_peer: one connection of management's: its request, the wait for the answer, the answer.
 *
 *   READING --complete--> ASKED --management_answer_take()--> WRITING --all sent--> LINGERING -> gone
 *
 * LINGERING is for the peer to close first: what it may still be sending would otherwise make the
 * system throw away the answer that is on its way. A private part of management; see there for
 * thread and rules.
 */
#ifndef GOFER_AGENT_MANAGEMENT_PEER_H
#define GOFER_AGENT_MANAGEMENT_PEER_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "agent/management.h"
#include "core/buf.h"
#include "core/json_scan.h"

enum management_state {
	MANAGEMENT_READING,
	MANAGEMENT_ASKED,
	MANAGEMENT_WRITING,
	MANAGEMENT_LINGERING
};

struct management_call {
	TAILQ_ENTRY(management_call) entry;
	struct management_peers *peers; /* NULL: closed; only the answer is waited for */
	enum management_state state;
	ev_io io;
	ev_timer limit;
	struct json_scan scan;
	struct buf data; /* the request, then the answer */
	size_t sent;     /* of the answer */
	bool ended;      /* the peer sends no more */
};

/* All connections, the longest idle first. */
struct management_peers {
	TAILQ_HEAD(management_call_list, management_call) list;
	size_t count;
	struct loop *loop;
	double time_s;
	const struct management_events *events;
	void *context;
};

/* Takes the descriptor of a new connection. GOFER_NOMEM. */
enum gofer_err management_peer_add(struct management_peers *peers, int fd);
/* Makes room for one more: ends the one that was idle for the longest. GOFER_FULL: all are worked at. */
enum gofer_err management_peer_evict(struct management_peers *peers);
/* Says `why` with code 1 as far as the system takes it at once. */
void management_peer_tell(int fd, const char *why);
/* Closes the connection. The call itself stays where its answer is still to come. */
void management_peer_close(struct management_call *call);

#endif
