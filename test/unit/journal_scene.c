/* SPDX-License-Identifier: Apache-2.0 */
#include "test/unit/journal_scene.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/journal_private.h"
#include "core/log.h"

void scene_on_notify(void *context)
{
	sem_post(&((struct scene *)context)->told);
}

struct journal *scene_open_again(struct scene *s, struct error *error)
{
	const struct journal_options options = {
		.directory = s->path,
		.notify = scene_on_notify,
		.context = s,
	};

	return journal_new(&options, error);
}

void scene_open(struct scene *s)
{
	struct error error = ERROR_NONE;

	s->journal = scene_open_again(s, &error);
	if (!s->journal)
		fail_msg("%s", error.text);
}

void scene_init(struct scene *s)
{
	memset(s, 0, sizeof *s);
	strcpy(s->directory, "/tmp/gofer-journal-XXXXXX");
	assert_non_null(mkdtemp(s->directory));
	snprintf(s->path, sizeof s->path, "%s/var/j", s->directory);
	sem_init(&s->told, 0, 0);
	log_level("core.journal", LOG_LEVEL_ERROR);
	scene_open(s);
}

/* Its own descriptors hold the lock, so they go. */
void scene_crash(struct scene *s)
{
	char from[80], to[80], command[256];

	snprintf(from, sizeof from, "%s", s->path);
	snprintf(to, sizeof to, "%s/crash", s->directory);
	snprintf(command, sizeof command, "rm -rf %s && cp -r %s %s", to, from, to);
	assert_int_equal(system(command), 0);
	journal_free(s->journal);
	snprintf(command, sizeof command, "rm -rf %s && mv %s %s", from, to, from);
	assert_int_equal(system(command), 0);
	scene_open(s);
}

void scene_release(struct scene *s)
{
	char command[128];

	journal_free(s->journal);
	snprintf(command, sizeof command, "rm -rf %s", s->directory);
	assert_int_equal(system(command), 0);
	sem_destroy(&s->told);
}

void scene_on_stored(struct journal_wait *wait, enum gofer_err result)
{
	struct waiter *w = (struct waiter *)wait;

	w->place = ++*w->order;
	w->result = result;
}

void scene_wait_until(struct scene *s, const unsigned *count, unsigned wanted)
{
	while (*count < wanted) {
		struct timespec limit;

		clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_sec += 60;
		assert_int_equal(sem_timedwait(&s->told, &limit), 0);
		journal_run(s->journal);
	}
}

enum gofer_err scene_enter(struct scene *s, const char *sn, bool durable, const char *body,
                           struct journal_wait *wait, struct journal_entry **entry)
{
	const struct journal_request request = {
		.plugin = "demo",
		.sn = sn,
		.replyto = "a/b",
		.body_kind = 2,
		.durable = durable,
		.body = {body, strlen(body)},
	};

	return journal_accept(s->journal, &request, wait, entry);
}

struct journal_entry *scene_store(struct scene *s, const char *sn)
{
	unsigned order = 0;
	struct waiter w = {.wait.stored = scene_on_stored, .order = &order};

	assert_int_equal(scene_enter(s, sn, true, BODY, &w.wait, &w.entry), GOFER_OK);
	scene_wait_until(s, &order, 1);
	assert_int_equal(w.result, GOFER_OK);
	return w.entry;
}

void scene_store_result(struct scene *s, struct journal_entry *entry, const char *result)
{
	unsigned order = 0;
	struct waiter w = {.wait.stored = scene_on_stored, .order = &order};

	assert_int_equal(journal_result(s->journal, entry, (struct slice){result, strlen(result)},
	                                &w.wait),
	                 GOFER_OK);
	scene_wait_until(s, &order, 1);
	assert_int_equal(w.result, GOFER_OK);
}

/* Several looks: what is just being written is not on the list any more. */
void scene_settle(struct scene *s)
{
	unsigned calm = 0;

	for (int i = 0; calm < 5 && i < 10000; i++) {
		usleep(JOURNAL_DELAY_MS * 1000);
		pthread_mutex_lock(&s->journal->lock);
		calm = !s->journal->head && !s->journal->touched ? calm + 1 : 0;
		if (s->journal->stats.failing)
			i = 10000;
		pthread_mutex_unlock(&s->journal->lock);
	}
}

void scene_set_limit(unsigned long bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* --- what is replayed ------------------------------------------------------------------ */

static void on_entry(void *context, struct journal_entry *entry, const struct journal_record *r)
{
	struct found *f = context;
	struct slice text = r->state == JOURNAL_RESULT ? r->result : r->request.body;

	assert_true(f->count < 256);
	assert_string_equal(r->request.plugin, "demo");
	assert_string_equal(r->request.replyto, "a/b");
	assert_true(r->accepted_ms > 1600000000000);
	snprintf(f->all[f->count].sn, 40, "%s", r->request.sn);
	snprintf(f->all[f->count].text, 64, "%.*s", (int)text.size, text.data);
	f->all[f->count].state = r->state;
	f->all[f->count].durable = r->request.durable;
	f->all[f->count].kind = r->request.body_kind;
	f->count++;
	if (f->drop)
		journal_done(f->scene->journal, entry);
}

void scene_replay(struct scene *s, struct found *f, bool drop)
{
	memset(f, 0, sizeof *f);
	f->scene = s;
	f->drop = drop;
	journal_replay(s->journal, on_entry, f);
}
