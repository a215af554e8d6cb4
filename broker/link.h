/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: a remote peer's link: what is common to those that bring messages (link_in.c) and those
 * that take them (link_out.c).
 *
 * The struct lives from the attach to the detach of either side, or to the end of its connection;
 * with it goes our hold on proton's link, which lives on without a context until the peer has
 * detached too. Nothing here outlives its peer.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_BROKER_LINK_H
#define GOFER_BROKER_LINK_H

#include <proton/delivery.h>
#include <proton/link.h>
#include <sys/queue.h>

#include "broker/peer.h"
#include "core/error.h"

#define LINK_WINDOW 500 /* credit of a sender */

struct link_ops {
	void (*on_delivery)(struct link *l, pn_delivery_t *delivery);
	void (*on_flow)(struct link *l);
	/* The link is over, proton's side of it is seen to: leave the queue and free. */
	void (*free)(struct link *l);
};

struct link {
	const struct link_ops *ops;
	struct peer *peer;
	pn_link_t *pn;
	LIST_ENTRY(link) entry;
};

/* Answers an attach: both ends of the link get going, or it is refused with a condition. */
void link_in_open(struct peer *p, pn_link_t *pn);
void link_out_open(struct peer *p, pn_link_t *pn);

/* Some of what the peer's sessions had to send is gone: links that were held back go on. */
void link_out_unchoke(struct peer *p);

/* For the two kinds. */
void link_init(struct link *l, struct peer *p, pn_link_t *pn, const struct link_ops *ops);
/* Detaches with a condition and frees; no condition: an answer to the peer's own detach. */
void link_detach(struct link *l, const char *condition, const char *text);
/* Attaches without a terminus and detaches at once, as the standard has it. */
void link_refuse(struct peer *p, pn_link_t *pn, const char *condition, const char *text);
/* The condition that tells this error. */
const char *link_condition(enum gofer_err err);
struct node_flags link_flags(pn_terminus_t *terminus);
struct slice link_address(pn_terminus_t *terminus);

#endif
