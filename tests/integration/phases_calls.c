/* SPDX-License-Identifier: MIT */
/* Every public function of libreeve, called once; what it answers. */
#include "phases_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <reeve/channel.h>
#include <reeve/command.h>
#include <reeve/fan.h>
#include <reeve/file.h>
#include <reeve/group.h>
#include <reeve/module.h>
#include <reeve/once.h>
#include <reeve/pool.h>
#include <reeve/runtime.h>
#include <reeve/semaphore.h>
#include <reeve/sleep.h>
#include <reeve/ticker.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int good(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return 0;
}

static int once_only(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return -EIO;
}

static int give_value(struct rv_context *ctx, void *arg, void **ret_value)
{
    (void)ctx;
    *ret_value = arg;
    return 0;
}

static int copy(struct rv_context *ctx, const void *item, void *ret_result, void *arg)
{
    (void)ctx;
    (void)arg;
    *(char *)ret_result = *(const char *)item;
    return 0;
}

static void nothing(void *arg)
{
    (void)arg;
}

static void hooked(struct rv_runtime_hook *hook)
{
    (void)hook;
}

static int count(const struct rv_context_info *info, void *arg)
{
    (void)info;
    ++*(int *)arg;
    return 0;
}

/* Contexts --------------------------------------------------------------------------------------- */

/* rv_context_cancel, _err, _cause, _wait, _ref, _unref of one that was just made. */
static int finish(int r, struct rv_context **made)
{
    struct rv_context *ctx = *made;
    struct rv_cause cause;

    if (r < 0)
        return r;
    rv_context_unref(rv_context_ref(ctx));
    rv_context_cancel(ctx, -ECANCELED, "done");
    r = rv_context_err(ctx) == -ECANCELED && rv_context_cause(ctx, &cause) == -ECANCELED &&
                rv_context_wait(ctx) == -ECANCELED
            ? 0
            : -EPROTO;
    rv_context_unref(ctx);
    return r;
}

static int with_cancel(struct rv_context *ctx)
{
    struct rv_context *child = NULL;

    return finish(rv_context_with_cancel(ctx, &child), &child);
}

static int with_timeout(struct rv_context *ctx)
{
    struct rv_context *child = NULL;
    rv_time deadline;
    int r = rv_context_with_timeout(ctx, RV_HOUR, &child);

    return finish(r == 0 && !rv_context_deadline(child, &deadline) ? -EPROTO : r, &child);
}

static int with_deadline(struct rv_context *ctx)
{
    struct rv_context *child = NULL;

    return finish(rv_context_with_deadline(ctx, rv_now() + RV_HOUR, &child), &child);
}

static int with_value(struct rv_context *ctx)
{
    struct rv_context *child = NULL;
    int key = 0, r = rv_context_with_value(ctx, &key, &key, &child);

    return finish(r == 0 && rv_context_value(child, &key) != &key ? -EPROTO : r, &child);
}

static int with_labels(struct rv_context *ctx)
{
    const struct rv_labels labels = {.task = "t"};
    struct rv_context *child = NULL;
    int r = rv_context_with_labels(ctx, &labels, &child);

    return finish(r == 0 && !rv_context_labels(child).task ? -EPROTO : r, &child);
}

static int without_cancel(struct rv_context *ctx)
{
    struct rv_context *child = NULL;

    return finish(rv_context_without_cancel(ctx, &child), &child);
}

static int with_signals(struct rv_context *ctx)
{
    static const int signals[] = {SIGUSR1, 0};
    struct rv_context *child = NULL;

    return finish(rv_context_with_signals(ctx, signals, &child), &child);
}

static int descriptor(struct rv_context *ctx)
{
    struct rv_context *child = NULL;
    int r = rv_context_with_cancel(ctx, &child);

    return finish(r == 0 && rv_context_fd(child) < 0 ? -EPROTO : r, &child);
}

static int after(struct rv_context *ctx)
{
    struct rv_after *after_it;
    int r = rv_context_after(ctx, nothing, NULL, &after_it);

    if (r == 0)
        rv_after_stop(after_it);
    return r;
}

static int visit(struct rv_context *ctx)
{
    int n = 0, r = rv_context_visit(ctx, count, &n);

    return r == 0 && n == 0 ? -EPROTO : r;
}

static int hook(struct rv_context *ctx)
{
    struct rv_runtime_hook mine = {.fn = hooked};
    struct rv_context *child = NULL;
    int r = rv_context_with_cancel(ctx, &child);

    if (r == 0 && rv_runtime_hook_add(child, &mine) == 0)
        rv_runtime_hook_remove(child, &mine);
    return finish(r, &child);
}

/* What passes things on -------------------------------------------------------------------------- */

static int channel(struct rv_context *ctx)
{
    struct rv_channel *made;
    char element = 'x', many[2];
    size_t count = 0;
    int r = rv_channel_create(1, 2, &made);

    if (r < 0)
        return r;
    rv_channel_unref(rv_channel_ref(made));
    r = rv_channel_send(ctx, made, &element);
    if (r == 0)
        r = rv_channel_try_send(made, &element);
    if (r == 0 &&
        rv_channel_length(made) + rv_channel_capacity(made) + rv_channel_element_size(made) != 5)
        r = -EPROTO;
    if (r == 0)
        r = rv_channel_recv(ctx, made, &element);
    if (r == 0)
        r = rv_channel_try_recv(made, &element);
    if (r == 0)
        r = rv_channel_send_many(ctx, made, "xy", 2, NULL);
    if (r == 0)
        r = rv_channel_recv_many(ctx, made, many, sizeof(many), &count);
    if (r == 0 && count != 2)
        r = -EPROTO;
    rv_channel_close(made);
    rv_channel_unref(made);
    return r;
}

static int selection(struct rv_context *ctx)
{
    struct rv_channel *made;
    char element = 'x';
    int r = rv_channel_create(1, 1, &made);

    if (r < 0)
        return r;
    struct rv_clause clauses[] = {RV_SEND(made, &element)};

    r = rv_select(ctx, clauses, 1, RV_SECOND);
    rv_channel_unref(made);
    return r;
}

static int fan(struct rv_context *ctx)
{
    struct rv_channel *in, *out;
    char element = 'x';
    int r = rv_channel_create(1, 1, &in);

    if (r < 0)
        return r;
    r = rv_channel_create(1, 1, &out);
    if (r < 0) {
        rv_channel_unref(in);
        return r;
    }
    rv_channel_try_send(in, &element);
    rv_channel_close(in);
    r = rv_fan_run(ctx, in, out, 1, copy, NULL);
    rv_channel_unref(in);
    rv_channel_unref(out);
    return r;
}

static int semaphore(struct rv_context *ctx)
{
    struct rv_semaphore *made;
    int r = rv_semaphore_create(2, &made);

    if (r < 0)
        return r;
    r = rv_semaphore_acquire(ctx, made, 1);
    if (r == 0)
        r = rv_semaphore_try_acquire(made, 1);
    if (r == 0)
        rv_semaphore_release(made, 2);
    rv_semaphore_destroy(made);
    return r;
}

/* What needs threads ----------------------------------------------------------------------------- */

static int group(struct rv_context *ctx)
{
    struct rv_group *made;
    int r = rv_group_create(ctx, &made), waited;

    if (r < 0)
        return r;
    rv_group_set_limit(made, 2);
    if (rv_context_err(rv_group_context(made)) == 0)
        r = rv_group_go(made, good, NULL);
    if (r == 0)
        r = rv_group_try_go(made, good, NULL);
    waited = rv_group_wait(made);
    return r < 0 ? r : waited;
}

static int pool(struct rv_context *ctx)
{
    struct rv_pool_options options = {.size = sizeof(options), .workers = 1, .timeout = RV_FOREVER};
    struct rv_pool_stats stats;
    struct rv_pool *made;
    int r = rv_pool_create(ctx, &options, &made);

    if (r < 0)
        return r;
    r = rv_pool_submit(ctx, made, good, NULL);
    if (r == 0)
        r = rv_pool_try_submit(made, good, NULL);
    if (r == 0)
        r = rv_pool_drain(ctx, made);
    rv_pool_stats(made, &stats);
    rv_pool_discard(made, -ECANCELED, "done");
    rv_pool_cancel(made, -ECANCELED, "done");
    rv_pool_destroy(made);
    return r;
}

static int once(struct rv_context *ctx)
{
    struct rv_once first = RV_ONCE_INIT, second = RV_ONCE_INIT;
    void *value = NULL;
    int r = rv_once_do(ctx, &first, good, NULL);

    if (r == 0)
        r = rv_once_run(ctx, &first, good, NULL);
    if (r == 0)
        r = rv_once_value(ctx, &second, give_value, &first, &value);
    if (r == 0 && value != &first)
        r = -EPROTO;
    rv_once_finish(&first);
    rv_once_finish(&second);
    return r;
}

static int ticker(struct rv_context *ctx)
{
    struct rv_ticker *made;
    rv_time time;
    int r = rv_ticker_create(RV_MILLISECOND, &made);

    if (r < 0)
        return r;
    r = rv_ticker_wait(ctx, made, &time);
    if (r == 0)
        r = rv_ticker_reset(made, RV_SECOND);
    rv_ticker_stop(made);
    rv_ticker_destroy(made);
    return r;
}

static int periodic(struct rv_context *ctx)
{
    struct rv_periodic_spec spec = {.size = sizeof(spec), .interval = RV_HOUR};
    struct rv_periodic *made;
    int r = rv_periodic_start(ctx, &spec, good, NULL, &made);

    if (r < 0)
        return r;
    rv_periodic_reschedule(made);
    rv_periodic_stop(made);
    r = rv_periodic_run(ctx, RV_MILLISECOND, once_only, NULL);
    return r == -EIO ? 0 : r;
}

/* What waits, files, commands -------------------------------------------------------------------- */

static int nap(struct rv_context *ctx)
{
    return rv_sleep(ctx, RV_MILLISECOND);
}

static int wait_for_descriptor(struct rv_context *ctx)
{
    int ends[2], r;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    r = rv_poll(ctx, ends[1], POLLOUT, RV_SECOND);
    close(ends[0]);
    close(ends[1]);
    return r < 0 ? r : 0;
}

static int command(struct rv_context *ctx)
{
    static char program[] = "true";
    char *const argv[] = {program, NULL};
    struct rv_command_result result = {0};
    int r = rv_command_run(ctx, argv, NULL, &result);

    free(result.output);
    return r < 0 ? r : result.exit_code;
}

static int files(struct rv_context *ctx)
{
    char path[64], other[80];
    int r;

    (void)ctx;
    snprintf(path, sizeof(path), "file-%d", (int)getpid());
    snprintf(other, sizeof(other), "%s-moved", path);
    unlink(path);
    unlink(other);
    r = rv_file_create(AT_FDCWD, path, "x", 1, 0600);
    if (r == 0)
        r = rv_file_replace(AT_FDCWD, path, "y", 1, 0600);
    if (r == 0)
        r = rv_file_move(AT_FDCWD, path, AT_FDCWD, other, 0);
    unlink(other);
    return r;
}

/* Texts, the log, the runtime -------------------------------------------------------------------- */

static int errors(struct rv_context *ctx)
{
    char url[] = "http://u:p@h/";
    int r = rv_wrap(rv_fail(-EIO, "a"), "b");

    (void)ctx;
    rv_redact_urls(url);
    if (r != -EIO || rv_error_text()[0] != 'b')
        return -EPROTO;
    rv_error_clear();
    return rv_fail_text(-EIO, "text") == -EIO && rv_error_text()[0] == 't' ? 0 : -EPROTO;
}

/* The sink is the host's; a module that sets one takes its own lines away from it. */
static int logging(struct rv_context *ctx)
{
    const struct rv_field field = {"key", "value"};

    rv_log(ctx, RV_LOG_DEBUG, "line");
    rv_log_fields(ctx, RV_LOG_DEBUG, &field, 1, "line");
    rv_log_set_level(RV_LOG_INFO);
    return 0;
}

static int runtime(struct rv_context *ctx)
{
    struct rv_runtime_options options = {.size = sizeof(options)};
    struct rv_runtime_stats stats;

    (void)ctx;
    rv_runtime_stats(&stats);
    return rv_runtime_configure(&options);
}

/* The host's ------------------------------------------------------------------------------------- */

static int submit(struct rv_context *ctx)
{
    return rv_submit(ctx, "ignored", "x", 1);
}

static int submit_to_nobody(struct rv_context *ctx)
{
    return rv_submit(ctx, "nobody", "x", 1);
}

static int submit_too_much(struct rv_context *ctx)
{
    static const char data[RV_JOB_DATA_MAX + 1];

    return rv_submit(ctx, "ignored", data, sizeof(data));
}

static int submit_without_context(struct rv_context *ctx)
{
    (void)ctx;
    return rv_submit(rv_context_background(), "ignored", "x", 1);
}

static int progress(struct rv_context *ctx)
{
    rv_progress(ctx, "%s", "progress");
    return 0;
}

static int fail_option(struct rv_context *ctx)
{
    return rv_fail_option(ctx, "label", "as told") == -EINVAL ? 0 : -EPROTO;
}

const struct call calls[] = {
    {"with_cancel", with_cancel},
    {"with_timeout", with_timeout},
    {"with_deadline", with_deadline},
    {"with_value", with_value},
    {"with_labels", with_labels},
    {"without_cancel", without_cancel},
    {"with_signals", with_signals},
    {"fd", descriptor},
    {"after", after},
    {"visit", visit},
    {"hook", hook},
    {"channel", channel},
    {"select", selection},
    {"fan", fan},
    {"semaphore", semaphore},
    {"group", group},
    {"pool", pool},
    {"once", once},
    {"ticker", ticker},
    {"periodic", periodic},
    {"sleep", nap},
    {"poll", wait_for_descriptor},
    {"command", command},
    {"files", files},
    {"errors", errors},
    {"log", logging},
    {"runtime", runtime},
    {"submit", submit},
    {"submit-nobody", submit_to_nobody},
    {"submit-much", submit_too_much},
    {"submit-context", submit_without_context},
    {"progress", progress},
    {"fail_option", fail_option},
    {NULL, NULL},
};
