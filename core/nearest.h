/* SPDX-License-Identifier: Apache-2.0 */
/* nearest: the name that somebody probably meant. Thread: any. */
#ifndef GOFER_CORE_NEAREST_H
#define GOFER_CORE_NEAREST_H

/* The closest of `names` (NULL ends them) to `word`, by letters left out, added, changed and swapped with
 * their neighbours, or one that begins with `word`; NULL if none is near. */
const char *nearest(const char *word, const char *const *names);

#endif
