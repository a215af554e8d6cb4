/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_fixture: a client on a fake server, and what its callbacks were told.
 */
#ifndef GOFER_TEST_CLIENT_FIXTURE_H
#define GOFER_TEST_CLIENT_FIXTURE_H

#include "test/unit/fake_server.h"

#define FIXTURE_MAX 256

struct client_fixture {
	struct loop *loop;
	struct fake_server server;
	struct connection_options options; /* before client_fixture_start() */
	struct url url;
	struct connection *c; /* NULL once freed */

	unsigned ups, downs, closed;
	struct error why;
	double retry_s;
	bool free_on_up, free_on_down, close_on_up;
};

/* One receiver. */
struct probe {
	struct client_fixture *fixture;
	struct receiver *r;
	unsigned opens, downs, messages;
	char address[128];
	struct error why;
	double retry_s;
	unsigned credit; /* given in on_open */
	bool keep;       /* deliveries are not settled */
	struct delivery *deliveries[FIXTURE_MAX];
	char bodies[4096];
	bool close_on_open, close_on_message, close_on_down;
	bool free_on_open, free_on_message, free_on_down; /* the connection */
};

/* One message sent. */
struct sent {
	struct client_fixture *fixture;
	unsigned outcomes;
	enum outcome outcome;
	struct error why;
	bool free_on_outcome, again_on_outcome;
};

void client_fixture_init(struct client_fixture *f, const char *product);
void client_fixture_start(struct client_fixture *f);
void client_fixture_connect(struct client_fixture *f); /* over a socket, without the fake server */
void client_fixture_up(struct client_fixture *f);      /* starts, and waits until it is */
void client_fixture_release(struct client_fixture *f);

void probe_open(struct client_fixture *f, struct probe *p, const char *address);
void probe_open_with(struct client_fixture *f, struct probe *p,
                     const struct receiver_options *options);
void probe_close(struct probe *p);

/* `sent` may be NULL. */
enum gofer_err send_text(struct client_fixture *f, struct sent *sent, const char *address,
                         const char *text);
enum gofer_err send_request(struct client_fixture *f, struct sent *sent, const char *address,
                            const char *text);

/* Turns the loop until the condition holds, a minute at most. */
#define UNTIL(loop, condition) \
	do { \
		uint64_t limit_ = clock_monotonic_ms() + 60000; \
		bool met_; \
		while (!(met_ = (condition)) && clock_monotonic_ms() < limit_) \
			loop_run_once(loop, 0.02); \
		if (!met_) \
			fail_msg("in vain: %s", #condition); \
	} while (0)
/* Turns the loop for that long: what must not happen has had its chance. */
void turn(struct loop *loop, double seconds);

#endif
