/* SPDX-License-Identifier: MIT */
/*
 * The messages between supervisor and host: one packet of a SOCK_SEQPACKET socketpair each.
 *
 * Commands go down, events come up; levels (counters, states, times) are not sent at all but stand
 * in the scoreboard. A packet is a fixed header and then the fields that the schema of its type
 * names, in the schema's order, in the machine's own byte order: both ends are one machine, and
 * HELLO compares the versions. Decoding trusts nothing: a packet with an unknown type, a field cut
 * short, a string without end, or bytes left over is -EBADMSG, and the supervisor ends a host that
 * sends one.
 *
 *     supervisor                          host
 *     HELLO, LIMIT... -------------------->    what the host must give up before any module code
 *          <------------------------------ HELLO (with the reason if it cannot; or exit 3 when the
 *                                          versions differ)
 *     LOAD, OPTION..., LAST_RUN..., START ->   also ... CHECK (no init), ... RELOAD (new options)
 *          <------------ LOADED, OPTION_ERROR..., FAILED | CHECKED | READY | RELOADED
 *     RUN, SUBMIT ------------------------>
 *          <------------------- ACCEPTED, RESULT
 *     STOP ------------------------------->
 *          <------------------------------ PROGRESS..., STOPPED
 *     EXIT ------------------------------->    the host ends with 0
 *
 * The LIMITs, as keys and values; their values are checked already:
 *
 *     cgroup = FOLDER         the control group to enter first
 *     memory-data = BYTES     memory-max, where no control group can enforce it
 *     cpu-max = PERCENT       where no control group can enforce it: to be told
 *     nofile, nice, user      as in the section
 *     read-only, read-write = PATH       once for each; module-folder = PATH for each tenant's .so
 *     network = no, sandbox = strict     left out otherwise
 *
 * Every request with an id is answered by exactly one RESULT, unless the host dies first.
 */
#ifndef REEVE_WIRE_MESSAGE_H
#define REEVE_WIRE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Raised by every change that the other end could misread. STOP and EXIT keep their numbers and
 * their layout in all versions: a supervisor that was upgraded ends hosts of another version by
 * them. It is a variable (version.c), so that one can be linked anew with another.
 */
extern const uint32_t wire_version;

/* The largest payload of a job; what is larger belongs into a file that the job names. */
#define WIRE_JOB_DATA_MAX (64 * 1024)

/* The largest packet: a job with its names, or an option with its value. */
#define WIRE_PACKET_MAX (WIRE_JOB_DATA_MAX + 8 * 1024)

/* A variable in the environment of a host and of what it starts: whose process is this? */
#define WIRE_MARK "REEVE_HOST="

/* The descriptors that a host inherits. */
#define WIRE_FD_CONTROL    3
#define WIRE_FD_SCOREBOARD 4

enum wire_type {
    /* Either way: the first message of each end. */
    WIRE_HELLO = 1,
    /* Down. */
    WIRE_LIMIT,  /* follows HELLO, which says how many: one limit or sandbox rule, key and value */
    WIRE_LOAD,   /* begins the description of a module: name is its section, path its .so */
    WIRE_OPTION, /* one line of its section; a repeated key is a list */
    WIRE_LAST_RUN, /* of the task `name`, in real times: every point of its schedule until `number`
                      is settled, until `since` they were skipped as they came, and `deadline` is
                      the first that is open; 0: not known. `line` counts its failures in a row. */
    WIRE_START,    /* ends it: load, validate, init, then run the tasks */
    WIRE_CHECK,    /* ends it: load and validate only; answered by OPTION_ERROR... CHECKED */
    WIRE_RELOAD,   /* ends it: give the running module its new options */
    WIRE_STOP,     /* drain, cancel, fini; text is the cause */
    WIRE_RUN,      /* run the task `name` now */
    WIRE_SUBMIT,   /* a job for the pool `name` */
    WIRE_EXIT,     /* end the process; text is the cause */
    WIRE_TREE,     /* show the module's live contexts: NODE..., RESULT */
    WIRE_STACK,    /* note the stack of what the module runs for longest: it will be killed */
    WIRE_CLOCK,    /* look whether the machine's time zone is another by now */
    WIRE_GRACE,    /* in place of the one in HELLO */
    WIRE_FRAME,    /* to reeve-symbols: what is at offset `number` of the file `path`? */
    /* Up. */
    WIRE_OPTION_ERROR, /* one error in a line of the section */
    WIRE_CHECKED,      /* code is the number of errors */
    WIRE_READY,        /* text is the module's version or summary */
    WIRE_FAILED,       /* did not start; name is the stage: load, options, init */
    WIRE_RELOADED,     /* code 0, or -EOPNOTSUPP: restart me, or an error */
    WIRE_ACCEPTED,     /* a run or job was taken in; number is its number */
    WIRE_RESULT,       /* the end of a request: code and text, duration */
    WIRE_OVERDUE,      /* the task `name` ignores its cancel; text is its stack or what is known */
    WIRE_PROGRESS,     /* text says what the module is doing while it starts or stops */
    WIRE_STOPPED,      /* number is how many jobs were reported lost */
    WIRE_BUSY,         /* something of the module is busy until `deadline` at the most: look then */
    WIRE_NODE,         /* a live context: depth is line, name its task or pool, number the run */
    WIRE_SYMBOL,       /* text answers the FRAME of the same number in the row, `line` */
    WIRE_DEFERRED,     /* RELOADED will come when work under way has ended; text says which */
    WIRE_RELOADING,    /* nothing is waited for, or not any more: the options are exchanged now */
    WIRE_LOADED,       /* which .so the process has loaded for the module: device, inode, mtime */
    WIRE_TYPE_MAX,
};

/* Flags; which type they belong to. */
#define WIRE_HELLO_CHECK_ONLY  0x1u /* HELLO down: this host only ever checks; sandbox it fully */
#define WIRE_LAST_RUN_OWED     0x1u /* LAST_RUN: what fell due meanwhile is to be run in any case */
#define WIRE_LAST_RUN_STOPPED  0x2u /* LAST_RUN: until `since` it was stopped for an error */
#define WIRE_LAST_RUN_SET_BACK 0x8u /* LAST_RUN: the clock was set back since this was seen */
/* LAST_RUN: a person has started it since: then it runs again */
#define WIRE_LAST_RUN_REVIVED 0x4u
#define WIRE_FAILED_PERMANENT 0x1u /* FAILED: another attempt cannot succeed (ABI, options) */
#define WIRE_FAILED_PROCESS   0x2u /* FAILED: another attempt can, but only in another process */
#define WIRE_STOP_DRAIN_QUEUE 0x1u /* STOP: run the queued jobs too, as far as the drain allows */
/* OPTION_ERROR: nobody has such a key; value is the nearest */
#define WIRE_OPTION_UNKNOWN_KEY 0x1u
#define WIRE_OPTION_PAST        0x2u /* OPTION_ERROR after CHECK: it does not come again; not counted */
#define WIRE_OPTION_CREDENTIAL  0x1u /* OPTION: the value is a credential's, never to be shown */
#define WIRE_CHECKED_RELOADS    0x1u /* CHECKED: the module can take new options while it runs */
/* CHECKED: its file may be that of several modules in a host */
#define WIRE_CHECKED_REENTRANT 0x2u
#define WIRE_LOADED_REENTRANT  0x1u /* LOADED: the same */
#define WIRE_FRAME_RETURN      0x1u /* FRAME: the address after a call, not of an instruction */
#define WIRE_RESULT_RUN        0x1u /* RESULT, ACCEPTED: of a task's run, not of a job */

/*
 * Every field of every type; the schema in message.c tells which a type carries. Strings are never
 * NULL after decoding, and point into the packet. Durations and monotonic times are nanoseconds.
 */
struct wire_message {
    enum wire_type type;
    uint32_t version;    /* HELLO: wire_version */
    uint32_t scoreboard; /* HELLO: scoreboard_version */
    uint32_t module;     /* the module's slot in this host and in its scoreboard */
    uint32_t flags;
    uint32_t line;
    int32_t code;     /* 0 or a negative errno, or a count for CHECKED */
    uint64_t request; /* the asker's id, echoed in the answers; 0: nobody waits */
    uint64_t number;  /* a run's or a job's number, or a count; HELLO down: LIMITs that follow; of
                         a RELOAD, and in what answers it */
    int64_t drain;    /* STOP: time for work that is under way */
    int64_t grace;    /* HELLO, STOP, GRACE: time between cancel and SIGKILL */
    int64_t timeout;  /* SUBMIT: the job's deadline from now, 0 for the pool's own; STOP: how long
                         work may go on without moving */
    int64_t deadline; /* BUSY, NODE: on the monotonic clock; INT64_MAX for none */
    int64_t duration; /* NODE: its age; RESULT: how long it took; OVERDUE: since the cancel */
    int64_t since;    /* ACCEPTED: when that was, on the monotonic clock */
    uint64_t device;  /* LOADED, as the next two: of the file, as it was then */
    uint64_t inode;
    int64_t mtime; /* real time */
    const char *name;
    const char *path;
    const char *key;
    const char *value;
    const char *text;
    const void *data;
    size_t size; /* of data */
};

/*
 * Encodes into buffer. Strings that are NULL are sent as "". Returns the packet's size, or
 * -EMSGSIZE when it would exceed the buffer, which cannot happen with WIRE_PACKET_MAX bytes unless
 * the strings are out of bounds.
 */
int wire_encode(const struct wire_message *message, void *buffer, size_t size);

/* Decodes a packet; what *ret_message points to lives in the packet. Returns 0 or -EBADMSG. */
int wire_decode(const void *packet, size_t size, struct wire_message *ret_message);

/*
 * Sends one packet with MSG_NOSIGNAL; whether it blocks is the socket's own setting. Returns 0,
 * -EMSGSIZE, -EAGAIN when the peer's queue is full, -EPIPE or another negative errno. Each send is
 * one packet, so several threads may send at once.
 */
int wire_send(int fd, const struct wire_message *message);

/*
 * Receives one packet into a buffer of WIRE_PACKET_MAX bytes and decodes it. Returns 1, 0 at end of
 * file, -EAGAIN when nothing is there and the socket does not block, -EBADMSG (also for a packet
 * that was too large), or another negative errno. Descriptors that a peer attached are dropped.
 */
int wire_receive(int fd, void *buffer, struct wire_message *ret_message);

/* A code as a host wrote it, made what it should be: 0 or a negative errno; else -EPROTO. */
int wire_code(int32_t code);

/* "LOAD" and the like, for logs. */
const char *wire_type_name(enum wire_type type);

#endif
