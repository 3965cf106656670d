/* SPDX-License-Identifier: MIT */
#include "daemon/process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/dispositions.h"
#include "base/macro.h"
#include "base/text.h"
#include "wire/message.h"

extern char **environ;

struct spawn {
    int null;    /* stands in the places while there is no process to be started */
    int control; /* a place, as the next two */
    int scoreboard;
    int output;
    unsigned first_left; /* from here on the thread leaves descriptors behind */
    char *program;
    char *name;
    char *directory;
    char *mark;
    char **environment;
};

static const char *const private_variables[] = {
    "NOTIFY_SOCKET=",
    "LISTEN_",
    "WATCHDOG_",
    "CREDENTIALS_DIRECTORY=",
    "JOURNAL_STREAM=",
    "REEVE_MODULE_PATH=",
    /* Of a reeved in whose host this one runs. */
    "REEVE_HOST=",
};

static bool is_private(const char *variable)
{
    for (size_t i = 0; i < ARRAY_SIZE(private_variables); i++)
        if (strncmp(variable, private_variables[i], strlen(private_variables[i])) == 0)
            return true;
    return false;
}

/* The strings stay the environment's own, and the mark the caller's. */
static char **make_environment(const char *mark)
{
    size_t count = 0, kept = 0;
    char **list;

    while (environ[count])
        count++;
    list = calloc(count + 2, sizeof(char *));
    for (size_t i = 0; list && i < count; i++)
        if (!is_private(environ[i]))
            list[kept++] = environ[i];
    if (list)
        list[kept] = (char *)(uintptr_t)mark;
    return list;
}

static int add_descriptors(posix_spawn_file_actions_t *actions, const struct spawn *spawn)
{
    int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, spawn->output, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, spawn->output, STDERR_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, spawn->control, WIRE_FD_CONTROL);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, spawn->scoreboard, WIRE_FD_SCOREBOARD);
    if (r == 0)
        r = posix_spawn_file_actions_addchdir_np(actions, spawn->directory);
    return r;
}

/* In the thread alone. Where the kernel does not know this, the process copies and closes them all.
 */
static void leave_descriptors(const struct spawn *spawn)
{
    (void)syscall(SYS_close_range, spawn->first_left, ~0U, CLOSE_RANGE_UNSHARE);
}

pid_t spawn_run(const struct spawn *spawn)
{
    char *argv[] = {(char *)"reeve-host", (char *)"--supervised", spawn->name, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    int r;

    leave_descriptors(spawn);
    r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        r = dispositions_for_child(&attributes, POSIX_SPAWN_SETSID);
        if (r == 0)
            r = add_descriptors(&actions, spawn);
        if (r == 0)
            r = posix_spawn(&pid, spawn->program, &actions, &attributes, argv, spawn->environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return r == 0 ? pid : -r;
}

int spawn_prepare(struct spawn *spawn, const struct spawn_options *options)
{
    spawn->program = strdup(options->program);
    spawn->name = strdup(options->name);
    spawn->directory = strdup(options->directory);
    spawn->mark = strdup(options->mark);
    spawn->environment = make_environment(spawn->mark);
    if (!spawn->program || !spawn->name || !spawn->directory || !spawn->mark || !spawn->environment)
        return -ENOMEM;
    if (dup3(options->control, spawn->control, O_CLOEXEC) < 0 ||
        dup3(options->scoreboard, spawn->scoreboard, O_CLOEXEC) < 0 ||
        dup3(options->output, spawn->output, O_CLOEXEC) < 0)
        return -errno;
    return 0;
}

void spawn_clear(struct spawn *spawn)
{
    const int places[] = {spawn->control, spawn->scoreboard, spawn->output};

    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        (void)dup3(spawn->null, places[i], O_CLOEXEC);
    free(TAKE_PTR(spawn->environment));
    free(TAKE_PTR(spawn->program));
    free(TAKE_PTR(spawn->name));
    free(TAKE_PTR(spawn->directory));
    free(TAKE_PTR(spawn->mark));
}

/* Above every target, so that no dup2() overwrites the source of a later one. */
static int make_place(int null)
{
    int place = fcntl(null, F_DUPFD_CLOEXEC, WIRE_FD_SCOREBOARD + 1);

    return place < 0 ? -errno : place;
}

int spawn_create(int report, struct spawn **ret_spawn)
{
    struct spawn *spawn = calloc(1, sizeof(*spawn));
    int highest, lowest;

    if (!spawn)
        return -ENOMEM;
    spawn->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (spawn->null < 0) {
        lowest = -errno;
        free(spawn);
        return lowest;
    }
    spawn->control = make_place(spawn->null);
    spawn->scoreboard = make_place(spawn->null);
    spawn->output = make_place(spawn->null);
    lowest = MIN(spawn->control, spawn->scoreboard);
    lowest = MIN(lowest, spawn->output);
    if (lowest < 0) {
        spawn_destroy(spawn);
        return lowest;
    }
    highest = MAX(spawn->control, spawn->scoreboard);
    highest = MAX(highest, spawn->output);
    spawn->first_left = (unsigned)MAX(highest, report) + 1;
    *ret_spawn = spawn;
    return 0;
}

void spawn_destroy(struct spawn *spawn)
{
    if (!spawn)
        return;
    cleanup_close_fn(&spawn->control);
    cleanup_close_fn(&spawn->scoreboard);
    cleanup_close_fn(&spawn->output);
    cleanup_close_fn(&spawn->null);
    free(spawn);
}
