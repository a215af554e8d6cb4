/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake: a message from a plugin's queue, until it is a call or refused.
 *
 * The order is the protocol's: size and form, signature, version, content, time to live, known
 * already, journal. Each step that fails answers as the protocol says and settles the delivery, so that
 * a bad message never comes back. Signed envelopes are opened, their signature is not looked at.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AGENT_INTAKE_H
#define GOFER_AGENT_INTAKE_H

#include "agent/instance.h"

/* The delivery is settled by this, now or when the journal has it. */
void intake_receive(struct instance *in, struct delivery *d);

#endif
