/* SPDX-License-Identifier: MIT */
#include "host/standalone/standalone_report.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/text.h"
#include "host/crash/frames.h"
#include "host/crash/hang_stack.h"
#include "host/process/forked.h"
#include "host/report/board.h"
#include "wire/stack_text.h"

/* The module's. */
#define SLOT 0

static _Atomic bool exit_expected;

static void write_line(char *line, size_t size)
{
    text_sanitise(line);
    size = strnlen(line, size - 1);
    line[size++] = '\n';
    (void)!write(STDERR_FILENO, line, size);
}

/* Nothing here allocates, as a crash may have come from the allocator. */
static void report(const char *reason, const struct scoreboard_stack *stack)
{
    char line[2048], summary[160], facts[96], frames[1024];

    stack_summary(stack, summary, sizeof(summary));
    stack_facts(stack, facts, sizeof(facts));
    frames_format(stack, frames, sizeof(frames));
    snprintf(line, sizeof(line), "reeve-host: %s%s%s%s%s%s%s", reason, reason[0] ? "; " : "",
             summary, facts[0] ? " " : "", facts, frames[0] ? ", frames: " : "", frames);
    write_line(line, sizeof(line));
}

void standalone_report_crash(const struct scoreboard_stack *crash)
{
    report("", crash);
}

void standalone_end_hanging(const char *format, ...)
{
    char reason[512];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    report(reason, board_hang());
    _exit(1);
}

void standalone_end_stuck(const char *why)
{
    char what[SCOREBOARD_NAME_SIZE];
    uint64_t run;
    pid_t tid = board_longest_call(SLOT, what, &run);

    if (tid > 0) {
        hang_note(tid, SLOT, what, run);
        standalone_end_hanging("%s", why);
    }
    fprintf(stderr, "reeve-host: %s\n", why);
    _exit(1);
}

/* Its exit code may be that of a success, which this end is not. */
static void note_exit(int code, void *arg _unused_)
{
    if (atomic_load(&exit_expected) || forked_is())
        return;
    fprintf(stderr, "reeve-host: the module has called exit(%d)\n", code);
    fflush(NULL);
    _exit(code != 0 ? code : 1);
}

void standalone_watch_exit(void)
{
    on_exit(note_exit, NULL);
}

void standalone_expect_exit(void)
{
    atomic_store(&exit_expected, true);
}
