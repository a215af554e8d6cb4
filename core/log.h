/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: one line a message to standard error or syslog, with a level for each package.
 *
 * A package is a dotted name ("agent.intake"); a level set for "agent" holds for all below it. The
 * default level is info. Under systemd (LOG_TARGET_JOURNAL) lines on standard error start with
 * <priority>. Control characters in a message are escaped, so that nobody's input forges a line, and
 * what is longer than a line may be is cut, with three dots for the rest. Nothing secret goes
 * through here: callers pass no passwords, secrets or bodies.
 *
 *   log_open(LOG_TARGET_STDERR, "gofer");
 *   log_level("agent", LOG_LEVEL_DEBUG);
 *   log_info("agent", "plugin %s: attached", name);
 *
 * Thread: log_open(), log_open_sink() and log_close() before the threads start; log_level() and
 * log_levels_reset() from one at a time; the rest from any thread. A line is written with one write(), so
 * lines never mix. May block on standard error.
 */
#ifndef GOFER_CORE_LOG_H
#define GOFER_CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_target { LOG_TARGET_STDERR, LOG_TARGET_JOURNAL, LOG_TARGET_SYSLOG };

void log_open(enum log_target where, const char *program);
/* Hands the lines over instead: `write` gets each message as it is, nothing escaped or stamped,
 * in the thread that logs; it must not log. */
void log_open_sink(void (*write)(void *context, const char *package, enum log_level level,
                                 const char *message),
                   void *context);
void log_close(void);
/* Sets the level of a package and all below it; "" or "root" is the default for all. GOFER_FULL
 * when too many packages were named. Level names as in Python: log_level_parse(). */
enum gofer_err log_level(const char *package, enum log_level level);
/* All levels as they were at first. */
void log_levels_reset(void);
/* debug, info, warning, warn, error, critical in any case; GOFER_INVALID otherwise. */
enum gofer_err log_level_parse(const char *text, enum log_level *level);
/* Its name as log_level_parse() takes it: "info". */
const char *log_level_name(enum log_level level);
/* No package has a level beyond this one. */
enum log_level log_loudest(void);
bool log_enabled(const char *package, enum log_level level);
void log_write(const char *package, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(package, ...) log_write(package, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(package, ...) log_write(package, LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(package, ...) log_write(package, LOG_LEVEL_INFO, __VA_ARGS__)
/* The arguments are not evaluated unless debug is on. */
#define log_debug(package, ...) \
	do { \
		if (log_enabled(package, LOG_LEVEL_DEBUG)) \
			log_write(package, LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)

#endif
