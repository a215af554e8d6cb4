/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_fixture: a configuration, its faults, and a directory of the test's own for its files.
 *
 * From place_enter() to place_leave() the test is in that directory, so that faults name files
 * without it. What fails here fails the test.
 */
#ifndef GOFER_TEST_CONFIG_FIXTURE_H
#define GOFER_TEST_CONFIG_FIXTURE_H

#include "core/config.h"

struct place {
	char path[32];
	char old[4096];
	struct config *c;
	struct config_faults faults;
};

/* Properties of every kind: [main] threads, enabled, latency, offset; [messaging] url, password,
 * max; [model] kind; [logging] any. */
extern const struct config_property place_schema[];

void place_enter(struct place *p, const struct config_property *properties);
void place_leave(struct place *p);

void place_write(const char *name, const char *text);
void place_write_bytes(const char *name, const char *data, size_t size);
/* Writes a file and reads it. */
enum gofer_err place_read(struct place *p, const char *name, const char *text);

void place_assert_faults(const struct place *p, const char *faults);
/* `text` NULL: there is no value. */
void place_assert_text(const struct place *p, const char *section, const char *key,
                       const char *text);

#endif
