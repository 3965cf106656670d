/* SPDX-License-Identifier: MIT */
#include "host/crash/crash.h"

#include <errno.h>
#include <pthread.h>
#include <reeve/host.h>
#include <reeve/runtime.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/size.h"
#include "base/text.h"
#include "base/thread.h"
#include "host/crash/frames.h"
#include "host/crash/hang_stack.h"
#include "host/process/forked.h"
#include "host/report/board.h"
#include "wire/scoreboard.h"

#define ALTERNATE_SIZE (64 * 1024)

/* How far below the stack a push may lie, and how long a frame may be to count as one. */
#define GUARD         ((uintptr_t)4096)
#define LONGEST_FRAME ((uintptr_t)256 * 1024 * 1024)

/* For the first thread that crashes to note its stack. */
#define PATIENCE_SECONDS 5

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
static void (*report_crash)(const struct scoreboard_stack *crash);
static pthread_key_t stack_key;

/* Of the calling thread; 0, where it is not known. Below it lies the guard. */
static __thread uintptr_t stack_end;
static __thread size_t stack_size;

static uintptr_t stack_pointer_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return context->uc_mcontext.sp;
#else
    (void)context;
    return 0;
#endif
}

/* A call, or a variable, that lies below the stack. A frame may be longer than the guard. */
static bool is_overflow(int signal, const siginfo_t *info, const void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr, pointer = stack_pointer_of(context);
    bool is_fault = (signal == SIGSEGV || signal == SIGBUS) && info->si_code > 0;

    return is_fault && stack_end > 0 && address < stack_end &&
           (address >= stack_end - GUARD || (pointer < stack_end && address >= pointer - GUARD &&
                                             pointer > stack_end - LONGEST_FRAME));
}

/* A signal that was sent has no address. Code that calls abort(), or raises it otherwise, needs not
 * be told. */
static uint64_t address_of(const siginfo_t *info)
{
    if (info->si_code > 0)
        return (uint64_t)(uintptr_t)info->si_addr;
    if ((info->si_code != SI_USER && info->si_code != SI_QUEUE && info->si_code != SI_TKILL) ||
        info->si_pid == getpid())
        return 0;
    return (uint64_t)info->si_uid << 32 | (uint32_t)info->si_pid;
}

static void note(int signal, const siginfo_t *info, const void *context)
{
    struct scoreboard_stack *crash = board_crash();
    const struct board_activity *activity = board_activity();

    if (!crash || forked_is())
        return;
    scoreboard_write_begin(crash);
    crash->head.used = 1;
    crash->signal = signal;
    crash->code = info->si_code;
    crash->address = address_of(info);
    crash->module = activity->slot;
    crash->tid = gettid();
    crash->run = activity->run;
    crash->state[0] = '\0';
    if (is_overflow(signal, info, context))
        size_format(stack_size, crash->state, sizeof(crash->state));
    if (activity->what)
        string_copy(crash->what, sizeof(crash->what), activity->what);
    frames_note(crash, context);
    scoreboard_write_end(crash);
    if (report_crash)
        report_crash(crash);
}

/* Every signal is blocked meanwhile: a fault in here kills at once. */
static void crashed(int signal, siginfo_t *info, void *context)
{
    static const struct timespec patience = {PATIENCE_SECONDS, 0};
    static const struct sigaction fallback = {.sa_handler = SIG_DFL};
    static _Atomic bool first_taken;

    /* Of several threads that crash together the first one counts. It ends the process when its
     * stack is noted; the others must not do so before, unless it never comes that far. */
    if (!atomic_exchange(&first_taken, true))
        note(signal, info, context);
    else
        nanosleep(&patience, NULL);
    sigaction(signal, &fallback, NULL);
    /* A fault comes again when we return; what was sent must be sent again, and after these two the
     * thread would go on behind the place. */
    if (info->si_code <= 0 || signal == SIGTRAP || signal == SIGSYS)
        raise(signal);
}

static void free_stack(void *stack)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    sigaltstack(&none, NULL);
    munmap(stack, ALTERNATE_SIZE);
}

/* A handler must not ask for them. beside: what the stack has beside what somebody asked for. */
static void note_bounds(size_t beside)
{
    pthread_attr_t attributes;
    void *end;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getstack(&attributes, &end, &stack_size) == 0) {
        stack_end = (uintptr_t)end;
        stack_size -= MIN(stack_size, beside);
    }
    pthread_attr_destroy(&attributes);
}

/* Gives a thread a stack to crash on, and lets all signals through. */
static void prepare(size_t beside)
{
    stack_t stack = {.ss_size = ALTERNATE_SIZE};
    sigset_t none;

    /* Threads of the runtime block every signal. A fault that is blocked would kill without a word,
     * and so would every program that a module starts begin, deaf to whoever wants to end it. */
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    note_bounds(beside);
    stack.ss_sp =
        mmap(NULL, ALTERNATE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED)
        return;
    pthread_setspecific(stack_key, stack.ss_sp);
    sigaltstack(&stack, NULL);
}

static void prepare_thread(void)
{
    prepare(thread_stack_beside());
}

int crash_install(void (*report)(const struct scoreboard_stack *crash))
{
    struct sigaction action = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    int r = forked_watch();

    if (r < 0)
        return r;
    if (pthread_key_create(&stack_key, free_stack) != 0)
        return -EAGAIN;
    report_crash = report;
    frames_install();
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
        if (sigaction(crash_signals[i], &action, NULL) < 0)
            return -errno;
    rv_host_set_thread_start(prepare_thread);
    prepare(0);
    return hang_install();
}
