/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/sender.h"

#include <stdlib.h>
#include <string.h>

#include "amqp/outlink.h"
#include "core/clock.h"

#define BUCKETS 256

struct sender {
	struct client *client;
	uint64_t seq;
	size_t count;            /* messages without outcome */
	struct send_list queue;  /* for no link yet: the connection is down */
	struct send_list failed; /* to be reported */
	struct buf scratch;

	struct outlink *relay; /* NULL: none is attached */
	bool no_relay;         /* offered, and then refused */
	struct outlink *buckets[BUCKETS];
	struct outlink *idle_head, *idle_tail; /* the longest idle one first */
	size_t idle_count;
	struct loop_timer *idle_timer;
};

/* --- outcomes ---------------------------------------------------------------------------- */

static void call_back(struct sender *s, struct send *m, enum outcome outcome,
                      const struct error *why)
{
	void (*on_outcome)(void *, enum outcome, const struct error *) = m->on_outcome;
	void *context = m->context;
	struct client *c = s->client;

	free(m);
	s->count--;
	if (!c->closed && on_outcome)
		on_outcome(context, outcome, why);
	if (!c->freed && !s->count)
		client_flushed(c);
}

void sender_done(struct sender *s, struct send *m, enum outcome outcome, const struct error *why)
{
	call_back(s, m, outcome, why);
}

/* A reason that there's no memory for is left out. */
void sender_fail(struct sender *s, struct send *m, enum outcome outcome, const struct error *why)
{
	m->outcome = outcome;
	m->why = malloc(sizeof(*m->why));
	if (m->why)
		*m->why = *why;
	send_append(&s->failed, m);
	client_defer(s->client);
}

void sender_report(struct sender *s)
{
	struct client *c = s->client;

	/* Those that fail meanwhile have a turn of their own. */
	for (size_t n = s->failed.count; n && !c->freed; n--) {
		struct send *m = s->failed.head;
		struct error *why = m->why;

		send_remove(&s->failed, m);
		call_back(s, m, m->outcome, why);
		free(why);
	}
}

bool sender_is_idle(const struct sender *s)
{
	return !s->count;
}

/* --- links ------------------------------------------------------------------------------- */

static struct outlink **bucket(struct sender *s, const char *address)
{
	uint32_t hash = 2166136261u;

	for (; *address; address++)
		hash = (hash ^ (unsigned char)*address) * 16777619u;
	return &s->buckets[hash % BUCKETS];
}

static void forget_link(struct sender *s, struct outlink *l)
{
	struct outlink **at;

	sender_link_busy(s, l);
	if (l == s->relay) {
		s->relay = NULL;
		return;
	}
	for (at = bucket(s, l->address); *at; at = &(*at)->next)
		if (*at == l) {
			*at = l->next;
			return;
		}
}

static struct outlink *relay_link(struct sender *s)
{
	if (!s->relay)
		s->relay = outlink_new(s, s->client, NULL);
	return s->relay;
}

static struct outlink *address_link(struct sender *s, const char *address)
{
	struct outlink **head = bucket(s, address), *l;

	for (l = *head; l; l = l->next)
		if (!strcmp(l->address, address))
			return l;
	l = outlink_new(s, s->client, address);
	if (l) {
		l->next = *head;
		*head = l;
	}
	return l;
}

static bool goes_by_relay(const struct sender *s, bool request)
{
	return s->client->relay && !s->no_relay && !(request && s->client->dialect->request_link);
}

static struct outlink *find_parked(struct sender *s)
{
	if (s->relay && s->relay->state == OUTLINK_PARKED)
		return s->relay;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct outlink *l = s->buckets[i]; l; l = l->next)
			if (l->state == OUTLINK_PARKED)
				return l;
	return NULL;
}

void sender_room(struct sender *s)
{
	struct outlink *l = find_parked(s);

	if (l)
		outlink_unpark(l);
}

static void close_link(struct sender *s, struct outlink *l, struct send_list *left)
{
	forget_link(s, l);
	outlink_free(l, left);
}

void sender_link_over(struct sender *s, struct outlink *l)
{
	close_link(s, l, NULL);
}

void sender_make_room(struct sender *s)
{
	if (s->idle_head)
		close_link(s, s->idle_head, NULL);
}

/* --- idle links -------------------------------------------------------------------------- */

static void wait_for_idle(struct sender *s)
{
	uint64_t age_ms;

	if (!s->idle_head)
		return;
	age_ms = clock_monotonic_ms() - s->idle_head->idle_since_ms;
	loop_timer_start(s->idle_timer, SENDER_IDLE_S - (double)age_ms / 1e3, 0);
}

/* The link to no node stays: it is one, and nearly always wanted. */
void sender_link_idle(struct sender *s, struct outlink *l)
{
	if (l == s->relay || l->idle)
		return;
	l->idle = true;
	l->idle_since_ms = clock_monotonic_ms();
	l->idle_next = NULL;
	l->idle_prev = s->idle_tail;
	*(s->idle_tail ? &s->idle_tail->idle_next : &s->idle_head) = l;
	s->idle_tail = l;
	s->idle_count++;
	if (s->idle_count > SENDER_IDLE_MAX)
		sender_make_room(s);
	else if (s->idle_count == 1)
		wait_for_idle(s);
	if (s->client->sessions >= s->client->sessions_max && find_parked(s))
		sender_make_room(s);
}

void sender_link_busy(struct sender *s, struct outlink *l)
{
	if (!l->idle)
		return;
	l->idle = false;
	*(l->idle_prev ? &l->idle_prev->idle_next : &s->idle_head) = l->idle_next;
	*(l->idle_next ? &l->idle_next->idle_prev : &s->idle_tail) = l->idle_prev;
	s->idle_count--;
}

static void on_idle_timer(void *context)
{
	struct sender *s = context;
	uint64_t now = clock_monotonic_ms();

	while (s->idle_head && now - s->idle_head->idle_since_ms >= SENDER_IDLE_S * 1000)
		sender_make_room(s);
	wait_for_idle(s);
}

/* --- messages ---------------------------------------------------------------------------- */

/* Encodes `message` for the node that the dialect makes of the address. */
static struct send *send_new(struct sender *s, const struct dialect *dialect, const char *address,
                             const struct message *message)
{
	struct message m = *message;
	struct buf *scratch = &s->scratch;
	size_t address_size = strlen(address) + 1;
	struct send *new;
	char *behind;

	dialect->properties(address, &m.to, &m.subject);
	buf_clear(scratch);
	if (message_encode(scratch, &m)) {
		buf_release(scratch);
		return NULL;
	}
	new = malloc(sizeof(*new) + address_size + scratch->size);
	if (!new)
		return NULL;
	behind = (char *)(new + 1);
	memset(new, 0, sizeof(*new));
	new->address = memcpy(behind, address, address_size);
	new->bytes = memcpy(behind + address_size, scratch->data, scratch->size);
	new->size = scratch->size;
	new->dialect = dialect;
	return new;
}

/* Writes the message anew for a broker that is another one than was thought. */
static struct send *respell(struct sender *s, struct send *old)
{
	struct message message;
	struct buf scratch = BUF_INIT;
	struct send *new = NULL;

	if (!message_decode(&message, old->bytes, old->size, &scratch, NULL))
		new = send_new(s, s->client->dialect, old->address, &message);
	buf_release(&scratch);
	if (!new)
		return NULL;
	new->seq = old->seq;
	new->request = old->request;
	new->on_outcome = old->on_outcome;
	new->context = old->context;
	free(old);
	return new;
}

static void fail_nomem(struct sender *s, struct send *m)
{
	struct error why;

	error_set(&why, GOFER_NOMEM, "out of memory");
	sender_fail(s, m, OUTCOME_LOST, &why);
}

/* Gives a message that is on no list to the link that it goes by. */
static void route(struct sender *s, struct send *m)
{
	struct send *spelt = m;
	struct outlink *l;

	if (m->dialect->properties != s->client->dialect->properties)
		spelt = respell(s, m);
	if (!spelt) {
		fail_nomem(s, m);
		return;
	}
	l = goes_by_relay(s, spelt->request) ? relay_link(s) : address_link(s, spelt->address);
	if (l)
		outlink_add(l, spelt);
	else
		fail_nomem(s, spelt);
}

static void route_queue(struct sender *s)
{
	struct send_list list = s->queue;

	s->queue = (struct send_list){NULL, NULL, 0};
	while (list.head) {
		struct send *m = list.head;

		send_remove(&list, m);
		route(s, m);
	}
}

enum gofer_err sender_send(struct sender *s, const struct send_options *options)
{
	struct client *c = s->client;
	struct send *m;

	if (s->count >= CONNECTION_SEND_MAX)
		return GOFER_FULL;
	m = send_new(s, c->dialect, options->address, options->message);
	if (!m)
		return GOFER_NOMEM;
	m->seq = ++s->seq;
	m->request = options->request;
	m->on_outcome = options->on_outcome;
	m->context = options->context;
	s->count++;
	if (c->state == CLIENT_UP)
		route(s, m);
	else
		send_append(&s->queue, m);
	return GOFER_OK;
}

/* --- up and down ------------------------------------------------------------------------- */

void sender_up(struct sender *s)
{
	s->no_relay = false;
	route_queue(s);
}

void sender_lost(struct sender *s)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (s->buckets[i])
			close_link(s, s->buckets[i], &s->queue);
	if (s->relay)
		close_link(s, s->relay, &s->queue);
	loop_timer_stop(s->idle_timer);
}

void sender_relay_over(struct sender *s, struct outlink *l)
{
	s->no_relay = true;
	close_link(s, l, &s->queue);
	route_queue(s);
}

void sender_give_up(struct sender *s, const struct error *why)
{
	struct send *m;

	while ((m = s->queue.head)) {
		send_remove(&s->queue, m);
		sender_fail(s, m, OUTCOME_LOST, why);
	}
}

struct sender *sender_new(struct client *c)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->client = c;
	s->idle_timer = loop_timer_new(c->loop, on_idle_timer, s);
	if (!s->idle_timer) {
		free(s);
		return NULL;
	}
	return s;
}

void sender_free(struct sender *s)
{
	if (!s)
		return;
	sender_lost(s);
	send_list_free(&s->queue);
	send_list_free(&s->failed);
	loop_timer_free(s->idle_timer);
	buf_release(&s->scratch);
	free(s);
}
