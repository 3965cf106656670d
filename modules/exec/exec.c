/* SPDX-License-Identifier: MIT */
/*
 * exec - runs a command on a schedule
 *
 * A cron with timeouts, captured output and no overlap: a run that is still going on when the next
 * is due is not joined by a second one. Several commands are several sections.
 *
 * Options
 *
 *     command = TEXT           run by /bin/sh -c; required
 *     directory = PATH         where it runs. Default: the state directory
 *     log-output = always | failure | never
 *                              when its output, stdout and stderr, is logged. Default: failure
 *     output-max = SIZE        how much of the output is kept: the first and the last half of
 *                              that. Default: 16K
 *     kill-after = DURATION    between SIGTERM and SIGKILL: of the command, with all that it has
 *                              started in its session, when it is cancelled; and of what it
 *                              leaves in its process group when it ends. 0: SIGKILL follows at
 *                              once. Default: 3s. Set run.grace to more than this: past it the
 *                              module's process is killed as hanging
 *
 * Tasks
 *
 *     run                      every 1min, with run.timeout = 1min unless it is set
 *
 * Exit code 0 is a success; any other, and a signal, is a failure. The last line of the output, up
 * to 200 bytes from its end, stands beside the exit code in the log and in `reevectl status`, but
 * not in /health and on the page, which everybody can read: a command's output may hold secrets.
 * Behind a progress bar it is what stands after that. In the log, long outputs and long lines lack
 * their middle.
 *
 * Example
 *
 *     [module:backup]
 *     load = exec
 *     command = restic backup /srv
 *     run.every = 6h
 *     run.timeout = 2h
 */
#include <errno.h>
#include <fcntl.h>
#include <reeve/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exec {
    char *command;
    char *directory;
    int log_output;
    uint64_t output_max;
    rv_duration kill_after;
};

enum { LOG_ALWAYS, LOG_FAILURE, LOG_NEVER };
static const char *const log_choices[] = {"always", "failure", "never", NULL};

/* So many lines are logged of an output, most of them the last. */
#define LINES_FIRST 20
#define LINES_LAST  100
/* And so many bytes of one: the log itself keeps 2 KiB, its labels included. */
#define LINE_MAX_LOGGED 1600
/* The text that stands for the bytes that a command's output is too long by (<reeve/command.h>). */
#define GAP_MARK "\n[... %llu bytes left out ...]"
/* No URL goes on for longer. */
#define CUT_WORD_MAX 4096
/* So many bytes stand beside an exit code. */
#define END_MAX 200

static bool is_blank(char c)
{
    return c == '\n' || c == '\r' || c == '\t' || c == ' ';
}

static size_t count_lines(const char *output, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += output[i] == '\n';
    return count + (size > 0 && output[size - 1] != '\n');
}

/* A character that has no place in a text is made visible, or the line would end there. */
static void replace_zeros(char *output, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (output[i] == '\0')
            output[i] = '?';
}

/* Hides what URLs keep secret, before anything is cut: a part that begins within one does not look
 * like one. Returns the new size. */
static size_t redact(char *output, size_t size)
{
    size_t used = 0, at = 0;

    while (at < size) {
        char *line = output + at, *end = memchr(line, '\n', size - at);
        size_t length;

        if (end)
            *end = '\0';
        at = end ? (size_t)(end - output) + 1 : size;
        rv_redact_urls(line);
        length = strlen(line);
        memmove(output + used, line, length);
        used += length;
        if (end)
            output[used++] = '\n';
    }
    output[used] = '\0';
    return used;
}

/* The characters that end a URL for rv_redact_urls(). */
static bool ends_url(char c)
{
    return is_blank(c) || strchr("\"<>`", c);
}

/* Before the gap a URL may stand without its end, by which rv_redact_urls() would know what is
 * secret in it. Returns how much that is. */
static size_t find_cut_url(const char *output, size_t gap)
{
    size_t length = 0;
    bool is_url = false;

    while (length < gap && length < CUT_WORD_MAX && !ends_url(output[gap - length - 1])) {
        const char *begin = output + gap - ++length;

        is_url = is_url || (length > 1 && begin[0] == ':' && (begin[1] == '/' || begin[1] == '\\'));
    }
    return is_url ? length : 0;
}

/* Behind the gap the rest of a URL may stand, which does not look like one. Returns how much can
 * belong to it. */
static size_t find_cut_word(const char *rest, size_t size)
{
    size_t length = 0;

    while (length < size && length < CUT_WORD_MAX && !ends_url(rest[length]))
        length++;
    return length;
}

/* Leaves out as well what stands around the gap in an output that was too long and may be part of a
 * URL. Returns the new size. */
static size_t drop_cut_word(char *output, size_t size, size_t gap)
{
    unsigned long long left_out;
    size_t length, before, behind, from;
    int mark_length = 0;
    char text[80];

    /* The mark's own line break is not in the format, where it would stand for all blanks that
     * follow. */
    if (size <= gap || sscanf(output + gap, GAP_MARK "%n", &left_out, &mark_length) != 1 ||
        mark_length == 0)
        return size;
    from = gap + (size_t)mark_length + 1;
    before = find_cut_url(output, gap);
    behind = find_cut_word(output + from, size - from);
    if (before + behind == 0)
        return size;
    /* It has at most one digit more, for at least one byte less. */
    length = (size_t)snprintf(text, sizeof(text), GAP_MARK "\n", left_out + before + behind);
    memmove(output + gap - before + length, output + from + behind, size - from - behind + 1);
    memcpy(output + gap - before, text, length);
    return size - (from - gap) - before - behind + length;
}

/* Where the next character begins, so that none is cut. */
static size_t skip_rest(const char *text, size_t from, size_t end)
{
    while (from < end && ((unsigned char)text[from] & 0xC0) == 0x80)
        from++;
    return from;
}

/* Of a line that the log would cut, the end may be what matters, behind a progress bar say. */
static void log_line(struct rv_context *ctx, const char *line)
{
    size_t length = strlen(line), head, tail;

    if (length <= LINE_MAX_LOGGED) {
        rv_log(ctx, RV_LOG_INFO, "%s", line);
        return;
    }
    head = skip_rest(line, LINE_MAX_LOGGED / 2, length);
    tail = skip_rest(line, length - LINE_MAX_LOGGED / 2, length);
    rv_log(ctx, RV_LOG_INFO, "%.*s [... %zu bytes left out ...] %s", (int)head, line, tail - head,
           line + tail);
}

static void log_lines(struct rv_context *ctx, char *output, size_t size)
{
    size_t count = count_lines(output, size), n = 0;
    char *line, *position = output;

    while ((line = strsep(&position, "\n"))) {
        n++;
        if (n == LINES_FIRST + 1 && count > LINES_FIRST + LINES_LAST)
            rv_log(ctx, RV_LOG_INFO, "[... %zu line%s left out ...]",
                   count - LINES_FIRST - LINES_LAST,
                   count - LINES_FIRST - LINES_LAST == 1 ? "" : "s");
        if (*line != '\0' && (n <= LINES_FIRST || n + LINES_LAST > count))
            log_line(ctx, line);
    }
}

/* The end of an output, for a text: its end counts, which has the reason. */
struct end {
    const char *before; /* what separates it, and says whether its begin is left out */
    const char *text;
    int length;
};

/* The last line, behind what a progress bar has overwritten there. The output stays as it is. */
static struct end find_end(const char *output, size_t size)
{
    size_t end = size, start;
    bool cut;

    while (end > 0 && is_blank(output[end - 1]))
        end--;
    for (start = end; start > 0 && output[start - 1] != '\n' && output[start - 1] != '\r'; start--)
        ;
    cut = end - start > END_MAX;
    if (cut)
        start = skip_rest(output, end - END_MAX, end);
    return (struct end){.before = end == start ? ""
                                  : cut        ? "\n[...]"
                                               : "\n",
                        .text = output + start,
                        .length = (int)(end - start)};
}

/* The command's start would fail too, and blame the shell. */
static int check_directory(const struct exec *exec)
{
    int fd, r = 0;

    if (!exec->directory)
        return 0;
    fd = open(exec->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return rv_fail(-errno, "directory = %s", exec->directory);
    if (faccessat(fd, ".", X_OK, AT_EACCESS) < 0)
        r = rv_fail(-errno, "directory = %s: it cannot be entered", exec->directory);
    close(fd);
    return r;
}

static int run(struct rv_context *ctx, void *state)
{
    const struct exec *exec = state;
    char *const argv[] = {(char *)"/bin/sh", (char *)"-c", exec->command, NULL};
    struct rv_command_options options = {
        .size = sizeof(options),
        .directory = exec->directory,
        .output_max = (size_t)exec->output_max,
        .grace = exec->kill_after,
    };
    struct rv_command_result result;
    const char *how;
    struct end end;
    char text[80];
    int r = check_directory(exec);

    if (r < 0)
        return r;
    r = rv_command_run(ctx, argv, &options, &result);
    snprintf(text, sizeof(text), "%s", r < 0 ? rv_error_text(r) : "");
    if (!result.output)
        return rv_wrap(r, "run");
    replace_zeros(result.output, result.output_size);
    /* Half of what is kept stands before the gap. */
    if (result.truncated)
        result.output_size =
            drop_cut_word(result.output, result.output_size, (size_t)exec->output_max / 2);
    result.output_size = redact(result.output, result.output_size);
    /* A text's second line is not for everybody. */
    end = find_end(result.output, result.output_size);
    if (r == 0) {
        rv_progress(ctx, "exit code 0%s%.*s", end.before, end.length, end.text);
    } else if (r == -ETIMEDOUT) {
        r = rv_fail_text(r, "the command was ended by its timeout%s%.*s", end.before, end.length,
                         end.text);
    } else if (r == -ECHILD) {
        /* "/bin/sh: exit code 3" */
        how = strstr(text, ": ");
        r = rv_fail_text(r, "%s%s%.*s", how ? how + 2 : text, end.before, end.length, end.text);
    }
    if (exec->log_output == LOG_ALWAYS || (r < 0 && exec->log_output == LOG_FAILURE))
        log_lines(ctx, result.output, result.output_size);
    free(result.output);
    return r;
}

static int reload(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

RV_MODULE(.name = "exec", .version = "1", .summary = "Runs a command on a schedule",
          .state_size = sizeof(struct exec), .reentrant = true,
          .options = RV_OPTIONS(
              RV_OPTION_STRING(struct exec, command, .required = true,
                               .help = "command for /bin/sh -c"),
              RV_OPTION_PATH(struct exec, directory, .help = "where it runs"),
              RV_OPTION_ENUM(struct exec, log_output, .fallback = "failure", .choices = log_choices,
                             .help = "when its output is logged"),
              RV_OPTION_SIZE(struct exec, output_max, .fallback = "16K", .minimum = 1,
                             .maximum = 16 * 1024 * 1024, .help = "how much of its output is kept"),
              RV_OPTION_DURATION(struct exec, kill_after, .fallback = "3s",
                                 .help = "time between SIGTERM and SIGKILL; 0: none")),
          .tasks = RV_TASKS({.name = "run",
                             .run = run,
                             .every = "1min",
                             .timeout = "1min",
                             .help = "runs the command"}),
          .reload = reload, );
