/* SPDX-License-Identifier: MIT */
/*
 * A module that does what a test tells it: its task "act" and its pool "work" perform the action
 * that the file `script` holds, or the job's data. Each writes what it saw into the file `trace`.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <reeve/module.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct puppet {
    char *label;
    char *script;
    char *trace;
    char *on_init;
    char *on_reload;
    char *on_check;
    char *on_fini;
    char *health_file;
    char *password;
    struct rv_list words;
};

/* Volatile, so that the compiler does not see what it points to. */
static int *volatile nowhere = (int *)(uintptr_t)0x10;

static void trace(const struct puppet *puppet, const char *what, const char *more)
{
    char line[700];
    int fd = open(puppet->trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int length = snprintf(line, sizeof(line), "%s %s%s\n", puppet->label, what, more);

    if (fd < 0 || write(fd, line, (size_t)length) != length)
        abort();
    close(fd);
}

/* Returns the file's text in buffer, "" when there is none. */
static const char *read_text(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, buffer, size - 1);

    if (fd >= 0)
        close(fd);
    buffer[length > 0 ? length : 0] = '\0';
    return buffer;
}

static int wait_for_cancel(struct rv_context *ctx, const struct puppet *puppet)
{
    struct rv_cause cause;

    trace(puppet, "waits", "");
    rv_sleep(ctx, RV_FOREVER);
    rv_context_cause(ctx, &cause);
    trace(puppet, "cancelled: ", cause.text);
    return rv_context_err(ctx);
}

/* Cannot be cancelled: ends when the test opens and closes the fifo's other end. */
static int wait_for_fifo(const struct puppet *puppet, const char *path)
{
    char buffer[16];

    trace(puppet, "reads", "");
    read_text(path, buffer, sizeof(buffer));
    trace(puppet, "has read", "");
    return strcmp(buffer, "fail") == 0 ? rv_fail_text(-EIO, "as told") : 0;
}

/* Three seconds of work that moves, and does not look whether it is cancelled. */
static int take_steps(struct rv_context *ctx, const struct puppet *puppet)
{
    trace(puppet, "steps", "");
    for (int i = 0; i < 60; i++) {
        rv_sleep(rv_context_background(), 50 * RV_MILLISECOND);
        rv_progress(ctx, "step %d", i);
    }
    trace(puppet, rv_context_err(ctx) == 0 ? "has stepped" : "was cut", "");
    return 0;
}

/* Not even its stack can be taken by a signal. */
static void ignore_everything(const struct puppet *puppet)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    trace(puppet, "is deaf", "");
    for (;;)
        pause();
}

/* Which outlive the run, and ignore what can be ignored. */
static void leave_children(const struct puppet *puppet)
{
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            signal(SIGTERM, SIG_IGN);
            for (;;)
                pause();
        }
    trace(puppet, "has children", "");
}

static int wait_silently(struct rv_context *ctx, void *arg)
{
    (void)arg;
    return rv_sleep(ctx, RV_FOREVER);
}

/* All threads that the runtime has: a group alone would not get them. */
static int use_all_threads(struct rv_context *ctx, const struct puppet *puppet)
{
    struct rv_group *groups[40];

    for (int i = 0; i < 40; i++) {
        if (rv_group_create(ctx, &groups[i]) < 0)
            abort();
        while (rv_group_try_go(groups[i], wait_silently, NULL) == 0)
            ;
    }
    trace(puppet, "has all threads", "");
    for (int i = 0; i < 40; i++)
        rv_group_wait(groups[i]);
    return 0;
}

/* Whose cancel, when the run has returned, takes a while. */
static void leave_contexts(struct rv_context *ctx)
{
    static struct rv_context *left[50000];

    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        rv_context_unref(left[i]);
        left[i] = NULL;
        if (rv_context_with_cancel(ctx, &left[i]) < 0)
            abort();
    }
}

/* Takes all of a processor, until it is cancelled. */
static int spin(struct rv_context *ctx, const struct puppet *puppet)
{
    trace(puppet, "spins", "");
    while (rv_context_err(ctx) == 0)
        ;
    return 0;
}

/* More than it may log, and then what counts. */
static int flood(const struct puppet *puppet, const char *action)
{
    for (int i = 0; i < 1500; i++)
        dprintf(STDERR_FILENO, "a flood\n");
    if (strcmp(action, "flood and fail") == 0)
        return rv_fail_text(-EIO, "as told");
    dprintf(STDERR_FILENO, "<3>[%s] my last words\n", puppet->label);
    _exit(7);
}

/* Leaves more in its pipe than one holds that nobody has made larger, and ends. */
static int fill(const struct puppet *puppet)
{
    char line[1900];

    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\n';
    fcntl(STDERR_FILENO, F_SETPIPE_SZ, 1 << 20);
    for (int i = 0; i < 300; i++)
        (void)!write(STDERR_FILENO, line, sizeof(line));
    dprintf(STDERR_FILENO, "<3>[%s] my last words\n", puppet->label);
    _exit(7);
}

static int run_shell_in_a_group(struct rv_context *ctx, void *arg)
{
    (void)ctx;
    return system(arg) == 0 ? 0 : -EIO;
}

/* As a library may do, that knows nothing of signals: once here, and once on another thread of the runtime. */
static int run_shell(struct rv_context *ctx, const char *command)
{
    struct rv_group *group;
    char *copy = strdup(command);
    int r = rv_group_create(ctx, &group);

    if (r == 0 && copy)
        r = rv_group_go(group, run_shell_in_a_group, copy);
    if (r == 0)
        r = rv_group_wait(group);
    if (r == 0)
        r = run_shell_in_a_group(ctx, copy);
    free(copy);
    return r;
}

static void break_lines(const char *action, char *text, size_t size)
{
    snprintf(text, size, "%s", action);
    for (char *p = text; *p != '\0'; p++)
        if (*p == '|')
            *p = '\n';
}

/* As an exception or a panic that nobody catches. */
static void die(const char *action)
{
    char text[256];

    break_lines(action, text, sizeof(text));
    dprintf(STDERR_FILENO, "%s\n", text);
    abort();
}

/* With what lies in each frame after the call, or the compiler would make a loop of it. */
static int overflow(volatile char *before) // NOLINT(misc-no-recursion)
{
    volatile char frame[4096];

    frame[0] = *before;
    return nowhere ? overflow(frame) + frame[0] : 0;
}

/* "FIRST|SECOND": a text of two lines, wherever a module can have one. */
static int fail_with(struct rv_context *ctx, const char *action)
{
    char text[256];

    break_lines(action, text, sizeof(text));
    rv_progress(ctx, "progress %s", text);
    rv_log(ctx, RV_LOG_INFO, "log %s", text);
    return rv_fail_text(-EIO, "error %s", text);
}

/* What no buffer has room for: each ends within the word that follows the beginning. */
static void fill_text(char *text, size_t size, const char *beginning)
{
    size_t length = (size_t)snprintf(text, size, "%200s%s", "", beginning);

    memset(text + length, 'z', size - length - 1);
    text[size - 1] = '\0';
}

/* In all ways. */
static int say_too_much(struct rv_context *ctx, const char *beginning)
{
    char text[4096];

    fill_text(text, sizeof(text), beginning);
    rv_progress(ctx, "%s", text);
    rv_log(ctx, RV_LOG_INFO, "%s", text);
    dprintf(STDERR_FILENO, "%s\n", text);
    rv_fail_text(-EIO, "%s", text);
    return rv_wrap(-EIO, "again");
}

/* Of more than one line of a log holds; what is said next ends it. */
static void begin_line(const char *beginning)
{
    char text[4096];

    fill_text(text, sizeof(text), beginning);
    (void)!write(STDERR_FILENO, text, strlen(text));
}

/* In so many lines that the last ones are dropped. */
static void say_too_often(const char *beginning)
{
    char text[300];

    fill_text(text, sizeof(text), beginning);
    for (int i = 0; i < 5000; i++)
        dprintf(STDERR_FILENO, "%s@host\n", text);
    _exit(7);
}

static int perform(struct rv_context *ctx, const struct puppet *puppet, const char *action)
{
    if (strncmp(action, "fail-with ", 10) == 0)
        return fail_with(ctx, action + 10);
    if (strncmp(action, "die ", 4) == 0)
        die(action + 4);
    if (strncmp(action, "load ", 5) == 0)
        return dlopen(action + 5, RTLD_NOW) ? 0 : rv_fail_text(-ELIBBAD, "%s", dlerror());
    if (strncmp(action, "shell ", 6) == 0)
        return run_shell(ctx, action + 6);
    if (strncmp(action, "flood", 5) == 0)
        return flood(puppet, action);
    if (strncmp(action, "say-too-much ", 13) == 0)
        return say_too_much(ctx, action + 13);
    if (strncmp(action, "begin-line ", 11) == 0)
        begin_line(action + 11);
    if (strncmp(action, "say-too-often ", 14) == 0)
        say_too_often(action + 14);
    if (strcmp(action, "fail for ever") == 0)
        return rv_fail_text(-EBADMSG, "as told");
    if (strcmp(action, "fail to send") == 0)
        return rv_fail_text(-EPIPE, "the peer closed the connection");
    if (strcmp(action, "fail for memory") == 0)
        return rv_fail_text(-ENOMEM, "the cache cannot be had");
    if (strncmp(action, "fail", 4) == 0)
        return rv_fail_text(-EIO, "as told");
    if (strncmp(action, "positive", 8) == 0)
        return 9;
    if (strncmp(action, "crash", 5) == 0)
        *nowhere = 1;
    if (strncmp(action, "abort", 5) == 0)
        abort();
    if (strcmp(action, "leave") == 0)
        exit(0);
    if (strncmp(action, "exit", 4) == 0)
        _exit(strcmp(action, "exit 0") == 0 ? 0 : 7);
    if (strncmp(action, "wait", 4) == 0)
        return wait_for_cancel(ctx, puppet);
    if (strncmp(action, "fifo ", 5) == 0)
        return wait_for_fifo(puppet, action + 5);
    for (int i = 0; i < 1500 && strncmp(action, "say-often ", 10) == 0; i++)
        dprintf(STDERR_FILENO, "%s\n", action + 10);
    if (strncmp(action, "say ", 4) == 0)
        dprintf(STDERR_FILENO, "%s\n", action + 4);
    if (strcmp(action, "fill and exit") == 0)
        return fill(puppet);
    if (strncmp(action, "threads", 7) == 0)
        return use_all_threads(ctx, puppet);
    if (strncmp(action, "children", 8) == 0)
        leave_children(puppet);
    if (strncmp(action, "contexts", 8) == 0)
        leave_contexts(ctx);
    if (strncmp(action, "step", 4) == 0)
        return take_steps(ctx, puppet);
    if (strncmp(action, "reveal", 6) == 0)
        trace(puppet, "has the password ", puppet->password ? puppet->password : "");
    if (strncmp(action, "spin", 4) == 0)
        return spin(ctx, puppet);
    if (strncmp(action, "deaf", 4) == 0)
        ignore_everything(puppet);
    if (strncmp(action, "ignore", 6) == 0) {
        trace(puppet, "ignores", "");
        for (;;)
            pause();
    }
    if (strncmp(action, "signal-parent", 13) == 0 && kill(getppid(), SIGTERM) < 0)
        return rv_fail(-errno, "kill");
    if (strncmp(action, "note", 4) == 0)
        trace(puppet, "noted", "");
    return 0;
}

static int act(struct rv_context *ctx, void *state)
{
    const struct puppet *puppet = state;
    char action[256];

    return perform(ctx, puppet, read_text(puppet->script, action, sizeof(action)));
}

static int tick(struct rv_context *ctx, void *state)
{
    (void)ctx;
    (void)state;
    return 0;
}

#define TELL "tell "

/* Of its end, too. */
static bool is_to_tell(const struct rv_job *job)
{
    return job->size >= strlen(TELL) && memcmp(job->data, TELL, strlen(TELL)) == 0;
}

static int work(struct rv_context *ctx, const struct rv_job *job, void *state)
{
    char action[256];

    snprintf(action, sizeof(action), "%.*s", (int)job->size, (const char *)job->data);
    return perform(ctx, state, action + (is_to_tell(job) ? strlen(TELL) : 0));
}

/* In a process that cannot leave a trace. */
static int check(struct rv_context *ctx, const void *state)
{
    const struct puppet *puppet = state;

    if (strcmp(puppet->on_check, "options") == 0) {
        rv_fail_option(ctx, "on_check", "as told, see http://user:secret@host/");
        rv_fail_option(ctx, "health-file", "it is not in the section");
    } else if (strcmp(puppet->on_check, "rave") == 0) {
        for (int i = 0; i < 100000; i++)
            rv_fail_option(ctx, "label", "error %d", i);
    } else if (strcmp(puppet->on_check, "hang") == 0) {
        for (;;)
            pause();
    } else if (strcmp(puppet->on_check, "crash") == 0) {
        *nowhere = 1;
    } else if (strcmp(puppet->on_check, "overflow") == 0) {
        return overflow(&(volatile char){0});
    } else if (strncmp(puppet->on_check, "die ", 4) == 0) {
        die(puppet->on_check + 4);
    } else if (strcmp(puppet->on_check, "fail") == 0) {
        return rv_fail_text(-EIO, "they do not go together");
    }
    return 0;
}

static int init(struct rv_context *ctx, void *state)
{
    const struct puppet *puppet = state;

    trace(puppet, "init", "");
    return perform(ctx, puppet, puppet->on_init);
}

static void fini(void *state)
{
    const struct puppet *puppet = state;

    trace(puppet, "fini", "");
    if (strncmp(puppet->on_fini, "die ", 4) == 0)
        die(puppet->on_fini + 4);
}

static int reload(struct rv_context *ctx, void *state)
{
    const struct puppet *puppet = state;

    trace(puppet, "reload", "");
    return perform(ctx, puppet, puppet->on_reload);
}

static void ended(const struct rv_job *job, int code, void *state)
{
    char text[100];

    if (!is_to_tell(job))
        return;
    snprintf(text, sizeof(text), "%u of %u: %s", job->attempt, job->attempts,
             code < 0 ? strerrorname_np(-code) : "good");
    trace(state, "ended ", text);
}

static int health(struct rv_context *ctx, void *state)
{
    const struct puppet *puppet = state;
    char text[100];

    read_text(puppet->health_file, text, sizeof(text));
    if (strcmp(text, "wait") == 0)
        return rv_sleep(ctx, RV_FOREVER);
    return text[0] ? rv_fail_text(-EIO, "%s", text) : 0;
}

RV_MODULE(.name = "puppet", .version = "7", .summary = "Does what a test tells it",
          .state_size = sizeof(struct puppet),
          .options = RV_OPTIONS(RV_OPTION_STRING(struct puppet, label, .fallback = "puppet"),
                                RV_OPTION_PATH(struct puppet, script, .fallback = "script"),
                                RV_OPTION_PATH(struct puppet, trace, .fallback = "trace"),
                                RV_OPTION_STRING(struct puppet, on_init, .fallback = "nothing"),
                                RV_OPTION_STRING(struct puppet, on_reload, .fallback = "nothing"),
                                RV_OPTION_STRING(struct puppet, on_check, .fallback = "nothing"),
                                RV_OPTION_STRING(struct puppet, on_fini, .fallback = "nothing"),
                                RV_OPTION_PATH(struct puppet, health_file, .fallback = "health"),
                                RV_OPTION_SECRET(struct puppet, password),
                                RV_OPTION_LIST(struct puppet, words)),
          .tasks = RV_TASKS({.name = "act", .run = act},
                            {.name = "tick", .run = tick, .every = "20ms"}),
          .pools = RV_POOLS({.name = "work", .run = work, .workers = 1, .ended = ended}),
          .init = init, .fini = fini, .reload = reload, .health = health, .check = check);
