/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error: what went wrong, in a form that a program can test and a person can read.
 *
 * A function that can fail returns an `enum gofer_err`. Where its failure reaches a user or the
 * wire it also takes a `struct error *` and fills it: one line, no full stop, that says what is
 * wrong, where, and what would be right. `struct error` is a plain value on the caller's stack;
 * nothing in it is ever freed. Every function that takes one takes NULL too.
 *
 * Thread: any; nothing is shared.
 */
#ifndef GOFER_CORE_ERROR_H
#define GOFER_CORE_ERROR_H

#include <stdarg.h>

enum gofer_err {
	GOFER_OK = 0,
	GOFER_FAILED,      /* none of the below */
	GOFER_NOMEM,       /* out of memory */
	GOFER_INVALID,     /* the input is wrong */
	GOFER_NOTFOUND,    /* no such thing */
	GOFER_EXISTS,      /* is there already */
	GOFER_FULL,        /* a bound was reached; try later */
	GOFER_IO,          /* the operating system refused */
	GOFER_UNREACHABLE, /* nobody answers at that address */
	GOFER_PROTOCOL,    /* the peer broke the protocol */
	GOFER_AUTH,        /* credentials missing or refused */
	GOFER_TIMEOUT,     /* not in time */
	GOFER_CANCELLED,   /* somebody asked for it to stop */
};

struct error {
	enum gofer_err code;
	char text[480];
};

/* An error that says nothing: for initialisers. */
/* clang-format off */
#define ERROR_NONE { GOFER_OK, "" }
/* clang-format on */

/* Sets `error` (may be NULL) and returns `code`, so that `return error_set(...)` reads well. Text
 * that does not fit is cut; control characters in it become '?', so that it stays one line. */
enum gofer_err error_set(struct error *error, enum gofer_err code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
enum gofer_err error_vset(struct error *error, enum gofer_err code, const char *format, va_list ap)
	__attribute__((format(printf, 3, 0)));

/* As error_set(), with ": " and strerror(errno_value) at the end. */
enum gofer_err error_errno(struct error *error, enum gofer_err code, int errno_value,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Puts "text: " before what `error` says already, as an error travels up. */
enum gofer_err error_prefix(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A short name of a code, for logs: "timeout". Never NULL. */
const char *error_name(enum gofer_err code);

#endif
