/* SPDX-License-Identifier: MIT */
/*
 * A module that does everything wrong, one thing at a time: the job's data says which. Its task "tick"
 * is honest work in the same process.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <reeve/module.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boards.h"
#include "reach.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Volatile, so that the compiler does not see what it points to. */
static char *volatile nowhere;

static int dereference_null(struct rv_context *ctx)
{
    (void)ctx;
    *nowhere = 1;
    return 0;
}

/* As the runtime of another language that is in the process does with a fault in code that is not its own: its handler calls
 * the one from before, on a stack of its own, and nothing tells how to unwind what lies between. */
static struct sigaction handler_before;

#if defined(__x86_64__)
void call_on_stack(int signal, siginfo_t *info, void *context, char *stack,
                   void (*fn)(int signal, siginfo_t *info, void *context));

__asm__(".pushsection .text\n"
        "call_on_stack:\n\t"
        "push %rbp\n\t"
        "mov %rsp, %rbp\n\t"
        "mov %rcx, %rsp\n\t"
        "call *%r8\n\t"
        "mov %rbp, %rsp\n\t"
        "pop %rbp\n\t"
        "ret\n\t"
        ".popsection\n");
#else
static void call_on_stack(int signal, siginfo_t *info, void *context, char *stack,
                          void (*fn)(int signal, siginfo_t *info, void *context))
{
    (void)stack;
    fn(signal, info, context);
}
#endif

static void forward(int signal, siginfo_t *info, void *context)
{
    static char stack[64 * 1024] __attribute__((aligned(16)));

    call_on_stack(signal, info, context, stack + sizeof(stack), handler_before.sa_sigaction);
}

static int crash_beside_another_runtime(struct rv_context *ctx)
{
    struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigfillset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &handler_before);
    return dereference_null(ctx);
}

static int crash_in_a_group(struct rv_context *ctx, void *arg)
{
    (void)arg;
    return dereference_null(ctx);
}

static int crash_on_another_thread(struct rv_context *ctx)
{
    struct rv_group *group;
    int r = rv_group_create(ctx, &group);

    if (r == 0)
        r = rv_group_go(group, crash_in_a_group, NULL);
    return r < 0 ? r : rv_group_wait(group);
}

static void *crash_at_the_barrier(void *barrier)
{
    pthread_barrier_wait(barrier);
    *nowhere = 1;
    return NULL;
}

/* In three threads at once. */
static int crash_together(struct rv_context *ctx)
{
    pthread_barrier_t barrier;
    pthread_t thread;

    (void)ctx;
    pthread_barrier_init(&barrier, NULL, 3);
    for (int i = 0; i < 2; i++)
        pthread_create(&thread, NULL, crash_at_the_barrier, &barrier);
    crash_at_the_barrier(&barrier);
    return 0;
}

static int deeper(volatile char *before)
{
    volatile char frame[4096];

    frame[0] = *before;
    return nowhere ? 0 : deeper(frame) + frame[0];
}

static int overflow_stack(struct rv_context *ctx)
{
    volatile char first = 0;

    (void)ctx;
    return deeper(&first);
}

/* What the allocator keeps of its blocks lies between them. */
static int corrupt_heap(struct rv_context *ctx)
{
    char *blocks[64];

    (void)ctx;
    for (int i = 0; i < 64; i++)
        blocks[i] = malloc(200);
    for (int i = 0; i < 64; i++)
        if (blocks[i]) {
            char *volatile past = blocks[i];

            memset(past, 0xA5, 240);
        }
    for (int i = 0; i < 64; i++)
        free(blocks[i]);
    abort(); /* an allocator that did not notice */
}

static int call_abort(struct rv_context *ctx)
{
    (void)ctx;
    abort();
}

static int call_exit(struct rv_context *ctx)
{
    (void)ctx;
    exit(0);
}

static int spin(struct rv_context *ctx)
{
    (void)ctx;
    while (nowhere == NULL)
        ;
    return 0;
}

static int sleep_with_lock(struct rv_context *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&lock);
    while (!nowhere)
        pause();
    return 0;
}

static int ignore_cancel(struct rv_context *ctx)
{
    while (!nowhere)
        if (rv_sleep(ctx, RV_SECOND) != 0)
            poll(NULL, 0, 1000);
    return 0;
}

static int block_signals(struct rv_context *ctx)
{
    sigset_t all;

    (void)ctx;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    while (!nowhere)
        pause();
    return 0;
}

/* Until there is none left, every page of it in use; and then as one that takes that for impossible. */
static int leak_memory(struct rv_context *ctx)
{
    const size_t piece = 1 << 20;
    char *memory;

    (void)ctx;
    while ((memory = malloc(piece)))
        memset(memory, 1, piece);
    abort();
}

/* Until there are none left: for as long as the process lives. */
static int leak_descriptors(struct rv_context *ctx)
{
    int fd, count = 0;

    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    rv_progress(ctx, "%d descriptors", count);
    return rv_fail(-errno, "open");
}

static void *wait_for_ever(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

/* A bounded number, as the machine has other users. */
static int leak_threads(struct rv_context *ctx)
{
    pthread_attr_t small;
    pthread_t thread;
    int count = 0;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32 * 1024);
    while (count < 1000 && pthread_create(&thread, &small, wait_for_ever, NULL) == 0)
        count++;
    pthread_attr_destroy(&small);
    rv_progress(ctx, "%d threads", count);
    return 0;
}

static int close_everything(struct rv_context *ctx)
{
    (void)ctx;
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    return 0;
}

/* The memory in which the host tells how things stand. */
static int smear_scoreboard(struct rv_context *ctx)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    int found = 0;

    (void)ctx;
    while (maps && fgets(line, sizeof(line), maps)) {
        char *start, *end;

        if (!strstr(line, "memfd:reeve-scoreboard"))
            continue;
        start = (char *)strtoul(line, &end, 16);
        memset(start, 0xFF, (size_t)((char *)strtoul(end + 1, NULL, 16) - start));
        found = 1;
    }
    if (maps)
        fclose(maps);
    return found ? 0 : rv_fail_text(-ENOENT, "there is no scoreboard");
}

/* Another file in place of our own, for the frames of a crash. */
static int name_another_file(struct rv_context *ctx)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    const char *other = getenv("HOSTILE_OBJECT");
    char line[512];

    (void)ctx;
    while (maps && other && fgets(line, sizeof(line), maps)) {
        char *start, *end, *own;

        if (!strstr(line, "memfd:reeve-scoreboard"))
            continue;
        start = (char *)strtoul(line, &end, 16);
        end = (char *)strtoul(end + 1, NULL, 16);
        own = memmem(start, (size_t)(end - start), "/hostile.so", 11);
        while (own && own > start && own[-1] != '\0')
            own--;
        if (own)
            strcpy(own, other);
    }
    abort();
}

static int smear_socket(struct rv_context *ctx)
{
    (void)ctx;
    return send(3, "rubbish", 7, MSG_NOSIGNAL) < 0 ? rv_fail(-errno, "send") : 0;
}

static int flood_socket(struct rv_context *ctx)
{
    char packet[512] = "";

    (void)ctx;
    while (!nowhere)
        send(3, packet, sizeof(packet), MSG_NOSIGNAL | MSG_DONTWAIT);
    return 0;
}

/* In sessions of their own, deaf to everything that can be blocked. */
static int leave_children(struct rv_context *ctx)
{
    int status = 0;

    (void)ctx;
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();

        if (pid < 0)
            status = -errno;
        if (pid == 0) {
            setsid();
            if (fork() > 0)
                _exit(0);
            for (;;)
                pause();
        }
    }
    if (status < 0)
        return rv_fail(status, "fork");
    abort();
}

static int flood_log(struct rv_context *ctx)
{
    for (int i = 0; rv_context_err(ctx) == 0 && i < 200000; i++)
        rv_log(ctx, RV_LOG_ERROR, "flood %d \x1b[2J\nERROR forged line", i);
    return 0;
}

static int signal_supervisor(struct rv_context *ctx)
{
    const char *way = reach_process(getppid());

    (void)ctx;
    return way ? rv_fail_text(-EPROTO, "the supervisor is in reach by %s", way) : 0;
}

static int touch_lock(void)
{
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return 0;
}

static const struct {
    const char *name;
    int (*fn)(struct rv_context *ctx);
} actions[] = {
    {"null", dereference_null},
    {"group", crash_on_another_thread},
    {"forward", crash_beside_another_runtime},
    {"together", crash_together},
    {"stack", overflow_stack},
    {"heap", corrupt_heap},
    {"abort", call_abort},
    {"exit", call_exit},
    {"spin", spin},
    {"lock", sleep_with_lock},
    {"ignore", ignore_cancel},
    {"deaf", block_signals},
    {"memory", leak_memory},
    {"fds", leak_descriptors},
    {"threads", leak_threads},
    {"close", close_everything},
    {"smear-scoreboard", smear_scoreboard},
    {"half-written", board_leave_half_written},
    {"smear-socket", smear_socket},
    {"name-another", name_another_file},
    {"flood-socket", flood_socket},
    {"children", leave_children},
    {"flood-log", flood_log},
    {"signal", signal_supervisor},
};

static int act(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strlen(actions[i].name) == job->size &&
            memcmp(actions[i].name, job->data, job->size) == 0)
            return actions[i].fn(ctx);
    return rv_fail_text(-EINVAL, "there is no such action");
}

static int tick(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return touch_lock();
    return 0;
}

RV_MODULE(.name = "hostile", .summary = "Does everything wrong, when told to",
          .tasks = RV_TASKS({.name = "tick", .run = tick, .every = "20ms"}),
          .pools = RV_POOLS({.name = "act", .run = act, .workers = 1}), );
