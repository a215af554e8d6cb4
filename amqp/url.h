/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url: a broker's address, [adapter+]scheme://[user[:password]@]host[:port][/virtual-host].
 *
 * Schemes amqp and tcp (port 5672), amqps and ssl (5671); none means amqp. Adapter names of the
 * Python system are taken and forgotten. IPv6 in brackets; percent-escapes are decoded in user,
 * password and virtual host. Thread: any.
 */
#ifndef GOFER_AMQP_URL_H
#define GOFER_AMQP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

struct url {
	bool tls;
	char *user, *password; /* NULL if absent */
	char *host;            /* without brackets; never NULL once parsed */
	uint16_t port;
	char *vhost; /* NULL if absent or empty */
};

/* Parses; `error` quotes the url without its password. url_release() in every case. */
enum gofer_err url_parse(struct url *url, const char *text, struct error *error);
void url_release(struct url *url);
enum gofer_err url_copy(struct url *to, const struct url *from);
/* Appends the url as people may see it: without user and password. */
void url_print(struct buf *out, const struct url *url);
/* Whether both name the same broker as the same user. */
bool url_equal(const struct url *a, const struct url *b);
/* Whether the host is an address of the loopback range, or "localhost". */
bool url_is_loopback(const struct url *url);

#endif
