/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker_rig: the broker's side of connections, without sockets and listeners, and clients of
 * proton's that are driven by hand, back to back with it.
 *
 *   rig_make(NULL, true);
 *   rig_open(&c);  link = rig_sender(&c, "name", "address");  ...  rig_stop(&c);
 *   rig_free(NULL);
 *
 * Where a function here has changed something it turns the loop until that has come to its effect.
 */
#ifndef GOFER_TEST_BROKER_RIG_H
#define GOFER_TEST_BROKER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <proton/delivery.h>
#include <proton/link.h>

#include "amqp/message.h"
#include "broker/hub.h"
#include "broker/peer.h"

#define RIG_QUEUE_MESSAGES 8
#define RIG_MESSAGE_BYTES 4096

extern struct rig {
	struct loop *loop;
	struct hub hub;
	struct server server;
	struct sasl *sasl;
} rig;

struct rig_client {
	struct driver *driver;
	pn_session_t *session;
	unsigned opened, closed;
	struct error why;
};

int rig_make(struct users *users, bool anonymous);
int rig_free(void **state); /* a cmocka tear-down */
void rig_turns(void);
struct slice rig_text(const char *s);
struct queue *rig_queue(const char *name); /* which must be there */

/* Connects; with a user by PLAIN, over a socket pair. rig_open() expects to be let in, and begins a
 * session. */
void rig_start(struct rig_client *c, const char *user, const char *password);
void rig_open(struct rig_client *c);
void rig_stop(struct rig_client *c); /* vanishes */
void rig_act(struct rig_client *c);  /* after proton's objects were touched */

pn_link_t *rig_sender(struct rig_client *c, const char *name, const char *address);
pn_link_t *rig_make_receiver(struct rig_client *c, const char *name, const char *address);
pn_link_t *rig_receiver(struct rig_client *c, const char *name, const char *address, int credit);
pn_delivery_t *rig_send_bytes(struct rig_client *c, pn_link_t *link, const char *bytes,
                              size_t size);
pn_delivery_t *rig_send(struct rig_client *c, pn_link_t *link, const struct message *m);
/* `to` and `subject` may be NULL. */
pn_delivery_t *rig_send_text(struct rig_client *c, pn_link_t *link, const char *to,
                             const char *subject, const char *body);
/* Takes the current message and compares its body; returns its delivery-count. */
uint32_t rig_expect(pn_link_t *link, const char *body, pn_delivery_t **out);
void rig_settle(struct rig_client *c, pn_delivery_t *delivery, uint64_t state);

void rig_expect_attached(pn_link_t *link);
void rig_expect_detached(pn_link_t *link, const char *condition);
void rig_expect_refused(pn_link_t *link, const char *condition); /* and without a terminus */

#endif
