/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct scheme {
	const char *name;
	bool tls;
	uint16_t port;
} schemes[] = {
	{"amqp", false, 5672},
	{"tcp", false, 5672},
	{"amqps", true, 5671},
	{"ssl", true, 5671},
};
#define SCHEMES (sizeof(schemes) / sizeof(*schemes))

/* A parse under way. */
struct parser {
	const char *text;
	struct url *url;
	struct error *error;
};

/* Where the scheme is over; 0: there is none. "://" may also stand in a password. */
static size_t authority_offset(const char *text)
{
	const char *end = strstr(text, "://");

	if (!end || memchr(text, ':', (size_t)(end - text)) ||
	    memchr(text, '@', (size_t)(end - text)))
		return 0;
	return (size_t)(end - text) + 3;
}

/* Appends the text as it may be shown. A password lies between the first colon and the last '@'.
 * Without an '@' that colon leads to a port; anything else there may be a password whose host was
 * forgotten. */
static void redact(struct buf *out, const char *text)
{
	const char *start = text + authority_offset(text);
	const char *at = strrchr(start, '@');
	const char *colon = strchr(*start == '[' && !at ? start + strcspn(start, "]") : start, ':');
	const char *end = at;

	if (colon && !at)
		end = colon + 1 + strcspn(colon + 1, "/");
	if (!colon || colon > end ||
	    (!at && strspn(colon + 1, "0123456789") == (size_t)(end - colon - 1))) {
		buf_puts(out, text);
		return;
	}
	buf_append(out, text, (size_t)(colon + 1 - text));
	buf_puts(out, "***");
	buf_puts(out, end);
}

static enum gofer_err fail(const struct parser *p, const char *what)
{
	struct buf shown = BUF_INIT;
	enum gofer_err err;

	redact(&shown, p->text);
	err = error_set(p->error, GOFER_INVALID, "url \"%s\": %s", buf_text(&shown), what);
	buf_release(&shown);
	return err;
}

static enum gofer_err no_memory(const struct parser *p)
{
	return error_set(p->error, GOFER_NOMEM, "out of memory");
}

static enum gofer_err copy(const struct parser *p, char **to, struct slice from)
{
	*to = strndup(from.data, from.size);
	return *to ? GOFER_OK : no_memory(p);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that an escape at `from` stands for; -1: none, or a NUL. */
static int unescape(struct slice from)
{
	int high, low;

	if (from.size < 3)
		return -1;
	high = hex(from.data[1]);
	low = hex(from.data[2]);
	if (high < 0 || low < 0 || !(high | low))
		return -1;
	return high << 4 | low;
}

static enum gofer_err decode(const struct parser *p, char **to, struct slice from)
{
	char *out = calloc(from.size + 1, 1);

	*to = out;
	if (!out)
		return no_memory(p);
	while (from.size) {
		int c = (unsigned char)*from.data;
		size_t n = c == '%' ? 3 : 1;

		if (c == '%')
			c = unescape(from);
		if (c < 0)
			return fail(p,
			            "a '%' must be followed by two hexadecimal digits, not 00; "
			            "'%' itself is written %25");
		*out++ = (char)c;
		from.data += n;
		from.size -= n;
	}
	return GOFER_OK;
}

static bool all_in(struct slice s, const char *others)
{
	for (size_t i = 0; i < s.size; i++)
		if (!isalnum((unsigned char)s.data[i]) && !strchr(others, s.data[i]))
			return false;
	return true;
}

/* Takes all before `c`, and `c` itself, off `rest`; false: there is no such character. */
static bool cut(struct slice *rest, const char *c, struct slice *before)
{
	if (!c)
		return false;
	before->data = rest->data;
	before->size = (size_t)(c - rest->data);
	rest->size -= before->size + 1;
	rest->data = c + 1;
	return true;
}

static bool cut_at(struct slice *rest, char c, struct slice *before)
{
	return cut(rest, memchr(rest->data, c, rest->size), before);
}

static bool cut_at_last(struct slice *rest, char c, struct slice *before)
{
	return cut(rest, memrchr(rest->data, c, rest->size), before);
}

static enum gofer_err parse_scheme(const struct parser *p, struct slice scheme)
{
	struct slice adapter;

	if (cut_at_last(&scheme, '+', &adapter) && (!adapter.size || !all_in(adapter, "-._")))
		return fail(
			p, "before the '+' belongs the name of an adapter, or nothing with no '+'");
	for (size_t i = 0; i < SCHEMES; i++) {
		if (strlen(schemes[i].name) != scheme.size ||
		    strncasecmp(schemes[i].name, scheme.data, scheme.size))
			continue;
		p->url->tls = schemes[i].tls;
		p->url->port = schemes[i].port;
		return GOFER_OK;
	}
	return fail(p, "the scheme is none of amqp, tcp, amqps, ssl");
}

static enum gofer_err parse_userinfo(const struct parser *p, struct slice info)
{
	struct slice user;
	bool has_password = cut_at(&info, ':', &user);
	enum gofer_err err;

	if (!has_password)
		user = info;
	if (!user.size)
		return has_password ? fail(p, "a password without a user") : GOFER_OK;
	err = decode(p, &p->url->user, user);
	if (!err && has_password)
		err = decode(p, &p->url->password, info);
	return err;
}

static enum gofer_err parse_port(const struct parser *p, struct slice port)
{
	unsigned value = 0;
	size_t i;

	for (i = 0; i < port.size && isdigit((unsigned char)port.data[i]) && value <= UINT16_MAX;
	     i++)
		value = value * 10 + (unsigned)(port.data[i] - '0');
	if (!port.size || i < port.size || value > UINT16_MAX)
		return fail(p, "the port is no number from 0 to 65535");
	p->url->port = (uint16_t)value;
	return GOFER_OK;
}

/* An IPv6 address may name the interface that it is valid on: fe80::1%eth0. */
static bool is_ipv6(struct slice host)
{
	struct slice address = host;
	char text[INET6_ADDRSTRLEN];
	struct in6_addr parsed;

	if (cut_at(&host, '%', &address) && (!host.size || !all_in(host, "-._")))
		return false;
	if (address.size >= sizeof(text))
		return false;
	memcpy(text, address.data, address.size);
	text[address.size] = '\0';
	return inet_pton(AF_INET6, text, &parsed) == 1;
}

static enum gofer_err parse_bracketed(const struct parser *p, struct slice host)
{
	struct slice rest = {host.data + 1, host.size - 1}, address;
	char *zone;
	enum gofer_err err;

	if (!cut_at(&rest, ']', &address))
		return fail(p, "the bracket '[' is never closed");
	err = copy(p, &p->url->host, address);
	if (err)
		return err;
	zone = strstr(p->url->host, "%25");
	if (zone)
		memmove(zone + 1, zone + 3, strlen(zone + 3) + 1);
	if (!is_ipv6((struct slice){p->url->host, strlen(p->url->host)}))
		return fail(p, "in the brackets is no IPv6 address");
	if (!rest.size)
		return GOFER_OK;
	if (*rest.data != ':')
		return fail(p, "only a port may follow the bracket ']'");
	return parse_port(p, (struct slice){rest.data + 1, rest.size - 1});
}

/* Letters beyond ASCII are left to the resolver to like or not. */
static bool is_host_name(struct slice host)
{
	for (size_t i = 0; i < host.size; i++) {
		unsigned char c = (unsigned char)host.data[i];

		if (c < 0x80 && !isalnum(c) && !strchr("-._", c))
			return false;
	}
	return host.size;
}

static enum gofer_err parse_host(const struct parser *p, struct slice port)
{
	struct slice host;
	bool has_port;

	if (port.size && *port.data == '[')
		return parse_bracketed(p, port);
	has_port = cut_at(&port, ':', &host);
	if (!has_port)
		host = port;
	if (has_port && memchr(port.data, ':', port.size))
		return fail(p, "more than one ':' in the host; an IPv6 address stands in brackets");
	if (!host.size)
		return fail(p, "there is no host");
	if (!is_host_name(host))
		return fail(p, "the host has a character that no host name has");
	if (has_port && parse_port(p, port))
		return GOFER_INVALID;
	return copy(p, &p->url->host, host);
}

static enum gofer_err parse_vhost(const struct parser *p, struct slice vhost)
{
	if (!vhost.size)
		return GOFER_OK;
	if (memchr(vhost.data, '?', vhost.size) || memchr(vhost.data, '#', vhost.size))
		return fail(
			p,
			"nothing follows the virtual host; in its name '?' is written %3F and '#' %23");
	return decode(p, &p->url->vhost, vhost);
}

static enum gofer_err parse(const struct parser *p)
{
	size_t offset = authority_offset(p->text);
	struct slice rest = {p->text + offset, strlen(p->text + offset)}, authority, info;
	enum gofer_err err;

	if (!rest.size && !offset)
		return fail(p, "it is empty; right is amqp://HOST:PORT");
	err = parse_scheme(p,
	                   offset ? (struct slice){p->text, offset - 3}
	                          : (struct slice){"amqp", 4});
	if (err)
		return err;
	if (cut_at(&rest, '/', &authority)) {
		err = parse_vhost(p, rest);
		rest = authority;
	}
	if (!err && cut_at_last(&rest, '@', &info))
		err = parse_userinfo(p, info);
	return err ? err : parse_host(p, rest);
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text) || *text == ' ')
			return true;
	return false;
}

enum gofer_err url_parse(struct url *url, const char *text, struct error *error)
{
	struct parser p = {text, url, error};
	enum gofer_err err;

	memset(url, 0, sizeof(*url));
	if (has_control(text))
		err = fail(&p, "it has a space or control character in it; a space is written %20");
	else
		err = parse(&p);
	if (err)
		url_release(url);
	return err;
}

static void release_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void url_release(struct url *url)
{
	free(url->user);
	release_secret(url->password);
	free(url->host);
	free(url->vhost);
	memset(url, 0, sizeof(*url));
}

static bool copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

enum gofer_err url_copy(struct url *to, const struct url *from)
{
	memset(to, 0, sizeof(*to));
	to->tls = from->tls;
	to->port = from->port;
	if (copy_text(&to->user, from->user) && copy_text(&to->password, from->password) &&
	    copy_text(&to->host, from->host) && copy_text(&to->vhost, from->vhost))
		return GOFER_OK;
	url_release(to);
	return GOFER_NOMEM;
}

static void print_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text))
			buf_putc(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned char)*text);
	}
}

void url_print(struct buf *out, const struct url *url)
{
	bool ipv6 = strchr(url->host, ':');

	buf_printf(out, "%s://%s%s%s:%u", url->tls ? "amqps" : "amqp", ipv6 ? "[" : "", url->host,
	           ipv6 ? "]" : "", url->port);
	if (!url->vhost)
		return;
	buf_putc(out, '/');
	print_escaped(out, url->vhost);
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool url_equal(const struct url *a, const struct url *b)
{
	return a->tls == b->tls && a->port == b->port && !strcasecmp(a->host, b->host) &&
		same(a->user, b->user) && same(a->password, b->password) &&
		same(a->vhost, b->vhost);
}

bool url_is_loopback(const struct url *url)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, url->host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, url->host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6) ||
			(IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
	return !strcasecmp(url->host, "localhost");
}
