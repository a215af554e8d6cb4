/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes into a driver, as a client hears them from its broker or a broker from its client. The
 * first byte picks the side, whether a client speaks SASL, and how the rest is cut into pieces. The
 * owner answers every event as one does that takes all it is offered. A server has the broker's
 * SASL: proton's own goes down when a client names no mechanism.
 */
#include <proton/delivery.h>
#include <proton/link.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/driver.h"
#include "broker/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* Proton forgets the mechanism of a sasl-init frame when another one comes: a pn_strndup(), which
 * its shared library has no name for. Drivers that are forgotten are still found: they are ours. */
const char *__lsan_default_suppressions(void)
{
	return "leak:pn_strndup\nleak:libqpid-proton\n";
}

enum { SERVER = 1, SASL = 2, PIECES = 4 };

#define CREDIT 10
#define LINKS 3
#define SENDS 50 /* messages at most, whatever credit there is */

/* An input's owner. */
struct owner {
	unsigned closed, sent;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void open_link(pn_link_t *link)
{
	if (pn_link_state(link) & PN_LOCAL_UNINIT) {
		pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
		pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
		pn_link_open(link);
	}
	if (pn_link_is_receiver(link))
		pn_link_flow(link, CREDIT);
}

static void send_message(struct owner *owner, pn_link_t *link)
{
	if (pn_link_credit(link) <= 0 || pn_link_queued(link) || owner->sent == SENDS)
		return;
	owner->sent++;
	pn_delivery(link, pn_dtag((const char *)&owner->sent, sizeof(owner->sent)));
	pn_link_send(link, "\0\x53\x77\xa1\x01x", 6);
	pn_link_advance(link);
}

static void take_delivery(pn_delivery_t *delivery)
{
	pn_link_t *link = pn_delivery_link(delivery);
	char bytes[512];

	if (pn_link_is_sender(link)) {
		if (pn_delivery_updated(delivery))
			pn_delivery_settle(delivery);
		return;
	}
	if (!pn_delivery_readable(delivery) || delivery != pn_link_current(link))
		return;
	while (pn_link_recv(link, bytes, sizeof(bytes)) > 0)
		;
	if (pn_delivery_partial(delivery) && !pn_delivery_aborted(delivery))
		return;
	pn_delivery_update(delivery, PN_ACCEPTED);
	pn_delivery_settle(delivery);
	pn_link_flow(link, 1);
}

static void on_event(struct driver *d, pn_event_t *event, void *context)
{
	struct owner *owner = context;

	require(!owner->closed);
	switch (pn_event_type(event)) {
	case PN_CONNECTION_REMOTE_OPEN: pn_connection_open(driver_connection(d)); break;
	case PN_SESSION_REMOTE_OPEN: pn_session_open(pn_event_session(event)); break;
	case PN_LINK_REMOTE_OPEN: open_link(pn_event_link(event)); break;
	case PN_LINK_FLOW:
		if (pn_link_is_sender(pn_event_link(event)))
			send_message(owner, pn_event_link(event));
		break;
	case PN_DELIVERY: take_delivery(pn_event_delivery(event)); break;
	case PN_LINK_REMOTE_DETACH: pn_link_detach(pn_event_link(event)); break;
	case PN_LINK_REMOTE_CLOSE:
		pn_link_close(pn_event_link(event));
		pn_link_free(pn_event_link(event));
		break;
	case PN_SESSION_REMOTE_CLOSE:
		pn_session_close(pn_event_session(event));
		pn_session_free(pn_event_session(event));
		break;
	case PN_CONNECTION_REMOTE_CLOSE: pn_connection_close(driver_connection(d)); break;
	default: break;
	}
}

static void on_closed(struct driver *d, const struct error *why, void *context)
{
	(void)d;
	require(!why->code == !why->text[0]);
	((struct owner *)context)->closed++;
}

static const struct driver_handler handler = {on_event, on_closed};

/* What a client has begun when the first answer comes. */
static void begin(struct driver *d)
{
	pn_session_t *session = pn_session(driver_connection(d));
	char name[] = "0";

	pn_connection_open(driver_connection(d));
	pn_session_open(session);
	for (; *name < '0' + LINKS; ++*name) {
		pn_link_t *link =
			*name == '1' ? pn_sender(session, name) : pn_receiver(session, name);

		pn_link_open(link);
		if (pn_link_is_receiver(link))
			pn_link_flow(link, CREDIT);
	}
}

static void on_login(void *context)
{
	(void)context;
}

static void set_up(struct driver *d, uint8_t mode, struct sasl *sasl)
{
	if (mode & SERVER) {
		require(sasl_serve(sasl, driver_transport(d), on_login, NULL) == GOFER_OK);
		return;
	}
	if (mode & SASL)
		pn_sasl_allowed_mechs(pn_sasl(driver_transport(d)), "ANONYMOUS");
	begin(d);
}

static void feed(struct driver *d, const char *bytes, size_t size, size_t piece)
{
	struct buf out = BUF_INIT;
	bool more = true;

	driver_pull(d, &out);
	while (more && size) {
		size_t n = size < piece ? size : piece;

		more = driver_push(d, bytes, n);
		driver_pull(d, &out);
		bytes += n;
		size -= n;
	}
	require(buf_ok(&out));
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct loop *loop;
	static struct sasl *sasl;
	struct owner owner = {0};
	uint8_t mode = size ? *data : 0;
	struct driver *d;

	if (!loop) {
		loop = loop_new(NULL);
		sasl = sasl_new(loop, NULL, true);
	}
	d = driver_new(loop, mode & SERVER, &handler, &owner);
	require(d != NULL);
	set_up(d, mode, sasl);
	if (size)
		feed(d, (const char *)data + 1, size - 1, mode / PIECES ? mode / PIECES : SIZE_MAX);
	loop_run_once(loop, 0);
	require(owner.closed <= 1);
	driver_abort(d, GOFER_CANCELLED, "the input is over");
	loop_run_once(loop, 0);
	require(owner.closed == 1);
	driver_free(d);
	return 0;
}
