/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/resume.h"

#include <stdlib.h>
#include <string.h>

#include "agent/execution.h"
#include "core/log.h"

#define PACKAGE "agent.resume"

/* It was looked at when it was accepted: that it was signed by the right one, too. */
static enum gofer_err decode(struct request *request, struct slice body)
{
	size_t size, signature_size;
	unsigned char *signature = NULL;
	struct rejection rejection;
	char *inner = NULL;
	enum gofer_err rc = request_decode(request, body.data, body.size, &rejection);

	if (rc != GOFER_FAILED ||
	    envelope_open(body.data, body.size, &inner, &size, &signature, &signature_size))
		return rc;
	request_release(request);
	rc = request_decode(request, inner, size, &rejection);
	free(inner);
	free(signature);
	return rc;
}

static void drop(struct instance *in, struct journal_entry *entry,
                 const struct journal_record *record, const char *why)
{
	log_warning(PACKAGE, "plugin %s: request %.100s dropped: %s", in->descriptor->name,
	            record->request.sn, why);
	journal_done(in->services->journal, entry);
}

static enum gofer_err run_again(struct instance *in, struct tracked *tracked,
                                struct journal_entry *entry, const struct journal_record *record)
{
	struct request request;
	enum gofer_err rc = decode(&request, record->request.body);

	if (!rc)
		rc = execution_resume_take(in, &request, tracked, entry, record);
	request_release(&request);
	return rc;
}

static enum gofer_err take_up(struct instance *in, struct tracked *tracked,
                              struct journal_entry *entry, const struct journal_record *record)
{
	if (record->state != JOURNAL_RESULT)
		return run_again(in, tracked, entry, record);
	return record->request.replyto ? execution_resend(in, tracked, entry, record)
				       : GOFER_INVALID;
}

void resume_entry(struct instance *in, struct journal_entry *entry,
                  const struct journal_record *record)
{
	struct tracked *tracked;
	enum tracker_state known = tracker_add(in->services->tracker, in->descriptor->name,
	                                       record->request.sn, &tracked);
	enum gofer_err rc = GOFER_NOMEM;

	ASSERT_LOOP_THREAD(in->services->loop);
	if (known != TRACKER_NEW && known != TRACKER_NOMEM) {
		drop(in, entry, record, "it is in the journal twice");
		return;
	}
	if (known == TRACKER_NEW)
		rc = take_up(in, tracked, entry, record);
	if (rc == GOFER_OK)
		return;
	if (known == TRACKER_NEW)
		tracker_forget(in->services->tracker, tracked);
	if (rc == GOFER_INVALID || rc == GOFER_FAILED)
		drop(in, entry, record, "what the journal has of it is no request");
	else
		log_warning(PACKAGE, "plugin %s: request %.100s left in the journal: %s",
		            in->descriptor->name, record->request.sn, error_name(rc));
}

/* --- what was left -------------------------------------------------------------------- */

void resume_leave(struct resume_left **list, struct journal_entry *entry,
                  const struct journal_record *record)
{
	const char *plugin = record->request.plugin;
	struct resume_left *one = malloc(sizeof *one + strlen(plugin) + 1);

	log_warning(PACKAGE, "request %.100s left in the journal: plugin %s is not loaded",
	            record->request.sn, plugin);
	if (!one)
		return;
	one->entry = entry;
	strcpy(one->plugin, plugin);
	while (*list)
		list = &(*list)->next;
	one->next = NULL;
	*list = one;
}

static void on_left(void *context, struct journal_entry *entry, const struct journal_record *record)
{
	resume_entry(context, entry, record);
}

void resume_left(struct resume_left **list, struct instance *in)
{
	while (*list) {
		struct resume_left *one = *list;

		if (strcmp(one->plugin, in->descriptor->name) != 0) {
			list = &one->next;
			continue;
		}
		*list = one->next;
		journal_replay_one(in->services->journal, one->entry, on_left, in);
		free(one);
	}
}

void resume_forget(struct resume_left **list)
{
	while (*list) {
		struct resume_left *one = *list;

		*list = one->next;
		free(one);
	}
}
