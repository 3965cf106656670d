/* SPDX-License-Identifier: MIT */
#include "base/zone.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/zone_private.h"

/* As many offsets as mktime() tries before it gives up. */
#define PROBES 6

struct zone *zone_new(void)
{
    struct zone *zone = calloc(1, sizeof(*zone));

    if (zone)
        atomic_init(&zone->references, 1);
    return zone;
}

int zone_from_rule(const char *rule, struct zone **ret_zone)
{
    cleanup_zone struct zone *zone = zone_new();
    int r;

    if (!zone)
        return -ENOMEM;
    r = zone_rule_parse(rule, &zone->rule);
    if (r < 0)
        return r;
    zone->has_rule = true;
    *ret_zone = TAKE_PTR(zone);
    return 0;
}

int zone_fixed(const struct zone_kind *kind, struct zone **ret_zone)
{
    struct zone *zone = zone_new();

    if (!zone)
        return -ENOMEM;
    zone->rule.kinds[0] = *kind;
    zone->rule.kinds[1] = *kind;
    zone->has_rule = true;
    *ret_zone = zone;
    return 0;
}

struct zone *zone_ref(struct zone *zone)
{
    atomic_fetch_add_explicit(&zone->references, 1, memory_order_relaxed);
    return zone;
}

void zone_unref(struct zone *zone)
{
    if (!zone || atomic_fetch_sub_explicit(&zone->references, 1, memory_order_acq_rel) > 1)
        return;
    free(zone->path);
    free(zone->changes);
    free(zone->kinds);
    free(zone);
}

const struct zone_kind *zone_at(const struct zone *zone, int64_t seconds)
{
    size_t low = 0, high = zone->change_count;

    if (zone->has_rule && (high == 0 || seconds >= zone->changes[high - 1].seconds))
        return zone_rule_at(&zone->rule, seconds);
    /* Changes before low are past, those from high on are to come. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->changes[middle].seconds <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return &zone->kinds[low == 0 ? zone->initial : zone->changes[low - 1].kind];
}

const struct zone_kind *zone_kind(const struct zone *zone, bool dst)
{
    if (zone->has_rule)
        return !dst || zone->rule.has_dst ? &zone->rule.kinds[dst] : NULL;
    for (size_t i = zone->change_count; i > 0; i--)
        if (zone->kinds[zone->changes[i - 1].kind].dst == dst)
            return &zone->kinds[zone->changes[i - 1].kind];
    return zone->kinds[zone->initial].dst == dst ? &zone->kinds[zone->initial] : NULL;
}

int zone_to_civil(const struct zone *zone, int64_t seconds, struct civil *ret_civil)
{
    int offset = zone_at(zone, seconds)->offset;

    civil_from_seconds(seconds + offset, ret_civil);
    return offset;
}

/*
 * An offset that leads to an instant at which that same offset holds is the answer. Otherwise the
 * offset which holds there is tried next. In a gap this goes back and forth between the instants
 * that the offsets before and after it lead to, one on each side: then daylight saving time wins,
 * and among equals the one that came first.
 */
int zone_to_seconds(const struct zone *zone, const struct civil *civil, int *offset,
                    int64_t *ret_seconds)
{
    struct civil in_minute = *civil;
    int64_t local, instant, last, last_but_one;
    bool last_dst = false;

    /* mktime() thinks of leap seconds and adds what is out of range in the end. */
    in_minute.second = MAX(0, MIN(civil->second, 59));
    local = civil_to_seconds(&in_minute);
    instant = last = last_but_one = local - *offset;
    for (int probe = 0; probe < PROBES; probe++) {
        const struct zone_kind *kind = zone_at(zone, instant);
        int64_t next = local - kind->offset;
        bool settled = next == instant;
        bool in_gap = instant == last_but_one && instant != last && last_dst <= kind->dst;

        if (settled || in_gap) {
            *offset = (int)(local - instant);
            *ret_seconds = instant + (civil->second - in_minute.second);
            return 0;
        }
        last_but_one = last;
        last = instant;
        last_dst = kind->dst;
        instant = next;
    }
    return -EOVERFLOW;
}
