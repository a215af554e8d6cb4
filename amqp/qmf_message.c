/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/qmf_message.h"

#include <inttypes.h>
#include <proton/message.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/map.h"

#define BROKER "org.apache.qpid.broker:broker:amqp-broker"
#define REQUEST_MAX 65536

/* --- requests ---------------------------------------------------------------------------- */

static const char *const types[] = {
	[QMF_QUEUE] = "queue",
	[QMF_BINDING] = "binding",
};

static void put_arguments(pn_data_t *body, const struct qmf_request *request)
{
	map_begin(body, "_arguments");
	map_put_bool(body, "strict", true);
	map_put_string(body, "name", request->name);
	map_put_string(body, "type", types[request->type]);
	map_begin(body, "properties");
	if (request->type == QMF_QUEUE) {
		map_put_bool(body, "durable", request->durable);
		map_put_bool(body, "auto-delete", false);
		map_put_bool(body, "exclusive", false);
	}
	map_end(body);
	map_end(body);
}

static void put_body(pn_data_t *body, const struct qmf_request *request)
{
	map_begin(body, NULL);
	map_begin(body, "_object_id");
	map_put_string(body, "_object_name", BROKER);
	map_end(body);
	map_put_string(body, "_method_name", "create");
	put_arguments(body, request);
	map_end(body);
}

/* Without each of the properties the broker does not answer at all. */
static void put_properties(pn_data_t *properties)
{
	map_begin(properties, NULL);
	map_put_string(properties, "qmf.opcode", "_method_request");
	map_put_string(properties, "x-amqp-0-10.app-id", "qmf2");
	map_put_string(properties, "method", "request");
	map_end(properties);
}

static void fill_request(pn_message_t *m, const struct qmf_request *request)
{
	pn_atom_t id = {.type = PN_STRING};
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, request->id);
	id.u.as_bytes = pn_bytes(strlen(text), text);
	pn_message_set_correlation_id(m, id);
	pn_message_set_address(m, QMF_NODE);
	pn_message_set_subject(m, "broker");
	pn_message_set_reply_to(m, request->reply_to);
	put_properties(pn_message_properties(m));
	put_body(pn_message_body(m), request);
}

enum gofer_err qmf_encode(struct buf *out, const struct qmf_request *request)
{
	pn_message_t *m = pn_message();
	int status = PN_OVERFLOW;

	if (!m)
		return GOFER_NOMEM;
	fill_request(m, request);
	for (size_t room = 1024; status == PN_OVERFLOW && room <= REQUEST_MAX; room *= 2) {
		char *to = buf_reserve(out, room);
		size_t size = room;

		if (!to)
			break;
		status = pn_message_encode(m, to, &size);
		if (!status)
			buf_added(out, size);
	}
	pn_message_free(m);
	if (!buf_ok(out))
		return GOFER_NOMEM;
	return status ? GOFER_INVALID : GOFER_OK;
}

/* --- answers ----------------------------------------------------------------------------- */

static uint64_t request_id(pn_message_t *m)
{
	pn_atom_t id = pn_message_get_correlation_id(m);
	char text[24];

	if (id.type != PN_STRING || id.u.as_bytes.size >= sizeof(text))
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)id.u.as_bytes.size, id.u.as_bytes.start);
	return strtoull(text, NULL, 10);
}

static uint32_t error_code(pn_data_t *body)
{
	switch (pn_data_type(body)) {
	case PN_UBYTE: return pn_data_get_ubyte(body);
	case PN_USHORT: return pn_data_get_ushort(body);
	case PN_UINT: return pn_data_get_uint(body);
	case PN_INT: return (uint32_t)pn_data_get_int(body);
	case PN_ULONG: return (uint32_t)pn_data_get_ulong(body);
	case PN_LONG: return (uint32_t)pn_data_get_long(body);
	default: return 0;
	}
}

static void explain(struct qmf_answer *answer, pn_data_t *body)
{
	pn_bytes_t text;

	answer->failed = true;
	if (map_first(body) && map_find(body, "_values") && map_find(body, "error_code"))
		answer->code = error_code(body);
	if (map_first(body) && map_find(body, "_values") && map_find(body, "error_text")) {
		text = pn_data_get_bytes(body);
		snprintf(answer->text, sizeof(answer->text), "%.*s", (int)text.size,
		         text.start ? text.start : "");
	}
}

bool qmf_decode(struct qmf_answer *answer, const char *bytes, size_t size)
{
	pn_message_t *m = pn_message();
	pn_data_t *properties;
	bool valid;

	memset(answer, 0, sizeof(*answer));
	if (!m)
		return false;
	valid = !pn_message_decode(m, bytes, size);
	if (valid) {
		answer->id = request_id(m);
		properties = pn_message_properties(m);
		if (map_first(properties) && map_find(properties, "qmf.opcode") &&
		    map_equals(pn_data_get_bytes(properties), "_exception"))
			explain(answer, pn_message_body(m));
	}
	pn_message_free(m);
	return valid;
}
