/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into reeved: makes system calls fail as a test asks. REEVE_FAILING names a file of
 * slots that the test and this share; a slot names a call, which of its calls fail (from the
 * `from`th on, `count` of them) and with which errno, and counts them all. With HANGS for the errno of
 * fdatasync() it waits until the test has opened and closed a fifo, $REEVE_FAILING.fifo; posix_spawn() does so when the
 * process is there. In other programs, the hosts first of all, it does nothing.
 *
 * It sees what reeved and libevent call, not what libc calls within itself.
 */
/* Each name below is to be the symbol of just that name. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct slot {
    char name[24]; /* "" in those that are not used */
    int32_t error;
    int32_t reserved;
    _Atomic int64_t from; /* 0: none fails */
    int64_t count;
    _Atomic int64_t calls;
};

#define SLOTS 64
#define HANGS (-1)

static struct slot *slots;

__attribute__((constructor)) static void find_slots(void)
{
    const char *path = getenv("REEVE_FAILING");
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    void *memory;
    int fd;

    if (!path || length < 7)
        return;
    program[length] = '\0';
    if (strcmp(program + length - 7, "/reeved") != 0)
        return;
    fd = open(path, O_RDWR | O_CLOEXEC);
    memory = mmap(NULL, SLOTS * sizeof(struct slot), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || memory == MAP_FAILED)
        abort();
    close(fd);
    slots = memory;
}

/* Counts the call; returns the errno that it is to fail with, or 0. */
static int fails(const char *name)
{
    for (int i = 0; slots && i < SLOTS && slots[i].name[0] != '\0'; i++)
        if (strcmp(slots[i].name, name) == 0) {
            int64_t n = atomic_fetch_add(&slots[i].calls, 1) + 1;
            int64_t from = atomic_load(&slots[i].from);

            return from > 0 && n >= from && n - from < slots[i].count ? slots[i].error : 0;
        }
    return 0;
}

#define NEXT(name)                                      \
    ({                                                  \
        static __typeof__(&name) next_;                 \
        if (!next_)                                     \
            *(void **)&next_ = dlsym(RTLD_NEXT, #name); \
        next_;                                          \
    })

/* A function of fixed arguments that returns `failure` and sets errno. */
#define FAILING(slot, failure, type, name, parameters, arguments) \
    type name parameters                                          \
    {                                                             \
        int error = fails(slot);                                  \
                                                                  \
        if (error != 0) {                                         \
            errno = error;                                        \
            return failure;                                       \
        }                                                         \
        return NEXT(name) arguments;                              \
    }

FAILING("accept4", -1, int, accept4, (int fd, struct sockaddr *a, socklen_t *l, int f),
        (fd, a, l, f))
FAILING("bind", -1, int, bind, (int fd, const struct sockaddr *a, socklen_t l), (fd, a, l))
FAILING("connect", -1, int, connect, (int fd, const struct sockaddr *a, socklen_t l), (fd, a, l))
FAILING("epoll_create", -1, int, epoll_create, (int n), (n))
FAILING("epoll_create", -1, int, epoll_create1, (int f), (f))
FAILING("epoll_wait", -1, int, epoll_wait, (int fd, struct epoll_event *e, int n, int t),
        (fd, e, n, t))
FAILING("ftruncate", -1, int, ftruncate, (int fd, off_t n), (fd, n))
FAILING("ftruncate", -1, int, ftruncate64, (int fd, off64_t n), (fd, n))
FAILING("kill", -1, int, kill, (pid_t p, int s), (p, s))
FAILING("listen", -1, int, listen, (int fd, int n), (fd, n))
FAILING("memfd_create", -1, int, memfd_create, (const char *n, unsigned f), (n, f))
FAILING("mmap", MAP_FAILED, void *, mmap, (void *a, size_t n, int p, int f, int fd, off_t o),
        (a, n, p, f, fd, o))
FAILING("mmap", MAP_FAILED, void *, mmap64, (void *a, size_t n, int p, int f, int fd, off64_t o),
        (a, n, p, f, fd, o))
FAILING("open", NULL, FILE *, fopen, (const char *path, const char *mode), (path, mode))
FAILING("open", NULL, FILE *, fopen64, (const char *path, const char *mode), (path, mode))
FAILING("pipe2", -1, int, pipe2, (int fds[2], int f), (fds, f))
FAILING("pwrite", -1, ssize_t, pwrite, (int fd, const void *d, size_t n, off_t o), (fd, d, n, o))
FAILING("pwrite", -1, ssize_t, pwrite64, (int fd, const void *d, size_t n, off64_t o),
        (fd, d, n, o))
FAILING("read", -1, ssize_t, read, (int fd, void *d, size_t n), (fd, d, n))
FAILING("read", -1, ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
FAILING("recvmsg", -1, ssize_t, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f))
FAILING("signalfd", -1, int, signalfd, (int fd, const sigset_t *s, int f), (fd, s, f))
FAILING("socket", -1, int, socket, (int d, int t, int p), (d, t, p))
FAILING("socketpair", -1, int, socketpair, (int d, int t, int p, int fds[2]), (d, t, p, fds))
FAILING("timerfd_create", -1, int, timerfd_create, (int c, int f), (c, f))
FAILING("waitid", -1, int, waitid, (idtype_t t, id_t i, siginfo_t *s, int o), (t, i, s, o))
FAILING("wait4", -1, pid_t, wait4, (pid_t p, int *s, int o, struct rusage *u), (p, s, o, u))
FAILING("writev", -1, ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))

/* The log goes to stderr by either: what the test reads must not be what it breaks. */
ssize_t send(int fd, const void *data, size_t size, int flags)
{
    int error = fd == STDERR_FILENO ? 0 : fails("send");

    if (error != 0) {
        errno = error;
        return -1;
    }
    return NEXT(send)(fd, data, size, flags);
}

/* The open waits for the test to open its end, and the read for it to close that. */
static void hang(void)
{
    char path[4096], byte;
    int fd;

    snprintf(path, sizeof(path), "%s.fifo", getenv("REEVE_FAILING"));
    fd = NEXT(open)(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || NEXT(read)(fd, &byte, 1) != 0)
        abort();
    close(fd);
}

int fdatasync(int fd)
{
    int error = fails("fdatasync");

    if (error == HANGS) {
        hang();
    } else if (error != 0) {
        errno = error;
        return -1;
    }
    return NEXT(fdatasync)(fd);
}

/* A removal takes no memory and cannot fail for one that was added. */
int epoll_ctl(int fd, int operation, int target, struct epoll_event *event)
{
    int error = operation == EPOLL_CTL_DEL ? 0 : fails("epoll_ctl");

    if (error != 0) {
        errno = error;
        return -1;
    }
    return NEXT(epoll_ctl)(fd, operation, target, event);
}

/* Returns what failed. */
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const *argv, char *const *environment)
{
    int error = fails("posix_spawn");

    if (error != HANGS)
        return error != 0 ? error
                          : NEXT(posix_spawn)(pid, path, actions, attributes, argv, environment);
    error = NEXT(posix_spawn)(pid, path, actions, attributes, argv, environment);
    hang();
    return error;
}

#define FAILING_OPEN(name)                                 \
    int name(const char *path, int flags, ...)             \
    {                                                      \
        int error = fails("open");                         \
        mode_t mode;                                       \
        va_list args;                                      \
                                                           \
        va_start(args, flags);                             \
        mode = flags & O_CREAT ? va_arg(args, mode_t) : 0; \
        va_end(args);                                      \
        if (error != 0) {                                  \
            errno = error;                                 \
            return -1;                                     \
        }                                                  \
        return NEXT(name)(path, flags, mode);              \
    }
FAILING_OPEN(open)
FAILING_OPEN(open64)

#define FAILING_FCNTL(name)                       \
    int name(int fd, int command, ...)            \
    {                                             \
        int error = fails("fcntl");               \
        va_list args;                             \
        void *argument;                           \
                                                  \
        va_start(args, command);                  \
        argument = va_arg(args, void *);          \
        va_end(args);                             \
        if (error != 0) {                         \
            errno = error;                        \
            return -1;                            \
        }                                         \
        return NEXT(name)(fd, command, argument); \
    }
FAILING_FCNTL(fcntl)
FAILING_FCNTL(fcntl64)

long syscall(long number, ...)
{
    int error = number == SYS_pidfd_open          ? fails("pidfd_open")
                : number == SYS_pidfd_send_signal ? fails("pidfd_send_signal")
                                                  : 0;
    long a[6];
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
