/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log_record.h"
#include "base/log_write.h"
#include "base/shown.h"
#include "base/text.h"

#define TEXT_SIZE 2240

static enum log_level level_max = LOG_LEVEL_INFO;
static uint64_t dropped;
static void (*observer)(const struct log_record *record, void *arg);
static void *observer_arg;

void log_set_level(enum log_level level)
{
    level_max = level;
}

void log_set_observer(void (*fn)(const struct log_record *record, void *arg), void *arg)
{
    observer = fn;
    observer_arg = arg;
}

/* Waiting ----------------------------------------------------------------- */

/* The queue holds as much as a pipe does. */
#define WAITING_MAX ((size_t)64 * 1024)

struct waiting {
    struct list list;
    size_t size;
    struct log_record record; /* whose text is the one below */
    char text[];
};

static struct list queue = {&queue, &queue};
static size_t queued;
static void (*waiting_fn)(void *arg);
static void *waiting_arg;
static bool told; /* that something waits */

void log_set_waiting(void (*fn)(void *arg), void *arg)
{
    waiting_fn = fn;
    waiting_arg = arg;
    told = false;
}

static void tell(void)
{
    if (told || !waiting_fn)
        return;
    told = true;
    waiting_fn(waiting_arg);
}

static bool enqueue_within(const struct log_record *record, size_t most)
{
    size_t length = strlen(record->text), size = sizeof(struct waiting) + length + 1;
    struct waiting *waiting = queued + size <= most ? malloc(size) : NULL;

    if (!waiting)
        return false;
    *waiting = (struct waiting){.size = size, .record = *record};
    memcpy(waiting->text, record->text, length + 1);
    waiting->record.text = waiting->text;
    list_append(&queue, &waiting->list);
    queued += size;
    return true;
}

static bool enqueue(const struct log_record *record)
{
    return enqueue_within(record, WAITING_MAX);
}

/* Gives the record that says how many lines were dropped to fn, if some were. */
static bool say_dropped(bool (*fn)(const struct log_record *record))
{
    int error = log_write_error();
    char note[160];
    struct log_record record = {
        .level = LOG_LEVEL_WARNING, .realtime = clock_realtime(), .text = note};

    if (dropped == 0)
        return true;
    snprintf(note, sizeof(note), "%llu log %s dropped: %s", (unsigned long long)dropped,
             plural(dropped, "line was", "lines were"),
             error == 0 || error == EAGAIN ? "the log was not being read" : strerror(error));
    if (!fn(&record))
        return false;
    dropped = 0;
    return true;
}

bool log_flush(void)
{
    struct waiting *waiting, *next;

    LIST_FOREACH_SAFE (waiting, next, &queue, list) {
        if (!log_write_record(&waiting->record))
            return false;
        list_remove(&waiting->list);
        queued -= waiting->size;
        free(waiting);
    }
    if (!say_dropped(log_write_record) || !log_write_rest())
        return false;
    told = false;
    return true;
}

void log_finish(int64_t patience)
{
    int64_t deadline = clock_monotonic() + patience;

    /* A slow reader gets time. A closed pipe or a full disk does not. The journal finds the
     * sender's unit and all else about it while the sender is there. */
    while ((log_flush() ? log_write_is_unread() : log_write_error() == EAGAIN) &&
           clock_monotonic() < deadline)
        poll(NULL, 0, 10);
}

void log_save(struct log_waiting *ret_waiting,
              void (*fn)(const struct log_record *record, void *arg), void *arg)
{
    const struct waiting *waiting;

    ret_waiting->dropped = dropped;
    ret_waiting->torn = log_write_torn(&ret_waiting->torn_size);
    LIST_FOREACH (waiting, &queue, list)
        fn(&waiting->record, arg);
}

void log_resume(const struct log_waiting *waiting)
{
    dropped = waiting->dropped;
    log_write_resume(waiting->torn, waiting->torn_size);
}

void log_resume_line(enum log_event event, enum log_level level, int64_t realtime, const char *text)
{
    struct log_record record = {.level = level, .event = event, .realtime = realtime, .text = text};

    log_record_parse(&record);
    if (!enqueue(&record))
        dropped++;
    tell();
}

/* room: how much may wait with it; 0: it does not wait. */
static void put(const struct log_record *record, size_t room)
{
    /* Waiting lines go first, so that the log stays in order. */
    if (log_flush() && log_write_record(record))
        return;
    /* The count of dropped lines stands before the next line that is kept. */
    if (room == 0 || !say_dropped(enqueue) || !enqueue_within(record, room))
        dropped++;
    tell();
}

static void log_record_text(enum log_event event, enum log_level level, size_t room,
                            const char *format, va_list args) printf_like(4, 0);
static void log_record_text(enum log_event event, enum log_level level, size_t room,
                            const char *format, va_list args)
{
    char text[TEXT_SIZE];
    struct log_record record = {
        .level = level, .event = event, .realtime = clock_realtime(), .text = text};
    int error = errno;

    if (level > level_max)
        return;
    vsnprintf(text, sizeof(text), format, args);
    text_clean(text, sizeof(text));
    log_record_parse(&record);
    if (observer)
        observer(&record, observer_arg);
    put(&record, room);
    errno = error;
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_record_text(LOG_EVENT_NONE, level, WAITING_MAX, format, args);
    va_end(args);
}

void log_foreign(enum log_level level, bool counts, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_record_text(LOG_EVENT_NONE, level, counts ? WAITING_MAX / 2 : 0, format, args);
    va_end(args);
}

void log_about(enum log_event event, enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_record_text(event, level, WAITING_MAX, format, args);
    va_end(args);
}
