/* SPDX-License-Identifier: MIT */
/*
 * Reads TZif, the format of /usr/share/zoneinfo (RFC 8536 and its version 4 in RFC 9636). A file
 * has a block with 32-bit times; from version 2 on that is there for old readers only, and a second
 * block with 64-bit times follows, and a footer line with the rule for later times.
 *
 * Everything is read through a cursor that cannot pass the end, and every number is checked before
 * it counts or points to anything.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/text.h"
#include "base/zone.h"
#include "base/zone_private.h"
#include "base/zone_rule.h"

#define ZONEINFO  "/usr/share/zoneinfo"
#define LOCALTIME "/etc/localtime"

/* Several times what the largest file has. */
#define MAX_FILE    (256 * 1024)
#define MAX_CHANGES 10000
#define MAX_KINDS   256
#define MAX_LETTERS 4096
/* RFC 8536, section 3.2: offsets outside of this should not occur. */
#define MAX_OFFSET (26 * 3600)

/* The sizes of the parts of a block. */
struct header {
    uint8_t version; /* '\0', '2', '3' or '4' */
    uint32_t isut_count;
    uint32_t isstd_count;
    uint32_t leap_count;
    uint32_t change_count;
    uint32_t kind_count;
    uint32_t letter_count;
};

struct cursor {
    const uint8_t *next;
    const uint8_t *end;
};

/* The next size bytes, or NULL when there are not as many. */
static const uint8_t *take(struct cursor *cursor, size_t size)
{
    const uint8_t *bytes = cursor->next;

    if (size > (size_t)(cursor->end - cursor->next))
        return NULL;
    cursor->next += size;
    return bytes;
}

static uint32_t big_endian_32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int64_t read_time(const uint8_t *bytes, size_t size)
{
    if (size == 4)
        return (int32_t)big_endian_32(bytes);
    return (int64_t)((uint64_t)big_endian_32(bytes) << 32 | big_endian_32(bytes + 4));
}

static int read_header(struct cursor *cursor, struct header *ret_header)
{
    const uint8_t *bytes = take(cursor, 44);

    if (!bytes || memcmp(bytes, "TZif", 4) != 0)
        return -EBADMSG;
    *ret_header = (struct header){
        .version = bytes[4],
        .isut_count = big_endian_32(bytes + 20),
        .isstd_count = big_endian_32(bytes + 24),
        .leap_count = big_endian_32(bytes + 28),
        .change_count = big_endian_32(bytes + 32),
        .kind_count = big_endian_32(bytes + 36),
        .letter_count = big_endian_32(bytes + 40),
    };
    if (ret_header->version != 0 && (ret_header->version < '2' || ret_header->version > '4'))
        return -EBADMSG;
    if (ret_header->change_count > MAX_CHANGES || ret_header->kind_count > MAX_KINDS ||
        ret_header->letter_count > MAX_LETTERS || ret_header->leap_count > MAX_CHANGES ||
        ret_header->isut_count > MAX_KINDS || ret_header->isstd_count > MAX_KINDS)
        return -EBADMSG;
    return 0;
}

/* Passes over a block whose counts have been checked, so that the sum does not overflow. */
static int skip_block(struct cursor *cursor, const struct header *header)
{
    size_t size = header->change_count * (size_t)5 + header->kind_count * (size_t)6 +
                  header->letter_count + header->leap_count * (size_t)8 + header->isstd_count +
                  header->isut_count;

    return take(cursor, size) ? 0 : -EBADMSG;
}

static int read_changes(const uint8_t *times, const uint8_t *kinds, size_t time_size,
                        struct zone *zone)
{
    for (size_t i = 0; i < zone->change_count; i++) {
        struct zone_change *change = &zone->changes[i];

        change->seconds = read_time(times + i * time_size, time_size);
        change->kind = kinds[i];
        if (change->kind >= zone->kind_count ||
            (i > 0 && change->seconds <= zone->changes[i - 1].seconds))
            return -EBADMSG;
    }
    return 0;
}

static int read_kinds(const uint8_t *records, const uint8_t *letters, size_t letter_count,
                      struct zone *zone)
{
    for (size_t i = 0; i < zone->kind_count; i++) {
        const uint8_t *record = records + i * 6;
        struct zone_kind *kind = &zone->kinds[i];
        int32_t offset = (int32_t)big_endian_32(record);
        size_t start = record[5], length;

        if (offset < -MAX_OFFSET || offset > MAX_OFFSET || record[4] > 1 || start >= letter_count)
            return -EBADMSG;
        length = strnlen((const char *)letters + start, letter_count - start);
        if (length == letter_count - start || length >= sizeof(kind->name))
            return -EBADMSG;
        kind->offset = offset;
        kind->dst = record[4];
        memcpy(kind->name, letters + start, length + 1);
    }
    /* The rule before the first change: standard time if there is any, as glibc has it. */
    for (size_t i = zone->kind_count; i > 0; i--)
        if (!zone->kinds[i - 1].dst)
            zone->initial = i - 1;
    return 0;
}

static int read_block(struct cursor *cursor, const struct header *header, size_t time_size,
                      struct zone *zone)
{
    const uint8_t *times, *kinds, *records, *letters;
    int r;

    if (header->leap_count > 0)
        return -EOPNOTSUPP;
    if (header->kind_count == 0 || header->letter_count == 0 ||
        (header->isut_count != 0 && header->isut_count != header->kind_count) ||
        (header->isstd_count != 0 && header->isstd_count != header->kind_count))
        return -EBADMSG;
    times = take(cursor, header->change_count * time_size);
    kinds = take(cursor, header->change_count);
    records = take(cursor, header->kind_count * (size_t)6);
    letters = take(cursor, header->letter_count);
    /* Which kinds stem from standard or universal time says nothing without POSIX's old rules. */
    if (!times || !kinds || !records || !letters || !take(cursor, header->isstd_count) ||
        !take(cursor, header->isut_count))
        return -EBADMSG;
    zone->change_count = header->change_count;
    zone->kind_count = header->kind_count;
    zone->changes = calloc(MAX(zone->change_count, (size_t)1), sizeof(*zone->changes));
    zone->kinds = calloc(zone->kind_count, sizeof(*zone->kinds));
    if (!zone->changes || !zone->kinds)
        return -ENOMEM;
    r = read_kinds(records, letters, header->letter_count, zone);
    return r < 0 ? r : read_changes(times, kinds, time_size, zone);
}

/* A line between newlines; an empty one means that the last kind goes on for ever. */
static int read_footer(struct cursor *cursor, struct zone *zone)
{
    char rule[256];
    const uint8_t *end;
    size_t length;

    if (cursor->next == cursor->end || *cursor->next++ != '\n')
        return -EBADMSG;
    end = memchr(cursor->next, '\n', (size_t)(cursor->end - cursor->next));
    if (!end)
        return -EBADMSG;
    length = (size_t)(end - cursor->next);
    if (length == 0)
        return 0;
    if (length >= sizeof(rule) || memchr(cursor->next, '\0', length))
        return -EBADMSG;
    memcpy(rule, cursor->next, length);
    rule[length] = '\0';
    zone->has_rule = true;
    return zone_rule_parse(rule, &zone->rule) < 0 ? -EBADMSG : 0;
}

int zone_from_bytes(const void *data, size_t size, struct zone **ret_zone)
{
    struct cursor cursor = {data, (const uint8_t *)data + size};
    cleanup_zone struct zone *zone = zone_new();
    struct header header;
    int r;

    if (!zone)
        return -ENOMEM;
    r = read_header(&cursor, &header);
    if (r == 0 && header.version == 0) {
        r = read_block(&cursor, &header, 4, zone);
    } else if (r == 0) {
        r = skip_block(&cursor, &header);
        if (r == 0)
            r = read_header(&cursor, &header);
        if (r == 0)
            r = read_block(&cursor, &header, 8, zone);
        if (r == 0)
            r = read_footer(&cursor, zone);
    }
    if (r < 0)
        return r;
    *ret_zone = TAKE_PTR(zone);
    return 0;
}

bool zone_name_valid(const char *name)
{
    char before = '/'; /* so that a leading slash counts as a second one */

    for (const char *p = name; *p != '\0'; before = *p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '-' || *p == '_' || *p == '+';

        if (!plain && (*p != '/' || before == '/'))
            return false;
    }
    return before != '/';
}

static int64_t to_ns(const struct timespec *time)
{
    return time->tv_sec * INT64_C(1000000000) + time->tv_nsec;
}

/* Follows links: that another file is meant now is what counts. */
static struct zone_stamp look_at(const char *path)
{
    struct zone_stamp stamp = {0};
    struct stat status;

    if (stat(path, &status) == 0)
        stamp = (struct zone_stamp){
            .device = status.st_dev,
            .inode = status.st_ino,
            .size = status.st_size,
            .modified = to_ns(&status.st_mtim),
            .changed = to_ns(&status.st_ctim),
        };
    return stamp;
}

static bool is_same(const struct zone_stamp *a, const struct zone_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified == b->modified && a->changed == b->changed;
}

/* The zone is what the file at the path made it. */
static int remember(struct zone *zone, const char *path, const struct zone_stamp *stamp)
{
    zone->path = strdup(path);
    zone->stamp = *stamp;
    return zone->path ? 0 : -ENOMEM;
}

static int load_file(const char *path, struct zone **ret_zone)
{
    cleanup_zone struct zone *zone = NULL;
    cleanup_free char *data = NULL;
    /* Before the content: what is replaced in between is seen at the next look. */
    const struct zone_stamp stamp = look_at(path);
    size_t size;
    int r = file_read(path, MAX_FILE, &data, &size);

    if (r == 0)
        r = zone_from_bytes(data, size, &zone);
    if (r == 0)
        r = remember(zone, path, &stamp);
    if (r == 0)
        *ret_zone = TAKE_PTR(zone);
    return r;
}

/* Or UTC, as long as the file is missing or cannot be used. */
static int load_file_or_utc(const char *path, struct zone **ret_zone)
{
    cleanup_zone struct zone *zone = NULL;
    const struct zone_stamp stamp = look_at(path);
    int r = load_file(path, ret_zone);

    if (r == 0 || r == -ENOMEM)
        return r;
    r = zone_load("UTC", &zone);
    if (r == 0)
        r = remember(zone, path, &stamp);
    if (r == 0)
        *ret_zone = TAKE_PTR(zone);
    return r;
}

int zone_load(const char *name, struct zone **ret_zone)
{
    cleanup_free char *path = NULL;

    if (strcmp(name, "UTC") == 0)
        return zone_from_rule("UTC0", ret_zone);
    if (!zone_name_valid(name))
        return -EINVAL;
    path = format_new("%s/%s", ZONEINFO, name);
    return path ? load_file(path, ret_zone) : -ENOMEM;
}

int zone_local(struct zone **ret_zone)
{
    cleanup_free char *path = NULL;
    const char *name = getenv("TZ");
    int r;

    if (!name)
        return load_file_or_utc(LOCALTIME, ret_zone);
    name += *name == ':';
    if (*name == '\0')
        return zone_load("UTC", ret_zone);
    path = *name == '/' ? strdup(name) : format_new("%s/%s", ZONEINFO, name);
    if (!path)
        return -ENOMEM;
    r = load_file(path, ret_zone);
    if (r < 0 && r != -ENOMEM)
        r = zone_from_rule(name, ret_zone);
    return r < 0 && r != -ENOMEM ? load_file_or_utc(path, ret_zone) : r;
}

int zone_look_again(const struct zone *zone, struct zone **ret_zone)
{
    const struct zone_stamp none = {0};
    struct zone_stamp stamp;
    int r;

    if (!zone->path)
        return 0;
    stamp = look_at(zone->path);
    if (is_same(&stamp, &zone->stamp))
        return 0;
    r = is_same(&stamp, &none) ? load_file_or_utc(zone->path, ret_zone)
                               : load_file(zone->path, ret_zone);
    return r < 0 ? r : 1;
}
