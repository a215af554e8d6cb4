/* SPDX-License-Identifier: Apache-2.0 */
/*
 * criteria: which requests somebody means, told by the `data` that they came with.
 *
 * Criteria are a JSON object with one member, an operator and its operand:
 *
 *   {"match": {"id": 1, "user": "x"}}   both are objects, not empty; each member of the operand that the data
 *                                       has too is equal there. A member that the data lacks is no difference
 *   {"eq": V}, {"neq": V}               the data is equal to V; is not
 *   {"gt": V}, {"lt": V}                the data is above V, below V: a number, a string or a list
 *   {"in": [V, ...]}                    the data is equal to one of these
 *   {"in": "text"}, {"in": {...}}       the data is a string, and a part of the text; a key of the object
 *   {"and": [C, C]}, {"or": [C, C]}     both criteria hold; one of them does
 *
 * Values compare as in Python, which is what peers count on: true is 1 and false 0, objects are equal
 * whatever their order, strings are in the order of their characters and lists in that of the first
 * items that differ. But numbers are exact, of any size and with any decimals (core/json.h). Values of
 * different types, objects, and nulls are neither above nor below each other: where Python 3 raises an
 * error such a comparison does not hold, and `neq` does.
 *
 * An operand is a value, whatever it looks like: {"eq": {"eq": 1}} means the data {"eq": 1}.
 *
 *   c = criteria_new(json, &error); ... if (criteria_match(c, data)) ...; criteria_free(c);
 *
 * Objects must be as json_parse() makes them: their members in order, no two of one name. Thread: any; criteria may be
 * used by many at a time.
 */
#ifndef GOFER_CORE_CRITERIA_H
#define GOFER_CORE_CRITERIA_H

#include <stdbool.h>

#include "core/error.h"
#include "core/json.h"

#define CRITERIA_MAX_DEPTH 32 /* of `and` and `or` in each other */

struct criteria;

/* Copies what it needs of `json`. NULL: `error` says what is wrong and where, as in
 * "criteria.and[1].gt: expected ..."; GOFER_INVALID or GOFER_NOMEM. */
struct criteria *criteria_new(const struct cJSON *json, struct error *error);
/* NULL is taken. */
void criteria_free(struct criteria *criteria);

/* Whether they hold for `data`; NULL is as good as null. Never fails, and allocates nothing. */
bool criteria_match(const struct criteria *criteria, const struct cJSON *data);

#endif
