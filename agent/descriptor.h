/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptor: one plugin that was asked for, by a file in etc/gofer/plugins/ or on the command line.
 *
 *   d = descriptor_read(path, table, faults, notes);           // or descriptor_new() and no file
 *   descriptor_attach(d, agent_config, url, listen, count, faults);  // which broker
 *
 * A fault disables this descriptor and no other: `enabled` is false then.
 *
 * Thread: main, while loading; constant afterwards. Blocks on file reads.
 */
#ifndef GOFER_AGENT_DESCRIPTOR_H
#define GOFER_AGENT_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "amqp/url.h"
#include "core/config.h"
#include "core/plugin.h"

/* How to reach one broker. The texts are borrowed from the configurations. */
struct broker_settings {
	bool attached; /* there is one: `url`, or this very process where `own` */
	bool own;
	struct url url;
	const char *cacert, *clientcert, *clientkey; /* NULL if none */
	bool host_validation;
	double heartbeat_s; /* 0: the default */
};

struct descriptor {
	struct descriptor *next;
	char *origin; /* its file, or "--plugin demo" */
	struct config *config;
	bool enabled; /* asked for, and without a fault */
	bool faulty;
	char *name; /* what the loaded plugin is called */
	const struct plugin *plugin;
	char *queue;
	unsigned threads;
	size_t backlog; /* requests taken and not finished, at most */
	double latency_s;
	struct broker_settings broker;
};

/* From a file. NULL: out of memory, told in `faults`. */
struct descriptor *descriptor_read(const char *path, const struct plugin *const *table,
                                   struct config_faults *faults, struct config_faults *notes);
/* From "NAME" or "NAME=QUEUE" on the command line; enabled. NULL as above. */
struct descriptor *descriptor_of_option(const char *text, const struct plugin *const *table,
                                        struct config_faults *faults);
void descriptor_free(struct descriptor *d); /* NULL is taken */

/* Tells a fault of the value [section] key, where it stands, and disables the descriptor. */
void descriptor_fault(struct descriptor *d, struct config_faults *faults, const char *section,
                      const char *key, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Finds its broker: its own url, else `url` (NULL: none), else this process, if it listens. A url that
 * is one of `listen` is this process too. A faulty descriptor has none. What it says not of TLS, the agent's [messaging] does. */
void descriptor_attach(struct descriptor *d, const struct config *agent, const char *url,
                       const struct url *listen, size_t listen_count, struct config_faults *faults);

#endif
