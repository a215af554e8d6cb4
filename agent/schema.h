/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema: the properties of agent.conf and of a plugin's descriptor.
 *
 * The two tables validate, give the defaults, and are what docs/configuration.md is made from
 * (config_print_schema()). All keys that gofer 2.x knew are in them, so that its files are taken as
 * they are; schema_notes() names those that have no effect here.
 *
 * Thread: constant.
 */
#ifndef GOFER_AGENT_SCHEMA_H
#define GOFER_AGENT_SCHEMA_H

#include "core/config.h"

extern const struct config_property schema_agent[];
extern const struct config_property schema_plugin[];

/* Tells by file and line, in `notes`, each value that was set and has no effect in this version; in
 * `faults` each that asks for a protection which this version does not have. */
void schema_check_agent(const struct config *c, struct config_faults *notes);
void schema_check_plugin(const struct config *c, struct config_faults *faults,
                         struct config_faults *notes);

#endif
