/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <proton/sasl.h>
#include <proton/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/tls.h"
#include "core/clock.h"
#include "test/unit/client_fixture.h"

/* --- certificates --------------------------------------------------------------------------- */

static char directory[] = "/tmp/gofer-test-tls-XXXXXX";
static char ca_file[64], other_ca_file[64], cert_file[64], key_file[64];

static void path(char to[64], const char *name)
{
	snprintf(to, 64, "%s/%s", directory, name);
}

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

/* `names` NULL: a CA. */
static X509 *make_cert(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                       const char *names)
{
	static long serial;
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1,
	                           0);
	X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject);
	add_extension(cert, NID_basic_constraints, names ? "CA:FALSE" : "critical,CA:TRUE");
	if (names)
		add_extension(cert, NID_subject_alt_name, names);
	assert_true(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
	return cert;
}

static void write_cert(const char *file, X509 *cert)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_true(PEM_write_X509(f, cert));
	fclose(f);
}

static void write_key(const char *file, EVP_PKEY *key)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_true(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
	fclose(f);
}

static int set_up(void **state)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *ca, *other, *cert;

	(void)state;
	assert_non_null(mkdtemp(directory));
	path(ca_file, "ca.pem");
	path(other_ca_file, "other.pem");
	path(cert_file, "cert.pem");
	path(key_file, "key.pem");
	ca = make_cert("the CA", ca_key, NULL, ca_key, NULL);
	other = make_cert("another CA", key, NULL, key, NULL);
	cert = make_cert("broker", key, ca, ca_key, "DNS:localhost,IP:127.0.0.1");
	write_cert(ca_file, ca);
	write_cert(other_ca_file, other);
	write_cert(cert_file, cert);
	write_key(key_file, key);
	X509_free(ca);
	X509_free(other);
	X509_free(cert);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(ca_file);
	unlink(other_ca_file);
	unlink(cert_file);
	unlink(key_file);
	return rmdir(directory);
}

/* --- a server ----------------------------------------------------------------------------------- */

struct tls_server {
	struct client_fixture fixture;
	int listener, accepted;
	pn_ssl_domain_t *domain;
	struct driver *driver;
	bool encrypted, wants_cert;
	char subject[128];
};

static void on_event(struct driver *d, pn_event_t *event, void *context)
{
	struct tls_server *s = context;
	pn_transport_t *transport = driver_transport(d);
	const char *subject;

	if (pn_event_type(event) == PN_CONNECTION_REMOTE_OPEN) {
		s->encrypted = pn_transport_is_encrypted(transport);
		subject = pn_ssl_get_remote_subject(pn_ssl(transport));
		snprintf(s->subject, sizeof(s->subject), "%s", subject ? subject : "");
		pn_connection_open(driver_connection(d));
	}
}

static void on_closed(struct driver *d, const struct error *why, void *context)
{
	struct tls_server *s = context;

	(void)why;
	driver_free(d);
	s->driver = NULL;
}

static const struct driver_handler handler = {on_event, on_closed};

static void server_tls(struct tls_server *s)
{
	s->domain = pn_ssl_domain(PN_SSL_MODE_SERVER);
	assert_int_equal(pn_ssl_domain_set_credentials(s->domain, cert_file, key_file, NULL), 0);
	if (s->wants_cert) {
		assert_int_equal(pn_ssl_domain_set_trusted_ca_db(s->domain, ca_file), 0);
		assert_int_equal(pn_ssl_domain_set_peer_authentication(s->domain,
		                                                       PN_SSL_VERIFY_PEER, ca_file),
		                 0);
	}
}

static void listen_on(struct tls_server *s, const char *scheme, const char *host)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	char text[64];

	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(s->listener, 1), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
	url_release(&s->fixture.url);
	snprintf(text, sizeof(text), "%s://%s:%u", scheme, host, ntohs(address.sin_port));
	assert_int_equal(url_parse(&s->fixture.url, text, NULL), GOFER_OK);
}

static void take_connection(struct tls_server *s)
{
	pn_transport_t *transport;

	s->accepted = accept(s->listener, NULL, NULL);
	if (s->accepted < 0)
		return;
	s->driver = driver_new(s->fixture.loop, true, &handler, s);
	transport = driver_transport(s->driver);
	assert_int_equal(pn_ssl_init(pn_ssl(transport), s->domain, NULL), 0);
	pn_sasl_allowed_mechs(pn_sasl(transport), "ANONYMOUS EXTERNAL");
	driver_attach_socket(s->driver, s->accepted, NULL);
}

static void begin(struct tls_server *s, const char *host)
{
	memset(s, 0, sizeof(*s));
	client_fixture_init(&s->fixture, NULL);
	listen_on(s, "amqps", host);
	s->fixture.options.cacert = ca_file;
	s->accepted = -1;
}

static void connect_to(struct tls_server *s)
{
	struct client_fixture *f = &s->fixture;
	uint64_t limit = clock_monotonic_ms() + 60000;

	server_tls(s);
	client_fixture_connect(f);
	while (!f->ups && !f->downs && clock_monotonic_ms() < limit) {
		loop_run_once(f->loop, 0.02);
		if (s->accepted < 0)
			take_connection(s);
	}
	assert_int_equal(f->ups + f->downs, 1);
}

static void end(struct tls_server *s)
{
	connection_free(s->fixture.c);
	s->fixture.c = NULL;
	driver_free(s->driver);
	pn_ssl_domain_free(s->domain);
	close(s->listener);
	client_fixture_release(&s->fixture);
}

/* --- tests ------------------------------------------------------------------------------------------ */

static void a_certificate_that_is_right(void **state)
{
	struct tls_server s;

	(void)state;
	begin(&s, "localhost");
	connect_to(&s);
	assert_int_equal(s.fixture.ups, 1);
	assert_true(s.encrypted);
	assert_string_equal(s.subject, "");
	end(&s);
}

static void a_certificate_of_ours(void **state)
{
	struct tls_server s;

	(void)state;
	begin(&s, "localhost");
	s.wants_cert = true;
	s.fixture.options.clientcert = cert_file;
	s.fixture.options.clientkey = key_file;
	connect_to(&s);
	assert_int_equal(s.fixture.ups, 1);
	assert_non_null(strstr(s.subject, "broker"));
	end(&s);
}

static void signed_by_nobody_we_know(void **state)
{
	struct tls_server s;

	(void)state;
	begin(&s, "localhost");
	s.fixture.options.cacert = other_ca_file;
	connect_to(&s);
	assert_int_equal(s.fixture.downs, 1);
	assert_int_equal(s.fixture.why.code, GOFER_AUTH);
	assert_non_null(strstr(s.fixture.why.text, "not signed by a CA"));
	end(&s);
}

/* Its certificate says so, but that is not looked at: it must be told, and how to go on. */
static void an_address_is_no_name(void **state)
{
	struct tls_server s;

	(void)state;
	begin(&s, "127.0.0.1");
	connect_to(&s);
	assert_int_equal(s.fixture.downs, 1);
	assert_int_equal(s.fixture.why.code, GOFER_AUTH);
	assert_non_null(strstr(s.fixture.why.text, "host names, not addresses"));
	end(&s);

	begin(&s, "127.0.0.1");
	s.fixture.options.no_host_validation = true;
	connect_to(&s);
	assert_int_equal(s.fixture.ups, 1);
	end(&s);
}

static void validation_of_the_host_is_not_all(void **state)
{
	struct tls_server s;

	(void)state;
	begin(&s, "localhost");
	s.fixture.options.no_host_validation = true;
	s.fixture.options.cacert = other_ca_file;
	connect_to(&s);
	assert_int_equal(s.fixture.downs, 1);
	end(&s);
}

static void files_that_are_none(void **state)
{
	static const struct {
		struct tls_options options;
		const char *told;
	} cases[] = {
		{{.host = "h", .cacert = "/nonexistent"}, "cacert /nonexistent"},
		{{.host = "h", .cacert = key_file}, "key.pem"},
		{{.host = "h", .cacert = ca_file, .clientcert = "/nonexistent"}, "clientcert"},
		{{.host = "h", .cacert = ca_file, .clientcert = ca_file}, "ca.pem"},
		{{.host = "h", .cacert = ca_file, .clientcert = ca_file, .clientkey = key_file},
	         "key.pem"},
		{{.host = "h", .cacert = ca_file, .clientkey = key_file}, "needs a clientcert"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error error = ERROR_NONE;

		assert_null(tls_new(&cases[i].options, &error));
		assert_int_equal(error.code, GOFER_INVALID);
		assert_non_null(strstr(error.text, cases[i].told));
	}
	tls_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_that_is_right),
		cmocka_unit_test(a_certificate_of_ours),
		cmocka_unit_test(signed_by_nobody_we_know),
		cmocka_unit_test(an_address_is_no_name),
		cmocka_unit_test(validation_of_the_host_is_not_all),
		cmocka_unit_test(files_that_are_none),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
