/* SPDX-License-Identifier: MIT */
/*
 * The restart decision: a pure function from how a module ended, and its history, to a verdict, a
 * delay and a reason in words. It reads no clock and draws no random number itself, so that a table
 * can test it.
 */
#ifndef REEVE_DAEMON_UNIT_POLICY_H
#define REEVE_DAEMON_UNIT_POLICY_H

#include <stdint.h>

#include "settings/config.h"

/* How a module ended. */
enum policy_end {
    POLICY_END_FAILURE,   /* exit code, 0 too, signal, hang, or an error at start that may pass */
    POLICY_END_PERMANENT, /* trying again cannot help: wrong ABI, wrong options */
    POLICY_END_NEIGHBOUR, /* it shared a host with a module that failed */
    /* There was no process: no descriptors, no memory, no state directory. It is no fault of the
     * module, and what is missing may be back at any time, so it is tried for ever. */
    POLICY_END_NO_PROCESS,
};

/* The last restarts, as many as a limit can count. */
#define POLICY_HISTORY_MAX 1000

struct policy_history {
    int64_t *times; /* a ring of the limit's count */
    unsigned size;
    unsigned next;
    unsigned streak; /* restarts since the last stable period */
};

struct policy_facts {
    enum policy_end end;
    int64_t now;
    int64_t ready_since; /* 0: it was not ready */
    uint32_t random;     /* any value: the jitter */
};

enum policy_verdict { POLICY_RESTART, POLICY_FAILED };

struct policy_decision {
    enum policy_verdict verdict;
    int64_t delay; /* before the restart */
    bool stable;   /* it was ready long enough for the streak to end */
    bool free;     /* it does not count for restart-limit */
    char reason[160];
};

/*
 * Decides by the module's settings. The delay doubles with the streak up to restart-delay-max, and
 * is then spread by up to a quarter either way, so that modules that fell together do not rise
 * together. A neighbour's failure neither counts against the limit nor is delayed more than the
 * first time.
 */
struct policy_decision policy_decide(const struct config_module *settings,
                                     const struct policy_history *history,
                                     const struct policy_facts *facts);

/* Notes a restart that was decided. */
void policy_record(struct policy_history *history, const struct policy_decision *decision,
                   int64_t now);

/* The longest delay that these settings would have given the last restart that was noted. */
int64_t policy_longest_delay(const struct config_module *settings,
                             const struct policy_history *history);

/* Makes room for the limit's count, forgetting nothing that still counts. Returns 0 or -ENOMEM. */
int policy_history_resize(struct policy_history *history, unsigned size);
/* A person asked for a new start: all is forgiven. */
void policy_history_clear(struct policy_history *history);
void policy_history_free(struct policy_history *history);

#endif
