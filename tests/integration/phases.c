/* SPDX-License-Identifier: MIT */
/*
 * A module that makes every call in every phase of its life, on threads of its own, and in processes that it has forked. It
 * says "PHASE CALL ANSWER" on standard error, before a call and after it.
 */
#include <errno.h>
#include <pthread.h>
#include <reeve/module.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "phases_calls.h"

/* A call in a child that takes so long hangs. */
#define PATIENCE_SECONDS 10

struct phases {
    char *label;
    char *phase; /* that is to make calls */
};

/* Kept from init, as a module may, for those phases that are given none. */
static struct rv_context *kept;
static char chosen[32];

static const char *name_of(int r)
{
    return r == 0 ? "OK" : r < 0 ? strerrorname_np(-r) : "positive";
}

static void call_all(const char *phase, struct rv_context *ctx)
{
    if (strcmp(phase, chosen) != 0)
        return;
    for (const struct call *call = calls; call->name; call++)
        dprintf(STDERR_FILENO, "%s %s %s\n", phase, call->name, name_of(call->fn(ctx)));
    dprintf(STDERR_FILENO, "%s is over\n", phase);
}

static const char *ending_of(int status)
{
    if (WIFEXITED(status))
        return name_of(-WEXITSTATUS(status));
    return WTERMSIG(status) == SIGALRM ? "hangs" : "crashes";
}

/* Each in a process of its own, as one that hangs keeps the rest from being made. */
static void call_all_forked(struct rv_context *ctx)
{
    if (strcmp(chosen, "forked") != 0)
        return;
    for (const struct call *call = calls; call->name; call++) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
            sigset_t none;

            sigemptyset(&none);
            sigprocmask(SIG_SETMASK, &none, NULL);
            alarm(PATIENCE_SECONDS);
            _exit(-call->fn(ctx));
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            abort();
        dprintf(STDERR_FILENO, "forked %s %s\n", call->name, ending_of(status));
    }
    dprintf(STDERR_FILENO, "forked is over\n");
}

static void *run_foreign(void *arg)
{
    call_all("foreign", arg);
    return NULL;
}

static int take_options(struct rv_context *ctx, const void *state)
{
    const struct phases *phases = state;

    snprintf(chosen, sizeof(chosen), "%s", phases->phase);
    call_all("check", ctx);
    return 0;
}

static int init(struct rv_context *ctx, void *state)
{
    (void)state;
    kept = ctx;
    call_all("init", ctx);
    return 0;
}

static int reload(struct rv_context *ctx, void *state)
{
    (void)state;
    call_all("reload", ctx);
    return 0;
}

static void fini(void *state)
{
    (void)state;
    call_all("fini", kept);
}

static int health(struct rv_context *ctx, void *state)
{
    static bool asked;

    (void)state;
    if (!asked)
        call_all("health", ctx);
    asked = true;
    return 0;
}

static int act(struct rv_context *ctx, void *state)
{
    pthread_t thread;

    (void)state;
    call_all("task", ctx);
    if (strcmp(chosen, "foreign") == 0 && pthread_create(&thread, NULL, run_foreign, ctx) == 0)
        pthread_join(thread, NULL);
    call_all_forked(ctx);
    return 0;
}

static int work(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    (void)job;
    (void)state;
    call_all("job", ctx);
    return 0;
}

static void ended(const struct rv_job *job, int code, void *state)
{
    (void)job;
    (void)code;
    (void)state;
    call_all("ended", kept);
}

static int ignore(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    (void)ctx;
    (void)job;
    (void)state;
    return 0;
}

/* As the file is loaded, which is all that happens where it is only described. */
__attribute__((constructor)) static void construct(void)
{
    const char *phase = getenv("PHASES");

    snprintf(chosen, sizeof(chosen), "%s", phase ? phase : "");
    call_all("constructor", rv_context_background());
}

RV_MODULE(.name = "phases", .summary = "Makes every call in every phase",
          .state_size = sizeof(struct phases),
          .options = RV_OPTIONS(RV_OPTION_STRING(struct phases, label, .fallback = "a"),
                                RV_OPTION_STRING(struct phases, phase, .fallback = "none")),
          .tasks = RV_TASKS({.name = "act", .run = act}),
          .pools = RV_POOLS({.name = "work", .run = work, .ended = ended, .workers = 1},
                            {.name = "ignored", .run = ignore, .workers = 1, .queue = 1000}),
          .check = take_options, .init = init, .fini = fini, .reload = reload, .health = health);
