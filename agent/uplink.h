/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink: the way to one broker, shared by all plugins that use it: a connection and its outbox.
 *
 * Tells the log, once for each change, whether it is up. Thread: the loop's.
 */
#ifndef GOFER_AGENT_UPLINK_H
#define GOFER_AGENT_UPLINK_H

#include "agent/descriptor.h"
#include "agent/outbox.h"
#include "broker/broker.h"

struct uplink;

/* `on_change` (after it went up or down, was closed, or its outbox is of no use to anybody any more) is called
 * in the loop. */
struct uplink_events {
	void (*on_change)(void *context);
	void *context;
};

/* To the broker that the descriptor (referred to) tells of. NULL: `error`. */
struct uplink *uplink_new(struct loop *loop, struct descriptor *descriptor,
                          const struct uplink_events *events, struct error *error);
/* To the broker in this process, of which `listen` says for people where it is. */
struct uplink *uplink_new_own(struct loop *loop, struct descriptor *descriptor,
                              struct broker *broker, const struct url *listen,
                              const struct uplink_events *events, struct error *error);
/* Flushes and closes within a second; uplink_is_closed() then. May be called twice. */
void uplink_close(struct uplink *u);
/* At once, whatever the state; receivers must be closed before. NULL is taken. */
void uplink_free(struct uplink *u);

/* Whether it serves those settings too: the same broker, reached in the same way. */
bool uplink_matches(const struct uplink *u, const struct broker_settings *settings);
struct connection *uplink_connection(struct uplink *u);
struct outbox *uplink_outbox(struct uplink *u);
const char *uplink_label(const struct uplink *u); /* for people: the url without its secrets */
bool uplink_was_tried(const struct uplink *u);    /* it is or was up, or failed once */
bool uplink_is_up(const struct uplink *u);
bool uplink_is_closed(const struct uplink *u);
/* It was used, and is not now. */
bool uplink_is_unused(const struct uplink *u);
size_t uplink_reconnects(const struct uplink *u); /* how often it came up again */

#endif
