/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "amqp/fault.h"

#define B(text) text, sizeof(text) - 1
#define TLS "\x16\x03\x03\0\x7a\x02\0\0"
#define FRAMING "amqp:connection:framing-error"
#define ALIEN "the other side is no AMQP 1.0 peer: "

static void explains_conditions(void **state)
{
	static const struct {
		const char *received;
		size_t received_size;
		const char *sent;
		size_t sent_size;
		const char *name, *description;
		enum gofer_err code;
		const char *text;
	} samples[] = {
		{B("AMQP\3\1\0\0"), B("AMQP\3\1\0\0"), "amqp:unauthorized-access",
	         "Authentication failed [mech=PLAIN]", GOFER_AUTH,
	         "not authenticated: Authentication failed [mech=PLAIN]"},
		{B("AMQP\0\1\0\0"), B(""), "amqp:connection:policy-error",
	         "Client skipped authentication - forbidden", GOFER_AUTH,
	         "not authenticated: Client skipped authentication - forbidden"},
		{B("AMQP\0\1\0\0"), B("AMQP\0\1\0\0"), "proton:io", "broken", GOFER_IO,
	         "connection lost: broken"},
		{B("AMQP\0\1\0\0"), B("AMQP\0\1\0\0"), FRAMING, "malformed frame", GOFER_PROTOCOL,
	         "the peer broke the protocol: malformed frame"},
		{B("AMQP\0\1\0\0"), B("AMQP\0\1\0\0"), "other", "words", GOFER_PROTOCOL,
	         "the peer broke the protocol: words"},
		{B("AMQP\0\1\0\0"), B("AMQP\0\1\0\0"), NULL, NULL, GOFER_PROTOCOL,
	         "the peer broke the protocol: a frame that means nothing"},
		{B("HTTP/1.1"), B("AMQP\3\1\0\0"), FRAMING, "Expected SASL", GOFER_PROTOCOL,
	         ALIEN "it speaks HTTP"},
		{B("\x16\x03\x01\0\0\0\0\0"), B(""), NULL, NULL, GOFER_PROTOCOL,
	         ALIEN "it speaks TLS; such a url begins with amqps://"},
		{B("AMQP\x01\x01\0\x0a"), B("AMQP\3\1\0\0"), FRAMING, "x", GOFER_PROTOCOL,
	         ALIEN "it speaks AMQP 0-10 only"},
		{B("\1\2\xff"), B("AMQP\3\1\0\0"), FRAMING, "x", GOFER_PROTOCOL,
	         ALIEN "it begins with \"??\xff\""},
		{B(TLS), B(TLS), FRAMING, "malformed frame", GOFER_PROTOCOL,
	         "the peer broke the protocol: malformed frame"},
		{B(TLS), B(TLS), FRAMING, "SSL Failure: certificate verify failed", GOFER_AUTH,
	         "TLS: certificate verify failed"},
		{B(TLS), B(TLS), FRAMING, "SSL Failure: no shared cipher", GOFER_PROTOCOL,
	         "TLS: no shared cipher"},
		{B("AMQP\0\1\0\0"), B(TLS), FRAMING, "SSL Failure: wrong version number",
	         GOFER_PROTOCOL, "the other side speaks no TLS; a url without begins with amqp://"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		struct fault_wire wire = {.received_size = 0};
		struct error why = ERROR_NONE;

		fault_received(&wire, samples[i].received, samples[i].received_size);
		fault_sent(&wire, samples[i].sent, samples[i].sent_size);
		fault_condition(&why, &wire, samples[i].name, samples[i].description);
		assert_string_equal(why.text, samples[i].text);
		assert_int_equal(why.code, samples[i].code);
	}
}

static void keeps_the_first_bytes(void **state)
{
	static const char http[] = "HTTP/1.1 400";
	struct fault_wire wire = {.received_size = 0};
	struct error why = ERROR_NONE;

	(void)state;
	fault_eof(&why, &wire);
	assert_int_equal(why.code, GOFER_IO);
	assert_string_equal(why.text, "connection closed by the peer before it sent anything");
	for (size_t i = 0; i < sizeof(http) - 1; i++) {
		fault_received(&wire, http + i, 1);
		fault_sent(&wire, http + i, 1);
		fault_eof(&why, &wire);
		assert_int_equal(why.code, GOFER_PROTOCOL);
	}
	assert_string_equal(why.text, ALIEN "it speaks HTTP");
	assert_int_equal(wire.received_size, FAULT_FIRST);
	assert_memory_equal(wire.received, http, FAULT_FIRST);
	assert_memory_equal(wire.sent, http, FAULT_FIRST);
}

static void an_end_within_amqp_is_only_that(void **state)
{
	struct fault_wire wire = {.received_size = 0};
	struct error why = ERROR_NONE;

	(void)state;
	fault_received(&wire, B("AMQP"));
	fault_eof(&why, &wire);
	assert_string_equal(why.text, "connection closed by the peer");
	fault_received(&wire, B("\3\1\0\0"));
	fault_eof(&why, &wire);
	assert_int_equal(why.code, GOFER_IO);
	assert_string_equal(why.text, "connection closed by the peer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(explains_conditions),
		cmocka_unit_test(keeps_the_first_bytes),
		cmocka_unit_test(an_end_within_amqp_is_only_that),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
