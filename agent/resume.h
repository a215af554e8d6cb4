/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resume: what the journal still has from an earlier run, given to the instance whose it is.
 *
 * What had not started, starts; what had started, starts again; a result is sent again, and its method
 * not run. All of these are known to the tracker, so that a broker that has one too changes nothing.
 *
 * What belongs to a plugin that is wanted, but could not be loaded, is left, and taken up when it is.
 *
 * Thread: the loop's.
 */
#ifndef GOFER_AGENT_RESUME_H
#define GOFER_AGENT_RESUME_H

#include "agent/instance.h"

/* `in` is attached. What can't be taken up now stays in the journal, and what can't ever is dropped from
 * there; both are logged. */
void resume_entry(struct instance *in, struct journal_entry *entry,
                  const struct journal_record *record);

/* What was left, of whatever plugin. */
struct resume_left {
	struct resume_left *next;
	struct journal_entry *entry;
	char plugin[];
};

/* Notes an entry; told in the log. */
void resume_leave(struct resume_left **list, struct journal_entry *entry,
                  const struct journal_record *record);
/* `in` is attached: takes up what is its plugin's. Blocks on the journal where there is something. */
void resume_left(struct resume_left **list, struct instance *in);
void resume_forget(struct resume_left **list);

#endif
