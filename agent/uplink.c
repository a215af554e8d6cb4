/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/uplink.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"

#define PACKAGE "agent.uplink"

enum state { UPLINK_NEW, UPLINK_UP, UPLINK_DOWN, UPLINK_CLOSED };

struct uplink {
	/* immutable */
	struct loop *loop;
	struct descriptor *descriptor; /* a reference */
	struct uplink_events events;
	struct buf label;

	/* loop only */
	struct connection *connection;
	struct outbox *outbox;
	enum state state;
	size_t ups;
};

static void change(struct uplink *u, enum state state)
{
	u->state = state;
	u->events.on_change(u->events.context);
}

static void on_up(struct connection *c, void *context)
{
	struct uplink *u = context;
	const char *product = connection_product(c);

	if (!u->descriptor->broker.own)
		log_info(PACKAGE, "%s: connected%s%.60s%s", uplink_label(u), *product ? " (" : "",
		         product, *product ? ")" : "");
	u->ups++;
	change(u, UPLINK_UP);
}

static void on_down(struct connection *c, const struct error *why, double retry_s, void *context)
{
	struct uplink *u = context;

	(void)c;
	if (u->state == UPLINK_DOWN)
		log_debug(PACKAGE, "%s: %s, next try in %.1f s", uplink_label(u), why->text,
		          retry_s);
	else
		log_warning(PACKAGE, "%s: %s; trying again until it is there", uplink_label(u),
		            why->text);
	change(u, UPLINK_DOWN);
}

static void on_closed(struct connection *c, void *context)
{
	(void)c;
	change(context, UPLINK_CLOSED);
}

static const struct connection_events connection_events = {on_up, on_down, on_closed};

static struct connection *connect_remote(struct uplink *u, struct error *error)
{
	const struct broker_settings *s = &u->descriptor->broker;
	struct connection_options options = {
		.url = &s->url,
		.cacert = s->cacert,
		.clientcert = s->clientcert,
		.clientkey = s->clientkey,
		.no_host_validation = !s->host_validation,
		.heartbeat_s = s->heartbeat_s,
		.persistent = true,
	};

	return connection_new(u->loop, &options, &connection_events, u, error);
}

static void on_unused(void *context)
{
	struct uplink *u = context;

	u->events.on_change(u->events.context);
}

static struct uplink *make(struct loop *loop, struct descriptor *descriptor,
                           const struct url *shown, const struct uplink_events *events)
{
	struct uplink *u = calloc(1, sizeof *u);

	if (!u)
		return NULL;
	u->loop = loop;
	u->descriptor = descriptor_ref(descriptor);
	u->events = *events;
	url_print(&u->label, shown);
	return u;
}

static struct uplink *out_of_memory(struct uplink *u, struct error *error)
{
	uplink_free(u);
	error_set(error, GOFER_NOMEM, "out of memory");
	return NULL;
}

static struct uplink *complete(struct uplink *u, struct error *error)
{
	u->outbox = outbox_new(u->loop, u->connection, on_unused, u);
	return u->outbox && buf_ok(&u->label) ? u : out_of_memory(u, error);
}

struct uplink *uplink_new(struct loop *loop, struct descriptor *descriptor,
                          const struct uplink_events *events, struct error *error)
{
	struct uplink *u = make(loop, descriptor, &descriptor->broker.url, events);

	if (!u)
		return out_of_memory(u, error);
	u->connection = connect_remote(u, error);
	if (u->connection)
		return complete(u, error);
	uplink_free(u);
	return NULL;
}

struct uplink *uplink_new_own(struct loop *loop, struct descriptor *descriptor,
                              struct broker *broker, const struct url *listen,
                              const struct uplink_events *events, struct error *error)
{
	struct url shown = *listen;
	struct uplink *u;

	if (!shown.port)
		shown.port = broker_port(broker);
	u = make(loop, descriptor, &shown, events);
	if (u)
		u->connection = broker_connect(broker, &connection_events, u);
	return u && u->connection ? complete(u, error) : out_of_memory(u, error);
}

void uplink_close(struct uplink *u)
{
	ASSERT_LOOP_THREAD(u->loop);
	connection_close(u->connection);
}

void uplink_free(struct uplink *u)
{
	if (!u)
		return;
	connection_free(u->connection);
	outbox_free(u->outbox);
	buf_release(&u->label);
	descriptor_unref(u->descriptor);
	free(u);
}

bool uplink_matches(const struct uplink *u, const struct broker_settings *settings)
{
	return broker_settings_equal(&u->descriptor->broker, settings);
}

bool uplink_is_unused(const struct uplink *u)
{
	return outbox_is_unused(u->outbox);
}

size_t uplink_reconnects(const struct uplink *u)
{
	return u->ups ? u->ups - 1 : 0;
}

struct connection *uplink_connection(struct uplink *u)
{
	return u->connection;
}

struct outbox *uplink_outbox(struct uplink *u)
{
	return u->outbox;
}

const char *uplink_label(const struct uplink *u)
{
	return buf_text(&u->label);
}

bool uplink_was_tried(const struct uplink *u)
{
	return u->state != UPLINK_NEW;
}

bool uplink_is_up(const struct uplink *u)
{
	return u->state == UPLINK_UP;
}

bool uplink_is_closed(const struct uplink *u)
{
	return u->state == UPLINK_CLOSED;
}
