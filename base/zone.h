/* SPDX-License-Identifier: MIT */
/*
 * Time zones without tzset(): a zone is a value, read from a TZif file (RFC 8536) or from a rule in
 * POSIX's syntax, and never changes afterwards. So any thread may use it, while others call
 * localtime() and modules do what they like with TZ. It is counted; references may be taken and
 * given back on any thread. Nothing here blocks, except that zone_load(), zone_local() and
 * zone_look_again() read a small file.
 *
 * Instants are seconds since the epoch without leap seconds, within CIVIL_LIMIT.
 */
#ifndef REEVE_BASE_ZONE_H
#define REEVE_BASE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/civil.h"
#include "base/macro.h"
#include "base/zone_rule.h"

struct zone;

/*
 * Reads the contents of a TZif file, version 1 to 4, trusting nothing of it. Returns 0, -EBADMSG
 * for what is no TZif file or is damaged, -EOPNOTSUPP for one with leap seconds ("right/..."), or
 * -ENOMEM.
 */
int zone_from_bytes(const void *data, size_t size, struct zone **ret_zone);

/* A zone that always follows a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`. Returns 0, -EINVAL or
 * -ENOMEM. */
int zone_from_rule(const char *rule, struct zone **ret_zone);

/* A zone in which one kind of time holds for ever. Returns 0 or -ENOMEM. */
int zone_fixed(const struct zone_kind *kind, struct zone **ret_zone);

/*
 * Whether the name may be looked up below /usr/share/zoneinfo: letters, digits, '-', '_', '+' and
 * single slashes between them; so no "..", and nothing absolute.
 */
bool zone_name_valid(const char *name);

/*
 * Loads "UTC", for which no file is needed, or an IANA name such as "Europe/Berlin" from
 * /usr/share/zoneinfo. Returns 0, -EINVAL for a name that is not valid, -ENOENT for one that does
 * not exist, the errors of zone_from_bytes(), or what reading says.
 */
int zone_load(const char *name, struct zone **ret_zone);

/*
 * Loads the local zone as glibc finds it: TZ, if it is set, names a file (with or without a leading
 * ':', also an absolute path, since the environment is the administrator's) or else is a rule;
 * without TZ /etc/localtime counts; whatever cannot be read is UTC. Reads the environment: no other
 * thread may change it meanwhile. Returns 0 or -ENOMEM.
 */
int zone_local(struct zone **ret_zone);

/*
 * Whether the file behind the zone is another one by now: the machine was moved to another zone, or
 * has new tables. Returns 1 and the zone as it is today; 0 when nothing has changed, as for a zone
 * without a file; or what reading says of a file that is there and cannot be used, -ENOMEM among
 * it. A local zone whose file is gone is UTC, as in zone_local(). Reads no environment.
 */
int zone_look_again(const struct zone *zone, struct zone **ret_zone);

/* One more reference; returns zone. */
struct zone *zone_ref(struct zone *zone);

/* Gives a reference back; NULL is allowed. */
void zone_unref(struct zone *zone);

static inline void zone_unref_fn(struct zone **zone)
{
    zone_unref(*zone);
}
#define cleanup_zone _cleanup_(zone_unref_fn)

/* The kind of time that holds at an instant; valid as long as the zone is. */
const struct zone_kind *zone_at(const struct zone *zone, int64_t seconds);

/* The latest kind of standard or of daylight saving time that the zone knows, or NULL. */
const struct zone_kind *zone_kind(const struct zone *zone, bool dst);

/* The local time at an instant. Returns its offset, in seconds east of Greenwich. */
int zone_to_civil(const struct zone *zone, int64_t seconds, struct civil *ret_civil);

/*
 * The instant at which the local time is what civil says, with the answers of glibc's mktime() for
 * tm_isdst = -1. Fields may be out of range. *offset is what mktime() keeps in a static variable:
 * the offset that is tried first, and so what decides in a fold, where a local time comes twice;
 * give what zone_to_civil() returned for an instant nearby. In a gap, where a local time is left
 * out, the answer is off by the gap's length: after the gap, unless the time before it is daylight
 * saving time and the one after is not ("negative" saving, as in Dublin). *offset is then updated.
 * Returns 0, or -EOVERFLOW where mktime() finds nothing: unknown in any real zone.
 */
int zone_to_seconds(const struct zone *zone, const struct civil *civil, int *offset,
                    int64_t *ret_seconds);

#endif
