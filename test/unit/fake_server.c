/* SPDX-License-Identifier: Apache-2.0 */
#include "test/unit/fake_server.h"

#include <proton/delivery.h>
#include <proton/message.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USED_UP ((unsigned)-1)

static struct fake_server *of_connector(struct connector *k)
{
	return (struct fake_server *)((char *)k - offsetof(struct fake_server, connector));
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

/* --- the script -------------------------------------------------------------------------- */

static const char *script_name(pn_link_t *link)
{
	pn_terminus_t *t =
		pn_link_is_sender(link) ? pn_link_remote_source(link) : pn_link_remote_target(link);
	const char *address = pn_terminus_get_address(t);

	if (pn_terminus_is_dynamic(t))
		return "dynamic";
	return address ? address : "";
}

static struct fake_server_node *find_node(struct fake_server *s, const char *address)
{
	static struct fake_server_node usual;

	for (size_t i = 0; i < sizeof(s->nodes) / sizeof(*s->nodes) && s->nodes[i].address; i++)
		if (!strcmp(s->nodes[i].address, address) || !strcmp(s->nodes[i].address, "*"))
			return &s->nodes[i];
	return &usual;
}

/* Whether there is one more of a number of times; 0 is for ever. */
static bool once_more(unsigned *times)
{
	if (*times == USED_UP)
		return false;
	if (*times)
		*times = *times > 1 ? *times - 1 : USED_UP;
	return true;
}

/* --- links ------------------------------------------------------------------------------- */

static void set_condition(pn_condition_t *condition, const char *name)
{
	if (!*name)
		return;
	pn_condition_set_name(condition, name);
	pn_condition_set_description(condition, "as the script says");
}

static void refuse(struct fake_server *s, pn_link_t *link, const struct fake_server_node *node)
{
	s->refused++;
	if (node->end_session) {
		set_condition(pn_session_condition(pn_link_session(link)), node->condition);
		pn_session_close(pn_link_session(link));
		return;
	}
	pn_terminus_set_type(pn_link_source(link), PN_UNSPECIFIED);
	pn_terminus_set_type(pn_link_target(link), PN_UNSPECIFIED);
	set_condition(pn_link_condition(link), node->condition);
	pn_link_open(link);
	pn_link_close(link);
}

static void note_attach(struct fake_server *s, pn_link_t *link)
{
	pn_terminus_t *source = pn_link_remote_source(link);
	pn_data_t *capabilities = pn_terminus_capabilities(
		pn_link_is_sender(link) ? source : pn_link_remote_target(link));

	copy(s->last_source, sizeof(s->last_source), pn_terminus_get_address(source));
	copy(s->last_target, sizeof(s->last_target),
	     pn_terminus_get_address(pn_link_remote_target(link)));
	s->last_durability = (char)pn_terminus_get_durability(source);
	s->last_capability[0] = '\0';
	pn_data_rewind(capabilities);
	if (pn_data_next(capabilities)) {
		pn_bytes_t name = pn_data_get_bytes(capabilities);

		snprintf(s->last_capability, sizeof(s->last_capability), "%.*s", (int)name.size,
		         name.start);
	}
}

static void on_attach(struct fake_server *s, pn_link_t *link)
{
	struct fake_server_node *node = find_node(s, script_name(link));
	bool dynamic = pn_terminus_is_dynamic(pn_link_remote_source(link));
	char made[32];

	note_attach(s, link);
	if (node->mute)
		return;
	if (node->condition && once_more(&node->refusals)) {
		refuse(s, link, node);
		return;
	}
	s->attached++;
	pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
	pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
	if (dynamic) {
		snprintf(made, sizeof(made), "temp-%u", ++s->dynamic);
		pn_terminus_set_address(pn_link_source(link), made);
	}
	if (node->largest)
		pn_link_set_max_message_size(link, node->largest);
	pn_link_open(link);
	if (pn_link_is_receiver(link) && !node->no_credit)
		pn_link_flow(link, 500);
}

/* --- messages ---------------------------------------------------------------------------- */

static char *duplicate(struct slice slice)
{
	return slice.data ? strndup(slice.data, slice.size) : NULL;
}

static void detach_poisoned(pn_link_t *link)
{
	set_condition(pn_link_condition(link), "amqp:not-allowed");
	pn_link_close(link);
}

static void take_message(struct fake_server *s, pn_link_t *link, pn_delivery_t *delivery,
                         const char *bytes, size_t size)
{
	struct fake_server_message *to = &s->messages[s->count];
	struct fake_server_node *node = find_node(s, script_name(link));
	struct buf scratch = BUF_INIT;
	struct message m;

	if (message_decode(&m, bytes, size, &scratch, NULL) || s->count == SERVER_MAX)
		abort();
	to->to = duplicate(m.to);
	to->subject = duplicate(m.subject);
	to->body = duplicate(m.body);
	to->link = strdup(script_name(link));
	to->delivery = delivery;
	buf_release(&scratch);
	s->count++;
	if (node->poison && to->body && !strcmp(to->body, node->poison))
		detach_poisoned(link);
	else if (!node->hold)
		fake_server_settle(s, s->count - 1, node->outcome ? node->outcome : PN_ACCEPTED);
}

void fake_server_settle(struct fake_server *s, size_t i, uint64_t outcome)
{
	struct fake_server_message *m = &s->messages[i];

	if (m->settled)
		return;
	m->settled = true;
	pn_delivery_update(m->delivery, outcome);
	pn_delivery_settle(m->delivery);
	driver_wake(s->driver);
}

/* --- QMF --------------------------------------------------------------------------------- */

static bool find(pn_data_t *data, const char *key)
{
	pn_data_enter(data);
	while (pn_data_next(data)) {
		pn_bytes_t name = pn_data_get_bytes(data);

		pn_data_next(data);
		if (name.size == strlen(key) && !memcmp(name.start, key, name.size))
			return true;
	}
	return false;
}

static bool find_argument(pn_data_t *body, const char *key)
{
	pn_data_rewind(body);
	pn_data_next(body);
	return find(body, "_arguments") && find(body, key);
}

static void get_argument(pn_data_t *body, const char *key, char *to, size_t size)
{
	pn_bytes_t value;

	if (!find_argument(body, key))
		abort();
	value = pn_data_get_string(body);
	snprintf(to, size, "%.*s", (int)value.size, value.start);
}

static void note_request(struct fake_server *s, pn_data_t *body)
{
	char type[16];

	get_argument(body, "type", type, sizeof(type));
	if (!strcmp(type, "queue")) {
		get_argument(body, "name", s->queues[s->queues_count++ % 16], 64);
		if (find_argument(body, "properties") && find(body, "durable"))
			s->durable_queue = pn_data_get_bool(body);
	} else {
		get_argument(body, "name", s->bindings[s->bindings_count++ % 16], 128);
	}
}

static void put(pn_data_t *map, const char *key, const char *value)
{
	pn_data_put_string(map, pn_bytes(strlen(key), key));
	pn_data_put_string(map, pn_bytes(strlen(value), value));
}

static void fill_answer(struct fake_server *s, pn_message_t *answer)
{
	pn_data_t *properties = pn_message_properties(answer), *body = pn_message_body(answer);

	pn_data_put_map(properties);
	pn_data_enter(properties);
	put(properties, "method", "response");
	put(properties, "qmf.opcode", s->qmf_error ? "_exception" : "_method_response");
	pn_data_put_map(body);
	pn_data_enter(body);
	pn_data_put_string(body, pn_bytes(7, s->qmf_error ? "_values" : "_argume"));
	pn_data_put_map(body);
	pn_data_enter(body);
	if (!s->qmf_error)
		return;
	pn_data_put_string(body, pn_bytes(10, "error_code"));
	pn_data_put_uint(body, s->qmf_code);
	pn_data_put_string(body, pn_bytes(10, "error_text"));
	pn_data_put_binary(body, pn_bytes(strlen(s->qmf_error), s->qmf_error));
}

static void answer_request(struct fake_server *s, pn_message_t *request)
{
	pn_message_t *answer = pn_message();
	char bytes[2048];
	size_t size = sizeof(bytes);

	pn_message_set_correlation_id(answer, pn_message_get_correlation_id(request));
	fill_answer(s, answer);
	if (pn_message_encode(answer, bytes, &size))
		abort();
	fake_server_send_bytes(s, pn_message_get_reply_to(request), bytes, size);
	pn_message_free(answer);
}

static void take_request(struct fake_server *s, const char *bytes, size_t size)
{
	pn_message_t *request = pn_message();

	if (pn_message_decode(request, bytes, size))
		abort();
	note_request(s, pn_message_body(request));
	if (!s->qmf_mute)
		answer_request(s, request);
	pn_message_free(request);
}

/* --- the driver's events ----------------------------------------------------------------- */

static void on_delivery(struct fake_server *s, pn_link_t *link, pn_delivery_t *delivery)
{
	char *bytes;
	size_t size;

	if (!pn_link_is_receiver(link)) {
		if (pn_delivery_settled(delivery) && !s->keep_settled)
			pn_delivery_settle(delivery);
		return;
	}
	/* A broker is done with a link that it has detached. */
	if (pn_link_state(link) & PN_LOCAL_CLOSED)
		return;
	if (!pn_delivery_readable(delivery) || pn_delivery_partial(delivery))
		return;
	size = pn_delivery_pending(delivery);
	bytes = malloc(size + 1);
	pn_link_recv(link, bytes, size);
	pn_link_advance(link);
	pn_link_flow(link, 1);
	if (s->qmf && !strcmp(script_name(link), "qmf.default.direct")) {
		pn_delivery_update(delivery, PN_ACCEPTED);
		pn_delivery_settle(delivery);
		take_request(s, bytes, size);
	} else {
		take_message(s, link, delivery, bytes, size);
	}
	free(bytes);
}

static void open_connection(struct fake_server *s, pn_connection_t *connection)
{
	pn_data_t *properties = pn_connection_properties(connection);

	copy(s->hostname, sizeof(s->hostname), pn_connection_remote_hostname(connection));
	if (s->need_hostname && strcmp(s->need_hostname, s->hostname)) {
		driver_abort(s->driver, GOFER_FAILED, "another host");
		return;
	}
	if (s->product) {
		pn_data_put_map(properties);
		pn_data_enter(properties);
		pn_data_put_symbol(properties, pn_bytes(7, "product"));
		pn_data_put_string(properties, pn_bytes(strlen(s->product), s->product));
		pn_data_exit(properties);
	}
	if (s->relay)
		pn_data_put_symbol(pn_connection_offered_capabilities(connection),
		                   pn_bytes(15, "ANONYMOUS-RELAY"));
	pn_connection_open(connection);
	if (s->open_condition && once_more(&s->open_refusals)) {
		set_condition(pn_connection_condition(connection), s->open_condition);
		pn_connection_close(connection);
	}
}

static void on_event(struct driver *d, pn_event_t *event, void *context)
{
	struct fake_server *s = context;

	switch (pn_event_type(event)) {
	case PN_CONNECTION_REMOTE_OPEN: open_connection(s, driver_connection(d)); break;
	case PN_CONNECTION_REMOTE_CLOSE:
		s->closes++;
		pn_connection_close(driver_connection(d));
		break;
	case PN_SESSION_REMOTE_OPEN:
		pn_session_open(pn_event_session(event));
		if (++s->sessions > s->highest_sessions)
			s->highest_sessions = s->sessions;
		break;
	case PN_SESSION_REMOTE_CLOSE:
		s->sessions--;
		pn_session_close(pn_event_session(event));
		break;
	case PN_LINK_REMOTE_OPEN: on_attach(s, pn_event_link(event)); break;
	case PN_LINK_REMOTE_CLOSE:
	case PN_LINK_REMOTE_DETACH:
		s->detached_links++;
		pn_link_close(pn_event_link(event));
		break;
	case PN_LINK_FLOW:
		if (pn_link_is_sender(pn_event_link(event)))
			s->flows++;
		break;
	case PN_DELIVERY: on_delivery(s, pn_event_link(event), pn_event_delivery(event)); break;
	default: break;
	}
}

static void on_closed(struct driver *d, const struct error *why, void *context)
{
	struct fake_server *s = context;

	(void)why;
	driver_free(d);
	s->driver = NULL;
}

static const struct driver_handler handler = {on_event, on_closed};

/* --- the connector ----------------------------------------------------------------------- */

static void on_timer(void *context)
{
	static const struct error why = {GOFER_UNREACHABLE, "nobody there"};
	struct fake_server *s = context;

	s->done(s->context, s->unreachable ? &why : NULL);
}

static enum gofer_err start(struct connector *k, connector_done *done, void *context,
                            struct error *error)
{
	struct fake_server *s = of_connector(k);

	(void)error;
	s->starts++;
	s->done = done;
	s->context = context;
	if (!s->silent)
		loop_timer_start(s->timer, 0, 0);
	return GOFER_OK;
}

static void stop(struct connector *k)
{
	of_connector(k)->stops++;
	loop_timer_stop(of_connector(k)->timer);
}

static const char *stage(const struct connector *k)
{
	(void)k;
	return "connecting";
}

static enum gofer_err attach(struct connector *k, struct driver *client, struct error *error)
{
	struct fake_server *s = of_connector(k);
	pn_transport_t *transport;

	(void)error;
	s->client = client;
	s->connections++;
	s->sessions = 0;
	if (s->detached)
		return GOFER_OK;
	driver_free(s->driver);
	s->driver = driver_new(s->loop, true, &handler, s);
	transport = driver_transport(s->driver);
	pn_sasl_allowed_mechs(pn_sasl(transport), "ANONYMOUS");
	pn_connection_set_container(driver_connection(s->driver), "fake");
	if (s->channel_max)
		pn_transport_set_channel_max(transport, s->channel_max);
	driver_attach_peer(client, s->driver);
	return GOFER_OK;
}

static void connector_free(struct connector *k)
{
	stop(k);
}

static const struct connector_ops ops = {start, stop, stage, attach, connector_free};

/* --- what tests do ----------------------------------------------------------------------- */

void fake_server_init(struct fake_server *s, struct loop *loop, const char *product)
{
	memset(s, 0, sizeof(*s));
	s->connector.ops = &ops;
	s->loop = loop;
	s->product = product;
	s->timer = loop_timer_new(loop, on_timer, s);
}

void fake_server_release(struct fake_server *s)
{
	driver_free(s->driver);
	loop_timer_free(s->timer);
	for (size_t i = 0; i < s->count; i++) {
		free(s->messages[i].to);
		free(s->messages[i].subject);
		free(s->messages[i].body);
		free(s->messages[i].link);
	}
}

void fake_server_vanish(struct fake_server *s)
{
	driver_abort(s->driver, GOFER_FAILED, "vanished");
}

void fake_server_close(struct fake_server *s, const char *condition)
{
	set_condition(pn_connection_condition(driver_connection(s->driver)), condition);
	pn_connection_close(driver_connection(s->driver));
	driver_wake(s->driver);
}

static pn_link_t *find_link(struct fake_server *s, const char *address, bool sender)
{
	pn_link_t *link =
		pn_link_head(driver_connection(s->driver), PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE);

	for (; link; link = pn_link_next(link, PN_LOCAL_ACTIVE | PN_REMOTE_ACTIVE)) {
		pn_terminus_t *t = sender ? pn_link_source(link) : pn_link_target(link);
		const char *name = pn_terminus_get_address(t);

		if (pn_link_is_sender(link) == sender && !strcmp(name ? name : "", address))
			return link;
	}
	return NULL;
}

pn_link_t *fake_server_sender(struct fake_server *s, const char *address)
{
	return find_link(s, address, true);
}

pn_link_t *fake_server_receiver(struct fake_server *s, const char *address)
{
	return find_link(s, address, false);
}

pn_delivery_t *fake_server_send_bytes(struct fake_server *s, const char *address, const char *bytes,
                                      size_t size)
{
	static unsigned tag;
	pn_link_t *link = fake_server_sender(s, address);
	pn_delivery_t *delivery;

	if (!link || pn_link_credit(link) <= 0)
		return NULL;
	tag++;
	delivery = pn_delivery(link, pn_dtag((const char *)&tag, sizeof(tag)));
	pn_link_send(link, bytes, size);
	pn_link_advance(link);
	driver_wake(s->driver);
	return delivery;
}

bool fake_server_send(struct fake_server *s, const char *address, const char *body)
{
	struct message m = MESSAGE_INIT;
	struct buf bytes = BUF_INIT;
	bool sent;

	m.body_kind = MESSAGE_STRING;
	m.body = (struct slice){body, strlen(body)};
	if (message_encode(&bytes, &m))
		abort();
	sent = fake_server_send_bytes(s, address, bytes.data, bytes.size);
	buf_release(&bytes);
	return sent;
}

void fake_server_detach(struct fake_server *s, pn_link_t *link, const char *condition)
{
	set_condition(pn_link_condition(link), condition);
	pn_link_close(link);
	driver_wake(s->driver);
}

void fake_server_give_credit(struct fake_server *s, const char *address, int credit)
{
	pn_link_flow(fake_server_receiver(s, address), credit);
	driver_wake(s->driver);
}

const char *fake_server_bodies(struct fake_server *s)
{
	static char text[16384];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < s->count && at < sizeof(text); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "",
		                       s->messages[i].body);
	return text;
}
