/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users: who may connect: a file of "name:password" lines, read once.
 *
 * A password that begins with "$" is a hash of crypt(3) (mkpasswd, openssl passwd -6); any other is
 * the password itself. Empty lines and lines that begin with "#" are passed over. The file must
 * not be readable by all (mode at most 0640).
 *
 * Thread: users_load() and users_free() one; users_check() any.
 */
#ifndef GOFER_BROKER_USERS_H
#define GOFER_BROKER_USERS_H

#include <stdbool.h>

#include "core/error.h"

struct users;

/* NULL: `error`, with the line at fault. */
struct users *users_load(const char *path, struct error *error);
void users_free(struct users *u); /* NULL is taken */

/* Whether the password is that user's. Takes as long for a name that is not there, so that names
 * can't be found out. Blocks for milliseconds (up to a second, for the strongest hashes) if
 * users_are_hashed(). */
bool users_check(const struct users *u, const char *name, const char *password);
bool users_are_hashed(const struct users *u); /* some of them */

#endif
