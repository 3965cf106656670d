/* SPDX-License-Identifier: MIT */
/*
 * A host that is up is its process, its socket, its scoreboard and the pipe of its output. All of
 * them live on over an exec; what has to be said of them is where they are.
 */
#include "daemon/process/host_serialize.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "daemon/process/cgroup.h"
#include "daemon/process/host_internal.h"
#include "daemon/process/orphan.h"
#include "daemon/process/output.h"
#include "settings/compare.h"
#include "wire/scoreboard.h"

/* The plain part, as it is read before anything is done with it. */
struct record {
    bool up;
    int pid;
    int channel;
    int board;
    int output;
    int64_t grace;
    int64_t stopped_at;
    int64_t cpu_before;
    bool told_memory;
    bool other_limits; /* it was started with others than the settings now say */
    char mark[128];
    char *cgroup;
    bool cgroup_memory;
    bool cgroup_cpu;
};

#define FIELD(kind, member) SERIALIZE_MEMBER(kind, struct record, member, #member)

static const struct serialize_field fields[] = {
    FIELD(SERIALIZE_BOOL, up),
    FIELD(SERIALIZE_INT, pid),
    FIELD(SERIALIZE_INT, channel),
    FIELD(SERIALIZE_INT, board),
    FIELD(SERIALIZE_INT, output),
    FIELD(SERIALIZE_INT, grace),
    FIELD(SERIALIZE_INT, stopped_at),
    FIELD(SERIALIZE_INT, cpu_before),
    FIELD(SERIALIZE_BOOL, told_memory),
    FIELD(SERIALIZE_BOOL, other_limits),
    FIELD(SERIALIZE_TEXT, mark),
    FIELD(SERIALIZE_STRING, cgroup),
    FIELD(SERIALIZE_BOOL, cgroup_memory),
    FIELD(SERIALIZE_BOOL, cgroup_cpu),
    SERIALIZE_END,
};

bool hosts_are_settled(unsigned owned, char *ret_what, size_t size)
{
    const struct host *host;
    unsigned count = 0;

    LIST_FOREACH (host, host_all(), all) {
        const char *what = NULL;

        if (host->state == HOST_SPAWNING)
            what = "is being started";
        else if (host->state == HOST_ENDING)
            what = "is ending";
        else if (host->leftovers)
            what = "has left processes behind, which are being ended";
        else if (!list_is_empty(&host->queue))
            what = "does not read its commands";
        if (what) {
            snprintf(ret_what, size, "the host %s %s", host->name, what);
            return false;
        }
        count++;
    }
    if (count != owned)
        snprintf(ret_what, size, "options are being checked, or a stack looked up");
    return count == owned;
}

json_t *host_save(const struct host *host, const struct config_limits *limits)
{
    struct record record = {
        .up = host->state == HOST_UP,
        .pid = host->identity.pid,
        .channel = host->channel,
        .board = host->state == HOST_UP ? host->board_fd : -1,
        .output = host->output ? output_fd(host->output) : -1,
        .grace = host->grace,
        .stopped_at = host->stopped_at,
        .cpu_before = host->cpu_before,
        .told_memory = host->told_memory,
        .other_limits = host->limited && config_limits_differ(&host->limits, limits) != NULL,
        .cgroup = host->cgroup ? (char *)(uintptr_t)cgroup_path(host->cgroup) : NULL,
        .cgroup_memory = cgroup_limits_memory(host->cgroup),
        .cgroup_cpu = cgroup_limits_cpu(host->cgroup),
    };
    json_t *json;

    /* The next program starts to count anew. */
    if (host->output)
        output_tell_dropped(host->output);
    string_copy(record.mark, sizeof(record.mark), host->identity.mark);
    json = serialize(fields, &record);

    if (!json || json_object_set_new(json, "name", serialize_text(host->name)) < 0 ||
        (host->output &&
         json_object_set_new(json, "line", serialize_bytes(output_rest(host->output))) < 0)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static int read_record(const json_t *state, struct record *ret_record,
                       struct serialize_error *error)
{
    int r;

    *ret_record = (struct record){.channel = -1, .board = -1, .output = -1};
    r = deserialize(state, fields, ret_record, error);
    if (r < 0)
        return r;
    if (ret_record->up && (ret_record->pid <= 1 || ret_record->channel <= STDERR_FILENO ||
                           ret_record->board <= STDERR_FILENO ||
                           ret_record->output <= STDERR_FILENO || ret_record->grace < 0)) {
        snprintf(error->text, sizeof(error->text),
                 "a host that is up has no process or no descriptors");
        free(ret_record->cgroup);
        return -EBADMSG;
    }
    return 0;
}

int host_check_state(const json_t *state, struct serialize_error *error)
{
    struct record record;
    int r = read_record(state, &record, error);

    if (r == 0)
        free(record.cgroup);
    return r;
}

static int take_output(struct host *host, int fd, const json_t *state)
{
    const json_t *line = json_object_get(state, "line");
    cleanup_free char *rest = line ? serialize_take_bytes(line) : NULL;

    return output_adopt(host->loop, host->name, &host->output_events, fd, rest ? rest : "",
                        &host->output);
}

/* Every descriptor is owned by the host's record, or closed, when it returns. */
static int take_descriptors(struct host *host, const struct record *record, const json_t *state,
                            bool foreign)
{
    int r = scoreboard_attach(record->board, &host->board);

    /* A descriptor that one exec was to leave open, the next one is not. */
    (void)fd_set_cloexec(record->board, true);
    (void)fd_set_cloexec(record->channel, true);
    (void)fd_set_cloexec(record->output, true);
    host->board_fd = record->board;
    /* One of another version stays unread. */
    if (r == -EPROTO && foreign)
        r = 0;
    if (r == 0) {
        r = host_channel_open(host, record->channel);
    } else {
        close(record->channel);
    }
    if (r == 0)
        r = take_output(host, record->output, state);
    else
        close(record->output);
    return r;
}

int host_adopt(struct host *host, const json_t *state, bool foreign, struct serialize_error *error)
{
    struct record record;
    int r = read_record(state, &record, error);

    if (r < 0)
        return r;
    host->cpu_before = record.cpu_before;
    host->told_memory = record.told_memory;
    if (record.up) {
        host->identity.pid = record.pid;
        host->grace = record.grace;
        string_copy(host->identity.mark, sizeof(host->identity.mark), record.mark);
        host->stopped_at = record.stopped_at;
        host->state = HOST_UP;
        host_note_uid(host);
        host->foreign = foreign;
        host->limited = host->limited && !record.other_limits;
        if (record.cgroup)
            host->cgroup = cgroup_adopt(record.cgroup, record.cgroup_memory, record.cgroup_cpu);
        r = take_descriptors(host, &record, state, foreign);
        if (r == 0)
            r = host_watch_process(host);
        if (r == 0)
            host_memory_watch(host);
        if (r < 0) {
            snprintf(error->text, sizeof(error->text), "host %s: %s", host->name, strerror(-r));
            kill(host->identity.pid, SIGKILL);
            orphan_adopt(host->identity.pid);
        }
    }
    free(record.cgroup);
    return r;
}

void hosts_keep_descriptors(bool keep)
{
    const struct host *host;

    LIST_FOREACH (host, host_all(), all) {
        if (host->state != HOST_UP)
            continue;
        (void)fd_set_cloexec(host->channel, !keep);
        (void)fd_set_cloexec(host->board_fd, !keep);
        (void)fd_set_cloexec(output_fd(host->output), !keep);
    }
}
