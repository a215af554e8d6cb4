/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pending.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct pending {
	/* immutable */
	struct loop *loop;
	void (*on_cancel)(void *context);
	void *context;

	struct loop_task task; /* in the loop's list while `told` */
	pthread_mutex_t lock;

	/* guarded by lock */
	struct pending_call *calls;
	size_t count;
	bool told;
};

static void on_told(struct loop_task *task)
{
	struct pending *p = (struct pending *)((char *)task - offsetof(struct pending, task));

	pthread_mutex_lock(&p->lock);
	p->told = false;
	pthread_mutex_unlock(&p->lock);
	p->on_cancel(p->context);
}

struct pending *pending_new(struct loop *loop, void (*on_cancel)(void *context), void *context)
{
	struct pending *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->loop = loop;
	p->on_cancel = on_cancel;
	p->context = context;
	p->task.run = on_told;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void pending_free(struct pending *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void pending_add(struct pending *p, struct pending_call *one, struct call *call)
{
	one->call = call;
	pthread_mutex_lock(&p->lock);
	one->next = p->calls;
	one->link = &p->calls;
	if (one->next)
		one->next->link = &one->next;
	p->calls = one;
	p->count++;
	pthread_mutex_unlock(&p->lock);
}

void pending_remove(struct pending *p, struct pending_call *one)
{
	pthread_mutex_lock(&p->lock);
	*one->link = one->next;
	if (one->next)
		one->next->link = one->link;
	p->count--;
	pthread_mutex_unlock(&p->lock);
}

static void tell(struct pending *p)
{
	bool first;

	pthread_mutex_lock(&p->lock);
	first = !p->told;
	p->told = true;
	pthread_mutex_unlock(&p->lock);
	if (first)
		loop_post(p->loop, &p->task);
}

static struct call *find(struct pending *p, const char *sn)
{
	struct call *call = NULL;

	pthread_mutex_lock(&p->lock);
	for (struct pending_call *one = p->calls; one && !call; one = one->next)
		if (strcmp(call_sn(one->call), sn) == 0)
			call = call_ref(one->call);
	pthread_mutex_unlock(&p->lock);
	return call;
}

/* Whether it could still be: looked at before, since one that runs may end on it at once. */
static bool cancel(struct call *call)
{
	if (call_state(call) == CALL_FINISHED)
		return false;
	call_cancel(call);
	return true;
}

static enum gofer_err append_sn(struct cJSON *list, const struct call *call)
{
	struct cJSON *sn = cJSON_CreateString(call_sn(call));

	if (sn && cJSON_AddItemToArray(list, sn))
		return GOFER_OK;
	cJSON_Delete(sn);
	return GOFER_NOMEM;
}

enum gofer_err pending_cancel(struct pending *p, const char *sn, struct cJSON *list)
{
	struct call *call = find(p, sn);
	enum gofer_err rc = GOFER_NOTFOUND;

	if (call && cancel(call)) {
		rc = append_sn(list, call);
		tell(p);
	}
	call_unref(call);
	return rc;
}

/* References to all that there are, to be looked at without the lock. NULL: out of memory. */
static struct call **all_calls(struct pending *p, size_t *count)
{
	struct call **calls;

	*count = 0;
	pthread_mutex_lock(&p->lock);
	calls = malloc((p->count + 1) * sizeof *calls);
	for (struct pending_call *one = p->calls; calls && one; one = one->next)
		calls[(*count)++] = call_ref(one->call);
	pthread_mutex_unlock(&p->lock);
	return calls;
}

static enum gofer_err cancel_if(const struct criteria *criteria, struct call *call,
                                struct cJSON *list)
{
	const char *text = call_request(call)->data;
	struct cJSON *data = json_parse(text, strlen(text), NULL);
	enum gofer_err rc = data ? GOFER_OK : GOFER_NOMEM;

	if (data && criteria_match(criteria, data) && cancel(call))
		rc = append_sn(list, call);
	cJSON_Delete(data);
	return rc;
}

enum gofer_err pending_cancel_where(struct pending *p, const struct criteria *criteria,
                                    const struct call *except, struct cJSON *list)
{
	enum gofer_err rc = GOFER_OK, one;
	size_t count;
	struct call **calls = all_calls(p, &count);

	if (!calls)
		return GOFER_NOMEM;
	/* the newest stand first */
	for (size_t i = count; i > 0; i--) {
		one = calls[i - 1] == except ? GOFER_OK : cancel_if(criteria, calls[i - 1], list);
		rc = one ? one : rc;
		call_unref(calls[i - 1]);
	}
	free(calls);
	tell(p);
	return rc;
}
