/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connector: how a client reaches its broker, again and again; for those who write one.
 *
 * The client says when; the connector finds the way (dial: a name, its addresses, a socket) and then
 * attaches a driver to what it found. A kind embeds the struct as its first member.
 *
 *   start() -> done(context, NULL) -> attach()     the way is open
 *           -> done(context, why)                  it is not; start() again whenever wanted
 *           -> stop()                              not wanted any more, `done` is not called
 *
 * Thread: the loop's. Nothing blocks, and `done` is never called from inside start().
 */
#ifndef GOFER_AMQP_CONNECTOR_H
#define GOFER_AMQP_CONNECTOR_H

#include "amqp/driver.h"
#include "core/error.h"

struct connector;

typedef void connector_done(void *context, const struct error *why);

struct connector_ops {
	/* A failure means that `done` will not be called. */
	enum gofer_err (*start)(struct connector *k, connector_done *done, void *context,
	                        struct error *error);
	void (*stop)(struct connector *k); /* in any state, twice too */
	/* What it is at, for people: "connecting". */
	const char *(*stage)(const struct connector *k);
	/* Once after each `done` without error. */
	enum gofer_err (*attach)(struct connector *k, struct driver *d, struct error *error);
	void (*free)(struct connector *k); /* in any state */
};

struct connector {
	const struct connector_ops *ops;
};

#endif
