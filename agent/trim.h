/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trim: memory that starting needed and waiting does not, given back.
 *
 * An agent is to be had on every machine of a fleet, and waits most of its life. Thread: any.
 */
#ifndef GOFER_AGENT_TRIM_H
#define GOFER_AGENT_TRIM_H

/* Gives back free heap, and the program's own code and constants: what is needed again is read again,
 * from the page cache, when it is. Takes well under a millisecond. */
void trim(void);

#endif
