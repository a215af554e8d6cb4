/* SPDX-License-Identifier: Apache-2.0 */
/*
 * renewal: the plugins that are loaded follow a configuration that has changed, as on SIGHUP.
 *
 *   struct renewal r = {.roster = roster};
 *   renewal_renew(&r, before, after);
 *   ... whenever something has changed: renewal_review(&r);
 *   renewal_release(&r);
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AGENT_RENEWAL_H
#define GOFER_AGENT_RENEWAL_H

#include "agent/roster.h"
#include "agent/settings.h"

struct renewal_late;

struct renewal {
	struct roster *roster;
	struct renewal_late *late; /* what is still to be done */
};

/* The settings are `after` now, no longer `before`, which may go. What has changed in a descriptor is loaded,
 * reloaded or unloaded; one that is faulty now changes nothing, nor does it touch what was loaded by hand. */
void renewal_renew(struct renewal *r, const struct settings *before, const struct settings *after);
/* Something has changed: a plugin that was just being loaded or unloaded when the settings were renewed is seen
 * to now. */
void renewal_review(struct renewal *r);
void renewal_release(struct renewal *r);

#endif
