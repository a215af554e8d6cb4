/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "cmd/call.h"
#include "core/document.h"

static struct slice slice_of(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

static enum gofer_err encode(struct call_request *r, const struct request_spec *spec)
{
	const char *found;

	if (request_encode(&r->body, spec))
		return GOFER_NOMEM;
	/* A fresh uuid stands nowhere else in the body. */
	found = memmem(r->body.data, r->body.size, r->sn, strlen(r->sn));
	if (!found)
		return GOFER_FAILED;
	r->sn_at = (size_t)(found - r->body.data);
	return GOFER_OK;
}

enum gofer_err call_request_init(struct call_request *r, const struct call_job *job,
                                 const char *replyto)
{
	const struct call_options *o = job->options;
	bool synchronous = !o->reply && o->wait > 0;

	*r = (struct call_request){
		.body = BUF_INIT,
		.address = o->address,
		.replyto = replyto,
		.durable = o->durable || (!synchronous && !o->no_durable),
		.ttl = o->ttl,
	};
	uuid_generate(r->sn);
	return encode(r,
	              &(struct request_spec){
			      .sn = r->sn,
			      .address = o->address,
			      .replyto = replyto,
			      .classname = job->args.classname,
			      .method = job->args.method,
			      .args = job->args.args,
			      .kws = job->args.kws,
			      .cntr_args = job->args.cntr_args,
			      .cntr_kws = job->args.cntr_kws,
			      .data = job->data,
			      .secret = job->secret,
			      .pam_user = o->user,
			      .pam_password = job->password,
		      });
}

enum gofer_err call_request_init_cancel(struct call_request *r, const struct call_job *job,
                                        const char *replyto, const char *sn)
{
	struct cJSON *args = cJSON_CreateStringArray(&sn, 1);
	enum gofer_err err;

	*r = (struct call_request){.body = BUF_INIT,
	                           .address = job->options->address,
	                           .replyto = replyto};
	if (!args)
		return GOFER_NOMEM;
	uuid_generate(r->sn);
	err = encode(r,
	             &(struct request_spec){
			     .sn = r->sn,
			     .address = r->address,
			     .replyto = replyto,
			     .classname = "Admin",
			     .method = "cancel",
			     .args = args,
		     });
	cJSON_Delete(args);
	return err;
}

void call_request_renew(struct call_request *r)
{
	uuid_generate(r->sn);
	memcpy(r->body.data + r->sn_at, r->sn, strlen(r->sn));
}

enum gofer_err call_request_send(const struct call_request *r, struct connection *c)
{
	struct message message = MESSAGE_INIT;
	char id[UUID_TEXT_SIZE];

	uuid_generate(id);
	message.durable = r->durable;
	message.has_ttl = r->ttl > 0;
	message.ttl_ms = (uint32_t)ceil(r->ttl * 1000);
	message.message_id = slice_of(id);
	message.correlation_id = slice_of(r->sn);
	message.reply_to = slice_of(r->replyto);
	message.content_type = slice_of("application/json");
	message.body_kind = connection_request_body(c);
	message.body = (struct slice){r->body.data, r->body.size};
	return connection_send(c,
	                       &(struct send_options){
				       .address = r->address,
				       .message = &message,
				       .request = true,
				       .on_outcome = r->on_outcome,
				       .context = r->context,
			       });
}

void call_request_release(struct call_request *r)
{
	buf_release(&r->body);
}
