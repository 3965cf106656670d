/* SPDX-License-Identifier: MIT */
/*
 * Preloaded, it lets a test set the time of day for reeved and its hosts alone: the real-time clock is
 * shifted by the nanoseconds in the file STEPCLOCK_FILE, and a timer that waits for the clock to be
 * set is cancelled for each byte in the fifo STEPCLOCK_FIFO.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift;
static int fake_timer = -1;

__attribute__((constructor)) static void map_shift(void)
{
    int fd = open(getenv("STEPCLOCK_FILE"), O_RDONLY | O_CLOEXEC);
    void *memory = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);

    if (fd < 0 || memory == MAP_FAILED)
        abort();
    shift = memory;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    static int (*next)(clockid_t, struct timespec *);
    int64_t ns;
    int r;

    if (!next)
        next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    r = next(clock, ret);
    if (r < 0 || clock != CLOCK_REALTIME || !shift)
        return r;
    ns = ret->tv_sec * INT64_C(1000000000) + ret->tv_nsec + *shift;
    ret->tv_sec = ns / 1000000000;
    ret->tv_nsec = ns % 1000000000;
    return 0;
}

int timerfd_create(clockid_t clock, int flags)
{
    if (clock != CLOCK_REALTIME) {
        errno = EINVAL;
        return -1;
    }
    (void)flags;
    /* For writing too, so that reading never meets an end of file. */
    fake_timer = open(getenv("STEPCLOCK_FIFO"), O_RDWR | O_CLOEXEC);
    return fake_timer;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
    static int calls;

    (void)value;
    (void)old;
    if (fd == fake_timer && flags == (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) {
        /* As if the clock had been set since the timer was made: it is armed, and yet says so. */
        errno = ECANCELED;
        return calls++ == 0 ? -1 : 0;
    }
    errno = EINVAL;
    return -1;
}

ssize_t read(int fd, void *buffer, size_t size)
{
    static ssize_t (*next)(int, void *, size_t);
    ssize_t r;

    if (!next)
        next = (ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    r = next(fd, buffer, fd == fake_timer && fd >= 0 ? 1 : size);
    if (r == 1 && fd == fake_timer) {
        errno = ECANCELED;
        return -1;
    }
    return r;
}
