/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base64.h"

static void the_examples_of_the_rfc(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
	};
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&b);
		base64_encode(&b, (const unsigned char *)cases[i][0], strlen(cases[i][0]));
		assert_string_equal(buf_text(&b), cases[i][1]);
		buf_clear(&b);
		assert_int_equal(base64_decode(&b, cases[i][1], strlen(cases[i][1])), GOFER_OK);
		assert_string_equal(buf_text(&b), cases[i][0]);
	}
	buf_release(&b);
}

static void every_byte_comes_back(void **state)
{
	unsigned char bytes[256];
	struct buf text = BUF_INIT, back = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7 + 3);
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		buf_clear(&text);
		buf_clear(&back);
		base64_encode(&text, bytes, size);
		assert_int_equal(base64_decode(&back, buf_text(&text), text.size), GOFER_OK);
		assert_int_equal(back.size, size);
		if (size > 0)
			assert_memory_equal(back.data, bytes, size);
	}
	buf_release(&text);
	buf_release(&back);
}

static void garbage_is_refused(void **state)
{
	static const char *const cases[] = {
		"Z",     "Zg",         "Zg=",      "Zg===",         "====",  "=",
		"Z===",  "Zg=g",       "Zg==Zg==", "Zm9v\n",        "Zm9v ", " Zm9v",
		"Zm\n9", "Zm9-",       "Zm9_",     "!!!not base64", "Zh==",  "Zm9=",
		"Zm9vZ", "\xC3\xA9Zg",
	};
	struct buf b = BUF_INIT;

	(void)state;
	buf_puts(&b, "kept");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(base64_decode(&b, cases[i], strlen(cases[i])), GOFER_INVALID);
		assert_string_equal(buf_text(&b), "kept");
	}
	assert_int_equal(base64_decode(&b, "Zm\0v", 4), GOFER_INVALID);
	buf_release(&b);
	assert_int_equal(base64_decode(&b, "!!!!", 4), GOFER_INVALID);
	assert_null(b.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfc),
		cmocka_unit_test(every_byte_comes_back),
		cmocka_unit_test(garbage_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
