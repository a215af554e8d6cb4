/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/outbox.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/uuid.h"

#define PACKAGE "agent.outbox"
#define RETRY_S 0.5
#define TOLD_MAX 64
#define CONTENT_TYPE "application/json"

struct outbox {
	/* immutable */
	struct loop *loop;
	struct connection *connection;
	void (*on_unused)(void *context);
	void *context;

	/* loop only */
	size_t holders;
	bool held;                                  /* ever */
	struct outbox_wait *waiting, **waiting_end; /* those that there was no room for */
	struct outbox_wait *full;                   /* those whose queue was */
	struct loop_timer *retry;
	uint64_t told[TOLD_MAX]; /* hashes of addresses that nobody was at */
	unsigned told_next;
};

static enum gofer_err try_send(struct outbox *o, const struct outbox_reply *reply,
                               struct outbox_wait *wait);

static void start_retrying(struct outbox *o)
{
	if (!o->waiting && !o->full)
		loop_timer_start(o->retry, RETRY_S, RETRY_S);
}

/* In order: the first that can't go keeps the others back. */
static void retry_waiting(struct outbox *o)
{
	while (o->waiting) {
		struct outbox_wait *wait = o->waiting, *next = wait->next;

		if (try_send(o, &wait->reply, wait))
			break;
		o->waiting = next;
	}
	if (!o->waiting)
		o->waiting_end = &o->waiting;
}

static void retry_full(struct outbox *o)
{
	struct outbox_wait *all = o->full;

	o->full = NULL;
	for (struct outbox_wait *next, *wait = all; wait; wait = next) {
		next = wait->next;
		if (try_send(o, &wait->reply, wait)) {
			wait->next = o->full;
			o->full = wait;
		}
	}
}

static void on_retry(void *context)
{
	struct outbox *o = context;

	retry_waiting(o);
	retry_full(o);
	if (!o->waiting && !o->full)
		loop_timer_stop(o->retry);
}

struct outbox *outbox_new(struct loop *loop, struct connection *connection,
                          void (*on_unused)(void *context), void *context)
{
	struct outbox *o = calloc(1, sizeof *o);

	if (!o)
		return NULL;
	o->loop = loop;
	o->connection = connection;
	o->on_unused = on_unused;
	o->context = context;
	o->waiting_end = &o->waiting;
	o->retry = loop_timer_new(loop, on_retry, o);
	if (!o->retry) {
		free(o);
		return NULL;
	}
	return o;
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	loop_timer_free(o->retry);
	free(o);
}

struct outbox *outbox_hold(struct outbox *o)
{
	o->holders++;
	o->held = true;
	return o;
}

void outbox_let_go(struct outbox *o)
{
	if (o && --o->holders == 0 && o->on_unused)
		o->on_unused(o->context);
}

bool outbox_is_unused(const struct outbox *o)
{
	return o->held && o->holders == 0;
}

static uint64_t hash_address(const char *address)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *address; address++)
		hash = (hash ^ (unsigned char)*address) * 0x100000001b3u;
	return hash;
}

static bool was_told(struct outbox *o, const char *address)
{
	uint64_t hash = hash_address(address);

	for (unsigned i = 0; i < TOLD_MAX; i++)
		if (o->told[i] == hash)
			return true;
	o->told[o->told_next++ % TOLD_MAX] = hash;
	return false;
}

/* Whether there may be room later, and it is worth the while. */
static bool wait_for_room(struct outbox_wait *wait, const struct error *why)
{
	struct outbox *o = wait->outbox;
	uint64_t now_ms = clock_monotonic_ms();

	if (!why || why->code != GOFER_FULL)
		return false;
	if (!wait->until_ms)
		wait->until_ms = now_ms + OUTBOX_FULL_S * 1000;
	if (now_ms >= wait->until_ms)
		return false;
	start_retrying(o);
	wait->next = o->full;
	o->full = wait;
	return true;
}

static void on_outcome(void *context, enum outcome outcome, const struct error *why)
{
	struct outbox_wait *wait = context;
	const char *address = wait->reply.address;

	if (outcome != OUTCOME_ACCEPTED && outcome != OUTCOME_LOST && wait_for_room(wait, why))
		return;
	if (outcome != OUTCOME_ACCEPTED && outcome != OUTCOME_LOST &&
	    !was_told(wait->outbox, address))
		log_info(PACKAGE, "reply address %.100s: nobody takes it there (%s), dropped",
		         address, why && why->text[0] ? why->text : "no reason given");
	wait->done(wait, outcome);
}

static enum gofer_err try_send(struct outbox *o, const struct outbox_reply *reply,
                               struct outbox_wait *wait)
{
	char id[UUID_TEXT_SIZE];
	struct message message = MESSAGE_INIT;

	uuid_generate(id);
	message.durable = reply->durable;
	message.message_id = (struct slice){id, UUID_TEXT_SIZE - 1};
	message.correlation_id = reply->correlation;
	message.content_type = (struct slice){CONTENT_TYPE, sizeof CONTENT_TYPE - 1};
	message.body_kind = reply->kind;
	message.body = reply->body;
	return connection_send(o->connection,
	                       &(struct send_options){
				       .address = reply->address,
				       .message = &message,
				       .on_outcome = wait ? on_outcome : NULL,
				       .context = wait,
			       });
}

void outbox_send(struct outbox *o, const struct outbox_reply *reply)
{
	enum gofer_err rc;

	ASSERT_LOOP_THREAD(o->loop);
	rc = try_send(o, reply, NULL);
	if (rc)
		log_debug(PACKAGE, "reply to %.100s dropped: %s", reply->address, error_name(rc));
}

void outbox_send_last(struct outbox *o, const struct outbox_reply *reply, struct outbox_wait *wait)
{
	ASSERT_LOOP_THREAD(o->loop);
	wait->outbox = o;
	wait->reply = *reply;
	wait->next = NULL;
	wait->until_ms = 0;
	if (!o->waiting && try_send(o, reply, wait) == GOFER_OK)
		return;
	start_retrying(o);
	*o->waiting_end = wait;
	o->waiting_end = &wait->next;
}
