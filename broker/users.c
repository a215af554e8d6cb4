/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/users.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct user {
	struct user *next;
	char *password;
	char name[];
};

struct users {
	struct user *first;
	bool hashed;
};

void users_free(struct users *u)
{
	struct user *user, *next;

	if (!u)
		return;
	for (user = u->first; user; user = next) {
		next = user->next;
		explicit_bzero(user->password, strlen(user->password));
		free(user->password);
		free(user);
	}
	free(u);
}

bool users_are_hashed(const struct users *u)
{
	return u->hashed;
}

/* --- checking -------------------------------------------------------------------------- */

/* The time depends on the length of what was given, not on what is right. */
static bool equal(const char *right, const char *given)
{
	size_t right_size = strlen(right), size = strlen(given);
	volatile unsigned char differ = right_size != size;

	for (size_t i = 0; i < size; i++)
		differ |= (unsigned char)(given[i] ^ right[right_size ? i % right_size : 0]);
	return !differ;
}

static bool hash_matches(const char *hash, const char *password)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *got = data ? crypt_r(password, hash, data) : NULL;
	bool matches = got && got[0] != '*' && equal(hash, got);

	if (data)
		explicit_bzero(data, sizeof(*data));
	free(data);
	return matches;
}

static bool password_matches(const char *right, const char *given)
{
	return right[0] == '$' ? hash_matches(right, given) : equal(right, given);
}

bool users_check(const struct users *u, const char *name, const char *password)
{
	const struct user *found = NULL, *instead = u->first;

	for (const struct user *user = u->first; user; user = user->next)
		if (equal(user->name, name))
			found = user;
	if (found)
		return password_matches(found->password, password);
	if (instead)
		password_matches(instead->password, password);
	return false;
}

/* --- reading --------------------------------------------------------------------------- */

static bool has_user(const struct users *u, const char *name)
{
	for (const struct user *user = u->first; user; user = user->next)
		if (!strcmp(user->name, name))
			return true;
	return false;
}

static enum gofer_err add(struct users *u, const char *name, const char *password)
{
	size_t size = strlen(name) + 1;
	struct user *user = malloc(sizeof(*user) + size);

	if (!user)
		return GOFER_NOMEM;
	memcpy(user->name, name, size);
	user->password = strdup(password);
	if (!user->password) {
		free(user);
		return GOFER_NOMEM;
	}
	user->next = u->first;
	u->first = user;
	u->hashed |= password[0] == '$';
	return GOFER_OK;
}

static bool is_hash(const char *password)
{
	int checked = crypt_checksalt(password);

	return checked == CRYPT_SALT_OK || checked == CRYPT_SALT_TOO_CHEAP;
}

static enum gofer_err add_line(struct users *u, char *line, struct error *error)
{
	char *colon = strchr(line, ':');

	if (!colon || colon == line)
		return error_set(error, GOFER_INVALID, "not of the form name:password");
	*colon = 0;
	if (!colon[1])
		return error_set(error, GOFER_INVALID, "user %s has no password", line);
	if (has_user(u, line))
		return error_set(error, GOFER_INVALID, "user %s is there already", line);
	if (colon[1] == '$' && !is_hash(colon + 1))
		return error_set(error, GOFER_INVALID,
		                 "the hash of user %s is none that crypt(3) knows", line);
	if (add(u, line, colon + 1))
		return error_set(error, GOFER_NOMEM, "out of memory");
	return GOFER_OK;
}

static enum gofer_err read_lines(struct users *u, FILE *file, const char *path, struct error *error)
{
	enum gofer_err err = GOFER_OK;
	unsigned number = 0;
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while (!err && (length = getline(&line, &size, file)) >= 0) {
		number++;
		if ((size_t)length != strlen(line))
			err = error_set(error, GOFER_INVALID, "a NUL byte");
		line[strcspn(line, "\r\n")] = 0;
		if (!err && line[0] && line[0] != '#')
			err = add_line(u, line, error);
	}
	if (err)
		error_prefix(error, "%s:%u", path, number);
	else if (ferror(file))
		err = error_errno(error, GOFER_IO, errno, "%s", path);
	if (line)
		explicit_bzero(line, size);
	free(line);
	return err;
}

static enum gofer_err check_mode(FILE *file, const char *path, struct error *error)
{
	struct stat status;

	if (fstat(fileno(file), &status) < 0)
		return error_errno(error, GOFER_IO, errno, "%s", path);
	if (!S_ISREG(status.st_mode))
		return error_set(error, GOFER_INVALID, "%s is no file", path);
	if (status.st_mode & 0137)
		return error_set(
			error, GOFER_AUTH,
			"%s has mode %04o and holds passwords: no more than 0640 is allowed", path,
			status.st_mode & 07777);
	return GOFER_OK;
}

struct users *users_load(const char *path, struct error *error)
{
	struct users *u = calloc(1, sizeof(*u));
	FILE *file = fopen(path, "re");
	enum gofer_err err = GOFER_OK;

	if (!u)
		err = error_set(error, GOFER_NOMEM, "out of memory");
	else if (!file)
		err = error_errno(error, GOFER_IO, errno, "%s", path);
	if (!err)
		err = check_mode(file, path, error);
	if (!err)
		err = read_lines(u, file, path, error);
	if (!err && !u->first)
		err = error_set(error, GOFER_INVALID, "%s: no users in it", path);
	if (file)
		fclose(file);
	if (!err)
		return u;
	users_free(u);
	return NULL;
}
