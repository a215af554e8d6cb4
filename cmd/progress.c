/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/progress.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/people.h"
#include "core/clock.h"

#define FIRST_S 0.15 /* what is over sooner shows nothing */
#define REDRAW_MS 50
#define BAR_MAX 30

struct progress {
	struct loop_timer *timer;
	const char *state;
	long long total, completed;
	char *details;
	uint64_t start_ms, drawn_ms;
	bool due; /* the call has taken long enough to show something */
	bool drawn;
};

static void print_bar(struct buf *out, long long total, long long completed, unsigned columns)
{
	unsigned size = columns / 3 > BAR_MAX ? BAR_MAX : columns / 3;
	double part = (double)completed / (double)total;
	unsigned full;

	part = part < 0 ? 0 : part > 1 ? 1 : part;
	full = (unsigned)(part * size);
	buf_putc(out, '[');
	for (unsigned i = 0; i < size; i++)
		buf_putc(out, i < full ? '#' : '-');
	buf_printf(out, "] %u%% %lld/%lld", (unsigned)(part * 100), completed, total);
}

static void print_elapsed(char text[24], unsigned seconds)
{
	if (seconds < 3600)
		snprintf(text, 24, "%u:%02u", seconds / 60, seconds % 60);
	else
		snprintf(text, 24, "%u:%02u:%02u", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

void progress_print(struct buf *out, const char *state, long long total, long long completed,
                    const char *details, unsigned seconds, unsigned columns)
{
	struct buf line = BUF_INIT;
	char elapsed[24];
	size_t room;

	print_elapsed(elapsed, seconds);
	if (total > 0)
		print_bar(&line, total, completed, columns);
	else if (completed > 0)
		buf_printf(&line, "%lld", completed);
	else
		buf_puts(&line, state);
	room = columns > strlen(elapsed) + 3 ? columns - strlen(elapsed) - 3 : 0;
	people_line(out, buf_text(&line), (unsigned)room);
	if (details && *details && line.size + 1 < room) {
		buf_putc(out, ' ');
		people_line(out, details, (unsigned)(room - line.size - 1));
	}
	buf_printf(out, "  %s", elapsed);
	buf_release(&line);
}

static unsigned terminal_columns(void)
{
	struct winsize size = {0};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20)
		return 80;
	return size.ws_col;
}

static void put(const char *text, size_t size)
{
	fwrite(text, 1, size, stderr);
	fflush(stderr);
}

static void draw(struct progress *p)
{
	struct buf line = BUF_INIT;
	uint64_t seconds = (clock_monotonic_ms() - p->start_ms) / 1000;

	buf_puts(&line, "\r\033[K");
	progress_print(&line, p->state, p->total, p->completed, p->details, (unsigned)seconds,
	               terminal_columns());
	if (buf_ok(&line))
		put(line.data, line.size);
	buf_release(&line);
	p->drawn = true;
	p->drawn_ms = clock_monotonic_ms();
}

/* Draws, unless that was just done: then a little later. */
static void draw_some(struct progress *p)
{
	if (!p->due)
		return;
	if (clock_monotonic_ms() - p->drawn_ms >= REDRAW_MS)
		draw(p);
	else
		loop_timer_start(p->timer, REDRAW_MS / 1e3, 1);
}

static void on_timer(void *context)
{
	struct progress *p = context;

	p->due = true;
	draw(p);
}

static bool is_wanted(bool quiet)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !quiet && !(no_color && *no_color) && !(term && !strcmp(term, "dumb")) &&
		isatty(STDERR_FILENO);
}

struct progress *progress_new(struct loop *loop, bool quiet)
{
	struct progress *p = is_wanted(quiet) ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->state = "sent";
	p->start_ms = clock_monotonic_ms();
	p->timer = loop_timer_new(loop, on_timer, p);
	if (!p->timer) {
		free(p);
		return NULL;
	}
	loop_timer_start(p->timer, FIRST_S, 1);
	return p;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	progress_clear(p);
	loop_timer_free(p->timer);
	free(p->details);
	free(p);
}

void progress_state(struct progress *p, const char *state)
{
	if (!p)
		return;
	p->state = state;
	draw_some(p);
}

void progress_update(struct progress *p, long long total, long long completed, const char *details)
{
	if (!p)
		return;
	p->total = total;
	p->completed = completed;
	free(p->details);
	p->details = details ? strdup(details) : NULL;
	draw_some(p);
}

void progress_clear(struct progress *p)
{
	if (!p || !p->drawn)
		return;
	put("\r\033[K", strlen("\r\033[K"));
	p->drawn = false;
}
