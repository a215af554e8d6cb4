/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptor: one plugin that was asked for, by a file in etc/gofer/plugins/ or on the command line.
 *
 *   d = descriptor_read(path, table, faults, notes);           // or descriptor_of_option()
 *   descriptor_attach(d, agent_config, url, listen, count, faults);  // which broker
 *   descriptor_ref(d); ... descriptor_unref(d);
 *
 * A fault disables this descriptor and no other: `enabled` is false then.
 *
 * Thread: one, while it is read; constant afterwards, with references taken and given back in any.
 * Reading blocks on the file.
 */
#ifndef GOFER_AGENT_DESCRIPTOR_H
#define GOFER_AGENT_DESCRIPTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "amqp/url.h"
#include "core/config.h"
#include "core/plugin.h"

/* How to reach one broker. */
struct broker_settings {
	bool attached; /* there is one: `url`, or this very process where `own` */
	bool own;
	struct url url;
	char *cacert, *clientcert, *clientkey; /* NULL if none */
	bool host_validation;
	double heartbeat_s; /* 0: the default */
};

struct descriptor {
	atomic_uint references;
	struct descriptor *next; /* in the settings that it was read for */
	char *origin;            /* its file, or "--plugin demo" */
	struct config *config;
	bool enabled; /* asked for, and without a fault */
	bool faulty;
	char *name; /* what the loaded plugin is called */
	const struct plugin *plugin;
	char *queue;
	unsigned threads;
	size_t backlog; /* requests taken and not finished, at most */
	double latency_s;
	const char *forward, *accept; /* names of plugins, as descriptor_lists() reads them */
	struct broker_settings broker;
};

/* From a file; one reference. NULL: out of memory, told in `faults`. */
struct descriptor *descriptor_read(const char *path, const struct plugin *const *table,
                                   struct config_faults *faults, struct config_faults *notes);
/* From "NAME" or "NAME=QUEUE" on the command line; enabled. NULL as above. */
struct descriptor *descriptor_of_option(const char *text, const struct plugin *const *table,
                                        struct config_faults *faults);
/* What such an option said, of an origin that is one; NULL: it is a file. */
const char *descriptor_option(const char *origin);
struct descriptor *descriptor_ref(struct descriptor *d);
void descriptor_unref(struct descriptor *d); /* NULL is taken */

/* Whether both ask for the same: every value, the plugin, the broker. Where they were read from does not
 * matter. */
bool descriptor_equal(const struct descriptor *a, const struct descriptor *b);
bool broker_settings_equal(const struct broker_settings *a, const struct broker_settings *b);
/* Whether `name` is one of the names in `list`: "a, b"; "*" is all names, "," none. */
bool descriptor_lists(const char *list, const char *name);

/* Tells a fault of the value [section] key, where it stands, and disables the descriptor. */
void descriptor_fault(struct descriptor *d, struct config_faults *faults, const char *section,
                      const char *key, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Finds its broker: its own url, else `url` (NULL: none), else this process, if it listens. A url that
 * is one of `listen` is this process too. A faulty descriptor has none. What it says not of TLS, the agent's [messaging] does. */
void descriptor_attach(struct descriptor *d, const struct config *agent, const char *url,
                       const struct url *listen, size_t listen_count, struct config_faults *faults);

#endif
