/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include "base/macro.h"

typedef size_t (*minimum_fn)(const pthread_attr_t *attributes);

static void block_what_others_send(sigset_t *ret_before)
{
    static const int own[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    sigset_t set;

    sigfillset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        sigdelset(&set, own[i]);
    pthread_sigmask(SIG_SETMASK, &set, ret_before);
}

/* glibc tells it only here, for languages that bring threads of their own (Rust, Java); other C
 * libraries add it by themselves. */
size_t thread_stack_beside(void)
{
    minimum_fn minimum = (minimum_fn)dlsym(RTLD_DEFAULT, "__pthread_get_minstack");
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 0;
    pthread_attr_t attributes;

    if (minimum && pthread_attr_init(&attributes) == 0) {
        size = (minimum(&attributes) + page - 1) / page * page;
        pthread_attr_destroy(&attributes);
    }
    return size;
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
    pthread_attr_setstacksize(&attributes, stack_size + thread_stack_beside());
    block_what_others_send(&before);
    r = pthread_create(&id, &attributes, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (r == 0 && ret_id)
        *ret_id = id;
    return -r;
}
