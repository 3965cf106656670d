/* SPDX-License-Identifier: MIT */
/*
 * Which host is started next: one at a time, and only so many until they have said hello. Of a
 * thousand processes that start together on a busy machine none says hello for a long time, and all
 * look as if they hung.
 *
 * The process is made by a thread (spawn.h says why), and the loop turns meanwhile. Until it knows
 * the pid, a child that has ended may be that host's: so no unknown children are reaped before
 * (orphan_hold()). The thread ends with its one process, and that is the first thread's child then,
 * like all others.
 *
 * To make a process takes milliseconds, but on a disk that does not answer for ever. A host that is
 * no longer wanted is forgotten, so that no end waits for that; and after LATE all that wait are
 * told that there is no process for them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/text.h"
#include "daemon/loop/http.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host_internal.h"
#include "daemon/process/orphan.h"
#include "daemon/process/spawn.h"

#define SPAWNS_PER_PROCESSOR 4

/* How long the end waits for a process to be there. */
#define PATIENCE NSEC_PER_SEC

#define LATE (10 * NSEC_PER_SEC)

/* For how long a host waits for clients that were ended to give their descriptors back, and a check
 * for others to close what they have open for a moment; and how often the spawner looks. */
#define ROOM_PATIENCE   NSEC_PER_SEC
#define MOMENT_PATIENCE (NSEC_PER_SEC / 10)
#define ROOM_LOOK       NSEC_PER_MSEC

struct spawner {
    struct list queue;
    struct list
        checks; /* of options only: any number may be asked for, and modules do not wait for them */
    struct loop_timer *timer;
    struct loop_timer *late;
    unsigned starting; /* from their spawn to their hello */
    unsigned most;
    struct loop_background *background;
    struct spawn *spawn; /* the thread reads it */
    bool under_way;
    struct host *host; /* whose process is; NULL: it has been forgotten */
    uid_t uid;         /* and what that process is known by */
    char mark[128];
    char label[80];
};

/* NULL: nobody waits. */
static struct host *find_next(struct spawner *spawner)
{
    struct list *list = list_is_empty(&spawner->queue) ? &spawner->checks : &spawner->queue;

    return list_is_empty(list) ? NULL : list_entry(list->next, struct host, waiting);
}

static void look(struct spawner *spawner)
{
    if (find_next(spawner) && spawner->starting < spawner->most && !spawner->under_way)
        loop_timer_arm(spawner->timer, 0);
}

static void begin(struct spawner *spawner, struct host *host)
{
    host->starting = true;
    spawner->starting++;
}

void spawner_is_up(struct spawner *spawner, struct host *host)
{
    if (!host->starting)
        return;
    host->starting = false;
    spawner->starting--;
    look(spawner);
}

void spawner_add(struct spawner *spawner, struct host *host)
{
    list_append(host->check_only ? &spawner->checks : &spawner->queue, &host->waiting);
    look(spawner);
}

bool spawner_is_idle(const struct spawner *spawner)
{
    return !spawner->under_way;
}

/* The process ------------------------------------------------------------- */

static int run(void *arg)
{
    const struct spawner *spawner = arg;

    return spawn_run(spawner->spawn);
}

static void kill_forgotten(const struct spawner *spawner, pid_t pid)
{
    if (pid < 0)
        return;
    kill(pid, SIGKILL);
    orphan_adopt(pid);
    orphan_host_ended(
        &(struct orphan_host){
            .pid = pid, .uid = spawner->uid, .mark = spawner->mark, .label = spawner->label},
        NULL, NULL);
}

static void spawned(int pid, void *arg)
{
    struct spawner *spawner = arg;
    struct host *host = TAKE_PTR(spawner->host);

    spawn_clear(spawner->spawn);
    loop_timer_disarm(spawner->late);
    spawner->under_way = false;
    if (host)
        host_process_started(host, pid);
    else
        kill_forgotten(spawner, pid);
    orphan_hold(NULL);
    look(spawner);
}

static int start_process(struct spawner *spawner, struct host *host, const char **ret_what)
{
    int r = host_prepare_process(host, spawner->spawn, ret_what);

    if (r == 0)
        r = loop_background_start(spawner->background);
    if (r < 0) {
        spawn_clear(spawner->spawn);
        return r;
    }
    spawner->under_way = true;
    spawner->host = host;
    spawner->uid = host->identity.uid;
    string_copy(spawner->mark, sizeof(spawner->mark), host->identity.mark);
    string_copy(spawner->label, sizeof(spawner->label), host_label(host));
    loop_timer_arm(spawner->late, LATE);
    orphan_hold(spawner->mark);
    return 0;
}

/* Those that check end soon, and another one may begin then. */
static bool is_anything_checked(void)
{
    const struct host *host;

    LIST_FOREACH (host, host_all(), all)
        if (host->check_only && host->identity.pid > 0)
            return true;
    return false;
}

/* Whether the host is to wait for descriptors, which idle clients give up for it. Where there will
 * not be enough of them, it is tried, and told of that. */
static bool waits_for_room(struct spawner *spawner, struct host *host)
{
    unsigned missing = host_missing_descriptors(host);
    int64_t now = clock_monotonic(), patience = host->check_only ? MOMENT_PATIENCE : 0;

    if (missing == 0)
        return false;
    if (!host->check_only || !is_anything_checked()) {
        if (host->short_since == 0)
            host->short_since = now;
        if (http_yield(missing) >= missing)
            patience = ROOM_PATIENCE;
        if (now - host->short_since >= patience)
            return false;
    }
    loop_timer_arm(spawner->timer, ROOM_LOOK);
    return true;
}

static void spawn_next(void *arg)
{
    struct spawner *spawner = arg;
    const char *what;
    struct host *host = find_next(spawner);
    int r;

    if (!host || spawner->under_way || waits_for_room(spawner, host))
        return;
    list_remove(&host->waiting);
    begin(spawner, host);
    r = start_process(spawner, host, &what);
    if (r < 0) {
        look(spawner);
        host_report_unstarted(host, what, r);
    }
}

void spawner_drop(struct spawner *spawner, struct host *host)
{
    list_remove(&host->waiting);
    spawner_is_up(spawner, host);
    if (spawner->host == host)
        spawner->host = NULL;
}

/* It would wait behind the one that is late, with no more hope than that has. */
static void give_up(void *arg)
{
    struct spawner *spawner = arg;
    char what[64], limit[DURATION_TEXT_SIZE];
    struct list waiting;
    struct host *host = spawner->host;

    list_init(&waiting);
    if (host)
        list_append(&waiting, &host->waiting);
    while ((host = find_next(spawner))) {
        list_remove(&host->waiting);
        list_append(&waiting, &host->waiting);
    }
    loop_timer_arm(spawner->late, LATE);
    snprintf(what, sizeof(what), "there is no process after %s",
             duration_format(LATE, limit, sizeof(limit)));
    /* An owner that hears of it may destroy others, or start anew. */
    while (!list_is_empty(&waiting)) {
        host = list_entry(waiting.next, struct host, waiting);
        host_report_unstarted(host, what, 0);
    }
}

/* Life -------------------------------------------------------------------- */

int spawner_create(struct loop *loop, struct spawner **ret_spawner)
{
    struct spawner *spawner = calloc(1, sizeof(*spawner));
    int r;

    if (!spawner)
        return -ENOMEM;
    list_init(&spawner->queue);
    list_init(&spawner->checks);
    spawner->most = SPAWNS_PER_PROCESSOR * (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
    r = loop_timer_create(loop, spawn_next, spawner, &spawner->timer);
    if (r == 0)
        r = loop_timer_create(loop, give_up, spawner, &spawner->late);
    if (r == 0)
        r = loop_background_create(loop, run, spawned, spawner, &spawner->background);
    if (r == 0)
        r = spawn_create(loop_background_fd(spawner->background), &spawner->spawn);
    if (r < 0) {
        spawner_destroy(spawner);
        return r;
    }
    *ret_spawner = spawner;
    return 0;
}

void spawner_finish(struct spawner *spawner)
{
    /* The memory that a thread that hangs uses. */
    static struct spawner *abandoned;

    if (!spawner || loop_background_wait(spawner->background, PATIENCE))
        return;
    loop_background_abandon(TAKE_PTR(spawner->background));
    abandoned = spawner;
    (void)abandoned;
}

void spawner_destroy(struct spawner *spawner)
{
    if (!spawner)
        return;
    loop_timer_destroy(spawner->timer);
    loop_timer_destroy(spawner->late);
    if (spawner->under_way)
        return;
    loop_background_destroy(spawner->background);
    spawn_destroy(spawner->spawn);
    free(spawner);
}
