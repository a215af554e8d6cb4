/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_conf: what the callers' configuration files say: /etc/gofer/client.conf, then
 * $XDG_CONFIG_HOME/gofer/client.conf, the latter winning. One section, [call], whose keys are those
 * that the options of the command name. Thread: main. Blocks on file reads.
 */
#ifndef GOFER_CMD_CLIENT_CONF_H
#define GOFER_CMD_CLIENT_CONF_H

#include "cmd/options.h"
#include "core/config.h"

/* What is wrong with the files goes to `faults`. NULL: no option of `specs` comes from there (no file is
 * read then), or no memory is left (told in `faults`). */
struct config *client_conf_read(const struct option_spec *specs, struct config_faults *faults);

#endif
