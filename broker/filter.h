/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: the binding key that a receiver asks an exchange for, in its source's filter set.
 *
 * Understood are apache.org:legacy-amqp-direct-binding:string and
 * apache.org:legacy-amqp-topic-binding:string, named by symbol or number; anything else is passed
 * over and not confirmed, so that the receiver knows. Thread: the owner's of the link.
 */
#ifndef GOFER_BROKER_FILTER_H
#define GOFER_BROKER_FILTER_H

#include <proton/codec.h>

#include "core/buf.h"

/* The key; data NULL: none. It points into `filters`. */
struct slice filter_key(pn_data_t *filters);
/* Makes `out` the filter set that is in force: of what the peer asked, only that one filter. */
void filter_confirm(pn_data_t *out, pn_data_t *asked);

#endif
