/* SPDX-License-Identifier: MIT */
#include "daemon/process/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/log_record.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/process/allowance.h"
#include "daemon/process/last_words.h"

/* A module may log so many lines a second on average, and a burst now and then. */
#define LINES_PER_SECOND 200
#define LINES_BURST      1000

#define LINE_SIZE 2048

/* Beside that, for what the host itself says of runs and jobs, which a flood must not take along.
 */
#define VERDICTS_PER_SECOND 20
#define VERDICTS_BURST      100

/* The part of dropped lines that is kept, for a host that ends. */
#define KEPT_LINES 8
#define KEPT_SIZE  256

/* How much is read of a host that has ended: what a pipe holds unless it is made larger, and what
 * it can be made by others than root. */
#define PIPE_MIN (64 * 1024)
#define PIPE_MAX (1024 * 1024)

/* How long after a line was dropped that is said. */
#define TELL_AFTER NSEC_PER_SEC

/* The lines that a module may still log: one that shares its host must not take the others' share.
 */
struct bucket {
    struct list list;
    char name[LOG_NAME_SIZE];
    struct allowance lines, verdicts;
    unsigned long dropped; /* and not told of yet */
    /* The last that were dropped, since one passed; NULL: none was, or there is no memory. */
    char (*kept)[KEPT_SIZE];
    unsigned kept_count; /* all that came here */
};

struct output {
    struct bucket own; /* of what names no module; its name is the host's */
    char label[LOG_NAME_SIZE + sizeof("host ")];
    struct output_events events;
    int fd;
    struct loop_io *io;
    struct loop_timer *tell; /* that lines were dropped */
    bool rest_read;          /* what its host has left */
    bool cut;                /* the present line is longer than its buffer */
    char line[LINE_SIZE];
    size_t used;
    struct last_words *words; /* NULL: none, or no memory */
};

static void bucket_init(struct bucket *bucket, const char *name)
{
    string_copy(bucket->name, sizeof(bucket->name), name);
    bucket->lines = allowance_begin(LINES_PER_SECOND, LINES_BURST);
    bucket->verdicts = allowance_begin(VERDICTS_PER_SECOND, VERDICTS_BURST);
}

static bool owns(const struct output *output, const char *module)
{
    return output->events.owns && output->events.owns(module, output->events.arg);
}

/* Modules come and go with each reload, so it is asked for each time. */
const char *output_label(struct output *output)
{
    const char *name = output->own.name;
    bool anothers = output->events.exists && output->events.exists(name, output->events.arg) &&
                    !owns(output, name);

    snprintf(output->label, sizeof(output->label), "%s%s", anothers ? "host " : "", name);
    return output->label;
}

static const char *label_of(struct output *output, struct bucket *bucket)
{
    return bucket == &output->own ? output_label(output) : bucket->name;
}

static void say_dropped(struct output *output, struct bucket *bucket)
{
    if (bucket->dropped > 0)
        log_warning("[%s] %lu %s dropped: it logs more than %d lines a second",
                    label_of(output, bucket), bucket->dropped,
                    plural(bucket->dropped, "line was", "lines were"), LINES_PER_SECOND);
    bucket->dropped = 0;
}

/* The last words of a host that ends are the ones that count. */
static void say_kept(struct output *output, struct bucket *bucket)
{
    unsigned count = MIN(bucket->kept_count, (unsigned)KEPT_LINES);

    for (unsigned i = bucket->kept_count - count; bucket->kept && i != bucket->kept_count; i++)
        log_foreign(LOG_LEVEL_INFO, false, "[%s] of the lines that were dropped: %s",
                    label_of(output, bucket), bucket->kept[i % KEPT_LINES]);
    bucket->kept_count = 0;
}

static void drop(struct output *output, struct bucket *bucket, const char *line)
{
    bucket->dropped++;
    if (!bucket->kept)
        bucket->kept = calloc(KEPT_LINES, KEPT_SIZE);
    if (bucket->kept)
        text_copy_shown(bucket->kept[bucket->kept_count++ % KEPT_LINES], KEPT_SIZE, line);
    if (loop_timer_due(output->tell) == 0)
        loop_timer_arm(output->tell, TELL_AFTER);
}

/* A module that marks lines of its own as verdicts takes them from its own share. */
static bool may_pass(struct output *output, struct bucket *bucket, const char *line, bool verdict,
                     bool *ret_counts)
{
    *ret_counts = verdict && allowance_take(&bucket->verdicts);
    if (!*ret_counts && !allowance_take(&bucket->lines)) {
        drop(output, bucket, line);
        return false;
    }
    if (!verdict) {
        say_dropped(output, bucket);
        bucket->kept_count = 0;
    }
    return true;
}

/* The module's bucket, there are no more than tenants; that of the host for a name that is none of
 * its own, or without memory. */
static struct bucket *find_bucket(struct output *output, const char *module)
{
    struct bucket *bucket;

    if (strcmp(module, output->own.name) == 0 || *module == '\0' || !owns(output, module))
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

/* Takes "<4>" or "<4!>" away: the level, and whether the host itself says it, of a run or job, say.
 */
static char *take_prefix(char *line, enum log_level *ret_level, bool *ret_verdict)
{
    bool mark = line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '!';
    bool prefix = line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[mark ? 3 : 2] == '>';

    *ret_verdict = prefix && mark;
    *ret_level = prefix ? (enum log_level)MAX(line[1] - '0', (int)LOG_LEVEL_ERROR) : LOG_LEVEL_INFO;
    return prefix ? line + (mark ? 4 : 3) : line;
}

/* "<4>[web/check#12] text": both parts are optional, since modules print what they like. */
static void pass_on(struct output *output, char *line)
{
    enum log_level level;
    struct log_record record;
    struct bucket *bucket;
    bool verdict, counts;

    line = take_prefix(line, &level, &verdict);
    if (line == output->line)
        last_words_note(&output->words, line, clock_monotonic());
    record.text = line;
    log_record_parse(&record);
    bucket = find_bucket(output, record.module);
    if (*line == '\0' || !may_pass(output, bucket, line, verdict, &counts))
        return;
    if (strcmp(label_of(output, bucket), record.module) == 0)
        log_foreign(level, counts, "%s", line);
    else
        log_foreign(level, counts, "[%s] %s", output_label(output), line);
    if (level <= LOG_LEVEL_NOTICE && output->events.told)
        output->events.told(output->events.arg);
}

/* A line that does not fit shows that there was more. */
static void end_line(struct output *output)
{
    static const char more[] = " [...]";

    output->line[output->cut ? LINE_SIZE - sizeof(more) : output->used] = '\0';
    if (output->cut) {
        redact_cut(output->line);
        strcat(output->line, more);
    }
    pass_on(output, output->line);
    output->used = 0;
    output->cut = false;
}

static void take_bytes(struct output *output, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n')
            end_line(output);
        else if (output->used < LINE_SIZE - 1)
            output->line[output->used++] = bytes[i] != '\0' ? bytes[i] : '?';
        else
            output->cut = true;
    }
}

/* Readable for ever would be a loop that spins. */
static void stop_reading(struct output *output, int error)
{
    loop_io_watch(output->io, 0);
    if (error != 0)
        log_warning("[%s] its output cannot be read any more: %s", output_label(output),
                    strerror(error));
}

/* Returns how many bytes; 0 at the end or when nothing is there. */
static size_t read_some(struct output *output)
{
    char bytes[4096];
    ssize_t size;

    do
        size = read(output->fd, bytes, sizeof(bytes));
    while (size < 0 && errno == EINTR);
    if (size > 0)
        take_bytes(output, bytes, (size_t)size);
    else if (size == 0 || errno != EAGAIN)
        stop_reading(output, size < 0 ? errno : 0);
    return (size_t)MAX(size, (ssize_t)0);
}

/* The output that a dead host left behind is at most what its pipe holds, which it may have made
 * larger. A orphan may have the other end and go on writing, so more than that is not read; and not
 * what root may have made larger than all others. */
static void read_rest(struct output *output)
{
    int held = 0, capacity = fcntl(output->fd, F_GETPIPE_SZ);
    size_t left = (size_t)MIN(MAX(capacity, PIPE_MIN), PIPE_MAX), size;

    if (output->rest_read)
        return;
    output->rest_read = true;
    while (left > 0 && (size = read_some(output)) > 0)
        left -= MIN(left, size);
    if (output->used > 0)
        take_bytes(output, "\n", 1);
    if (left > 0 || ioctl(output->fd, FIONREAD, &held) < 0 || held == 0)
        return;
    log_warning("[%s] %d %s of its output dropped: more than is read of a host that has ended",
                output_label(output), held, plural((unsigned)held, "byte", "bytes"));
}

void output_last_words(struct output *output, char *buffer, size_t size)
{
    read_rest(output);
    last_words_format(output->words, clock_monotonic(), buffer, size);
}

static void output_ready(int fd _unused_, unsigned events _unused_, void *arg)
{
    /* One read a turn: a host that floods its pipe must not hold up the loop. */
    read_some(arg);
}

static void tell_dropped(void *arg)
{
    output_tell_dropped(arg);
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
        r = loop_timer_create(loop, tell_dropped, output, &output->tell);
    }
    if (r == 0) {
        take_bytes(output, rest, strlen(rest));
        /* As much as that is of a line that was longer already, most likely. */
        output->cut = output->used == LINE_SIZE - 1;
        r = loop_io_create(loop, fd, LOOP_READ, output_ready, output, &output->io);
    }
    if (r < 0) {
        close(fd);
        if (output)
            loop_timer_destroy(output->tell);
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

    say_dropped(output, &output->own);
    LIST_FOREACH (bucket, &output->own.list, list)
        say_dropped(output, bucket);
}

void output_destroy(struct output *output)
{
    struct bucket *bucket, *next;

    if (!output)
        return;
    read_rest(output);
    output_tell_dropped(output);
    say_kept(output, &output->own);
    free(output->own.kept);
    LIST_FOREACH_SAFE (bucket, next, &output->own.list, list) {
        say_kept(output, bucket);
        list_remove(&bucket->list);
        free(bucket->kept);
        free(bucket);
    }
    loop_timer_destroy(output->tell);
    loop_io_destroy(output->io);
    free(output->words);
    close(output->fd);
    free(output);
}
