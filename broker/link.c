/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/link.h"

#include <proton/condition.h>
#include <proton/terminus.h>
#include <string.h>

void link_init(struct link *l, struct peer *p, pn_link_t *pn, const struct link_ops *ops)
{
	l->ops = ops;
	l->peer = p;
	l->pn = pn;
	LIST_INSERT_HEAD(&p->links, l, entry);
	pn_link_set_context(pn, l);
}

/* Freed at once, for a client that was detached may attach again under the same name before it
 * answers; proton keeps its own part of it until then. */
static void end(pn_link_t *pn, const char *condition, const char *text)
{
	if (condition) {
		pn_condition_set_name(pn_link_condition(pn), condition);
		pn_condition_set_description(pn_link_condition(pn), text);
	}
	pn_link_close(pn);
	pn_link_free(pn);
}

void link_detach(struct link *l, const char *condition, const char *text)
{
	pn_link_set_context(l->pn, NULL);
	LIST_REMOVE(l, entry);
	peer_wake(l->peer);
	end(l->pn, condition, text);
	l->ops->free(l);
}

void link_refuse(struct peer *p, pn_link_t *pn, const char *condition, const char *text)
{
	pn_terminus_set_type(pn_link_source(pn), PN_UNSPECIFIED);
	pn_terminus_set_type(pn_link_target(pn), PN_UNSPECIFIED);
	pn_link_open(pn);
	end(pn, condition, text);
	peer_wake(p);
}

const char *link_condition(enum gofer_err err)
{
	switch (err) {
	case GOFER_NOTFOUND: return "amqp:not-found";
	case GOFER_INVALID: return "amqp:invalid-field";
	case GOFER_FULL:
	case GOFER_NOMEM: return "amqp:resource-limit-exceeded";
	default: return "amqp:internal-error";
	}
}

struct node_flags link_flags(pn_terminus_t *terminus)
{
	return (struct node_flags){.durable =
	                                   pn_terminus_get_durability(terminus) != PN_NONDURABLE};
}

struct slice link_address(pn_terminus_t *terminus)
{
	const char *address = pn_terminus_get_address(terminus);

	return (struct slice){address, address ? strlen(address) : 0};
}
