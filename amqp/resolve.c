/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct resolve {
	struct loop_task task; /* first: the task's address is the lookup's */

	/* immutable */
	struct loop *loop;
	resolve_done *done;
	void *context;
	char *host, port[6];

	/* the lookup's thread until it posts, the loop's then */
	struct resolved addresses[RESOLVE_MAX];
	size_t count;
	struct error why;

	/* guarded by lock */
	pthread_mutex_t lock;
	bool cancelled, posted;
};

static void resolve_free(struct resolve *r)
{
	pthread_mutex_destroy(&r->lock);
	free(r->host);
	free(r);
}

static void take_addresses(struct resolve *r, const struct addrinfo *list)
{
	for (; list && r->count < RESOLVE_MAX; list = list->ai_next) {
		struct resolved *to = &r->addresses[r->count];

		if (list->ai_addrlen > sizeof(to->address))
			continue;
		memcpy(&to->address, list->ai_addr, list->ai_addrlen);
		to->size = list->ai_addrlen;
		r->count++;
	}
}

static int lookup(struct resolve *r, int flags)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	int status = getaddrinfo(r->host, r->port, &hints, &list);

	if (!status) {
		take_addresses(r, list);
		freeaddrinfo(list);
	}
	return status;
}

static void say_why(struct resolve *r, int status)
{
	if (status == EAI_SYSTEM)
		error_errno(&r->why, GOFER_UNREACHABLE, errno, "%s: the name does not resolve",
		            r->host);
	else
		error_set(&r->why, GOFER_UNREACHABLE, "%s: the name does not resolve: %s", r->host,
		          status ? gai_strerror(status) : "no address");
}

/* Posts with the lock held: who has cancelled before may have freed the loop already. */
static void *lookup_thread(void *argument)
{
	struct resolve *r = argument;
	int status = lookup(r, 0);
	bool cancelled;

	if (!r->count)
		say_why(r, status);
	pthread_mutex_lock(&r->lock);
	cancelled = r->cancelled;
	if (!cancelled) {
		r->posted = true;
		loop_post(r->loop, &r->task);
	}
	pthread_mutex_unlock(&r->lock);
	if (cancelled)
		resolve_free(r);
	return NULL;
}

static void on_answer(struct loop_task *task)
{
	struct resolve *r = (struct resolve *)task;
	bool cancelled;

	/* Taking the lock also waits until the thread has let go of it. */
	pthread_mutex_lock(&r->lock);
	cancelled = r->cancelled;
	pthread_mutex_unlock(&r->lock);
	if (!cancelled)
		r->done(r->context, r->addresses, r->count, r->count ? NULL : &r->why);
	resolve_free(r);
}

/* Signals are for the threads that wait for them. */
static int start_thread(struct resolve *r)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int status;

	status = pthread_attr_init(&attr);
	if (status)
		return status;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	status = pthread_create(&thread, &attr, lookup_thread, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return status;
}

static struct resolve *resolve_new(struct loop *loop, const char *host, uint16_t port,
                                   resolve_done *done, void *context)
{
	struct resolve *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->host = strdup(host);
	if (!r->host || pthread_mutex_init(&r->lock, NULL)) {
		free(r->host);
		free(r);
		return NULL;
	}
	r->task.run = on_answer;
	r->loop = loop;
	r->done = done;
	r->context = context;
	snprintf(r->port, sizeof(r->port), "%u", (unsigned)port);
	return r;
}

struct resolve *resolve_start(struct loop *loop, const char *host, uint16_t port,
                              resolve_done *done, void *context, struct error *error)
{
	struct resolve *r = resolve_new(loop, host, port, done, context);
	int status;

	if (!r) {
		error_set(error, GOFER_NOMEM, "out of memory");
		return NULL;
	}
	if (!lookup(r, AI_NUMERICHOST) && r->count) {
		r->posted = true;
		loop_post(loop, &r->task);
		return r;
	}
	status = start_thread(r);
	if (status) {
		error_errno(error, GOFER_IO, status, "cannot look up %s", host);
		resolve_free(r);
		return NULL;
	}
	return r;
}

void resolve_cancel(struct resolve *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->cancelled = true;
	pthread_mutex_unlock(&r->lock);
}
