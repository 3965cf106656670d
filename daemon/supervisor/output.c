/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log_record.h"
#include "base/text.h"
#include "daemon/loop/loop.h"

/* A module may log so many lines a second on average, and a burst now and then. */
#define LINES_PER_SECOND 200
#define LINES_BURST      1000

#define LINE_SIZE 2048

/* What a module may still log: one that shares its host must not take the others' share. */
struct bucket {
    struct list list;
    char name[LOG_NAME_SIZE];
    int64_t tokens; /* in nanoseconds: a line costs NSEC_PER_SEC / LINES_PER_SECOND */
    int64_t refilled_at;
    unsigned long dropped;
};

struct output {
    struct bucket own; /* of what names no module; always the first */
    struct output_events events;
    int fd;
    struct loop_io *io;
    char line[LINE_SIZE];
    size_t used;
};

#define LINE_COST (NSEC_PER_SEC / LINES_PER_SECOND)

static void bucket_init(struct bucket *bucket, const char *name)
{
    string_copy(bucket->name, sizeof(bucket->name), name);
    bucket->tokens = LINES_BURST * LINE_COST;
    bucket->refilled_at = clock_monotonic();
}

static void say_dropped(struct bucket *bucket)
{
    if (bucket->dropped > 0)
        log_warning("[%s] %lu lines were dropped: it logs more than %d lines a second",
                    bucket->name, bucket->dropped, LINES_PER_SECOND);
    bucket->dropped = 0;
}

static bool take_token(struct bucket *bucket)
{
    int64_t now = clock_monotonic();

    bucket->tokens = MIN(bucket->tokens + now - bucket->refilled_at, LINES_BURST * LINE_COST);
    bucket->refilled_at = now;
    if (bucket->tokens < LINE_COST) {
        bucket->dropped++;
        return false;
    }
    bucket->tokens -= LINE_COST;
    say_dropped(bucket);
    return true;
}

/* The module's bucket, there are no more than tenants; that of the host for a name that is none of its
 * own, or without memory. */
static struct bucket *find_bucket(struct output *output, const char *module)
{
    struct bucket *bucket;

    if (strcmp(module, output->own.name) == 0 || *module == '\0' || !output->events.owns ||
        !output->events.owns(module, output->events.arg))
        return &output->own;
    LIST_FOREACH (bucket, &output->own.list, list)
        if (strcmp(bucket->name, module) == 0)
            return bucket;
    bucket = malloc(sizeof(*bucket));
    if (!bucket)
        return &output->own;
    *bucket = (struct bucket){0};
    bucket_init(bucket, module);
    list_append(&output->own.list, &bucket->list);
    return bucket;
}

/* "<4>[web/check#12] text": both parts are optional, since modules print what they like. */
static void pass_on(struct output *output, char *line)
{
    enum log_level level = LOG_LEVEL_INFO;
    struct log_record record;
    struct bucket *bucket;

    if (line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>') {
        level = (enum log_level)MAX(line[1] - '0', (int)LOG_LEVEL_ERROR);
        line += 3;
    }
    record.text = line;
    log_record_parse(&record);
    bucket = find_bucket(output, record.module);
    if (*line == '\0' || !take_token(bucket))
        return;
    if (strcmp(bucket->name, record.module) == 0)
        log_line(level, "%s", line);
    else
        log_line(level, "[%s] %s", output->own.name, line);
    if (level <= LOG_LEVEL_NOTICE && output->events.told)
        output->events.told(output->events.arg);
}

static void take_bytes(struct output *output, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n') {
            output->line[output->used] = '\0';
            pass_on(output, output->line);
            output->used = 0;
        } else if (output->used < LINE_SIZE - 1) {
            /* What a line has beyond that is cut. */
            output->line[output->used++] = bytes[i] != '\0' ? bytes[i] : '?';
        }
    }
}

/* Readable for ever would be a loop that spins. */
static void stop_reading(struct output *output, int error)
{
    loop_io_watch(output->io, 0);
    if (error != 0)
        log_warning("[%s] its output cannot be read any more: %s", output->own.name,
                    strerror(error));
}

/* Returns false at the end or when nothing is there. */
static bool read_some(struct output *output)
{
    char bytes[4096];
    ssize_t size = read(output->fd, bytes, sizeof(bytes));

    if (size > 0)
        take_bytes(output, bytes, (size_t)size);
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        stop_reading(output, size < 0 ? errno : 0);
    return size > 0;
}

static void output_ready(int fd _unused_, unsigned events _unused_, void *arg)
{
    /* One read a turn: a host that floods its pipe must not hold up the loop. */
    read_some(arg);
}

int output_adopt(struct loop *loop, const char *name, const struct output_events *events, int fd,
                 const char *rest, struct output **ret_output)
{
    struct output *output = calloc(1, sizeof(*output));
    int r = output ? fd_set_nonblock(fd, true) : -ENOMEM;

    if (r == 0) {
        bucket_init(&output->own, name);
        list_init(&output->own.list);
        output->events = *events;
        output->fd = fd;
        take_bytes(output, rest, strlen(rest));
        r = loop_io_create(loop, fd, LOOP_READ, output_ready, output, &output->io);
    }
    if (r < 0) {
        close(fd);
        free(output);
        return r;
    }
    *ret_output = output;
    return 0;
}

int output_create(struct loop *loop, const char *name, const struct output_events *events,
                  struct output **ret_output, int *ret_fd)
{
    int fds[2], r;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    r = output_adopt(loop, name, events, fds[0], "", ret_output);
    if (r < 0)
        close(fds[1]);
    else
        *ret_fd = fds[1];
    return r;
}

int output_fd(const struct output *output)
{
    return output->fd;
}

const char *output_rest(struct output *output)
{
    output->line[output->used] = '\0';
    return output->line;
}

void output_tell_dropped(struct output *output)
{
    struct bucket *bucket;

    say_dropped(&output->own);
    LIST_FOREACH (bucket, &output->own.list, list)
        say_dropped(bucket);
}

void output_destroy(struct output *output)
{
    struct bucket *bucket, *next;

    if (!output)
        return;
    /* What a dead host left behind is at most a pipe's capacity. A stray may hold the other end and
     * go on writing, so the number of reads is bounded. */
    for (int i = 0; i < 16 && read_some(output); i++)
        ;
    if (output->used > 0)
        take_bytes(output, "\n", 1);
    output_tell_dropped(output);
    LIST_FOREACH_SAFE (bucket, next, &output->own.list, list) {
        list_remove(&bucket->list);
        free(bucket);
    }
    loop_io_destroy(output->io);
    close(output->fd);
    free(output);
}
