/* SPDX-License-Identifier: Apache-2.0 */
#include "core/journal_file.h"

#include <endian.h>
#include <string.h>

#include "core/crc32c.h"

#define MAGIC "GOFERJNL"
#define ONE_HEAD (JOURNAL_FILE_HEAD / 2)
#define MARK "\xabJR\x01"
#define MARK_SIZE 4
#define SIZES 12 /* of the strings */
#define STRINGS 3

enum { FLAG_DURABLE = 1, FLAG_STARTED = 2, FLAG_CANCELLED = 4 };

struct segment_head {
	char magic[8];
	uint32_t version, salt;
	uint64_t number;
	uint32_t crc, zero;
};

struct record_head {
	char mark[MARK_SIZE];
	uint32_t crc, size;
	uint8_t type, flags;
	uint16_t kind;
	uint64_t id, accepted_ms;
	uint32_t payload_crc, zero;
};

_Static_assert(sizeof(struct segment_head) == ONE_HEAD, "no padding");
_Static_assert(sizeof(struct record_head) == JOURNAL_FILE_RECORD, "no padding");

#define CHECKED offsetof(struct record_head, size)
#define CHECKSUMS offsetof(struct record_head, zero) /* they end here */

/* --- writing -------------------------------------------------------------------------- */

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

size_t journal_file_head(char *to, const char *plugin, const char *sn, const char *replyto)
{
	const char *const texts[STRINGS] = {plugin, sn, replyto};
	size_t at = SIZES;

	for (int i = 0; i < STRINGS; i++) {
		size_t size = text_size(texts[i]);
		uint32_t little = htole32((uint32_t)size);

		if (to) {
			memcpy(to + 4 * i, &little, 4);
			memcpy(to + at, texts[i] ? texts[i] : "", size);
		}
		at += size;
	}
	return at;
}

void journal_file_put_segment(struct buf *out, uint64_t number, uint32_t salt)
{
	struct segment_head head = {
		.version = htole32(JOURNAL_FILE_VERSION),
		.salt = htole32(salt),
		.number = htole64(number),
	};

	memcpy(head.magic, MAGIC, sizeof head.magic);
	head.crc = htole32(crc32c(0, &head, offsetof(struct segment_head, crc)));
	buf_append(out, &head, sizeof head);
	buf_append(out, &head, sizeof head);
}

size_t journal_file_size(const struct journal_item *item)
{
	return JOURNAL_FILE_RECORD + item->head.size + item->body.size;
}

void journal_file_put(struct buf *out, uint32_t salt, const struct journal_item *item)
{
	struct record_head head = {
		.size = htole32((uint32_t)(item->head.size + item->body.size)),
		.type = (uint8_t)item->type,
		.flags = (uint8_t)((item->durable ? FLAG_DURABLE : 0) |
	                           (item->started ? FLAG_STARTED : 0) |
	                           (item->cancelled ? FLAG_CANCELLED : 0)),
		.kind = htole16((uint16_t)item->kind),
		.id = htole64(item->id),
		.accepted_ms = htole64(item->accepted_ms),
	};
	uint32_t crc = crc32c(salt, item->head.data, item->head.size);

	memcpy(head.mark, MARK, MARK_SIZE);
	head.payload_crc = htole32(crc32c(crc, item->body.data, item->body.size));
	head.crc = htole32(crc32c(salt, (char *)&head + CHECKED, sizeof head - CHECKED));
	buf_append(out, &head, sizeof head);
	buf_append(out, item->head.data, item->head.size);
	buf_append(out, item->body.data, item->body.size);
}

/* --- reading -------------------------------------------------------------------------- */

static bool get_segment(struct journal_scan *scan, const char *at)
{
	struct segment_head head;

	memcpy(&head, at, sizeof head);
	if (memcmp(head.magic, MAGIC, sizeof head.magic) != 0 ||
	    le32toh(head.version) != JOURNAL_FILE_VERSION ||
	    le32toh(head.crc) != crc32c(0, &head, offsetof(struct segment_head, crc)))
		return false;
	scan->salt = le32toh(head.salt);
	scan->number = le64toh(head.number);
	return true;
}

/* A record's head, whole and unhurt. */
static bool get_head(const char *bytes, size_t size, uint32_t salt, struct record_head *head)
{
	if (size < sizeof *head || memcmp(bytes, MARK, MARK_SIZE) != 0)
		return false;
	memcpy(head, bytes, sizeof *head);
	return le32toh(head->crc) == crc32c(salt, bytes + CHECKED, sizeof *head - CHECKED) &&
		le32toh(head->size) <= JOURNAL_FILE_PAYLOAD_MAX;
}

/* Strings are kept with their NUL, and have no other. */
static bool get_text(const char **text, const char *at, size_t size)
{
	*text = size ? at : NULL;
	return !size || memchr(at, 0, size) == at + size - 1;
}

bool journal_file_texts(const char *payload, size_t size, struct journal_item *item)
{
	const char **const texts[STRINGS] = {&item->plugin, &item->sn, &item->replyto};
	size_t at = SIZES;

	if (size < SIZES)
		return false;
	for (int i = 0; i < STRINGS; i++) {
		uint32_t length;

		memcpy(&length, payload + 4 * i, 4);
		length = le32toh(length);
		if (length > size - at || !get_text(texts[i], payload + at, length))
			return false;
		at += length;
	}
	item->head = (struct slice){payload, at};
	item->body = (struct slice){payload + at, size - at};
	return item->plugin && item->sn;
}

static bool get_payload(const char *payload, size_t size, struct journal_item *item)
{
	switch (item->type) {
	case JOURNAL_TYPE_ACCEPTED:
	case JOURNAL_TYPE_RESULT: return journal_file_texts(payload, size, item);
	case JOURNAL_TYPE_STARTED:
	case JOURNAL_TYPE_CANCELLED:
	case JOURNAL_TYPE_DONE: return size == 0;
	}
	return false;
}

bool journal_file_get(const char *bytes, size_t size, uint32_t salt, struct journal_item *item)
{
	const char *payload = bytes + JOURNAL_FILE_RECORD;
	struct record_head head;

	memset(item, 0, sizeof *item);
	if (!get_head(bytes, size, salt, &head) || le32toh(head.size) > size - sizeof head ||
	    le32toh(head.payload_crc) != crc32c(salt, payload, le32toh(head.size)))
		return false;
	item->type = head.type;
	item->durable = head.flags & FLAG_DURABLE;
	item->started = head.flags & FLAG_STARTED;
	item->cancelled = head.flags & FLAG_CANCELLED;
	item->kind = le16toh(head.kind);
	item->id = le64toh(head.id);
	item->accepted_ms = le64toh(head.accepted_ms);
	return get_payload(payload, le32toh(head.size), item);
}

static enum journal_found found(struct journal_scan *scan, enum journal_found what, size_t length)
{
	scan->offset = scan->next;
	scan->length = length;
	scan->next += length;
	return what;
}

static bool is_zero(const char *bytes, size_t size)
{
	return !size || (!bytes[0] && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* What is not whole and has nothing but zeros from its last bytes on to the end of the segment was not written to
 * its end: of a record that was, neither the head's checksums nor the payload end in one. */
static bool is_torn(const char *at, size_t end, size_t left)
{
	return is_zero(at + end - 1, left - end + 1);
}

/* How far it is to where a record begins again, or to the end. */
static size_t skip(const struct journal_scan *scan)
{
	const char *start = scan->bytes + scan->next, *end = scan->bytes + scan->size;
	struct record_head head;

	for (const char *at = start + 1; at < end; at++) {
		at = memmem(at, (size_t)(end - at), MARK, MARK_SIZE);
		if (!at)
			break;
		if (get_head(at, (size_t)(end - at), scan->salt, &head))
			return (size_t)(at - start);
	}
	return (size_t)(end - start);
}

static enum journal_found look(struct journal_scan *scan, struct journal_item *item)
{
	const char *at = scan->bytes + scan->next;
	size_t left = scan->size - scan->next, size;
	struct record_head head;

	if (!left)
		return found(scan, JOURNAL_FOUND_END, 0);
	if (left < sizeof head || is_zero(at, left))
		return found(scan, JOURNAL_FOUND_TAIL, left);
	if (!get_head(at, left, scan->salt, &head)) {
		if (is_torn(at, CHECKSUMS, left))
			return found(scan, JOURNAL_FOUND_TAIL, left);
		return found(scan, JOURNAL_FOUND_DAMAGE, skip(scan));
	}
	size = sizeof head + le32toh(head.size);
	if (size > left)
		return found(scan, JOURNAL_FOUND_TAIL, left);
	if (journal_file_get(at, size, scan->salt, item))
		return found(scan, JOURNAL_FOUND_ITEM, size);
	if (is_torn(at, size, left))
		return found(scan, JOURNAL_FOUND_TAIL, left);
	return found(scan, JOURNAL_FOUND_DAMAGE, size);
}

/* The heads are the first thing that is looked at, and found only where there is something wrong. */
enum journal_found journal_scan_next(struct journal_scan *scan, struct journal_item *item)
{
	bool first, second;

	if (scan->next)
		return look(scan, item);
	if (scan->size < JOURNAL_FILE_HEAD)
		return scan->size ? found(scan, JOURNAL_FOUND_TAIL, scan->size)
				  : found(scan, JOURNAL_FOUND_END, 0);
	first = get_segment(scan, scan->bytes);
	second = get_segment(scan, scan->bytes + ONE_HEAD) || first;
	if (first && second && memcmp(scan->bytes, scan->bytes + ONE_HEAD, ONE_HEAD) == 0) {
		scan->next = JOURNAL_FILE_HEAD;
		return look(scan, item);
	}
	return found(scan, JOURNAL_FOUND_DAMAGE, second ? JOURNAL_FILE_HEAD : scan->size);
}
