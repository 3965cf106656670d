/* SPDX-License-Identifier: MIT */
/*
 * The start of a host's process: what it needs is made in the loop, the process beside it
 * (spawner.c). Meanwhile the host has a socket and no pid, and nothing is said to it. It may be
 * told to end, or be destroyed: that waits for nothing, and the process is killed as soon as it is
 * there, before it has heard anything.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "daemon/loop/descriptors.h"
#include "daemon/loop/http.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host_internal.h"
#include "daemon/process/orphan.h"
#include "daemon/process/spawn.h"
#include "wire/scoreboard.h"

static void say_hello(struct host *host)
{
    struct wire_message hello = {
        .type = WIRE_HELLO,
        .version = wire_version,
        .scoreboard = scoreboard_version,
        .flags = host->check_only ? WIRE_HELLO_CHECK_ONLY : 0,
        .grace = host->grace,
        .number = host_limits_count(host),
        .name = host->name,
    };

    host_send(host, &hello);
    host_limits_send(host);
    loop_timer_arm(host->timer, HOST_HELLO_TIMEOUT);
}

/* The spawn would fail too, and name the program. Returns 0 or a negative errno. */
static int check_folder(const struct host *host, const char **ret_what)
{
    static char what[256];
    struct stat status;
    int r = stat(host->directory, &status) < 0 ? -errno : 0;

    if (r == 0 && !S_ISDIR(status.st_mode))
        r = -ENOTDIR;
    if (r == 0 && access(host->directory, X_OK) < 0)
        r = -errno;
    if (r == 0)
        return 0;
    snprintf(what, sizeof(what),
             "it runs in the state directory %.150s, which must be there again, as it was before: ",
             host->directory);
    *ret_what = what;
    return r;
}

/* One that checks lives for a moment, which is what a part of those that are kept is for. */
unsigned host_missing_descriptors(const struct host *host)
{
    unsigned wanted =
        host->check_only ? descriptors_momentary() : http_descriptors_kept() + DESCRIPTORS_START;

    return wanted - descriptors_left(wanted);
}

unsigned hosts_that_can_start(unsigned most)
{
    unsigned first = http_descriptors_kept() + DESCRIPTORS_START;
    unsigned left = descriptors_left(first + most * DESCRIPTORS_HOST);

    return left < first ? 0 : MIN((left - first) / DESCRIPTORS_HOST + 1, most);
}

/* Returns 0 or a negative errno. */
static int check_descriptors(const struct host *host, const char **ret_what)
{
    static char what[320];
    size_t length;

    if (host_missing_descriptors(host) == 0)
        return 0;
    descriptors_tell("modules wait for their start");
    descriptors_describe(what, sizeof(what));
    length = strlen(what);
    snprintf(what + length, sizeof(what) - length, ": ");
    *ret_what = what;
    return -EMFILE;
}

int host_prepare_process(struct host *host, struct spawn *spawn, const char **ret_what)
{
    cleanup_close int output_fd = -1, host_end = -1;
    struct spawn_options options = {
        .program = host->program, .name = host->name, .directory = host->directory};
    int sockets[2], r;

    *ret_what = "no memory for its limits: ";
    if (host->limits_error < 0)
        return host->limits_error;
    r = check_folder(host, ret_what);
    if (r < 0)
        return r;
    r = check_descriptors(host, ret_what);
    if (r < 0)
        return r;
    *ret_what = "no scoreboard: ";
    r = scoreboard_create("reeve-scoreboard", &host->board_fd, &host->board);
    if (r < 0)
        return r;
    *ret_what = "no pipe for its output: ";
    r = output_create(host->loop, host->name, &host->output_events, &host->output, &output_fd);
    if (r < 0)
        return r;
    *ret_what = "no socket: ";
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        return -errno;
    host_end = sockets[1];
    r = host_channel_open(host, sockets[0]);
    if (r < 0)
        return r;
    *ret_what = "";
    snprintf(host->identity.mark, sizeof(host->identity.mark), "%s%.64s@%" PRId64, WIRE_MARK,
             host->name, clock_monotonic());
    host->identity.uid = host->limits.user ? PROCESS_NO_UID : geteuid();
    host_limits_prepare(host);
    options.mark = host->identity.mark;
    options.control = host_end;
    options.scoreboard = host->board_fd;
    options.output = output_fd;
    return spawn_prepare(spawn, &options);
}

void host_report_unstarted(struct host *host, const char *what, int error)
{
    struct host_end end = {.not_started = true,
                           .starved = error == -EMFILE && host_missing_descriptors(host) > 0,
                           .asked = host->exit_asked};

    snprintf(end.text, sizeof(end.text), "cannot start %s: %s%s", host->program, what,
             error < 0 ? strerror(-error) : "");
    host_report_end(host, &end);
}

void host_report_unwanted(struct host *host)
{
    struct host_end end = {.asked = true};

    string_copy(end.text, sizeof(end.text),
                host->why[0] != '\0' ? host->why : "not started: no longer wanted");
    host_report_end(host, &end);
}

void host_process_started(struct host *host, pid_t pid)
{
    int r;

    if (pid < 0) {
        host_report_unstarted(host, "", pid);
        return;
    }
    host->identity.pid = pid;
    r = host_watch_process(host);
    if (r < 0) {
        kill(pid, SIGKILL);
        orphan_adopt(pid);
        host_report_unstarted(host, "cannot watch its process: ", r);
        return;
    }
    host_memory_watch(host);
    /* Before it hears of its limits, one of which may be on descriptors, and of a module. */
    r = descriptors_restore(pid);
    if (r < 0)
        log_warning("[%s] cannot lower its soft limit on descriptors to that of reeved's start: %s",
                    host_label(host), strerror(-r));
    say_hello(host);
}
