/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/users.h"

static char path[] = "/tmp/test-broker-users-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return close(mkstemp(path));
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_file(const char *text, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0640), 0);
}

static struct users *load(const char *text)
{
	struct error error = ERROR_NONE;
	struct users *u;

	write_file(text, strlen(text));
	u = users_load(path, &error);
	if (!u)
		fail_msg("%s", error.text);
	return u;
}

static void refused(const char *text, const char *why)
{
	struct error error = ERROR_NONE;
	const char *said;

	write_file(text, strlen(text));
	assert_null(users_load(path, &error));
	said = error.text;
	if (!strncmp(said, path, strlen(path)))
		said += strlen(path);
	assert_string_equal(said, why);
}

static void plain_passwords(void **state)
{
	struct users *u = load("# who may\n\nann:secret\nbob:with:colon and space\r\n");

	(void)state;
	assert_false(users_are_hashed(u));
	assert_true(users_check(u, "ann", "secret"));
	assert_false(users_check(u, "ann", "secre"));
	assert_false(users_check(u, "ann", "secrets"));
	assert_false(users_check(u, "ann", ""));
	assert_false(users_check(u, "an", "secret"));
	assert_false(users_check(u, "", ""));
	assert_true(users_check(u, "bob", "with:colon and space"));
	assert_false(users_check(u, "carl", "secret"));
	assert_false(users_check(u, "# who may", ""));
	users_free(u);
	users_free(NULL);
}

static void hashed_passwords(void **state)
{
	struct crypt_data data = {0};
	char text[256];
	struct users *u;

	(void)state;
	snprintf(text, sizeof(text), "ann:%s\nbob:plain\n",
	         crypt_r("secret", "$6$saltsalt$", &data));
	u = load(text);
	assert_true(users_are_hashed(u));
	assert_true(users_check(u, "ann", "secret"));
	assert_false(users_check(u, "ann", "Secret"));
	assert_false(users_check(u, "ann", strchr(text, ':') + 1));
	assert_true(users_check(u, "bob", "plain"));
	assert_false(users_check(u, "nobody", "secret"));
	users_free(u);
}

static void faulty_lines(void **state)
{
	(void)state;
	refused("ann:x\nbob\n", ":2: not of the form name:password");
	refused(":x\n", ":1: not of the form name:password");
	refused("ann:\n", ":1: user ann has no password");
	refused("ann:x\n\n# y\nann:z\n", ":4: user ann is there already");
	refused("ann:$nonsense$x\n", ":1: the hash of user ann is none that crypt(3) knows");
	refused("# nobody\n", ": no users in it");
	write_file("ann:x\0y\n", 8);
	assert_null(users_load(path, NULL));
}

static void files_that_cannot_be_used(void **state)
{
	struct error error = ERROR_NONE;

	(void)state;
	write_file("ann:x\n", 6);
	chmod(path, 0644);
	assert_null(users_load(path, &error));
	assert_int_equal(error.code, GOFER_AUTH);
	assert_non_null(strstr(error.text, "has mode 0644 and holds passwords: no more than 0640"));
	assert_null(users_load("/nonexistent/users", &error));
	assert_string_equal(error.text, "/nonexistent/users: No such file or directory");
	assert_null(users_load("/tmp", &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_passwords),
		cmocka_unit_test(hashed_passwords),
		cmocka_unit_test(faulty_lines),
		cmocka_unit_test(files_that_cannot_be_used),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
