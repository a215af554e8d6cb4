/* SPDX-License-Identifier: Apache-2.0 */
/* link_out: see link.h; the struct, which a peer keeps a list of. Thread: the loop's. */
#ifndef GOFER_BROKER_LINK_OUT_H
#define GOFER_BROKER_LINK_OUT_H

#include "broker/link.h"
#include "broker/queue.h"

struct link_out {
	struct link link; /* first */
	struct consumer consumer;
	struct node *owned; /* a queue that is this link's own; NULL: none */
	bool settles;       /* messages go out settled */
	bool choked;
	LIST_ENTRY(link_out) choke;
	uint32_t tag;
};

#endif
