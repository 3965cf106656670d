/* SPDX-License-Identifier: MIT */
/*
 * reeve-host --describe writes records (host/standalone/describe.h), which become JSON here. The
 * module's code ran in that process and may have written what it likes: unknown records and keys
 * are left out, and every value is made printable.
 */
#include "ctl/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/signal_name.h"
#include "base/text.h"
#include "ctl/places.h"
#include "ctl/table.h"
#include "settings/work_keys.h"

#define TIME_MAX   (10 * NSEC_PER_SEC)
#define OUTPUT_MAX (1024 * 1024)

extern char **environ;

/* From records to JSON ---------------------------------------------------- */

enum cell_kind { CELL_TEXT = 1, CELL_NUMBER, CELL_BOOL, CELL_WORDS };

/* A member of a record's object. A member that a record does not have is null; of CELL_WORDS an
 * empty list. */
struct cell {
    const char *key;
    const char *member;
    enum cell_kind kind;
};

static const struct cell host_cells[] = {
    {"abi", "host_abi", CELL_NUMBER}, {"version", "host_version", CELL_TEXT}, {NULL}};
static const struct cell file_cells[] = {
    {"abi", "abi", CELL_NUMBER}, {"runtime", "runtime", CELL_TEXT}, {NULL}};
static const struct cell module_cells[] = {{"name", "name", CELL_TEXT},
                                           {"version", "version", CELL_TEXT},
                                           {"summary", "summary", CELL_TEXT},
                                           {"functions", "functions", CELL_WORDS},
                                           {NULL}};
static const struct cell error_cells[] = {{"text", "error", CELL_TEXT}, {NULL}};
static const struct cell option_cells[] = {
    {"name", "name", CELL_TEXT},         {"type", "type", CELL_TEXT},
    {"required", "required", CELL_BOOL}, {"repeated", "repeated", CELL_BOOL},
    {"default", "default", CELL_TEXT},   {"minimum", "minimum", CELL_TEXT},
    {"maximum", "maximum", CELL_TEXT},   {"choices", "choices", CELL_WORDS},
    {"help", "help", CELL_TEXT},         {NULL}};
/* Beside these a task or pool has what is in force of its keys. */
static const struct cell task_cells[] = {{"name", "name", CELL_TEXT},
                                         {"schedule", "schedule", CELL_TEXT},
                                         {"help", "help", CELL_TEXT},
                                         {NULL}};
static const struct cell pool_cells[] = {
    {"name", "name", CELL_TEXT}, {"help", "help", CELL_TEXT}, {NULL}};

/* list: where the record's object goes; NULL: its members are the document's own. keys: more cells,
 * one for each; may be NULL. */
static const struct record {
    const char *kind;
    const char *list;
    const struct cell *cells;
    const struct setting *keys;
} records[] = {
    {"host", NULL, host_cells, NULL},
    {"file", NULL, file_cells, NULL},
    {"module", NULL, module_cells, NULL},
    {"error", NULL, error_cells, NULL},
    {"option", "options", option_cells, NULL},
    {"task", "tasks", task_cells, task_keys},
    {"pool", "pools", pool_cells, pool_keys},
    {"task-key", "task_keys", option_cells, NULL},
    {"pool-key", "pool_keys", option_cells, NULL},
};

/* The member for a key: "on-error" is "on_error". */
static const char *key_member(const char *key, char *buffer, size_t size)
{
    string_copy(buffer, size, key);
    for (char *p = buffer; *p != '\0'; p++)
        if (*p == '-')
            *p = '_';
    return buffer;
}

static json_t *make_words(char *text)
{
    json_t *list = json_array();
    char *word, *rest;

    for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        json_array_append_new(list, json_string(word));
    return list;
}

static json_t *make_value(enum cell_kind kind, char *text)
{
    long long number;

    switch (kind) {
    case CELL_NUMBER:
        return integer_parse(text, INT64_MIN, INT64_MAX, &number) < 0 ? json_null()
                                                                      : json_integer(number);
    case CELL_BOOL:
        return json_boolean(strcmp(text, "yes") == 0);
    case CELL_WORDS:
        return make_words(text);
    default:
        return json_string(text);
    }
}

static void set_defaults(json_t *object, const struct record *record)
{
    char member[64];

    for (const struct cell *c = record->cells; c->key; c++)
        json_object_set_new(object, c->member, c->kind == CELL_WORDS ? json_array() : json_null());
    for (const struct setting *s = record->keys; s && s->key; s++)
        json_object_set_new(object, key_member(s->key, member, sizeof(member)), json_null());
}

static void take_cell(json_t *object, const struct record *record, char *cell)
{
    char *value = strchr(cell, '='), member[64];
    const struct setting *setting;

    if (!value)
        return;
    *value++ = '\0';
    text_sanitise(value);
    for (const struct cell *c = record->cells; c->key; c++)
        if (strcmp(c->key, cell) == 0)
            json_object_set_new(object, c->member, make_value(c->kind, value));
    setting = record->keys ? setting_find(record->keys, cell) : NULL;
    if (setting)
        json_object_set_new(
            object, key_member(cell, member, sizeof(member)),
            make_value(setting->kind == SETTING_INTEGER ? CELL_NUMBER : CELL_TEXT, value));
}

/* Returns whether it was the last. */
static bool take_record(json_t *document, char *line)
{
    char *rest = line, *kind = strsep(&rest, "\t"), *cell;

    if (strcmp(kind, "problem") == 0 && rest && strncmp(rest, "text=", 5) == 0) {
        text_sanitise(rest);
        json_array_append_new(json_object_get(document, "problems"), json_string(rest + 5));
    }
    for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
        json_t *object = document;

        if (strcmp(records[i].kind, kind) != 0)
            continue;
        if (records[i].list) {
            object = json_object();
            set_defaults(object, &records[i]);
            json_array_append_new(json_object_get(document, records[i].list), object);
        }
        while ((cell = strsep(&rest, "\t")))
            take_cell(object, &records[i], cell);
    }
    return strcmp(kind, "end") == 0;
}

static json_t *make_document(const char *path)
{
    json_t *document = json_pack("{s:o}", "file", make_printable(path));

    for (size_t i = 0; i < ARRAY_SIZE(records); i++)
        if (records[i].list)
            json_object_set_new(document, records[i].list, json_array());
        else
            set_defaults(document, &records[i]);
    json_object_set_new(document, "problems", json_array());
    return document;
}

/* Returns whether the last was there. */
static bool take_records(json_t *document, char *text)
{
    bool ended = false;
    char *line;

    while (!ended && (line = strsep(&text, "\n")))
        ended = take_record(document, line);
    return ended;
}

/* The process ------------------------------------------------------------- */

static int spawn(const char *program, const char *path, int output, pid_t *ret_pid)
{
    char *const argv[] = {(char *)"reeve-host", (char *)"--describe", (char *)(uintptr_t)path,
                          NULL};
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);

    if (r != 0)
        return -r;
    r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    /* The output of its constructors must not drive our terminal. */
    if (r == 0)
        r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (r == 0)
        r = posix_spawn(ret_pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* Returns 0 once there is something to read, -ETIMEDOUT or another negative errno. */
static int await(int fd, int64_t deadline)
{
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int64_t left = deadline - clock_monotonic();
        int r = left > 0 ? poll(&poll_fd, 1, (int)(left / NSEC_PER_MSEC) + 1) : 0;

        if (r < 0 && errno == EINTR)
            continue;
        return r > 0 ? 0 : r < 0 ? -errno : -ETIMEDOUT;
    }
}

/* Reads to the end. Returns 0, -ETIMEDOUT, -EFBIG or another negative errno. */
static int read_output(int fd, int64_t deadline, struct text *text)
{
    char bytes[4096];
    ssize_t size;
    int r;

    while ((r = await(fd, deadline)) == 0) {
        size = read(fd, bytes, sizeof(bytes));
        if (size <= 0)
            return size < 0 ? -errno : 0;
        text_append_bytes(text, bytes, (size_t)size);
        if (text->failed || text->length > OUTPUT_MAX)
            return text->failed ? -ENOMEM : -EFBIG;
    }
    return r;
}

/* A process that has closed its output has not ended yet. */
static int await_end(pid_t pid, int64_t deadline)
{
    cleanup_close int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    return fd < 0 ? -errno : await(fd, deadline);
}

static void set_error(json_t *document, const char *format, ...) printf_like(2, 3);
static void set_error(json_t *document, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_object_set_new(document, "error", json_string(text));
}

/* How it ended. */
struct end {
    int r; /* of reading what it wrote */
    int status;
};

/* Why there was no last record. */
static void explain_end(json_t *document, const struct end *end)
{
    const char *path = json_string_value(json_object_get(document, "file"));

    if (end->r == -ETIMEDOUT)
        set_error(document, "%s: its code did not end within 10s of being loaded", path);
    else if (end->r < 0)
        set_error(document, "%s: what it says cannot be read: %s", path, strerror(-end->r));
    else if (WIFSIGNALED(end->status))
        set_error(document, "%s: its code ended the process that loaded it: %s", path,
                  signal_name(WTERMSIG(end->status)));
    else
        set_error(document, "%s: its code ended the process that loaded it: exit code %d", path,
                  WEXITSTATUS(end->status));
}

/* Returns 0 or a negative errno, told already, when it could not be started. */
static int run_host(const char *path, struct text *text, struct end *ret_end)
{
    const int64_t deadline = clock_monotonic() + TIME_MAX;
    char program[PATH_MAX];
    cleanup_close int output = -1;
    int fds[2], r;
    pid_t pid;

    places_find_host(program, sizeof(program));
    r = pipe2(fds, O_CLOEXEC) < 0 ? -errno : 0;
    if (r == 0) {
        output = fds[0];
        r = spawn(program, path, fds[1], &pid);
        close(fds[1]);
    }
    if (r < 0) {
        fprintf(stderr, "reevectl: cannot run %s: %s\n", program, strerror(-r));
        return r;
    }
    ret_end->r = read_output(output, deadline, text);
    if (ret_end->r == 0)
        ret_end->r = await_end(pid, deadline);
    if (ret_end->r < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &ret_end->status, 0) < 0 && errno == EINTR)
        ;
    return 0;
}

json_t *inspect_file(const char *path)
{
    json_t *document = make_document(path);
    cleanup_text struct text text = {0};
    cleanup_free char *output = NULL;
    struct end end;

    if (document && run_host(path, &text, &end) == 0)
        output = text_finish(&text);
    if (!output) {
        json_decref(document);
        return NULL;
    }
    if (!take_records(document, output))
        explain_end(document, &end);
    return document;
}
