/* SPDX-License-Identifier: MIT */
#include "daemon/process/orphan.h"

#include <errno.h>
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
#include "daemon/process/children.h"
#include "daemon/process/inherited_children.h"
#include "daemon/process/orphan_list.h"
#include "daemon/process/orphan_owner.h"
#include "daemon/process/orphan_report.h"

/* How long killed processes are waited for: one that writes to a dead disk may take for ever. */
#define PATIENCE (5 * NSEC_PER_SEC)

/* A killed process takes this long on a busy machine: nothing is said of it before, nor is it
 * waited for any longer when somebody has asked for an end at once. */
#define KILL_TIME (500 * NSEC_PER_MSEC)

/* Many hosts that end together are one look: the first is looked after at once, and so many more as
 * come within this time together. A host's next process waits for it. */
#define LOOK_INTERVAL NSEC_PER_MSEC
/* A look takes the longer the more children there are: the next one waits for so many times what it
 * took. */
#define LOOK_SHARE 4

/* How soon it is tried again to list children, when that failed. */
#define RETRY (100 * NSEC_PER_MSEC)

/* There is one set of children per process, so this is the process's own state. */
static struct {
    struct loop *loop;
    struct list killed, ended;
    struct list hidden; /* those that hide whose they are, and of which that was said */
    struct loop_timer *look;
    struct loop_timer *late; /* the first deadline is over */
    struct loop_timer *reap;
    const char *held; /* see orphan_hold() */
    bool put_off;     /* unknown children may be reaped once that is over */
    int unread;       /* -errno: in the present look it could not be found out whose one is */
    bool failing;     /* it has been said that the children cannot be listed */
    bool hurried;     /* nobody waits any more */
    int64_t next;     /* no look before that */
    int64_t now;      /* of the last look: who is late for one step of it is late for the next */
    int64_t young;    /* of those that the present look cannot name yet, when the last was killed */
    unsigned left;    /* how many the present look has found that are to end */
} orphans;

/* Without memory for it, it is killed and told of once more. */
void orphan_adopt(pid_t pid)
{
    orphan_add(&orphans.killed, pid);
}

/* Reaping ----------------------------------------------------------------- */

static void orphan_ended(pid_t pid, const struct loop_exit *exit _unused_, void *arg _unused_)
{
    struct orphan *orphan = orphan_find(&orphans.killed, pid),
                  *hidden = orphan_find(&orphans.hidden, pid);

    inherited_remove(pid);
    if (hidden)
        orphan_free(hidden);
    if (!orphan)
        return;
    orphan_free(orphan);
    /* Its own children are ours now. */
    orphan_look();
}

/* Those that we know; an unknown child may be the one that is being made. */
static void reap_killed(void)
{
    struct orphan *orphan, *next;

    LIST_FOREACH_SAFE (orphan, next, &orphans.killed, list)
        if (waitpid(orphan->pid, NULL, WNOHANG) == orphan->pid)
            orphan_ended(orphan->pid, NULL, NULL);
}

void orphan_reap(void)
{
    if (!orphans.loop)
        return;
    orphans.put_off = orphans.held;
    if (orphans.held)
        reap_killed();
    else if (!loop_reap_children(orphan_ended, NULL))
        loop_timer_arm(orphans.reap, 0);
}

static void reap_more(void *arg _unused_)
{
    orphan_reap();
}

/* Killing ----------------------------------------------------------------- */

/* Of one that is not known any more only the mark tells, which anybody may have made. */
static void kill_orphan(pid_t pid, const struct ended *ended)
{
    char command[64];

    orphans.left++;
    if (orphan_find(&orphans.killed, pid))
        return;
    orphan_read_command(pid, command, sizeof(command));
    /* A child that is not reaped keeps its pid: this is no other process. */
    if (ended)
        log_warning("[%s] killing process %d (%s), left behind by its host", ended->host, (int)pid,
                    command);
    else
        log_warning("killing process %d (%s), left behind by a host", (int)pid, command);
    if (kill(pid, SIGKILL) < 0)
        log_error("cannot kill process %d (%s): %s", (int)pid, command, strerror(errno));
    orphan_adopt(pid);
}

/* Looking ----------------------------------------------------------------- */

/* A stop that it outlives has been answered: somebody else has to look after it. */
static void tell_hidden(pid_t pid)
{
    char command[64];

    if (list_is_empty(&orphans.ended) || orphan_find(&orphans.hidden, pid))
        return;
    orphan_read_command(pid, command, sizeof(command));
    log_warning(
        "process %d (%s) hides which module has started it: it may outlive that module, and "
        "ends with reeved",
        (int)pid, command);
    orphan_add(&orphans.hidden, pid);
}

/* One that is found late, the child of another, was killed a moment ago: it is looked at again. At
 * an end in a hurry nobody waits, and orphan_stop() names what is left. */
static void tell_late(pid_t pid, const struct ended *ended)
{
    struct orphan *orphan = orphan_find(&orphans.killed, pid);

    if (!orphan || orphan->named || orphans.hurried)
        return;
    if (orphans.now < orphan->since + KILL_TIME) {
        orphans.young = MAX(orphans.young, orphan->since);
        return;
    }
    orphan->named = true;
    orphan_tell_left(pid, ended, "has not ended after SIGKILL: it is not waited for any more");
}

static void look_at(pid_t pid)
{
    struct ended *ended;
    enum owner owner;

    owner = orphan_find_owner(pid, orphans.held, &orphans.ended, &ended);
    if (owner == OWNER_UNREAD)
        orphans.unread = -errno;
    if (owner == OWNER_HIDDEN)
        tell_hidden(pid);
    if (owner != OWNER_ENDED)
        return;
    kill_orphan(pid, ended);
    if (!ended)
        return;
    ended->found = true;
    if (orphans.now >= ended->deadline)
        tell_late(pid, ended);
}

static void tell_gone(struct ended *ended)
{
    void (*gone)(void *arg) = ended->gone;

    ended->gone = NULL;
    if (gone)
        gone(ended->arg);
}

static void forget(struct ended *ended)
{
    list_remove(&ended->list);
    tell_gone(ended);
    free(ended);
}

/* r: of the look before. */
static void conclude(int r)
{
    int64_t first = orphans.young > 0 ? orphans.young + KILL_TIME : INT64_MAX;
    struct ended *ended, *next;

    LIST_FOREACH_SAFE (ended, next, &orphans.ended, list) {
        bool late = orphans.now >= ended->deadline;

        /* A kernel that cannot list children never will. */
        if ((r == 0 && !ended->found) || r == -ENOENT || (r < 0 && late))
            forget(ended);
        else if (late)
            tell_gone(ended);
        else if (ended->gone)
            first = MIN(first, ended->deadline);
    }
    if (first < INT64_MAX && orphans.loop)
        loop_timer_arm(orphans.late, first - orphans.now);
}

static void look(void *arg _unused_)
{
    struct ended *ended;
    int r;

    orphans.now = clock_monotonic();
    /* One that has ended by itself is not killed. */
    orphan_reap();
    LIST_FOREACH (ended, &orphans.ended, list)
        ended->found = false;
    orphans.unread = 0;
    orphans.young = 0;
    r = children_each(look_at);
    if (r == 0)
        r = orphans.unread;
    if (r < 0) {
        if (!orphans.failing)
            log_warning("cannot find the processes left behind: %s; trying again", strerror(-r));
        loop_timer_arm(orphans.look, RETRY);
    }
    orphans.failing = r < 0;
    orphans.next = orphans.now + MAX(LOOK_INTERVAL, LOOK_SHARE * (clock_monotonic() - orphans.now));
    conclude(r);
}

void orphan_look(void)
{
    if (orphans.loop && loop_timer_due(orphans.look) == 0)
        loop_timer_arm(orphans.look, orphans.next - clock_monotonic());
}

void orphan_hold(const char *mark)
{
    orphans.held = mark;
    if (mark)
        return;
    /* To look for ended ones takes the longer the more children there are. */
    if (orphans.put_off)
        orphan_reap();
    if (!list_is_empty(&orphans.ended))
        orphan_look();
}

void orphan_host_ended(const struct orphan_host *host, void (*gone)(void *arg), void *arg)
{
    struct ended *ended = orphans.loop ? calloc(1, sizeof(*ended)) : NULL;

    orphan_look();
    if (!ended) {
        /* Without memory its mark still tells. */
        if (gone)
            gone(arg);
        return;
    }
    *ended = (struct ended){.pid = host->pid,
                            .uid = host->uid,
                            .deadline = clock_monotonic() + (orphans.hurried ? 0 : PATIENCE),
                            .gone = gone,
                            .arg = arg};
    string_copy(ended->mark, sizeof(ended->mark), host->mark);
    string_copy(ended->host, sizeof(ended->host), host->label);
    list_append(&orphans.ended, &ended->list);
}

void orphan_forget(const void *arg)
{
    struct ended *ended;

    if (!orphans.loop)
        return;
    LIST_FOREACH (ended, &orphans.ended, list)
        if (ended->arg == arg)
            ended->gone = NULL;
}

/* Life -------------------------------------------------------------------- */

int orphan_start(struct loop *loop, bool successor)
{
    int r = children_open();

    if (r == 0)
        r = loop_timer_create(loop, look, NULL, &orphans.look);
    if (r == 0)
        r = loop_timer_create(loop, look, NULL, &orphans.late);
    if (r == 0)
        r = loop_timer_create(loop, reap_more, NULL, &orphans.reap);
    if (r < 0)
        return r;
    orphans.loop = loop;
    list_init(&orphans.killed);
    list_init(&orphans.hidden);
    list_init(&orphans.ended);
    /* Of a successor the children are hosts, too: it is told which were there before. */
    if (!successor)
        (void)children_each(inherited_add);
    /* Those that ended before there was somebody to hear of it. */
    loop_timer_arm(orphans.reap, 0);
    return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
}

/* A process that hides its origin is a host's, unless something else can have begun it. */
static bool is_to_end(pid_t pid, struct ended **ret_ended)
{
    enum owner owner = orphan_find_owner(pid, NULL, &orphans.ended, ret_ended);
    bool unknown = owner == OWNER_NONE || owner == OWNER_HIDDEN || owner == OWNER_UNREAD;

    return owner != OWNER_BEFORE && (!unknown || !inherited_any());
}

static void kill_any(pid_t pid)
{
    struct ended *ended;

    if (is_to_end(pid, &ended))
        kill_orphan(pid, ended);
}

static void tell_any(pid_t pid)
{
    struct ended *ended;

    if (is_to_end(pid, &ended))
        orphan_tell_left(pid, ended, "has not ended after SIGKILL: reeved ends without it");
}

static void free_all(void)
{
    struct orphan *orphan, *next;
    struct ended *ended, *next_ended;

    LIST_FOREACH_SAFE (orphan, next, &orphans.killed, list)
        orphan_free(orphan);
    LIST_FOREACH_SAFE (orphan, next, &orphans.hidden, list)
        orphan_free(orphan);
    LIST_FOREACH_SAFE (ended, next_ended, &orphans.ended, list) {
        list_remove(&ended->list);
        free(ended);
    }
}

static void reap_all(void)
{
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        inherited_remove(pid);
}

/* Returns whether none is left that is to end, or a negative errno when that cannot be told. */
static int sweep(void)
{
    int r;

    reap_all();
    orphans.left = 0;
    r = children_each(kill_any);
    if (r < 0 && waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
        return 1;
    return r < 0 ? r : orphans.left == 0;
}

void orphan_hurry(void)
{
    struct ended *ended;

    orphans.hurried = true;
    LIST_FOREACH (ended, &orphans.ended, list)
        ended->deadline = clock_monotonic();
    orphan_look();
}

void orphan_stop(void)
{
    int64_t deadline = clock_monotonic() + (orphans.hurried ? KILL_TIME : PATIENCE);
    int r;

    if (!orphans.loop)
        return;
    /* Whenever one is reaped, its own children become ours: until there are none. */
    while ((r = sweep()) != 1 && clock_monotonic() < deadline)
        poll(NULL, 0, 1);
    if (r < 0)
        log_error("cannot list the processes left behind: %s; some may live on", strerror(-r));
    else if (r == 0)
        (void)children_each(tell_any);
    free_all();
    loop_timer_destroy(TAKE_PTR(orphans.look));
    loop_timer_destroy(TAKE_PTR(orphans.late));
    loop_timer_destroy(TAKE_PTR(orphans.reap));
    children_close();
    orphans.loop = NULL;
}
