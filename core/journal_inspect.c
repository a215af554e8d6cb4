/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/journal_private.h"

static void show(const struct journal_entry *e,
                 void (*each)(void *context, const struct journal_sight *sight), void *context)
{
	struct journal_sight sight = {
		.state = (enum journal_state)e->state,
		.durable = e->durable,
		.accepted_ms = e->accepted_ms,
		.size = e->size,
	};
	struct journal_item item;

	journal_file_texts(e->head, e->head_size, &item);
	sight.plugin = item.plugin;
	sight.sn = item.sn;
	sight.replyto = item.replyto;
	each(context, &sight);
}

/* Segments may go while they are read: what was pending in them stands in a newer one then. */
static enum gofer_err load_quietly(const char *directory, struct journal **journal,
                                   struct error *error)
{
	enum gofer_err rc = GOFER_NOTFOUND;

	*journal = NULL;
	for (int i = 0; i < 5 && rc == GOFER_NOTFOUND; i++) {
		journal_free(*journal);
		*journal = journal_make(SIZE_MAX, SIZE_MAX);
		if (!*journal)
			return error_set(error, GOFER_NOMEM, "out of memory");
		rc = journal_store_open(&(*journal)->store, directory, true, error);
		if (rc)
			return rc;
		rc = journal_load(*journal, error);
	}
	return rc;
}

enum gofer_err journal_inspect(const char *directory,
                               void (*each)(void *context, const struct journal_sight *sight),
                               void *context, size_t *damaged, struct error *error)
{
	struct journal_entry **all = NULL;
	struct journal *j;
	enum gofer_err rc = load_quietly(directory, &j, error);
	size_t count = 0;

	if (!rc) {
		*damaged = (size_t)j->stats.damaged;
		all = journal_sorted(j, &count);
		if (!all)
			rc = error_set(error, GOFER_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < count; i++)
		show(all[i], each, context);
	free(all);
	journal_free(j);
	return rc;
}
