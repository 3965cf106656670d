/* SPDX-License-Identifier: MIT */
/*
 * Safety: the record is written by one party at a time: the thread that notes prepares it, hands it
 * to the handler by storing the thread's id in `target`, and takes it back by exchanging that for
 * 0. A handler that comes late finds 0 and does nothing; one that has begun has exchanged it first,
 * and is waited for.
 */
#include "host/crash/hang_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/thread_state.h"
#include "host/crash/frames.h"
#include "host/report/board.h"
#include "wire/scoreboard.h"

#define PATIENCE (500 * NSEC_PER_MSEC)

static _Atomic pid_t target;
static sem_t taken;
static _Atomic bool noted;

/* Given up for a file that is to be read, when a module has used up all descriptors. -1: it is
 * gone. */
static int spare = -1;

static int hang_signal(void)
{
    /* Real-time signals have no default of anybody's; the first few are taken by libraries. */
    return SIGRTMIN + 5;
}

static void note_own_stack(int signal _unused_, siginfo_t *info _unused_, void *context)
{
    pid_t self = gettid();
    int error = errno;

    if (atomic_compare_exchange_strong(&target, &self, 0)) {
        frames_note(board_hang(), context);
        sem_post(&taken);
    }
    errno = error;
}

int hang_install(void)
{
    struct sigaction action = {.sa_sigaction = note_own_stack,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    sem_init(&taken, 0, 0);
    spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigfillset(&action.sa_mask);
    return sigaction(hang_signal(), &action, NULL) < 0 ? -errno : 0;
}

static void wait_for_handler(pid_t tid)
{
    int64_t deadline = clock_monotonic() + PATIENCE;
    struct timespec until = {deadline / NSEC_PER_SEC, deadline % NSEC_PER_SEC};
    int r;

    while ((r = sem_clockwait(&taken, CLOCK_MONOTONIC, &until)) < 0 && errno == EINTR)
        ;
    /* One that has begun will be done in a moment, unless its stack is beyond use. */
    if (r < 0 && !atomic_compare_exchange_strong(&target, &tid, 0)) {
        until.tv_sec++;
        while (sem_clockwait(&taken, CLOCK_MONOTONIC, &until) < 0 && errno == EINTR)
            ;
    }
}

static void describe_state(pid_t tid, char *buffer, size_t size)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd < 0 && spare >= 0) {
        close(spare);
        spare = -1;
    }
    if (fd >= 0)
        close(fd);
    thread_state_describe(getpid(), tid, buffer, size);
}

bool hang_note(pid_t tid, uint32_t slot, const char *what, uint64_t run)
{
    struct scoreboard_stack *hang = board_hang();

    if (atomic_exchange(&noted, true))
        return false;
    /* The mark of a handler that came too late for an earlier one. */
    while (sem_trywait(&taken) == 0)
        ;
    scoreboard_write_begin(hang);
    hang->head.used = 1;
    hang->frame_count = 0;
    hang->module = slot;
    hang->tid = tid;
    hang->run = run;
    string_copy(hang->what, sizeof(hang->what), what);
    /* Before the signal wakes it. */
    describe_state(tid, hang->state, sizeof(hang->state));
    atomic_store(&target, tid);
    if (tgkill(getpid(), tid, hang_signal()) == 0)
        wait_for_handler(tid);
    atomic_store(&target, 0);
    scoreboard_write_end(hang);
    return true;
}

void hang_forget(void)
{
    struct scoreboard_stack *hang = board_hang();

    scoreboard_write_begin(hang);
    hang->head.used = 0;
    scoreboard_write_end(hang);
    atomic_store(&noted, false);
}
