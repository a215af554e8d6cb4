/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c: the checksum of Castagnoli's polynomial (RFC 3720, B.4), by tables.
 *
 *   crc = crc32c(seed, bytes, size);      // seed 0: the plain checksum
 *
 * Feeding the result in as the next seed continues it: crc32c(crc32c(s, a), b) is that of a and b.
 * Thread: any.
 */
#ifndef GOFER_CORE_CRC32C_H
#define GOFER_CORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t seed, const void *bytes, size_t size);

#endif
