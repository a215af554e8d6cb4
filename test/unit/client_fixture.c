/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "test/unit/client_fixture.h"

void turn(struct loop *loop, double seconds)
{
	uint64_t limit = clock_monotonic_ms() + (uint64_t)(seconds * 1000);

	do {
		loop_run_once(loop, 0.01);
	} while (clock_monotonic_ms() < limit);
}

static void free_connection(struct client_fixture *f)
{
	connection_free(f->c);
	f->c = NULL;
}

/* --- the connection ---------------------------------------------------------------------- */

static void on_up(struct connection *c, void *context)
{
	struct client_fixture *f = context;

	assert_ptr_equal(c, f->c);
	assert_true(connection_is_up(c));
	f->ups++;
	if (f->free_on_up)
		free_connection(f);
	else if (f->close_on_up)
		connection_close(c);
}

static void on_down(struct connection *c, const struct error *why, double retry_s, void *context)
{
	struct client_fixture *f = context;

	assert_ptr_equal(c, f->c);
	assert_false(connection_is_up(c));
	assert_int_not_equal(why->code, GOFER_OK);
	f->downs++;
	f->why = *why;
	f->retry_s = retry_s;
	if (f->free_on_down)
		free_connection(f);
}

static void on_closed(struct connection *c, void *context)
{
	struct client_fixture *f = context;

	assert_ptr_equal(c, f->c);
	f->closed++;
}

static const struct connection_events events = {on_up, on_down, on_closed};

void client_fixture_init(struct client_fixture *f, const char *product)
{
	struct error error;

	memset(f, 0, sizeof(*f));
	log_level("", LOG_LEVEL_ERROR);
	f->loop = loop_new(NULL);
	assert_non_null(f->loop);
	fake_server_init(&f->server, f->loop, product);
	assert_int_equal(url_parse(&f->url, "amqp://broker.test", &error), GOFER_OK);
	f->options.url = &f->url;
}

void client_fixture_start(struct client_fixture *f)
{
	struct error error;

	f->c = client_new(f->loop, &f->options, &f->server.connector, &events, f, &error);
	assert_non_null(f->c);
}

void client_fixture_connect(struct client_fixture *f)
{
	struct error error;

	f->c = connection_new(f->loop, &f->options, &events, f, &error);
	assert_non_null(f->c);
}

void client_fixture_up(struct client_fixture *f)
{
	client_fixture_start(f);
	UNTIL(f->loop, f->ups == 1);
}

void client_fixture_release(struct client_fixture *f)
{
	connection_free(f->c);
	fake_server_release(&f->server);
	url_release(&f->url);
	loop_free(f->loop);
}

/* --- receivers --------------------------------------------------------------------------- */

static void after(struct probe *p, bool close, bool free_all)
{
	if (free_all)
		free_connection(p->fixture);
	else if (close)
		receiver_close(p->r);
	if (free_all || close)
		p->r = NULL;
}

static void on_open(struct receiver *r, const char *address, void *context)
{
	struct probe *p = context;

	assert_ptr_equal(r, p->r);
	p->opens++;
	snprintf(p->address, sizeof(p->address), "%s", address);
	if (p->credit)
		receiver_credit(r, p->credit);
	after(p, p->close_on_open, p->free_on_open);
}

static void note_body(struct probe *p, const struct message *m)
{
	size_t at = strlen(p->bodies);

	if (m)
		snprintf(p->bodies + at, sizeof(p->bodies) - at, "%s%.*s", at ? " " : "",
		         (int)m->body.size, m->body.data);
}

static void on_message(struct receiver *r, struct delivery *d, void *context)
{
	struct probe *p = context;

	assert_ptr_equal(r, p->r);
	note_body(p, delivery_message(d));
	if (p->keep)
		p->deliveries[p->messages] = d;
	else
		delivery_settle(d, delivery_message(d) ? OUTCOME_ACCEPTED : OUTCOME_REJECTED, NULL);
	p->messages++;
	after(p, p->close_on_message, p->free_on_message);
}

static void on_receiver_down(struct receiver *r, const struct error *why, double retry_s,
                             void *context)
{
	struct probe *p = context;

	assert_ptr_equal(r, p->r);
	p->downs++;
	p->why = *why;
	p->retry_s = retry_s;
	after(p, p->close_on_down, p->free_on_down);
}

static const struct receiver_events receiver_events = {on_open, on_message, on_receiver_down};

void probe_open_with(struct client_fixture *f, struct probe *p,
                     const struct receiver_options *options)
{
	p->fixture = f;
	p->r = receiver_open(f->c, options, &receiver_events, p);
	assert_non_null(p->r);
	assert_int_equal(p->opens, 0);
}

void probe_open(struct client_fixture *f, struct probe *p, const char *address)
{
	struct receiver_options options = {.address = address};

	probe_open_with(f, p, &options);
}

void probe_close(struct probe *p)
{
	receiver_close(p->r);
	p->r = NULL;
}

/* --- sending ----------------------------------------------------------------------------- */

static void on_outcome(void *context, enum outcome outcome, const struct error *why)
{
	static const struct error none = ERROR_NONE;
	struct sent *sent = context;

	sent->outcomes++;
	sent->outcome = outcome;
	sent->why = why ? *why : none;
	assert_true(outcome != OUTCOME_ACCEPTED || !why);
	if (sent->again_on_outcome)
		assert_int_equal(send_text(sent->fixture, sent, "again", "again"), GOFER_OK);
	if (sent->free_on_outcome)
		free_connection(sent->fixture);
}

static enum gofer_err send_any(struct client_fixture *f, struct sent *sent, const char *address,
                               const char *text, bool request)
{
	struct message m = MESSAGE_INIT;
	struct send_options options = {.address = address, .message = &m, .request = request};
	unsigned before = sent ? sent->outcomes : 0;
	enum gofer_err err;

	m.body_kind = MESSAGE_STRING;
	m.body = (struct slice){text, strlen(text)};
	if (sent) {
		sent->fixture = f;
		options.on_outcome = on_outcome;
		options.context = sent;
	}
	err = connection_send(f->c, &options);
	assert_int_equal(before, sent ? sent->outcomes : 0);
	return err;
}

enum gofer_err send_text(struct client_fixture *f, struct sent *sent, const char *address,
                         const char *text)
{
	return send_any(f, sent, address, text, false);
}

enum gofer_err send_request(struct client_fixture *f, struct sent *sent, const char *address,
                            const char *text)
{
	return send_any(f, sent, address, text, true);
}
