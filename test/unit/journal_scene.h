/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_scene: a journal in a directory of its own, those who wait for it, and what it replays.
 *
 *   scene_init(&s); entry = scene_store(&s, "sn"); ... scene_crash(&s); scene_replay(&s, &found, false); scene_release(&s);
 *
 * What fails, fails the test. Thread: the test's.
 */
#ifndef GOFER_TEST_JOURNAL_SCENE_H
#define GOFER_TEST_JOURNAL_SCENE_H

#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/journal.h"

#define BODY "{\"sn\": \"x\", \"request\": {}}"

struct scene {
	char directory[64], path[80];
	struct journal *journal;
	sem_t told;
};

void scene_init(struct scene *s);
void scene_release(struct scene *s);
/* Opens the journal that is there; it was freed. */
void scene_open(struct scene *s);
/* A second one in the same place. */
struct journal *scene_open_again(struct scene *s, struct error *error);
/* The process is killed: nothing more is written; and starts again. */
void scene_crash(struct scene *s);
/* For `notify`; the context is the scene. */
void scene_on_notify(void *context);

struct waiter {
	struct journal_wait wait; /* .stored = scene_on_stored */
	struct journal_entry *entry;
	unsigned *order; /* how many were told */
	unsigned place;  /* 1 is the first to be told; 0: not yet */
	enum gofer_err result;
};
void scene_on_stored(struct journal_wait *wait, enum gofer_err result);
/* Runs the journal until so many were told. */
void scene_wait_until(struct scene *s, const unsigned *count, unsigned wanted);

/* Enters a request of the plugin "demo", whose answer goes to "a/b". */
enum gofer_err scene_enter(struct scene *s, const char *sn, bool durable, const char *body,
                           struct journal_wait *wait, struct journal_entry **entry);
/* Enters a durable one and waits until it is stored. */
struct journal_entry *scene_store(struct scene *s, const char *sn);
void scene_store_result(struct scene *s, struct journal_entry *entry, const char *result);
/* Until all that nobody waits for is written, or can't be. */
void scene_settle(struct scene *s);
/* No file may be longer from now on; RLIM_INFINITY: any may. */
void scene_set_limit(unsigned long bytes);

struct found {
	struct scene *scene;
	size_t count;
	struct {
		char sn[40], text[64]; /* of the request, or of its result */
		enum journal_state state;
		bool durable;
		int kind;
	} all[256];
	bool drop;
};
/* `drop`: each is done. */
void scene_replay(struct scene *s, struct found *f, bool drop);

#endif
