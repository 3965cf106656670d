/* SPDX-License-Identifier: MIT */
/*
 * Running a program.
 *
 * Properties: what was started has ended and is reaped when the call returns, and nothing of its
 * process group lives on, nor after a cancel what has left that and not its session; all of them
 * have SIGTERM and the grace before SIGKILL. A program that ends is never signalled under an id
 * that is another's.
 *
 * Operation: the program leads a process group of its own, so that what it starts can be signalled
 * with it (command_group.c). Its end is seen by a pidfd, its output by a pipe, a cancel by the
 * hook's unpark, all in one poll. Resources that could be missing later (a descriptor to be woken
 * by, memory for an output) are had before it is started.
 *
 * Safety: its group is killed before it is reaped, while its id cannot be taken over by another
 * process. All of a run is on its caller's stack and used by his thread alone, but for the wait
 * that the context's hook claims.
 */
#include <errno.h>
#include <fcntl.h>
#include <reeve/command.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/dispositions.h"
#include "base/fd.h"
#include "base/macro.h"
#include "base/signal_name.h"
#include "lib/child_status.h"
#include "lib/command_group.h"
#include "lib/command_output.h"
#include "lib/internal.h"

/* How often it is looked for what is left of a group: new processes, and those that signals have
 * missed. */
#define LOOK_INTERVAL (20 * RV_MILLISECOND)

/* How long one that was killed may take: it is in the kernel, on a disk that is gone, if it takes
 * longer. */
#define KILL_PATIENCE RV_SECOND

struct command {
    struct rv_context *ctx;
    struct rv_command_options options;
    struct rv_command_result *result;
    struct command_group group;
    int pidfd;
    int output; /* read end; -1 after its end */
    struct command_output text;
    /* After SIGTERM: when the grace is over, if ever; RV_NEVER before, and after SIGKILL. */
    rv_time deadline;
    bool terminated; /* its group was sent SIGTERM */
    bool killed;     /* and SIGKILL */
};

/* The input of the program: all of it, from a file in memory, which needs no attention later.
 */
static int open_input(const struct rv_command_options *options)
{
    cleanup_close int fd = -1;
    int r;

    if (options->input_size == 0) {
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : TAKE_FD(fd);
    }
    fd = memfd_create("reeve-input", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = write_all(fd, options->input, options->input_size);
    if (r < 0)
        return r;
    return lseek(fd, 0, SEEK_SET) < 0 ? -errno : TAKE_FD(fd);
}

static int set_descriptors(posix_spawn_file_actions_t *actions, const char *directory, int input,
                           int output)
{
    int r = posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);

    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
    if (r == 0 && directory)
        r = posix_spawn_file_actions_addchdir_np(actions, directory);
    if (r == 0)
        r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    return r;
}

static int spawn(struct command *command, char *const *argv, int input, int output)
{
    char **environment = command_group_environment(&command->group, command->options.environment);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r = environment ? posix_spawn_file_actions_init(&actions) : ENOMEM;

    if (r != 0) {
        free(environment);
        return -r;
    }
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        /* The default process group is its own. */
        r = dispositions_for_child(&attributes, POSIX_SPAWN_SETPGROUP);
        if (r == 0)
            r = set_descriptors(&actions, command->options.directory, input, output);
        if (r == 0)
            r = posix_spawnp(&command->group.leader, argv[0], &actions, &attributes, argv,
                             environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return -r;
}

/* Above the standard descriptors, onto which they are copied. */
static int move_up(int fd)
{
    int moved;

    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    return moved < 0 ? -errno : moved;
}

static int start(struct command *command, char *const *argv)
{
    cleanup_close int input = move_up(open_input(&command->options));
    cleanup_close int write_end = -1;
    int ends[2], r;

    if (input < 0)
        return input;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    command->output = ends[0];
    write_end = move_up(ends[1]);
    r = fd_set_nonblock(command->output, true);
    if (r == 0 && write_end < 0)
        r = write_end;
    if (r == 0)
        r = spawn(command, argv, input, write_end);
    if (r < 0)
        return r;
    command->pidfd = (int)syscall(SYS_pidfd_open, command->group.leader, 0);
    if (command->pidfd < 0) {
        r = -errno;
        kill(-command->group.leader, SIGKILL);
        waitpid(command->group.leader, NULL, 0);
    }
    return r;
}

/* Reads what is there. */
static void read_output(struct command *command)
{
    char bytes[4096];
    ssize_t size;

    while (command->output >= 0) {
        size = read(command->output, bytes, sizeof(bytes));
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size <= 0) {
            close(command->output);
            command->output = -1;
            return;
        }
        command_output_add(&command->text, bytes, (size_t)size);
    }
}

static void terminate(struct command *command)
{
    if (command->terminated)
        return;
    command->terminated = true;
    command_group_signal(&command->group, SIGTERM);
    /* One that somebody has stopped can do nothing about it else. */
    command_group_signal(&command->group, SIGCONT);
    command->deadline = deadline_after(command->options.grace);
}

/* Until the program has ended. Returns 0, or the context's code when it was cancelled meanwhile. */
static int wait_end(struct command *command)
{
    struct context_hook hook = {0};
    struct wait wait;
    int cancelled = 0;

    wait_init(&wait);
    hook.wait = &wait;
    if (context_hook_add(command->ctx, &hook) != 0)
        wait_claim(&wait, WAIT_CANCEL);
    for (;;) {
        struct pollfd fds[3] = {{.fd = command->pidfd, .events = POLLIN},
                                {.fd = command->output, .events = POLLIN}};

        if (cancelled == 0 && wait_result(&wait) == WAIT_CANCEL) {
            cancelled = rv_context_err(command->ctx);
            command_group_spread(&command->group);
            terminate(command);
        }
        if (command->deadline != RV_NEVER && rv_now() >= command->deadline) {
            command_group_signal(&command->group, SIGKILL);
            command->killed = true;
            command->deadline = RV_NEVER;
        }
        if (parker_poll(wait.parker, fds, 2, command->deadline) < 0)
            break; /* what cannot be waited for is ended */
        if (fds[1].revents)
            read_output(command);
        if (fds[0].revents)
            break;
    }
    context_hook_remove(command->ctx, &hook);
    return cancelled;
}

/* Returns false when the deadline is over, or there is no way to wait. */
static bool wait_member(struct command *command, int member)
{
    rv_time look = deadline_after(LOOK_INTERVAL);
    struct pollfd fds[3] = {{.fd = member, .events = POLLIN},
                            {.fd = command->output, .events = POLLIN}};

    if (rv_now() >= command->deadline ||
        parker_poll(parker_self(), fds, 2, MIN(look, command->deadline)) < 0)
        return false;
    if (fds[1].revents)
        read_output(command);
    return true;
}

/* The program has ended, and what it started may not have: a shell dies at once of the SIGTERM that
 * its command handles. That has its grace, too; and then a moment in which the kernel ends it. */
static void wait_group(struct command *command)
{
    bool waited;
    int member;

    if (command->killed)
        command->deadline = deadline_after(KILL_PATIENCE);
    while ((member = command_group_find(&command->group)) >= 0 || member == -EMFILE ||
           member == -ENFILE || member == -ENOMEM) {
        /* The program that has had its time to get it. */
        if (command->terminated && !command->killed)
            command_group_remind(&command->group);
        terminate(command);
        waited = wait_member(command, member);
        if (member >= 0)
            close(member);
        if (waited)
            continue;
        if (command->killed)
            return;
        command_group_signal(&command->group, SIGKILL);
        command->killed = true;
        command->deadline = deadline_after(KILL_PATIENCE);
    }
}

static int judge(const struct command *command, const siginfo_t *info, const char *name)
{
    struct rv_command_result *result = command->result;
    bool exited = info->si_code == CLD_EXITED;

    result->exit_code = exited ? info->si_status : -1;
    result->signal = exited ? 0 : info->si_status;
    if (exited && info->si_status == 0)
        return 0;
    if (exited)
        return rv_fail_text(-ECHILD, "%s: exit code %d", name, info->si_status);
    return rv_fail_text(-ECHILD, "%s: killed by %s", name, signal_name(info->si_status));
}

static int reap(struct command *command, const char *name)
{
    siginfo_t info = {0};
    int r;

    command_group_signal(&command->group, SIGKILL);
    do {
        r = waitid(P_PID, (id_t)command->group.leader, &info, WEXITED);
    } while (r < 0 && errno == EINTR);
    /* A process that left the group may hold the pipe for ever: only what is there counts. */
    read_output(command);
    return r < 0 ? rv_fail(-errno, "%s: lost its exit status", name) : judge(command, &info, name);
}

/* Resources that must not be missing later are had before the program runs. */
static int prepare(struct command *command)
{
    struct pollfd none;
    int r = parker_poll(parker_self(), &none, 0, 0);

    if (r < 0)
        return r;
    return command_output_begin(&command->text, command->options.output_max);
}

static void give_result(struct command *command)
{
    struct rv_command_result *result = command->result;

    result->truncated = command->text.left_out > 0 || command->text.out_of_memory;
    result->output = command_output_take(&command->text, &result->output_size);
}

/* Whether a command can be started there, as the one that did not start was to be. */
static int look_at_directory(const char *directory)
{
    cleanup_close int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    return faccessat(fd, ".", X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/* The error of a start does not say which of the two was at fault. */
static int tell_why(const struct rv_command_options *options, const char *program, int r)
{
    int wrong = options->directory ? look_at_directory(options->directory) : 0;

    if (wrong == -ENOENT || wrong == -ENOTDIR || wrong == -EACCES || wrong == -ELOOP)
        return rv_fail(wrong, "cannot run %s in directory %s", program, options->directory);
    return rv_fail(r, "cannot run %s", program);
}

int rv_command_run(struct rv_context *ctx, char *const *argv,
                   const struct rv_command_options *options, struct rv_command_result *ret_result)
{
    struct rv_command_result unwanted = {0};
    struct command command = {.ctx = ctx,
                              .result = ret_result ? ret_result : &unwanted,
                              .pidfd = -1,
                              .output = -1,
                              .deadline = RV_NEVER};
    int r = error_bare(rv_context_err(ctx)), cancelled;

    *command.result = (struct rv_command_result){0};
    if (r != 0)
        return r;
    if (options && options->size < sizeof(*options))
        return error_bare(-EINVAL);
    if (!argv[0])
        return rv_fail(-EINVAL, "cannot run a command without a program");
    command.options = options ? *options : (struct rv_command_options)RV_COMMAND_DEFAULTS;
    if (command.options.output_max == 0)
        command.options.output_max = (size_t)64 * 1024;
    command_group_init(&command.group);
    r = prepare(&command);
    child_status_keep();
    if (r == 0)
        r = start(&command, argv);
    if (r < 0) {
        r = tell_why(&command.options, argv[0], r);
    } else {
        cancelled = wait_end(&command);
        wait_group(&command);
        r = reap(&command, argv[0]);
        give_result(&command);
        if (cancelled != 0)
            r = error_bare(cancelled);
    }
    child_status_release();
    if (command.pidfd >= 0)
        close(command.pidfd);
    if (command.output >= 0)
        close(command.output);
    free(unwanted.output);
    command_output_free(&command.text);
    return r;
}
