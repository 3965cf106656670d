/* SPDX-License-Identifier: MIT */
/*
 * The end of a host's process: how it is described, and when its owner hears of it. Processes that
 * it has left behind are ended as well, and waited for, so that no next process runs beside it.
 */
#include "daemon/process/host_internal.h"

#include <signal.h>
#include <stdio.h>

#include "base/signal_name.h"
#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/process/cgroup.h"
#include "daemon/process/orphan.h"

static void describe_end(const struct host *host, const struct loop_exit *exit,
                         struct host_end *ret_end)
{
    *ret_end = (struct host_end){.clean = exit->code == 0,
                                 .asked = host->exit_asked,
                                 .refused = host->refused,
                                 .hung = host->hung,
                                 .hung_slot = host->hung_slot};
    if (host->why[0] != '\0') {
        ret_end->clean = false;
        ret_end->killed = true;
        ret_end->limited = host->limit_passed;
        string_copy(ret_end->text, sizeof(ret_end->text), host->why);
    } else if (exit->signal == SIGKILL &&
               host_limits_explain(host, ret_end->text, sizeof(ret_end->text))) {
        ret_end->limited = true;
    } else if (exit->signal != 0) {
        snprintf(ret_end->text, sizeof(ret_end->text), "killed by %s%s", signal_name(exit->signal),
                 exit->core ? ", core dumped" : "");
    } else if (exit->code == 0 && !host->exit_asked) {
        string_copy(ret_end->text, sizeof(ret_end->text),
                    "exit code 0: something in it has called exit()");
    } else {
        snprintf(ret_end->text, sizeof(ret_end->text), "exit code %d", exit->code);
    }
}

/* The owner may destroy the host, and goes on with the end. */
static void tell_end(struct host *host)
{
    const struct host_end end = host->end;

    host->identity.ended = false;
    host_report_end(host, &end);
}

static void leftovers_gone(void *arg)
{
    struct host *host = arg;

    host->leftovers = false;
    if (host->start_held)
        spawner_add(host->spawner, host);
    host->start_held = false;
    if (host->identity.ended)
        tell_end(host);
}

/* Of an end that was asked for the owner hears when nothing of the process is left: a module that
 * is said to be stopped is. Of any other it must hear at once; there it is the next process that
 * waits. */
void host_process_ended(pid_t pid, const struct loop_exit *exit, void *arg)
{
    struct host *host = arg;
    bool held = host->exit_asked || host->why[0] != '\0';
    char label[80];

    host_channel_drain(host);
    host_usage_close(host, exit->cpu);
    describe_end(host, exit, &host->end);
    /* A crash of our own making says nothing, and one that was to exit has nothing left to say. */
    if (host->output && host->why[0] == '\0' && !host->exit_asked && !host->end.limited)
        output_last_words(host->output, host->end.words, sizeof(host->end.words));
    string_copy(label, sizeof(label), host_label(host));
    loop_child_destroy(TAKE_PTR(host->child));
    cgroup_destroy(TAKE_PTR(host->cgroup));
    if (held) {
        host->state = HOST_ENDING;
        host_channel_close(host);
        loop_timer_disarm(host->timer);
        spawner_is_up(host->spawner, host);
    }
    /* From here on it is no living host, whose processes are left alone. Its pid and its scoreboard
     * stay its owner's until that hears of the end. */
    host->leftovers = true;
    host->identity.ended = held;
    orphan_host_ended(
        &(struct orphan_host){
            .pid = pid, .uid = host->identity.uid, .mark = host->identity.mark, .label = label},
        leftovers_gone, host);
    if (!held)
        tell_end(host);
}
