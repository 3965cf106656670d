/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log_record.h"
#include "base/shown.h"
#include "base/text.h"

/* A pipe takes up to PIPE_BUF (4096) bytes without blocking once poll() said that it has room. */
#define LINE_SIZE 4096
#define TEXT_SIZE 2240

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static enum log_level level_max = LOG_LEVEL_INFO;
static enum log_format format_now;
static uint64_t dropped;
static int write_error; /* why the last line could not be written */
static void (*observer)(const struct log_record *record, void *arg);
static void *observer_arg;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
    [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

static const struct {
    const char *name;
    const char *id;
} events[] = {
    [LOG_EVENT_NONE] = {NULL, NULL},
    [LOG_EVENT_START] = {"start", "aaa6445bcd7a46f9adb3aa227e5761fb"},
    [LOG_EVENT_READY] = {"ready", "823bddafa264423eace8caa466896f04"},
    [LOG_EVENT_CRASH] = {"crash", "310c976137f54157a6bc19ad62b08158"},
    [LOG_EVENT_HANG] = {"hang", "78580eebe1704f5bb8ad792782d48fa3"},
    [LOG_EVENT_RESTART] = {"restart", "1d883d93d2794fe3ac9dfed9f5f293ce"},
    [LOG_EVENT_GIVE_UP] = {"give-up", "a890b52760af4841a7d0657e62554447"},
};
_Static_assert(ARRAY_SIZE(events) == LOG_EVENT_COUNT, "each event has its row");

const char *log_event_name(enum log_event event)
{
    return events[event].name;
}

const char *log_event_id(enum log_event event)
{
    return events[event].id;
}

void log_set_format(enum log_format format)
{
    format_now = format;
}

void log_set_level(enum log_level level)
{
    level_max = level;
}

void log_set_observer(void (*fn)(const struct log_record *record, void *arg), void *arg)
{
    observer = fn;
    observer_arg = arg;
}

int log_level_parse(const char *text, enum log_level *ret_level)
{
    for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
        if (strcmp(text, level_names[level]) == 0) {
            *ret_level = level;
            return 0;
        }
    return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

/* Whether stderr is the journal: systemd names its device and inode (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    static int known = -1;
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;

    if (known < 0)
        known = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
                status.st_ino == inode;
    return known;
}

/* stderr may be shared with others, so it is not made non-blocking itself: a pipe or terminal is opened once
 * more. A poll before the write is not enough, as another writer may fill the pipe in between. -1: it is neither,
 * or cannot be opened by us. */
static int open_stderr(void)
{
    static int fd = -2;
    struct stat status;

    if (fd != -2)
        return fd;
    fd = -1;
    if (fstat(STDERR_FILENO, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
        fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return fd;
}

/* Returns how many bytes, or a negative errno. */
static ssize_t write_bytes(const char *line, size_t size)
{
    struct pollfd poll_fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t written = send(STDERR_FILENO, line, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    int fd;

    if (written >= 0 || errno != ENOTSOCK)
        return written >= 0 ? written : -errno;
    fd = open_stderr();
    if (fd < 0) {
        if (poll(&poll_fd, 1, 0) != 1 || !(poll_fd.revents & POLLOUT))
            return -EAGAIN;
        fd = STDERR_FILENO;
    }
    written = write(fd, line, size);
    return written >= 0 ? written : -errno;
}

/* A disk that is full, a socket and a terminal may take a part of a line. The rest comes before all else. */
static struct {
    char bytes[LINE_SIZE];
    size_t size;
} rest;

static bool write_rest(void)
{
    while (rest.size > 0) {
        ssize_t written = write_bytes(rest.bytes, rest.size);

        if (written <= 0) {
            write_error = (int)-written;
            return false;
        }
        rest.size -= (size_t)written;
        memmove(rest.bytes, rest.bytes + written, rest.size);
    }
    return true;
}

static bool write_now(const char *line, size_t size)
{
    ssize_t written;

    if (!write_rest())
        return false;
    written = write_bytes(line, size);
    if (written <= 0) {
        write_error = (int)-written;
        return false;
    }
    rest.size = size - (size_t)written;
    memcpy(rest.bytes, line + written, rest.size);
    return true;
}

bool log_goes_to_journal(void)
{
    return stderr_is_journal();
}

/* For people, and for sd-daemon(3)'s prefix. */
static size_t write_text(const struct log_record *record, char *line, size_t size)
{
    char now[CLOCK_TEXT_SIZE];
    size_t length;

    if (stderr_is_journal())
        snprintf(line, size, "<%d>", (int)record->level);
    else
        snprintf(line, size, "%s %-7s ", clock_format(record->realtime, now, sizeof(now)),
                 level_names[record->level]);
    length = strlen(line);
    /* One byte stays free for the line's end. */
    string_copy(line + length, size - length - 1, record->text);
    length = strlen(line);
    line[length++] = '\n';
    return length;
}

/* Returns 0, -EAGAIN when it is not read fast enough, or another negative errno when there is none. */
static int send_to_journal(const struct log_record *record)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
    static int fd = -1;
    char datagram[LINE_SIZE];
    size_t size = log_record_write_journal(record, datagram, sizeof(datagram));

    if (fd < 0)
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* Not connected once and for all: the journal may be restarted. */
    return sendto(fd, datagram, size, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&address, sizeof(address)) < 0
               ? -errno
               : 0;
}

static bool write_record(const struct log_record *record)
{
    char line[LINE_SIZE];
    int r = stderr_is_journal() ? send_to_journal(record) : -ENOENT;

    if (r == -EAGAIN)
        write_error = EAGAIN;
    if (r == 0 || r == -EAGAIN)
        return r == 0;
    if (format_now == LOG_FORMAT_JSON && !stderr_is_journal())
        return write_now(line, log_record_write_json(record, line, sizeof(line)));
    return write_now(line, write_text(record, line, sizeof(line)));
}

/* Waiting ---------------------------------------------------------------------------------------- */

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
    char note[160];
    struct log_record record = {
        .level = LOG_LEVEL_WARNING, .realtime = clock_realtime(), .text = note};

    if (dropped == 0)
        return true;
    snprintf(note, sizeof(note), "%llu log lines were dropped: %s", (unsigned long long)dropped,
             write_error == 0 || write_error == EAGAIN ? "the log was not being read"
                                                       : strerror(write_error));
    if (!fn(&record))
        return false;
    dropped = 0;
    return true;
}

bool log_flush(void)
{
    struct waiting *waiting, *next;

    LIST_FOREACH_SAFE (waiting, next, &queue, list) {
        if (!write_record(&waiting->record))
            return false;
        list_remove(&waiting->list);
        queued -= waiting->size;
        free(waiting);
    }
    if (!say_dropped(write_record) || !write_rest())
        return false;
    told = false;
    return true;
}

void log_finish(int64_t patience)
{
    int64_t deadline = clock_monotonic() + patience;

    /* A slow reader gets time. A closed pipe or a full disk does not. */
    while (!log_flush() && write_error == EAGAIN && clock_monotonic() < deadline)
        poll(NULL, 0, 10);
}

/* room: how much may wait with it; 0: it does not wait. */
static void put(const struct log_record *record, size_t room)
{
    /* Waiting lines go first, so that the log stays in order. */
    if (log_flush() && write_record(record))
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
