/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/document.h"

static enum gofer_err open_signature(const struct cJSON *value, unsigned char **out, size_t *size)
{
	struct buf bytes = BUF_INIT;
	const char *text = json_string(value);
	enum gofer_err rc = text ? base64_decode(&bytes, text, strlen(text)) : GOFER_INVALID;

	if (rc == GOFER_OK && bytes.size > 0) {
		*out = (unsigned char *)buf_take(&bytes, size);
		rc = *out ? GOFER_OK : GOFER_NOMEM;
	}
	buf_release(&bytes);
	return rc == GOFER_NOMEM ? GOFER_NOMEM : GOFER_OK;
}

enum gofer_err envelope_open(const char *text, size_t size, char **message, size_t *message_size,
                             unsigned char **signature, size_t *signature_size)
{
	struct error error = ERROR_NONE;
	struct cJSON *root = NULL;
	const char *inner;
	enum gofer_err rc = GOFER_NOTFOUND;

	*message = NULL;
	*signature = NULL;
	*message_size = *signature_size = 0;
	root = json_parse(text, size, &error);
	if (!root)
		return error.code;
	inner = json_string(json_get(root, "message"));
	if (!inner || !json_get(root, "signature"))
		goto cleanup;
	*message = strdup(inner);
	if (*message)
		*message_size = strlen(inner);
	rc = *message ? open_signature(json_get(root, "signature"), signature, signature_size)
		      : GOFER_NOMEM;
	if (rc) {
		free(*message);
		*message = NULL;
		*message_size = 0;
	}
cleanup:
	cJSON_Delete(root);
	return rc;
}

enum gofer_err envelope_seal(struct buf *out, const char *message, size_t message_size,
                             const unsigned char *signature, size_t signature_size)
{
	buf_puts(out, "{\"message\": ");
	json_print_string(out, message, message_size);
	buf_puts(out, ", \"signature\": \"");
	base64_encode(out, signature, signature_size);
	buf_puts(out, "\"}");
	return buf_ok(out) ? GOFER_OK : GOFER_NOMEM;
}
