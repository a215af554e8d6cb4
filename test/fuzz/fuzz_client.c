/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_client: what a hostile broker may send to a client. The first byte says how the client is set up,
 * the second how large the pieces are in which the rest comes (0: frame by frame; 255: each three bytes
 * stand for a frame, which is well-formed, if nothing else); between pieces the client says what it has
 * to say and its loop turns. Receivers take what comes and settle it in every way; senders send
 * to many addresses. Nothing here may crash, leak or hang.
 */
#include <proton/codec.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/client.h"
#include "core/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A connector that reaches nothing: the driver is fed by hand. */
struct hand {
	struct connector connector;
	struct driver *driver;
	connector_done *done;
	void *context;
	struct loop_timer *timer;
	bool gone; /* with the client */
};

struct world {
	struct loop *loop;
	struct hand hand;
	struct connection *c;
	unsigned settled;
	uint8_t how;
};

enum {
	HOW_PERSISTENT = 1,
	HOW_USER = 2,
	HOW_VHOST = 4,
	HOW_CLOSE_ON_OPEN = 8,
	HOW_FREE_ON_MESSAGE = 16,
	HOW_SEND_ON_OUTCOME = 32,
	HOW_CLOSE_AT_END = 64,
	HOW_NO_HEADERS = 128,
};

/* --- the connector ----------------------------------------------------------------------- */

static void on_timer(void *context)
{
	struct hand *hand = context;

	hand->done(hand->context, NULL);
}

static enum gofer_err hand_start(struct connector *k, connector_done *done, void *context,
                                 struct error *error)
{
	struct hand *hand = (struct hand *)k;

	(void)error;
	hand->driver = NULL;
	hand->done = done;
	hand->context = context;
	loop_timer_start(hand->timer, 0, 0);
	return GOFER_OK;
}

static void hand_stop(struct connector *k)
{
	struct hand *hand = (struct hand *)k;

	hand->driver = NULL;
	loop_timer_stop(hand->timer);
}

static const char *hand_stage(const struct connector *k)
{
	(void)k;
	return "connecting";
}

static enum gofer_err hand_attach(struct connector *k, struct driver *d, struct error *error)
{
	(void)error;
	((struct hand *)k)->driver = d;
	return GOFER_OK;
}

static void hand_free(struct connector *k)
{
	hand_stop(k);
	((struct hand *)k)->gone = true;
}

static const struct connector_ops hand_ops = {hand_start, hand_stop, hand_stage, hand_attach,
                                              hand_free};

/* --- the user ------------------------------------------------------------------------------ */

static void send_to(struct world *w, const char *address, bool request);

static void on_outcome(void *context, enum outcome outcome, const struct error *why)
{
	struct world *w = context;

	(void)outcome;
	(void)why;
	if (w->how & HOW_SEND_ON_OUTCOME && w->settled++ < 20)
		send_to(w, "again", w->settled % 2);
}

static void send_to(struct world *w, const char *address, bool request)
{
	struct message m = MESSAGE_INIT;
	struct send_options options = {.address = address,
	                               .message = &m,
	                               .request = request,
	                               .on_outcome = on_outcome,
	                               .context = w};

	m.body_kind = MESSAGE_STRING;
	m.body = (struct slice){"{}", 2};
	connection_send(w->c, &options);
}

static void on_up(struct connection *c, void *context)
{
	(void)c;
	send_to(context, "q", true);
	send_to(context, "amq.direct/k", false);
}

static void on_down(struct connection *c, const struct error *why, double retry_s, void *context)
{
	(void)c;
	(void)retry_s;
	(void)context;
	if (!why->code || !why->text[0])
		abort();
}

static const struct connection_events events = {on_up, on_down, NULL};

static void on_open(struct receiver *r, const char *address, void *context)
{
	struct world *w = context;

	if (!*address)
		abort();
	receiver_credit(r, 3);
	if (w->how & HOW_CLOSE_ON_OPEN)
		receiver_close(r);
}

static void on_message(struct receiver *r, struct delivery *d, void *context)
{
	struct world *w = context;
	const struct message *m = delivery_message(d);
	struct error why = {GOFER_INVALID, "fuzz"};

	receiver_credit(r, 1);
	if (m && m->body.size && memchr(m->body.data, 0xff, m->body.size))
		w->settled++;
	if (w->how & HOW_FREE_ON_MESSAGE) {
		connection_free(w->c);
		w->c = NULL;
	}
	delivery_settle(d, (enum outcome)(w->settled++ % (OUTCOME_LOST + 1)), &why);
}

static void on_receiver_down(struct receiver *r, const struct error *why, double retry_s,
                             void *context)
{
	(void)r;
	(void)retry_s;
	(void)context;
	if (!why->code || !why->text[0])
		abort();
}

static const struct receiver_events receiver_events = {on_open, on_message, on_receiver_down};

/* --- one run --------------------------------------------------------------------------------- */

static void open_receivers(struct world *w)
{
	static const struct receiver_options options[] = {
		{.address = "q", .durable = true},
		{.address = NULL},
		{.address = NULL, .exchange = "amq.direct"},
		{.address = "amq.topic/q"},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		receiver_open(w->c, &options[i], &receiver_events, w);
}

static bool begin(struct world *w)
{
	static const char *const urls[] = {"amqp://h", "amqp://u:p@h", "amqp://h/v",
	                                   "amqp://u:p@h/v"};
	struct url url;
	struct connection_options options = {.url = &url, .persistent = w->how & HOW_PERSISTENT};

	w->loop = loop_new(NULL);
	if (!w->loop)
		return false;
	w->hand.connector.ops = &hand_ops;
	w->hand.timer = loop_timer_new(w->loop, on_timer, &w->hand);
	if (!url_parse(&url, urls[(w->how & (HOW_USER | HOW_VHOST)) / 2], NULL))
		w->c = client_new(w->loop, &options, &w->hand.connector, &events, w, NULL);
	url_release(&url);
	return w->c;
}

static void turn(struct world *w)
{
	for (int i = 0; i < 3; i++)
		loop_run_once(w->loop, 0);
}

/* `more`: the client has no chance to answer before the next piece. */
static bool exchange(struct world *w, const uint8_t *data, size_t size, bool more)
{
	struct buf out = BUF_INIT;

	if (!w->hand.driver)
		return false;
	if (more)
		return driver_push(w->hand.driver, (const char *)data, size);
	driver_pull(w->hand.driver, &out);
	if (w->hand.driver)
		driver_push(w->hand.driver, (const char *)data, size);
	if (w->hand.driver)
		driver_pull(w->hand.driver, &out);
	buf_release(&out);
	turn(w);
	return true;
}

/* SASL as a server has it when all is well, so that not every input has to get through it. */
static void greet(struct world *w)
{
	static const char plain[] = "AMQP\3\1\0\0"
				    "\0\0\0\x15\2\1\0\0\0\x53\x40\xc0\x08\1\xa3\5PLAIN";
	static const char anonymous[] = "AMQP\3\1\0\0"
					"\0\0\0\x19\2\1\0\0\0\x53\x40\xc0\x0c\1\xa3\x09"
					"ANONYMOUS";
	static const char outcome[] = "\0\0\0\x10\2\1\0\0\0\x53\x44\xc0\3\1\x50\0"
				      "AMQP\0\1\0\0";

	if (w->how & HOW_USER)
		exchange(w, (const uint8_t *)plain, sizeof(plain) - 1, false);
	else
		exchange(w, (const uint8_t *)anonymous, sizeof(anonymous) - 1, false);
	exchange(w, (const uint8_t *)outcome, sizeof(outcome) - 1, false);
}

/* A frame begins with its size. */
static size_t frame_size(const uint8_t *data, size_t size)
{
	size_t frame;

	if (size < 4)
		return size;
	frame = (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
	return frame < 8 || frame > size ? size : frame;
}

static void feed(struct world *w, const uint8_t *data, size_t size, size_t piece)
{
	while (size) {
		size_t n = piece ? piece : frame_size(data, size);

		if (n > size)
			n = size;
		if (!exchange(w, data, n, false))
			return;
		data += n;
		size -= n;
	}
}

/* --- frames from three bytes: what, and two arguments ------------------------------------- */

enum {
	OPEN,
	BEGIN,
	ATTACH_SENDER,
	ATTACH_RECEIVER,
	FLOW,
	TRANSFER,
	DISPOSITION,
	DETACH,
	END,
	CLOSE
};

static const char *const conditions[] = {"amqp:not-found", "amqp:resource-deleted",
                                         "amqp:precondition-failed", "amqp:internal-error"};

static void fill_open(pn_data_t *f, uint8_t product)
{
	static const char *const products[] = {"gofer", "qpid-cpp", "RabbitMQ", "x"};

	pn_data_fill(f, "DL[SnnnnnnSn{sS}]", (uint64_t)0x10, "c",
	             product & 4 ? "ANONYMOUS-RELAY" : "x", "product", products[product % 4]);
}

/* The client's links are r1, s2, …; sessions are answered on channels of the same number. */
static void fill_attach(pn_data_t *f, bool receiver, uint8_t link, uint8_t how)
{
	const char *address = how & 1 ? "q" : NULL;
	char name[8];

	snprintf(name, sizeof(name), "%c%u", receiver ? 's' : 'r', link % 16 + 1u);
	if (how & 2)
		pn_data_fill(f, "DL[SIoBBnnnnI]", (uint64_t)0x12, name, how >> 5, receiver, 2, 0,
		             0);
	else
		pn_data_fill(f, "DL[SIoBBDL[S]DL[S]nnI]", (uint64_t)0x12, name, how >> 5, receiver,
		             2, 0, (uint64_t)0x28, address, (uint64_t)0x29, address, how & 4);
}

static void fill_transfer(pn_data_t *f, uint8_t handle, uint8_t how)
{
	pn_data_fill(f, "DL[IIzIoo]", (uint64_t)0x14, handle & 3, how & 15, (size_t)1, "t", 0,
	             (bool)(how & 16), (bool)(how & 32));
}

static void fill_frame(pn_data_t *f, uint8_t what, uint8_t a, uint8_t b)
{
	switch (what) {
	case OPEN: fill_open(f, b); break;
	case BEGIN: pn_data_fill(f, "DL[HIII]", (uint64_t)0x11, b & 15, 0, 100, 100); break;
	case ATTACH_SENDER: fill_attach(f, false, a, b); break;
	case ATTACH_RECEIVER: fill_attach(f, true, a, b); break;
	case FLOW:
		pn_data_fill(f, "DL[IIIIIII]", (uint64_t)0x13, b & 3, b & 64 ? 0 : 100, 0, 100,
		             b >> 7, 0, b & 31);
		break;
	case TRANSFER: fill_transfer(f, b & 1, b); break;
	case DISPOSITION:
		pn_data_fill(f, "DL[oIIoDL[]]", (uint64_t)0x15, (bool)(b & 1), b >> 5, b >> 2 & 3,
		             (bool)(b & 2), (uint64_t)0x23 + (b >> 4 & 7));
		break;
	case DETACH:
		pn_data_fill(f, "DL[IoDL[s]]", (uint64_t)0x16, b >> 6, (bool)(b & 1),
		             (uint64_t)0x1d, conditions[b >> 1 & 3]);
		break;
	case END:
		pn_data_fill(f, "DL[DL[s]]", (uint64_t)0x17, (uint64_t)0x1d, conditions[b & 3]);
		break;
	default: pn_data_fill(f, "DL[DL[s]]", (uint64_t)0x18, (uint64_t)0x1d, conditions[b & 3]);
	}
}

static bool exchange_frame(struct world *w, uint8_t what, uint8_t a, uint8_t b)
{
	static const char payload[] = "\0\x53\x77\xa1\5hello";
	uint8_t frame[512] = {0, 0, 0, 0, 2, 0, 0, (uint8_t)(a & 15)};
	pn_data_t *f = pn_data(16);
	ssize_t size;

	fill_frame(f, what % 10, a, b);
	size = pn_data_encode(f, (char *)frame + 8, sizeof(frame) - 64);
	pn_data_free(f);
	size = size > 0 ? size + 8 : 8;
	if (what % 10 == TRANSFER) {
		memcpy(frame + size, payload, sizeof(payload) - 1);
		size += sizeof(payload) - 1;
	}
	frame[2] = (uint8_t)(size >> 8);
	frame[3] = (uint8_t)size;
	return exchange(w, frame, (size_t)size, what & 0x80);
}

static void feed_frames(struct world *w, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 3 <= size && i < 3 * 500; i += 3)
		if (!exchange_frame(w, data[i], data[i + 1], data[i + 2]))
			return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {0};

	if (size < 2)
		return 0;
	log_level("", LOG_LEVEL_ERROR);
	w.how = data[0];
	if (begin(&w)) {
		open_receivers(&w);
		send_to(&w, "early", true);
		turn(&w);
		if (!(w.how & HOW_NO_HEADERS))
			greet(&w);
		if (data[1] == 255)
			feed_frames(&w, data + 2, size - 2);
		else
			feed(&w, data + 2, size - 2, data[1] * 16u);
		if (w.c && w.how & HOW_CLOSE_AT_END)
			connection_close(w.c);
		turn(&w);
	}
	connection_free(w.c);
	loop_timer_free(w.hand.timer);
	loop_free(w.loop);
	return 0;
}
