/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender: the messages that go out over a client's connection, and the links they go through.
 *
 * Through one link to no node where the broker relays (the message's `to` says where), through a link
 * to each address otherwise; those are kept for a minute when idle, at most SENDER_IDLE_MAX of them. A
 * message is the sender's until its outcome: it goes again when its link or its connection was lost
 * before. Part of the client.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AMQP_SENDER_H
#define GOFER_AMQP_SENDER_H

#include "amqp/connection.h"

#define SENDER_IDLE_MAX 64
#define SENDER_IDLE_S 60.0

struct client;
struct sender;

struct sender *sender_new(struct client *c); /* NULL: out of memory */
void sender_free(struct sender *s);          /* NULL is taken; no callbacks */

enum gofer_err sender_send(struct sender *s, const struct send_options *options);
/* The connection is up: what waits is sent. */
void sender_up(struct sender *s);
/* The connection is gone; what was not settled waits again, in the order in which it was given. */
void sender_lost(struct sender *s);
/* Gives up all that waits. Calls back in a later turn. */
void sender_give_up(struct sender *s, const struct error *why);
/* Calls back for what has failed since the last time. The loop only, through client_defer(). */
void sender_report(struct sender *s);
/* Another session may be begun. */
void sender_room(struct sender *s);
/* Closes a link that is idle, if there is one, to make room for another session. */
void sender_make_room(struct sender *s);
/* Whether every message has had its outcome. */
bool sender_is_idle(const struct sender *s);

#endif
