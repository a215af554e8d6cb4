/* SPDX-License-Identifier: Apache-2.0 */
#include "core/journal.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 100000
#define BYTES_MAX ((size_t)256 << 20)

struct journal_entry {
	struct journal_entry *newer, *older;
	struct journal_record record; /* points into `text` */
	char *result;
	char text[];
};

struct journal {
	size_t entries_max, bytes_max;
	void (*notify)(void *context);
	void *context;

	struct journal_entry *newest, *oldest;
	size_t count, bytes;
	struct journal_wait *waits, **waits_end;
};

struct journal *journal_new(const struct journal_options *options, struct error *error)
{
	struct journal *j = calloc(1, sizeof *j);

	if (!j) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	j->entries_max = options->entries_max ? options->entries_max : ENTRIES_MAX;
	j->bytes_max = options->bytes_max ? options->bytes_max : BYTES_MAX;
	j->notify = options->notify;
	j->context = options->context;
	j->waits_end = &j->waits;
	return j;
}

static void entry_free(struct journal_entry *entry)
{
	free(entry->result);
	free(entry);
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	for (struct journal_entry *newer, *e = j->oldest; e; e = newer) {
		newer = e->newer;
		entry_free(e);
	}
	free(j);
}

static bool has_room(const struct journal *j, size_t entries, size_t bytes)
{
	return j->count + entries <= j->entries_max && bytes <= j->bytes_max &&
		j->bytes <= j->bytes_max - bytes;
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* Copies `text` to `*at` and moves on; NULL stays NULL. */
static const char *put(char **at, const char *text, size_t size)
{
	char *start = *at;

	if (!text)
		return NULL;
	memcpy(start, text, size);
	*at += size;
	return start;
}

static struct journal_entry *entry_new(const struct journal_request *r)
{
	size_t plugin = text_size(r->plugin), sn = text_size(r->sn),
	       replyto = text_size(r->replyto);
	struct journal_entry *e = calloc(1, sizeof *e + plugin + sn + replyto + r->body.size + 1);
	char *at;

	if (!e)
		return NULL;
	at = e->text;
	e->record.request = *r;
	e->record.request.plugin = put(&at, r->plugin, plugin);
	e->record.request.sn = put(&at, r->sn, sn);
	e->record.request.replyto = put(&at, r->replyto, replyto);
	e->record.request.body.data = put(&at, r->body.data, r->body.size);
	return e;
}

static void tell(struct journal *j, struct journal_wait *wait)
{
	bool first = !j->waits;

	wait->next = NULL;
	wait->result = GOFER_OK;
	*j->waits_end = wait;
	j->waits_end = &wait->next;
	if (first)
		j->notify(j->context);
}

enum gofer_err journal_accept(struct journal *j, const struct journal_request *request,
                              struct journal_wait *wait, struct journal_entry **entry)
{
	struct journal_entry *e;

	if (!has_room(j, 1, request->body.size))
		return GOFER_FULL;
	e = entry_new(request);
	if (!e)
		return GOFER_NOMEM;
	e->older = j->newest;
	*(j->newest ? &j->newest->newer : &j->oldest) = e;
	j->newest = e;
	j->count++;
	j->bytes += request->body.size;
	*entry = e;
	if (wait)
		tell(j, wait);
	return GOFER_OK;
}

void journal_started(struct journal *j, struct journal_entry *entry)
{
	(void)j;
	entry->record.state = JOURNAL_STARTED;
}

enum gofer_err journal_result(struct journal *j, struct journal_entry *entry, struct slice result)
{
	char *copy;

	if (!has_room(j, 0, result.size))
		return GOFER_FULL;
	copy = malloc(result.size + 1);
	if (!copy)
		return GOFER_NOMEM;
	memcpy(copy, result.data, result.size);
	j->bytes += result.size - entry->record.result.size;
	free(entry->result);
	entry->result = copy;
	entry->record.state = JOURNAL_RESULT;
	entry->record.result = (struct slice){copy, result.size};
	return GOFER_OK;
}

void journal_done(struct journal *j, struct journal_entry *entry)
{
	*(entry->newer ? &entry->newer->older : &j->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &j->oldest) = entry->newer;
	j->count--;
	j->bytes -= entry->record.request.body.size + entry->record.result.size;
	entry_free(entry);
}

void journal_run(struct journal *j)
{
	struct journal_wait *waits = j->waits;

	j->waits = NULL;
	j->waits_end = &j->waits;
	for (struct journal_wait *next, *w = waits; w; w = next) {
		next = w->next;
		w->stored(w, w->result);
	}
}

void journal_replay(struct journal *j,
                    void (*each)(void *context, struct journal_entry *entry,
                                 const struct journal_record *record),
                    void *context)
{
	for (struct journal_entry *newer, *e = j->oldest; e; e = newer) {
		newer = e->newer;
		each(context, e, &e->record);
	}
}

size_t journal_count(const struct journal *j)
{
	return j->count;
}
