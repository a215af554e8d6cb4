/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/execution.h"
#include "core/clock.h"
#include "core/document.h"
#include "core/log.h"

#define PACKAGE "agent.intake"
#define DOCUMENT_DESCRIPTION "MODEL: document not valid"

/* One message on its way through the steps. */
struct arrival {
	struct instance *instance;
	struct delivery *delivery; /* NULL once settled, or taken by the call that it became */
	const struct message *message;
	struct request request;
	struct rejection rejection;
	struct tracked *tracked;
};

static void settle(struct arrival *a, enum outcome outcome, const struct error *why)
{
	delivery_settle(a->delivery, outcome, why);
	a->delivery = NULL;
}

/* Memory, or another thing that there will be again: back to the broker, and no more for a while. */
static void give_back(struct arrival *a, const char *why)
{
	instance_pause(a->instance, why);
	settle(a, OUTCOME_RELEASED, NULL);
}

/* --- replies that no call sends ------------------------------------------------------- */

/* Where replies go: the body says it, or else the message. To be freed; NULL: nowhere. */
static char *address_of(const struct arrival *a)
{
	const struct slice *reply_to = &a->message->reply_to;

	if (a->request.replyto)
		return strdup(a->request.replyto);
	return reply_to->size ? strndup(reply_to->data, reply_to->size) : NULL;
}

/* The sn; where there is none, what peers that are not gofer expect. */
static struct slice correlation_of(const struct arrival *a)
{
	if (a->request.sn)
		return (struct slice){a->request.sn, strlen(a->request.sn)};
	return a->message->correlation_id.data ? a->message->correlation_id
					       : a->message->message_id;
}

static void send_reply(const struct arrival *a, const char *address, const struct buf *body)
{
	const struct outbox_reply reply = {
		.address = address,
		.kind = a->message->body_kind == MESSAGE_NONE ? MESSAGE_STRING
							      : a->message->body_kind,
		.durable = a->message->durable,
		.correlation = correlation_of(a),
		.body = {body->data, body->size},
	};

	outbox_send(a->instance->outbox, &reply);
}

static void send_rejected(const struct arrival *a)
{
	char *address = address_of(a);
	const struct reply_head head = {a->request.sn, address, a->request.data};
	struct buf *body = &a->instance->scratch;

	buf_clear(body);
	if (address && reply_rejected(body, &head, &a->rejection) == GOFER_OK)
		send_reply(a, address, body);
	free(address);
}

static void count(const struct arrival *a, enum metrics_outcome outcome)
{
	metrics_count(&a->instance->metrics, outcome, -1);
}

/* --- how a message is refused --------------------------------------------------------- */

static void tell_refused(const struct arrival *a)
{
	count(a, METRICS_REJECTED);
	log_warning(PACKAGE, "plugin %s: request %.100s rejected: %s: %s",
	            a->instance->descriptor->name, a->request.sn ? a->request.sn : "without sn",
	            a->rejection.code, a->rejection.details);
}

/* No document: the broker may want to keep it somewhere. */
static void refuse_document(struct arrival *a)
{
	struct error why = ERROR_NONE;

	tell_refused(a);
	send_rejected(a);
	error_set(&why, GOFER_INVALID, "%s: %s", a->rejection.code, a->rejection.details);
	settle(a, OUTCOME_REJECTED, &why);
}

static void set_not_document(struct arrival *a)
{
	a->rejection.code = REJECT_DOCUMENT;
	a->rejection.description = DOCUMENT_DESCRIPTION;
}

static void refuse_request(struct arrival *a)
{
	tell_refused(a);
	send_rejected(a);
	settle(a, OUTCOME_ACCEPTED, NULL);
}

/* --- the steps: each is true if the next may be taken --------------------------------- */

static bool check_form(struct arrival *a)
{
	size_t size = a->message->body.size, max = a->instance->services->body_max;

	if (a->message->body_kind != MESSAGE_NONE && size <= max)
		return true;
	set_not_document(a);
	if (size > max)
		snprintf(a->rejection.details, sizeof a->rejection.details,
		         "the body has %zu bytes, expected at most %zu", size, max);
	else
		snprintf(a->rejection.details, sizeof a->rejection.details,
		         "the message has no body of text or bytes");
	refuse_document(a);
	return false;
}

/* What is no request may be a signed one: its signature is nobody's to check here. */
static enum gofer_err decode_signed(struct arrival *a)
{
	const struct slice *body = &a->message->body;
	unsigned char *signature = NULL;
	size_t size, signature_size;
	char *inner = NULL;

	if (envelope_open(body->data, body->size, &inner, &size, &signature, &signature_size))
		return GOFER_FAILED;
	request_release(&a->request);
	enum gofer_err rc = request_decode(&a->request, inner, size, &a->rejection);
	free(inner);
	free(signature);
	return rc;
}

static bool decode(struct arrival *a)
{
	const struct slice *body = &a->message->body;
	enum gofer_err rc = request_decode(&a->request, body->size ? body->data : "", body->size,
	                                   &a->rejection);

	if (rc == GOFER_FAILED)
		rc = decode_signed(a);
	if (rc == GOFER_INVALID)
		refuse_document(a);
	else if (rc == GOFER_NOMEM)
		give_back(a, "out of memory");
	else if (rc)
		refuse_request(a);
	return rc == GOFER_OK;
}

static bool check_expiry(struct arrival *a)
{
	uint64_t expiry_ms = a->message->expiry_ms;

	if (!expiry_ms || clock_wall_ms() <= expiry_ms)
		return true;
	log_info(PACKAGE, "plugin %s: request %.100s dropped: its time to live has run out",
	         a->instance->descriptor->name, a->request.sn);
	count(a, METRICS_EXPIRED);
	settle(a, OUTCOME_ACCEPTED, NULL);
	return false;
}

/* The result's bytes as they were, but for the address in `routing`. */
static bool readdress(struct buf *out, const char *result, size_t size, const char *address)
{
	struct slice routing;

	if (!json_member_text(result, size, "routing", &routing))
		return false;
	buf_append(out, result, (size_t)(routing.data - result));
	buf_puts(out, "[null, ");
	json_print_string(out, address, strlen(address));
	buf_puts(out, "]");
	buf_append(out, routing.data + routing.size,
	           size - (size_t)(routing.data + routing.size - result));
	return buf_ok(out);
}

static void send_again(const struct arrival *a)
{
	size_t size;
	const char *result = tracked_result(a->tracked, &size);
	char *address = address_of(a);
	struct buf *body = &a->instance->scratch;

	buf_clear(body);
	if (result && size && address && readdress(body, result, size, address))
		send_reply(a, address, body);
	free(address);
}

static bool check_known(struct arrival *a)
{
	struct instance *in = a->instance;
	enum tracker_state state = tracker_add(in->services->tracker, in->descriptor->name,
	                                       a->request.sn, &a->tracked);

	if (state == TRACKER_NEW)
		return true;
	if (state == TRACKER_NOMEM) {
		give_back(a, "out of memory");
		return false;
	}
	if (state == TRACKER_PENDING && execution_adopt(tracked_owner(a->tracked), a->delivery)) {
		a->delivery = NULL;
		return false;
	}
	log_info(PACKAGE, "plugin %s: request %.100s came again, not run again",
	         in->descriptor->name, a->request.sn);
	count(a, METRICS_REPEATED);
	if (state == TRACKER_FINISHED)
		send_again(a);
	settle(a, OUTCOME_ACCEPTED, NULL);
	return false;
}

static bool begin(struct arrival *a)
{
	struct instance *in = a->instance;
	enum gofer_err rc = execution_begin_take(in, &a->request, a->tracked, a->delivery);

	if (rc == GOFER_OK)
		return true;
	tracker_forget(in->services->tracker, a->tracked);
	give_back(a, rc == GOFER_FULL ? "the journal is full" : "out of memory");
	return false;
}

void intake_receive(struct instance *in, struct delivery *d)
{
	static bool (*const steps[])(struct arrival *) = {
		check_form, decode, check_expiry, check_known, begin,
	};
	struct arrival a = {.instance = in, .delivery = d, .message = delivery_message(d)};
	struct error why = ERROR_NONE;

	ASSERT_LOOP_THREAD(in->services->loop);
	if (!a.message) {
		log_warning(PACKAGE, "plugin %s: a delivery that is no AMQP message, rejected",
		            in->descriptor->name);
		count(&a, METRICS_REJECTED);
		error_set(&why, GOFER_PROTOCOL, "no AMQP 1.0 message");
		delivery_settle(d, OUTCOME_REJECTED, &why);
		return;
	}
	for (size_t i = 0; i < sizeof steps / sizeof *steps && steps[i](&a); i++)
		;
	request_release(&a.request);
}
