/* SPDX-License-Identifier: MIT */
/* The threads that the library, reeved and hosts make for themselves. */
#ifndef REEVE_BASE_THREAD_H
#define REEVE_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* For functions of our own, which have a packet of the wire or a text on their stack. The default
 * would be the process's limit for its main stack (ulimit -s, 8 MiB or far more), all of which
 * counts where data is limited (RLIMIT_DATA). */
#define THREAD_STACK_SIZE ((size_t)256 * 1024)

/*
 * Starts a detached thread with a stack of so many bytes. All signals are blocked in it but those
 * that it causes itself, such as SIGSEGV: blocked, they would end the process before a handler of
 * the program, a sanitizer or another runtime could say why. Returns 0, and the thread's id where
 * ret_id is not NULL; -EAGAIN when there is no thread or no memory for its stack; or -ENOMEM. The
 * static variables of threads come on top of the stack.
 */
int thread_start(void *(*fn)(void *arg), void *arg, size_t stack_size, pthread_t *ret_id);

/* The further bytes of such a stack, in bytes: for static variables of threads, and for the C
 * library. */
size_t thread_stack_beside(void);

#endif
