/* SPDX-License-Identifier: MIT */
/*
 * Traces a file around its move.
 *
 * Properties: what was written to the file before it got its new name is told from what came after.
 * The former no command has seen. The latter is the work of a consumer of done/ or failed/, whose
 * file it is by then.
 *
 * Operation: the file is opened before, so that it is known whatever its names are, and inotify
 * tells of it. The kernel queues the events of one file in their order, and one of them is the
 * rename. A writer that was there when the file got its new name has opened it before. So one whose
 * opening is among the events behind the rename is a consumer.
 *
 * To close an instance of inotify takes the kernel 10 to 20 ms. So a few are kept for the next
 * moves, and what one still tells of the file before is passed over.
 *
 * Where there are no events (too many instances of inotify, a file system that cannot rename
 * without replacing) only what the file is afterwards counts: then a change of its consumer looks
 * like one from before.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "modules/spool/spool.h"

/* A writer holds the file a moment before the kernel tells that it has opened it. */
#define EVENT_PATIENCE 50

static int take_instance(struct spool *spool)
{
    int events = -1;

    pthread_mutex_lock(&spool->lock);
    if (spool->spare_count > 0)
        events = spool->spares[--spool->spare_count];
    pthread_mutex_unlock(&spool->lock);
    return events >= 0 ? events : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
}

static void give_back(struct spool *spool, int events)
{
    pthread_mutex_lock(&spool->lock);
    if (events >= 0 && spool->spare_count < SPOOL_SPARES) {
        spool->spares[spool->spare_count++] = events;
        events = -1;
    }
    pthread_mutex_unlock(&spool->lock);
    if (events >= 0)
        close(events);
}

void trace_close_spares(struct spool *spool)
{
    while (spool->spare_count > 0)
        close(spool->spares[--spool->spare_count]);
}

static void watch(struct spool *spool, struct trace *trace)
{
    char path[40];

    trace->events = take_instance(spool);
    if (trace->events < 0)
        return;
    /* By the descriptor: the name may be another file's. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", trace->file);
    trace->watch =
        inotify_add_watch(trace->events, path, IN_MODIFY | IN_ATTRIB | IN_OPEN | IN_MOVE_SELF);
    if (trace->watch >= 0)
        return;
    give_back(spool, trace->events);
    trace->events = -1;
}

int trace_begin(struct trace *trace, struct spool *spool, const struct claim *claim)
{
    const int folder = spool->directory_fd;
    struct statx status;

    *trace = (struct trace){.spool = spool, .events = -1};
    trace->file =
        openat(folder, claim->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (trace->file >= 0)
        watch(spool, trace);
    /* Only now: what changes from here on is among the events. */
    if (trace->file < 0 || file_stat(trace->file, "", &status) < 0)
        return file_stat(folder, claim->name, &status) < 0 ||
                       file_is_unchanged(&claim->file, &status)
                   ? 0
                   : SPOOL_CHANGED;
    return file_is_unchanged(&claim->file, &status) && file_look_at(trace->file) != FILE_GROWING
               ? 0
               : SPOOL_CHANGED;
}

static void take_event(struct trace *trace, uint32_t mask)
{
    if (mask & IN_Q_OVERFLOW)
        trace->gaps = true;
    if (trace->moved)
        trace->after |= mask;
    else if (mask & IN_MOVE_SELF)
        trace->moved = true;
    else
        trace->before |= mask;
}

static void take_events(struct trace *trace)
{
    _Alignas(struct inotify_event) char buffer[4096];
    ssize_t size;

    while (trace->events >= 0 && (size = read(trace->events, buffer, sizeof(buffer))) > 0)
        for (const char *p = buffer; p < buffer + size;) {
            const struct inotify_event *event = (const void *)p;

            p += sizeof(*event) + event->len;
            if (event->wd == trace->watch || event->mask & IN_Q_OVERFLOW)
                take_event(trace, event->mask);
        }
}

bool trace_is_moved(struct trace *trace)
{
    take_events(trace);
    return trace->moved;
}

/* Whether somebody has opened the file since its move. */
static bool is_opened(struct trace *trace)
{
    struct pollfd events = {.fd = trace->events, .events = POLLIN};

    take_events(trace);
    if (!(trace->after & IN_OPEN) && poll(&events, 1, EVENT_PATIENCE) > 0)
        take_events(trace);
    return trace->after & IN_OPEN;
}

/* By what the file is now. A consumer that has taken it away is assumed to have taken what the
 * command saw. */
static bool is_seen_by_name(const struct claim *claim, int target, const char *name)
{
    struct statx status;
    int r = file_stat(target, name, &status), error;

    if (r == -ENOENT)
        return true;
    return r == 0 && file_is_unchanged(&claim->file, &status) &&
           file_look(target, name, &error) != FILE_GROWING;
}

bool trace_is_seen(struct trace *trace, const struct claim *claim, int target, const char *name)
{
    struct statx status;
    bool changed, growing;

    take_events(trace);
    if (!trace->moved || trace->gaps || file_stat(trace->file, "", &status) < 0)
        return is_seen_by_name(claim, target, name);
    changed = !file_is_unchanged(&claim->file, &status);
    growing = file_look_at(trace->file) == FILE_GROWING;
    if (trace->before & IN_MODIFY || (changed && trace->before & IN_ATTRIB))
        return false;
    if (!changed && !growing)
        return true;
    /* Its times can be set without opening it. */
    return is_opened(trace) ||
           (!growing && !(trace->after & IN_MODIFY) && trace->after & IN_ATTRIB);
}

void trace_end(struct trace *trace)
{
    if (trace->events >= 0) {
        inotify_rm_watch(trace->events, trace->watch);
        take_events(trace);
        give_back(trace->spool, trace->events);
    }
    if (trace->file >= 0)
        close(trace->file);
}
