/* SPDX-License-Identifier: MIT */
/* Running a program to its end, with its output captured. */
#ifndef REEVE_COMMAND_H
#define REEVE_COMMAND_H

#include <stddef.h>

#include <reeve/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Begins as RV_COMMAND_DEFAULTS, as a grace of 0 is none. */
struct rv_command_options {
    size_t size RV_ZERO_;              /* sizeof(struct rv_command_options) */
    const char *directory RV_ZERO_;    /* working directory; NULL: the caller's */
    char *const *environment RV_ZERO_; /* NULL: the caller's */
    const void *input RV_ZERO_;        /* for its standard input */
    size_t input_size RV_ZERO_;
    /* Bytes kept of stdout and stderr together, half of them the first and half the last; 0: 64
     * KiB. The rest is read and dropped. */
    size_t output_max RV_ZERO_;
    /* Between SIGTERM and SIGKILL. 0 or less: SIGKILL follows at once; RV_FOREVER: no SIGKILL. */
    rv_duration grace RV_ZERO_;
};

/* An initialiser: a grace of 5 s, and nothing else but size. */
#define RV_COMMAND_DEFAULTS {.size = sizeof(struct rv_command_options), .grace = 5 * RV_SECOND}

struct rv_command_result {
    /* stdout and stderr as they came, terminated; the caller's to free(). Where some was dropped
     * stands a line "[... N bytes left out ...]", on top of output_max. */
    char *output;
    size_t output_size;
    int truncated; /* output was dropped: it was too long, or memory was short */
    int exit_code; /* -1 when a signal killed it */
    int signal;    /* 0 when it exited */
};

/*
 * Runs argv[0], found in PATH, in a process group of its own with default signals and no other
 * descriptors than 0 to 2, and waits for its end. When ctx is done its group gets SIGTERM, and
 * SIGKILL after the grace, and so does what it has started in a group of its own, as timeout does.
 * So does what is left of the group when the program has ended, however it has: nothing of the
 * group lives when the call returns. A process that has left the group of a program that ended by
 * itself is not touched, nor one that has left the session (setsid). Where a sandbox hides /proc, a
 * Linux before 6.13 tells of nothing but the group.
 *
 * The program's environment has the variable REEVE_COMMAND on top, by which what it starts is
 * known. options may be NULL, for RV_COMMAND_DEFAULTS, and so may ret_result.
 *
 * Where SIGCHLD is ignored (SIG_IGN, or SA_NOCLDWAIT), the kernel would drop the exit status. So it
 * has its default as long as a program runs; other children that end meanwhile stay until they are
 * waited for.
 *
 * Returns 0 when it exited with 0; the context's code after a cancel; -ECHILD, with a text that
 * tells the exit code or signal, when it failed; -EINVAL for options of an unknown size, or an argv
 * without a program;
 * -ENOENT, -EACCES, -EMFILE, -ENOMEM and the like, with a text, when it could not be run.
 * *ret_result is filled in whenever the program ran, and zeroed otherwise.
 */
int rv_command_run(struct rv_context *ctx, char *const *argv,
                   const struct rv_command_options *options,
                   struct rv_command_result *ret_result) RV_MUST_CHECK_;

#ifdef __cplusplus
}
#endif

#endif
