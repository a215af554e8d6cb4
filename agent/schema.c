/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/schema.h"

#include <string.h>

/* clang-format off */
#define BROKER_PROPERTIES                                                                          \
	{ "messaging", "url", CONFIG_TEXT, .help = "The broker: "                                  \
	  "amqp[s]://[user[:password]@]host[:port][/virtual-host]." },                        \
	{ "messaging", "cacert", CONFIG_TEXT, .help = "File of the certificate authorities that "  \
	  "vouch for the broker, PEM; by default those that the host trusts." },                   \
	{ "messaging", "clientcert", CONFIG_TEXT, .help = "File of the certificate shown to the "  \
	  "broker, PEM; it may hold the key too." },                                               \
	{ "messaging", "clientkey", CONFIG_TEXT, .help = "File of that certificate's key, PEM." }, \
	{ "messaging", "heartbeat", CONFIG_DURATION, .help = "A broker that is silent for longer " \
	  "is lost; 10 s by default." }

const struct config_property schema_agent[] = {
	{ "main", "grace", CONFIG_DURATION, "10",
	  .help = "How long the calls that were taken may go on after the agent was asked to end." },

	BROKER_PROPERTIES,
	{ "messaging", "host_validation", CONFIG_BOOL, "1",
	  .help = "Whether the broker's certificate must name its host." },
	{ "messaging", "max_body", CONFIG_SIZE, "8m", .min = 1024, .max = 1 << 30,
	  .help = "A request with a longer body is rejected." },

	{ "broker", "listen", CONFIG_TEXT,
	  .help = "Be a broker too, at these urls, separated by commas: amqp://127.0.0.1:5672." },
	{ "broker", "users", CONFIG_TEXT,
	  .help = "File of the users who may connect, a line \"name:password\" each; a password may "
	          "be a crypt(3) hash." },
	{ "broker", "allow_anonymous", CONFIG_BOOL, "0",
	  .help = "Whether others than those users may connect too." },
	{ "broker", "cert", CONFIG_TEXT, .help = "File of the broker's certificate, PEM; amqps:// needs it." },
	{ "broker", "key", CONFIG_TEXT, .help = "File of that certificate's key, PEM." },
	{ "broker", "queue_messages", CONFIG_INTEGER, "100000", .min = 1, .max = 100000000,
	  .help = "Messages that a queue may hold; a full one takes no more until some are gone." },
	{ "broker", "queue_bytes", CONFIG_SIZE, "256m", .min = 65536, .max = 1LL << 40,
	  .help = "Bytes that a queue may hold." },
	{ "broker", "message_bytes", CONFIG_SIZE, "16m", .min = 65536, .max = 1 << 30,
	  .help = "Bytes that a message may have." },
	{ "broker", "connections", CONFIG_INTEGER, "10000", .min = 1, .max = 1000000,
	  .help = "Connections at a time." },
	{ "broker", "idle_timeout", CONFIG_DURATION, "30",
	  .help = "A peer that is silent for longer is disconnected." },

	{ "logging", "*", CONFIG_TEXT,
	  .help = "Level of a package and all below it: debug, info, warning or error; "
	          "the package \"root\" is all of them." },

	{ "management", "enabled", CONFIG_BOOL, "0",
	  .help = "Whether management requests are taken over TCP too; they always are over the socket "
	          "run/gofer/management.sock. Whoever reaches the port may do all that \"gofer admin\" can." },
	{ "management", "host", CONFIG_TEXT, "localhost", .help = "The address to listen on for them." },
	{ "management", "port", CONFIG_INTEGER, "5650", .min = 1, .max = 65535,
	  .help = "The port." },
	{ "pam", "service", CONFIG_TEXT, "passwd", .help = "As in gofer 2.x; no effect yet." },
	{ .section = NULL },
};

const struct config_property schema_plugin[] = {
	{ "main", "enabled", CONFIG_BOOL, "0", .help = "Whether the plugin is loaded." },
	{ "main", "name", CONFIG_TEXT,
	  .help = "What the loaded plugin is called; by default the descriptor's file name "
	          "without its ending." },
	{ "main", "plugin", CONFIG_TEXT,
	  .help = "Which plugin of this program it is (\"gofer plugin list\"); by default the "
	          "descriptor's file name without its ending." },
	{ "main", "threads", CONFIG_INTEGER, "1", .min = 1, .max = 1000,
	  .help = "Calls that run at a time." },
	{ "main", "latency", CONFIG_DURATION, "0",
	  .help = "How long each call waits between being taken up and being started." },
	{ "main", "forward", CONFIG_TEXT, ",",
	  .help = "Plugins, separated by commas, whose classes may be called through this one's queue; "
	          "\"*\" is all, \",\" none." },
	{ "main", "accept", CONFIG_TEXT, ",",
	  .help = "Plugins through whose queues this one's classes may be called; as above." },

	BROKER_PROPERTIES,
	{ "messaging", "host_validation", CONFIG_BOOL,
	  .help = "Whether the broker's certificate must name its host." },
	{ "messaging", "uuid", CONFIG_TEXT,
	  .help = "The queue, unless [model] queue says; by default the plugin's name." },
	{ "messaging", "authenticator", CONFIG_TEXT,
	  .help = "Requests must be signed. Not there yet: a plugin with this is not loaded." },

	{ "model", "queue", CONFIG_TEXT, .help = "The queue that requests come from." },
	{ "model", "managed", CONFIG_CHOICE, .choices = "0|1|2",
	  .help = "As in gofer 2.x; the queue is made where it must be (1), whatever this says." },
	{ "model", "exchange", CONFIG_TEXT, .help = "As in gofer 2.x; no effect yet." },
	{ "model", "expiration", CONFIG_DURATION, .help = "As in gofer 2.x; no effect yet." },

	{ "pending", "depth", CONFIG_INTEGER, "1000", .min = 1, .max = 1000000,
	  .help = "Calls that may wait or run here; all others wait at the broker." },
	{ .section = NULL },
};
/* clang-format on */

/* A key of old that does nothing here, unless it has a value that asks for nothing. */
struct note {
	const char *section, *key, *harmless;
};

static const struct note agent_notes[] = {
	{"pam", "service", NULL},
	{NULL, NULL, NULL},
};

static const struct note plugin_notes[] = {
	{"model", "managed", "1"},
	{"model", "exchange", NULL},
	{"model", "expiration", NULL},
	{NULL, NULL, NULL},
};

static void tell_notes(const struct config *c, const struct note *table,
                       struct config_faults *notes)
{
	const char *file;
	unsigned line;

	for (const struct note *n = table; n->section; n++) {
		const char *value = config_text(c, n->section, n->key);

		if (!value || !*value || (n->harmless && strcmp(value, n->harmless) == 0))
			continue;
		if (config_where(c, n->section, n->key, &file, &line))
			config_fault(notes, file, line,
			             "[%s] %s: not supported by this version, ignored", n->section,
			             n->key);
	}
}

void schema_check_agent(const struct config *c, struct config_faults *notes)
{
	tell_notes(c, agent_notes, notes);
}

void schema_check_plugin(const struct config *c, struct config_faults *faults,
                         struct config_faults *notes)
{
	const char *value = config_text(c, "messaging", "authenticator"), *file;
	unsigned line;

	tell_notes(c, plugin_notes, notes);
	if (value && *value && config_where(c, "messaging", "authenticator", &file, &line))
		config_fault(
			faults, file, line,
			"[messaging] authenticator: this version can't check signatures; without "
			"the key, requests are taken unsigned");
}
