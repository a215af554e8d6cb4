/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define PACKAGES_MAX 64
#define PACKAGE_SIZE 48
#define LINE_SIZE PIPE_BUF /* a write of this much to a pipe is never mixed with another's */

struct package {
	char name[PACKAGE_SIZE];
	size_t size;
	atomic_int level;
};

#define UNSET (-1) /* a package that goes by what is above it */

/* Entries are only ever added, and counted after they are whole: readers need no lock. */
static struct package packages[PACKAGES_MAX];
static atomic_size_t packages_count;
static atomic_int default_level = LOG_LEVEL_INFO;
static atomic_int loudest = LOG_LEVEL_INFO; /* no package has a level above this */

static enum log_target target = LOG_TARGET_STDERR;
static char program_name[64];
static void (*sink)(void *context, const char *package, enum log_level level, const char *message);
static void *sink_context;

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", LOG_ERR},
	[LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
	[LOG_LEVEL_INFO] = {"info", LOG_INFO},
	[LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

void log_open(enum log_target where, const char *program)
{
	log_close();
	target = where;
	snprintf(program_name, sizeof(program_name), "%s", program);
	if (target == LOG_TARGET_SYSLOG)
		openlog(program_name, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void log_open_sink(void (*write)(void *context, const char *package, enum log_level level,
                                 const char *message),
                   void *context)
{
	log_close();
	sink = write;
	sink_context = context;
}

void log_close(void)
{
	if (target == LOG_TARGET_SYSLOG)
		closelog();
	target = LOG_TARGET_STDERR;
	sink = NULL;
}

static struct package *find_package(const char *name)
{
	size_t count = atomic_load(&packages_count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(packages[i].name, name) == 0)
			return &packages[i];
	return NULL;
}

static enum gofer_err add_package(const char *name, enum log_level level)
{
	size_t count = atomic_load(&packages_count), size = strlen(name);

	if (count == PACKAGES_MAX || size >= PACKAGE_SIZE)
		return GOFER_FULL;
	memcpy(packages[count].name, name, size + 1);
	packages[count].size = size;
	atomic_store(&packages[count].level, level);
	atomic_store(&packages_count, count + 1);
	return GOFER_OK;
}

static void find_loudest(void)
{
	size_t count = atomic_load(&packages_count);
	int found = atomic_load(&default_level);

	for (size_t i = 0; i < count; i++) {
		int level = atomic_load(&packages[i].level);
		if (level > found)
			found = level;
	}
	atomic_store(&loudest, found);
}

enum gofer_err log_level(const char *package, enum log_level level)
{
	enum gofer_err rc = GOFER_OK;
	struct package *known = find_package(package);

	if (package[0] == '\0' || strcmp(package, "root") == 0)
		atomic_store(&default_level, level);
	else if (known)
		atomic_store(&known->level, level);
	else
		rc = add_package(package, level);
	find_loudest();
	return rc;
}

void log_levels_reset(void)
{
	size_t count = atomic_load(&packages_count);

	atomic_store(&default_level, LOG_LEVEL_INFO);
	for (size_t i = 0; i < count; i++)
		atomic_store(&packages[i].level, UNSET);
	find_loudest();
}

enum gofer_err log_level_parse(const char *text, enum log_level *level)
{
	static const struct {
		const char *name;
		enum log_level level;
	} table[] = {
		{"debug", LOG_LEVEL_DEBUG},     {"info", LOG_LEVEL_INFO},
		{"warning", LOG_LEVEL_WARNING}, {"warn", LOG_LEVEL_WARNING},
		{"error", LOG_LEVEL_ERROR},     {"critical", LOG_LEVEL_ERROR},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcasecmp(text, table[i].name) == 0) {
			*level = table[i].level;
			return GOFER_OK;
		}
	}
	return GOFER_INVALID;
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

enum log_level log_loudest(void)
{
	return (enum log_level)atomic_load(&loudest);
}

static bool is_within(const struct package *p, const char *package)
{
	return strncmp(p->name, package, p->size) == 0 &&
		(package[p->size] == '\0' || package[p->size] == '.');
}

/* The level of the longest name that covers the package. */
static int level_of(const char *package)
{
	size_t count = atomic_load_explicit(&packages_count, memory_order_acquire);
	int level, found = atomic_load_explicit(&default_level, memory_order_relaxed);
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		if (packages[i].size < size || !is_within(&packages[i], package))
			continue;
		level = atomic_load_explicit(&packages[i].level, memory_order_relaxed);
		if (level == UNSET)
			continue;
		found = level;
		size = packages[i].size;
	}
	return found;
}

bool log_enabled(const char *package, enum log_level level)
{
	if ((int)level > atomic_load_explicit(&loudest, memory_order_relaxed))
		return false;
	return (int)level <= level_of(package);
}

/* The length of the printable character at `at`, 0 if there is none: a control character (those
 * of Latin-1 too, which terminals obey) or no UTF-8. */
static size_t printable(const unsigned char *at)
{
	if (at[0] < 0x80)
		return at[0] >= 0x20 && at[0] != 0x7F;
	size_t length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
	if (at[0] < 0xC2 || at[0] > 0xF4 || (at[0] == 0xC2 && at[1] < 0xA0))
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xC0) != 0x80)
			return 0;
	return length;
}

/* Appends one character of the message, escaped where it could forge or hide a line; returns how
 * many bytes of `at` it was, 0 if `line` is full. */
static size_t put_character(char *line, size_t *size, size_t capacity, const unsigned char *at)
{
	size_t length = printable(at);
	char escape[8];

	if (length > 0) {
		if (*size + length > capacity)
			return 0;
		memcpy(line + *size, at, length);
		*size += length;
		return length;
	}
	int n = at[0] == '\n' ? snprintf(escape, sizeof(escape), "\\n")
			      : snprintf(escape, sizeof(escape), "\\x%02x", at[0]);
	if (*size + (size_t)n > capacity)
		return 0;
	memcpy(line + *size, escape, (size_t)n);
	*size += (size_t)n;
	return 1;
}

/* Appends the message and a newline; what does not fit is cut, and three dots say so. */
static size_t put_message(char *line, size_t size, const char *message)
{
	const unsigned char *at = (const unsigned char *)message;
	size_t capacity = LINE_SIZE - sizeof("...\n");

	while (*at) {
		size_t n = put_character(line, &size, capacity, at);
		if (n == 0) {
			memcpy(line + size, "...", 3);
			size += 3;
			break;
		}
		at += n;
	}
	line[size++] = '\n';
	line[size] = '\0';
	return size;
}

static size_t put_prefix(char *line, const char *package, enum log_level level)
{
	char stamp[CLOCK_STAMP_SIZE];
	int n;

	if (target == LOG_TARGET_JOURNAL) {
		n = snprintf(line, LINE_SIZE / 2, "<%d>%s: ", levels[level].priority, package);
	} else if (target == LOG_TARGET_SYSLOG) {
		n = snprintf(line, LINE_SIZE / 2, "%s: ", package);
	} else {
		clock_stamp(stamp, time(NULL));
		n = snprintf(line, LINE_SIZE / 2, "%s %s %s: ", stamp, levels[level].name, package);
	}
	if (n < 0)
		return 0;
	return n < LINE_SIZE / 2 ? (size_t)n : LINE_SIZE / 2 - 1;
}

/* Nobody can be told when this fails. */
static void write_line(const char *line, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDERR_FILENO, line, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		line += n;
		size -= (size_t)n;
	}
}

static void write_message(const char *package, enum log_level level, const char *message)
{
	char line[LINE_SIZE];
	size_t size;

	if (sink) {
		sink(sink_context, package, level, message);
		return;
	}
	size = put_message(line, put_prefix(line, package, level), message);
	if (target == LOG_TARGET_SYSLOG)
		syslog(levels[level].priority, "%s", line);
	else
		write_line(line, size);
}

void log_write(const char *package, enum log_level level, const char *format, ...)
{
	char message[LINE_SIZE];
	int saved = errno;
	va_list ap;

	if (!log_enabled(package, level))
		return;
	va_start(ap, format);
	int n = vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	if (n >= 0)
		write_message(package, level, message);
	errno = saved;
}
