/* SPDX-License-Identifier: MIT */
/*
 * A module that uses up what its host has, and keeps it: a job of the pool "act" is a list of words that say what. Its task
 * "feed" has more for the pool "full" than that takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <reeve/module.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUPS 40

static _Atomic bool ill;

/* Of the job under way, which waits for them. */
static struct rv_group *groups[GROUPS];

struct exhausted {
    char *word;
};

/* Down to the last block that malloc() has; it is kept for as long as the process lives. */
static int use_memory(struct rv_context *ctx)
{
    (void)ctx;
    for (size_t size = 1 << 20; size >= 16; size /= 2)
        while (malloc(size))
            ;
    return 0;
}

/* The kernel counts what is mapped over only if it is longer than what was there. */
static int use_mapped_memory(struct rv_context *ctx)
{
    const size_t size = (size_t)96 << 20;
    char *memory = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)ctx;
    if (memory == MAP_FAILED || mmap(memory, size, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        return rv_fail(-errno, "mmap");
    memset(memory, 1, size);
    return 0;
}

/* In a session of its own. */
static int leave_child(struct rv_context *ctx)
{
    (void)ctx;
    if (fork() != 0)
        return 0;
    setsid();
    for (;;)
        pause();
}

static int wait_for_cancel(struct rv_context *ctx, void *arg)
{
    (void)arg;
    return rv_sleep(ctx, RV_FOREVER);
}

/* All threads of the runtime, for as long as the job lasts: a group alone would not get them. */
static int use_threads(struct rv_context *ctx)
{
    int r = 0;

    for (int i = 0; i < GROUPS && r == 0; i++) {
        r = rv_group_create(ctx, &groups[i]);
        while (r == 0 && rv_group_try_go(groups[i], wait_for_cancel, NULL) == 0)
            ;
    }
    /* Their stacks may take what memory there is. */
    return r == -ENOMEM ? 0 : r;
}

/* As if a limit of the kernel's (RLIMIT_NPROC, pids.max) were reached: from here on no thread can be made. */
static int refuse_threads(struct rv_context *ctx)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    (void)ctx;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0
               ? 0
               : rv_fail(-errno, "seccomp");
}

static int use_descriptors(struct rv_context *ctx)
{
    (void)ctx;
    while (dup(STDERR_FILENO) >= 0)
        ;
    return errno == EMFILE ? 0 : rv_fail(-errno, "dup");
}

/* What is written from here on finds no room. */
static int fill_disk(struct rv_context *ctx)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)ctx;
    return fd >= 0 && write(fd, "x", 1) < 0 && errno == ENOSPC ? 0 : rv_fail(-errno, "/dev/full");
}

static int fall_ill(struct rv_context *ctx)
{
    (void)ctx;
    ill = true;
    return 0;
}

static int ignore_cancel(struct rv_context *ctx)
{
    rv_log(ctx, RV_LOG_INFO, "waits");
    while (pause() < 0)
        ;
    return 0;
}

static int wait_for_end(struct rv_context *ctx)
{
    rv_log(ctx, RV_LOG_INFO, "waits");
    return rv_sleep(ctx, RV_FOREVER);
}

static const struct {
    const char *name;
    int (*fn)(struct rv_context *ctx);
} actions[] = {
    {"threads", use_threads},      {"processes", refuse_threads},    {"memory", use_memory},
    {"mapped", use_mapped_memory}, {"descriptors", use_descriptors}, {"disk", fill_disk},
    {"wait", wait_for_end},        {"child", leave_child},           {"ill", fall_ill},
    {"ignore", ignore_cancel},
};

static int perform(struct rv_context *ctx, const char *word)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(actions[i].name, word) == 0)
            return actions[i].fn(ctx);
    return rv_fail_text(-EINVAL, "there is no such action");
}

static void wait_for_groups(void)
{
    for (int i = 0; i < GROUPS; i++)
        if (groups[i])
            rv_group_wait(groups[i]);
    memset(groups, 0, sizeof(groups));
}

static int act(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    char words[256], *rest = words, *word;
    int r = 0;

    (void)state;
    snprintf(words, sizeof(words), "%.*s", (int)job->size, (const char *)job->data);
    while (r == 0 && (word = strsep(&rest, " ")))
        r = perform(ctx, word);
    if (r < 0 && rv_context_err(ctx) == 0)
        rv_log(ctx, RV_LOG_ERROR, "%s: %s", word, rv_error_text());
    wait_for_groups();
    return r;
}

static int feed(struct rv_context *ctx, void *state)
{
    int r = 0;

    (void)state;
    while (r == 0)
        r = rv_submit(ctx, "full", "", 0);
    return r;
}

static int run_full(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    (void)job;
    (void)state;
    return rv_sleep(ctx, RV_FOREVER);
}

/* Until fini: none is left for the pools. */
static struct rv_context *held;

static int init(struct rv_context *ctx, void *state)
{
    const struct exhausted *exhausted = state;
    int r;

    if (!exhausted->word || strcmp(exhausted->word, "threads") != 0)
        return 0;
    r = rv_context_with_cancel(ctx, &held);
    if (r == 0)
        (void)use_threads(held);
    return r;
}

static void fini(void *state)
{
    (void)state;
    if (!held)
        return;
    rv_context_cancel(held, -ECANCELED, "the end");
    wait_for_groups();
    held = rv_context_unref(held);
}

static int reload(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

static int health(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return ill ? rv_fail_text(-EIO, "as told") : 0;
}

RV_MODULE(.name = "exhausted", .summary = "Uses up what there is",
          .state_size = sizeof(struct exhausted),
          .options = RV_OPTIONS(RV_OPTION_STRING(struct exhausted, word)),
          .tasks = RV_TASKS({.name = "feed", .run = feed}),
          .pools = RV_POOLS({.name = "act", .run = act, .workers = 1},
                            {.name = "full", .run = run_full, .workers = 1, .queue = 1}),
          .init = init, .fini = fini, .reload = reload, .health = health);
