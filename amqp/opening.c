/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/opening.h"

#include <proton/sasl.h>
#include <string.h>

#include "amqp/map.h"

/* --- ours -------------------------------------------------------------------------------- */

static void set_login(const struct client *c, pn_connection_t *connection,
                      pn_transport_t *transport)
{
	pn_sasl_t *sasl = pn_sasl(transport);

	if (c->url.user) {
		pn_connection_set_user(connection, c->url.user);
		pn_connection_set_password(connection, c->url.password ? c->url.password : "");
		pn_sasl_allowed_mechs(sasl, "PLAIN");
		/* It is what the url asks for: a password, and no TLS. */
		pn_sasl_set_allow_insecure_mechs(sasl, !c->tls);
	} else if (c->tls && tls_has_identity(c->tls)) {
		pn_sasl_allowed_mechs(sasl, "EXTERNAL ANONYMOUS");
	} else {
		pn_sasl_allowed_mechs(sasl, "ANONYMOUS");
	}
}

static enum gofer_err set_hostname(const struct client *c, pn_connection_t *connection,
                                   struct error *error)
{
	struct buf name = BUF_INIT;

	if (c->url.vhost)
		buf_printf(&name, "%s%s", c->vhost_prefixed ? "vhost:" : "", c->url.vhost);
	else
		buf_puts(&name, c->url.host);
	if (!buf_ok(&name))
		return error_set(error, GOFER_NOMEM, "out of memory");
	pn_connection_set_hostname(connection, buf_text(&name));
	buf_release(&name);
	return GOFER_OK;
}

static void put_property(pn_data_t *map, const char *key, const char *value)
{
	pn_data_put_symbol(map, pn_bytes(strlen(key), key));
	pn_data_put_string(map, pn_bytes(strlen(value), value));
}

static void set_properties(pn_connection_t *connection)
{
	pn_data_t *properties = pn_connection_properties(connection);

	map_begin(properties, NULL);
	put_property(properties, "product", "gofer");
	put_property(properties, "version", GOFER_VERSION);
	map_end(properties);
}

enum gofer_err opening_ours(const struct client *c, struct driver *d, struct error *error)
{
	pn_connection_t *connection = driver_connection(d);
	pn_transport_t *transport = driver_transport(d);

	pn_connection_set_container(connection, c->container);
	if (set_hostname(c, connection, error))
		return GOFER_NOMEM;
	set_properties(connection);
	if (c->tls && tls_apply(c->tls, transport, error))
		return GOFER_FAILED;
	set_login(c, connection, transport);
	pn_transport_set_idle_timeout(transport, (pn_millis_t)(c->heartbeat_s * 1000));
	pn_connection_open(connection);
	return GOFER_OK;
}

/* --- theirs ------------------------------------------------------------------------------ */

char *opening_property(pn_connection_t *connection, const char *key)
{
	pn_data_t *data = pn_connection_remote_properties(connection);
	pn_bytes_t value;

	if (!map_first(data) || !map_find(data, key) || pn_data_type(data) != PN_STRING)
		return strdup("");
	value = pn_data_get_string(data);
	return strndup(value.start ? value.start : "", value.size);
}

bool opening_offers(pn_connection_t *connection, const char *capability)
{
	pn_data_t *data = pn_connection_remote_offered_capabilities(connection);

	if (!map_first(data))
		return false;
	if (pn_data_type(data) == PN_ARRAY) {
		pn_data_enter(data);
		pn_data_next(data);
	}
	do {
		if (map_equals(pn_data_get_bytes(data), capability))
			return true;
	} while (pn_data_next(data));
	return false;
}

bool opening_is_refusal(pn_connection_t *connection)
{
	pn_data_t *data = pn_connection_remote_properties(connection);

	return map_first(data) && map_find(data, "amqp:connection-establishment-failed");
}
