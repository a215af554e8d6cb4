/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/renewal.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"

#define PACKAGE "agent.renewal"

/* A plugin of the settings that is to be loaded, or unloaded, when what is done with it now is over. */
struct renewal_late {
	struct renewal_late *next;
	struct descriptor *descriptor; /* a reference */
	bool unload;
};

static const struct descriptor *descriptor_of(const struct settings *s, const char *origin)
{
	const struct descriptor *d = s->descriptors;

	while (d && strcmp(d->origin, origin) != 0)
		d = d->next;
	return d;
}

/* Whether it was loaded because these settings said so, and not by hand. */
static bool is_from(const struct settings *s, const struct instance *in)
{
	const struct descriptor *d = descriptor_of(s, in->descriptor->origin);

	return d && d->name && strcmp(d->name, in->descriptor->name) == 0;
}

static bool is_wanted(const struct settings *s, const struct descriptor *loaded)
{
	const struct descriptor *d = descriptor_of(s, loaded->origin);

	return d && (d->faulty || (d->enabled && strcmp(d->name, loaded->name) == 0));
}

static void on_renewed(void *context, const struct error *error)
{
	(void)context;
	(void)error; /* the roster has told it */
}

static void postpone(struct renewal *r, struct descriptor *d, bool unload)
{
	struct renewal_late *late = malloc(sizeof *late);

	if (!late) {
		log_error(PACKAGE, "%s: out of memory", d->origin);
		return;
	}
	*late = (struct renewal_late){r->late, descriptor_ref(d), unload};
	r->late = late;
}

static void forget_late(struct renewal_late *late)
{
	for (struct renewal_late *next; late; late = next) {
		next = late->next;
		descriptor_unref(late->descriptor);
		free(late);
	}
}

static void load_wanted(struct renewal *r, struct descriptor *d)
{
	const struct instance *in = roster_find(r->roster, d->name);
	const struct roster_done done = {on_renewed, NULL};
	struct error error = ERROR_NONE;

	if (roster_is_changing(r->roster, d->name))
		postpone(r, d, false);
	else if (!in || !descriptor_equal(in->descriptor, d))
		if (roster_load(r->roster, d, false, &done, &error))
			log_error(PACKAGE, "%s: %s", d->origin, error.text);
}

static void unload_unwanted(struct renewal *r, const struct settings *before,
                            const struct settings *after)
{
	struct instance *in = NULL;

	while ((in = roster_next(r->roster, in)))
		if (is_from(before, in) && !is_wanted(after, in->descriptor))
			roster_unload(r->roster, in, false);
	for (struct descriptor *d = before->descriptors; d; d = d->next)
		if (d->enabled && !is_wanted(after, d) && !roster_find(r->roster, d->name) &&
		    roster_is_changing(r->roster, d->name))
			postpone(r, d, true);
}

/* It was on its way in when it was no longer wanted. */
static void unload_late(struct renewal *r, struct descriptor *d)
{
	struct instance *in = roster_find(r->roster, d->name);

	if (roster_is_changing(r->roster, d->name))
		postpone(r, d, true);
	else if (in && strcmp(in->descriptor->origin, d->origin) == 0)
		roster_unload(r->roster, in, false);
}

void renewal_renew(struct renewal *r, const struct settings *before, const struct settings *after)
{
	renewal_release(r);
	unload_unwanted(r, before, after);
	for (struct descriptor *d = after->descriptors; d; d = d->next)
		if (d->enabled)
			load_wanted(r, d);
}

void renewal_review(struct renewal *r)
{
	struct renewal_late *late = r->late;

	r->late = NULL;
	for (const struct renewal_late *one = late; one; one = one->next)
		(one->unload ? unload_late : load_wanted)(r, one->descriptor);
	forget_late(late);
}

void renewal_release(struct renewal *r)
{
	forget_late(r->late);
	r->late = NULL;
}
