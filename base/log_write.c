/* SPDX-License-Identifier: MIT */
#include "base/log_write.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_kind.h"
#include "base/text.h"

/* A pipe takes up to PIPE_BUF (4096) bytes without blocking once poll() said that it has room. */
#define LINE_SIZE 4096

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static enum log_format format_now;
static bool is_beginning;
static int journal = -1; /* the socket */
static int write_error;  /* why the last line could not be written */

void log_set_format(enum log_format format)
{
    format_now = format;
}

void log_set_beginning(bool beginning)
{
    is_beginning = beginning;
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

/* stderr may be shared with others, so it is not made non-blocking itself: a pipe or terminal is
 * opened once more. A poll before the write is not enough, as another writer may fill the pipe in
 * between. -1: it is neither, or cannot be opened by us. */
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

/* A disk that is full, a socket and a terminal may take a part of a line. The rest comes before all
 * else. */
static struct {
    char bytes[LINE_SIZE];
    size_t size;
} rest;

bool log_write_rest(void)
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

    if (!log_write_rest())
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
                 log_level_name(record->level));
    length = strlen(line);
    /* One byte stays free for the line's end. */
    string_copy(line + length, size - length - 1, record->text);
    length = strlen(line);
    line[length++] = '\n';
    return length;
}

/* Returns 0, -EAGAIN when it is not read fast enough, or another negative errno when there is none.
 */
static int send_to_journal(const struct log_record *record)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
    char datagram[LINE_SIZE];
    size_t size = log_record_write_journal(record, datagram, sizeof(datagram));

    if (journal < 0)
        journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (journal < 0)
        return -errno;
    /* Not connected once and for all: the journal may be restarted. */
    return sendto(journal, datagram, size, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&address, sizeof(address)) < 0
               ? -errno
               : 0;
}

bool log_write_is_unread(void)
{
    int unread;

    return journal >= 0 && ioctl(journal, SIOCOUTQ, &unread) == 0 && unread > 0;
}

bool log_write_record(const struct log_record *record)
{
    char line[LINE_SIZE];
    bool by_line = !stderr_is_journal() || is_beginning;
    int r = by_line ? -ENOENT : send_to_journal(record);

    if (r == -EAGAIN)
        write_error = EAGAIN;
    if (r == 0 || r == -EAGAIN)
        return r == 0;
    if (format_now == LOG_FORMAT_JSON && !stderr_is_journal())
        return write_now(line, log_record_write_json(record, line, sizeof(line)));
    return write_now(line, write_text(record, line, sizeof(line)));
}

int log_write_error(void)
{
    return write_error;
}

const char *log_write_torn(size_t *ret_size)
{
    *ret_size = rest.size;
    return rest.bytes;
}

void log_write_resume(const char *torn, size_t size)
{
    rest.size = MIN(size, sizeof(rest.bytes));
    memcpy(rest.bytes, torn, rest.size);
}
