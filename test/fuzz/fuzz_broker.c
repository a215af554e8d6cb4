/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes from a client into the broker's side of a connection, with queues and exchanges that
 * are there already, and a receiver inside the process that takes messages and settles them in each
 * way in turn. The first byte says whether passwords are asked for and into what pieces the rest is
 * cut; or that the rest are bodies of frames, each behind two bytes of length and one of channel,
 * that come framed as they should be, after a greeting in order.
 *
 * When the connection is over, nothing of it may be left: no consumer, nothing held, no dynamic
 * queue, and the queues' sums are right.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/hub.h"
#include "broker/local.h"
#include "broker/peer.h"
#include "broker/sasl.h"
#include "broker/users.h"
#include "core/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* Proton forgets the mechanism of a sasl-init frame when another one comes: a pn_strndup(), which
 * its shared library has no name for. What the broker forgets is still found: it is ours. */
const char *__lsan_default_suppressions(void)
{
	return "leak:pn_strndup\nleak:libqpid-proton\n";
}

enum { PASSWORDS = 1, PIECES = 2, FRAMES = 4 };

static struct loop *loop;
static struct users *users;
static struct hub hub;
static struct server server;
static unsigned settled;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static struct slice text(const char *s)
{
	return (struct slice){s, strlen(s)};
}

/* --- the receiver inside ----------------------------------------------------------------- */

static void on_up(struct connection *c, void *context)
{
	(void)c;
	(void)context;
}

static void on_open(struct receiver *r, const char *address, void *context)
{
	(void)context;
	require(address[0]);
	receiver_credit(r, 3);
}

static void on_message(struct receiver *r, struct delivery *d, void *context)
{
	(void)context;
	require(delivery_message(d) !=
	        NULL); /* what is no message comes no further than the link */
	delivery_settle(d, (enum outcome)(settled++ % 4), NULL);
	if (settled % 64)
		receiver_credit(r, 1);
}

static void on_receiver_down(struct receiver *r, const struct error *why, double retry_s,
                             void *context)
{
	(void)r;
	(void)context;
	require(why->code && retry_s >= 0);
}

static const struct connection_events connection_events = {on_up, NULL, NULL};
static const struct receiver_events receiver_events = {on_open, on_message, on_receiver_down};

/* --- the world --------------------------------------------------------------------------- */

static void make_users(void)
{
	char path[] = "/tmp/fuzz_broker.XXXXXX";
	int fd = mkstemp(path);

	require(write(fd, "ann:secret\n", 11) == 11);
	close(fd);
	users = users_load(path, NULL);
	unlink(path);
	require(users != NULL);
}

static void make_once(void)
{
	if (loop)
		return;
	log_level("", LOG_LEVEL_ERROR);
	log_level("broker", LOG_LEVEL_ERROR);
	loop = loop_new(NULL);
	make_users();
}

static void make_nodes(void)
{
	struct node *a, *x;

	require(!nodes_add_queue(&hub.nodes, text("a"), (struct node_flags){0}, 0, 0, &a, NULL));
	require(!nodes_add_exchange(&hub.nodes, text("x"), EXCHANGE_TOPIC, (struct node_flags){0},
	                            &x, NULL));
	require(!exchange_bind(x->exchange, a->queue, text("#")));
}

static void check_queue(const struct queue *q)
{
	size_t waiting = 0, bytes = 0, refused = 0, expiring = 0;
	const struct entry *e;

	TAILQ_FOREACH(e, &q->waiting, link)
	{
		const struct entry *next = TAILQ_NEXT(e, link);

		require(!e->holder && (!next || next->place > e->place));
		waiting++;
		bytes += e->blob->size;
		refused += e->refusals != NULL;
		expiring += e->blob->expires_ms != 0;
	}
	require(q->held == 0 && q->consumers == 0 && TAILQ_EMPTY(&q->all) && !q->ready_count);
	require(q->messages == waiting && q->bytes == bytes);
	require(q->refused == refused && q->expiring == expiring);
	require(TAILQ_EMPTY(&q->producers) && TAILQ_EMPTY(&q->starved));
	require(!q->node->flags.dynamic);
}

static void check_nodes(void)
{
	const struct name *n = NULL;

	while ((n = names_next(&hub.nodes.names, n)))
		if (((const struct node *)n)->queue)
			check_queue(((const struct node *)n)->queue);
}

/* The broker answers each piece before the next one comes: without its answers no session has a
 * window to send in. */
static void feed_piece(struct peer *p, const void *bytes, size_t size)
{
	struct buf out = BUF_INIT;

	if (!server.peers_count)
		return;
	driver_push(peer_driver(p), bytes, size);
	driver_pull(peer_driver(p), &out);
	buf_release(&out);
	loop_run_once(loop, 0);
}

static void feed(struct peer *p, const uint8_t *data, size_t size, size_t piece)
{
	for (; size; data += piece, size -= piece) {
		if (piece > size)
			piece = size;
		feed_piece(p, data, piece);
	}
}

/* SASL, ANONYMOUS; AMQP, an open frame. */
static const uint8_t greeting[] = "AMQP\3\1\0\0\0\0\0\x1a\2\1\0\0\0\x53\x41\xc0\x0d\2\xa3\x09"
				  "ANONYMOUS\x40"
				  "AMQP\0\1\0\0\0\0\0\x11\2\0\0\0\0\x53\x10\xc0\4\1\xa1\1c";

static void feed_frames(struct peer *p, const uint8_t *data, size_t size)
{
	struct buf frame = BUF_INIT;

	feed_piece(p, greeting, sizeof(greeting) - 1);
	while (size >= 3) {
		size_t n = (size_t)data[0] << 8 | data[1];
		unsigned char header[8] = {0, 0, 0, 0, 2, 0, 0, data[2]};

		n = n < size - 3 ? n : size - 3;
		header[1] = (unsigned char)((n + 8) >> 16);
		header[2] = (unsigned char)((n + 8) >> 8);
		header[3] = (unsigned char)(n + 8);
		buf_clear(&frame);
		buf_append(&frame, header, sizeof(header));
		buf_append(&frame, data + 3, n);
		feed_piece(p, frame.data, frame.size);
		data += 3 + n;
		size -= 3 + n;
	}
	buf_release(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct local_list locals = LIST_HEAD_INITIALIZER(locals);
	struct receiver_options options = {.address = "q"};
	struct connection *local;
	struct sasl *sasl;
	struct peer *p;

	if (!size)
		return 0;
	make_once();
	settled = 0;
	sasl = sasl_new(loop, data[0] & PASSWORDS ? users : NULL, false);
	server = (struct server){.hub = &hub,
	                         .sasl = sasl,
	                         .container = "broker",
	                         .peers_max = 2,
	                         .idle_timeout_ms = 10000};
	require(!hub_init(&hub, loop, 16, 4096, 1024) && !server_init(&server));
	make_nodes();
	local = local_new(&hub, &locals, &connection_events, NULL);
	receiver_open(local, &options, &receiver_events, NULL);
	p = peer_new(&server, false, NULL);
	require(p != NULL);
	if (data[0] & FRAMES)
		feed_frames(p, data + 1, size - 1);
	else
		feed(p, data + 1, size - 1, data[0] & PIECES ? 1u + data[0] / 8u : size);
	server_release(&server);
	require(!server.peers_count);
	connection_free(local);
	loop_run_once(loop, 0);
	check_nodes();
	hub_release(&hub);
	sasl_free(sasl);
	return 0;
}
