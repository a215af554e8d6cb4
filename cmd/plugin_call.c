/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/plugin_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/descriptor.h"
#include "cmd/call_args.h"
#include "cmd/exit_codes.h"
#include "cmd/output.h"
#include "cmd/show.h"
#include "core/call.h"
#include "core/catalog.h"
#include "core/dispatch.h"
#include "core/host.h"
#include "core/uuid.h"
#include "plugins/table.h"

static int fail(const struct error *error)
{
	fprintf(stderr, "gofer plugin: %s\n", *error->text ? error->text : "out of memory");
	return exit_code_of(error->code ? error->code : GOFER_NOMEM);
}

static enum gofer_err take_words(struct call_args *args, const struct plugin_options *o, int argc,
                                 char **argv, struct error *error)
{
	enum gofer_err err = call_args_target(args, argv[0], error);

	if (!err && o->input && argc > 1)
		return error_set(error, GOFER_INVALID, "arguments both in --input and as \"%.60s\"",
		                 argv[1]);
	if (!err)
		err = o->input ? call_args_input(args, o->input, error)
			       : call_args_words(args, argc - 1, argv + 1, error);
	if (!err && o->cntr)
		err = call_args_cntr(args, o->cntr, error);
	return err;
}

/* --- the call ---------------------------------------------------------------------------- */

static void on_progress(void *context, struct call *call, long long total, long long completed,
                        const struct cJSON *details)
{
	const struct plugin_options *o = context;
	struct buf line = BUF_INIT;

	(void)call, (void)total, (void)completed;
	if (!o->prefix)
		return;
	buf_puts(&line, o->prefix);
	if (details)
		show_value(&line, details);
	else
		buf_puts(&line, "None");
	buf_putc(&line, '\n');
	output_take(&line);
	output_flush();
}

static const struct call_sink sink = {.progress = on_progress};

static enum gofer_err make_request(struct request *request, const struct plugin_options *o,
                                   const struct call_args *args, struct error *error)
{
	struct rejection rejection = {0};
	struct buf body = BUF_INIT;
	char sn[UUID_TEXT_SIZE];
	enum gofer_err err;

	uuid_generate(sn);
	err = request_encode(&body,
	                     &(struct request_spec){
				     .sn = sn,
				     .classname = args->classname,
				     .method = args->method,
				     .args = args->args,
				     .kws = args->kws,
				     .cntr_args = args->cntr_args,
				     .cntr_kws = args->cntr_kws,
				     .secret = o->secret,
			     });
	if (!err)
		err = request_decode(request, body.data, body.size, &rejection);
	if (err && rejection.code)
		error_set(error, err, "%s: %s", rejection.description, rejection.details);
	buf_release(&body);
	return err;
}

static int show(const struct plugin_options *o, const struct call *call, struct error *error)
{
	const struct reply_head head = {.sn = call_sn(call)};
	struct buf body = BUF_INIT;
	struct reply reply = {0};
	int code;

	if (call_print_result(&body, call, &head) ||
	    reply_decode(&reply, body.data, body.size, error))
		code = fail(error);
	else
		code = show_result(&reply, o->json, o->trace);
	reply_release(&reply);
	buf_release(&body);
	return code;
}

static int run(const struct plugin_options *o, const struct catalog *catalog,
               struct plugin_context *context, const struct call_args *args)
{
	struct request request = {0};
	struct error error = ERROR_NONE;
	struct dispatch_host offers = {.fork = host_run, .processes = host_new(NULL)};
	struct call *call = NULL;
	int code;

	if (offers.processes && !make_request(&request, o, args, &error))
		call = call_new_take(&request, context, &sink, (void *)o);
	if (!call || !call_start(call)) {
		code = fail(&error);
	} else {
		dispatch_run(catalog, call, &offers);
		code = show(o, call, &error);
	}
	call_unref(call);
	host_free(offers.processes);
	request_release(&request);
	return code;
}

/* --- the plugin -------------------------------------------------------------------------- */

/* NULL and `*good` false: its faults are told. */
static struct descriptor *read_descriptor(const char *path, bool *good)
{
	struct config_faults faults = {.text = BUF_INIT, .count = 0};
	struct config_faults notes = {.text = BUF_INIT, .count = 0};
	struct descriptor *d = NULL;

	*good = true;
	if (path) {
		d = descriptor_read(path, plugin_table, &faults, &notes);
		*good = d && !faults.count;
		fputs(buf_text(&faults.text), stderr);
	}
	config_faults_release(&faults);
	config_faults_release(&notes);
	return d;
}

static int load_and_run(const struct plugin_options *o, const struct plugin *plugin,
                        struct descriptor *d, const struct call_args *args)
{
	struct error error = ERROR_NONE;
	struct catalog *catalog = catalog_new(plugin, &error);
	struct plugin_context *context =
		plugin_context_new(d ? d->name : plugin->name, d ? d->config : NULL);
	enum gofer_err err;
	int code;

	if (!catalog || !context) {
		code = fail(&error);
	} else if (plugin->load && (err = plugin->load(context))) {
		fprintf(stderr, "gofer plugin: %s could not be loaded: %s\n", plugin->name,
		        error_name(err));
		code = EXIT_CODE_RAISED;
	} else {
		code = run(o, catalog, context, args);
		if (plugin->unload)
			plugin->unload(context);
	}
	plugin_context_free(context);
	catalog_free(catalog);
	return code;
}

int plugin_call(const struct plugin_options *o, const struct plugin *plugin, int argc, char **argv)
{
	struct call_args args = CALL_ARGS_INIT;
	struct error error = ERROR_NONE;
	struct descriptor *d = NULL;
	int code = EXIT_CODE_USAGE;
	bool good;

	if (take_words(&args, o, argc, argv, &error)) {
		code = fail(&error);
	} else {
		d = read_descriptor(o->descriptor, &good);
		if (good)
			code = load_and_run(o, plugin, d, &args);
	}
	descriptor_unref(d);
	call_args_release(&args);
	return code;
}
