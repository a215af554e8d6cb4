/* SPDX-License-Identifier: Apache-2.0 */
#include "amqp/version.h"

#include <cjson/cJSON.h>
#include <ev.h>
#include <gnu/libc-version.h>
#include <openssl/crypto.h>
#include <proton/version.h>

void amqp_print_versions(struct buf *out)
{
	buf_printf(out, "qpid-proton %d.%d.%d\n", PN_VERSION_MAJOR, PN_VERSION_MINOR,
	           PN_VERSION_POINT);
	buf_printf(out, "libev %d.%d\n", ev_version_major(), ev_version_minor());
	buf_printf(out, "cJSON %s\n", cJSON_Version());
	buf_printf(out, "OpenSSL %s\n", OpenSSL_version(OPENSSL_VERSION_STRING));
	buf_printf(out, "glibc %s\n", gnu_get_libc_version());
}
