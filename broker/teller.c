/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/teller.h"

#include <stdlib.h>

TAILQ_HEAD(tidings_list, tidings);

/* Lives on after it is freed, until the loop has called it. */
struct teller {
	struct loop_task turn;
	struct loop *loop;
	struct tidings_list queued;
	size_t count;
	bool deferred; /* `turn` is the loop's */
	bool telling;
	bool freed;
};

static void reap(struct teller *teller)
{
	if (teller->freed && !teller->deferred && !teller->telling)
		free(teller);
}

static void on_turn(struct loop_task *turn)
{
	struct teller *teller = (struct teller *)turn;
	struct tidings *t;

	teller->deferred = false;
	teller->telling = true;
	for (size_t n = teller->count; n && !teller->freed; n--) {
		t = teller_take(teller);
		if (!t)
			break;
		t->tell(t);
	}
	teller->telling = false;
	reap(teller);
}

struct teller *teller_new(struct loop *loop)
{
	struct teller *teller = calloc(1, sizeof(*teller));

	if (!teller)
		return NULL;
	teller->turn.run = on_turn;
	teller->loop = loop;
	TAILQ_INIT(&teller->queued);
	return teller;
}

void teller_free(struct teller *teller)
{
	if (!teller)
		return;
	teller->freed = true;
	reap(teller);
}

void teller_add(struct teller *teller, struct tidings *t)
{
	if (t->queued)
		return;
	t->queued = true;
	TAILQ_INSERT_TAIL(&teller->queued, t, link);
	teller->count++;
	if (teller->deferred)
		return;
	teller->deferred = true;
	loop_defer(teller->loop, &teller->turn);
}

void teller_remove(struct teller *teller, struct tidings *t)
{
	if (!t->queued)
		return;
	t->queued = false;
	TAILQ_REMOVE(&teller->queued, t, link);
	teller->count--;
}

struct tidings *teller_take(struct teller *teller)
{
	struct tidings *t = TAILQ_FIRST(&teller->queued);

	if (t)
		teller_remove(teller, t);
	return t;
}
