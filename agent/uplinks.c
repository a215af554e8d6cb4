/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/uplinks.h"

#include <stdlib.h>

struct item {
	struct item *next;
	struct uplink *uplink;
	bool leaving;
};

struct uplinks {
	/* immutable */
	struct loop *loop;
	struct broker *broker;
	const struct url *listen;
	struct uplink_events events;

	/* loop only */
	struct item *items;
};

struct uplinks *uplinks_new(struct loop *loop, struct broker *broker, const struct url *listen,
                            const struct uplink_events *events)
{
	struct uplinks *u = calloc(1, sizeof *u);

	if (!u)
		return NULL;
	u->loop = loop;
	u->broker = broker;
	u->listen = listen;
	u->events = *events;
	return u;
}

static void item_free(struct item *item)
{
	uplink_free(item->uplink);
	free(item);
}

void uplinks_free(struct uplinks *u)
{
	if (!u)
		return;
	for (struct item *next, *i = u->items; i; i = next) {
		next = i->next;
		item_free(i);
	}
	free(u);
}

static struct uplink *find(const struct uplinks *u, const struct broker_settings *settings)
{
	for (const struct item *i = u->items; i; i = i->next)
		if (!i->leaving && uplink_matches(i->uplink, settings))
			return i->uplink;
	return NULL;
}

static struct uplink *add(struct uplinks *u, struct descriptor *d, struct error *error)
{
	struct item *i = calloc(1, sizeof *i);

	if (!i) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	i->uplink = d->broker.own
		? uplink_new_own(u->loop, d, u->broker, u->listen, &u->events, error)
		: uplink_new(u->loop, d, &u->events, error);
	if (!i->uplink) {
		free(i);
		return NULL;
	}
	i->next = u->items;
	u->items = i;
	return i->uplink;
}

struct uplink *uplinks_get(struct uplinks *u, struct descriptor *descriptor, struct error *error)
{
	struct uplink *one = find(u, &descriptor->broker);

	return one ? one : add(u, descriptor, error);
}

void uplinks_tidy(struct uplinks *u)
{
	for (struct item **at = &u->items; *at;) {
		struct item *i = *at;

		if (!i->leaving && uplink_is_unused(i->uplink)) {
			i->leaving = true;
			uplink_close(i->uplink);
		}
		if (i->leaving && uplink_is_closed(i->uplink)) {
			*at = i->next;
			item_free(i);
		} else {
			at = &i->next;
		}
	}
}

void uplinks_close(struct uplinks *u)
{
	for (const struct item *i = u->items; i; i = i->next)
		uplink_close(i->uplink);
}

bool uplinks_are_closed(const struct uplinks *u)
{
	for (const struct item *i = u->items; i; i = i->next)
		if (!uplink_is_closed(i->uplink))
			return false;
	return true;
}

struct uplink *uplinks_next(const struct uplinks *u, const struct uplink *one)
{
	const struct item *i = u->items;

	for (; one && i; i = i->next)
		if (i->uplink == one)
			break;
	if (one)
		i = i ? i->next : NULL;
	return i ? i->uplink : NULL;
}
