/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <proton/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tls {
	pn_ssl_domain_t *domain;
	char *host;
	bool validates, has_identity;
};

/* A static OpenSSL looks for these where it was built to, which is nowhere here. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, Arch */
	"/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* CentOS */
	"/etc/ssl/ca-bundle.pem",                            /* SUSE */
	"/etc/ssl/cert.pem",
};

static const char *host_bundle(void)
{
	for (size_t i = 0; i < sizeof(bundles) / sizeof(*bundles); i++)
		if (!access(bundles[i], R_OK))
			return bundles[i];
	return NULL;
}

static enum gofer_err check_readable(const char *path, const char *what, struct error *error)
{
	if (!path || !access(path, R_OK))
		return GOFER_OK;
	return error_errno(error, GOFER_INVALID, errno, "%s %s", what, path);
}

static enum gofer_err set_trust(struct tls *tls, const struct tls_options *options,
                                struct error *error)
{
	const char *path = options->cacert ? options->cacert : host_bundle();
	pn_ssl_verify_mode_t mode = tls->validates ? PN_SSL_VERIFY_PEER_NAME : PN_SSL_VERIFY_PEER;

	if (!path)
		return error_set(
			error, GOFER_INVALID,
			"no bundle of CA certificates on this host (looked for %s and others): set cacert",
			bundles[0]);
	if (check_readable(path, "cacert", error))
		return GOFER_INVALID;
	if (pn_ssl_domain_set_trusted_ca_db(tls->domain, path))
		return error_set(error, GOFER_INVALID, "cacert %s: no CA certificates in PEM form",
		                 path);
	if (pn_ssl_domain_set_peer_authentication(tls->domain, mode, NULL))
		return error_set(error, GOFER_FAILED, "TLS: certificates cannot be verified");
	return GOFER_OK;
}

static enum gofer_err set_identity(struct tls *tls, const struct tls_options *options,
                                   struct error *error)
{
	const char *key = options->clientkey ? options->clientkey : options->clientcert;

	if (!options->clientcert && options->clientkey)
		return error_set(error, GOFER_INVALID, "clientkey %s needs a clientcert", key);
	if (!options->clientcert)
		return GOFER_OK;
	if (check_readable(options->clientcert, "clientcert", error) ||
	    check_readable(key, "clientkey", error))
		return GOFER_INVALID;
	if (pn_ssl_domain_set_credentials(tls->domain, options->clientcert, key, NULL))
		return error_set(
			error, GOFER_INVALID,
			"clientcert %s and clientkey %s: no certificate in PEM form with its key",
			options->clientcert, key);
	tls->has_identity = true;
	return GOFER_OK;
}

struct tls *tls_new(const struct tls_options *options, struct error *error)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls || !(tls->host = strdup(options->host)) ||
	    !(tls->domain = pn_ssl_domain(PN_SSL_MODE_CLIENT))) {
		error_set(error, GOFER_NOMEM, "out of memory");
		goto fail;
	}
	tls->validates = !options->no_host_validation;
	if (set_trust(tls, options, error) || set_identity(tls, options, error))
		goto fail;
	return tls;
fail:
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	if (tls->domain)
		pn_ssl_domain_free(tls->domain);
	free(tls->host);
	free(tls);
}

enum gofer_err tls_apply(const struct tls *tls, pn_transport_t *transport, struct error *error)
{
	pn_ssl_t *ssl = pn_ssl(transport);

	if (!ssl || pn_ssl_set_peer_hostname(ssl, tls->host) || pn_ssl_init(ssl, tls->domain, NULL))
		return error_set(error, GOFER_FAILED, "TLS cannot be started");
	return GOFER_OK;
}

static bool is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

void tls_explain(const struct tls *tls, struct error *why)
{
	struct error copy = *why;

	if (!strstr(why->text, "certificate verify failed"))
		return;
	if (tls->validates && is_address(tls->host))
		error_set(
			why, why->code,
			"%s (a certificate is checked against host names, not addresses: name the "
			"broker by its host name, or turn host validation off)",
			copy.text);
	else
		error_set(
			why, why->code,
			"%s (the broker's certificate is not signed by a CA of cacert, or is not %s's)",
			copy.text, tls->host);
}

bool tls_has_identity(const struct tls *tls)
{
	return tls->has_identity;
}
