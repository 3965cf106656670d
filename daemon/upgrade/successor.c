/* SPDX-License-Identifier: MIT */
#include "daemon/upgrade/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/fd.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/loop/descriptors.h"
#include "daemon/loop/loop.h"
#include "daemon/process/orphan.h"

#define PATIENCE (10 * NSEC_PER_SEC)

/* Where the checking program finds the state. */
#define STATE_FD 3

struct successor {
    struct loop_child *child;
    struct loop_io *io;
    struct loop_timer *timer;
    pid_t pid;
    int output; /* both what it answers and why it cannot */
    bool late;
    char text[1024];
    size_t length;
    successor_fn done;
    void *arg;
};

int successor_is_trusted(const char *path, struct stat *ret_status, char *ret_why, size_t size)
{
    struct stat status;
    int r = 0;

    if (stat(path, &status) < 0) {
        r = -errno;
        snprintf(ret_why, size, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode) || access(path, X_OK) < 0) {
        r = -EACCES;
        snprintf(ret_why, size, "%s is no program that can be executed", path);
    } else if ((status.st_uid != 0 && status.st_uid != geteuid()) || status.st_mode & 022) {
        r = -EPERM;
        snprintf(ret_why, size,
                 "%s must belong to root, or to the user of reeved, and nobody else may be able to "
                 "write to it",
                 path);
    } else {
        *ret_status = status;
    }
    return r;
}

bool successor_is_same(const char *path, const struct stat *status)
{
    struct stat now;

    /* The last is changed by whatever changes the others, or the content. */
    return stat(path, &now) == 0 && now.st_dev == status->st_dev && now.st_ino == status->st_ino &&
           now.st_ctim.tv_sec == status->st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == status->st_ctim.tv_nsec;
}

static void successor_free(struct successor *successor)
{
    loop_io_destroy(successor->io);
    loop_timer_destroy(successor->timer);
    loop_child_destroy(successor->child);
    if (successor->output >= 0)
        close(successor->output);
    free(successor);
}

/* Returns false at its end, or when nothing is there. */
static bool read_some(struct successor *successor)
{
    char rest[256];
    bool full = successor->length == sizeof(successor->text) - 1;
    char *place = full ? rest : successor->text + successor->length;
    size_t room = full ? sizeof(rest) : sizeof(successor->text) - 1 - successor->length;
    ssize_t size = read(successor->output, place, room);

    if (size > 0 && !full)
        successor->length += (size_t)size;
    if (size == 0)
        loop_io_watch(successor->io, 0);
    return size > 0;
}

static void output_ready(int fd _unused_, unsigned events _unused_, void *arg)
{
    read_some(arg);
}

static void ended(pid_t pid _unused_, const struct loop_exit *exit, void *arg)
{
    struct successor *successor = arg;
    struct handover_answer answer;
    bool good;

    while (read_some(successor))
        ;
    successor->text[successor->length] = '\0';
    good = exit->code == 0 && handover_read_answer(successor->text, &answer) == 0;
    successor->text[strcspn(successor->text, "\n")] = '\0';
    text_clean(successor->text, sizeof(successor->text));
    if (successor->late)
        string_copy(successor->text, sizeof(successor->text), "it did not answer within 10s");
    else if (!good && (exit->signal != 0 || successor->text[0] == '\0' || exit->code == 0))
        string_copy(successor->text, sizeof(successor->text),
                    exit->signal != 0 ? "it crashed when it read the state"
                                      : "it does not know --check-state");
    successor->done(good ? &answer : NULL, successor->text, successor->arg);
    successor_free(successor);
}

static void too_late(void *arg)
{
    struct successor *successor = arg;

    successor->late = true;
    (void)loop_child_kill(successor->child, SIGKILL);
}

static int spawn(const char *path, int state, int output, pid_t *ret_pid)
{
    char *argv[] = {(char *)(uintptr_t)path, (char *)"--check-state", (char *)"3", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int r = posix_spawn_file_actions_init(&actions);

    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        if (r == 0)
            r = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
        if (r == 0)
            r = posix_spawn_file_actions_adddup2(&actions, state, STATE_FD);
        if (r == 0)
            r = posix_spawn(ret_pid, path, &actions, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* Above what the spawned program's descriptors are made of. */
static int move_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STATE_FD + 1);

    return moved < 0 ? -errno : moved;
}

static int start(struct loop *loop, const char *path, int state, struct successor *successor)
{
    cleanup_close int writer = -1, state_copy = move_up(state), writer_copy = -1;
    int fds[2], r;

    if (state_copy < 0 || pipe2(fds, O_CLOEXEC) < 0)
        return state_copy < 0 ? state_copy : -errno;
    successor->output = fds[0];
    writer = fds[1];
    writer_copy = move_up(writer);
    r = writer_copy < 0 ? writer_copy : fd_set_nonblock(fds[0], true);
    if (r == 0)
        r = loop_io_create(loop, fds[0], LOOP_READ, output_ready, successor, &successor->io);
    if (r == 0)
        r = loop_timer_create(loop, too_late, successor, &successor->timer);
    if (r == 0)
        r = spawn(path, state_copy, writer_copy, &successor->pid);
    if (r < 0)
        return r;
    (void)descriptors_restore(successor->pid);
    r = loop_child_create(loop, successor->pid, ended, successor, &successor->child);
    if (r < 0) {
        kill(successor->pid, SIGKILL);
        orphan_adopt(successor->pid);
        return r;
    }
    loop_timer_arm(successor->timer, PATIENCE);
    return 0;
}

int successor_check(struct loop *loop, const char *path, int state, successor_fn done, void *arg,
                    struct successor **ret_successor)
{
    struct successor *successor = calloc(1, sizeof(*successor));
    int r;

    if (!successor)
        return -ENOMEM;
    *successor = (struct successor){.output = -1, .done = done, .arg = arg};
    r = start(loop, path, state, successor);
    if (r < 0) {
        successor_free(successor);
        return r;
    }
    *ret_successor = successor;
    return 0;
}

void successor_cancel(struct successor *successor)
{
    if (!successor)
        return;
    (void)loop_child_kill(successor->child, SIGKILL);
    orphan_adopt(successor->pid);
    successor_free(successor);
}
