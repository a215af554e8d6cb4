/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/dialect.h"

#include <stddef.h>
#include <string.h>

bool dialect_split(const char *address, struct slice *exchange, struct slice *queue)
{
	const char *slash = strchr(address, '/');

	if (!slash || slash == address || !slash[1])
		return false;
	*exchange = (struct slice){address, (size_t)(slash - address)};
	*queue = (struct slice){slash + 1, strlen(slash + 1)};
	return true;
}

/* --- as it is: nodes have the names that gofer knows them by ----------------------------- */

static enum gofer_err same_source(struct buf *node, const char *queue, bool fallback,
                                  struct error *error)
{
	(void)fallback;
	(void)error;
	buf_puts(node, queue);
	return GOFER_OK;
}

static enum gofer_err same_target(struct buf *node, const char *address, struct error *error)
{
	(void)error;
	buf_puts(node, address);
	return GOFER_OK;
}

static void same_properties(const char *address, struct slice *to, struct slice *subject)
{
	static const struct slice none = {NULL, 0};

	*to = (struct slice){address, strlen(address)};
	*subject = none;
}

/* --- Qpid C++: a node is a queue or an exchange, the key is the message's subject -------- */

static void qpid_properties(const char *address, struct slice *to, struct slice *subject)
{
	if (!dialect_split(address, to, subject))
		same_properties(address, to, subject);
}

static enum gofer_err qpid_target(struct buf *node, const char *address, struct error *error)
{
	struct slice name, key;

	(void)error;
	qpid_properties(address, &name, &key);
	buf_append(node, name.data, name.size);
	return GOFER_OK;
}

/* --- RabbitMQ: paths, in which a slash is escaped and nothing else can be ---------------- */

static enum gofer_err rabbitmq_path(struct buf *node, const char *prefix, struct slice name,
                                    struct error *error)
{
	buf_puts(node, prefix);
	for (size_t i = 0; i < name.size; i++) {
		if (name.data[i] & 0x80)
			return error_set(error, GOFER_INVALID,
			                 "%.*s: RabbitMQ takes ASCII names only over AMQP 1.0",
			                 (int)name.size, name.data);
		if (name.data[i] == '/')
			buf_puts(node, "%2F");
		else
			buf_putc(node, name.data[i]);
	}
	return GOFER_OK;
}

/* The first spelling declares the queue; the fallback finds the one that is there. */
static enum gofer_err rabbitmq_source(struct buf *node, const char *queue, bool fallback,
                                      struct error *error)
{
	struct slice name = {queue, strlen(queue)};

	if (memchr(name.data, '/', name.size))
		return error_set(
			error, GOFER_INVALID,
			"%s: RabbitMQ binds no queue to an exchange over AMQP 1.0: bind it with "
			"RabbitMQ's own tools and name the queue alone",
			queue);
	return rabbitmq_path(node, fallback ? "/amq/queue/" : "/queue/", name, error);
}

/* What is sent to must not be declared: it would be made otherwise than its owner made it. RabbitMQ
 * itself writes /queue/NAME into reply addresses of AMQP 0-9-1 messages. */
static enum gofer_err rabbitmq_target(struct buf *node, const char *address, struct error *error)
{
	static const char queue_path[] = "/queue/";
	size_t prefix = sizeof(queue_path) - 1;
	struct slice exchange, key;

	if (!strncmp(address, queue_path, prefix)) {
		buf_printf(node, "/amq/queue/%s", address + prefix);
		return GOFER_OK;
	}
	if (*address == '/')
		return same_target(node, address, error);
	if (!dialect_split(address, &exchange, &key)) {
		key = (struct slice){address, strlen(address)};
		return rabbitmq_path(node, "/amq/queue/", key, error);
	}
	if (rabbitmq_path(node, "/exchange/", exchange, error))
		return GOFER_INVALID;
	return rabbitmq_path(node, "/", key, error);
}

/* --- the table --------------------------------------------------------------------------- */

static const struct dialect dialects[] = {
	{
		.product = "gofer",
		.relay = true,
		.tells_full = true,
		.dynamic = true,
		.qmf = true,
		.durability = true,
		.request_body = MESSAGE_STRING,
		.source = same_source,
		.target = same_target,
		.properties = same_properties,
	},
	{
		.product = "qpid-cpp",
		.relay = true,
		.request_link = true,
		.dynamic = true,
		.qmf = true,
		.request_body = MESSAGE_STRING,
		.source = same_source,
		.target = qpid_target,
		.properties = qpid_properties,
	},
	{
		.product = "RabbitMQ",
		.vhost_prefix = true,
		.probe = true,
		.plain_outcomes = true,
		.fallback = true,
		.durability = true,
		.request_body = MESSAGE_DATA,
		.source = rabbitmq_source,
		.target = rabbitmq_target,
		.properties = same_properties,
	},
	{
		.product = NULL,
		.relay = true,
		.request_link = true,
		.dynamic = true,
		.capability = "queue",
		.request_body = MESSAGE_STRING,
		.source = same_source,
		.target = same_target,
		.properties = same_properties,
	},
};

const struct dialect *dialect_find(const char *product)
{
	const struct dialect *d = dialects;

	while (d->product && strcmp(d->product, product))
		d++;
	return d;
}
