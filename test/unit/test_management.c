/* SPDX-License-Identifier: Apache-2.0 */
/* The server of management, with a handler that is the test's, and peers over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/management.h"
#include "agent/management_socket.h"
#include "core/buf.h"
#include "core/clock.h"

#define LIMIT_MS 60000
#define CALLS_MAX 80

static struct loop *loop;
static struct management *server;
static char directory[64], path[128];

/* What the handler got. It answers at once, unless `hold` is set. */
static struct {
	struct management_call *calls[CALLS_MAX];
	char name[CALLS_MAX][32];
	char args[CALLS_MAX][64], kwargs[CALLS_MAX][64];
	size_t count;
	bool hold;
	struct cJSON *result; /* of the next answer; NULL: the request's args */
} handled;

static void print(char out[64], const struct cJSON *value)
{
	struct buf text = BUF_INIT;

	json_print(&text, value);
	snprintf(out, 64, "%s", buf_text(&text));
	buf_release(&text);
}

static void on_request(void *context, struct management_call *call, const char *name,
                       const struct cJSON *args, const struct cJSON *kwargs)
{
	size_t i = handled.count++;

	assert_ptr_equal(context, &handled);
	assert_true(i < CALLS_MAX);
	snprintf(handled.name[i], sizeof handled.name[i], "%s", name);
	print(handled.args[i], args);
	print(handled.kwargs[i], kwargs);
	handled.calls[i] = call;
	if (handled.hold)
		return;
	management_answer_take(call, 0, handled.result ? handled.result : json_copy(args));
	handled.result = NULL;
}

static const struct management_events events = {on_request};

static struct management *start(const struct management_options *options, struct error *error)
{
	return management_new(loop, options, &events, &handled, error);
}

static int set_up(void **state)
{
	const struct management_options options = {.socket_path = path};

	(void)state;
	memset(&handled, 0, sizeof handled);
	loop = loop_new(NULL);
	snprintf(directory, sizeof directory, "/tmp/test_management.XXXXXX");
	if (!loop || !mkdtemp(directory))
		return -1;
	snprintf(path, sizeof path, "%s/sock", directory);
	server = start(&options, NULL);
	return !server;
}

static int tear_down(void **state)
{
	(void)state;
	management_free(server);
	server = NULL;
	unlink(path);
	rmdir(directory);
	loop_free(loop);
	return 0;
}

/* --- peers ------------------------------------------------------------------------------- */

static int connect_path(void)
{
	int fd = management_connect_unix(path);

	assert_true(fd >= 0);
	return fd;
}

static void turn(void)
{
	loop_run_once(loop, 0.01);
}

static void say_bytes(int fd, const char *text, size_t size)
{
	uint64_t end = clock_monotonic_ms() + LIMIT_MS;

	while (size) {
		ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

		if (n > 0) {
			text += n;
			size -= (size_t)n;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return;
		}
		assert_true(clock_monotonic_ms() < end);
		turn();
	}
}

static void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

/* Reads up to the end of the connection. */
static struct buf hear(int fd)
{
	uint64_t end = clock_monotonic_ms() + LIMIT_MS;
	struct buf text = BUF_INIT;

	for (;;) {
		char piece[65536];
		ssize_t n = recv(fd, piece, sizeof piece, 0);

		if (n == 0)
			break;
		if (n > 0)
			buf_append(&text, piece, (size_t)n);
		else if (errno != EAGAIN)
			break;
		else
			turn();
		if (clock_monotonic_ms() >= end)
			fail_msg("no end of the answer; so far: %.100s", buf_text(&text));
	}
	return text;
}

static void hear_all(int fd, const char *expected)
{
	struct buf text = hear(fd);

	assert_string_equal(buf_text(&text), expected);
	buf_release(&text);
	close(fd);
}

static void hear_refusal(int fd, const char *why)
{
	struct buf text = hear(fd);
	struct cJSON *reply = json_parse(buf_text(&text), text.size, NULL);
	long long code = 0;

	if (!reply || !json_integer(json_get(reply, "code"), &code) || code != 1 ||
	    !json_string(json_get(reply, "result")) ||
	    !strstr(json_string(json_get(reply, "result")), why))
		fail_msg("not refused with \"%s\": %s", why, buf_text(&text));
	cJSON_Delete(reply);
	buf_release(&text);
	close(fd);
}

static void until_handled(size_t count)
{
	uint64_t end = clock_monotonic_ms() + LIMIT_MS;

	while (handled.count < count) {
		assert_true(clock_monotonic_ms() < end);
		turn();
	}
}

static void expect_handled(size_t i, const char *name, const char *args, const char *kwargs)
{
	assert_true(i < handled.count);
	assert_string_equal(handled.name[i], name);
	assert_string_equal(handled.args[i], args);
	assert_string_equal(handled.kwargs[i], kwargs);
}

/* --- requests and answers ---------------------------------------------------------------- */

static void a_request_is_answered(void **state)
{
	int fd = connect_path();

	(void)state;
	say(fd,
	    "{\"name\": \"load\", \"args\": [\"x\"], \"kwargs\": {\"hard\": true}, \"more\": 1}");
	hear_all(fd, "{\"code\": 0, \"result\": [\"x\"]}\n");
	expect_handled(0, "load", "[\"x\"]", "{\"hard\": true}");
}

static void arguments_may_be_missing(void **state)
{
	int fd = connect_path();

	(void)state;
	say(fd, "{\"name\": \"show\"}");
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
	fd = connect_path();
	say(fd, "{\"name\": \"show\", \"args\": null, \"kwargs\": null}");
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
	expect_handled(0, "show", "[]", "{}");
	expect_handled(1, "show", "[]", "{}");
}

static void one_byte_at_a_time(void **state)
{
	static const char text[] = " \n{\"name\": \"a}\\\"b\", \"args\": [{\"x\": [1]}]}";
	int fd = connect_path();

	(void)state;
	for (size_t i = 0; i < sizeof text - 1; i++) {
		assert_int_equal(handled.count, 0);
		say_bytes(fd, text + i, 1);
		turn();
	}
	hear_all(fd, "{\"code\": 0, \"result\": [{\"x\": [1]}]}\n");
	expect_handled(0, "a}\"b", "[{\"x\": [1]}]", "{}");
}

static void what_comes_behind_is_passed_over(void **state)
{
	int fd = connect_path();

	(void)state;
	say(fd, "{\"name\": \"show\"}\n{\"name\": \"unload\"} and more");
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
	assert_int_equal(handled.count, 1);
}

static void a_peer_may_close_its_side_first(void **state)
{
	int fd = connect_path();

	(void)state;
	handled.hold = true;
	say(fd, "{\"name\": \"show\"}");
	shutdown(fd, SHUT_WR);
	until_handled(1);
	for (int i = 0; i < 5; i++)
		turn();
	management_answer_take(handled.calls[0], 0, NULL);
	hear_all(fd, "{\"code\": 0, \"result\": null}\n");
}

static void the_code_is_the_handlers(void **state)
{
	int fd = connect_path();

	(void)state;
	handled.hold = true;
	say(fd, "{\"name\": \"show\"}");
	until_handled(1);
	management_answer_take(handled.calls[0], 1, cJSON_CreateString("no such plugin"));
	hear_all(fd, "{\"code\": 1, \"result\": \"no such plugin\"}\n");
}

static void a_slow_one_holds_up_nobody(void **state)
{
	int silent = connect_path(), half = connect_path(), slow = connect_path(), quick;

	(void)state;
	say(half, "{\"name\": ");
	handled.hold = true;
	say(slow, "{\"name\": \"slow\"}");
	until_handled(1);
	handled.hold = false;
	quick = connect_path();
	say(quick, "{\"name\": \"quick\"}");
	hear_all(quick, "{\"code\": 0, \"result\": []}\n");
	management_answer_take(handled.calls[0], 0, cJSON_CreateString("at last"));
	hear_all(slow, "{\"code\": 0, \"result\": \"at last\"}\n");
	say(half, "\"half\"}");
	hear_all(half, "{\"code\": 0, \"result\": []}\n");
	close(silent);
}

static void answers_in_any_order(void **state)
{
	int fds[5];
	char expected[64];

	(void)state;
	handled.hold = true;
	for (size_t i = 0; i < 5; i++) {
		fds[i] = connect_path();
		say(fds[i], "{\"name\": \"x\"}");
		until_handled(i + 1);
	}
	for (size_t i = 5; i-- > 0;)
		management_answer_take(handled.calls[i], 0, cJSON_CreateNumber((double)i));
	for (size_t i = 0; i < 5; i++) {
		snprintf(expected, sizeof expected, "{\"code\": 0, \"result\": %zu}\n", i);
		hear_all(fds[i], expected);
	}
}

static void a_long_answer_goes_out_as_it_is_taken(void **state)
{
	size_t size = 5 << 20;
	char *text = malloc(size + 1);
	int fd = connect_path(), other = connect_path();
	struct buf got;

	(void)state;
	memset(text, 'x', size);
	text[size] = '\0';
	handled.result = cJSON_CreateString(text);
	say(fd, "{\"name\": \"show\"}");
	until_handled(1);
	say(other, "{\"name\": \"show\"}");
	hear_all(other, "{\"code\": 0, \"result\": []}\n");
	got = hear(fd);
	assert_int_equal(got.size, size + strlen("{\"code\": 0, \"result\": \"\"}\n"));
	assert_memory_equal(got.data + strlen("{\"code\": 0, \"result\": \""), text, size);
	buf_release(&got);
	free(text);
	close(fd);
}

/* --- what is no request ------------------------------------------------------------------ */

static void garbage_is_answered_at_once(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"GET / HTTP/1.1\r\n", "must be a JSON object such as {\"name\""},
		{"[1, 2]", "must be a JSON object"},
		{"\"show\"", "must be a JSON object"},
		{"null", "must be a JSON object"},
		{"{name: show}", "no JSON such as"},
		{"{\"name\": \"show\",}", "no JSON such as"},
		{"{\"name\": \"\xff\"}", "no JSON such as"},
		{"{}", "has no name"},
		{"{\"args\": []}", "has no name"},
		{"{\"name\": 1}", "name: must be"},
		{"{\"name\": \"\"}", "name: must be"},
		{"{\"name\": \"a\\u0000b\"}", "name: must be"},
		{"{\"name\": \"show\", \"args\": {}}", "args: must be a list, not dict"},
		{"{\"name\": \"show\", \"args\": \"x\"}", "args: must be a list, not str"},
		{"{\"name\": \"show\", \"kwargs\": []}", "kwargs: must be an object, not list"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int fd = connect_path();

		say(fd, cases[i].text);
		hear_refusal(fd, cases[i].why);
	}
	assert_int_equal(handled.count, 0);
}

static void nesting_has_a_limit(void **state)
{
	char text[2100];
	int fd = connect_path(), n;

	(void)state;
	n = snprintf(text, sizeof text, "{\"name\": \"x\", \"args\": ");
	memset(text + n, '[', 1000);
	memset(text + n + 1000, ']', 1000);
	text[n + 2000] = '}';
	say_bytes(fd, text, (size_t)n + 2001);
	hear_refusal(fd, "no JSON such as");
	assert_int_equal(handled.count, 0);
}

static void what_ends_early_is_told(void **state)
{
	int fd = connect_path();

	(void)state;
	say(fd, "{\"name\": \"sh");
	shutdown(fd, SHUT_WR);
	hear_refusal(fd, "no JSON such as");
	fd = connect_path();
	shutdown(fd, SHUT_WR);
	hear_refusal(fd, "is empty");
	assert_int_equal(handled.count, 0);
}

/* {"name": "x", "a": "yyy..."}, of that size. */
static char *request_of(size_t size)
{
	static const char head[] = "{\"name\": \"x\", \"a\": \"", tail[] = "\"}";
	char *text = malloc(size);

	memset(text, 'y', size);
	memcpy(text, head, sizeof head - 1);
	memcpy(text + size - sizeof tail + 1, tail, sizeof tail - 1);
	return text;
}

static void the_longest_request(void **state)
{
	char *text = request_of(MANAGEMENT_REQUEST_MAX);
	int fd = connect_path();

	(void)state;
	say_bytes(fd, text, MANAGEMENT_REQUEST_MAX);
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
	free(text);
}

static void a_longer_request(void **state)
{
	static const size_t sizes[] = {MANAGEMENT_REQUEST_MAX + 1, 4 * MANAGEMENT_REQUEST_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char *text = request_of(sizes[i]);
		int fd = connect_path();

		say_bytes(fd, text, sizes[i]);
		hear_refusal(fd, "longer than 65536 bytes");
		free(text);
	}
	assert_int_equal(handled.count, 0);
}

/* --- who goes, and who waits too long ---------------------------------------------------- */

static void restart(const struct management_options *options)
{
	management_free(server);
	server = start(options, NULL);
	assert_non_null(server);
}

static void a_request_must_come_in_time(void **state)
{
	int fd;

	(void)state;
	restart(&(struct management_options){.socket_path = path, .time_s = 0.2});
	fd = connect_path();
	say(fd, "{\"name\"");
	hear_refusal(fd, "no whole request within 0.2 s");
}

/* The kernel has room for less than this. */
static void an_answer_must_be_taken_in_time(void **state)
{
	size_t size = 8 << 20;
	char *text = malloc(size + 1);
	struct buf got;
	int fd;

	(void)state;
	restart(&(struct management_options){.socket_path = path, .time_s = 0.2});
	memset(text, 'x', size);
	text[size] = '\0';
	handled.result = cJSON_CreateString(text);
	fd = connect_path();
	say(fd, "{\"name\": \"show\"}");
	until_handled(1);
	for (uint64_t end = clock_monotonic_ms() + 1000; clock_monotonic_ms() < end;)
		turn();
	got = hear(fd);
	assert_true(got.size < size);
	buf_release(&got);
	free(text);
	close(fd);
}

static void a_peer_that_has_gone_is_no_harm(void **state)
{
	int fd = connect_path(), other;

	(void)state;
	handled.hold = true;
	say(fd, "{\"name\": \"show\"}");
	until_handled(1);
	close(fd);
	turn();
	management_answer_take(handled.calls[0], 0, NULL);
	handled.hold = false;
	other = connect_path();
	say(other, "{\"name\": \"show\"}");
	hear_all(other, "{\"code\": 0, \"result\": []}\n");
}

static void an_answer_after_the_end_is_dropped(void **state)
{
	int fds[] = {connect_path(), connect_path(), connect_path()};

	(void)state;
	handled.hold = true;
	say(fds[0], "{\"name\": \"show\"}");
	say(fds[1], "{\"name\": \"show\"}");
	say(fds[2], "{\"name\": ");
	until_handled(2);
	management_free(server);
	server = NULL;
	management_answer_take(handled.calls[0], 0, cJSON_CreateString("too late"));
	management_answer_take(handled.calls[1], 0, NULL);
	for (size_t i = 0; i < 3; i++)
		hear_all(fds[i], "");
}

static void the_one_that_is_idle_for_the_longest_goes(void **state)
{
	int fds[MANAGEMENT_PEERS], one_more;

	(void)state;
	for (size_t i = 0; i < MANAGEMENT_PEERS; i++) {
		fds[i] = connect_path();
		turn();
	}
	say(fds[0], "{\"name\": ");
	turn();
	one_more = connect_path();
	say(one_more, "{\"name\": \"show\"}");
	hear_all(one_more, "{\"code\": 0, \"result\": []}\n");
	hear_refusal(fds[1], "too many others");
	say(fds[0], "\"show\"}");
	hear_all(fds[0], "{\"code\": 0, \"result\": []}\n");
	for (size_t i = 2; i < MANAGEMENT_PEERS; i++)
		close(fds[i]);
}

static void whose_request_is_worked_at_stays(void **state)
{
	int fds[MANAGEMENT_PEERS];

	(void)state;
	handled.hold = true;
	for (size_t i = 0; i < MANAGEMENT_PEERS; i++) {
		fds[i] = connect_path();
		say(fds[i], "{\"name\": \"show\"}");
		until_handled(i + 1);
	}
	hear_refusal(connect_path(), "too many requests are being worked at");
	for (size_t i = 0; i < MANAGEMENT_PEERS; i++) {
		management_answer_take(handled.calls[i], 0, NULL);
		hear_all(fds[i], "{\"code\": 0, \"result\": null}\n");
	}
}

/* --- sockets ----------------------------------------------------------------------------- */

static void the_socket_is_private(void **state)
{
	mode_t before = umask(0);
	struct stat file;

	(void)state;
	restart(&(struct management_options){.socket_path = path});
	umask(before);
	assert_int_equal(lstat(path, &file), 0);
	assert_int_equal(file.st_mode, S_IFSOCK | 0600);
}

static void the_socket_goes_at_the_end(void **state)
{
	(void)state;
	management_free(server);
	server = NULL;
	assert_int_equal(access(path, F_OK), -1);
}

static void anothers_socket_stays(void **state)
{
	struct management *other;
	int fd;

	(void)state;
	unlink(path);
	other = start(&(struct management_options){.socket_path = path}, NULL);
	assert_non_null(other);
	management_free(server);
	server = other;
	fd = connect_path();
	say(fd, "{\"name\": \"show\"}");
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
}

static void a_dead_ones_socket_is_replaced(void **state)
{
	struct stat file;
	int fd = -1;

	(void)state;
	management_free(server);
	server = NULL;
	assert_int_equal(management_listen_unix(path, &fd, &file, NULL), GOFER_OK);
	close(fd);
	assert_int_equal(access(path, F_OK), 0);
	server = start(&(struct management_options){.socket_path = path}, NULL);
	assert_non_null(server);
	fd = connect_path();
	say(fd, "{\"name\": \"show\"}");
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
}

static void a_living_ones_socket_stays(void **state)
{
	struct error error = ERROR_NONE;
	int fd;

	(void)state;
	assert_null(start(&(struct management_options){.socket_path = path}, &error));
	assert_int_equal(error.code, GOFER_EXISTS);
	assert_non_null(strstr(error.text, "another agent listens at /tmp/"));
	fd = connect_path();
	say(fd, "{\"name\": \"show\"}");
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
}

static void what_is_no_socket_stays(void **state)
{
	struct error error = ERROR_NONE;
	FILE *file;

	(void)state;
	management_free(server);
	server = NULL;
	file = fopen(path, "w");
	fclose(file);
	assert_null(start(&(struct management_options){.socket_path = path}, &error));
	assert_int_equal(error.code, GOFER_INVALID);
	assert_non_null(strstr(error.text, "is no socket"));
	assert_int_equal(access(path, F_OK), 0);
}

static void a_directory_that_is_not_there(void **state)
{
	struct error error = ERROR_NONE;

	(void)state;
	assert_null(start(&(struct management_options){.socket_path = "/nonexistent/x"}, &error));
	assert_int_equal(error.code, GOFER_IO);
	assert_non_null(strstr(error.text, "can't listen at /nonexistent/x: No such file"));
}

static void a_path_of_any_length(void **state)
{
	char deep[400];
	size_t size = strlen(directory);
	int fd;

	(void)state;
	management_free(server);
	server = NULL;
	memcpy(deep, directory, size);
	deep[size] = '/';
	memset(deep + size + 1, 'd', 200);
	deep[size + 201] = '\0';
	assert_int_equal(mkdir(deep, 0700), 0);
	memcpy(deep + size + 201, "/sock", 6);
	server = start(&(struct management_options){.socket_path = deep}, NULL);
	assert_non_null(server);
	fd = management_connect_unix(deep);
	assert_true(fd >= 0);
	say(fd, "{\"name\": \"show\"}");
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
	management_free(server);
	server = NULL;
	assert_int_equal(access(deep, F_OK), -1);
	deep[size + 201] = '\0';
	assert_int_equal(rmdir(deep), 0);
}

/* --- TCP --------------------------------------------------------------------------------- */

static int connect_tcp(int family, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
	                         .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
	                          .sin6_port = htons(port),
	                          .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(family, SOCK_STREAM, 0);
	int rc = family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof v4)
				   : connect(fd, (struct sockaddr *)&v6, sizeof v6);

	if (rc || fcntl(fd, F_SETFL, O_NONBLOCK)) {
		close(fd);
		return -1;
	}
	return fd;
}

static uint16_t free_port(void)
{
	struct sockaddr_in name = {.sin_family = AF_INET,
	                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof name;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
	close(fd);
	return ntohs(name.sin_port);
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has = fd >= 0 && !bind(fd, (struct sockaddr *)&name, sizeof name);

	close(fd);
	return has;
}

static void localhost_is_both_addresses(void **state)
{
	uint16_t port = free_port();
	int fd;

	(void)state;
	restart(&(struct management_options){.socket_path = path, .port = port});
	fd = connect_tcp(AF_INET, port);
	assert_true(fd >= 0);
	say(fd, "{\"name\": \"show\"}");
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
	fd = connect_tcp(AF_INET6, port);
	assert_true(has_ipv6() == (fd >= 0));
	if (fd < 0)
		return;
	say(fd, "{\"name\": \"show\"}");
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
}

static void an_address_is_that_alone(void **state)
{
	uint16_t port = free_port();
	int fd;

	(void)state;
	restart(&(struct management_options){.host = "127.0.0.1", .port = port});
	assert_int_equal(connect_tcp(AF_INET6, port), -1);
	fd = connect_tcp(AF_INET, port);
	say(fd, "{\"name\": \"show\"}");
	hear_all(fd, "{\"code\": 0, \"result\": []}\n");
}

/* The connection stays open on this side: a reset could take the answer away from who has not read it. */
static void a_peer_may_still_send_after_the_answer(void **state)
{
	int fd = connect_path();
	struct buf text;

	(void)state;
	say(fd, "{\"name\": \"show\"}");
	text = hear(fd);
	assert_string_equal(buf_text(&text), "{\"code\": 0, \"result\": []}\n");
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	turn();
	buf_release(&text);
	close(fd);
}

static void what_is_left_unread_takes_no_answer_away(void **state)
{
	uint16_t port = free_port();
	char *text = request_of(4 * MANAGEMENT_REQUEST_MAX);
	int fd;

	(void)state;
	restart(&(struct management_options){.port = port});
	fd = connect_tcp(AF_INET, port);
	say_bytes(fd, text, 4 * MANAGEMENT_REQUEST_MAX);
	hear_refusal(fd, "longer than");
	free(text);
}

static void a_port_that_is_taken(void **state)
{
	uint16_t port = free_port();
	const struct management_options options = {.port = port};
	struct error error = ERROR_NONE;

	(void)state;
	restart(&options);
	assert_null(start(&options, &error));
	assert_int_equal(error.code, GOFER_IO);
	assert_non_null(strstr(error.text, "can't listen at 127.0.0.1 port "));
	assert_non_null(strstr(error.text, "in use"));
}

static void a_name_is_not_looked_up(void **state)
{
	const struct management_options options = {.host = "management.example", .port = 1};
	struct error error = ERROR_NONE;

	(void)state;
	assert_null(start(&options, &error));
	assert_int_equal(error.code, GOFER_INVALID);
	assert_string_equal(
		error.text,
		"management host \"management.example\": must be an address or localhost");
}

#define management_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		management_test(a_request_is_answered),
		management_test(arguments_may_be_missing),
		management_test(one_byte_at_a_time),
		management_test(what_comes_behind_is_passed_over),
		management_test(a_peer_may_close_its_side_first),
		management_test(the_code_is_the_handlers),
		management_test(a_slow_one_holds_up_nobody),
		management_test(answers_in_any_order),
		management_test(a_long_answer_goes_out_as_it_is_taken),
		management_test(garbage_is_answered_at_once),
		management_test(nesting_has_a_limit),
		management_test(what_ends_early_is_told),
		management_test(a_peer_may_still_send_after_the_answer),
		management_test(the_longest_request),
		management_test(a_longer_request),
		management_test(a_request_must_come_in_time),
		management_test(an_answer_must_be_taken_in_time),
		management_test(a_peer_that_has_gone_is_no_harm),
		management_test(an_answer_after_the_end_is_dropped),
		management_test(the_one_that_is_idle_for_the_longest_goes),
		management_test(whose_request_is_worked_at_stays),
		management_test(the_socket_is_private),
		management_test(the_socket_goes_at_the_end),
		management_test(anothers_socket_stays),
		management_test(a_dead_ones_socket_is_replaced),
		management_test(a_living_ones_socket_stays),
		management_test(what_is_no_socket_stays),
		management_test(a_directory_that_is_not_there),
		management_test(a_path_of_any_length),
		management_test(localhost_is_both_addresses),
		management_test(an_address_is_that_alone),
		management_test(what_is_left_unread_takes_no_answer_away),
		management_test(a_port_that_is_taken),
		management_test(a_name_is_not_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
