/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/descriptor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/schema.h"
#include "core/buf.h"

#define NAME_SIZE_MAX 255
#define OPTION_PREFIX "--plugin "

static struct descriptor *out_of_memory(struct descriptor *d, struct config_faults *faults,
                                        const char *origin)
{
	config_fault(faults, origin, 0, "out of memory");
	descriptor_unref(d);
	return NULL;
}

static struct descriptor *descriptor_new(const char *origin, struct config_faults *faults)
{
	struct descriptor *d = calloc(1, sizeof *d);

	if (!d)
		return out_of_memory(d, faults, origin);
	atomic_init(&d->references, 1);
	d->origin = strdup(origin);
	d->config = config_new(schema_plugin);
	if (!d->origin || !d->config)
		return out_of_memory(d, faults, origin);
	return d;
}

struct descriptor *descriptor_ref(struct descriptor *d)
{
	atomic_fetch_add_explicit(&d->references, 1, memory_order_relaxed);
	return d;
}

void descriptor_unref(struct descriptor *d)
{
	if (!d || atomic_fetch_sub_explicit(&d->references, 1, memory_order_acq_rel) > 1)
		return;
	url_release(&d->broker.url);
	free(d->broker.cacert);
	free(d->broker.clientcert);
	free(d->broker.clientkey);
	config_free(d->config);
	free(d->origin);
	free(d->name);
	free(d->queue);
	free(d);
}

void descriptor_fault(struct descriptor *d, struct config_faults *faults, const char *section,
                      const char *key, const char *format, ...)
{
	const char *file = d->origin;
	char message[480];
	unsigned line = 0;
	va_list ap;

	config_where(d->config, section, key, &file, &line);
	va_start(ap, format);
	vsnprintf(message, sizeof message, format, ap);
	va_end(ap);
	config_fault(faults, file, line, "%s", message);
	d->faulty = true;
	d->enabled = false;
}

/* The value, or NULL where it is missing or empty: "uuid=" means that there is none. */
static const char *value_of(const struct config *c, const char *section, const char *key)
{
	const char *value = config_text(c, section, key);

	return value && *value ? value : NULL;
}

/* The file's name without its directory and its ending. */
static char *stem_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	return strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

static void list_plugins(struct buf *out, const struct plugin *const *table)
{
	for (const struct plugin *const *p = table; *p; p++)
		buf_printf(out, "%s%s", p == table ? "" : ", ", (*p)->name);
}

static const struct plugin *find_plugin(const struct plugin *const *table, const char *name)
{
	for (; *table; table++)
		if (strcmp((*table)->name, name) == 0)
			return *table;
	return NULL;
}

static void choose_plugin(struct descriptor *d, const char *name, const struct plugin *const *table,
                          struct config_faults *faults)
{
	struct buf known = BUF_INIT;

	d->plugin = find_plugin(table, name);
	if (!d->plugin) {
		list_plugins(&known, table);
		descriptor_fault(d, faults, "main", "plugin",
		                 "there is no plugin \"%s\" in this program; there are: %s", name,
		                 buf_text(&known));
	}
	buf_release(&known);
}

/* The queue of "exchange/queue" is bound by its owner, not here. */
static const char *queue_part(const char *address)
{
	const char *slash = strrchr(address, '/');

	return slash && slash[1] ? slash + 1 : address;
}

static bool choose_names(struct descriptor *d, const char *stem)
{
	const char *name = value_of(d->config, "main", "name");
	const char *queue = value_of(d->config, "model", "queue");

	if (!queue)
		queue = value_of(d->config, "messaging", "uuid");
	if (!name)
		name = stem;
	d->name = strdup(name);
	d->queue = strdup(queue ? queue_part(queue) : name);
	return d->name && d->queue;
}

static void check_names(struct descriptor *d, struct config_faults *faults)
{
	if (strlen(d->name) > NAME_SIZE_MAX)
		descriptor_fault(d, faults, "main", "name", "[main] name: at most %d bytes",
		                 NAME_SIZE_MAX);
	if (strlen(d->queue) > NAME_SIZE_MAX)
		descriptor_fault(d, faults, "model", "queue", "the queue's name has over %d bytes",
		                 NAME_SIZE_MAX);
	if (strcmp(d->name, "Admin") == 0)
		descriptor_fault(d, faults, "main", "name",
		                 "[main] name: \"Admin\" is what the agent itself answers to");
}

static void take_values(struct descriptor *d)
{
	d->enabled = config_bool(d->config, "main", "enabled");
	d->threads = (unsigned)config_integer(d->config, "main", "threads");
	d->latency_s = config_duration(d->config, "main", "latency");
	d->backlog = (size_t)config_integer(d->config, "pending", "depth");
	d->forward = config_text(d->config, "main", "forward");
	d->accept = config_text(d->config, "main", "accept");
}

static void check_url(struct descriptor *d, struct config_faults *faults)
{
	const char *text = value_of(d->config, "messaging", "url");
	struct error error = ERROR_NONE;
	struct url url = {0};

	if (text && url_parse(&url, text, &error))
		descriptor_fault(d, faults, "messaging", "url", "[messaging] url: %s", error.text);
	url_release(&url);
}

/* Of one that is faulty all is told, as if it were asked for: it may be "enabled" that is wrong. */
static bool complete(struct descriptor *d, const char *stem, const struct plugin *const *table,
                     struct config_faults *faults)
{
	const char *plugin = value_of(d->config, "main", "plugin");

	if (!choose_names(d, stem))
		return false;
	take_values(d);
	check_names(d, faults);
	check_url(d, faults);
	if (d->enabled || d->faulty)
		choose_plugin(d, plugin ? plugin : stem, table, faults);
	d->enabled = d->enabled && !d->faulty;
	return true;
}

struct descriptor *descriptor_read(const char *path, const struct plugin *const *table,
                                   struct config_faults *faults, struct config_faults *notes)
{
	struct descriptor *d = descriptor_new(path, faults);
	size_t before = faults->count;
	char *stem = NULL;

	if (!d)
		return NULL;
	config_read_file(d->config, path, faults);
	config_check(d->config, faults);
	schema_check_plugin(d->config, faults, notes);
	d->faulty = faults->count > before;
	stem = stem_of(path);
	if (!stem || !complete(d, stem, table, faults))
		d = out_of_memory(d, faults, path);
	free(stem);
	return d;
}

static enum gofer_err set_option(struct descriptor *d, const char *name, const char *queue)
{
	enum gofer_err rc = config_set(d->config, "main", "enabled", "1", d->origin);

	if (!rc)
		rc = config_set(d->config, "main", "plugin", name, d->origin);
	if (!rc)
		rc = config_set(d->config, "main", "name", name, d->origin);
	if (!rc && queue)
		rc = config_set(d->config, "model", "queue", queue, d->origin);
	return rc;
}

const char *descriptor_option(const char *origin)
{
	size_t size = strlen(OPTION_PREFIX);

	return strncmp(origin, OPTION_PREFIX, size) == 0 ? origin + size : NULL;
}

struct descriptor *descriptor_of_option(const char *text, const struct plugin *const *table,
                                        struct config_faults *faults)
{
	const char *equals = strchr(text, '=');
	char *name = strndup(text, equals ? (size_t)(equals - text) : strlen(text));
	struct buf origin = BUF_INIT;
	struct descriptor *d;
	size_t before = faults->count;

	buf_printf(&origin, OPTION_PREFIX "%s", text);
	d = descriptor_new(buf_text(&origin), faults);
	if (d && (!name || set_option(d, name, equals ? equals + 1 : NULL)))
		d = out_of_memory(d, faults, text);
	if (d) {
		config_check(d->config, faults);
		d->faulty = faults->count > before;
		if (!complete(d, name, table, faults))
			d = out_of_memory(d, faults, text);
	}
	buf_release(&origin);
	free(name);
	return d;
}

static bool is_anywhere(const struct url *url)
{
	return strcmp(url->host, "0.0.0.0") == 0 || strcmp(url->host, "::") == 0;
}

static bool is_own(const struct url *url, const struct url *listen)
{
	if (url->port != listen->port || url->tls != listen->tls)
		return false;
	return strcmp(url->host, listen->host) == 0 ||
		(url_is_loopback(url) && (url_is_loopback(listen) || is_anywhere(listen)));
}

static bool is_own_of_any(const struct url *url, const struct url *listen, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_own(url, &listen[i]))
			return true;
	return false;
}

static const char *first_of(const struct config *c, const struct config *agent, const char *key)
{
	const char *value = value_of(c, "messaging", key);

	return value ? value : value_of(agent, "messaging", key);
}

/* NULL stays NULL; false: out of memory. */
static bool copy_text(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return *to || !text;
}

static bool take_files(struct descriptor *d, const struct config *agent)
{
	struct broker_settings *b = &d->broker;
	const char *cert = first_of(d->config, agent, "clientcert");
	const char *key = first_of(d->config, agent, "clientkey");

	return copy_text(&b->cacert, first_of(d->config, agent, "cacert")) &&
		copy_text(&b->clientcert, cert) &&
		copy_text(&b->clientkey, cert && !key ? cert : key);
}

static void take_tls(struct descriptor *d, const struct config *agent)
{
	struct broker_settings *b = &d->broker;
	const char *heartbeat = first_of(d->config, agent, "heartbeat");

	b->host_validation = value_of(d->config, "messaging", "host_validation")
		? config_bool(d->config, "messaging", "host_validation")
		: config_bool(agent, "messaging", "host_validation");
	if (heartbeat)
		b->heartbeat_s = value_of(d->config, "messaging", "heartbeat")
			? config_duration(d->config, "messaging", "heartbeat")
			: config_duration(agent, "messaging", "heartbeat");
}

void descriptor_attach(struct descriptor *d, const struct config *agent, const char *url,
                       const struct url *listen, size_t listen_count, struct config_faults *faults)
{
	const char *text = value_of(d->config, "messaging", "url");
	struct error error = ERROR_NONE;

	if (d->faulty)
		return;
	if (!text)
		text = url;
	d->broker.attached = text || listen_count;
	d->broker.own = !text && listen_count;
	if (!text)
		return;
	if (url_parse(&d->broker.url, text, &error)) {
		descriptor_fault(d, faults, "messaging", "url", "url: %s", error.text);
		return;
	}
	d->broker.own = is_own_of_any(&d->broker.url, listen, listen_count);
	take_tls(d, agent);
	if (!take_files(d, agent))
		descriptor_fault(d, faults, "messaging", "url", "out of memory");
}

/* --- comparing ------------------------------------------------------------------------ */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool broker_settings_equal(const struct broker_settings *a, const struct broker_settings *b)
{
	if (a->attached != b->attached || a->own != b->own)
		return false;
	if (a->own || !a->attached)
		return true;
	return url_equal(&a->url, &b->url) && same_text(a->cacert, b->cacert) &&
		same_text(a->clientcert, b->clientcert) && same_text(a->clientkey, b->clientkey) &&
		a->host_validation == b->host_validation && a->heartbeat_s == b->heartbeat_s;
}

bool descriptor_equal(const struct descriptor *a, const struct descriptor *b)
{
	return a->plugin == b->plugin && same_text(a->name, b->name) &&
		same_text(a->queue, b->queue) && config_equal(a->config, b->config) &&
		broker_settings_equal(&a->broker, &b->broker);
}

bool descriptor_lists(const char *list, const char *name)
{
	size_t size = strlen(name);

	for (const char *at = list; *at; at += strcspn(at, ", \t")) {
		at += strspn(at, ", \t");
		size_t length = strcspn(at, ", \t");

		if ((length == 1 && *at == '*') || (length == size && strncmp(at, name, size) == 0))
			return true;
	}
	return false;
}
