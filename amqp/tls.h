/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls: TLS for a client's connections, from proton's engine: whom to trust and who we are.
 *
 * Made once for a client, so that a file that cannot be read is told when the client is made and not
 * at some later reconnect. Proton compares the peer's certificate with host names only (DNS names and
 * CN): a broker that is named by its IP address is refused unless the address is written there.
 *
 * Thread: the owner's. Reads files when made.
 */
#ifndef GOFER_AMQP_TLS_H
#define GOFER_AMQP_TLS_H

#include <proton/transport.h>
#include <stdbool.h>

#include "core/error.h"

struct tls;

struct tls_options {
	const char *host;                   /* whose certificate it has to be */
	const char *cacert;                 /* NULL: the host system's bundle */
	const char *clientcert, *clientkey; /* NULL: none; a key alone is a mistake */
	bool no_host_validation;            /* any name; the certificate itself is still verified */
};

/* NULL: `error` names the file. */
struct tls *tls_new(const struct tls_options *options, struct error *error);
void tls_free(struct tls *tls); /* NULL is taken; transports that use it live on */
/* Before the transport is bound. */
enum gofer_err tls_apply(const struct tls *tls, pn_transport_t *transport, struct error *error);
/* Adds to a refused certificate what may be done about it. */
void tls_explain(const struct tls *tls, struct error *why);
bool tls_has_identity(const struct tls *tls); /* a client certificate, for SASL EXTERNAL */

#endif
