/* SPDX-License-Identifier: MIT */
#include "daemon/host/crash.h"

#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/host/board.h"

#define OBJECTS_MAX    256
#define ALTERNATE_SIZE (64 * 1024)

/* Written before any thread can crash in what it describes; read by the handler. */
struct object {
    uintptr_t start, end, base;
    char name[SCOREBOARD_NAME_SIZE];
};
static struct object objects[OBJECTS_MAX];
static _Atomic unsigned object_count;

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
static pthread_key_t stack_key;
static __thread bool prepared;

static int note_object(struct dl_phdr_info *info, size_t size unused, void *arg)
{
    unsigned *count = arg;
    struct object *object = &objects[*count];
    const char *slash = strrchr(info->dlpi_name, '/');

    if (*count == OBJECTS_MAX)
        return 1;
    *object = (struct object){.start = UINTPTR_MAX, .base = info->dlpi_addr};
    string_copy(object->name, sizeof(object->name),
                info->dlpi_name[0] == '\0' ? "reeve-host"
                : slash                    ? slash + 1
                                           : info->dlpi_name);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;

        if (segment->p_type != PT_LOAD)
            continue;
        object->start = MIN(object->start, start);
        object->end = MAX(object->end, start + segment->p_memsz);
    }
    ++*count;
    return 0;
}

void crash_map_objects(void)
{
    unsigned count = 0;

    /* A crash meanwhile finds no objects rather than half of them. */
    atomic_store(&object_count, 0);
    dl_iterate_phdr(note_object, &count);
    atomic_store(&object_count, count);
}

static void note_frame(struct scoreboard_frame *frame, uintptr_t address)
{
    frame->offset = address;
    frame->object[0] = '\0';
    for (unsigned i = 0; i < atomic_load(&object_count); i++)
        if (address >= objects[i].start && address < objects[i].end) {
            frame->offset = address - objects[i].base;
            memcpy(frame->object, objects[i].name, sizeof(frame->object));
        }
}

static uintptr_t instruction_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

/* The frame of the fault and those above it; the handler's own are left out. */
static void note_frames(struct scoreboard_crash *crash, uintptr_t instruction)
{
    void *addresses[SCOREBOARD_FRAMES + 8];
    int count = backtrace(addresses, (int)ARRAY_SIZE(addresses)), first = 0;

    for (int i = 0; i < count; i++)
        if ((uintptr_t)addresses[i] == instruction)
            first = i;
    for (int i = first; i < count && crash->frame_count < SCOREBOARD_FRAMES; i++)
        note_frame(&crash->frames[crash->frame_count++], (uintptr_t)addresses[i]);
}

static void crashed(int signal, siginfo_t *info, void *context)
{
    static _Atomic bool first_taken;
    struct scoreboard_crash *crash = board_crash();
    const struct board_activity *activity = board_activity();

    /* Of several threads that crash together the first one counts. */
    if (crash && !atomic_exchange(&first_taken, true)) {
        scoreboard_write_begin(crash);
        crash->head.used = 1;
        crash->signal = signal;
        crash->code = info->si_code;
        crash->address = (uint64_t)(uintptr_t)info->si_addr;
        crash->instruction = instruction_of(context);
        crash->module = activity->slot;
        crash->tid = gettid();
        crash->run = activity->run;
        if (activity->what)
            string_copy(crash->what, sizeof(crash->what), activity->what);
        note_frames(crash, (uintptr_t)crash->instruction);
        scoreboard_write_end(crash);
    }
    /* The default action is back (SA_RESETHAND): a fault comes again when we return; what was sent
     * must be sent again. */
    if (info->si_code <= 0)
        raise(signal);
}

static void free_stack(void *stack)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    sigaltstack(&none, NULL);
    munmap(stack, ALTERNATE_SIZE);
}

void crash_prepare_thread(void)
{
    stack_t stack = {.ss_size = ALTERNATE_SIZE};
    sigset_t set;

    if (prepared)
        return;
    prepared = true;
    /* Threads of the runtime block every signal; a fault that is blocked would kill without a word.
     */
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
        sigaddset(&set, crash_signals[i]);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    stack.ss_sp =
        mmap(NULL, ALTERNATE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED)
        return;
    pthread_setspecific(stack_key, stack.ss_sp);
    sigaltstack(&stack, NULL);
}

int crash_install(void)
{
    struct sigaction action = {.sa_sigaction = crashed,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND};
    void *warm_up[4];

    if (pthread_key_create(&stack_key, free_stack) != 0)
        return -EAGAIN;
    /* Loads the unwinder now: a handler must not. */
    backtrace(warm_up, (int)ARRAY_SIZE(warm_up));
    crash_map_objects();
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
        if (sigaction(crash_signals[i], &action, NULL) < 0)
            return -errno;
    crash_prepare_thread();
    return 0;
}
