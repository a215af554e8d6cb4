/* SPDX-License-Identifier: Apache-2.0 */
/* uuid: random (version 4) UUIDs of RFC 9562, as text. Thread: any. */
#ifndef GOFER_CORE_UUID_H
#define GOFER_CORE_UUID_H

#define UUID_TEXT_SIZE 37 /* 36 characters and a NUL */

/* Writes a fresh one in lower case. Reads the kernel's random source a block at a time, so that a
 * uuid does not cost a system call; a forked child must not share its parent's block and does not.
 */
void uuid_generate(char text[UUID_TEXT_SIZE]);

#endif
