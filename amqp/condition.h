/* SPDX-License-Identifier: Apache-2.0 */
/*
 * condition: AMQP error conditions, as errors for people and as what to do next. Thread: any.
 */
#ifndef GOFER_AMQP_CONDITION_H
#define GOFER_AMQP_CONDITION_H

#include <proton/condition.h>

#include "core/error.h"

enum condition_kind {
	CONDITION_PASSING,  /* may be gone when tried again */
	CONDITION_MISSING,  /* there is no such node */
	CONDITION_DELETED,  /* there was one until now */
	CONDITION_MISMATCH, /* there is one that is otherwise than was asked for */
	CONDITION_DENIED,   /* will be so the next time */
};

/* Fills `why` with the condition's description and name, or with `fallback` where there is none. */
enum condition_kind condition_error(pn_condition_t *condition, const char *fallback,
                                    struct error *why);

#endif
