/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#define DISPATCHER "gofer.rmi.dispatcher"

/* --- requirements --- */

/* Why a requirement isn't met: the exception's class, and what stands behind "Class.method(), ". */
struct refusal {
	const char *xclass;
	struct buf text;
};

static bool refuse(struct refusal *refusal, const char *xclass, const char *text)
{
	refusal->xclass = xclass;
	buf_clear(&refusal->text);
	buf_puts(&refusal->text, text);
	return false;
}

/* By their digests: neither the contents nor the length of the right one shows in the time taken. */
static bool secrets_match(const char *a, const char *b)
{
	unsigned char x[SHA256_DIGEST_LENGTH], y[SHA256_DIGEST_LENGTH];

	if (!SHA256((const unsigned char *)a, strlen(a), x) ||
	    !SHA256((const unsigned char *)b, strlen(b), y))
		return false;
	return CRYPTO_memcmp(x, y, sizeof(x)) == 0;
}

static bool meets_secret(const char *secret, const struct request *request, struct refusal *refusal)
{
	if (!request->secret || !*request->secret)
		return refuse(refusal, "SecretRequired", "secret required");
	if (!secrets_match(request->secret, secret))
		return refuse(refusal, "SecretNotMatched", "secret not matched");
	return true;
}

static bool meets_user(const char *user, const struct request *request,
                       const struct dispatch_host *host, struct refusal *refusal)
{
	if (!request->pam_user || !*request->pam_user)
		return refuse(refusal, "UserRequired", "user (name) required");
	if (!request->pam_password || !*request->pam_password)
		return refuse(refusal, "PasswordRequired", "password required");
	if (strcmp(request->pam_user, user)) {
		refuse(refusal, "UserNotAuthorized", "user must be: ");
		buf_printf(&refusal->text, "%s, passed: %s", user, request->pam_user);
		return false;
	}
	if (host && host->authenticate &&
	    host->authenticate(host->context, request->pam_user, request->pam_password,
	                       request->pam_service))
		return true;
	refuse(refusal, "NotAuthenticated", "user \"");
	buf_printf(&refusal->text, "%s\" not authenticated", request->pam_user);
	return false;
}

static bool meets(const struct requirement *require, const struct request *request,
                  const struct dispatch_host *host, struct refusal *refusal)
{
	if (require->kind == REQUIRE_SECRET)
		return meets_secret(require->value, request, refusal);
	return meets_user(require->value, request, host, refusal);
}

/* Any one that is met is enough; of several that are not, the last is told, as Python does. */
static enum gofer_err check_caller(const struct requirement *require, struct call *call,
                                   const struct dispatch_host *host)
{
	const struct request *request = call_request(call);
	struct refusal refusal = {NULL, BUF_INIT};
	bool met = false;

	for (; require && require->value && !met; require++)
		met = meets(require, request, host, &refusal);
	enum gofer_err err = GOFER_OK;
	if (!met && refusal.xclass)
		err = call_raise_module(call, DISPATCHER, refusal.xclass, "%s.%s(), %s",
		                        request->classname, request->method,
		                        buf_text(&refusal.text));
	buf_release(&refusal.text);
	return err;
}

/* --- finding, binding, running --- */

static const struct catalog_method *find(const struct catalog *catalog, struct call *call)
{
	const struct request *request = call_request(call);
	const struct catalog_method *found =
		catalog_find(catalog, request->classname, request->method);

	if (found)
		return found;
	if (catalog_has_class(catalog, request->classname))
		call_raise_module(call, DISPATCHER, "MemberNotFound",
		                  "\"%s.%s()\" not provided by plugin.", request->classname,
		                  request->method);
	else
		call_raise_module(call, DISPATCHER, "NamespaceNotFound",
		                  "\"%s\" not provided by plugin.", request->classname);
	return NULL;
}

static enum gofer_err raise_unbound(struct call *call, enum gofer_err err,
                                    const struct error *error)
{
	if (err == GOFER_INVALID)
		return call_raise(call, "TypeError", "%s", error->text);
	return err;
}

static enum gofer_err bind(const struct catalog_method *method, struct call *call)
{
	const struct request *request = call_request(call);
	struct cJSON *args = NULL, *cntr_args = NULL;
	struct error error = ERROR_NONE;
	enum gofer_err err = GOFER_OK;

	if (method->class)
		err = params_bind(method->cntr_params, method->cntr_qualname, true,
		                  request->cntr_args, request->cntr_kws, &cntr_args, &error);
	if (!err)
		err = params_bind(method->params, method->qualname, method->class != NULL,
		                  request->args, request->kws, &args, &error);
	call_bind_take(call, args, cntr_args);
	return raise_unbound(call, err, &error);
}

static enum gofer_err run_forked(const struct catalog *catalog, struct call *call,
                                 const struct dispatch_host *host)
{
	if (host && host->fork)
		return host->fork(host->processes, catalog_plugin(catalog), call);
	return call_raise(call, "Exception", "%s.%s() runs in a child process, and none can be had",
	                  call_request(call)->classname, call_request(call)->method);
}

void dispatch_run(const struct catalog *catalog, struct call *call,
                  const struct dispatch_host *host)
{
	const struct catalog_method *method = find(catalog, call);
	enum gofer_err err =
		method ? check_caller(method->method->require, call, host) : GOFER_NOTFOUND;

	if (!err)
		err = bind(method, call);
	if (!err)
		err = method->method->model == CALL_FORK ? run_forked(catalog, call, host)
							 : method->method->run(call);
	call_finish(call, err);
}

void dispatch_run_forked(const struct catalog *catalog, struct call *call)
{
	const struct catalog_method *method = find(catalog, call);
	enum gofer_err err = method ? bind(method, call) : GOFER_NOTFOUND;

	if (!err)
		err = method->method->run(call);
	call_finish(call, err);
}
