/* SPDX-License-Identifier: Apache-2.0 */
/* version: the versions of the libraries that this was built with. Thread: any. */
#ifndef GOFER_AMQP_VERSION_H
#define GOFER_AMQP_VERSION_H

#include "core/buf.h"

/* Appends one "name version\n" for each library. */
void amqp_print_versions(struct buf *out);

#endif
