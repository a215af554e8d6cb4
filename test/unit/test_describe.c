/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/describe.h"

static void check(const char *help, const char *expected)
{
	struct buf out = BUF_INIT;

	describe_print(&out, help);
	assert_string_equal(buf_text(&out), expected);
	buf_release(&out);
}

static void test_all(void **state)
{
	(void)state;
	check("Plugins:\n\n  <plugin> forked\n    Classes:\n      <class> Panther\n"
	      "        Methods:\n          sleep(self, n=90)\n          test(self)\n"
	      "    Functions:\n\n  <plugin> builtin\n    Classes:\n      <class> Cat\n"
	      "        Methods:\n          superMethod(self, a, *names, **opts)\n"
	      "      <class> Dog\n        Methods:\n          bark(self, words='(', wait=0)\n"
	      "    Functions:\n      echo(something)\n      ping()\n\nActions:\n"
	      "  apply(self) 0:00:05",
	      "Panther.sleep(n=90)\nPanther.test()\nCat.superMethod(a, *names, **opts)\n"
	      "Dog.bark(words='(', wait=0)\nbuiltin.echo(something)\nbuiltin.ping()\n");
}

/* A name that only begins with "self" is a parameter. */
static void test_selfish(void **state)
{
	(void)state;
	check("<plugin> p\nFunctions:\nf(selfish)\ng(self)\n<class> C\nh(selfless, x)\n",
	      "p.f(selfish)\np.g()\nC.h(selfless, x)\n");
}

static void test_what_is_no_such_text(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"Hello",
		"f(x)\n",
		"<plugin>\nf(x)\n",
		"<class>\nf(x)",
		"Functions:\nf(x)",
		"Actions:\n<class> A\n f(x)\n",
		"<class> A",
		"<plugin> p\n  f(x)\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		check(texts[i], "");
}

static void test_line_ends(void **state)
{
	(void)state;
	check("<class> A\r\n  f(self, x)\r\n g( ", "A.f(x)\nA.g(\n");
	check("<class> A\n(\n(self\nf(self,\nf(self", "A.(\nA.(self\nA.f(\nA.f(self\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_selfish),
		cmocka_unit_test(test_what_is_no_such_text),
		cmocka_unit_test(test_line_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
