/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay: runs a fuzz target without libFuzzer over the files named, and over every file of the
 * directories named. An input passes when the target comes back from it. The last line counts
 * them: `N passed, 0 failed`. No input at all is a failure.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return -1;
}

/* The copy is exactly as long as the file, so that a read past its end is seen. */
static int replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(size ? size : 1);
	int count = -1;

	if (!file || !bytes || fread(bytes, 1, size, file) != size) {
		fail(path);
		goto cleanup;
	}
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, size);
	count = 1;

cleanup:
	free(bytes);
	if (file)
		fclose(file);
	return count;
}

static int replay(const char *path);

static int replay_directory(const char *path)
{
	char name[PATH_MAX];
	struct dirent *entry;
	int count = 0, one = 0;
	DIR *directory = opendir(path);

	if (!directory)
		return fail(path);
	while (one >= 0 && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		one = replay(name);
		count += one;
	}
	closedir(directory);
	return one < 0 ? -1 : count;
}

/* Returns how many inputs ran, -1 if one could not be read. */
static int replay(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return fail(path);
	if (S_ISDIR(status.st_mode))
		return replay_directory(path);
	return replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
	int total = 0, one;

	for (int i = 1; i < argc; i++) {
		one = replay(argv[i]);
		if (one < 0)
			return 1;
		total += one;
	}
	printf("%d passed, 0 failed\n", total);
	return total ? 0 : 1;
}
