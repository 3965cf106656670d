/* SPDX-License-Identifier: MIT */
/* The threads that the library makes for itself. */
#ifndef REEVE_LIB_THREAD_H
#define REEVE_LIB_THREAD_H

#include <pthread.h>
#include <stddef.h>

/*
 * Starts a detached thread with such a stack (0: the process's default). All signals are blocked in
 * it but those that it causes itself, such as SIGSEGV: blocked, they would end the process before a
 * handler of the program, a sanitizer or another runtime could say why. Returns 0, and the thread's
 * id where ret_id is not NULL; or -EAGAIN.
 */
int thread_start(void *(*fn)(void *arg), void *arg, size_t stack_size, pthread_t *ret_id);

#endif
