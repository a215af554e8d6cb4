/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: what the agent is to do, from its files and its command line.
 *
 * Files, all under `root`: etc/gofer/agent.conf, etc/gofer/conf.d/ (more of the same, later ones win),
 * and etc/gofer/plugins/, one descriptor a plugin; *.conf is INI, *.json is JSON.
 *
 *   settings = settings_load(&source, &faults, &notes);
 *   for (d = settings->descriptors; d; d = d->next) if (d->enabled) ...
 *   settings_free(settings);
 *
 * A fault in agent.conf is one of the agent; a fault in a descriptor disables that descriptor alone.
 * Values that gofer 2.x knew and that have no effect here are no faults: they go to `notes`.
 *
 * Thread: one, while loading; constant afterwards. Blocks on file reads.
 */
#ifndef GOFER_AGENT_SETTINGS_H
#define GOFER_AGENT_SETTINGS_H

#include "agent/descriptor.h"

/* The broker that this process is, if there is anything in `urls`. */
struct listen_settings {
	struct url *urls;
	size_t count;
	const char *users, *cert, *key; /* NULL if none */
	bool allow_anonymous;
	size_t queue_messages, queue_bytes, message_bytes, connections;
	double idle_timeout_s;
};

struct settings {
	const struct plugin *const *table;
	char *url; /* of the command line's plugins; NULL: none was given */
	struct config *config;
	char *run;     /* the directory for what lives as long as the agent: <root>/run/gofer */
	char *journal; /* the directory of what it has accepted: <root>/var/lib/gofer/journal */
	double grace_s;
	size_t body_max;
	struct listen_settings listen;
	const struct listen_settings
		*running; /* what the process does of that; decides which broker is its own */
	struct descriptor *descriptors; /* files by name, then the command line's */
};

/* What the command line says; NULL and 0 are "nothing". */
struct settings_source {
	const char *root;           /* NULL: / */
	const char *config_file;    /* instead of etc/gofer/agent.conf; must exist */
	const char *const *plugins; /* "NAME" or "NAME=QUEUE" each */
	size_t plugins_count;
	const char *url; /* of those plugins */
	const char *const *listen;
	size_t listen_count;
	const char *users, *cert, *key;
	const struct listen_settings
		*running; /* of a process that runs already, living longer; NULL: it will
	                                        * do as it reads */
	const struct plugin *const *table; /* the plugins that there are; NULL ends it */
};

/* Reads all. What is wrong goes to `faults` by file and line, what is passed over to `notes`. NULL if the
 * agent itself can't run with this (faults in agent.conf or on the command line, no memory). */
struct settings *settings_load(const struct settings_source *source, struct config_faults *faults,
                               struct config_faults *notes);
void settings_free(struct settings *settings); /* NULL is taken */

/* Reads one descriptor anew, be it one of these or another: `origin` is a file, or what a descriptor of the
 * command line has there. One reference is the caller's. NULL: out of memory, told in `faults`. */
struct descriptor *settings_read(const struct settings *settings, const char *origin,
                                 struct config_faults *faults, struct config_faults *notes);

/* Sets the log levels that [logging] names. */
void settings_apply_logging(const struct settings *settings);

#endif
