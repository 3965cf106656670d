/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>

#include "base/macro.h"

#define STACK_MAX ((size_t)64 * 1024 * 1024)

static void block_what_others_send(sigset_t *ret_before)
{
    static const int own[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    sigset_t set;

    sigfillset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        sigdelset(&set, own[i]);
    pthread_sigmask(SIG_SETMASK, &set, ret_before);
}

int thread_start(void *(*fn)(void *arg), void *arg, size_t stack_size, pthread_t *ret_id)
{
    pthread_attr_t attributes;
    sigset_t before;
    pthread_t id;
    int r;

    r = pthread_attr_init(&attributes);
    if (r != 0)
        return -r;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack_size);
    block_what_others_send(&before);
    r = pthread_create(&id, &attributes, fn, arg);
    /* Variables of threads lie there, too: those of some library may want more than all of it. */
    while (r == EINVAL && stack_size < STACK_MAX) {
        stack_size *= 2;
        pthread_attr_setstacksize(&attributes, stack_size);
        r = pthread_create(&id, &attributes, fn, arg);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (r == 0 && ret_id)
        *ret_id = id;
    return -r;
}
