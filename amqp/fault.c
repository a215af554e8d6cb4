/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/fault.h"

#include <string.h>

/* What other protocols begin with. */
static const struct alien {
	const char *bytes;
	size_t size;
	const char *text;
} aliens[] = {
	{"HTTP/", 5, "it speaks HTTP"},
	{"GET ", 4, "it speaks HTTP"},
	{"HEAD ", 5, "it speaks HTTP"},
	{"POST ", 5, "it speaks HTTP"},
	{"PUT ", 4, "it speaks HTTP"},
	{"PRI * HT", 8, "it speaks HTTP/2"},
	{"AMQP\x00\x00\x09", 7, "it speaks AMQP 0-9-1 only"},
	{"AMQP\x01\x01\x00\x09", 8, "it speaks AMQP 0-9 only"},
	{"AMQP\x01\x01\x09\x01", 8, "it speaks AMQP 0-9-1 only"},
	{"AMQP\x01\x01\x00\x0a", 8, "it speaks AMQP 0-10 only"},
	{"AMQP\x01\x01\x08", 7, "it speaks AMQP 0-8 only"},
	{"SSH-", 4, "it speaks SSH"},
	{"\x16\x03", 2, "it speaks TLS; such a url begins with amqps://"},
	{"\x15\x03", 2, "it speaks TLS; such a url begins with amqps://"},
	{"INFO {", 6, "it speaks NATS"},
};

static const struct condition {
	const char *name;
	enum gofer_err code;
	const char *text;
} conditions[] = {
	{"amqp:unauthorized-access", GOFER_AUTH, "not authenticated"},
	{"amqp:connection:policy-error", GOFER_AUTH, "not authenticated"},
	{"proton:io", GOFER_IO, "connection lost"},
	{NULL, GOFER_PROTOCOL, "the peer broke the protocol"},
};

static void note(char first[FAULT_FIRST], size_t *have, const char *bytes, size_t size)
{
	size_t room = FAULT_FIRST - *have;

	if (size > room)
		size = room;
	memcpy(first + *have, bytes, size);
	*have += size;
}

void fault_received(struct fault_wire *wire, const char *bytes, size_t size)
{
	if (wire->received_size < FAULT_FIRST)
		note(wire->received, &wire->received_size, bytes, size);
}

void fault_sent(struct fault_wire *wire, const char *bytes, size_t size)
{
	if (wire->sent_size < FAULT_FIRST)
		note(wire->sent, &wire->sent_size, bytes, size);
}

/* A TLS record's type is 20 to 23, and its version begins with 3. */
static bool is_tls(const char *bytes, size_t size)
{
	return size >= 2 && bytes[0] >= 20 && bytes[0] <= 23 && bytes[1] == 3;
}

static bool is_amqp(const struct fault_wire *wire)
{
	size_t size = wire->received_size < 4 ? wire->received_size : 4;

	return !memcmp(wire->received, "AMQP", size);
}

static const char *alien_text(const struct fault_wire *wire)
{
	for (size_t i = 0; i < sizeof(aliens) / sizeof(*aliens); i++)
		if (wire->received_size >= aliens[i].size &&
		    !memcmp(wire->received, aliens[i].bytes, aliens[i].size))
			return aliens[i].text;
	return NULL;
}

/* Whether what came is no AMQP 1.0 at all; says so in `why`. */
static bool fault_alien(struct error *why, const struct fault_wire *wire)
{
	const char *text;

	if (is_tls(wire->sent, wire->sent_size))
		return false; /* what came is ciphertext, and tells nothing */
	text = alien_text(wire);
	if (text)
		error_set(why, GOFER_PROTOCOL, "the other side is no AMQP 1.0 peer: %s", text);
	else if (!is_amqp(wire))
		error_set(why, GOFER_PROTOCOL,
		          "the other side is no AMQP 1.0 peer: it begins with \"%.*s\"",
		          (int)wire->received_size, wire->received);
	else
		return false;
	return true;
}

void fault_eof(struct error *why, const struct fault_wire *wire)
{
	if (!wire->received_size)
		error_set(why, GOFER_IO, "connection closed by the peer before it sent anything");
	else if (!fault_alien(why, wire))
		error_set(why, GOFER_IO, "connection closed by the peer");
}

static void fault_tls(struct error *why, const struct fault_wire *wire, const char *text)
{
	if (wire->received_size && !is_tls(wire->received, wire->received_size))
		error_set(why, GOFER_PROTOCOL,
		          "the other side speaks no TLS; a url without begins with amqp://");
	else if (strstr(text, "certificate"))
		error_set(why, GOFER_AUTH, "TLS: %s", text);
	else
		error_set(why, GOFER_PROTOCOL, "TLS: %s", text);
}

void fault_condition(struct error *why, const struct fault_wire *wire, const char *name,
                     const char *description)
{
	static const char tls[] = "SSL Failure: ";
	const struct condition *c = conditions;

	if (!description)
		description = "a frame that means nothing";
	while (c->name && (!name || strcmp(c->name, name)))
		c++;
	if (!strncmp(description, tls, sizeof(tls) - 1))
		fault_tls(why, wire, description + sizeof(tls) - 1);
	else if (c->name || !fault_alien(why, wire))
		error_set(why, c->code, "%s: %s", c->text, description);
}
