/* SPDX-License-Identifier: MIT */
/* A host's record, for the files that make it up: host.c its life, host_channel.c its socket. */
#ifndef REEVE_DAEMON_PROCESS_HOST_INTERNAL_H
#define REEVE_DAEMON_PROCESS_HOST_INTERNAL_H

#include "base/list.h"
#include "daemon/process/host.h"
#include "daemon/process/identity.h"
#include "daemon/process/output.h"
#include "daemon/process/usage.h"
#include "settings/limits.h"

struct cgroup;
struct loop_exit;
struct loop_child;
struct loop_io;
struct loop_timer;
struct spawn;

/* From exec to HELLO; nothing of a module runs in it. */
#define HOST_HELLO_TIMEOUT (10 * NSEC_PER_SEC)

struct host {
    struct list all;     /* of this process */
    struct list waiting; /* in the spawner's queue */
    struct loop *loop;
    struct spawner *spawner;
    const struct host_events *events;
    void *arg;
    char *name;
    char *program;
    char *directory;
    bool check_only;
    int64_t grace;

    enum host_state state;
    bool starting;       /* counted by the spawner */
    int64_t short_since; /* since when clients give up descriptors for it; 0: they do not */
    bool exit_asked;
    bool refused; /* it said in its HELLO that it cannot do as its limits ask */
    bool hung;    /* and that is why it is killed */
    uint32_t hung_slot;
    char why[512]; /* host_kill()'s text */
    struct identity identity;
    int64_t stopped_at; /* by a signal, since then; 0: it is not */
    struct loop_child *child;
    /* Its last process has ended, but not yet all that it left behind. Until then its owner does
     * not hear of that end (identity.ended), or the next process does not start. */
    bool leftovers;
    bool start_held;
    struct host_end end;            /* that is held */
    struct loop_timer *timer;       /* HELLO is due, or the grace after EXIT is over */
    const struct scoreboard *board; /* NULL, too, of a host that has one of another version */
    int board_fd;                   /* its memory, for whoever follows us; -1 before the first */
    struct output *output;
    struct output_events output_events;
    /* It speaks another version than we do, and knows of us only STOP and EXIT: what it says is not
     * listened to. */
    bool foreign;
    bool dismissed; /* a foreign one was told to exit once it has stopped */

    bool limited;     /* limits and directories are set, or: */
    int limits_error; /* -ENOMEM: they could not be, and there is no start without them */
    struct config_limits limits;
    struct strings folders; /* of the .so files that it will load */
    bool told_memory;       /* that memory-max is not a control group's, once */
    struct cgroup *cgroup;
    struct loop_timer *memory_timer; /* looks at what is resident; NULL: it never had to */
    uint64_t memory_watched;         /* the memory-max of this incarnation, which that goes by */
    bool limit_passed;               /* and that is why it is killed */

    int64_t cpu_before; /* ns that dead incarnations took */
    struct usage usage; /* of this one, as last read */
    int64_t usage_at;   /* monotonic; 0: never */

    int channel;
    struct loop_io *channel_io;
    struct loop_timer *channel_timer; /* ends a pause for want of memory */
    bool paused;
    bool starved;      /* and it was said, and is not yet over */
    struct list queue; /* packets that the socket had no room for */
    size_t queue_count;
    size_t queue_size; /* in bytes */
};

/* Every host of this process, whoever owns it; linked by `all`. */
struct list *host_all(void);

/* spawner.c: the host is started when its turn comes. */
void spawner_add(struct spawner *spawner, struct host *host);
/* It said hello, or will not any more: another may start. */
void spawner_is_up(struct spawner *spawner, struct host *host);

/* The host does not wait any more. If its process is being made, that is killed when it is there,
 * and nobody hears of it. */
void spawner_drop(struct spawner *spawner, struct host *host);

/* host_start.c: how many descriptors are missing for its process, so that enough stay for all else;
 * 0: none. */
unsigned host_missing_descriptors(const struct host *host);
/* host_start.c: makes everything that the process needs; *ret_what says what is missing. Returns 0
 * or a negative errno. */
int host_prepare_process(struct host *host, struct spawn *spawn, const char **ret_what);
/* host_start.c: the process is there, or the pid is a negative errno. */
void host_process_started(struct host *host, pid_t pid);
/* host_start.c: tells the owner of an end without a process; error: a negative errno, whose text
 * follows, or 0. */
void host_report_unstarted(struct host *host, const char *what, int error);
/* The same, as somebody has said that it is not to have one. */
void host_report_unwanted(struct host *host);

/* host.c: there is no process, or none any more. */
void host_report_end(struct host *host, const struct host_end *end);

/* host_end.c: of loop_child_create(); arg: the host. */
void host_process_ended(pid_t pid, const struct loop_exit *exit, void *arg);

/* host.c: the process has the user that it keeps. */
void host_note_uid(struct host *host);

/* host.c: watches the process of host->pid. Returns 0 or a negative errno. */
int host_watch_process(struct host *host);

/* host_channel.c: takes over the supervisor's end of the socketpair. Returns 0 or a negative errno.
 */
int host_channel_open(struct host *host, int fd);
/* Takes in what a dead host had still sent. */
void host_channel_drain(struct host *host);
void host_channel_close(struct host *host);

/* host_usage.c: the process has ended, and took so much processor time. */
void host_usage_close(struct host *host, int64_t cpu);

/* host_memory.c: watches what a process takes that has just been started, or adopted, if no control
 * group bounds it. */
void host_memory_watch(struct host *host);
void host_memory_forget(struct host *host);

/* host_limits.c: makes the control group of the next incarnation, if there are any. */
void host_limits_prepare(struct host *host);
/* How many LIMITs host_limits_send() will send. */
uint64_t host_limits_count(struct host *host);
void host_limits_send(struct host *host);
/* Whether the kernel killed it for one of its limits, and which. */
bool host_limits_explain(const struct host *host, char *ret_text, size_t size);

#endif
