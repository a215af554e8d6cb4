/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/condition.h"

#include <string.h>

static const struct known {
	const char *name; /* NULL: any other */
	enum condition_kind kind;
	enum gofer_err code;
} table[] = {
	{"amqp:not-found", CONDITION_MISSING, GOFER_NOTFOUND},
	{"amqp:resource-deleted", CONDITION_DELETED, GOFER_NOTFOUND},
	{"amqp:precondition-failed", CONDITION_MISMATCH, GOFER_INVALID},
	{"amqp:unauthorized-access", CONDITION_DENIED, GOFER_AUTH},
	{"amqp:not-allowed", CONDITION_DENIED, GOFER_INVALID},
	{"amqp:not-implemented", CONDITION_DENIED, GOFER_INVALID},
	{"amqp:invalid-field", CONDITION_DENIED, GOFER_INVALID},
	{"amqp:link:message-size-exceeded", CONDITION_DENIED, GOFER_INVALID},
	{"amqp:resource-limit-exceeded", CONDITION_PASSING, GOFER_FULL},
	{"amqp:connection:forced", CONDITION_PASSING, GOFER_UNREACHABLE},
	{"qd:no-route-to-dest", CONDITION_PASSING, GOFER_NOTFOUND},
	{NULL, CONDITION_PASSING, GOFER_FAILED},
};

enum condition_kind condition_error(pn_condition_t *condition, const char *fallback,
                                    struct error *why)
{
	const char *name = pn_condition_get_name(condition);
	const char *text = pn_condition_get_description(condition);
	const struct known *k = table;

	if (!name || !*name) {
		error_set(why, GOFER_FAILED, "%s", text && *text ? text : fallback);
		return CONDITION_PASSING;
	}
	while (k->name && strcmp(k->name, name))
		k++;
	if (text && *text)
		error_set(why, k->code, "%s (%s)", text, name);
	else
		error_set(why, k->code, "%s", name);
	return k->kind;
}
