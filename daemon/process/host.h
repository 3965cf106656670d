/* SPDX-License-Identifier: MIT */
/*
 * A host process as the supervisor sees it: its life, its socket, its scoreboard, its output. A
 * host knows nothing of modules' states; it tells its owner what came up the socket and how it
 * ended.
 *
 * A host record outlives its processes: each host_start() is a new incarnation with a new socket
 * and a new scoreboard. The last scoreboard can be read until the next start.
 */
#ifndef REEVE_DAEMON_PROCESS_HOST_H
#define REEVE_DAEMON_PROCESS_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/message.h"
#include "wire/scoreboard.h"

struct config_limits;
struct config_module;
struct host;
struct loop;
struct strings;
struct usage;
struct spawner;

/* How an incarnation ended. */
struct host_end {
    bool clean; /* exit code 0 */
    bool asked; /* after host_exit(): expected */
    bool hung;  /* it was killed because of something in hung_slot that hung */
    uint32_t hung_slot;
    bool refused;     /* it cannot give up what its limits ask: trying again cannot help */
    bool limited;     /* it was killed for one of its limits, by the kernel or by us */
    bool killed;      /* host_kill() did, for the reason in text */
    bool not_started; /* there was no process: for want of descriptors, memory, or the program */
    bool starved;     /* and that for want of descriptors */
    char text[512];   /* "killed by SIGSEGV", "exit code 3", "task web/check hangs: killed" */
    char words[400];  /* what it has printed last, if it has died by itself; for operators */
};

struct host_events {
    /* The host said HELLO: it can be given commands. */
    void (*up)(struct host *host, void *arg);
    /* Anything else that it said; module is below SCOREBOARD_MODULES. */
    void (*message)(struct host *host, const struct wire_message *message, void *arg);
    /* The process is gone, or could not be started. The owner may start or destroy the host here.
     */
    void (*ended)(struct host *host, const struct host_end *end, void *arg);
    /* Whether a module is one of its own, and so may be named in what it logs. NULL: that of its
     * name. */
    bool (*owns)(const char *module, void *arg);
    /* Whether there is a module of that name, in whatever host. May be NULL. */
    bool (*exists)(const char *module, void *arg);
    /* A line of its output, of LOG_LEVEL_NOTICE or above, was passed on to the log. May be NULL. */
    void (*told)(void *arg);
};

struct host_options {
    const char *name;
    const char *program;
    const char *directory;
    bool check_only;
    int64_t grace; /* for ending by itself when the supervisor dies or says EXIT */
};

/* Strings are copied. Returns 0 or -ENOMEM. */
int host_create(struct loop *loop, struct spawner *spawner, const struct host_options *options,
                const struct host_events *events, void *arg, struct host **ret_host);
/* A process that is still there is killed and forgotten: it is reaped as a orphan, with what it
 * leaves behind. */
void host_destroy(struct host *host);

enum host_state {
    HOST_ABSENT,   /* no process */
    HOST_SPAWNING, /* waits for its turn, or for HELLO */
    HOST_UP,
    HOST_ENDING, /* told to exit, or killed; the process is still there */
};

enum host_state host_state(const struct host *host);
const char *host_name(const struct host *host);
/* The label of its log lines: its name, or "host NAME" where that is a module's that runs in
 * another. */
const char *host_label(const struct host *host);
/* 0 without a process. */
pid_t host_pid(const struct host *host);
/* Whether its process has ended, and what that has left behind is waited for. */
bool host_awaits_leftovers(const struct host *host);
/* Whether somebody has stopped it by a signal. */
bool host_is_stopped(const struct host *host);
/* Of the present incarnation, or of the last one until host_start(); NULL while it waits to be
 * spawned. */
const struct scoreboard *host_scoreboard(const struct host *host);

/* From now on: for EXIT, for one that is stopped by a signal, and, told to its process, for
 * health() and for the death of the supervisor. */
void host_set_grace(struct host *host, int64_t grace);

/*
 * The limits of what the host may take and touch from its next incarnation on; both are copied.
 * module_folders are those of the .so files that it will load, which it must be able to read. A
 * host that only checks takes just the user and the directories. Without memory for it the next
 * start fails.
 */
void host_set_limits(struct host *host, const struct config_limits *limits,
                     const struct strings *module_folders);

/* Whether its present incarnation was started with these, and can load the .so. */
bool host_has_limits(const struct host *host, const struct config_limits *limits,
                     const char *module_path);

/*
 * Its usage: *ret_cpu is the processor time of all its incarnations in ns, user and system, with
 * what their children took. *ret_usage is of the present one, read at most once a second. Returns
 * false, with the processor time alone, when there is no process.
 */
bool host_usage(struct host *host, struct usage *ret_usage, int64_t *ret_cpu);

/* How many hosts the descriptors are enough for that are left, up to most. */
unsigned hosts_that_can_start(unsigned most);

/* Starts a process, at the spawner's pace; up() or ended() follows. The host must be absent. */
void host_start(struct host *host);

/* Whether few enough messages wait for it to read them that what somebody asks for may be added. */
bool host_takes_requests(const struct host *host);

/* Queues a message. A host that has far too much to read is killed. Does nothing unless the host
 * has a process that is not ending. */
void host_send(struct host *host, const struct wire_message *message);

/* Sends LOAD and the options of the module, which has the slot there; what is to be done with it
 * follows. */
void host_send_module(struct host *host, uint32_t slot, const struct config_module *settings);

/* Tells it to exit; past its grace it is killed. */
void host_exit(struct host *host, const char *cause);

/* Whether it was started by a reeved before an upgrade and speaks another version than this one. */
bool host_is_foreign(const struct host *host);

/* Tells a foreign host, all of whose modules have been sent STOP, to exit when they have stopped.
 * It cannot say when they have: how long that may take is the owner's to watch. */
void host_dismiss(struct host *host, const char *cause);

/* Kills it and its session at once; why becomes the text of its end. */
void host_kill(struct host *host, const char *why, ...) __attribute__((format(printf, 2, 3)));

/* A module of it hangs; said before the kill. The first counts. */
void host_note_hang(struct host *host, uint32_t slot);

/* The same for a host whose module hangs: it may first note the stack of what the module in the
 * slot does, for a moment, and is not listened to any more. */
void host_kill_hanging(struct host *host, uint32_t slot, const char *why, ...)
    __attribute__((format(printf, 3, 4)));

/* The spawner: processes are started one at a time, beside the loop, since each takes milliseconds.
 */
int spawner_create(struct loop *loop, struct spawner **ret_spawner);
/* Whether no process is being started, whoever's. exec() would kill the thread. */
bool spawner_is_idle(const struct spawner *spawner);
/* After the loop and the hosts, before orphan_stop(): waits for a process that is being started,
 * and kills it. Blocks for 1 s at most. */
void spawner_finish(struct spawner *spawner);
void spawner_destroy(struct spawner *spawner);

#endif
