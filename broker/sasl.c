/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/sasl.h"

#include <proton/sasl.h>
#include <proton/sasl_plugin.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/pool.h"

#define CHECKS_WAITING 64
#define CREDENTIALS_MAX 1024

struct sasl {
	struct loop *loop;
	const struct users *users;
	bool anonymous;
	struct pool *pool; /* NULL where no password is hashed */
};

/* One transport's. */
struct login {
	const struct sasl *sasl;
	pn_transport_t *transport;
	void (*wake)(void *context);
	void *context;
	char *user;          /* proton keeps a pointer to it */
	struct check *check; /* under way; NULL: none */
};

/* What the worker does. The login may go before it is done. */
struct check {
	struct pool_job job;
	struct loop_task done;
	struct loop *loop;
	const struct users *users;
	struct login *login; /* loop only; NULL: nobody waits for it any more */
	bool right;
	char name[CREDENTIALS_MAX], password[CREDENTIALS_MAX];
};

struct sasl *sasl_new(struct loop *loop, const struct users *users, bool anonymous)
{
	struct sasl *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = loop;
	s->users = users;
	s->anonymous = anonymous || !users;
	if (!users || !users_are_hashed(users))
		return s;
	s->pool = pool_new("broker-login", 1, CHECKS_WAITING);
	if (s->pool)
		return s;
	free(s);
	return NULL;
}

void sasl_free(struct sasl *s)
{
	if (!s)
		return;
	if (s->pool)
		pool_stop(s->pool, true);
	pool_free(s->pool);
	free(s);
}

/* --- the verdict ------------------------------------------------------------------------ */

static void refuse(pn_transport_t *transport, pn_sasl_outcome_t outcome)
{
	pn_sasl_done(pn_sasl(transport), outcome);
	pnx_sasl_set_desired_state(transport, SASL_POSTED_OUTCOME);
}

static void admit(struct login *login, const char *user)
{
	login->user = strdup(user);
	if (!login->user) {
		refuse(login->transport, PN_SASL_TEMP);
		return;
	}
	pnx_sasl_set_succeeded(login->transport, login->user, login->user);
	pnx_sasl_set_desired_state(login->transport, SASL_POSTED_OUTCOME);
}

static void decide(struct login *login, const struct check *check)
{
	if (check->right) {
		admit(login, check->name);
		return;
	}
	log_warning("broker", "user %s: wrong name or password", check->name);
	refuse(login->transport, PN_SASL_AUTH);
}

static void check_free(struct check *check)
{
	explicit_bzero(check->password, sizeof(check->password));
	free(check);
}

static void on_check_done(struct loop_task *task)
{
	struct check *check = (struct check *)((char *)task - offsetof(struct check, done));
	struct login *login = check->login;

	if (login) {
		login->check = NULL;
		decide(login, check);
		login->wake(login->context);
	}
	check_free(check);
}

static struct check *check_of(struct pool_job *job)
{
	return (struct check *)((char *)job - offsetof(struct check, job));
}

static void check_job(struct pool_job *job)
{
	struct check *check = check_of(job);

	check->right = users_check(check->users, check->name, check->password);
	loop_post(check->loop, &check->done);
}

static void drop_job(struct pool_job *job)
{
	loop_post(check_of(job)->loop, &check_of(job)->done);
}

/* --- PLAIN ------------------------------------------------------------------------------ */

/* Takes the next part, up to a NUL or the end; false if it is too long or there is none. */
static bool next_part(const char **at, const char *end, char part[CREDENTIALS_MAX])
{
	const char *stop;

	if (*at > end)
		return false;
	stop = memchr(*at, 0, (size_t)(end - *at));
	if (!stop)
		stop = end;
	if (stop - *at >= CREDENTIALS_MAX)
		return false;
	memcpy(part, *at, (size_t)(stop - *at));
	part[stop - *at] = 0;
	*at = stop + 1;
	return true;
}

/* RFC 4616: authorization identity, NUL, name, NUL, password. Nobody may act for someone else. */
static bool parse_plain(struct check *check, const pn_bytes_t *recv)
{
	const char *at = recv->start, *end;
	char as[CREDENTIALS_MAX];

	if (!at)
		return false;
	end = at + recv->size;
	return next_part(&at, end, as) && next_part(&at, end, check->name) &&
		next_part(&at, end, check->password) && at > end && check->name[0] &&
		(!as[0] || !strcmp(as, check->name));
}

static void submit(struct login *login, struct check *check)
{
	check->login = login;
	login->check = check;
	if (!pool_submit(login->sasl->pool, &check->job))
		return;
	log_warning("broker", "user %s: too many logins at once", check->name);
	login->check = NULL;
	check_free(check);
	refuse(login->transport, PN_SASL_TEMP);
}

static void plain(struct login *login, const pn_bytes_t *recv)
{
	struct check *check = calloc(1, sizeof(*check));

	if (!check) {
		refuse(login->transport, PN_SASL_TEMP);
		return;
	}
	check->loop = login->sasl->loop;
	check->users = login->sasl->users;
	check->job.run = check_job;
	check->job.drop = drop_job;
	check->done.run = on_check_done;
	if (!parse_plain(check, recv)) {
		refuse(login->transport, PN_SASL_AUTH);
		check_free(check);
	} else if (login->sasl->pool) {
		submit(login, check);
	} else {
		check->right = users_check(check->users, check->name, check->password);
		decide(login, check);
		check_free(check);
	}
}

/* --- what proton calls ------------------------------------------------------------------ */

static struct login *login_of(pn_transport_t *transport)
{
	return pnx_sasl_get_context(transport);
}

static void on_free(pn_transport_t *transport)
{
	struct login *login = login_of(transport);

	if (login->check)
		login->check->login = NULL;
	free(login->user);
	free(login);
}

static const char *on_list_mechanisms(pn_transport_t *transport)
{
	const struct sasl *s = login_of(transport)->sasl;

	if (!s->users)
		return "ANONYMOUS";
	return s->anonymous ? "PLAIN ANONYMOUS" : "PLAIN";
}

static bool on_init_server(pn_transport_t *transport)
{
	pnx_sasl_set_desired_state(transport, SASL_POSTED_MECHANISMS);
	return true;
}

/* Proton forgets the first mechanism's name when there is a second frame, which may come at any
 * time: that is the end of the connection. */
static void on_init(pn_transport_t *transport, const char *mechanism, const pn_bytes_t *recv)
{
	struct login *login = login_of(transport);

	if (login->check || login->user)
		pnx_sasl_error(transport, "a second sasl-init frame",
		               "amqp:connection:framing-error");
	else if (!mechanism)
		refuse(transport, PN_SASL_AUTH);
	else if (login->sasl->anonymous && !strcmp(mechanism, "ANONYMOUS"))
		admit(login, "anonymous");
	else if (login->sasl->users && !strcmp(mechanism, "PLAIN"))
		plain(login, recv);
	else
		refuse(transport, PN_SASL_AUTH);
}

static void on_response(pn_transport_t *transport, const pn_bytes_t *recv)
{
	(void)recv;
	refuse(transport, PN_SASL_AUTH);
}

static bool never(pn_transport_t *transport)
{
	(void)transport;
	return false;
}

static void nothing(pn_transport_t *transport)
{
	(void)transport;
}

static void ignore(pn_transport_t *transport, const pn_bytes_t *recv)
{
	(void)transport;
	(void)recv;
}

static bool no_mechanisms(pn_transport_t *transport, const char *mechanisms)
{
	(void)transport;
	(void)mechanisms;
	return false;
}

static const pnx_sasl_implementation server = {
	.free = on_free,
	.list_mechanisms = on_list_mechanisms,
	.init_server = on_init_server,
	.init_client = never,
	.prepare_write = nothing,
	.process_init = on_init,
	.process_response = on_response,
	.process_mechanisms = no_mechanisms,
	.process_challenge = ignore,
	.process_outcome = ignore,
	.can_encrypt = never,
};

enum gofer_err sasl_serve(struct sasl *s, pn_transport_t *transport, void (*wake)(void *context),
                          void *context)
{
	struct login *login = calloc(1, sizeof(*login));

	if (!login)
		return GOFER_NOMEM;
	login->sasl = s;
	login->transport = transport;
	login->wake = wake;
	login->context = context;
	pn_sasl(transport);
	pnx_sasl_set_implementation(transport, &server, login);
	pn_transport_require_auth(transport, !s->anonymous);
	return GOFER_OK;
}
