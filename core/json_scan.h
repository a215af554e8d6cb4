/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_scan: where a JSON object ends that comes in pieces, with nothing around it that tells its size.
 *
 *   struct json_scan scan = JSON_SCAN_INIT;
 *   while (json_scan(&scan, piece, size, &used) == JSON_SCAN_MORE) ... read the next piece
 *
 * Looks at each byte once, whatever the size of the pieces. It tells where the object ends and no
 * more: whether it is valid is for json_parse() to say. Thread: any; a scan belongs to one at a time.
 */
#ifndef GOFER_CORE_JSON_SCAN_H
#define GOFER_CORE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct json_scan {
	size_t depth; /* 0: the object has not begun */
	bool in_string, escaped;
};

/* clang-format off */
#define JSON_SCAN_INIT { 0, false, false }
/* clang-format on */

enum json_scan_state {
	JSON_SCAN_MORE,
	JSON_SCAN_DONE,  /* the object is complete */
	JSON_SCAN_WRONG, /* something else than an object begins here */
};

/* Goes on with these bytes; `*used` is how many of them are the object's, or stand before it. After
 * another result than JSON_SCAN_MORE the scan is over. */
enum json_scan_state json_scan(struct json_scan *scan, const char *data, size_t size, size_t *used);

#endif
