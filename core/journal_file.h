/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_file: what a journal's segments look like, byte by byte; no files, only bytes.
 *
 * All numbers are little endian. A segment begins with the same head twice, so that one may be hit:
 *
 *   0 "GOFERJNL"  8 version  12 salt  16 number (8)  24 checksum of the 24 before  28 0
 *
 * and goes on with records:
 *
 *   0 mark  4 checksum of the 32 that follow  8 size of the payload  12 type, flags, body kind (2)
 *   16 id (8)  24 when it was accepted, ms since 1970 (8)  32 checksum of the payload  36 0
 *   40 payload: sizes of plugin, sn, replyto, each with its NUL and 0 if there is none (3 x 4), these, the body
 *
 * The checksums are CRC-32C, those of records begun with the segment's salt: what a peer put into a
 * request's body never looks like a record, nor does what stood in those blocks before. The record's head has a
 * checksum of its own, so that a hit in its size is known and does not cost its neighbours.
 *
 *   scan = (struct journal_scan)JOURNAL_SCAN(bytes, size);
 *   while ((found = journal_scan_next(&scan, &item)) != JOURNAL_FOUND_END) ...
 *
 * Behind the last record there may be zeros up to the end.
 *
 * The bytes may be any at all. Thread: any.
 */
#ifndef GOFER_CORE_JOURNAL_FILE_H
#define GOFER_CORE_JOURNAL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

#define JOURNAL_FILE_VERSION 1
#define JOURNAL_FILE_HEAD 64   /* both heads of a segment */
#define JOURNAL_FILE_RECORD 40 /* a record's head */
#define JOURNAL_FILE_PAYLOAD_MAX ((size_t)1 << 30)

enum journal_type {
	JOURNAL_TYPE_ACCEPTED = 1, /* a request; all that is needed to run it */
	JOURNAL_TYPE_STARTED,      /* no payload */
	JOURNAL_TYPE_RESULT,       /* a result, and where it goes: stands without its request */
	JOURNAL_TYPE_DONE,         /* no payload */
	JOURNAL_TYPE_CANCELLED,    /* no payload */
};

/* A record, in memory. */
struct journal_item {
	enum journal_type type;
	bool durable;
	bool started,
		cancelled; /* an accepted one that has begun, or was cancelled, since; of one that is done,
	                          * `started`: it was answered, not given back */
	int kind;          /* 0..65535 */
	uint64_t id, accepted_ms;
	struct slice head; /* of the payload: sizes and strings, as journal_file_head() makes it */
	struct slice body; /* the request's, or the result */
	const char *plugin, *sn,
		*replyto; /* read: into `head`; replyto may be NULL. Not looked at to write */
};

/* Writes a payload's head to `to`, which may be NULL; returns its size. */
size_t journal_file_head(char *to, const char *plugin, const char *sn, const char *replyto);

/* The strings in a payload that begins with such a head, or is one; false: it does not. */
bool journal_file_texts(const char *payload, size_t size, struct journal_item *item);

/* Appends; a failed allocation shows in `out`. */
void journal_file_put_segment(struct buf *out, uint64_t number, uint32_t salt);
void journal_file_put(struct buf *out, uint32_t salt, const struct journal_item *item);
/* What journal_file_put() will append. */
size_t journal_file_size(const struct journal_item *item);

struct journal_scan {
	const char *bytes;
	size_t size;
	size_t next;   /* where the next look is taken */
	uint32_t salt; /* set by the first look */
	uint64_t number;

	/* what was found last: */
	size_t offset, length;
};

/* clang-format off */
#define JOURNAL_SCAN(bytes, size) { (bytes), (size), 0, 0, 0, 0, 0 }
/* clang-format on */

enum journal_found {
	JOURNAL_FOUND_ITEM,   /* `item`; it points into the bytes */
	JOURNAL_FOUND_DAMAGE, /* what stands there is no record; there may be more behind it */
	JOURNAL_FOUND_TAIL, /* a record that was not written to its end, or zeros; nothing is behind it */
	JOURNAL_FOUND_END,
};

/* The next thing in a segment, and where: `offset` and `length`. */
enum journal_found journal_scan_next(struct journal_scan *scan, struct journal_item *item);
/* One record that begins at `bytes`, as with the segment's salt; false: it is none. */
bool journal_file_get(const char *bytes, size_t size, uint32_t salt, struct journal_item *item);

#endif
