/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/module.h"

#include <stddef.h>
#include <stdlib.h>

static void module_free(struct module *m)
{
	if (m->loaded && m->descriptor->plugin->unload)
		m->descriptor->plugin->unload(m->context);
	plugin_context_free(m->context);
	catalog_free(m->catalog);
	descriptor_unref(m->descriptor);
	free(m);
}

static void run_unload(struct pool_job *job)
{
	module_free((struct module *)((char *)job - offsetof(struct module, unload)));
}

struct module *module_new(struct descriptor *descriptor, struct pool *loader, struct error *error)
{
	struct module *m = calloc(1, sizeof *m);

	if (!m) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	m->descriptor = descriptor_ref(descriptor);
	m->loader = loader;
	m->unload = (struct pool_job){.run = run_unload, .drop = run_unload};
	atomic_init(&m->references, 1);
	m->catalog = catalog_new(descriptor->plugin, error);
	if (m->catalog) {
		m->context = plugin_context_new(descriptor->name, descriptor->config);
		if (m->context)
			return m;
		error_set(error, GOFER_NOMEM, "out of memory");
	}
	module_free(m);
	return NULL;
}

enum gofer_err module_load(struct module *m, struct error *error)
{
	const struct plugin *plugin = m->descriptor->plugin;
	enum gofer_err rc = plugin->load ? plugin->load(m->context) : GOFER_OK;

	m->loaded = !rc;
	return rc ? error_set(error, rc, "its load() failed: %s", error_name(rc)) : GOFER_OK;
}

struct module *module_ref(struct module *m)
{
	atomic_fetch_add_explicit(&m->references, 1, memory_order_relaxed);
	return m;
}

void module_unref(struct module *m)
{
	if (!m || atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) > 1)
		return;
	if (pool_submit(m->loader, &m->unload))
		module_free(m);
}
