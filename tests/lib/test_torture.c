/* SPDX-License-Identifier: MIT */
/*
 * Every allocation that can fail is made to fail once.
 *
 * The runtime's objects are linked into this program with its allocating calls wrapped. Each
 * scenario runs in a process of its own, again and again, with the first such call failing, the
 * second, and so on, until it runs through without a failure. Each time it must end with an error
 * that the header names, have set no output, lose nothing, and leave nothing behind: the sanitizer
 * or valgrind looks at that when the process exits.
 */
#include <reeve/channel.h>
#include <reeve/command.h>
#include <reeve/fan.h>
#include <reeve/once.h>
#include <reeve/pool.h>
#include <reeve/semaphore.h>
#include <reeve/sleep.h>
#include <reeve/ticker.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "tests/lib/torture.h"

/* Scenarios --------------------------------------------------------------- */

static struct rv_context *bg;

/* An output that a call which fails must not touch. */
#define UNTOUCHED ((void *)(uintptr_t)0x10)

typedef int (*make_context)(struct rv_context *parent, struct rv_context **ret_ctx,
                            struct rv_cancel **ret_cancel);

static int make_timed(struct rv_context *parent, struct rv_context **ret_ctx,
                      struct rv_cancel **ret_cancel)
{
    return rv_context_with_timeout(parent, RV_HOUR, ret_ctx, ret_cancel);
}

static int make_due(struct rv_context *parent, struct rv_context **ret_ctx,
                    struct rv_cancel **ret_cancel)
{
    return rv_context_with_deadline(parent, 1, ret_ctx, ret_cancel);
}

static int make_valued(struct rv_context *parent, struct rv_context **ret_ctx,
                       struct rv_cancel **ret_cancel)
{
    return rv_context_with_value(parent, &bg, &bg, ret_ctx, ret_cancel);
}

static int make_labelled(struct rv_context *parent, struct rv_context **ret_ctx,
                         struct rv_cancel **ret_cancel)
{
    return rv_context_with_labels(parent, &(struct rv_labels){"module", "task", 1}, ret_ctx,
                                  ret_cancel);
}

static int contexts(void)
{
    static const make_context makes[] = {
        rv_context_with_cancel,    make_timed, make_due, make_valued, make_labelled,
        rv_context_without_cancel,
    };
    struct rv_context *root = UNTOUCHED, *ctx;
    struct rv_cancel *cancel_root;
    struct rv_cause cause;
    int r = rv_context_with_cancel(bg, &root, &cancel_root);

    if (r < 0) {
        EXPECT(root == UNTOUCHED);
        return r;
    }
    for (size_t i = 0; i < sizeof(makes) / sizeof(makes[0]) && r == 0; i++) {
        ctx = UNTOUCHED;
        r = makes[i](root, &ctx, NULL);
        EXPECT(r == 0 || ctx == UNTOUCHED);
        if (r == 0)
            rv_context_unref(ctx);
    }
    /* Without memory for the text there is still the code. */
    rv_context_cancel(cancel_root, -EIO, "text");
    EXPECT(rv_context_cause(root, &cause) == -EIO);
    EXPECT(strcmp(cause.text, "text") == 0 || strcmp(cause.text, "Input/output error") == 0);
    rv_context_unref(root);
    return r;
}

static int context_fd(void)
{
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    struct pollfd fd = {.events = POLLIN};
    int r = rv_context_with_cancel(bg, &ctx, &cancel);

    if (r < 0)
        return r;
    fd.fd = rv_context_fd(ctx);
    r = fd.fd < 0 ? fd.fd : 0;
    /* Asked again it works. */
    if (r < 0)
        fd.fd = rv_context_fd(ctx);
    EXPECT(poll(&fd, 1, 0) == 0);
    rv_context_cancel(cancel, 0, NULL);
    EXPECT(poll(&fd, 1, 0) == 1);
    rv_context_unref(ctx);
    return r;
}

static void count_up(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static int after(void)
{
    struct rv_after *after = UNTOUCHED;
    _Atomic int ran = 0;
    struct rv_context *ctx;
    struct rv_cancel *cancel;
    int r = rv_context_with_cancel(bg, &ctx, &cancel);

    if (r < 0)
        return r;
    r = rv_after_create(ctx, count_up, &ran, &after);
    EXPECT(r == 0 || after == UNTOUCHED);
    rv_context_cancel(cancel, 0, NULL);
    if (r == 0) {
        /* A registered function runs, even if the first thread for it could not be had. */
        wait_value(&ran, 1);
        EXPECT(!rv_after_destroy(after));
    }
    rv_context_unref(ctx);
    return r;
}

static int signals(void)
{
    static const int list[] = {SIGUSR1, 0};
    struct rv_context *ctx = UNTOUCHED;
    struct sigaction action;
    int r = rv_context_with_signals(bg, list, &ctx, NULL);

    EXPECT(r == 0 || ctx == UNTOUCHED);
    if (r == 0) {
        kill(getpid(), SIGUSR1);
        EXPECT(rv_context_wait(ctx) == -ECANCELED);
        rv_context_unref(ctx);
    }
    sigaction(SIGUSR1, NULL, &action);
    EXPECT(action.sa_handler == SIG_DFL);
    return r;
}

static int channels(void)
{
    struct rv_channel *channel = UNTOUCHED;
    struct rv_context *ctx;
    int value = 1, fd = __real_eventfd(0, EFD_CLOEXEC), r;
    struct rv_clause clauses[] = {RV_RECV(NULL, &value), RV_READY(fd, POLLIN)};

    r = rv_channel_create(sizeof(int), 1, &channel);
    if (r < 0) {
        EXPECT(channel == UNTOUCHED);
        close(fd);
        return r;
    }
    r = rv_context_with_timeout(bg, RV_MILLISECOND, &ctx, NULL);
    if (r == 0) {
        /* Blocking is nothing that can fail. */
        EXPECT(rv_channel_send(bg, channel, &value) == 0);
        EXPECT(rv_channel_send(ctx, channel, &value) == -ETIMEDOUT);
        EXPECT(rv_channel_recv(bg, channel, &value) == 0);
        EXPECT(rv_channel_recv(ctx, channel, &value) == -ETIMEDOUT);
        rv_context_unref(ctx);
        clauses[0].channel = channel;
        r = rv_select(bg, clauses, 2, RV_MILLISECOND);
        r = r == -EAGAIN ? 0 : r;
        EXPECT(rv_channel_try_send(channel, &value) == 0); /* nobody is left in its queue */
        EXPECT(rv_channel_length(channel) == 1);
    }
    rv_channel_unref(channel);
    close(fd);
    return r;
}

static int waits(void)
{
    struct rv_semaphore *semaphore = UNTOUCHED;
    struct rv_context *ctx;
    int ends[2], r = rv_semaphore_create(1, &semaphore);

    if (r < 0) {
        EXPECT(semaphore == UNTOUCHED);
        return r;
    }
    EXPECT(pipe(ends) == 0);
    r = rv_context_with_timeout(bg, RV_MILLISECOND, &ctx, NULL);
    if (r == 0) {
        EXPECT(rv_semaphore_acquire(bg, semaphore, 1) == 0);
        EXPECT(rv_semaphore_acquire(ctx, semaphore, 1) == -ETIMEDOUT);
        rv_semaphore_release(semaphore, 1);
        EXPECT(rv_sleep(bg, RV_MICROSECOND) == 0);
        rv_context_unref(ctx);
        r = rv_poll(bg, ends[0], POLLIN, RV_MICROSECOND);
    }
    close(ends[0]);
    close(ends[1]);
    rv_semaphore_destroy(semaphore);
    return r;
}

static int run_and_count(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    atomic_fetch_add((_Atomic int *)arg, 1);
    return 0;
}

static int groups(void)
{
    struct rv_group *group = UNTOUCHED;
    _Atomic int ran = 0;
    int accepted = 0, r = rv_group_create(bg, &group), first = r;

    if (r < 0) {
        EXPECT(group == UNTOUCHED);
        return r;
    }
    rv_group_set_limit(group, 2);
    for (int i = 0; i < 3; i++) {
        r = rv_group_go(group, run_and_count, &ran);
        accepted += r == 0;
        first = first ? first : r;
    }
    EXPECT(rv_group_wait(group) == 0);
    rv_group_destroy(group);
    EXPECT(ran == accepted);
    return first;
}

struct books {
    _Atomic int finished, failed, lost;
};

static void note_end(const struct rv_outcome *end, void *arg)
{
    struct books *books = arg;

    atomic_fetch_add(end->kind == RV_OUTCOME_FINISHED ? &books->finished
                     : end->kind == RV_OUTCOME_FAILED ? &books->failed
                                                      : &books->lost,
                     1);
}

static int fail_once(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    return atomic_fetch_add((_Atomic int *)arg, 1) == 0 ? -EIO : 0;
}

static int pools(void)
{
    struct books books = {0};
    struct rv_pool_options options = {.size = sizeof(options),
                                      .workers = 2,
                                      .queue = 2,
                                      .timeout = RV_HOUR,
                                      .retries = 1,
                                      .backoff = RV_MICROSECOND,
                                      .ended = note_end,
                                      .arg = &books};
    struct rv_pool *pool = UNTOUCHED;
    struct rv_pool_stats stats;
    _Atomic int runs = 0, tries = 0;
    int r = rv_pool_create(bg, &options, &pool);

    if (r < 0) {
        EXPECT(pool == UNTOUCHED);
        return r;
    }
    for (int i = 0; i < 4; i++)
        EXPECT(rv_pool_submit(bg, pool, i == 1 ? fail_once : run_and_count,
                              i == 1 ? &tries : &runs) == 0);
    EXPECT(rv_pool_drain(bg, pool) == 0);
    rv_pool_stats(pool, &stats);
    EXPECT(stats.accepted == 4);
    EXPECT(stats.finished + stats.failed == 4);
    EXPECT(stats.finished == (uint64_t)books.finished && stats.failed == (uint64_t)books.failed);
    rv_pool_destroy(pool);
    EXPECT(books.finished + books.failed + books.lost == 4);
    /* A job that could not have its deadline or its retry has failed, and says so. */
    return books.failed ? -ENOMEM : 0;
}

static int pass_on(struct rv_context *ctx, const void *item, void *ret_result, void *arg)
{
    (void)ctx;
    (void)arg;
    *(int *)ret_result = *(const int *)item;
    return 0;
}

static int fans(void)
{
    struct rv_channel *in, *out;
    int value = 0, count = 0, r = rv_channel_create(sizeof(int), 4, &in);

    if (r < 0)
        return r;
    r = rv_channel_create(sizeof(int), 4, &out);
    if (r == 0) {
        for (; value < 4; value++)
            EXPECT(rv_channel_try_send(in, &value) == 0);
        rv_channel_close(in);
        r = rv_fan_run(bg, in, out, 2, pass_on, NULL);
        while (rv_channel_recv(bg, out, &value) == 0)
            count++;
        EXPECT(r != 0 || count == 4);
        EXPECT(rv_channel_close(out) == -EPIPE);
        rv_channel_unref(out);
    }
    rv_channel_unref(in);
    return r;
}

static int give_value(struct rv_context *ctx, void *arg, void **ret_value)
{
    (void)ctx;
    *ret_value = arg;
    return 0;
}

static int onces(void)
{
    struct rv_once once = RV_ONCE_INIT;
    void *value = UNTOUCHED;
    int r = rv_once_value(bg, &once, give_value, &once, &value);

    EXPECT(value == (r == 0 ? (void *)&once : UNTOUCHED));
    if (r < 0) {
        /* It has not run, and may yet. */
        EXPECT(once.state == NULL);
        EXPECT(rv_once_value(bg, &once, give_value, &once, &value) == 0);
    }
    rv_once_destroy(&once);
    return r;
}

static _Atomic int periodic_runs;

static int end_at_three(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
    return atomic_fetch_add(&periodic_runs, 1) == 2 ? -EDOM : 0;
}

static void note_code(int code, const char *text, void *arg)
{
    (void)text;
    (void)arg;
    atomic_store(&periodic_runs, code);
}

static int tickers(void)
{
    struct rv_ticker *ticker = UNTOUCHED;
    int r = rv_ticker_create(RV_MICROSECOND, &ticker);

    if (r < 0) {
        EXPECT(ticker == UNTOUCHED);
        return r;
    }
    EXPECT(rv_ticker_wait(bg, ticker, NULL) == 0);
    rv_ticker_destroy(ticker);
    r = rv_periodic_run(bg, RV_MICROSECOND, end_at_three, NULL);
    return r == -EDOM ? 0 : r;
}

static int periodics(void)
{
    struct rv_periodic_spec spec = {
        .size = sizeof(spec), .interval = RV_MICROSECOND, .ended = note_code};
    struct rv_periodic *periodic = UNTOUCHED;
    int r = rv_periodic_create(bg, &spec, end_at_three, NULL, &periodic);

    if (r < 0) {
        EXPECT(periodic == UNTOUCHED);
        return r;
    }
    /* It ends by itself, with its own error whatever there was no memory for, and says so once. */
    while (atomic_load(&periodic_runs) >= 0)
        sched_yield();
    EXPECT(rv_periodic_destroy(periodic) == -EDOM);
    EXPECT(atomic_load(&periodic_runs) == -EDOM);
    return 0;
}

/* As many deadlines as fill the timers' first heap, of 64, and some more. */
enum { DEADLINES_AT_ONCE = 56, DEADLINES = 72 };
static struct rv_context *deadlines[DEADLINES];

/* Without memory for one there is one less. */
static int add_deadlines(struct rv_context *ctx, void *arg)
{
    unsigned *count = arg;

    (void)ctx;
    do {
        if (make_timed(bg, &deadlines[*count], NULL) < 0)
            deadlines[*count] = NULL;
    } while (++*count < DEADLINES_AT_ONCE);
    return *count == DEADLINES ? -EDOM : 0;
}

/* Others may take the last place of the heap while it runs: there is one run after each of the last
 * deadlines. */
static int full_heap(void)
{
    struct rv_periodic_spec spec = {
        .size = sizeof(spec), .interval = RV_MICROSECOND, .ended = note_code};
    struct rv_periodic *periodic;
    unsigned count = 0;
    int r = rv_periodic_create(bg, &spec, add_deadlines, &count, &periodic);

    if (r < 0)
        return r;
    while (atomic_load(&periodic_runs) >= 0)
        sched_yield();
    EXPECT(rv_periodic_destroy(periodic) == -EDOM);
    for (unsigned i = 0; i < DEADLINES; i++)
        rv_context_unref(deadlines[i]);
    return 0;
}

static int commands(void)
{
    char *const argv[] = {(char *)"cat", NULL};
    struct rv_command_options options = {
        .size = sizeof(options), .input = "some input", .input_size = 10, .grace = 5 * RV_SECOND};
    struct rv_command_result result = {.output = UNTOUCHED};
    int r = rv_command_run(bg, argv, &options, &result);

    /* Zeroed when it could not be run; else there is always an output. */
    if (r < 0)
        EXPECT(result.output == NULL && result.output_size == 0);
    else
        EXPECT(strcmp(result.output, "some input") == 0 || result.truncated);
    free(result.output);
    return r;
}

static const struct scenario scenarios[] = {
    {"contexts", contexts, {-ENOMEM, -EAGAIN}, 8},
    {"context descriptor", context_fd, {-ENOMEM, -EMFILE}, 2},
    {"after", after, {-ENOMEM, -EAGAIN}, 3},
    {"signals", signals, {-ENOMEM, -EAGAIN, -EMFILE}, 4},
    {"channels and select", channels, {-ENOMEM, -EMFILE, -EAGAIN}, 4},
    {"semaphore, sleep, poll", waits, {-ENOMEM, -EMFILE, -EAGAIN}, 4},
    {"groups", groups, {-ENOMEM, -EAGAIN}, 4},
    {"pools", pools, {-ENOMEM, -EAGAIN}, 8},
    {"fans", fans, {-ENOMEM, -EAGAIN}, 7},
    {"once", onces, {-ENOMEM}, 5},
    {"tickers", tickers, {-ENOMEM}, 2},
    {"periodic functions", periodics, {-ENOMEM, -EAGAIN}, 6},
    {"a full heap of timers", full_heap, {-ENOMEM, -EAGAIN}, 90},
    /* The last one: see main(). */
    {"commands", commands, {-ENOMEM, -EMFILE, -EAGAIN}, 7},
};

int main(void)
{
    struct CMUnitTest tests[sizeof(scenarios) / sizeof(scenarios[0])] = {0};
    size_t count = sizeof(tests) / sizeof(tests[0]);
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    /* Debian 12's valgrind does not know the call. cmocka passes over a test without a function. */
    if (pidfd < 0)
        count--;
    else
        close(pidfd);
    /* Nothing here uses the runtime: the processes are forked without threads. */
    bg = rv_context_background();
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){.name = scenarios[i].name,
                                       .test_func = test_scenario,
                                       .initial_state = (void *)(uintptr_t)&scenarios[i]};
    return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}
