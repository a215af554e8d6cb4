/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault: why a connection ended, as an error that a person can do something about.
 *
 * Proton reports how its parser failed; what the user needs to know is that the port belongs to a
 * web server, wants TLS, or refused the password. That is told from the first bytes that came and
 * from the condition on the transport. Pure; thread: any.
 */
#ifndef GOFER_AMQP_FAULT_H
#define GOFER_AMQP_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

#define FAULT_FIRST 8 /* bytes of a protocol header */

/* The beginning of what the other side sent, and of what went to it. */
struct fault_wire {
	char received[FAULT_FIRST], sent[FAULT_FIRST];
	size_t received_size, sent_size;
};
void fault_received(struct fault_wire *wire, const char *bytes, size_t size);
void fault_sent(struct fault_wire *wire, const char *bytes, size_t size);

/* The stream ended without a close frame. */
void fault_eof(struct error *why, const struct fault_wire *wire);
/* The engine gave up: `name` and `description` are its condition, NULL where it gave none. */
void fault_condition(struct error *why, const struct fault_wire *wire, const char *name,
                     const char *description);

#endif
