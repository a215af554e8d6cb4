/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "amqp/url.h"

static void same_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a)
		assert_string_equal(a, b);
}

static void reads_urls(void **state)
{
	static const struct {
		const char *text;
		struct url url;
		const char *shown;
	} samples[] = {
		{"amqp://host", {.host = "host", .port = 5672}, "amqp://host:5672"},
		{"tcp://host", {.host = "host", .port = 5672}, "amqp://host:5672"},
		{"amqps://host", {true, .host = "host", .port = 5671}, "amqps://host:5671"},
		{"ssl://host", {true, .host = "host", .port = 5671}, "amqps://host:5671"},
		{"AMQPS://Host", {true, .host = "Host", .port = 5671}, "amqps://Host:5671"},
		{"host", {.host = "host", .port = 5672}, "amqp://host:5672"},
		{"host:1", {.host = "host", .port = 1}, "amqp://host:1"},
		{"host:65535/", {.host = "host", .port = 65535}, "amqp://host:65535"},
		{"amqp://h:0", {.host = "h", .port = 0}, "amqp://h:0"},
		{"[::1]:5672", {.host = "::1", .port = 5672}, "amqp://[::1]:5672"},
		{"amqps://[fe80::1%25eth0]",
	         {true, .host = "fe80::1%eth0", .port = 5671},
	         "amqps://[fe80::1%eth0]:5671"},
		{"proton+amqps://h", {true, .host = "h", .port = 5671}, "amqps://h:5671"},
		{"amqp-1-0+tcp://h", {.host = "h", .port = 5672}, "amqp://h:5672"},
		{"u@h", {.user = "u", .host = "h", .port = 5672}, "amqp://h:5672"},
		{"@h", {.host = "h", .port = 5672}, "amqp://h:5672"},
		{"amqp://u:p@h/v",
	         {.user = "u", .password = "p", .host = "h", .port = 5672, .vhost = "v"},
	         "amqp://h:5672/v"},
		{"amqp://u:@h",
	         {.user = "u", .password = "", .host = "h", .port = 5672},
	         "amqp://h:5672"},
		{"amqp://u:a:b@c@h:7",
	         {.user = "u", .password = "a:b@c", .host = "h", .port = 7},
	         "amqp://h:7"},
		{"qpid+amqp://%75%3A:%70%40%2f%C3%a9@h/%2Fa/b%20c",
	         {.user = "u:",
	          .password = "p@/\xc3\xa9",
	          .host = "h",
	          .port = 5672,
	          .vhost = "/a/b c"},
	         "amqp://h:5672/%2Fa%2Fb%20c"},
		{"amqp://h/a@b",
	         {.host = "h", .port = 5672, .vhost = "a@b"},
	         "amqp://h:5672/a%40b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		struct error error = ERROR_NONE;
		struct buf shown = BUF_INIT;
		struct url url;

		if (url_parse(&url, samples[i].text, &error))
			fail_msg("%s: %s", samples[i].text, error.text);
		assert_int_equal(url.tls, samples[i].url.tls);
		assert_int_equal(url.port, samples[i].url.port);
		same_text(url.user, samples[i].url.user);
		same_text(url.password, samples[i].url.password);
		same_text(url.host, samples[i].url.host);
		same_text(url.vhost, samples[i].url.vhost);
		url_print(&shown, &url);
		assert_string_equal(buf_text(&shown), samples[i].shown);
		buf_release(&shown);
		url_release(&url);
		assert_null(url.host);
	}
}

#define PORT "the port is no number from 0 to 65535"
#define ESCAPE "a '%' must be followed by two hexadecimal digits, not 00; '%' itself is written %25"
#define SPACE "it has a space or control character in it; a space is written %20"

static void says_what_is_wrong(void **state)
{
	static const char *const samples[][3] = {
		{"", "", "it is empty; right is amqp://HOST:PORT"},
		{"amqp://", "amqp://", "there is no host"},
		{"amqp:///v", "amqp:///v", "there is no host"},
		{"amqp://u:p@", "amqp://u:***@", "there is no host"},
		{":5672", ":5672", "there is no host"},
		{"http://h", "http://h", "the scheme is none of amqp, tcp, amqps, ssl"},
		{"://h", "://h", "the scheme is none of amqp, tcp, amqps, ssl"},
		{"http://u:pw@h", "http://u:***@h", "the scheme is none of amqp, tcp, amqps, ssl"},
		{"+amqp://h", "+amqp://h",
	         "before the '+' belongs the name of an adapter, or nothing with no '+'"},
		{"a b+amqp://h", "a b+amqp://h", SPACE},
		{"amqp://h\n", "amqp://h?", SPACE},
		{"amqp://u:p\x7fw@h", "amqp://u:***@h", SPACE},
		{"h:", "h:", PORT},
		{"h:99999", "h:99999", PORT},
		{"h:65536", "h:65536", PORT},
		{"h:4294967297", "h:4294967297", PORT},
		{"h:-1", "h:***", PORT},
		{"amqp://guest:secret", "amqp://guest:***", PORT},
		{"amqp://guest:secret/v", "amqp://guest:***/v", PORT},
		{"amqp://u:pw@h:x", "amqp://u:***@h:x", PORT},
		{"amqp://u:p/w@h", "amqp://u:***@h", PORT},
		{"amqp://u:p%00w@h", "amqp://u:***@h", ESCAPE},
		{"amqp://u:p%2@h", "amqp://u:***@h", ESCAPE},
		{"amqp://%zz@h", "amqp://%zz@h", ESCAPE},
		{"amqp://h/%", "amqp://h/%", ESCAPE},
		{"amqp://h/v?x=1", "amqp://h/v?x=1",
	         "nothing follows the virtual host; in its name '?' is written %3F and '#' %23"},
		{":pw@h", ":***@h", "a password without a user"},
		{"[::1", "[::1", "the bracket '[' is never closed"},
		{"[::g]", "[::g]", "in the brackets is no IPv6 address"},
		{"[]", "[]", "in the brackets is no IPv6 address"},
		{"[::1%]", "[::1%]", "in the brackets is no IPv6 address"},
		{"[::1%25a%25b]", "[::1%25a%25b]", "in the brackets is no IPv6 address"},
		{"[::1]5", "[::1]5", "only a port may follow the bracket ']'"},
		{"[::1]:x", "[::1]:***", PORT},
		{"amqp://::1", "amqp://:***",
	         "more than one ':' in the host; an IPv6 address stands in brackets"},
		{"u:a://b@h", "u:***@h",
	         "more than one ':' in the host; an IPv6 address stands in brackets"},
		{"amqp://h*st", "amqp://h*st", "the host has a character that no host name has"},
		{"::1]", ":***",
	         "more than one ':' in the host; an IPv6 address stands in brackets"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		struct error error = ERROR_NONE;
		char expected[300];
		struct url url;

		assert_int_equal(url_parse(&url, samples[i][0], &error), GOFER_INVALID);
		assert_false(url.user || url.password || url.host || url.vhost);
		snprintf(expected, sizeof(expected), "url \"%s\": %s", samples[i][1],
		         samples[i][2]);
		assert_string_equal(error.text, expected);
		assert_int_equal(url_parse(&url, samples[i][0], NULL), GOFER_INVALID);
	}
}

static void parsed(struct url *url, const char *text)
{
	assert_int_equal(url_parse(url, text, NULL), GOFER_OK);
}

static void compares_and_copies(void **state)
{
	static const char *const others[] =
		{"amqps://u:p@h:5672/v", "amqp://u:p@g/v", "amqp://u:p@h:1/v",
	         "amqp://u:p@h/w",       "amqp://u:p@h",   "amqp://x:p@h/v",
	         "amqp://u:q@h/v",       "amqp://u@h/v",   "amqp://h/v"};
	struct url url, other, copy;

	(void)state;
	parsed(&url, "amqp://u:p@h/v");
	parsed(&other, "qpid+tcp://u:p@H:5672/v");
	assert_true(url_equal(&url, &other));
	url_release(&other);
	assert_int_equal(url_copy(&copy, &url), GOFER_OK);
	assert_true(url_equal(&url, &copy));
	assert_ptr_not_equal(url.password, copy.password);
	url_release(&copy);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		parsed(&other, others[i]);
		assert_false(url_equal(&url, &other));
		assert_false(url_equal(&other, &url));
		url_release(&other);
	}
	url_release(&url);
	parsed(&url, "h");
	assert_int_equal(url_copy(&copy, &url), GOFER_OK);
	assert_true(url_equal(&url, &copy));
	url_release(&copy);
	url_release(&url);
}

static void knows_loopback(void **state)
{
	static const struct {
		const char *text;
		bool loopback;
	} samples[] = {
		{"127.0.0.1", true},
		{"127.255.3.4:1", true},
		{"[::1]", true},
		{"localhost", true},
		{"amqps://LocalHost:1", true},
		{"[::ffff:127.0.0.1]", true},
		{"128.0.0.1", false},
		{"0.0.0.0", false},
		{"[::]", false},
		{"[::ffff:1.2.3.4]", false},
		{"localhost.example", false},
		{"127.example", false},
		{"[::2]", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		struct url url;

		parsed(&url, samples[i].text);
		assert_int_equal(url_is_loopback(&url), samples[i].loopback);
		url_release(&url);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_urls),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(compares_and_copies),
		cmocka_unit_test(knows_loopback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
