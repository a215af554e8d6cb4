/* SPDX-License-Identifier: Apache-2.0 */
#include "core/journal_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/journal_file.h"
#include "core/journal_io.h"

#define LOCK_FILE "lock"
#define PREFIX "journal."
#define DAMAGED "damaged-"
#define NAME_SIZE 48
#define SEGMENT_MIN ((size_t)64 << 10)
#define PARTS_OF_DISK 16             /* a segment takes of what is free */
#define AHEAD_MIN ((size_t)16 << 10) /* zeros, at the beginning of a segment and later on */
#define AHEAD_MAX ((size_t)256 << 10)
#define PAGE 4096u
#define FILE_MAX ((size_t)1 << 31)

/* --- names ---------------------------------------------------------------------------- */

static void name_of(char name[NAME_SIZE], uint64_t number, bool damaged)
{
	snprintf(name, NAME_SIZE, PREFIX "%s%010llu", damaged ? DAMAGED : "",
	         (unsigned long long)number);
}

static bool number_of(const char *name, uint64_t *number, bool *damaged)
{
	char *end;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	name += strlen(PREFIX);
	*damaged = strncmp(name, DAMAGED, strlen(DAMAGED)) == 0;
	if (*damaged)
		name += strlen(DAMAGED);
	if (*name < '0' || *name > '9')
		return false;
	errno = 0;
	*number = strtoull(name, &end, 10);
	return !*end && !errno && *number && *number < UINT64_MAX / 2;
}

char *journal_store_path(const struct journal_store *store, uint64_t number, bool damaged)
{
	char name[NAME_SIZE];
	struct buf path = BUF_INIT;

	name_of(name, number, damaged);
	buf_printf(&path, "%s/%s", store->directory, name);
	return buf_take(&path, NULL);
}

/* --- the directory -------------------------------------------------------------------- */

static enum gofer_err make_directory(const char *path, struct error *error)
{
	char *copy = strdup(path);
	int failed = 0;

	if (!copy)
		return error_set(error, GOFER_NOMEM, "out of memory");
	for (char *slash = strchr(copy + 1, '/'); slash && !failed;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		failed = mkdir(copy, 0755) && errno != EEXIST;
		*slash = '/';
	}
	failed = failed || (mkdir(copy, 0700) && errno != EEXIST);
	free(copy);
	return failed ? error_errno(error, GOFER_IO, errno, "%s can't be made", path) : GOFER_OK;
}

static enum gofer_err take_lock(struct journal_store *store, struct error *error)
{
	store->lock =
		openat(store->dirfd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock < 0)
		return error_errno(error, GOFER_IO, errno, "%s/" LOCK_FILE " can't be opened",
		                   store->directory);
	if (flock(store->lock, LOCK_EX | LOCK_NB) == 0)
		return GOFER_OK;
	if (errno == EWOULDBLOCK)
		return error_set(error, GOFER_EXISTS, "the journal in %s is in use",
		                 store->directory);
	return error_errno(error, GOFER_IO, errno, "%s/" LOCK_FILE " can't be locked",
	                   store->directory);
}

enum gofer_err journal_store_open(struct journal_store *store, const char *directory,
                                  bool read_only, struct error *error)
{
	enum gofer_err rc = GOFER_OK;

	*store = (struct journal_store){
		.read_only = read_only,
		.dirfd = -1,
		.lock = -1,
		.fd = -1,
		.read_fd = -1,
		.segment_max = JOURNAL_SEGMENT_MAX,
	};
	store->directory = strdup(directory);
	if (!store->directory)
		return error_set(error, GOFER_NOMEM, "out of memory");
	if (!read_only)
		rc = make_directory(directory, error);
	if (rc)
		return rc;
	store->dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dirfd < 0)
		return error_errno(error, errno == ENOENT ? GOFER_NOTFOUND : GOFER_IO, errno,
		                   "%s can't be opened", directory);
	return read_only ? GOFER_OK : take_lock(store, error);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void journal_store_release(struct journal_store *store)
{
	journal_store_roll(store);
	for (struct journal_segment *newer, *s = store->oldest; s; s = newer) {
		newer = s->newer;
		free(s);
	}
	close_fd(&store->read_fd);
	close_fd(&store->lock);
	close_fd(&store->dirfd);
	free(store->directory);
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static enum gofer_err add_number(uint64_t **numbers, size_t *count, uint64_t number)
{
	uint64_t *more;

	if ((*count & (*count - 1)) == 0) {
		more = realloc(*numbers, (*count ? *count * 2 : 1) * sizeof *more);
		if (!more)
			return GOFER_NOMEM;
		*numbers = more;
	}
	(*numbers)[(*count)++] = number;
	return GOFER_OK;
}

static enum gofer_err list(struct journal_store *store, DIR *dir, uint64_t **numbers, size_t *count)
{
	const struct dirent *one;
	uint64_t number;
	bool damaged;

	while ((one = readdir(dir))) {
		if (!number_of(one->d_name, &number, &damaged))
			continue;
		if (number > store->last)
			store->last = number;
		if (!damaged && add_number(numbers, count, number))
			return GOFER_NOMEM;
	}
	return GOFER_OK;
}

enum gofer_err journal_store_list(struct journal_store *store, uint64_t **numbers, size_t *count,
                                  struct error *error)
{
	int fd = openat(store->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	enum gofer_err rc;

	*numbers = NULL;
	*count = 0;
	if (!dir) {
		close_fd(&fd);
		return error_errno(error, GOFER_IO, errno, "%s can't be read", store->directory);
	}
	rc = list(store, dir, numbers, count);
	closedir(dir);
	if (rc) {
		free(*numbers);
		*numbers = NULL;
		return error_set(error, rc, "out of memory");
	}
	if (*count)
		qsort(*numbers, *count, sizeof **numbers, compare);
	return GOFER_OK;
}

/* --- reading -------------------------------------------------------------------------- */

static int open_segment(const struct journal_store *store, uint64_t number, int flags)
{
	char name[NAME_SIZE];

	name_of(name, number, false);
	return openat(store->dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

enum gofer_err journal_store_load(struct journal_store *store, uint64_t number, struct buf *bytes,
                                  struct error *error)
{
	int fd = open_segment(store, number, O_RDONLY);
	enum gofer_err rc = GOFER_OK;
	struct stat st;

	buf_clear(bytes);
	if (fd < 0)
		return error_errno(error, errno == ENOENT ? GOFER_NOTFOUND : GOFER_IO, errno,
		                   "%s/" PREFIX "%010llu can't be opened", store->directory,
		                   (unsigned long long)number);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (size_t)st.st_size > FILE_MAX)
		rc = error_set(error, GOFER_INVALID,
		               "%s/" PREFIX "%010llu is no file of a journal's: a regular one of "
		               "at most %zu bytes is",
		               store->directory, (unsigned long long)number, FILE_MAX);
	else if (!journal_io_read(fd, bytes, 0, (size_t)st.st_size) && !buf_ok(bytes))
		rc = error_set(error, GOFER_NOMEM, "out of memory");
	else if (bytes->size < (size_t)st.st_size && !store->read_only)
		rc = error_errno(error, GOFER_IO, errno, "%s/" PREFIX "%010llu can't be read",
		                 store->directory, (unsigned long long)number);
	close(fd);
	return rc;
}

enum gofer_err journal_store_read(struct journal_store *store,
                                  const struct journal_segment *segment, size_t offset, size_t size,
                                  struct buf *out)
{
	if (store->read_fd < 0 || store->read_number != segment->number) {
		close_fd(&store->read_fd);
		store->read_fd = open_segment(store, segment->number, O_RDONLY);
		store->read_number = segment->number;
	}
	if (store->read_fd < 0)
		return GOFER_IO;
	if (journal_io_read(store->read_fd, out, offset, size))
		return GOFER_OK;
	return buf_ok(out) ? GOFER_IO : GOFER_NOMEM;
}

/* --- the list ------------------------------------------------------------------------- */

enum gofer_err journal_store_add(struct journal_store *store, uint64_t number, uint32_t salt,
                                 size_t size)
{
	struct journal_segment *s = calloc(1, sizeof *s);

	if (!s)
		return GOFER_NOMEM;
	s->number = number;
	s->salt = salt;
	s->size = size;
	*(store->newest ? &store->newest->newer : &store->oldest) = s;
	store->newest = s;
	store->count++;
	store->bytes += size;
	return GOFER_OK;
}

struct journal_segment *journal_store_detach_oldest(struct journal_store *store)
{
	struct journal_segment *s = store->oldest;

	store->oldest = s->newer;
	if (!store->oldest) {
		store->newest = NULL;
		journal_store_roll(store);
	}
	store->count--;
	store->bytes -= s->size;
	store->damaged -= s->damaged;
	return s;
}

void journal_store_remove(struct journal_store *store, struct journal_segment *segment)
{
	char name[NAME_SIZE];

	name_of(name, segment->number, false);
	unlinkat(store->dirfd, name, 0);
	if (store->read_number == segment->number)
		close_fd(&store->read_fd);
	free(segment);
}

enum gofer_err journal_store_cut(struct journal_store *store, struct journal_segment *segment,
                                 size_t size)
{
	int fd = open_segment(store, segment->number, O_WRONLY);
	bool ok = fd >= 0 && ftruncate(fd, (off_t)size) == 0;

	close_fd(&fd);
	if (!ok)
		return GOFER_IO;
	store->bytes -= segment->size - size;
	segment->size = size;
	return GOFER_OK;
}

/* --- writing -------------------------------------------------------------------------- */

static enum gofer_err sync_fd(struct journal_store *store, int fd)
{
	uint64_t start_us = clock_monotonic_us();
	int failed = fdatasync(fd);

	store->syncs++;
	store->sync_us += clock_monotonic_us() - start_us;
	return failed ? journal_io_failure() : GOFER_OK;
}

static uint32_t fresh_salt(void)
{
	uint32_t salt;

	if (getrandom(&salt, sizeof salt, GRND_NONBLOCK) != sizeof salt)
		salt = (uint32_t)clock_monotonic_us() * 2654435761u;
	return salt;
}

size_t journal_store_room(const struct journal_store *store)
{
	struct statvfs vfs;

	return fstatvfs(store->dirfd, &vfs) ? SIZE_MAX : (size_t)vfs.f_bavail * vfs.f_frsize;
}

/* On a small disk a long segment would keep room for itself that is needed. */
static size_t choose_segment_max(const struct journal_store *store)
{
	size_t part = journal_store_room(store) / PARTS_OF_DISK;

	if (part < SEGMENT_MIN)
		return SEGMENT_MIN;
	return part < JOURNAL_SEGMENT_MAX ? part : JOURNAL_SEGMENT_MAX;
}

/* Its name must survive a loss of power, or what is synced into it would not. */
static enum gofer_err begin_segment(struct journal_store *store)
{
	struct buf head = BUF_INIT;
	uint32_t salt = fresh_salt();
	enum gofer_err rc = GOFER_NOMEM;
	char name[NAME_SIZE];
	int fd = open_segment(store, store->last + 1, O_RDWR | O_CREAT | O_EXCL);

	if (fd < 0)
		return journal_io_failure();
	store->last++;
	journal_file_put_segment(&head, store->last, salt);
	if (buf_ok(&head))
		rc = journal_io_write(fd, head.data, head.size, 0);
	if (!rc && fsync(store->dirfd) && errno != EINVAL)
		rc = journal_io_failure();
	if (!rc)
		rc = journal_store_add(store, store->last, salt, head.size);
	buf_release(&head);
	if (rc) {
		name_of(name, store->last, false);
		unlinkat(store->dirfd, name, 0);
		close(fd);
		return rc;
	}
	store->fd = fd;
	store->end = JOURNAL_FILE_HEAD;
	store->is_tight = false;
	store->segment_max = choose_segment_max(store);
	return GOFER_OK;
}

/* The zeros need not be gone to be harmless. */
void journal_store_roll(struct journal_store *store)
{
	if (store->fd >= 0 && store->newest && store->end > store->newest->size)
		(void)!ftruncate(store->fd, (off_t)store->newest->size);
	close_fd(&store->fd);
}

enum gofer_err journal_store_prepare(struct journal_store *store, size_t size)
{
	const struct journal_segment *s = store->newest;

	if (store->fd >= 0 &&
	    (s->size + size <= store->segment_max || s->size == JOURNAL_FILE_HEAD))
		return GOFER_OK;
	if (journal_store_sync(store))
		return GOFER_IO;
	journal_store_roll(store);
	return begin_segment(store);
}

/* A record's half is taken away; where not even that can be done, nothing more is put behind it. */
static void take_back(struct journal_store *store)
{
	store->end = store->newest->size;
	if (ftruncate(store->fd, (off_t)store->end))
		close_fd(&store->fd);
}

/* Where there is no room for zeros there may be some for records. */
static void extend(struct journal_store *store, size_t size)
{
	size_t used = store->newest->size + size;
	size_t ahead = used < AHEAD_MIN ? AHEAD_MIN : used < AHEAD_MAX ? used : AHEAD_MAX;
	size_t end = (used + ahead) & ~(size_t)(PAGE - 1);

	if (used <= store->end || end <= used || store->is_tight)
		return;
	store->is_tight = !journal_io_extend(store->fd, store->end, end);
	if (!store->is_tight)
		store->end = end;
}

enum gofer_err journal_store_append(struct journal_store *store, const char *bytes, size_t size,
                                    bool sync)
{
	struct journal_segment *s = store->newest;
	enum gofer_err rc;

	if (sync)
		extend(store, size);
	rc = journal_io_write(store->fd, bytes, size, s->size);

	if (!rc && sync)
		rc = sync_fd(store, store->fd);
	if (rc) {
		take_back(store);
		return rc;
	}
	store->unsynced = !sync;
	s->size += size;
	store->bytes += size;
	store->end = store->end < s->size ? s->size : store->end;
	return GOFER_OK;
}

enum gofer_err journal_store_sync(struct journal_store *store)
{
	if (store->fd < 0 || !store->unsynced)
		return GOFER_OK;
	store->unsynced = false;
	return sync_fd(store, store->fd);
}

/* --- setting aside -------------------------------------------------------------------- */

enum gofer_err journal_store_set_aside(struct journal_store *store, uint64_t number, size_t offset,
                                       const char *bytes, size_t size, bool first)
{
	char name[NAME_SIZE], line[64];
	enum gofer_err rc;
	struct stat st;
	int fd, length;

	name_of(name, number, true);
	fd = openat(store->dirfd, name,
	            O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (first ? O_TRUNC : 0), 0600);
	if (fd < 0 || fstat(fd, &st)) {
		close_fd(&fd);
		return journal_io_failure();
	}
	length = snprintf(line, sizeof line, "\noffset %zu, %zu bytes:\n", offset, size);
	rc = journal_io_write(fd, line, (size_t)length, (size_t)st.st_size);
	if (!rc)
		rc = journal_io_write(fd, bytes, size, (size_t)st.st_size + (size_t)length);
	if (!rc)
		rc = sync_fd(store, fd);
	close(fd);
	return rc;
}
