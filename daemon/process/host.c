/* SPDX-License-Identifier: MIT */
/*
 * The life of a host process: spawned at the spawner's pace, up after HELLO, and ended, which is
 * certain only when its pidfd says so. Every error leads to a kill and then to one ended().
 */
#include "daemon/process/host_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/process.h"
#include "base/shown.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/process/cgroup.h"
#include "daemon/process/orphan.h"
#include "daemon/process/output.h"
#include "wire/scoreboard.h"

/* For a host that hangs to note a stack. */
#define STACK_PATIENCE (700 * NSEC_PER_MSEC)

/* Every host of this process, whoever owns it: to tell its children from orphans. */
static struct list all_hosts = {&all_hosts, &all_hosts};

static void timer_expired(void *arg);

int host_create(struct loop *loop, struct spawner *spawner, const struct host_options *options,
                const struct host_events *events, void *arg, struct host **ret_host)
{
    struct host *host = calloc(1, sizeof(*host));

    if (!host)
        return -ENOMEM;
    *host = (struct host){
        .loop = loop,
        .spawner = spawner,
        .events = events,
        .arg = arg,
        .output_events = {.owns = events->owns,
                          .exists = events->exists,
                          .told = events->told,
                          .arg = arg},
        .name = strdup(options->name),
        .program = strdup(options->program),
        .directory = strdup(options->directory),
        .check_only = options->check_only,
        .grace = options->grace,
        .board_fd = -1,
        .channel = -1,
    };
    list_append(&all_hosts, &host->all);
    identity_add(&host->identity);
    list_init(&host->waiting);
    list_init(&host->queue);
    if (!host->name || !host->program || !host->directory ||
        loop_timer_create(loop, timer_expired, host, &host->timer) < 0) {
        host_destroy(host);
        return -ENOMEM;
    }
    *ret_host = host;
    return 0;
}

/* Frees what belongs to an incarnation, except the scoreboard. */
static void release_incarnation(struct host *host)
{
    host_channel_close(host);
    output_destroy(host->output);
    host->output = NULL;
    loop_child_destroy(host->child);
    host->child = NULL;
    host->identity.pid = 0;
    cgroup_destroy(TAKE_PTR(host->cgroup));
    host_memory_forget(host);
    host->stopped_at = 0;
    host->foreign = host->dismissed = false;
    if (host->timer)
        loop_timer_disarm(host->timer);
    spawner_drop(host->spawner, host);
}

static void drop_scoreboard(struct host *host)
{
    scoreboard_unmap(host->board);
    host->board = NULL;
    if (host->board_fd >= 0)
        close(TAKE_FD(host->board_fd));
}

void host_destroy(struct host *host)
{
    if (!host)
        return;
    orphan_forget(host);
    if (host->child) {
        loop_child_kill(host->child, SIGKILL);
        orphan_adopt(host->identity.pid);
        orphan_host_ended(&(struct orphan_host){.pid = host->identity.pid,
                                                .uid = host->identity.uid,
                                                .mark = host->identity.mark,
                                                .label = host_label(host)},
                          NULL, NULL);
    }
    release_incarnation(host);
    list_remove(&host->all);
    identity_remove(&host->identity);
    drop_scoreboard(host);
    loop_timer_destroy(host->timer);
    loop_timer_destroy(host->memory_timer);
    free(host->name);
    free(host->program);
    free(host->directory);
    config_limits_free(&host->limits);
    strings_free(&host->folders);
    free(host);
}

enum host_state host_state(const struct host *host)
{
    return host->state;
}

const char *host_name(const struct host *host)
{
    return host->name;
}

const char *host_label(const struct host *host)
{
    return host->output ? output_label(host->output) : host->name;
}

pid_t host_pid(const struct host *host)
{
    return host->identity.pid;
}

const struct scoreboard *host_scoreboard(const struct host *host)
{
    return host->board;
}

bool host_awaits_leftovers(const struct host *host)
{
    return host->identity.ended || host->start_held;
}

bool host_is_stopped(const struct host *host)
{
    return host->stopped_at > 0;
}

struct list *host_all(void)
{
    return &all_hosts;
}

void host_set_grace(struct host *host, int64_t grace)
{
    const struct wire_message message = {.type = WIRE_GRACE, .grace = grace};

    if (host->grace == grace)
        return;
    host->grace = grace;
    host_send(host, &message);
}

void host_note_uid(struct host *host)
{
    if (!process_find_uid(host->identity.pid, &host->identity.uid))
        host->identity.uid = PROCESS_NO_UID;
}

void host_report_end(struct host *host, const struct host_end *end)
{
    release_incarnation(host);
    host->state = HOST_ABSENT;
    host->events->ended(host, end, host->arg);
}

int host_watch_process(struct host *host)
{
    return loop_child_create(host->loop, host->identity.pid, host_process_ended, host,
                             &host->child);
}

static void timer_expired(void *arg)
{
    struct host *host = arg;
    char grace[DURATION_TEXT_SIZE];

    if (host->state == HOST_ENDING && !host->child)
        host_report_unwanted(host);
    else if (host->state == HOST_SPAWNING)
        host_kill(host, "it did not say hello within %s",
                  duration_format(HOST_HELLO_TIMEOUT, grace, sizeof(grace)));
    else if (host->state == HOST_ENDING && host->exit_asked)
        host_kill(host, "it did not exit within %s",
                  duration_format(host->grace, grace, sizeof(grace)));
    else if (host->state == HOST_ENDING)
        host_kill(host, "it closed its control socket and lived on");
}

void host_start(struct host *host)
{
    host->state = HOST_SPAWNING;
    host->exit_asked = false;
    host->refused = false;
    host->hung = false;
    host->why[0] = '\0';
    host->short_since = 0;
    /* Its slots are those of the process before. A module's slot in the next one may be a
     * neighbour's there. */
    drop_scoreboard(host);
    if (host->leftovers)
        host->start_held = true;
    else
        spawner_add(host->spawner, host);
}

/* It has no process (yet), and is to have none. Its owner hears of that in a later turn. */
static void drop_start(struct host *host)
{
    host->start_held = false;
    host->state = HOST_ENDING;
    spawner_drop(host->spawner, host);
    loop_timer_arm(host->timer, 0);
}

void host_exit(struct host *host, const char *cause)
{
    struct wire_message message = {.type = WIRE_EXIT, .text = cause};

    if (host->state != HOST_UP && host->state != HOST_SPAWNING)
        return;
    host->exit_asked = true;
    if (!host->child) {
        drop_start(host);
        return;
    }
    host_send(host, &message);
    if (host->state == HOST_ENDING)
        return;
    host->state = HOST_ENDING;
    loop_timer_arm(host->timer, host->grace);
}

bool host_is_foreign(const struct host *host)
{
    return host->foreign;
}

void host_dismiss(struct host *host, const char *cause)
{
    struct wire_message message = {.type = WIRE_EXIT, .text = cause};

    if (host->state != HOST_UP || host->dismissed)
        return;
    host->dismissed = host->exit_asked = true;
    host_send(host, &message);
}

/* The first reason counts. */
static void set_why(struct host *host, const char *why, va_list args) printf_like(2, 0);
static void set_why(struct host *host, const char *why, va_list args)
{
    if (host->why[0] != '\0')
        return;
    vsnprintf(host->why, sizeof(host->why), why, args);
    text_clean(host->why, sizeof(host->why));
}

void host_note_hang(struct host *host, uint32_t slot)
{
    if (host->hung || host->state == HOST_ABSENT)
        return;
    host->hung = true;
    host->hung_slot = slot;
}

void host_kill_hanging(struct host *host, uint32_t slot, const char *why, ...)
{
    struct wire_message message = {.type = WIRE_STACK, .module = slot};
    va_list args;

    host_note_hang(host, slot);
    va_start(args, why);
    set_why(host, why, args);
    va_end(args);
    if (host->state != HOST_UP) {
        host_kill(host, "it hangs");
        return;
    }
    host_send(host, &message);
    if (host->state != HOST_UP)
        return;
    host->state = HOST_ENDING;
    host->exit_asked = false;
    loop_timer_arm(host->timer, STACK_PATIENCE);
}

void host_kill(struct host *host, const char *why, ...)
{
    va_list args;
    int r;

    if (host->state == HOST_ABSENT)
        return;
    va_start(args, why);
    set_why(host, why, args);
    va_end(args);
    if (!host->child) {
        if (host->state != HOST_ENDING)
            drop_start(host);
        return;
    }
    host->state = HOST_ENDING;
    loop_timer_disarm(host->timer);
    r = loop_child_kill(host->child, SIGKILL);
    if (r < 0 && r != -ESRCH)
        log_error("[%s] cannot kill process %d: %s", host_label(host), (int)host->identity.pid,
                  strerror(-r));
}
