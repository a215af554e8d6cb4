/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a journal's segment: all of it is accounted for, in order, and what is taken for a record is
 * written again to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/journal_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Flags and bytes that mean nothing are not kept; a record of ours has none. */
static void check_item(const struct journal_scan *scan, const struct journal_item *item)
{
	struct buf again = BUF_INIT;
	struct journal_item copy;

	if (item->plugin)
		require(strlen(item->plugin) + strlen(item->sn) < item->head.size);
	else
		require(item->type == JOURNAL_TYPE_STARTED || item->type == JOURNAL_TYPE_DONE ||
		        item->type == JOURNAL_TYPE_CANCELLED);
	require(journal_file_size(item) == scan->length);
	journal_file_put(&again, scan->salt, item);
	require(again.size == scan->length);
	require(journal_file_get(again.data, again.size, scan->salt, &copy));
	require(copy.id == item->id && copy.type == item->type && copy.durable == item->durable);
	require(copy.body.size == item->body.size);
	buf_release(&again);
}

static void scan_all(const char *bytes, size_t size)
{
	struct journal_scan scan = JOURNAL_SCAN(bytes, size);
	enum journal_found found;
	struct journal_item item;
	size_t expected = 0;

	while ((found = journal_scan_next(&scan, &item)) != JOURNAL_FOUND_END) {
		require(scan.length > 0);
		require(scan.offset == expected || (!expected && scan.offset == JOURNAL_FILE_HEAD));
		expected = scan.offset + scan.length;
		require(expected <= size);
		if (found == JOURNAL_FOUND_ITEM)
			check_item(&scan, &item);
		else if (found == JOURNAL_FOUND_TAIL)
			require(expected == size);
	}
	require(expected == size || size == JOURNAL_FILE_HEAD);
}

/* The fuzzer can't find checksums: so its bytes are also put into a segment that has the right ones. */
static void scan_made(const char *bytes, size_t size)
{
	size_t split = size ? (unsigned char)bytes[0] % (size + 1) : 0;
	struct journal_item item = {
		.type = (enum journal_type)(size ? (unsigned char)bytes[size - 1] % 7 : 0),
		.id = size,
		.head = {bytes, split},
		.body = {bytes + split, size - split},
	};
	struct buf made = BUF_INIT;

	journal_file_put_segment(&made, 1, 0);
	journal_file_put(&made, 0, &item);
	journal_file_put(&made, 0, &item);
	require(buf_ok(&made));
	scan_all(made.data, made.size);
	buf_truncate(&made, made.size - split / 2);
	if (made.size > JOURNAL_FILE_HEAD)
		made.data[JOURNAL_FILE_HEAD + size % (made.size - JOURNAL_FILE_HEAD)] ^= 0x10;
	scan_all(made.data, made.size);
	buf_release(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scan_all((const char *)data, size);
	scan_made((const char *)data, size);
	return 0;
}
