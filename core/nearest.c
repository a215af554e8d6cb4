/* SPDX-License-Identifier: Apache-2.0 */
#include "core/nearest.h"

#include <string.h>

#define NAME_MAX_SIZE 40 /* what is longer is near to nothing */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* The restricted edit distance; only the last three rows of its table are kept. */
static unsigned distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	unsigned rows[3][NAME_MAX_SIZE + 1] = {{0}};

	for (size_t j = 0; j <= b_size; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_size; i++) {
		const unsigned *before = rows[(i + 1) % 3], *above = rows[(i - 1) % 3];
		unsigned *row = rows[i % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_size; j++) {
			unsigned changed = a[i - 1] != b[j - 1];
			row[j] = least(above[j - 1] + changed, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return rows[a_size % 3][b_size];
}

const char *nearest(const char *word, const char *const *names)
{
	const char *found = NULL;
	size_t size = strlen(word);
	/* A third of the letters may be wrong, and one in any case. */
	unsigned best = (unsigned)(size < 6 ? 1 : size / 3) + 1;

	if (!size || size > NAME_MAX_SIZE)
		return NULL;
	for (; *names; names++) {
		size_t name_size = strlen(*names);
		if (name_size > NAME_MAX_SIZE)
			continue;
		unsigned d = distance(word, size, *names, name_size);
		if (size >= 3 && strncmp(word, *names, size) == 0)
			d = least(d, 1);
		if (d < best && d < name_size) {
			best = d;
			found = *names;
		}
	}
	return found;
}
