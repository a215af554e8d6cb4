/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a url: what is taken is the same when printed and read again; what is refused is told
 * in one line; a password is in neither. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "amqp/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "hunter2"

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void check_printed(const struct url *url)
{
	struct buf text = BUF_INIT;
	struct url again;

	url_print(&text, url);
	require(url_parse(&again, buf_text(&text), NULL) == GOFER_OK);
	require(again.tls == url->tls && again.port == url->port);
	require(same(again.host, url->host) && same(again.vhost, url->vhost));
	require(!again.user && !again.password);
	require(url_is_loopback(&again) == url_is_loopback(url));
	url_release(&again);
	buf_release(&text);
}

static void check_copy(const struct url *url)
{
	struct url copy;

	require(url_copy(&copy, url) == GOFER_OK);
	require(url_equal(&copy, url) && url_equal(url, &copy));
	url_release(&copy);
}

static void check(const char *text)
{
	struct error error = ERROR_NONE;
	struct url url;

	if (url_parse(&url, text, &error)) {
		require(error.code == GOFER_INVALID && !strncmp(error.text, "url \"", 5));
		require(!url.host && !url.password);
		for (const char *c = error.text; *c; c++)
			require((unsigned char)*c >= ' ' && *c != 0x7f);
	} else {
		require(url.host && *url.host && (!url.vhost || *url.vhost));
		check_printed(&url);
		check_copy(&url);
	}
	url_release(&url);
}

static void check_secret(const char *rest)
{
	struct error error = ERROR_NONE;
	struct buf text = BUF_INIT, shown = BUF_INIT;
	struct url url;

	buf_printf(&text, "amqp://user:" SECRET "@%s", rest);
	if (url_parse(&url, buf_text(&text), &error))
		buf_puts(&shown, error.text);
	else
		url_print(&shown, &url);
	require(strcasestr(rest, SECRET) || !strstr(buf_text(&shown), SECRET));
	url_release(&url);
	buf_release(&text);
	buf_release(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);

	require(text != NULL);
	check(text);
	check_secret(text);
	free(text);
	return 0;
}
