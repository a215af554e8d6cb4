/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params: a parameter list as Python writes it, and the binding of arguments to it.
 *
 * The text is Python's without annotations: "words, wait=0, *rest, key=None, **more". Defaults are
 * Python literals: None, True, False, numbers, strings in either quotes, and lists and dicts of
 * these ([], {}): literal.h. A bare "*" makes what follows keyword-only; Python's "/" is not
 * taken, nor a comma at the end, nor more than PARAMS_MAX parameters. Wrong arguments are told in
 * CPython 3.10's words, self counted where the callable is a method.
 *
 * Thread: any; a parsed list is constant.
 */
#ifndef GOFER_CORE_PARAMS_H
#define GOFER_CORE_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "core/json.h"

#define PARAMS_MAX 64

struct params; /* opaque: a parsed list */

/* Parses `text` (NULL is the empty list). NULL: `error` says what is wrong and at which column. */
struct params *params_parse(const char *text, struct error *error);
void params_free(struct params *p);

size_t params_count(const struct params *p);
/* The name of parameter `i`, without stars. */
const char *params_name(const struct params *p, size_t i);
/* Appends the list as Python's help writes it: "self, words, wait=0" with `self`. GOFER_NOMEM. */
enum gofer_err params_print(struct buf *out, const struct params *p, bool self);

/*
 * Binds. `qualname` is what messages call it ("Dog.bark", "Cowboy.__init__", "echo"); `self`: it is a
 * method. `args` an array or NULL, `kws` an object or NULL; both are copied from. GOFER_OK: `*bound`
 * is an object with one member a parameter, *rest an array, **more an object; the caller frees it.
 * GOFER_INVALID: `error` has Python's TypeError text (of several wrong keywords, that of the first in
 * `kws`). GOFER_NOMEM.
 */
enum gofer_err params_bind(const struct params *p, const char *qualname, bool self,
                           const struct cJSON *args, const struct cJSON *kws, struct cJSON **bound,
                           struct error *error);

#endif
