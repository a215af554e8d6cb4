/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inih has a line buffer of 200 bytes, takes ` ;` for a comment in the middle of a value, and which
 * of both it does depends on how it was built. So it is given lines that come out right in every
 * build: a long value goes in pieces, each after the first as an indented line, which inih hands
 * back as "more of the same key"; bytes that mean something to it are replaced by control characters,
 * which a file may not hold. What it hands back is put together again.
 */
#include "core/config_private.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#define GLUE '\1' /* at the edge of a piece: keeps whitespace there from being stripped */
#define SEMICOLON '\2'
#define HASH '\3'
#define FEED_MIN (CONFIG_KEY_MAX + 24) /* a key, `=` and something of the value */

/* What inih was given last and has to hand back. */
enum piece {
	PIECE_NONE,
	PIECE_KEY,  /* a key and its value, or the beginning of it */
	PIECE_MORE, /* more of the same line */
	PIECE_LINE, /* a line that continues the value */
};

struct ini {
	struct config *config;
	struct config_faults *faults;
	size_t faults_before;
	enum gofer_err err; /* why it was given up */

	const char *at, *end; /* what is left of the file */
	unsigned line;        /* of what was taken last */
	struct slice rest;    /* what is left of that line's value */
	enum piece piece;

	bool in_section, lost;      /* a heading was seen; the last one was wrong */
	bool has_key, key_is_wrong; /* what an indented line would continue */

	char *section, *key; /* what is being put together; key NULL: nothing */
	struct buf value;
	unsigned value_line;
};

static bool fault(struct ini *ini, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Always false, for the caller to return. */
static bool fault(struct ini *ini, const char *format, ...)
{
	struct error what = ERROR_NONE;
	va_list ap;

	va_start(ap, format);
	error_vset(&what, GOFER_INVALID, format, ap);
	va_end(ap);
	config_fault(ini->faults, ini->config->file, ini->line, "%s", what.text);
	return false;
}

static void give_up(struct ini *ini, enum gofer_err err)
{
	if (!ini->err)
		ini->err = err;
}

static void no_memory(struct ini *ini)
{
	if (!ini->err)
		fault(ini, "out of memory");
	give_up(ini, GOFER_NOMEM);
}

/* --- slices of a line --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice skip_blank(struct slice s)
{
	while (s.size && is_blank(*s.data)) {
		s.data++;
		s.size--;
	}
	return s;
}

static struct slice trim(struct slice s)
{
	while (s.size && is_blank(s.data[s.size - 1]))
		s.size--;
	return skip_blank(s);
}

static char *slice_copy(struct slice s)
{
	return strndup(s.data, s.size);
}

/* --- what comes back from inih --- */

static void finish_value(struct ini *ini)
{
	if (ini->key && !buf_ok(&ini->value))
		no_memory(ini);
	else if (ini->key && !ini->err)
		give_up(ini,
		        config_put(ini->config, ini->section, ini->key, buf_text(&ini->value),
		                   ini->value_line, ini->faults));
	free(ini->section);
	free(ini->key);
	ini->section = ini->key = NULL;
	buf_release(&ini->value);
}

/* Undoes encode(). */
static void append_decoded(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == SEMICOLON)
			buf_putc(out, ';');
		else if (*text == HASH)
			buf_putc(out, '#');
		else if (*text != GLUE)
			buf_putc(out, *text);
	}
}

static char *decoded(const char *text)
{
	struct buf out = BUF_INIT;

	append_decoded(&out, text);
	return buf_take(&out, NULL);
}

static void begin_value(struct ini *ini, const char *section, const char *key)
{
	finish_value(ini);
	ini->section = decoded(section);
	ini->key = decoded(key);
	ini->value_line = ini->line;
	if (!ini->section || !ini->key)
		no_memory(ini);
}

static int on_piece(void *user, const char *section, const char *name, const char *value)
{
	struct ini *ini = user;

	if (ini->piece == PIECE_KEY)
		begin_value(ini, section, name);
	else if (ini->piece == PIECE_LINE && ini->value.size)
		buf_putc(&ini->value, '\n');
	append_decoded(&ini->value, value ? value : "");
	ini->piece = PIECE_NONE;
	return 1;
}

/* --- what goes into inih --- */

static char *encode(char *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char c = text[i];
		*out++ = c == ';' ? SEMICOLON : c == '#' ? HASH : c;
	}
	return out;
}

static char *end_line(char *out)
{
	*out++ = '\n';
	*out = '\0';
	return out;
}

/* As much of `rest` as goes between `out` and `limit`, which leaves room for three bytes. */
static char *encode_rest(struct ini *ini, char *out, const char *limit)
{
	size_t room = (size_t)(limit - out), size = ini->rest.size < room ? ini->rest.size : room;

	out = encode(out, ini->rest.data, size);
	ini->rest.data += size;
	ini->rest.size -= size;
	if (ini->rest.size)
		*out++ = GLUE;
	return end_line(out);
}

static void feed_more(struct ini *ini, enum piece piece, char *out, const char *limit)
{
	ini->piece = piece;
	*out++ = ' ';
	*out++ = GLUE;
	encode_rest(ini, out, limit);
}

static void feed_key(struct ini *ini, struct slice key, struct slice value, char *out,
                     const char *limit)
{
	ini->piece = PIECE_KEY;
	ini->rest = value;
	out = encode(out, key.data, key.size);
	*out++ = '=';
	encode_rest(ini, out, limit);
}

static void feed_section(struct slice name, char *out)
{
	*out++ = '[';
	out = encode(out, name.data, name.size);
	*out++ = ']';
	end_line(out);
}

/* --- lines --- */

static bool is_comment(struct slice body)
{
	return !body.size || *body.data == '#' || *body.data == ';';
}

static bool check_line(struct ini *ini, struct slice line)
{
	if (line.size > CONFIG_LINE_MAX)
		return fault(ini, "the line is longer than %d bytes", CONFIG_LINE_MAX);
	for (size_t i = 0; i < line.size; i++) {
		unsigned char c = (unsigned char)line.data[i];
		if ((c < 0x20 && c != '\t') || c == 0x7F)
			return fault(ini,
			             "the byte 0x%02x in column %zu; control characters are not "
			             "taken",
			             c, i + 1);
	}
	return true;
}

/* The next line, without its end and what is blank there; false at the end of the file. */
static bool next_line(struct ini *ini, struct slice *line)
{
	if (ini->at == ini->end)
		return false;
	const char *stop = memchr(ini->at, '\n', (size_t)(ini->end - ini->at));
	*line = (struct slice){ini->at, (size_t)((stop ? stop : ini->end) - ini->at)};
	ini->at = stop ? stop + 1 : ini->end;
	ini->line++;
	while (line->size &&
	       (is_blank(line->data[line->size - 1]) || line->data[line->size - 1] == '\r'))
		line->size--;
	return true;
}

/* Splits at the first `=` or `:`; false if there is none. */
static bool split_key(struct slice body, struct slice *key, struct slice *value)
{
	size_t i = 0;

	while (i < body.size && body.data[i] != '=' && body.data[i] != ':')
		i++;
	if (i == body.size)
		return false;
	*key = trim((struct slice){body.data, i});
	*value = trim((struct slice){body.data + i + 1, body.size - i - 1});
	return true;
}

/* Whether an indented line would be a key or a heading of the schema, had it not been indented. */
static bool looks_like_a_slip(struct ini *ini, struct slice body)
{
	struct slice name = body, value;
	bool heading = *body.data == '[' && body.data[body.size - 1] == ']', found = false;

	if (heading)
		name = trim((struct slice){body.data + 1, body.size - 2});
	else if (!split_key(body, &name, &value))
		return false;
	char *text = slice_copy(name);
	const struct config_property *p = NULL;
	if (text && !heading && ini->section)
		p = config_property(ini->config->schema, ini->section, text);
	if (text && heading)
		found = config_knows_section(ini->config->schema, text);
	else if (p)
		found = strcmp(p->key, text) == 0;
	free(text);
	return found;
}

/* Whether the line continues the value above it; a slip is told and taken for what it looks like. */
static bool is_continuation(struct ini *ini, struct slice line, struct slice body)
{
	if (line.size == body.size || !ini->has_key)
		return false;
	if (ini->key_is_wrong || !ini->key || !looks_like_a_slip(ini, body))
		return true;
	fault(ini,
	      "is indented, so that it continues `%s`; `%.*s` must stand at the beginning of "
	      "its line",
	      ini->key, (int)(body.size < 40 ? body.size : 40), body.data);
	return false;
}

static bool take_continuation(struct ini *ini, struct slice body, char *out, const char *limit)
{
	if (ini->key_is_wrong)
		return false;
	ini->rest = body;
	feed_more(ini, PIECE_LINE, out, limit);
	return true;
}

/* The name between the brackets; false after a fault. */
static bool split_section(struct ini *ini, struct slice body, struct slice *name)
{
	const char *close = memchr(body.data, ']', body.size);

	if (!close)
		return fault(ini, "a section's name without `]` behind it");
	*name = trim((struct slice){body.data + 1, (size_t)(close - body.data) - 1});
	struct slice after = {close + 1, (size_t)(body.data + body.size - close) - 1};
	if (!name->size)
		return fault(ini, "a section without a name; [name] would be right");
	if (name->size > CONFIG_SECTION_MAX)
		return fault(ini, "a section's name of %zu bytes; %d are the most", name->size,
		             CONFIG_SECTION_MAX);
	if (!is_comment(skip_blank(after)))
		return fault(ini, "something behind [%.*s]; only a comment may stand there",
		             (int)name->size, name->data);
	return true;
}

static void leave_section(struct ini *ini)
{
	finish_value(ini);
	ini->in_section = true;
	ini->lost = true;
	ini->has_key = false;
}

static bool take_section(struct ini *ini, struct slice body, char *out)
{
	struct slice name = body;

	leave_section(ini);
	ini->lost = !split_section(ini, body, &name);
	if (ini->lost)
		return false;
	char *text = slice_copy(name);
	if (text)
		give_up(ini, config_put_section(ini->config, text, ini->line, ini->faults));
	else
		no_memory(ini);
	free(text);
	feed_section(name, out);
	return true;
}

static bool check_key(struct ini *ini, struct slice key)
{
	if (!key.size)
		return fault(ini, "no key before the `=`; key = value would be right");
	if (key.size > CONFIG_KEY_MAX)
		return fault(ini, "a key of %zu bytes; %d are the most", key.size, CONFIG_KEY_MAX);
	if (!ini->in_section)
		return fault(ini, "`%.*s` stands before the first [section]", (int)key.size,
		             key.data);
	return true;
}

static bool take_key(struct ini *ini, struct slice body, char *out, const char *limit)
{
	struct slice key = {NULL, 0}, value = {NULL, 0};

	finish_value(ini);
	ini->has_key = true;
	if (!split_key(body, &key, &value))
		ini->key_is_wrong = !fault(ini, "neither a [section] nor key = value");
	else
		ini->key_is_wrong = !check_key(ini, key) || ini->lost;
	if (ini->key_is_wrong)
		return false;
	feed_key(ini, key, value, out, limit);
	return true;
}

/* Whether there is something in `out` for inih now. */
static bool take_line(struct ini *ini, struct slice line, char *out, const char *limit)
{
	struct slice body = skip_blank(line);

	if (is_comment(body))
		return false;
	if (!check_line(ini, line)) {
		if (*body.data == '[')
			leave_section(ini);
		ini->has_key = ini->key_is_wrong = true;
		return false;
	}
	if (is_continuation(ini, line, body))
		return take_continuation(ini, body, out, limit);
	if (*body.data == '[')
		return take_section(ini, body, out);
	return take_key(ini, body, out, limit);
}

static bool may_go_on(struct ini *ini, int size)
{
	if (ini->piece != PIECE_NONE)
		fault(ini, "is not understood by this build's inih");
	ini->piece = PIECE_NONE;
	if (size < FEED_MIN) {
		fault(ini, "this build's inih takes lines of %d bytes only", size);
		give_up(ini, GOFER_FULL);
	} else if (ini->faults->count - ini->faults_before >= CONFIG_FAULTS_MAX && !ini->err) {
		fault(ini, "too many faults; the rest of the file is not read");
		give_up(ini, GOFER_FULL);
	}
	return !ini->err;
}

/* inih's fgets(). */
static char *feed(char *out, int size, void *stream)
{
	struct ini *ini = stream;
	struct slice line;

	if (!may_go_on(ini, size))
		return NULL;
	/* What ends a line: GLUE, a newline and a NUL. */
	const char *limit = out + size - 3;
	if (ini->rest.size) {
		feed_more(ini, PIECE_MORE, out, limit);
		return out;
	}
	while (may_go_on(ini, size) && next_line(ini, &line))
		if (take_line(ini, line, out, limit))
			return out;
	return NULL;
}

enum gofer_err config_read_ini(struct config *c, const struct buf *text,
                               struct config_faults *faults)
{
	const char *start = buf_text(text);
	struct ini ini = {
		.config = c,
		.faults = faults,
		.faults_before = faults->count,
		.at = start,
		.end = start + text->size,
		.value = BUF_INIT,
	};

	if (text->size >= 3 && memcmp(start, "\xEF\xBB\xBF", 3) == 0)
		ini.at += 3;
	if (ini_parse_stream(feed, &ini, on_piece, &ini) < 0)
		no_memory(&ini);
	finish_value(&ini);
	return ini.err;
}
