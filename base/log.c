/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* A pipe takes up to PIPE_BUF (4096) bytes without blocking once poll() said that it has room. */
#define LINE_SIZE 2304

static enum log_level level_max = LOG_LEVEL_INFO;
static uint64_t dropped;
static void (*observer)(enum log_level level, const char *text, void *arg);
static void *observer_arg;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
    [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
    level_max = level;
}

void log_set_observer(void (*fn)(enum log_level level, const char *text, void *arg), void *arg)
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

/* stderr may be shared with others (a terminal), so it is not made non-blocking itself. */
static bool write_now(const char *line, size_t size)
{
    struct pollfd poll_fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t written = send(STDERR_FILENO, line, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (written < 0 && errno == ENOTSOCK) {
        if (poll(&poll_fd, 1, 0) != 1 || !(poll_fd.revents & POLLOUT))
            return false;
        written = write(STDERR_FILENO, line, size);
    }
    return written >= 0;
}

static size_t format_prefix(char *line, size_t size, enum log_level level)
{
    char now[CLOCK_TEXT_SIZE];

    if (stderr_is_journal())
        return (size_t)snprintf(line, size, "<%d>", level);
    return (size_t)snprintf(line, size, "%s %-7s ",
                            clock_format(clock_realtime(), now, sizeof(now)), level_names[level]);
}

static bool write_line(enum log_level level, const char *text)
{
    char line[LINE_SIZE];
    size_t prefix = format_prefix(line, sizeof(line), level), length;

    /* One byte stays free for the line's end. */
    string_copy(line + prefix, sizeof(line) - prefix - 1, text);
    length = strlen(line);
    line[length++] = '\n';
    return write_now(line, length);
}

void log_line(enum log_level level, const char *format, ...)
{
    char text[LINE_SIZE - 64], note[80];
    int error = errno;
    va_list args;

    if (level > level_max)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    text_sanitise(text);
    if (observer)
        observer(level, text, observer_arg);
    if (dropped > 0) {
        snprintf(note, sizeof(note), "%llu log lines were dropped: stderr was not being read",
                 (unsigned long long)dropped);
        if (write_line(LOG_LEVEL_WARNING, note))
            dropped = 0;
    }
    if (!write_line(level, text))
        dropped++;
    errno = error;
}
