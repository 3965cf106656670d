/* SPDX-License-Identifier: MIT */
/* Helpers that the tests of zones share. */
#ifndef REEVE_TESTS_BASE_ZONES_H
#define REEVE_TESTS_BASE_ZONES_H

#include "tests/support/test.h"

#include "base/zone.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

/* 2022-03-27 and 2022-10-30, at 01:00 UTC. */
#define SPRING INT64_C(1648342800)
#define AUTUMN INT64_C(1667091600)

static inline int64_t seconds_at(int year, int month, int day, int hour, int minute)
{
    return civil_to_seconds(&(struct civil){year, month, day, hour, minute, 0});
}

static inline void assert_kind(const struct zone *zone, int64_t seconds, const char *name,
                               int offset)
{
    assert_string_equal(zone_at(zone, seconds)->name, name);
    assert_int_equal(zone_at(zone, seconds)->offset, offset);
}

#endif
