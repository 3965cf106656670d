/* SPDX-License-Identifier: MIT */
#include "daemon/loop/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/macro.h"

#define RESERVE 24U
/* Of few more than this part is not kept. */
#define RESERVE_PART 4
#define PURPOSES     3

/* The descriptors that a program has open at once while it is loaded. */
#define LOAD_NEEDS 4

#define TOLD_EVERY (60 * NSEC_PER_SEC)

/* How many are looked at in one call. */
#define WINDOW 64

/* Behind so many in a row that are unused there are no others. */
#define UNUSED_ENOUGH 4096U

static struct {
    bool raised;
    rlim_t soft; /* before that */
} original;

/* The limit is read each time, as somebody may change it (prlimit(1)). */
static unsigned read_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
        return INT_MAX;
    return (unsigned)limit.rlim_cur;
}

void descriptors_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    original.soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    original.raised = setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

int descriptors_restore(pid_t pid)
{
    struct rlimit limit;

    if (!original.raised)
        return 0;
    if (prlimit(pid, RLIMIT_NOFILE, NULL, &limit) < 0)
        return -errno;
    limit.rlim_cur = MIN(original.soft, limit.rlim_max);
    return prlimit(pid, RLIMIT_NOFILE, &limit, NULL) < 0 ? -errno : 0;
}

/* Whether an exec leaves enough numbers below the limit: what is open and stays open may have taken
 * all. */
static bool can_load(void)
{
    unsigned found = 0;

    for (int fd = (int)read_limit() - 1; fd >= 0 && found < LOAD_NEEDS; fd--) {
        int flags = fcntl(fd, F_GETFD);

        found += flags < 0 || (flags & FD_CLOEXEC);
    }
    return found >= LOAD_NEEDS;
}

void descriptors_restore_for_exec(void)
{
    if (descriptors_restore(0) == 0 && !can_load())
        descriptors_raise();
}

unsigned descriptors_reserve(void)
{
    return MIN(RESERVE, read_limit() / RESERVE_PART);
}

unsigned descriptors_share(void)
{
    return MAX(descriptors_reserve() / PURPOSES, 1U);
}

unsigned descriptors_momentary(void)
{
    return MAX(descriptors_share(), (unsigned)DESCRIPTORS_START);
}

/* How many of those from first on are free; poll() tells it without a descriptor, and without
 * /proc. */
static unsigned count_free(unsigned first, unsigned count)
{
    struct pollfd list[WINDOW];
    unsigned free = 0;

    for (unsigned i = 0; i < count; i++)
        list[i] = (struct pollfd){.fd = (int)(first + i)};
    /* For want of memory. Code that opens one hears of the limit by itself. */
    if (poll(list, count, 0) < 0)
        return count;
    for (unsigned i = 0; i < count; i++)
        free += (list[i].revents & POLLNVAL) != 0;
    return free;
}

/* The lowest free number is always the next one. So those below the limit are free as long as there
 * never were that many, and one look does. */
unsigned descriptors_left(unsigned enough)
{
    unsigned top = read_limit(), left = 0;

    while (top > 0 && left < enough) {
        unsigned count = MIN(top, (unsigned)WINDOW);

        top -= count;
        left += count_free(top, count);
    }
    return MIN(left, enough);
}

/* From the front, where they are: a limit of a billion would take minutes. */
static unsigned count_used(unsigned limit)
{
    unsigned used = 0, unused = 0;

    for (unsigned first = 0; first < limit && unused < UNUSED_ENOUGH; first += WINDOW) {
        unsigned count = MIN(limit - first, (unsigned)WINDOW), free = count_free(first, count);

        used += count - free;
        unused = free == count ? unused + count : 0;
    }
    return used;
}

void descriptors_describe(char *text, size_t size)
{
    unsigned limit = read_limit();

    snprintf(text, size,
             "of %u descriptors %u are in use, and the others are kept for requests, reloads and "
             "upgrades; each host takes %d: raise LimitNOFILE= of the unit, or ulimit -n",
             limit, count_used(limit), DESCRIPTORS_HOST);
}

void descriptors_tell(const char *consequence)
{
    static int64_t told;
    static unsigned times;
    int64_t now = clock_monotonic();
    char text[256], repeated[48] = "";

    times++;
    if (told != 0 && now - told < TOLD_EVERY)
        return;
    if (times > 1)
        snprintf(repeated, sizeof(repeated), ", %u times since this was said", times);
    descriptors_describe(text, sizeof(text));
    log_warning("descriptors are scarce: %s%s; %s", consequence, repeated, text);
    told = now;
    times = 0;
}
