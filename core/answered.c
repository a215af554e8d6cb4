/* SPDX-License-Identifier: Apache-2.0 */
#include "core/answered.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/crc32c.h"
#include "core/log.h"

#define PACKAGE "core.answered"
#define MAGIC "GOFERANS"
#define VERSION 1

/* The file: this, then ANSWERED_MAX places. All numbers are little endian. */
struct head {
	char magic[8];
	uint32_t version, places;
	unsigned char key[SEEN_KEY_SIZE];
	uint32_t crc; /* of what is before it */
	uint32_t zero[3];
};

/* Number n stands at place n % ANSWERED_MAX; 0: nothing was there yet. */
struct place {
	struct fingerprint print;
	uint64_t number, when_ms;
};

_Static_assert(sizeof(struct head) == 48, "no padding");
_Static_assert(sizeof(struct place) == 32, "no padding");

static off_t offset_of(uint64_t number)
{
	return (off_t)(sizeof(struct head) + number % ANSWERED_MAX * sizeof(struct place));
}

/* --- life ----------------------------------------------------------------------------- */

static bool read_head(struct answered *a)
{
	struct head head;

	if (pread(a->fd, &head, sizeof head, 0) != sizeof head ||
	    memcmp(head.magic, MAGIC, sizeof head.magic) != 0 || le32toh(head.version) != VERSION ||
	    le32toh(head.places) != ANSWERED_MAX ||
	    le32toh(head.crc) != crc32c(0, &head, offsetof(struct head, crc)))
		return false;
	memcpy(a->key, head.key, sizeof a->key);
	return true;
}

static bool write_head(struct answered *a)
{
	struct head head = {.version = htole32(VERSION), .places = htole32(ANSWERED_MAX)};

	memcpy(head.magic, MAGIC, sizeof head.magic);
	memcpy(head.key, a->key, sizeof head.key);
	head.crc = htole32(crc32c(0, &head, offsetof(struct head, crc)));
	return ftruncate(a->fd, 0) == 0 && pwrite(a->fd, &head, sizeof head, 0) == sizeof head;
}

static void complain(struct answered *a, const char *what)
{
	if (!a->complained)
		log_warning(
			PACKAGE,
			"what was answered is not remembered beyond the end of this agent: %s: %s",
			what, strerror(errno));
	a->complained = true;
}

void answered_open(struct answered *a, int dirfd, const char *name)
{
	*a = (struct answered)ANSWERED_INIT;
	seen_draw_key(a->key);
	a->fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (a->fd >= 0 && (read_head(a) || write_head(a)))
		return;
	complain(a, name);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

void answered_close(struct answered *a)
{
	answered_write(a);
	buf_release(&a->batch);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

/* --- reading -------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

/* Those that stand where they belong, in order; to be freed. NULL: no memory, or none. */
static struct place *read_places(const struct answered *a, size_t *count)
{
	size_t size = ANSWERED_MAX * sizeof(struct place);
	struct place *places = malloc(size);
	ssize_t got = places ? pread(a->fd, places, size, sizeof(struct head)) : 0;

	*count = 0;
	for (size_t i = 0; got > 0 && i < (size_t)got / sizeof *places; i++) {
		struct place p = places[i];

		p.number = le64toh(p.number);
		p.when_ms = le64toh(p.when_ms);
		if (p.number && p.number % ANSWERED_MAX == i)
			places[(*count)++] = p;
	}
	if (places)
		qsort(places, *count, sizeof *places, compare);
	return places;
}

void answered_each(struct answered *a, uint64_t age_ms,
                   void (*each)(void *context, const struct fingerprint *print), void *context)
{
	uint64_t now_ms = clock_wall_ms();
	struct place *places;
	size_t count;

	if (a->fd < 0)
		return;
	places = read_places(a, &count);
	for (size_t i = 0; i < count; i++) {
		uint64_t when_ms = places[i].when_ms;

		if (when_ms > now_ms || now_ms - when_ms <= age_ms)
			each(context, &places[i].print);
	}
	if (count && places[count - 1].number > a->number)
		a->number = places[count - 1].number;
	free(places);
}

/* --- writing -------------------------------------------------------------------------- */

struct fingerprint answered_print(const struct answered *a, const char *plugin, const char *sn)
{
	return seen_print(a->key, plugin, sn);
}

void answered_add(struct answered *a, const char *plugin, const char *sn)
{
	struct place place = {
		.print = answered_print(a, plugin, sn),
		.when_ms = htole64(clock_wall_ms()),
	};

	if (a->fd < 0)
		return;
	place.number = htole64(++a->number);
	buf_append(&a->batch, &place, sizeof place);
}

/* How many of `count` places from number `first` on stand side by side. */
static size_t run_of(uint64_t first, size_t count)
{
	size_t room = ANSWERED_MAX - first % ANSWERED_MAX;

	return count < room ? count : room;
}

void answered_write(struct answered *a)
{
	size_t count = a->batch.size / sizeof(struct place);
	const char *from = a->batch.data;
	uint64_t number = a->number - count + 1;

	if (a->fd < 0 || !count || !buf_ok(&a->batch)) {
		buf_clear(&a->batch);
		return;
	}
	while (count) {
		size_t run = run_of(number, count), size = run * sizeof(struct place);

		if (pwrite(a->fd, from, size, offset_of(number)) != (ssize_t)size) {
			complain(a, "its file can't be written");
			break;
		}
		from += size;
		number += run;
		count -= run;
	}
	buf_clear(&a->batch);
}

void answered_sync(struct answered *a)
{
	answered_write(a);
	if (a->fd >= 0)
		fdatasync(a->fd);
}
