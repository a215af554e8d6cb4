/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/roster.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"

#define PACKAGE "agent.roster"
#define LOADER_NAME "loader"
/* Less than SIZE_MAX, so that the pool's own sums can't overflow. */
#define NO_BOUND (SIZE_MAX / 2)

struct member {
	struct member *next;
	struct instance *instance;
	struct uplink *uplink; /* NULL: not attached */
	bool leaving;
};

/* A plugin on its way in. */
struct change {
	struct change *next;
	struct roster *roster;
	struct module *module;
	bool hard;
	struct roster_done done;
	struct pool_job job;
	struct loop_task loaded;
	struct error error; /* the loader's, then the loop's */
};

struct roster {
	/* immutable */
	const struct instance_services *services;
	struct uplinks *uplinks;
	struct pool *loader;

	pthread_mutex_t lock; /* for the list's links, when a worker follows them */

	/* loop only, the links guarded by lock too */
	struct member *members;
	struct change *changes;
	uint64_t version;
	bool stopping;
	bool marking, mark_again; /* `marked` is the journal's; more were marked since */
	struct journal_wait marked;
};

static struct loop *loop_of(const struct roster *r)
{
	return r->services->loop;
}

/* --- members -------------------------------------------------------------------------- */

static struct member *find_member(const struct roster *r, const char *name)
{
	struct member *m = r->members;

	while (m && strcmp(m->instance->descriptor->name, name) != 0)
		m = m->next;
	return m;
}

static struct member *member_of(const struct roster *r, const struct instance *in)
{
	struct member *m = r->members;

	while (m && m->instance != in)
		m = m->next;
	return m;
}

/* NULL, where the descriptor has no broker. */
static enum gofer_err get_uplink(struct roster *r, struct descriptor *d, struct uplink **uplink,
                                 struct error *error)
{
	*uplink = d->broker.attached ? uplinks_get(r->uplinks, d, error) : NULL;
	return *uplink || !d->broker.attached ? GOFER_OK : GOFER_FAILED;
}

static enum gofer_err attach(struct member *m, struct uplink *uplink, struct error *error)
{
	m->uplink = uplink;
	if (!uplink) {
		log_info(PACKAGE, "plugin %s: no url, so on no queue",
		         m->instance->descriptor->name);
		return GOFER_OK;
	}
	if (instance_attach(m->instance, uplink_connection(uplink), uplink_outbox(uplink),
	                    uplink_label(uplink)))
		return error_set(error, GOFER_NOMEM, "out of memory");
	return GOFER_OK;
}

static void member_free(struct member *m)
{
	instance_stop(m->instance);
	instance_detach(m->instance);
	instance_free(m->instance);
	free(m);
}

static void append(struct roster *r, struct member *m)
{
	struct member **last = &r->members;

	pthread_mutex_lock(&r->lock);
	while (*last)
		last = &(*last)->next;
	*last = m;
	pthread_mutex_unlock(&r->lock);
}

static enum gofer_err add_member(struct roster *r, struct module *module, struct error *error)
{
	struct member *m = calloc(1, sizeof *m);
	struct uplink *uplink;

	if (!m)
		return error_set(error, GOFER_NOMEM, "out of memory");
	m->instance = instance_new(r->services, module, error);
	if (!m->instance) {
		free(m);
		return GOFER_NOMEM;
	}
	if (get_uplink(r, module->descriptor, &uplink, error) || attach(m, uplink, error)) {
		member_free(m);
		return GOFER_FAILED;
	}
	append(r, m);
	r->version++;
	instance_start(m->instance);
	return GOFER_OK;
}

enum gofer_err roster_load_now(struct roster *r, struct descriptor *descriptor, struct error *error)
{
	struct module *module = module_new(descriptor, r->loader, error);
	enum gofer_err rc = module ? module_load(module, error) : GOFER_FAILED;

	if (!rc)
		rc = add_member(r, module, error);
	module_unref(module);
	return rc;
}

/* --- changes -------------------------------------------------------------------------- */

static bool is_elsewhere(const struct descriptor *a, const struct descriptor *b)
{
	return strcmp(a->queue, b->queue) != 0 || !broker_settings_equal(&a->broker, &b->broker);
}

static enum gofer_err change_member(struct roster *r, struct member *m, struct module *module,
                                    bool hard, struct error *error)
{
	bool moves = is_elsewhere(m->instance->descriptor, module->descriptor);
	struct uplink *uplink = NULL;

	if (m->leaving)
		return error_set(error, GOFER_EXISTS, "plugin %s is being unloaded",
		                 module->descriptor->name);
	if (moves && get_uplink(r, module->descriptor, &uplink, error))
		return GOFER_FAILED;
	if (moves)
		instance_detach(m->instance);
	instance_change(m->instance, module, hard);
	r->version++;
	return moves ? attach(m, uplink, error) : GOFER_OK;
}

static enum gofer_err install(struct roster *r, struct module *module, bool hard,
                              struct error *error)
{
	struct member *m = find_member(r, module->descriptor->name);

	if (r->stopping)
		return error_set(error, GOFER_CANCELLED, "the agent is ending");
	return m ? change_member(r, m, module, hard, error) : add_member(r, module, error);
}

static void change_free(struct change *c)
{
	struct change **at = &c->roster->changes;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	module_unref(c->module);
	free(c);
}

static void on_loaded(struct loop_task *task)
{
	struct change *c = (struct change *)((char *)task - offsetof(struct change, loaded));
	struct roster *r = c->roster;
	const struct roster_done done = c->done;
	struct error error = c->error;
	const char *name = c->module->descriptor->name;

	if (!error.code)
		install(r, c->module, c->hard, &error);
	if (error.code)
		log_error(PACKAGE, "plugin %s was not loaded: %s", name, error.text);
	else
		log_info(PACKAGE, "plugin %s loaded from %s", name, c->module->descriptor->origin);
	change_free(c);
	done.done(done.context, error.code ? &error : NULL);
	r->services->on_change(r->services->context);
}

static void load_job(struct pool_job *job)
{
	struct change *c = (struct change *)((char *)job - offsetof(struct change, job));

	module_load(c->module, &c->error);
	loop_post(loop_of(c->roster), &c->loaded);
}

static void drop_load_job(struct pool_job *job)
{
	struct change *c = (struct change *)((char *)job - offsetof(struct change, job));

	error_set(&c->error, GOFER_CANCELLED, "the agent is ending");
	loop_post(loop_of(c->roster), &c->loaded);
}

bool roster_is_changing(const struct roster *r, const char *name)
{
	const struct member *m = find_member(r, name);

	for (const struct change *c = r->changes; c; c = c->next)
		if (strcmp(c->module->descriptor->name, name) == 0)
			return true;
	return m && m->leaving;
}

enum gofer_err roster_load(struct roster *r, struct descriptor *descriptor, bool hard,
                           const struct roster_done *done, struct error *error)
{
	struct change *c;
	enum gofer_err rc;

	ASSERT_LOOP_THREAD(loop_of(r));
	if (r->stopping)
		return error_set(error, GOFER_CANCELLED, "the agent is ending");
	if (roster_is_changing(r, descriptor->name))
		return error_set(
			error, GOFER_EXISTS,
			"plugin %s is just being loaded or unloaded; try again when that is "
			"over",
			descriptor->name);
	c = calloc(1, sizeof *c);
	if (!c)
		return error_set(error, GOFER_NOMEM, "out of memory");
	c->roster = r;
	c->hard = hard;
	c->done = *done;
	c->job = (struct pool_job){.run = load_job, .drop = drop_load_job};
	c->loaded.run = on_loaded;
	c->next = r->changes;
	r->changes = c;
	c->module = module_new(descriptor, r->loader, error);
	rc = c->module ? pool_submit(r->loader, &c->job) : GOFER_FAILED;
	if (rc) {
		change_free(c);
		return error && error->code ? rc
					    : error_set(error, rc, "no thread could be started");
	}
	return GOFER_OK;
}

void roster_unload(struct roster *r, struct instance *in, bool hard)
{
	struct member *m = member_of(r, in);

	ASSERT_LOOP_THREAD(loop_of(r));
	m->leaving = true;
	instance_stop(in);
	if (hard)
		instance_cut(in, false);
	r->services->on_change(r->services->context);
}

void roster_tidy(struct roster *r)
{
	for (struct member **at = &r->members; *at;) {
		struct member *m = *at;

		if (!m->leaving || instance_busy(m->instance)) {
			at = &m->next;
			continue;
		}
		pthread_mutex_lock(&r->lock);
		*at = m->next;
		pthread_mutex_unlock(&r->lock);
		log_info(PACKAGE, "plugin %s unloaded", m->instance->descriptor->name);
		member_free(m);
		r->version++;
	}
	uplinks_tidy(r->uplinks);
}

/* --- life ----------------------------------------------------------------------------- */

struct roster *roster_new(const struct roster_options *options, struct error *error)
{
	const struct instance_services *services = options->services;
	const struct uplink_events events = {services->on_change, services->context};
	struct roster *r = calloc(1, sizeof *r);

	if (r) {
		pthread_mutex_init(&r->lock, NULL);
		r->services = services;
		r->loader = pool_new(LOADER_NAME, 1, NO_BOUND);
		r->uplinks = uplinks_new(services->loop, options->broker, options->listen, &events);
		if (r->loader && r->uplinks)
			return r;
	}
	error_set(error, GOFER_NOMEM, "out of memory");
	roster_free(r);
	return NULL;
}

void roster_join(struct roster *r)
{
	roster_stop(r);
	roster_cut(r);
	for (struct member *m = r->members; m; m = m->next)
		instance_join(m->instance);
	pool_stop(r->loader, true);
	pool_join(r->loader);
}

void roster_free(struct roster *r)
{
	if (!r)
		return;
	uplinks_free(r->uplinks);
	for (struct member *next, *m = r->members; m; m = next) {
		next = m->next;
		instance_free(m->instance);
		free(m);
	}
	pool_free(r->loader);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* --- looking -------------------------------------------------------------------------- */

struct instance *roster_find(const struct roster *r, const char *name)
{
	const struct member *m = find_member(r, name);

	return m ? m->instance : NULL;
}

struct instance *roster_next(const struct roster *r, const struct instance *in)
{
	const struct member *m = in ? member_of(r, in)->next : r->members;

	return m ? m->instance : NULL;
}

size_t roster_count(const struct roster *r)
{
	size_t count = 0;

	for (const struct member *m = r->members; m; m = m->next)
		count++;
	return count;
}

uint64_t roster_version(const struct roster *r)
{
	return r->version;
}

struct uplink *roster_uplink(const struct roster *r, const struct instance *in)
{
	return member_of(r, in)->uplink;
}

const struct uplinks *roster_uplinks(const struct roster *r)
{
	return r->uplinks;
}

struct module *roster_forward(struct roster *r, struct instance *in, const char *classname)
{
	struct module *own = instance_module(in), *found = NULL;

	pthread_mutex_lock(&r->lock);
	for (struct member *m = r->members; m && !found; m = m->next) {
		struct module *other = m->instance == in ? NULL : instance_module(m->instance);

		if (other && descriptor_lists(own->descriptor->forward, other->descriptor->name) &&
		    descriptor_lists(other->descriptor->accept, own->descriptor->name) &&
		    catalog_has_class(other->catalog, classname))
			found = module_ref(other);
		module_unref(other);
	}
	pthread_mutex_unlock(&r->lock);
	module_unref(own);
	return found;
}

bool roster_was_tried(const struct roster *r)
{
	for (const struct member *m = r->members; m; m = m->next)
		if (m->uplink && !instance_was_tried(m->instance) &&
		    (uplink_is_up(m->uplink) || !uplink_was_tried(m->uplink)))
			return false;
	return true;
}

bool roster_is_idle(const struct roster *r)
{
	for (const struct member *m = r->members; m; m = m->next)
		if (instance_busy(m->instance))
			return false;
	return true;
}

bool roster_is_closed(const struct roster *r)
{
	return uplinks_are_closed(r->uplinks);
}

size_t roster_running(const struct roster *r)
{
	size_t count = pool_running(r->loader) + pool_waiting(r->loader);

	for (const struct member *m = r->members; m; m = m->next)
		count += instance_running(m->instance);
	return count;
}

/* --- all of them ---------------------------------------------------------------------- */

void roster_mark(struct roster *r)
{
	for (struct member *m = r->members; m; m = m->next)
		instance_mark(m->instance);
}

static void on_marked(struct journal_wait *wait, enum gofer_err result)
{
	struct roster *r = (struct roster *)((char *)wait - offsetof(struct roster, marked));

	(void)result; /* what could not be written now will be, and is answered all the same */
	r->marking = false;
	for (struct member *m = r->members; m; m = m->next)
		instance_sweep(m->instance);
	if (r->mark_again)
		roster_sweep(r);
}

void roster_sweep(struct roster *r)
{
	roster_mark(r);
	r->mark_again = r->marking;
	if (r->marking)
		return;
	r->marking = true;
	r->marked.stored = on_marked;
	journal_flush(r->services->journal, &r->marked);
}

void roster_stop(struct roster *r)
{
	r->stopping = true;
	for (struct member *m = r->members; m; m = m->next)
		instance_stop(m->instance);
}

size_t roster_cut(struct roster *r)
{
	size_t left = 0;

	for (struct member *m = r->members; m; m = m->next) {
		left += instance_busy(m->instance);
		instance_cut(m->instance, true);
	}
	return left;
}

void roster_close(struct roster *r)
{
	uplinks_close(r->uplinks);
}
