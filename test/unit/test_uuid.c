/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/uuid.h"

#define MANY 2000

static void the_form_is_that_of_version_4(void **state)
{
	char text[UUID_TEXT_SIZE + 1];

	(void)state;
	for (int n = 0; n < MANY; n++) {
		memset(text, '!', sizeof(text));
		uuid_generate(text);
		assert_int_equal(strlen(text), 36);
		assert_int_equal(text[UUID_TEXT_SIZE], '!');
		for (size_t i = 0; i < 36; i++) {
			if (i == 8 || i == 13 || i == 18 || i == 23)
				assert_int_equal(text[i], '-');
			else
				assert_non_null(strchr("0123456789abcdef", text[i]));
		}
		assert_int_equal(text[14], '4');
		assert_non_null(strchr("89ab", text[19]));
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void assert_all_differ(char (*list)[UUID_TEXT_SIZE], size_t count)
{
	qsort(list, count, sizeof(*list), compare);
	for (size_t i = 1; i < count; i++)
		assert_string_not_equal(list[i - 1], list[i]);
}

static void none_comes_twice(void **state)
{
	char(*list)[UUID_TEXT_SIZE] = calloc(MANY, sizeof(*list));

	(void)state;
	assert_non_null(list);
	for (int i = 0; i < MANY; i++)
		uuid_generate(list[i]);
	assert_all_differ(list, MANY);
	free(list);
}

static void *generate_many(void *list)
{
	char(*at)[UUID_TEXT_SIZE] = list;

	for (int i = 0; i < MANY; i++)
		uuid_generate(at[i]);
	return NULL;
}

static void threads_do_not_share(void **state)
{
	char(*list)[UUID_TEXT_SIZE] = calloc(4 * MANY, sizeof(*list));
	pthread_t threads[4];

	(void)state;
	assert_non_null(list);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, generate_many, list + i * MANY),
		                 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_all_differ(list, 4 * MANY);
	free(list);
}

/* The parent has used a part of its block; the rest is as much the child's. */
static void a_child_does_not_share(void **state)
{
	char own[UUID_TEXT_SIZE], childs[UUID_TEXT_SIZE] = "";
	int ends[2], status;

	(void)state;
	uuid_generate(own);
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		uuid_generate(childs);
		_exit(write(ends[1], childs, sizeof(childs)) != sizeof(childs));
	}
	assert_true(child > 0);
	uuid_generate(own);
	assert_int_equal(read(ends[0], childs, sizeof(childs)), sizeof(childs));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_string_not_equal(own, childs);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_form_is_that_of_version_4),
		cmocka_unit_test(none_comes_twice),
		cmocka_unit_test(threads_do_not_share),
		cmocka_unit_test(a_child_does_not_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
