/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_rig.h"

#include <proton/condition.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <string.h>
#include <sys/socket.h>

struct rig rig;

/* --- the world --------------------------------------------------------------------------- */

int rig_make(struct users *users, bool anonymous)
{
	rig.loop = loop_new(NULL);
	rig.sasl = sasl_new(rig.loop, users, anonymous);
	rig.server = (struct server){
		.hub = &rig.hub,
		.sasl = rig.sasl,
		.container = "under-test",
		.peers_max = 3,
		.idle_timeout_ms = 60000,
	};
	if (hub_init(&rig.hub, rig.loop, RIG_QUEUE_MESSAGES, 1 << 20, RIG_MESSAGE_BYTES))
		return -1;
	return server_init(&rig.server);
}

int rig_free(void **state)
{
	(void)state;
	server_release(&rig.server);
	hub_release(&rig.hub);
	sasl_free(rig.sasl);
	loop_free(rig.loop);
	return 0;
}

/* --- a client ---------------------------------------------------------------------------- */

static void on_event(struct driver *d, pn_event_t *event, void *context)
{
	struct rig_client *c = context;

	(void)d;
	if (pn_event_type(event) == PN_CONNECTION_REMOTE_OPEN)
		c->opened++;
}

static void on_closed(struct driver *d, const struct error *why, void *context)
{
	struct rig_client *c = context;

	(void)d;
	c->closed++;
	c->why = *why;
}

static const struct driver_handler handler = {on_event, on_closed};

void rig_turns(void)
{
	for (int i = 0; i < 30; i++)
		loop_run_once(rig.loop, 0);
}

static void join_by_socket(struct rig_client *c, struct peer *peer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(driver_attach_socket(c->driver, fds[0], NULL), GOFER_OK);
	assert_int_equal(driver_attach_socket(peer_driver(peer), fds[1], NULL), GOFER_OK);
}

void rig_start(struct rig_client *c, const char *user, const char *password)
{
	struct peer *peer = peer_new(&rig.server, false, NULL);

	*c = (struct rig_client){0};
	assert_non_null(peer);
	c->driver = driver_new(rig.loop, false, &handler, c);
	pn_connection_set_container(driver_connection(c->driver), "test");
	if (user) {
		pn_connection_set_user(driver_connection(c->driver), user);
		pn_connection_set_password(driver_connection(c->driver), password);
		pn_sasl_set_allow_insecure_mechs(pn_sasl(driver_transport(c->driver)), true);
		pn_sasl_allowed_mechs(pn_sasl(driver_transport(c->driver)), "PLAIN");
	}
	pn_connection_open(driver_connection(c->driver));
	if (user)
		join_by_socket(c, peer);
	else
		driver_attach_peer(c->driver, peer_driver(peer));
	rig_turns();
}

void rig_open(struct rig_client *c)
{
	rig_start(c, NULL, NULL);
	assert_int_equal(c->opened, 1);
	c->session = pn_session(driver_connection(c->driver));
	pn_session_open(c->session);
}

void rig_act(struct rig_client *c)
{
	driver_wake(c->driver);
	rig_turns();
}

pn_link_t *rig_sender(struct rig_client *c, const char *name, const char *address)
{
	pn_link_t *link = pn_sender(c->session, name);

	pn_terminus_set_address(pn_link_target(link), address);
	pn_link_open(link);
	rig_act(c);
	return link;
}

pn_link_t *rig_make_receiver(struct rig_client *c, const char *name, const char *address)
{
	pn_link_t *link = pn_receiver(c->session, name);

	pn_terminus_set_address(pn_link_source(link), address);
	return link;
}

pn_link_t *rig_receiver(struct rig_client *c, const char *name, const char *address, int credit)
{
	pn_link_t *link = rig_make_receiver(c, name, address);

	pn_link_open(link);
	pn_link_flow(link, credit);
	rig_act(c);
	return link;
}

pn_delivery_t *rig_send_bytes(struct rig_client *c, pn_link_t *link, const char *bytes, size_t size)
{
	static unsigned tag;
	pn_delivery_t *delivery;

	tag++;
	delivery = pn_delivery(link, pn_dtag((const char *)&tag, sizeof(tag)));
	pn_link_send(link, bytes, size);
	pn_link_advance(link);
	rig_act(c);
	return delivery;
}

pn_delivery_t *rig_send(struct rig_client *c, pn_link_t *link, const struct message *m)
{
	struct buf bytes = BUF_INIT;
	pn_delivery_t *delivery;

	assert_int_equal(message_encode(&bytes, m), GOFER_OK);
	delivery = rig_send_bytes(c, link, bytes.data, bytes.size);
	buf_release(&bytes);
	return delivery;
}

struct slice rig_text(const char *s)
{
	return (struct slice){s, strlen(s)};
}

pn_delivery_t *rig_send_text(struct rig_client *c, pn_link_t *link, const char *to,
                             const char *subject, const char *body)
{
	struct message m = {.priority = 4, .body_kind = MESSAGE_STRING, .body = rig_text(body)};

	if (to)
		m.to = rig_text(to);
	if (subject)
		m.subject = rig_text(subject);
	return rig_send(c, link, &m);
}

uint32_t rig_expect(pn_link_t *link, const char *body, pn_delivery_t **out)
{
	pn_delivery_t *delivery = pn_link_current(link);
	struct buf scratch = BUF_INIT;
	struct message m;
	char bytes[8192];
	ssize_t n;

	assert_non_null(delivery);
	assert_false(pn_delivery_partial(delivery));
	n = pn_link_recv(link, bytes, sizeof(bytes));
	assert_true(n > 0);
	assert_int_equal(message_decode(&m, bytes, (size_t)n, &scratch, NULL), GOFER_OK);
	assert_int_equal(m.body.size, strlen(body));
	assert_memory_equal(m.body.data, body, m.body.size);
	pn_link_advance(link);
	buf_release(&scratch);
	if (out)
		*out = delivery;
	return m.delivery_count;
}

void rig_settle(struct rig_client *c, pn_delivery_t *delivery, uint64_t state)
{
	pn_delivery_update(delivery, state);
	pn_delivery_settle(delivery);
	rig_act(c);
}

void rig_expect_detached(pn_link_t *link, const char *condition)
{
	assert_true(pn_link_state(link) & PN_REMOTE_CLOSED);
	assert_string_equal(pn_condition_get_name(pn_link_remote_condition(link)), condition);
}

void rig_expect_refused(pn_link_t *link, const char *condition)
{
	pn_terminus_t *far =
		pn_link_is_sender(link) ? pn_link_remote_target(link) : pn_link_remote_source(link);

	rig_expect_detached(link, condition);
	assert_int_equal(pn_terminus_get_type(far), PN_UNSPECIFIED);
}

void rig_expect_attached(pn_link_t *link)
{
	assert_true(pn_link_state(link) & PN_REMOTE_ACTIVE);
}

void rig_stop(struct rig_client *c)
{
	driver_free(c->driver);
	rig_turns();
}

struct queue *rig_queue(const char *name)
{
	struct node *node = nodes_find(&rig.hub.nodes, rig_text(name));

	assert_non_null(node);
	return node->queue;
}
