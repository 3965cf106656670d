/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/text.h"
#include "daemon/wire/message.h"

extern char **environ;

struct spawn {
    char *program;
    char *name;
    char *directory;
    char *mark;
    char **environment;
    int control;
    int scoreboard;
    int output;
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

/* A source above every target, so that no dup2() overwrites the source of a later one. */
static int move_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, WIRE_FD_SCOREBOARD + 1);

    return moved < 0 ? -errno : moved;
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

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    r = posix_spawnattr_setsigmask(attributes, &none);
    if (r == 0)
        r = posix_spawnattr_setsigdefault(attributes, &all);
    if (r == 0)
        r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                     POSIX_SPAWN_SETSIGDEF);
    return r;
}

pid_t spawn_run(const struct spawn *spawn)
{
    char *argv[] = {(char *)"reeve-host", (char *)"--supervised", spawn->name, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    int r = posix_spawn_file_actions_init(&actions);

    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        r = set_attributes(&attributes);
        if (r == 0)
            r = add_descriptors(&actions, spawn);
        if (r == 0)
            r = posix_spawn(&pid, spawn->program, &actions, &attributes, argv, spawn->environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return r == 0 ? pid : -r;
}

int spawn_create(const struct spawn_options *options, struct spawn **ret_spawn)
{
    struct spawn *spawn = calloc(1, sizeof(*spawn));
    int r;

    if (!spawn)
        return -ENOMEM;
    *spawn = (struct spawn){.program = strdup(options->program),
                            .name = strdup(options->name),
                            .directory = strdup(options->directory),
                            .mark = strdup(options->mark),
                            .control = move_up(options->control),
                            .scoreboard = move_up(options->scoreboard),
                            .output = move_up(options->output)};
    spawn->environment = make_environment(spawn->mark);
    r = MIN(spawn->control, spawn->scoreboard);
    r = MIN(r, spawn->output);
    if (!spawn->program || !spawn->name || !spawn->directory || !spawn->mark || !spawn->environment)
        r = -ENOMEM;
    if (r < 0) {
        spawn_destroy(spawn);
        return r;
    }
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
    free(spawn->environment);
    free(spawn->program);
    free(spawn->name);
    free(spawn->directory);
    free(spawn->mark);
    free(spawn);
}
