/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/delivery.h"

#include <stdlib.h>
#include <string.h>

struct client_delivery {
	struct delivery base;               /* first: a delivery's address is this one's */
	struct client *client;              /* NULL: cut off, and nobody waits for the outcome */
	struct client_delivery **at, *next; /* what points here; the receiver's list */
	pn_delivery_t *pn;
	struct buf scratch;
	char bytes[];
};

static void cut_off(struct client_delivery *d)
{
	*d->at = d->next;
	if (d->next)
		d->next->at = d->at;
	d->client = NULL;
}

void deliveries_orphan(struct client_delivery **list)
{
	while (*list)
		cut_off(*list);
}

static void add(struct client_delivery **list, struct client_delivery *d)
{
	d->at = list;
	d->next = *list;
	if (d->next)
		d->next->at = &d->next;
	*list = d;
}

struct delivery *delivery_new(struct client_delivery **list, struct endpoint *e, pn_delivery_t *pn,
                              size_t size)
{
	struct client_delivery *d = malloc(sizeof(*d) + size);

	if (!d)
		return NULL;
	memset(d, 0, sizeof(*d));
	d->base.ops = e->client->base.ops;
	d->client = e->client;
	d->pn = pn;
	add(list, d);
	d->base.decoded = endpoint_read(e, d->bytes, size) &&
		!message_decode(&d->base.message, d->bytes, size, &d->scratch, NULL);
	return &d->base;
}

static uint64_t proton_state(const struct client *c, enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_ACCEPTED: return PN_ACCEPTED;
	case OUTCOME_REJECTED: return PN_REJECTED;
	case OUTCOME_MODIFIED: return c->dialect->plain_outcomes ? PN_RELEASED : PN_MODIFIED;
	case OUTCOME_RELEASED:
	case OUTCOME_LOST: break;
	}
	return PN_RELEASED;
}

static void set_condition(pn_disposition_t *local, const struct error *why)
{
	pn_condition_t *condition = pn_disposition_condition(local);

	pn_condition_set_name(condition,
	                      why->code == GOFER_INVALID ? "amqp:decode-error"
	                                                 : "amqp:internal-error");
	pn_condition_set_description(condition, why->text);
}

static void settle(struct client_delivery *d, enum outcome outcome, const struct error *why)
{
	pn_disposition_t *local = pn_delivery_local(d->pn);
	uint64_t state = proton_state(d->client, outcome);

	if (state == PN_REJECTED && why)
		set_condition(local, why);
	if (state == PN_MODIFIED)
		pn_disposition_set_failed(local, true);
	pn_delivery_update(d->pn, state);
	pn_delivery_settle(d->pn);
	driver_wake(d->client->driver);
	cut_off(d);
}

void client_delivery_settle(struct delivery *base, enum outcome outcome, const struct error *why)
{
	struct client_delivery *d = (struct client_delivery *)base;

	if (d->client)
		settle(d, outcome, why);
	buf_release(&d->scratch);
	free(d);
}
