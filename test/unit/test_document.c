/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/document.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct cJSON *parse(const char *text)
{
	struct cJSON *value = json_parse(text, strlen(text), NULL);

	assert_non_null(value);
	return value;
}

/* --- requests: decoding --------------------------------------------------------------- */

static enum gofer_err decode(struct request *request, const char *text, struct rejection *rejection)
{
	size_t size = strlen(text);
	/* As long as the text, so that a read past its end is seen. */
	char *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, text, size);
	enum gofer_err rc = request_decode(request, copy, size, rejection);
	free(copy);
	return rc;
}

static void all_that_a_request_holds(void **state)
{
	static const char text[] =
		"{\"data\": {\"task\":1.0}, \"pam\": {\"user\": \"u\", \"password\": \"p\", "
		"\"service\": \"s\"}, \"replyto\": \"R\", \"request\": {\"args\": [1, \"x\"], "
		"\"classname\": \"Dog\", \"cntr\": [[\"a\"], {\"k\": 2}], \"kws\": {\"w\": true}, "
		"\"method\": \"bark\"}, \"routing\": [null, \"A\"], \"secret\": \"garfield\", "
		"\"sn\": \"s-1\", \"version\": \"2.0\", \"unknown\": [1]}";
	struct rejection rejection;
	struct request r;

	(void)state;
	assert_int_equal(decode(&r, text, &rejection), GOFER_OK);
	assert_null(rejection.code);
	assert_string_equal(r.sn, "s-1");
	assert_string_equal(r.replyto, "R");
	assert_string_equal(r.address, "A");
	assert_string_equal(r.data, "{\"task\":1.0}");
	assert_string_equal(r.classname, "Dog");
	assert_string_equal(r.method, "bark");
	assert_int_equal(cJSON_GetArraySize(r.args), 2);
	assert_true(cJSON_IsTrue(json_get(r.kws, "w")));
	assert_string_equal(json_string(r.cntr_args->child), "a");
	assert_true(json_get(r.cntr_kws, "k")->valuedouble == 2);
	assert_string_equal(r.secret, "garfield");
	assert_string_equal(r.pam_user, "u");
	assert_string_equal(r.pam_password, "p");
	assert_string_equal(r.pam_service, "s");
	request_release(&r);
	request_release(&r);
}

static void the_least_that_a_request_holds(void **state)
{
	struct rejection rejection;
	struct request r;

	(void)state;
	assert_int_equal(decode(&r,
	                        "{\"request\": {\"classname\": \"D\", \"method\": \"m\"}, "
	                        "\"sn\": \"1\", \"version\": \"2.0\"}",
	                        &rejection),
	                 GOFER_OK);
	assert_string_equal(r.data, "null");
	assert_null(r.replyto);
	assert_null(r.address);
	assert_null(r.args);
	assert_null(r.kws);
	assert_null(r.cntr_args);
	assert_null(r.cntr_kws);
	assert_null(r.secret);
	assert_null(r.pam_user);
	assert_null(r.pam_password);
	assert_null(r.pam_service);
	request_release(&r);
}

/* A request around one member of the document and one of its `request`. */
static char *request_with(const char *member, const char *call_member)
{
	struct buf b = BUF_INIT;

	buf_printf(&b,
	           "{\"replyto\": \"R\", \"sn\": \"1\", \"version\": \"2.0\", \"request\": "
	           "{\"classname\": \"D\", \"method\": \"m\"%s%s}%s%s}",
	           *call_member ? ", " : "", call_member, *member ? ", " : "", member);
	return buf_take(&b, NULL);
}

static void what_may_be_null(void **state)
{
	static const char *const cases[] = {
		"\"pam\": null",     "\"secret\": null",
		"\"replyto\": null", "\"replyto\": \"\"",
		"\"routing\": null", "\"routing\": [null]",
		"\"data\": null",    "\"pam\": {\"user\": null, \"password\": null}",
		"\"pam\": {}",
	};
	struct rejection rejection;
	struct request r;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = request_with(cases[i], "\"cntr\": null");
		assert_int_equal(decode(&r, text, &rejection), GOFER_OK);
		assert_null(r.secret);
		assert_null(r.pam_user);
		assert_null(r.cntr_args);
		if (strstr(cases[i], "replyto"))
			assert_null(r.replyto);
		else
			assert_string_equal(r.replyto, "R");
		request_release(&r);
		free(text);
	}
}

static void kwargs_is_another_name_for_kws(void **state)
{
	static const char *const cases[][2] = {
		{"\"kwargs\": {\"a\": 1}", "{\"a\": 1}"},
		{"\"kws\": {\"a\": 1}", "{\"a\": 1}"},
		{"\"kwargs\": {\"b\": 1}, \"kws\": {\"a\": 1}", "{\"a\": 1}"},
	};
	struct rejection rejection;
	struct request r;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = request_with("", cases[i][0]);
		assert_int_equal(decode(&r, text, &rejection), GOFER_OK);
		char *kws = json_text(r.kws);
		assert_string_equal(kws, cases[i][1]);
		free(kws);
		request_release(&r);
		free(text);
	}
}

static void what_is_no_document(void **state)
{
	static const char *const cases[][2] = {
		{"", "line 1 column 1: expected a value, found the end of the text"},
		{"{not json", "line 1 column 2: expected a key in double quotes, found n"},
		{"[1,2]", "the document is an array, expected an object"},
		{"null", "the document is null, expected an object"},
		{"\"x\"", "the document is a string, expected an object"},
		{"1", "the document is a number, expected an object"},
	};
	struct rejection rejection;
	struct request r;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(decode(&r, cases[i][0], &rejection), GOFER_INVALID);
		assert_string_equal(rejection.code, REJECT_DOCUMENT);
		assert_string_equal(rejection.description, "MODEL: document not valid");
		assert_string_equal(rejection.details, cases[i][1]);
		assert_null(r.sn);
		assert_null(r.replyto);
		assert_null(r.data);
		request_release(&r);
	}
}

static void versions_that_do_not_match(void **state)
{
	static const char *const cases[][2] = {
		{"", "expected:2.0, found:None"},
		{", \"version\": null", "expected:2.0, found:None"},
		{", \"version\": \"1.0\"", "expected:2.0, found:1.0"},
		{", \"version\": 2.0", "expected:2.0, found:2.0"},
		{", \"version\": 2", "expected:2.0, found:2"},
		{", \"version\": \"\"", "expected:2.0, found:"},
		{", \"version\": [2]", "expected:2.0, found:[2]"},
	};
	struct rejection rejection;
	struct request r;
	char text[200];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(text, sizeof(text), "{\"sn\": \"1\", \"replyto\": \"R\", \"data\": [7]%s}",
		         cases[i][0]);
		assert_int_equal(decode(&r, text, &rejection), GOFER_FAILED);
		assert_string_equal(rejection.code, REJECT_VERSION);
		assert_string_equal(rejection.description, "MODEL: document version not matched");
		assert_string_equal(rejection.details, cases[i][1]);
		/* What the rejection is addressed with. */
		assert_string_equal(r.sn, "1");
		assert_string_equal(r.replyto, "R");
		assert_string_equal(r.data, "[7]");
		request_release(&r);
	}
}

static void a_huge_version_is_cut(void **state)
{
	struct rejection rejection;
	struct buf b = BUF_INIT;
	struct request r;

	(void)state;
	buf_printf(&b, "{\"version\": \"%*d\"}", 100000, 1);
	assert_int_equal(decode(&r, buf_text(&b), &rejection), GOFER_FAILED);
	assert_int_equal(strlen(rejection.details), sizeof(rejection.details) - 1);
	request_release(&r);
	buf_release(&b);
}

static void requests_that_are_refused(void **state)
{
	static const struct {
		const char *member, *call_member, *details;
	} cases[] = {
		{"\"replyto\": 1", "", "replyto is a number, expected a string or null"},
		{"\"replyto\": [\"R\"]", "", "replyto is an array, expected a string or null"},
		{"\"replyto\": \"R\\u0000\"", "",
	         "replyto has a NUL or a lone surrogate in it, expected an address"},
		{"\"request\": null", "", "request is null, expected an object"},
		{"\"request\": []", "", "request is an array, expected an object"},
		{"\"request\": \"x\"", "", "request is a string, expected an object"},
		{"\"request\": {}", "",
	         "request.classname is missing, expected a string that is not empty"},
		{"", "\"classname\": null",
	         "request.classname is null, expected a string that is not empty"},
		{"", "\"classname\": \"\"",
	         "request.classname is an empty string, expected a string that is not empty"},
		{"", "\"classname\": 1",
	         "request.classname is a number, expected a string that is not empty"},
		{"\"request\": {\"classname\": \"D\"}", "",
	         "request.method is missing, expected a string that is not empty"},
		{"", "\"method\": true",
	         "request.method is a boolean, expected a string that is not empty"},
		{"", "\"method\": \"\"",
	         "request.method is an empty string, expected a string that is not empty"},
		{"", "\"args\": {}", "request.args is an object, expected an array"},
		{"", "\"args\": \"x\"", "request.args is a string, expected an array"},
		{"", "\"args\": null", "request.args is null, expected an array"},
		{"", "\"kws\": []", "request.kws is an array, expected an object"},
		{"", "\"kws\": null", "request.kws is null, expected an object"},
		{"", "\"kwargs\": 1", "request.kwargs is a number, expected an object"},
		{"", "\"cntr\": {}",
	         "request.cntr is an object, expected null or [[arguments], {keywords}]"},
		{"", "\"cntr\": []",
	         "request.cntr is not of that form, expected null or [[arguments], {keywords}]"},
		{"", "\"cntr\": [[]]",
	         "request.cntr is not of that form, expected null or [[arguments], {keywords}]"},
		{"", "\"cntr\": [{}, []]",
	         "request.cntr is not of that form, expected null or [[arguments], {keywords}]"},
		{"", "\"cntr\": [[], {}, 1]",
	         "request.cntr is not of that form, expected null or [[arguments], {keywords}]"},
		{"", "\"cntr\": [[], null]",
	         "request.cntr is not of that form, expected null or [[arguments], {keywords}]"},
		{"\"secret\": 1", "", "secret is a number, expected a string or null"},
		{"\"pam\": \"x\"", "", "pam is a string, expected an object or null"},
		{"\"pam\": []", "", "pam is an array, expected an object or null"},
		{"\"pam\": {\"user\": 1}", "", "pam.user is a number, expected a string or null"},
		{"\"pam\": {\"password\": []}", "",
	         "pam.password is an array, expected a string or null"},
		{"\"pam\": {\"service\": {}}", "",
	         "pam.service is an object, expected a string or null"},
	};
	struct rejection rejection;
	struct request r;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = request_with(cases[i].member, cases[i].call_member);
		assert_int_equal(decode(&r, text, &rejection), GOFER_FAILED);
		assert_string_equal(rejection.code, REJECT_REQUEST);
		assert_string_equal(rejection.description, "MODEL: request not valid");
		assert_string_equal(rejection.details, cases[i].details);
		assert_string_equal(r.sn, "1");
		assert_string_equal(r.data, "null");
		if (strstr(cases[i].member, "replyto"))
			assert_null(r.replyto);
		else
			assert_string_equal(r.replyto, "R");
		request_release(&r);
		free(text);
	}
}

static void serial_numbers_that_are_refused(void **state)
{
	static const char *const cases[][2] = {
		{"", "sn is missing, expected a string of 1 to 255 bytes"},
		{"\"sn\": null, ", "sn is null, expected a string of 1 to 255 bytes"},
		{"\"sn\": 17, ", "sn is a number, expected a string of 1 to 255 bytes"},
		{"\"sn\": \"\", ", "sn is an empty string, expected a string of 1 to 255 bytes"},
		{"\"sn\": \"a\\u0000\", ",
	         "sn has a NUL or a lone surrogate in it, expected text without"},
		{"\"sn\": \"\\ud800\", ",
	         "sn has a NUL or a lone surrogate in it, expected text without"},
	};
	struct rejection rejection;
	struct request r;
	char text[300];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(text, sizeof(text),
		         "{%s\"replyto\": \"R\", \"request\": {\"classname\": \"D\", \"method\": "
		         "\"m\"}, \"version\": \"2.0\"}",
		         cases[i][0]);
		assert_int_equal(decode(&r, text, &rejection), GOFER_FAILED);
		assert_string_equal(rejection.code, REJECT_REQUEST);
		assert_string_equal(rejection.details, cases[i][1]);
		assert_null(r.sn);
		assert_string_equal(r.replyto, "R");
		request_release(&r);
	}
}

static void serial_numbers_of_any_characters(void **state)
{
	static const char *const cases[] = {"../../etc/passwd", "\xe2\x98\x83", "a\nb", " "};
	struct rejection rejection;
	struct request r;
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct request_spec spec = {.sn = cases[i], .classname = "D", .method = "m"};
		buf_clear(&b);
		assert_int_equal(request_encode(&b, &spec), GOFER_OK);
		assert_int_equal(decode(&r, buf_text(&b), &rejection), GOFER_OK);
		assert_string_equal(r.sn, cases[i]);
		request_release(&r);
	}
	buf_release(&b);
}

static void the_length_of_a_serial_number(void **state)
{
	static const size_t sizes[] = {255, 256, 1000000};
	struct rejection rejection;
	struct request r;
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *sn = calloc(1, sizes[i] + 1), details[80];
		assert_non_null(sn);
		memset(sn, 'x', sizes[i]);
		struct request_spec spec = {.sn = sn, .classname = "D", .method = "m"};
		buf_clear(&b);
		assert_int_equal(request_encode(&b, &spec), GOFER_OK);
		if (sizes[i] <= DOCUMENT_SN_MAX) {
			assert_int_equal(decode(&r, buf_text(&b), &rejection), GOFER_OK);
			assert_string_equal(r.sn, sn);
		} else {
			assert_int_equal(decode(&r, buf_text(&b), &rejection), GOFER_FAILED);
			snprintf(details, sizeof(details),
			         "sn is %zu bytes long, expected at most 255", sizes[i]);
			assert_string_equal(rejection.details, details);
			assert_null(r.sn);
		}
		request_release(&r);
		free(sn);
	}
	buf_release(&b);
}

static void the_first_fault_in_the_order_of_the_protocol_is_told(void **state)
{
	struct rejection rejection;
	struct request r;

	(void)state;
	assert_int_equal(decode(&r, "{\"sn\": null, \"version\": \"1.0\"}", &rejection),
	                 GOFER_FAILED);
	assert_string_equal(rejection.code, REJECT_VERSION);
	request_release(&r);
}

/* --- data ----------------------------------------------------------------------------- */

static void data_is_echoed_byte_for_byte(void **state)
{
	static const char *const cases[] = {
		"{ \"b\":1.0,\"a\":[ ] }",
		"9007199254740993",
		"\"\\u0000\\ud800\xc3\xa9\"",
		"1e400",
		"[1,\n2]",
		"\"\\u0041\"",
	};
	struct rejection rejection;
	struct request r;
	struct buf b = BUF_INIT;
	struct reply reply;
	struct slice data;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_clear(&b);
		buf_printf(&b, "\"data\": %s", cases[i]);
		char *text = request_with(buf_text(&b), "");
		assert_int_equal(decode(&r, text, &rejection), GOFER_OK);
		assert_string_equal(r.data, cases[i]);
		struct reply_head head = {r.sn, r.replyto, r.data};
		buf_clear(&b);
		assert_int_equal(reply_status(&b, &head, "started"), GOFER_OK);
		assert_int_equal(reply_decode(&reply, b.data, b.size, NULL), GOFER_OK);
		assert_true(json_member_text(b.data, b.size, "data", &data));
		assert_int_equal(data.size, strlen(cases[i]));
		assert_memory_equal(data.data, cases[i], data.size);
		reply_release(&reply);
		request_release(&r);
		free(text);
	}
	buf_release(&b);
}

/* --- replies: encoding ---------------------------------------------------------------- */

static const struct reply_head head = {"s-1", "R", "{\"x\": 1}"};

/* Compares with the time stamp, which must be that of now, as TIME. */
static void assert_body(struct buf *b, const char *expected)
{
	static const char key[] = "\"timestamp\": \"";
	char stamp[CLOCK_STAMP_SIZE], earlier[CLOCK_STAMP_SIZE];
	char *at = strstr(b->data, key);

	assert_non_null(at);
	at += strlen(key);
	clock_stamp(stamp, time(NULL));
	clock_stamp(earlier, time(NULL) - 1);
	if (strncmp(at, stamp, strlen(stamp)) != 0)
		assert_memory_equal(at, earlier, strlen(earlier));
	memcpy(at, "TIME", 4);
	memmove(at + 4, at + 20, strlen(at + 20) + 1);
	assert_string_equal(b->data, expected);
	buf_release(b);
}

static void statuses(void **state)
{
	static const struct reply_head bare = {NULL, NULL, NULL};
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(reply_status(&b, &head, "accepted"), GOFER_OK);
	assert_body(&b,
	            "{\"data\": {\"x\": 1}, \"routing\": [null, \"R\"], \"sn\": \"s-1\", "
	            "\"status\": \"accepted\", \"timestamp\": \"TIME\", \"version\": \"2.0\"}");
	assert_int_equal(reply_status(&b, &bare, "started"), GOFER_OK);
	assert_body(&b,
	            "{\"data\": null, \"routing\": [null, null], \"sn\": null, "
	            "\"status\": \"started\", \"timestamp\": \"TIME\", \"version\": \"2.0\"}");
}

static void progress(void **state)
{
	struct cJSON *details = cJSON_CreateString("for: 0");
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(reply_progress(&b, &head, 2, 1, details), GOFER_OK);
	assert_body(&b,
	            "{\"completed\": 1, \"data\": {\"x\": 1}, \"details\": \"for: 0\", "
	            "\"routing\": [null, \"R\"], \"sn\": \"s-1\", \"status\": \"progress\", "
	            "\"timestamp\": \"TIME\", \"total\": 2, \"version\": \"2.0\"}");
	assert_int_equal(reply_progress(&b, &head, INT64_MAX, INT64_MIN, NULL), GOFER_OK);
	assert_body(
		&b,
		"{\"completed\": -9223372036854775808, \"data\": {\"x\": 1}, \"details\": null, "
		"\"routing\": [null, \"R\"], \"sn\": \"s-1\", \"status\": \"progress\", "
		"\"timestamp\": \"TIME\", \"total\": 9223372036854775807, "
		"\"version\": \"2.0\"}");
	cJSON_Delete(details);
}

static void rejections(void **state)
{
	static const struct rejection rejection = {REJECT_REQUEST, "MODEL: request not valid",
	                                           "sn is \"missing\""};
	static const struct reply_head nobody = {NULL, "R", NULL};
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(reply_rejected(&b, &nobody, &rejection), GOFER_OK);
	assert_body(&b,
	            "{\"code\": \"model.request\", \"data\": null, \"description\": "
	            "\"MODEL: request not valid\", \"details\": \"sn is \\\"missing\\\"\", "
	            "\"routing\": [null, \"R\"], \"sn\": null, \"status\": \"rejected\", "
	            "\"timestamp\": \"TIME\", \"version\": \"2.0\"}");
}

static void results(void **state)
{
	struct cJSON *retval = parse("[9007199254740993, 1.0]");
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(reply_result(&b, &head, retval), GOFER_OK);
	assert_body(&b,
	            "{\"data\": {\"x\": 1}, \"result\": {\"retval\": [9007199254740993, 1.0]}, "
	            "\"routing\": [null, \"R\"], \"sn\": \"s-1\", \"timestamp\": \"TIME\", "
	            "\"version\": \"2.0\"}");
	assert_int_equal(reply_result(&b, &head, NULL), GOFER_OK);
	assert_body(&b,
	            "{\"data\": {\"x\": 1}, \"result\": {\"retval\": null}, "
	            "\"routing\": [null, \"R\"], \"sn\": \"s-1\", \"timestamp\": \"TIME\", "
	            "\"version\": \"2.0\"}");
	cJSON_Delete(retval);
}

#define RAISED(exval, xargs, xclass, xmodule, xstate) \
	"{\"data\": {\"x\": 1}, \"result\": {\"exval\": \"" exval "\", \"xargs\": " xargs \
	", \"xclass\": \"" xclass "\", \"xmodule\": \"" xmodule "\", \"xstate\": " xstate \
	"}, \"routing\": [null, \"R\"], \"sn\": \"s-1\", \"timestamp\": \"TIME\", " \
	"\"version\": \"2.0\"}"

static void exceptions(void **state)
{
	struct exception x = {0};
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(exception_set(&x, "builtins", "ValueError", "bad %s", "\"n\""), GOFER_OK);
	assert_int_equal(reply_raised(&b, &head, &x), GOFER_OK);
	assert_body(&b,
	            RAISED("ValueError: bad \\\"n\\\"", "[\"bad \\\"n\\\"\"]", "ValueError",
	                   "builtins", "{\"trace\": \"ValueError: bad \\\"n\\\"\"}"));

	assert_int_equal(exception_set(&x, "gofer.rmi.dispatcher", "Cancelled", "%s", "s-1"),
	                 GOFER_OK);
	assert_int_equal(reply_raised(&b, &head, &x), GOFER_OK);
	assert_body(&b,
	            RAISED("gofer.rmi.dispatcher.Cancelled: s-1", "[\"s-1\"]", "Cancelled",
	                   "gofer.rmi.dispatcher",
	                   "{\"trace\": \"gofer.rmi.dispatcher.Cancelled: s-1\"}"));
	exception_release(&x);
	exception_release(&x);
}

static void exceptions_with_arguments(void **state)
{
	static const char *const cases[][2] = {
		{"[]", "OSError"},
		{"[\"x\"]", "OSError: x"},
		{"[2, \"No such file\"]", "OSError: 2, No such file"},
		{"[[1], null]", "OSError: [1], null"},
	};
	struct exception x = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cJSON *xargs = parse(cases[i][0]);
		assert_int_equal(exception_set_args_take(&x, "builtins", "OSError", xargs),
		                 GOFER_OK);
		assert_string_equal(x.exval, cases[i][1]);
		assert_ptr_equal(x.xargs, xargs);
	}
	assert_int_equal(exception_set_args_take(&x, "m", "X", NULL), GOFER_OK);
	assert_string_equal(x.exval, "m.X");
	assert_int_equal(cJSON_GetArraySize(x.xargs), 0);
	exception_release(&x);
}

static void an_exception_with_a_state_of_its_own(void **state)
{
	struct exception x = {0};
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(exception_set(&x, "demo", "MyError", "this"), GOFER_OK);
	x.xstate = parse("{\"trace\": \"T\", \"b\": 23}");
	assert_int_equal(reply_raised(&b, &head, &x), GOFER_OK);
	assert_body(&b,
	            RAISED("demo.MyError: this", "[\"this\"]", "MyError", "demo",
	                   "{\"b\": 23, \"trace\": \"T\"}"));
	/* The next one has no part of it. */
	assert_int_equal(exception_set(&x, "builtins", "KeyError", "k"), GOFER_OK);
	assert_null(x.xstate);
	exception_release(&x);
}

static void an_exception_that_says_nothing(void **state)
{
	struct exception x = {0};
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(reply_raised(&b, &head, &x), GOFER_OK);
	assert_body(&b, RAISED("", "[]", "Exception", "builtins", "{\"trace\": \"\"}"));
}

static void replies_are_always_valid(void **state)
{
	struct exception x = {0};
	struct buf b = BUF_INIT;
	struct reply reply;

	(void)state;
	assert_int_equal(exception_set(&x, "builtins", "OSError", "\xff\n\"\x01 \xc3\xa9"),
	                 GOFER_OK);
	assert_int_equal(reply_raised(&b, &head, &x), GOFER_OK);
	assert_int_equal(reply_decode(&reply, b.data, b.size, NULL), GOFER_OK);
	assert_string_equal(json_string(reply.xargs->child), "\xef\xbf\xbd\n\"\x01 \xc3\xa9");
	for (size_t i = 0; i < b.size; i++)
		assert_in_range(b.data[i], ' ', '~');
	reply_release(&reply);
	exception_release(&x);
	buf_release(&b);
}

static void encoders_tell_of_failure(void **state)
{
	static const struct rejection rejection = {REJECT_REQUEST, "d", "x"};
	struct request_spec spec = {.sn = "1"};
	struct exception x = {0};
	struct buf b = {.failed = true};

	(void)state;
	assert_int_equal(reply_status(&b, &head, "started"), GOFER_NOMEM);
	assert_int_equal(reply_progress(&b, &head, 1, 1, NULL), GOFER_NOMEM);
	assert_int_equal(reply_rejected(&b, &head, &rejection), GOFER_NOMEM);
	assert_int_equal(reply_result(&b, &head, NULL), GOFER_NOMEM);
	assert_int_equal(reply_raised(&b, &head, &x), GOFER_NOMEM);
	assert_int_equal(request_encode(&b, &spec), GOFER_NOMEM);
	assert_int_equal(envelope_seal(&b, "x", 1, NULL, 0), GOFER_NOMEM);
}

/* --- replies: decoding ---------------------------------------------------------------- */

static void what_is_no_reply(void **state)
{
	static const char *const cases[][2] = {
		{"", "line 1 column 1: expected a value, found the end of the text"},
		{"[1]", "the reply is an array, expected an object"},
		{"{}", "version is missing, expected \"2.0\""},
		{"{\"version\": 2.0}", "version is a number, expected \"2.0\""},
		{"{\"version\": \"3.0\"}", "version is \"3.0\", expected \"2.0\""},
		{"{\"version\": \"2.0\"}",
	         "status is missing and result is missing, expected one of them"},
		{"{\"version\": \"2.0\", \"status\": null, \"result\": 1}",
	         "status is missing and result is a number, expected one of them"},
		{"{\"version\": \"2.0\", \"status\": \"done\"}",
	         "status is \"done\", expected accepted, started, progress or rejected"},
		{"{\"version\": \"2.0\", \"status\": 1}",
	         "status is a number, expected accepted, started, progress or rejected"},
		{"{\"version\": \"2.0\", \"result\": {}}", "result has neither retval nor exval"},
	};
	struct error error;
	struct reply reply;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		error = (struct error)ERROR_NONE;
		assert_int_equal(reply_decode(&reply, cases[i][0], strlen(cases[i][0]), &error),
		                 GOFER_PROTOCOL);
		assert_string_equal(error.text, cases[i][1]);
		reply_release(&reply);
	}
}

static void decode_reply(struct reply *reply, const char *text)
{
	struct error error = ERROR_NONE;

	if (reply_decode(reply, text, strlen(text), &error))
		fail_msg("%s: %s", text, error.text);
}

static void replies_with_things_missing(void **state)
{
	struct reply r;

	(void)state;
	decode_reply(&r, "{\"version\": \"2.0\", \"status\": \"accepted\"}");
	assert_int_equal(r.kind, REPLY_ACCEPTED);
	assert_null(r.sn);
	assert_null(r.timestamp);
	assert_null(r.data);
	reply_release(&r);
	decode_reply(&r, "{\"version\": \"2.0\", \"status\": \"progress\", \"total\": \"x\"}");
	assert_int_equal(r.kind, REPLY_PROGRESS);
	assert_true(r.total == 0 && r.completed == 0);
	assert_null(r.details);
	reply_release(&r);
	decode_reply(&r, "{\"version\": \"2.0\", \"status\": \"rejected\", \"code\": null}");
	assert_int_equal(r.kind, REPLY_REJECTED);
	assert_string_equal(r.code, "");
	assert_string_equal(r.description, "");
	assert_string_equal(r.details_text, "");
	reply_release(&r);
	decode_reply(&r, "{\"version\": \"2.0\", \"result\": {\"exval\": null, \"xargs\": 1}}");
	assert_int_equal(r.kind, REPLY_RAISED);
	assert_string_equal(r.exval, "");
	assert_string_equal(r.xmodule, "builtins");
	assert_string_equal(r.xclass, "Exception");
	assert_null(r.xargs);
	assert_null(r.xstate);
	reply_release(&r);
	decode_reply(&r, "{\"version\": \"2.0\", \"result\": {\"retval\": null}}");
	assert_int_equal(r.kind, REPLY_RETURNED);
	assert_true(cJSON_IsNull(r.retval));
	reply_release(&r);
	reply_release(&r);
}

/* --- requests: encoding --------------------------------------------------------------- */

static void an_empty_request_is_all_null(void **state)
{
	struct request_spec spec = {0};
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(request_encode(&b, &spec), GOFER_OK);
	assert_string_equal(
		buf_text(&b),
		"{\"data\": null, \"pam\": null, \"replyto\": null, \"request\": {\"args\": [], "
		"\"classname\": null, \"cntr\": null, \"kws\": {}, \"method\": null}, "
		"\"routing\": [null, null], \"secret\": null, \"sn\": null, \"version\": \"2.0\"}");
	buf_release(&b);
}

static void half_a_constructor(void **state)
{
	struct cJSON *args = parse("[1]"), *kws = parse("{\"a\": 1}");
	struct request_spec with_args = {.cntr_args = args}, with_kws = {.cntr_kws = kws};
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(request_encode(&b, &with_args), GOFER_OK);
	assert_non_null(strstr(buf_text(&b), "\"cntr\": [[1], {}], "));
	buf_clear(&b);
	assert_int_equal(request_encode(&b, &with_kws), GOFER_OK);
	assert_non_null(strstr(buf_text(&b), "\"cntr\": [[], {\"a\": 1}], "));
	buf_release(&b);
	cJSON_Delete(args);
	cJSON_Delete(kws);
}

static void a_user_without_a_password(void **state)
{
	struct request_spec spec = {.pam_user = "u"};
	struct buf b = BUF_INIT;

	(void)state;
	assert_int_equal(request_encode(&b, &spec), GOFER_OK);
	assert_non_null(strstr(buf_text(&b), "\"pam\": {\"password\": null, \"user\": \"u\"}, "));
	buf_release(&b);
}

/* --- the envelope --------------------------------------------------------------------- */

struct opened {
	char *message;
	unsigned char *signature;
	size_t message_size, signature_size;
};

static enum gofer_err open_text(struct opened *o, const char *text)
{
	return envelope_open(text, strlen(text), &o->message, &o->message_size, &o->signature,
	                     &o->signature_size);
}

static void free_opened(struct opened *o)
{
	free(o->message);
	free(o->signature);
}

static void an_envelope_comes_back(void **state)
{
	static const char message[] = "{\"data\": \"\\u00e9\", \"x\": \"\\\"\"}";
	static const unsigned char signature[] = {0, 255, 17, 0};
	struct buf b = BUF_INIT;
	struct opened o;

	(void)state;
	assert_int_equal(envelope_seal(&b, message, strlen(message), signature, sizeof(signature)),
	                 GOFER_OK);
	assert_int_equal(open_text(&o, buf_text(&b)), GOFER_OK);
	assert_string_equal(o.message, message);
	assert_int_equal(o.message_size, strlen(message));
	assert_int_equal(o.signature_size, sizeof(signature));
	assert_memory_equal(o.signature, signature, sizeof(signature));
	free_opened(&o);
	buf_release(&b);
}

static void signatures_that_are_none(void **state)
{
	static const char *const cases[] = {
		"\"!!!not base64\"", "\"Zg=\"", "\"\"", "null", "17", "[]", "\"Zg==\\n\"",
	};
	struct opened o;
	char text[100];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(text, sizeof(text), "{\"message\": \"m\", \"signature\": %s}", cases[i]);
		assert_int_equal(open_text(&o, text), GOFER_OK);
		assert_string_equal(o.message, "m");
		assert_null(o.signature);
		assert_int_equal(o.signature_size, 0);
		free_opened(&o);
	}
}

static void what_is_no_envelope(void **state)
{
	static const struct {
		const char *text;
		enum gofer_err rc;
	} cases[] = {
		{"{}", GOFER_NOTFOUND},
		{"[1]", GOFER_NOTFOUND},
		{"{\"message\": \"m\"}", GOFER_NOTFOUND},
		{"{\"signature\": \"Zg==\"}", GOFER_NOTFOUND},
		{"{\"message\": {}, \"signature\": \"Zg==\"}", GOFER_NOTFOUND},
		{"{not json", GOFER_INVALID},
		{"", GOFER_INVALID},
	};
	struct opened o;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(open_text(&o, cases[i].text), cases[i].rc);
		assert_null(o.message);
		assert_null(o.signature);
	}
}

/* --- memory --------------------------------------------------------------------------- */

static long allocations_left;

static void *scarce_malloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void running_out_of_memory_is_told(void **state)
{
	static const char reply_text[] = "{\"version\": \"2.0\", \"status\": \"accepted\"}";
	cJSON_Hooks hooks = {scarce_malloc, free};
	struct exception x = {0};
	struct rejection rejection;
	struct request request;
	struct reply reply;
	struct opened o;

	(void)state;
	cJSON_InitHooks(&hooks);
	allocations_left = 3;
	assert_int_equal(decode(&request, "{\"a\": [1, 2, 3]}", &rejection), GOFER_NOMEM);
	request_release(&request);
	allocations_left = 3;
	assert_int_equal(reply_decode(&reply, reply_text, strlen(reply_text), NULL), GOFER_NOMEM);
	reply_release(&reply);
	allocations_left = 3;
	assert_int_equal(open_text(&o, reply_text), GOFER_NOMEM);
	for (long n = 0; n < 3; n++) {
		allocations_left = n;
		assert_int_equal(exception_set(&x, "m", "X", "x"), GOFER_NOMEM);
		assert_null(x.xclass);
	}
	allocations_left = 3;
	assert_int_equal(exception_set(&x, "m", "X", "x"), GOFER_OK);
	cJSON_InitHooks(NULL);
	exception_release(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_a_request_holds),
		cmocka_unit_test(the_least_that_a_request_holds),
		cmocka_unit_test(what_may_be_null),
		cmocka_unit_test(kwargs_is_another_name_for_kws),
		cmocka_unit_test(what_is_no_document),
		cmocka_unit_test(versions_that_do_not_match),
		cmocka_unit_test(a_huge_version_is_cut),
		cmocka_unit_test(requests_that_are_refused),
		cmocka_unit_test(serial_numbers_that_are_refused),
		cmocka_unit_test(serial_numbers_of_any_characters),
		cmocka_unit_test(the_length_of_a_serial_number),
		cmocka_unit_test(the_first_fault_in_the_order_of_the_protocol_is_told),
		cmocka_unit_test(data_is_echoed_byte_for_byte),
		cmocka_unit_test(statuses),
		cmocka_unit_test(progress),
		cmocka_unit_test(rejections),
		cmocka_unit_test(results),
		cmocka_unit_test(exceptions),
		cmocka_unit_test(exceptions_with_arguments),
		cmocka_unit_test(an_exception_with_a_state_of_its_own),
		cmocka_unit_test(an_exception_that_says_nothing),
		cmocka_unit_test(replies_are_always_valid),
		cmocka_unit_test(encoders_tell_of_failure),
		cmocka_unit_test(what_is_no_reply),
		cmocka_unit_test(replies_with_things_missing),
		cmocka_unit_test(an_empty_request_is_all_null),
		cmocka_unit_test(half_a_constructor),
		cmocka_unit_test(a_user_without_a_password),
		cmocka_unit_test(an_envelope_comes_back),
		cmocka_unit_test(signatures_that_are_none),
		cmocka_unit_test(what_is_no_envelope),
		cmocka_unit_test(running_out_of_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
