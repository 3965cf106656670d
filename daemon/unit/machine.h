/* SPDX-License-Identifier: MIT */
/* The actions of the state machine, for the files that make it up: machine.c has the table. */
#ifndef REEVE_DAEMON_UNIT_MACHINE_H
#define REEVE_DAEMON_UNIT_MACHINE_H

#include "base/log.h"
#include "daemon/unit/unit.h"

typedef void unit_action(struct unit *unit, const struct unit_input *input);

/* Why the unit is in its state, or about to enter one, in words. */
void unit_set_reason(struct unit *unit, const char *format, ...) printf_like(2, 3);

/* Every change of state goes through here. */
void unit_enter(struct unit *unit, enum unit_state state);

/* Nothing of it runs, and nothing of it is wanted. */
void unit_become_down(struct unit *unit);

/* How it ended, without having been asked to. */
struct unit_end {
    enum policy_end end;
    enum log_event event;      /* what that is in the log */
    const struct crash *crash; /* of the process whose end this is, or NULL */
    bool starved;              /* there were no descriptors for a process */
    bool told;                 /* the log has it already: only what is decided here alone is news */
};

/* Restart, rest or give up. */
void unit_decide(struct unit *unit, const struct unit_end *end);

/* The event of the log that the end of a host is. */
enum log_event unit_event_of(const struct host_end *end);

/* Notes how its process has ended by itself, for which unit->reason has the words; crash as above.
 * The last lines that it has printed go into the log, unless that has them. */
void unit_note_end(struct unit *unit, const struct unit_input *input, const struct crash *crash);

/* machine_start.c, machine_stop.c, machine_reload.c */
unit_action unit_act_check;
unit_action unit_act_send_check;
unit_action unit_act_checked;
unit_action unit_act_check_failed;
unit_action unit_act_check_late;
unit_action unit_act_want;
unit_action unit_act_want_later;
unit_action unit_act_retry;
unit_action unit_act_launch;
unit_action unit_act_send_start;
unit_action unit_act_ready;
unit_action unit_act_start_late;
unit_action unit_act_start_failed;
unit_action unit_act_stop;
unit_action unit_act_stop_check;
unit_action unit_act_stop_waiting;
unit_action unit_act_rest;
unit_action unit_act_gave_up;
unit_action unit_act_stopped;
unit_action unit_act_stop_late;
unit_action unit_act_host_ended;
unit_action unit_act_host_ended_stopping;
unit_action unit_act_reload;
unit_action unit_act_reload_restart;
unit_action unit_act_deferred;
unit_action unit_act_reloading;
unit_action unit_act_reloaded;
unit_action unit_act_reload_late;

#endif
