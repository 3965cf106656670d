/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor/stray.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/supervisor/host.h"
#include "daemon/supervisor/spawn.h"

/* How long the end waits for killed processes: one that writes to a dead disk may take for ever. */
#define STOP_PATIENCE (5 * NSEC_PER_SEC)

/* Many hosts that end together are one look. */
#define LOOK_AFTER (10 * NSEC_PER_MSEC)

/* How soon it is tried again to list children, when that failed. */
#define RETRY (100 * NSEC_PER_MSEC)

#define ENDED_MAX 64

/* One that was killed, and has not ended yet. */
struct stray {
    struct list list;
    pid_t pid;
};

/* A host's process that has ended, until a look has found nothing more of it: its pid may then be another's. */
struct ended {
    pid_t pid; /* 0: none */
    char host[64];
    bool found;
};

/* There is one set of children per process, so this is the process's own state. */
static struct {
    struct loop *loop;
    struct list killed;
    struct loop_timer *look;
    struct loop_timer *reap;
    struct ended ended[ENDED_MAX];
    unsigned next;
    bool failing; /* it has been said that the children cannot be listed */
} strays;

static struct stray *find_killed(pid_t pid)
{
    struct stray *stray;

    LIST_FOREACH (stray, &strays.killed, list)
        if (stray->pid == pid)
            return stray;
    return NULL;
}

/* Without memory for it, it is killed and told of once more. */
void stray_adopt(pid_t pid)
{
    struct stray *stray = calloc(1, sizeof(*stray));

    if (!stray)
        return;
    stray->pid = pid;
    list_append(&strays.killed, &stray->list);
}

static void stray_free(struct stray *stray)
{
    list_remove(&stray->list);
    free(stray);
}

/* Reaping ---------------------------------------------------------------------------------------- */

static void orphan_ended(pid_t pid, const struct loop_exit *exit _unused_, void *arg _unused_)
{
    struct stray *stray = find_killed(pid);

    if (!stray)
        return;
    stray_free(stray);
    /* Its own children are ours now. */
    stray_look();
}

void stray_reap(void)
{
    if (strays.loop && !loop_reap_children(orphan_ended, NULL))
        loop_timer_arm(strays.reap, 0);
}

static void reap_more(void *arg _unused_)
{
    stray_reap();
}

/* Whose it is ------------------------------------------------------------------------------------ */

/* The host's name in the mark of the process's environment; false: it has none that can be read. */
static bool read_mark(pid_t pid, char *ret_mark, size_t size)
{
    cleanup_free char *path = format_new("/proc/%d/environ", (int)pid), *text = NULL;
    cleanup_close int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    const size_t most = 256 * 1024;
    size_t length = 0;
    ssize_t n = 0;

    if (fd >= 0)
        text = malloc(most + 1);
    while (text && length < most && (n = read(fd, text + length, most - length)) > 0)
        length += (size_t)n;
    for (size_t i = 0; text && i < length; i += strlen(text + i) + 1) {
        text[length] = '\0';
        if (strncmp(text + i, SPAWN_MARK, strlen(SPAWN_MARK)) == 0) {
            string_copy(ret_mark, size, text + i);
            return true;
        }
    }
    return false;
}

static struct ended *find_ended(pid_t session)
{
    for (size_t i = 0; i < ENDED_MAX; i++)
        if (session > 0 && strays.ended[i].pid == session)
            return &strays.ended[i];
    return NULL;
}

/* Whether the orphan's host has ended; its name, then. */
static bool is_left_behind(pid_t pid, char *ret_host, size_t size)
{
    char mark[128];
    struct ended *ended;

    /* A living host first: an old pid may have come to a new one. */
    if (host_is_process(pid, true))
        return false;
    ended = find_ended(getsid(pid));
    if (ended) {
        ended->found = true;
        string_copy(ret_host, size, ended->host);
        return true;
    }
    if (!read_mark(pid, mark, sizeof(mark)) || host_has_mark(mark))
        return false;
    string_copy(ret_host, size, mark + strlen(SPAWN_MARK));
    /* Behind the name is when it was started. */
    if (strrchr(ret_host, '@'))
        *strrchr(ret_host, '@') = '\0';
    text_sanitise(ret_host);
    return true;
}

static void read_command(pid_t pid, char *buffer, size_t size)
{
    cleanup_free char *path = format_new("/proc/%d/comm", (int)pid);
    cleanup_close int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd < 0 ? 0 : read(fd, buffer, size - 1);

    buffer[MAX(n, 0)] = '\0';
    buffer[strcspn(buffer, "\n")] = '\0';
    text_sanitise(buffer);
}

static void kill_stray(pid_t pid, const char *host)
{
    char command[64];

    if (find_killed(pid))
        return;
    read_command(pid, command, sizeof(command));
    /* A child that is not reaped keeps its pid: this is no other process. */
    log_warning("[%s] killing process %d (%s), left behind by its host", host, (int)pid, command);
    kill(pid, SIGKILL);
    stray_adopt(pid);
}

/* Looking ---------------------------------------------------------------------------------------- */

/* Calls act for each child that is not watched. Returns 0, or a negative errno when they could not be
 * listed. The kernel's list is of this thread's children: no other thread of the supervisor starts any, and
 * orphans come to the first. */
static int each_orphan(void (*act)(pid_t pid))
{
    FILE *file = fopen("/proc/thread-self/children", "re");
    int pid;

    if (!file)
        return -errno;
    while (fscanf(file, "%d", &pid) == 1)
        if (!loop_child_is_watched(pid))
            act(pid);
    fclose(file);
    return 0;
}

static void look_at(pid_t pid)
{
    char host[64];

    if (is_left_behind(pid, host, sizeof(host)))
        kill_stray(pid, host);
}

static void look(void *arg _unused_)
{
    int r;

    for (size_t i = 0; i < ENDED_MAX; i++)
        strays.ended[i].found = false;
    r = each_orphan(look_at);
    if (r < 0) {
        if (!strays.failing)
            log_warning("cannot list the processes left behind: %s; trying again", strerror(-r));
        strays.failing = true;
        loop_timer_arm(strays.look, RETRY);
        return;
    }
    strays.failing = false;
    for (size_t i = 0; i < ENDED_MAX; i++)
        if (!strays.ended[i].found)
            strays.ended[i].pid = 0;
}

void stray_look(void)
{
    if (strays.loop && loop_timer_due(strays.look) == 0)
        loop_timer_arm(strays.look, LOOK_AFTER);
}

void stray_host_ended(pid_t pid, const char *host)
{
    struct ended *ended = &strays.ended[strays.next];

    strays.next = (strays.next + 1) % ENDED_MAX;
    ended->pid = pid;
    string_copy(ended->host, sizeof(ended->host), host);
    /* There is room for so many between two looks. */
    if (strays.next == 0 && strays.loop)
        look(NULL);
    stray_look();
}

/* Life ------------------------------------------------------------------------------------------- */

int stray_start(struct loop *loop)
{
    int r = loop_timer_create(loop, look, NULL, &strays.look);

    if (r == 0)
        r = loop_timer_create(loop, reap_more, NULL, &strays.reap);
    if (r < 0)
        return r;
    strays.loop = loop;
    list_init(&strays.killed);
    return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
}

static void kill_any(pid_t pid)
{
    char host[64];

    if (!is_left_behind(pid, host, sizeof(host)))
        snprintf(host, sizeof(host), "?");
    kill_stray(pid, host);
}

static void free_killed(void)
{
    struct stray *stray, *next;

    LIST_FOREACH_SAFE (stray, next, &strays.killed, list)
        stray_free(stray);
}

/* Whether there is no child left, after reaping those that have ended. */
static bool all_are_reaped(void)
{
    pid_t pid;

    do
        pid = waitpid(-1, NULL, WNOHANG);
    while (pid > 0);
    return pid < 0 && errno == ECHILD;
}

void stray_stop(void)
{
    int64_t deadline = clock_monotonic() + STOP_PATIENCE;
    bool gone;
    int r = 0;

    if (!strays.loop)
        return;
    /* Whenever one is reaped, its own children become ours: until there are none. */
    while (!(gone = all_are_reaped()) && clock_monotonic() < deadline) {
        r = each_orphan(kill_any);
        poll(NULL, 0, 1);
    }
    free_killed();
    if (!gone && r < 0)
        log_error("cannot list the processes left behind: %s; some may live on", strerror(-r));
    else if (!gone)
        log_error("processes left behind by hosts did not end after SIGKILL");
    loop_timer_destroy(TAKE_PTR(strays.look));
    loop_timer_destroy(TAKE_PTR(strays.reap));
    strays.loop = NULL;
}
