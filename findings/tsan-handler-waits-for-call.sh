#!/bin/sh
# SPDX-License-Identifier: MIT
# Under ThreadSanitizer a signal handler does not run while its thread waits, in most calls.
#
# Guess: a sanitizer changes what a program costs, and not what it does. A handler that writes to a pipe, so that the program ends,
# runs at once in whatever call the thread waits, with SA_RESTART too.
# Seen with GCC 14.2: the sanitizer's own handler only notes the signal. Ours is called when the thread next leaves a call that the
# sanitizer intercepts; for a few of these, such as epoll_wait(), that is at once. In futex(2) by syscall(), which it does not
# know, and in read() from a pipe, both restarted for SA_RESTART, it waits for as long as the thread does: Ctrl-C does nothing. Without
# SA_RESTART read() fails with EINTR, and the handler has run by then.
. "$(dirname "$0")/common.sh"

cat >"$work/handler.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic int handled, word;
static int ends[2];
static pthread_t waiter;

static void handle(int number)
{
    (void)number;
    handled = 1;
}

static void *disturb(void *name)
{
    sleep(1);
    pthread_kill(waiter, SIGUSR1);
    sleep(1);
    printf("%s: %s", (char *)name, handled ? "handled at once" : "not handled while it waits");
    word = 1;
    syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
    write(ends[1], "x", 1);
    return NULL;
}

static void wait_in_futex(void)
{
    while (word == 0)
        syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void wait_in_read(void)
{
    char byte;

    read(ends[0], &byte, 1);
}

static void wait_in_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = epoll_create1(0);

    epoll_ctl(fd, EPOLL_CTL_ADD, ends[0], &event);
    epoll_wait(fd, &event, 1, 5000);
    close(fd);
}

static void try(const char *name, void (*wait)(void), int flags)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = flags};
    pthread_t thread;

    handled = word = 0;
    pipe(ends);
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&thread, NULL, disturb, (void *)name);
    wait();
    pthread_join(thread, NULL);
    printf(", %s after it\n", handled ? "handled" : "not handled");
}

int main(void)
{
    waiter = pthread_self();
    try("futex", wait_in_futex, SA_RESTART);
    try("read", wait_in_read, SA_RESTART);
    try("read without SA_RESTART", wait_in_read, 0);
    try("epoll_wait", wait_in_epoll, SA_RESTART);
    return 0;
}
C

waits() {
    cp "$work/handler.c" "$work/root/tmp/"
    inside "$work/root" gcc -w "$@" -o /tmp/handler /tmp/handler.c
    inside "$work/root" /tmp/handler
}

mkdir -p "$work/root/tmp"
unpack "$work/root" trixie gcc=4:14.2.0-1 libc6-dev=2.41-12+deb13u5 libtsan2
expect 'GCC 14.2' 'futex: handled at once, handled after it
read: handled at once, handled after it
read without SA_RESTART: handled at once, handled after it
epoll_wait: handled at once, handled after it' waits -pthread
expect 'GCC 14.2, -fsanitize=thread' 'futex: not handled while it waits, handled after it
read: not handled while it waits, handled after it
read without SA_RESTART: handled at once, handled after it
epoll_wait: handled at once, handled after it' waits -pthread -fsanitize=thread
