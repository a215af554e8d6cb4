/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "broker/names.h"

/* The bindings of one key: only a direct exchange looks keys up, but all count by them. */
struct key {
	struct name name; /* first: what names_find() gives is the key */
	LIST_HEAD(, binding) bindings;
	char text[];
};

struct binding {
	LIST_ENTRY(binding) of_key, of_queue;
	struct exchange *exchange;
	struct key *key;
	struct queue *queue;
};

struct exchange {
	enum exchange_type type;
	struct names keys;
	size_t bindings;
};

static const char *const type_names[] = {"direct", "topic", "fanout"};
#define TYPES (sizeof(type_names) / sizeof(type_names[0]))

const char *exchange_type_name(enum exchange_type type)
{
	return type_names[type];
}

enum gofer_err exchange_type_parse(struct slice text, enum exchange_type *type)
{
	for (size_t i = 0; i < TYPES; i++) {
		if (strlen(type_names[i]) == text.size &&
		    !memcmp(type_names[i], text.data, text.size)) {
			*type = (enum exchange_type)i;
			return GOFER_OK;
		}
	}
	return GOFER_NOTFOUND;
}

/* --- targets -------------------------------------------------------------------------- */

void targets_clear(struct targets *t)
{
	t->count = 0;
	t->route++;
}

void targets_release(struct targets *t)
{
	free(t->items);
	memset(t, 0, sizeof(*t));
}

static enum gofer_err targets_add(struct targets *t, struct queue *q)
{
	size_t capacity = t->capacity ? t->capacity * 2 : 16;
	struct queue **items;

	if (q->route == t->route)
		return GOFER_OK;
	if (t->count == t->capacity) {
		items = realloc(t->items, capacity * sizeof(*items));
		if (!items)
			return GOFER_NOMEM;
		t->items = items;
		t->capacity = capacity;
	}
	q->route = t->route;
	t->items[t->count++] = q;
	return GOFER_OK;
}

/* --- bindings ------------------------------------------------------------------------- */

struct exchange *exchange_new(enum exchange_type type)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->type = type;
	names_init(&x->keys);
	return x;
}

enum exchange_type exchange_type(const struct exchange *x)
{
	return x->type;
}

size_t exchange_bindings(const struct exchange *x)
{
	return x->bindings;
}

static struct key *find_key(const struct exchange *x, struct slice text)
{
	return (struct key *)names_find(&x->keys, text.data, text.size);
}

static struct key *add_key(struct exchange *x, struct slice text)
{
	struct key *k = malloc(sizeof(*k) + text.size);

	if (!k)
		return NULL;
	if (text.size)
		memcpy(k->text, text.data, text.size);
	k->name.text = (struct slice){k->text, text.size};
	LIST_INIT(&k->bindings);
	if (names_add(&x->keys, &k->name)) {
		free(k);
		return NULL;
	}
	return k;
}

static void remove_key_if_unused(struct exchange *x, struct key *k)
{
	if (LIST_FIRST(&k->bindings))
		return;
	names_remove(&x->keys, &k->name);
	free(k);
}

static struct binding *find_binding(const struct key *k, const struct queue *q)
{
	struct binding *b;

	LIST_FOREACH(b, &k->bindings, of_key)
	if (b->queue == q)
		return b;
	return NULL;
}

static void binding_free(struct binding *b)
{
	struct exchange *x = b->exchange;

	LIST_REMOVE(b, of_key);
	LIST_REMOVE(b, of_queue);
	b->queue->bindings_count--;
	x->bindings--;
	remove_key_if_unused(x, b->key);
	free(b);
}

enum gofer_err exchange_bind(struct exchange *x, struct queue *q, struct slice key)
{
	struct key *k = find_key(x, key);
	struct binding *b;

	if (k && find_binding(k, q))
		return GOFER_OK;
	if (x->bindings >= EXCHANGE_BINDINGS_MAX)
		return GOFER_FULL;
	b = malloc(sizeof(*b));
	if (!b)
		return GOFER_NOMEM;
	if (!k)
		k = add_key(x, key);
	if (!k) {
		free(b);
		return GOFER_NOMEM;
	}
	b->exchange = x;
	b->key = k;
	b->queue = q;
	LIST_INSERT_HEAD(&k->bindings, b, of_key);
	LIST_INSERT_HEAD(&q->bindings, b, of_queue);
	q->bindings_count++;
	x->bindings++;
	return GOFER_OK;
}

enum gofer_err exchange_unbind(struct exchange *x, struct queue *q, struct slice key)
{
	struct key *k = find_key(x, key);
	struct binding *b = k ? find_binding(k, q) : NULL;

	if (!b)
		return GOFER_NOTFOUND;
	binding_free(b);
	return GOFER_OK;
}

void exchange_unbind_queue(struct queue *q)
{
	struct binding *b;

	while ((b = LIST_FIRST(&q->bindings)))
		binding_free(b);
}

/* The key goes with its last binding. */
static void free_bindings(struct key *k)
{
	struct binding *b, *next;

	for (b = LIST_FIRST(&k->bindings); b; b = next) {
		next = LIST_NEXT(b, of_key);
		binding_free(b);
	}
}

void exchange_free(struct exchange *x)
{
	struct key *k;

	if (!x)
		return;
	while ((k = (struct key *)names_next(&x->keys, NULL)))
		free_bindings(k);
	names_release(&x->keys);
	free(x);
}

/* --- routing -------------------------------------------------------------------------- */

static enum gofer_err route_key(const struct key *k, struct targets *targets)
{
	struct binding *b;

	LIST_FOREACH(b, &k->bindings, of_key)
	if (targets_add(targets, b->queue))
		return GOFER_NOMEM;
	return GOFER_OK;
}

static const char *word_end(const char *at, const char *end)
{
	const char *dot = memchr(at, '.', (size_t)(end - at));

	return dot ? dot : end;
}

/* `at` is past the end once the last word was taken; an empty text is no word at all. */
struct words {
	const char *at, *end;
	bool done;
};

static struct words words_of(struct slice text)
{
	if (!text.size)
		return (struct words){"", "", true};
	return (struct words){text.data, text.data + text.size, false};
}

static struct slice next_word(struct words *w)
{
	const char *end = word_end(w->at, w->end);
	struct slice word = {w->at, (size_t)(end - w->at)};

	w->done = end == w->end;
	w->at = w->done ? end : end + 1;
	return word;
}

static bool word_matches(struct slice pattern, struct slice word)
{
	if (pattern.size == 1 && *pattern.data == '*')
		return true;
	return pattern.size == word.size && !memcmp(pattern.data, word.data, word.size);
}

/* As shell patterns are matched: on a mismatch the last "#" takes one word more. */
bool exchange_topic_matches(struct slice pattern, struct slice key)
{
	struct words p = words_of(pattern), k = words_of(key), p_retry, k_retry;
	bool retry = false;

	while (!k.done || !p.done) {
		struct words p_next = p, k_next = k;
		struct slice part = {NULL, 0};

		if (!p.done)
			part = next_word(&p_next);
		if (!p.done && part.size == 1 && *part.data == '#') {
			retry = true;
			p_retry = p = p_next;
			k_retry = k;
		} else if (!p.done && !k.done && word_matches(part, next_word(&k_next))) {
			p = p_next;
			k = k_next;
		} else if (retry && !k_retry.done) {
			next_word(&k_retry);
			p = p_retry;
			k = k_retry;
		} else {
			return false;
		}
	}
	return true;
}

enum gofer_err exchange_route(struct exchange *x, struct slice key, struct targets *targets)
{
	const struct name *n = NULL;
	const struct key *k;

	if (x->type == EXCHANGE_DIRECT) {
		k = find_key(x, key);
		return k ? route_key(k, targets) : GOFER_OK;
	}
	while ((n = names_next(&x->keys, n))) {
		if (x->type == EXCHANGE_TOPIC && !exchange_topic_matches(n->text, key))
			continue;
		if (route_key((const struct key *)n, targets))
			return GOFER_NOMEM;
	}
	return GOFER_OK;
}
