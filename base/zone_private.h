/* SPDX-License-Identifier: MIT */
/* How a zone looks inside: for the files that make one (zone_file.c) and use it (zone.c). */
#ifndef REEVE_BASE_ZONE_PRIVATE_H
#define REEVE_BASE_ZONE_PRIVATE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/zone.h"

/* From when a kind of time holds. */
struct zone_change {
    int64_t seconds;
    size_t kind; /* index into kinds */
};

/* The marks that tell a file from the one that was there before. All 0: there was none. */
struct zone_stamp {
    uint64_t device, inode;
    int64_t size, modified, changed; /* the last two in nanoseconds since the epoch */
};

/*
 * All but the count of references is written before the zone is handed out, and only read since.
 * Before the first change holds kinds[initial]; after the last one the rule, if there is one.
 */
struct zone {
    atomic_uint references;
    size_t change_count;
    struct zone_change *changes; /* by time, ascending */
    size_t kind_count;           /* 0 when there is only a rule */
    struct zone_kind *kinds;
    size_t initial;
    bool has_rule;
    struct zone_rule rule;
    char *
        path; /* of the file that it is, or would be, read from; NULL: no file decides what it is */
    struct zone_stamp stamp;
};

/* An empty zone with one reference, or NULL. */
struct zone *zone_new(void);

#endif
