/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nats_rr: the yardstick of `make bench`: request-reply over NATS with its C client.
 *
 *   nats_rr respond URL SUBJECT           answers every request with its own body, until killed
 *   nats_rr request URL SUBJECT COUNT     COUNT requests one after the other; prints one JSON object
 *
 * Both set SendAsap, the client's way to lowest latency.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <nats/nats.h>

#define BODY_SIZE 300 /* about what a gofer request for an echo has */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void check(natsStatus status, const char *what)
{
	if (status == NATS_OK)
		return;
	fprintf(stderr, "nats_rr: %s: %s\n", what, natsStatus_GetText(status));
	exit(1);
}

static void on_request(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
	(void)sub;
	(void)closure;
	natsConnection_Publish(nc, natsMsg_GetReply(msg), natsMsg_GetData(msg),
	                       natsMsg_GetDataLength(msg));
	natsMsg_Destroy(msg);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int request(natsConnection *nc, const char *subject, size_t count)
{
	char body[BODY_SIZE];
	uint64_t *took = calloc(count, sizeof(*took)), median, worst;
	size_t i;

	if (!took)
		return 1;
	memset(body, 'x', sizeof(body));
	for (i = 0; i < count; i++) {
		natsMsg *reply = NULL;
		uint64_t start = now_ns();

		check(natsConnection_Request(&reply, nc, subject, body, sizeof(body), 5000),
		      "request");
		took[i] = now_ns() - start;
		natsMsg_Destroy(reply);
	}
	qsort(took, count, sizeof(*took), by_value);
	median = took[count / 2];
	worst = took[count * 99 / 100];
	printf("{\"calls\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", count,
	       (double)median / 1e3, (double)worst / 1e3);
	free(took);
	return 0;
}

int main(int argc, char **argv)
{
	natsOptions *options = NULL;
	natsConnection *nc = NULL;
	natsSubscription *sub = NULL;
	int code = 0;

	if (argc < 4) {
		fprintf(stderr, "usage: nats_rr respond|request URL SUBJECT [COUNT]\n");
		return 2;
	}
	check(natsOptions_Create(&options), "options");
	check(natsOptions_SetURL(options, argv[2]), "url");
	check(natsOptions_SetSendAsap(options, true), "SendAsap");
	check(natsConnection_Connect(&nc, options), "connect");
	if (strcmp(argv[1], "respond") == 0) {
		check(natsConnection_Subscribe(&sub, nc, argv[3], on_request, NULL), "subscribe");
		check(natsConnection_Flush(nc), "flush");
		puts("ready");
		fflush(stdout);
		pause();
	} else {
		code = request(nc, argv[3], argc > 4 ? strtoul(argv[4], NULL, 10) : 10000);
	}
	natsConnection_Destroy(nc);
	natsOptions_Destroy(options);
	return code;
}
