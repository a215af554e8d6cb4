/* SPDX-License-Identifier: Apache-2.0 */
/*
 * teller: things to be told at the end of the loop's turn, in the order in which they came up, so
 * that no function of their owner's calls back before it returns.
 *
 * A thing is a `struct tidings` embedded in what it is about. What comes up while they are told has
 * to wait for the next turn. The owner may go while something is told.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_BROKER_TELLER_H
#define GOFER_BROKER_TELLER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "amqp/loop.h"

struct tidings {
	TAILQ_ENTRY(tidings) link;
	/* Not in the list any more: may free it, and whatever the teller is part of. */
	void (*tell)(struct tidings *t);
	bool queued;
};

struct teller; /* opaque */

struct teller *teller_new(struct loop *loop); /* NULL: out of memory */
/* Nothing is told any more; what is queued is the owner's. */
void teller_free(struct teller *teller);

/* Puts it at the end; nothing if it is queued. */
void teller_add(struct teller *teller, struct tidings *t);
/* Takes it out; nothing if it is not queued. */
void teller_remove(struct teller *teller, struct tidings *t);
/* Takes the first one out, untold; NULL: there is none. */
struct tidings *teller_take(struct teller *teller);

#endif
