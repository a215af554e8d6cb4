/* SPDX-License-Identifier: Apache-2.0 */
/*
 * module: a plugin as it was loaded once: its descriptor, what it provides, its context.
 *
 * A reload makes a new one beside the old, which goes when the last call and the last action that use
 * it are over: its unload() runs then, in the loader's thread, as its load() did.
 *
 *   m = module_new(descriptor, loader, &error);
 *   module_load(m, &error);       // may block
 *   module_ref(m); ... module_unref(m);
 *
 * Thread: any; constant once loaded.
 */
#ifndef GOFER_AGENT_MODULE_H
#define GOFER_AGENT_MODULE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "agent/descriptor.h"
#include "core/call.h"
#include "core/catalog.h"
#include "core/pool.h"

struct module {
	/* immutable */
	struct descriptor *descriptor; /* a reference */
	struct catalog *catalog;
	struct plugin_context *context;
	struct pool *loader;

	/* module's own */
	bool loaded; /* load() was called and went well */
	atomic_uint references;
	struct pool_job unload;
};

/* Not loaded yet; one reference. The descriptor is referred to, the loader (one thread) borrowed: it must be
 * there as long as the module. NULL: `error`. */
struct module *module_new(struct descriptor *descriptor, struct pool *loader, struct error *error);
/* Calls the plugin's load(), which may block; once. */
enum gofer_err module_load(struct module *m, struct error *error);

struct module *module_ref(struct module *m);
/* The last one has it unloaded and freed by the loader, or, where that takes no more, at once. NULL is
 * taken. */
void module_unref(struct module *m);

#endif
