/* SPDX-License-Identifier: MIT */
/*
 * Making every allocating call of a scenario fail once. The program that includes this is linked
 * with the runtime's objects and -Wl,--wrap for each call below.
 */
#ifndef REEVE_TESTS_LIB_TORTURE_H
#define REEVE_TESTS_LIB_TORTURE_H

#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/support/test.h"

/* Faults ------------------------------------------------------------------ */

#define ALL_FAIL -1

static _Atomic int calls_left; /* until the one that fails; 0: none does; or ALL_FAIL */
static _Atomic bool failed;

static inline bool fails(void)
{
    int left = atomic_load(&calls_left);

    if (left == ALL_FAIL)
        return true;
    while (left > 0 && !atomic_compare_exchange_weak(&calls_left, &left, left - 1))
        ;
    if (left == 1)
        atomic_store(&failed, true);
    return left == 1;
}

#define WRAP(type, name, failure, parameters, arguments) \
    type __real_##name parameters;                       \
    type __wrap_##name parameters;                       \
    type __wrap_##name parameters                        \
    {                                                    \
        if (fails())                                     \
            return failure;                              \
        return __real_##name arguments;                  \
    }

#define OR_ERRNO(error, value) (errno = (error), (value))

WRAP(void *, malloc, OR_ERRNO(ENOMEM, NULL), (size_t size), (size))
WRAP(void *, calloc, OR_ERRNO(ENOMEM, NULL), (size_t count, size_t size), (count, size))
WRAP(void *, realloc, OR_ERRNO(ENOMEM, NULL), (void *old, size_t size), (old, size))
WRAP(void *, reallocarray, OR_ERRNO(ENOMEM, NULL), (void *old, size_t count, size_t size),
     (old, count, size))
WRAP(void *, aligned_alloc, OR_ERRNO(ENOMEM, NULL), (size_t alignment, size_t size),
     (alignment, size))
WRAP(int, posix_memalign, ENOMEM, (void **ret, size_t alignment, size_t size),
     (ret, alignment, size))
WRAP(char *, strdup, OR_ERRNO(ENOMEM, NULL), (const char *text), (text))
WRAP(int, pthread_create, EAGAIN,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg),
     (thread, attributes, fn, arg))
WRAP(int, eventfd, OR_ERRNO(EMFILE, -1), (unsigned count, int flags), (count, flags))
WRAP(int, pipe2, OR_ERRNO(EMFILE, -1), (int ends[2], int flags), (ends, flags))
WRAP(int, memfd_create, OR_ERRNO(EMFILE, -1), (const char *name, unsigned flags), (name, flags))
WRAP(int, posix_spawn_file_actions_adddup2, ENOMEM,
     (posix_spawn_file_actions_t * actions, int from, int to), (actions, from, to))
WRAP(int, posix_spawnp, EAGAIN,
     (pid_t * pid, const char *file, const posix_spawn_file_actions_t *actions,
      const posix_spawnattr_t *attributes, char *const *argv, char *const *environment),
     (pid, file, actions, attributes, argv, environment))

/* Scenarios --------------------------------------------------------------- */

struct scenario {
    const char *name;
    int (*run)(void);
    int allowed[3];
    int least; /* so many calls fail in it whatever the timing, or one is no longer wrapped */
};

/* The result of a scenario when something is not as it must be. */
#define WRONG 1
#define EXPECT(condition)                                           \
    do {                                                            \
        if (!(condition)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            return WRONG;                                           \
        }                                                           \
    } while (0)

/* Running them ------------------------------------------------------------ */

/* How a process ends: went through, went well with a failure, or went wrong. A leak is none of
 * these. */
enum { THROUGH = 0, COPED = 40, BROKEN = 41 };

static inline int judge(const struct scenario *scenario, int r)
{
    bool allowed = r == 0;

    for (int i = 0; i < 3; i++)
        allowed = allowed || (r < 0 && r == scenario->allowed[i]);
    if (!allowed && r != WRONG)
        fprintf(stderr, "returned %d\n", r);
    if (!atomic_load(&failed))
        return r == 0 ? THROUGH : BROKEN;
    return allowed ? COPED : BROKEN;
}

static inline int run_failing(const struct scenario *scenario, int nth)
{
    int status, r;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(60);
        atomic_store(&calls_left, nth);
        r = scenario->run();
        atomic_store(&calls_left, 0);
        exit(judge(scenario, r));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status))
        return -WTERMSIG(status);
    return WEXITSTATUS(status);
}

static inline void test_scenario(void **state)
{
    const struct scenario *scenario = *state;
    int nth = 1, end;

    while ((end = run_failing(scenario, nth)) == COPED)
        nth++;
    if (end != THROUGH)
        fail_msg("with call %d failing it ended with %d", nth, end);
    if (nth <= scenario->least)
        fail_msg("only %d calls fail in it", nth - 1);
}

/* ThreadSanitizer waits for a second at the end of each process, for more to report. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "atexit_sleep_ms=10";
}

#endif
