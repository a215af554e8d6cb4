/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/admin.h"
#include "cmd/admin_show.h"
#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "core/clock.h"

#define ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define TO_LINE_END "\033[K"
#define TO_SCREEN_END "\033[J"

/* What was seen at one time. */
struct sight {
	struct admin_reply status, calls;
	uint64_t when_ms;
	struct error error; /* code GOFER_OK: both are there */
};

static void sight_release(struct sight *s)
{
	admin_reply_release(&s->status);
	admin_reply_release(&s->calls);
}

static enum gofer_err ask(const struct admin_target *target, const char *name,
                          struct admin_reply *reply, bool (*is_right)(const struct cJSON *),
                          struct error *error)
{
	enum gofer_err rc = admin_request(target, name, NULL, NULL, reply, error);

	if (rc)
		return rc;
	if (reply->code)
		return error_set(error, GOFER_FAILED, "%s: %s", name,
		                 json_string(reply->result) ? json_string(reply->result)
		                                            : "refused");
	if (!is_right(reply->result))
		return error_set(error, GOFER_PROTOCOL, "this is no agent's answer to %s", name);
	return GOFER_OK;
}

static void look(const struct admin_target *target, struct sight *s)
{
	memset(s, 0, sizeof(*s));
	s->when_ms = clock_monotonic_ms();
	if (!ask(target, "status", &s->status, admin_is_status, &s->error))
		ask(target, "calls", &s->calls, admin_is_calls, &s->error);
}

static void print(struct buf *out, const struct sight *now, const struct sight *before,
                  const struct grid_view *view)
{
	const struct cJSON *status = now->status.result;
	bool comparable = before && !before->error.code;
	double seconds = comparable ? (double)(now->when_ms - before->when_ms) / 1000 : 0;

	admin_print_agent(out, status, view);
	admin_print_journal(out, status, view);
	buf_putc(out, '\n');
	admin_print_plugins(out, status, comparable ? before->status.result : status, seconds,
	                    view);
	buf_putc(out, '\n');
	admin_print_brokers(out, status, view);
	buf_putc(out, '\n');
	admin_print_calls(out, now->calls.result, view);
}

static int snapshot(const struct admin_target *target)
{
	static const struct grid_view view = {.colour = false};
	struct buf out = BUF_INIT;
	struct sight now;
	int code = EXIT_CODE_OK;

	look(target, &now);
	if (now.error.code) {
		code = admin_fail(&now.error);
	} else {
		print(&out, &now, NULL, &view);
		output_take(&out);
	}
	sight_release(&now);
	return code;
}

/* --- the screen -------------------------------------------------------------------------- */

struct screen {
	struct termios kept; /* how the terminal was */
	bool keys;           /* standard input is a terminal, whose keys are read */
	int signals;         /* a descriptor */
	sigset_t before;
	struct grid_view view;
};

static void say(const char *text)
{
	output_puts(text);
	output_flush();
}

static void enter(struct screen *s)
{
	struct termios raw = s->kept;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (s->keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	say(ENTER);
}

static void leave(const struct screen *s)
{
	say(LEAVE);
	if (s->keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &s->kept);
}

static void measure(struct screen *s)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col || !size.ws_row)
		size = (struct winsize){.ws_col = 80, .ws_row = 24};
	s->view.width = size.ws_col;
	s->view.rows = size.ws_row;
}

static enum gofer_err open_screen(struct screen *s, struct error *error)
{
	static const int signums[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
	const char *no_color = getenv("NO_COLOR");
	sigset_t set;

	memset(s, 0, sizeof(*s));
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signums) / sizeof(*signums); i++)
		sigaddset(&set, signums[i]);
	s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->signals < 0)
		return error_errno(error, GOFER_IO, errno, "signals");
	sigprocmask(SIG_BLOCK, &set, &s->before);
	s->keys = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &s->kept);
	s->view.colour = !(no_color && *no_color);
	measure(s);
	enter(s);
	return GOFER_OK;
}

static void close_screen(struct screen *s)
{
	leave(s);
	close(s->signals);
	sigprocmask(SIG_SETMASK, &s->before, NULL);
}

/* As many lines as there is room for, each to the line's end, and nothing below. */
static void draw(const struct screen *s, const struct buf *text)
{
	const char *at = buf_text(text);
	struct buf out = BUF_INIT;

	buf_puts(&out, HOME);
	for (size_t row = 0; row < s->view.rows && *at; row++) {
		size_t size = strcspn(at, "\n");

		buf_puts(&out, row ? "\r\n" : "");
		buf_append(&out, at, size);
		buf_puts(&out, TO_LINE_END);
		at += size + (at[size] == '\n');
	}
	buf_puts(&out, TO_SCREEN_END);
	output_take(&out);
	output_flush();
}

static void show(const struct screen *s, const struct sight *now, const struct sight *before)
{
	struct grid_view view = s->view;
	struct buf text = BUF_INIT;

	view.rows = 0;
	if (now->error.code)
		grid_print_line(&text, now->error.text, GRID_BAD, &view);
	else
		print(&text, now, before, &view);
	draw(s, &text);
	buf_release(&text);
}

/* --- what the user does ------------------------------------------------------------------ */

/* Stops as a job of the shell's, and comes back. */
static void suspend(struct screen *s)
{
	leave(s);
	raise(SIGSTOP);
	measure(s);
	enter(s);
}

/* The exit code if it was a signal to end, or -1. `*again`: what is seen is to be drawn anew. */
static int on_signals(struct screen *s, bool *again)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTSTP)
			suspend(s);
		else if (info.ssi_signo == SIGWINCH)
			measure(s);
		else
			return EXIT_CODE_INTERRUPTED;
		*again = true;
	}
	return -1;
}

/* A terminal that has gone reads as its end. */
static int on_keys(void)
{
	char keys[32];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n <= 0)
		return EXIT_CODE_INTERRUPTED;
	return memchr(keys, 'q', (size_t)n) || memchr(keys, 'Q', (size_t)n) ? EXIT_CODE_OK : -1;
}

/* Waits until `end_ms`. The exit code if the user wants to end, or -1. */
static int wait_for_user(struct screen *s, uint64_t end_ms, bool *again)
{
	int code = -1;

	*again = false;
	while (code < 0 && !*again) {
		uint64_t now = clock_monotonic_ms();
		struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN},
		                       {.fd = s->keys ? STDIN_FILENO : -1, .events = POLLIN}};
		int limit = now >= end_ms ? 0 : (int)(end_ms - now);
		int n = poll(fds, 2, limit);

		if (n == 0)
			break;
		if (n > 0 && fds[0].revents)
			code = on_signals(s, again);
		if (n > 0 && code < 0 && fds[1].revents)
			code = on_keys();
	}
	return code;
}

/* Shows what was seen until it is time to look again. The exit code if the user wants to end, or -1. */
static int show_until(struct screen *s, const struct sight *now, const struct sight *before,
                      uint64_t end_ms)
{
	bool again;
	int code;

	do {
		show(s, now, before);
		code = wait_for_user(s, end_ms, &again);
	} while (code < 0 && again);
	return code;
}

static int watch(const struct admin_options *o, struct admin_target *target, struct screen *s)
{
	double interval = o->interval < 0.1 ? 0.1 : o->interval > 86400 ? 86400 : o->interval;
	struct sight before = {.error.code = GOFER_FAILED}, now;
	int code = -1;

	target->stops[0] = s->signals;
	target->stops[1] = s->keys ? STDIN_FILENO : -1;
	while (code < 0 && !output_flush()) {
		uint64_t end_ms = clock_monotonic_ms() + (uint64_t)(interval * 1000);
		bool again;

		look(target, &now);
		if (now.error.code == GOFER_CANCELLED) {
			code = wait_for_user(s, 0, &again);
			sight_release(&now);
			continue;
		}
		code = show_until(s, &now, &before, end_ms);
		sight_release(&before);
		before = now;
	}
	sight_release(&before);
	return code < 0 ? EXIT_CODE_IO : code;
}

int admin_top(const struct admin_options *o, const struct admin_target *target)
{
	struct admin_target stoppable = *target;
	struct error error = ERROR_NONE;
	struct screen screen;
	int code;

	if (!admin_is_screen(STDOUT_FILENO))
		return snapshot(target);
	if (open_screen(&screen, &error))
		return admin_fail(&error);
	code = watch(o, &stoppable, &screen);
	close_screen(&screen);
	return code;
}
