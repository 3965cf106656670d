/* SPDX-License-Identifier: MIT */
/*
 * The filter of system calls, as a program for the kernel (classic BPF, seccomp(2)). libseccomp
 * makes it of the rules in host/sandbox/filter when reeve is built: a host that loaded the library
 * itself would take longer to start. The numbers of processes, known only when a host starts, are
 * put in then.
 */
#ifndef REEVE_HOST_SANDBOX_SANDBOX_FILTER_H
#define REEVE_HOST_SANDBOX_SANDBOX_FILTER_H

#include <linux/filter.h>
#include <stdint.h>

/* The purpose of a filter: one of FILTER_NO_NETWORK and FILTER_NO_TRUNCATING, both, or none; or
 * checks alone. */
#define FILTER_NO_NETWORK    1u
#define FILTER_NO_TRUNCATING 2u /* where Landlock does not see it */
#define FILTER_CHECK         4u
#define FILTER_KINDS         5

/* The numbers that a program is completed with. */
enum filter_id {
    FILTER_SUPERVISOR,
    FILTER_GROUP, /* the supervisor's, as kill() names it: negative */
    FILTER_SELF,
    FILTER_IDS
};

struct filter_program {
    const struct sock_filter *code;
    /* Where a number is to be put in. */
    const struct filter_place {
        uint16_t instruction;
        uint16_t id;
    } *places;
    unsigned count;
    unsigned place_count;
};

/* The number that stands there until then. */
#define FILTER_PLACEHOLDER(id) (0x5eed0001u + (id))

#define FILTER_CODE 1024 /* no program is longer */

extern const struct filter_program filter_programs[FILTER_KINDS];

/* Completes a program. Returns how many instructions it has. */
unsigned filter_make(unsigned kind, const uint32_t ids[FILTER_IDS],
                     struct sock_filter ret_code[FILTER_CODE]);

#endif
