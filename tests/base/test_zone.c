/* SPDX-License-Identifier: MIT */
/* Zones from TZif files that are made here: Berlin in small, and damaged ones. */
#include "tests/base/zones.h"

#include <sys/stat.h>

#include "base/macro.h"
#include "base/text.h"

/* TZif under construction. */
struct image {
    uint8_t bytes[1024];
    size_t size;
};

static void put(struct image *image, uint64_t value, size_t size)
{
    while (size-- > 0)
        image->bytes[image->size++] = size < 8 ? (uint8_t)(value >> (8 * size)) : 0;
}

static void put_text(struct image *image, const char *text, size_t size)
{
    memcpy(image->bytes + image->size, text, size);
    image->size += size;
}

static void put_header(struct image *image, char version, const uint32_t counts[6])
{
    put_text(image, "TZif", 4);
    put(image, (uint64_t)version, 1);
    put(image, 0, 15);
    for (size_t i = 0; i < 6; i++)
        put(image, counts[i], 4);
}

/* Local mean time, then summer 2022 alone, in the zone's 32- or 64-bit form. */
static void put_block(struct image *image, char version, size_t time_size)
{
    static const uint32_t counts[6] = {3, 3, 0, 2, 3, 13}; /* isut, isstd, leap, time, type, char */

    put_header(image, version, counts);
    put(image, (uint64_t)SPRING, time_size);
    put(image, (uint64_t)AUTUMN, time_size);
    put(image, 1, 1);
    put(image, 2, 1);
    put(image, 3208, 4);
    put(image, 0x0000, 2);
    put(image, 7200, 4);
    put(image, 0x0104, 2);
    put(image, 3600, 4);
    put(image, 0x0009, 2);
    put_text(image, "LMT\0CEST\0CET", 13);
    put(image, 0, 6);
}

static void make_image(struct image *image, char version, const char *footer)
{
    *image = (struct image){.size = 0};
    put_block(image, version, 4);
    if (version == '\0')
        return;
    put_block(image, version, 8);
    put_text(image, footer, strlen(footer));
}

static void assert_local(const struct zone *zone, const struct civil *civil, int offset,
                         int64_t wanted, int wanted_offset)
{
    int64_t seconds;

    assert_int_equal(zone_to_seconds(zone, civil, &offset, &seconds), 0);
    assert_int_equal(seconds, wanted);
    assert_int_equal(offset, wanted_offset);
}

static void test_gaps_and_folds(void **state)
{
    cleanup_zone struct zone *berlin = NULL, *dublin = NULL;
    struct civil civil;
    (void)state;

    assert_int_equal(zone_from_rule(BERLIN, &berlin), 0);
    assert_int_equal(zone_from_rule("IST-1GMT0,M10.5.0,M3.5.0/1", &dublin), 0);
    /* Not ambiguous: whatever is tried first. */
    for (int offset = -50000; offset <= 50000; offset += 3600)
        assert_local(berlin, &(struct civil){2022, 7, 1, 12, 0, 0}, offset,
                     seconds_at(2022, 7, 1, 10, 0), 7200);
    /* A fold: the offset that is tried first. */
    assert_local(berlin, &(struct civil){2022, 10, 30, 2, 30, 0}, 7200, AUTUMN - 1800, 7200);
    assert_local(berlin, &(struct civil){2022, 10, 30, 2, 30, 0}, 3600, AUTUMN + 1800, 3600);
    /* A gap: 02:30 is 03:30; in Dublin, where winter saves, 01:30 is 00:30. */
    assert_local(berlin, &(struct civil){2022, 3, 27, 2, 30, 0}, 3600, SPRING + 1800, 3600);
    assert_local(berlin, &(struct civil){2022, 3, 27, 2, 30, 0}, 7200, SPRING + 1800, 3600);
    assert_local(dublin, &(struct civil){2022, 3, 27, 1, 30, 0}, 0, SPRING - 1800, 3600);
    /* Fields out of range, seconds too. */
    assert_local(berlin, &(struct civil){2022, 13, 32, 24, 60, 61}, 3600,
                 seconds_at(2023, 2, 2, 1, 1) + 1 - 3600, 3600);
    assert_int_equal(zone_to_civil(berlin, SPRING, &civil), 7200);
    assert_int_equal(civil.hour, 3);
    assert_int_equal(zone_to_civil(berlin, SPRING - 1, &civil), 3600);
    assert_int_equal(civil.hour * 3600 + civil.minute * 60 + civil.second, 7199);
}

/* Some of the system's zones, every few hours for 45 years. */
static void test_against_mktime(void **state)
{
    static const char *const names[] = {
        "Europe/Berlin",  "America/New_York", "Australia/Lord_Howe",
        "Asia/Kathmandu", "America/St_Johns", "Africa/Casablanca",
        "Pacific/Apia",   "Europe/Dublin",    "Asia/Tehran",
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        cleanup_zone struct zone *zone = NULL;

        if (zone_load(names[i], &zone) == -ENOENT)
            skip();
        assert_non_null(zone);
        setenv("TZ", names[i], 1);
        tzset();
        for (int64_t seconds = 946684800; seconds < 946684800 + 45 * INT64_C(31556952);
             seconds += 21611) {
            time_t moment = (time_t)seconds;
            struct civil civil;
            struct tm tm;
            int offset;
            int64_t back;

            localtime_r(&moment, &tm);
            offset = zone_to_civil(zone, seconds, &civil);
            assert_int_equal(offset, tm.tm_gmtoff);
            assert_int_equal(civil.hour, tm.tm_hour);
            assert_string_equal(zone_at(zone, seconds)->name, tm.tm_zone);
            assert_int_equal(zone_to_seconds(zone, &civil, &offset, &back), 0);
            assert_int_equal(back, seconds);
            /* An hour on, by the clock on the wall: into gaps and folds. */
            mktime(&tm);
            tm.tm_hour = ++civil.hour;
            tm.tm_isdst = -1;
            assert_int_equal(zone_to_seconds(zone, &civil, &offset, &back), 0);
            assert_int_equal(back, mktime(&tm));
        }
    }
    unsetenv("TZ");
    tzset();
}

static void test_file(void **state)
{
    static const char versions[] = {'\0', '2', '3', '4'};
    struct image image;
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        cleanup_zone struct zone *zone = NULL, *other = NULL;

        make_image(&image, versions[i], "\n" BERLIN "\n");
        assert_int_equal(zone_from_bytes(image.bytes, image.size, &zone), 0);
        assert_kind(zone, 0, "LMT", 3208);
        assert_kind(zone, SPRING - 1, "LMT", 3208);
        assert_kind(zone, SPRING, "CEST", 7200);
        assert_kind(zone, AUTUMN, "CET", 3600);
        /* Only a footer knows of later summers. */
        assert_kind(zone, seconds_at(2023, 7, 1, 0, 0), versions[i] == '\0' ? "CET" : "CEST",
                    versions[i] == '\0' ? 3600 : 7200);
        assert_string_equal(zone_kind(zone, true)->name, "CEST");
        other = zone_ref(zone);
        assert_ptr_equal(other, zone);
    }
    /* An empty footer: the last kind goes on. */
    cleanup_zone struct zone *plain = NULL;

    make_image(&image, '2', "\n\n");
    assert_int_equal(zone_from_bytes(image.bytes, image.size, &plain), 0);
    assert_kind(plain, seconds_at(2023, 7, 1, 0, 0), "CET", 3600);
    assert_string_equal(zone_kind(plain, false)->name, "CET");
}

/* In the first block of version 1: offsets of what is damaged, and by what. */
static void test_file_damaged(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        int error;
    } damages[] = {
        {0, 'X', -EBADMSG},                         /* no TZif */
        {4, '1', -EBADMSG},                         /* versions that there are not */
        {4, '5', -EBADMSG},   {23, 1, -EBADMSG},    /* indicators for some kinds only */
        {27, 2, -EBADMSG},    {31, 1, -EOPNOTSUPP}, /* leap seconds */
        {32, 0xff, -EBADMSG},                       /* huge counts */
        {36, 0xff, -EBADMSG}, {40, 0xff, -EBADMSG}, {35, 200, -EBADMSG}, /* more than is there */
        {39, 0, -EBADMSG},                                               /* no kind, no letters */
        {43, 0, -EBADMSG},    {44, 0x7f, -EBADMSG}, /* changes that do not ascend */
        {52, 3, -EBADMSG},                          /* a kind that there is not */
        {54, 0x7f, -EBADMSG},                       /* an offset of years */
        {58, 2, -EBADMSG},                          /* neither daylight saving time nor not */
        {59, 13, -EBADMSG}, /* a name past the letters, one that does not end */
        {84, 'X', -EBADMSG},
    };
    struct image image;
    struct zone *zone = NULL;
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        make_image(&image, '\0', "");
        image.bytes[damages[i].at] = damages[i].value;
        assert_int_equal(zone_from_bytes(image.bytes, image.size, &zone), damages[i].error);
        assert_null(zone);
    }
    static const char *const footers[] = {
        "", "\n", "CET-1\n", "\nCET-1", "\nCET\n", "\nCET-1CEST,M3.5.0\n", "\n \n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(footers); i++) {
        make_image(&image, '2', footers[i]);
        assert_int_equal(zone_from_bytes(image.bytes, image.size, &zone), -EBADMSG);
    }
}

static void test_file_truncated(void **state)
{
    struct image image;
    (void)state;

    make_image(&image, '2', "\n" BERLIN "\n");
    for (size_t size = 0; size < image.size; size++) {
        /* A copy of that size, so that valgrind and ASan see a read past its end. */
        cleanup_free uint8_t *part = malloc(size + 1);
        struct zone *zone = NULL;

        memcpy(part, image.bytes, size);
        assert_int_equal(zone_from_bytes(part, size, &zone), -EBADMSG);
    }
}

/* Each byte with each bit turned: refused, or a zone that works. */
static void test_file_bits(void **state)
{
    struct image image;
    (void)state;

    for (size_t bit = 0;; bit++) {
        cleanup_zone struct zone *zone = NULL;

        make_image(&image, '2', "\n" BERLIN "\n");
        if (bit / 8 == image.size)
            break;
        image.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (zone_from_bytes(image.bytes, image.size, &zone) < 0)
            continue;
        for (int64_t seconds = 1 - CIVIL_LIMIT; seconds < CIVIL_LIMIT;
             seconds += CIVIL_LIMIT / 64) {
            struct civil civil;
            int64_t back;
            int offset = zone_to_civil(zone, seconds, &civil);

            civil.hour = 2;
            zone_to_seconds(zone, &civil, &offset, &back);
        }
    }
}

static void test_names(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "/etc/localtime",
        "../zoneinfo/UTC",
        "Europe/../UTC",
        "Europe//Berlin",
        "Europe/",
        ".",
        "a b",
        "tzdata.zi",
        "Europe/Berlin\n",
        "caf\xc3\xa9",
    };
    struct zone *zone = NULL;
    (void)state;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(zone_name_valid(bad[i]));
        assert_int_equal(zone_load(bad[i], &zone), -EINVAL);
    }
    assert_true(zone_name_valid("Etc/GMT+5"));
    assert_true(zone_name_valid("America/North_Dakota/New_Salem"));
    assert_int_equal(zone_load("Europe/Nowhere", &zone), -ENOENT);
    assert_int_equal(zone_load("UTC", &zone), 0);
    assert_kind(zone, 0, "UTC", 0);
    zone_unref(zone);
    zone_unref(NULL);
}

static void check_local(const char *tz, const char *name, int offset)
{
    cleanup_zone struct zone *zone = NULL;

    setenv("TZ", tz, 1);
    assert_int_equal(zone_local(&zone), 0);
    assert_kind(zone, seconds_at(2022, 7, 1, 0, 0), name, offset);
    unsetenv("TZ");
}

static void test_local(void **state)
{
    cleanup_zone struct zone *zone = NULL;
    char folder[] = "/tmp/test-zone-XXXXXX", path[64], tz[80];
    struct image image;
    FILE *file;
    (void)state;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/Berlin", folder);
    make_image(&image, '2', "\n" BERLIN "\n");
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(image.bytes, 1, image.size, file), image.size);
    fclose(file);
    snprintf(tz, sizeof(tz), ":%s", path);
    check_local(tz, "CEST", 7200);
    check_local(path, "CEST", 7200);
    /* A damaged one, a directory, none at all, a pipe: UTC. */
    assert_int_equal(truncate(path, 100), 0);
    check_local(path, "UTC", 0);
    check_local(folder, "UTC", 0);
    assert_int_equal(unlink(path), 0);
    check_local(path, "UTC", 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_local(path, "UTC", 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    check_local("", "UTC", 0);
    check_local(":", "UTC", 0);
    check_local("no zone", "UTC", 0);
    check_local(BERLIN, "CEST", 7200);
    check_local(":" BERLIN, "CEST", 7200);
    check_local("<+07>-7", "+07", 25200);
    assert_int_equal(zone_local(&zone), 0);
}

static void write_zone(const char *path, const char *rule)
{
    struct image image;
    char footer[64];
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    snprintf(footer, sizeof(footer), "\n%s\n", rule);
    make_image(&image, '2', footer);
    assert_int_equal(fwrite(image.bytes, 1, image.size, file), image.size);
    fclose(file);
}

/* The result of a second look; NULL: nothing new. */
static void expect_look(struct zone **zone, const char *name, int offset)
{
    struct zone *now = NULL;

    assert_int_equal(zone_look_again(*zone, &now), name ? 1 : 0);
    if (!name)
        return;
    zone_unref(*zone);
    *zone = now;
    assert_kind(*zone, seconds_at(2040, 7, 1, 0, 0), name, offset);
}

/* The machine moves, its tables are replaced, and for a while there is no file at all. */
static void test_a_second_look(void **state)
{
    cleanup_zone struct zone *zone = NULL, *none = NULL;
    char folder[] = "/tmp/test-zone-XXXXXX", path[64], new_path[64], link_path[64];
    (void)state;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/here", folder);
    snprintf(new_path, sizeof(new_path), "%s/there", folder);
    snprintf(link_path, sizeof(link_path), "%s/localtime", folder);
    write_zone(path, BERLIN);
    write_zone(new_path, "EST5EDT,M3.2.0,M11.1.0");
    assert_int_equal(symlink(path, link_path), 0);
    setenv("TZ", link_path, 1);
    assert_int_equal(zone_local(&zone), 0);
    /* The environment may be somebody else's by now. */
    unsetenv("TZ");
    expect_look(&zone, NULL, 0);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(symlink(new_path, link_path), 0);
    expect_look(&zone, "EDT", -14400);
    expect_look(&zone, NULL, 0);
    write_zone(path, "<+07>-7");
    assert_int_equal(rename(path, new_path), 0);
    expect_look(&zone, "+07", 25200);
    /* One that cannot be used leaves all as it is, until it can. */
    assert_int_equal(truncate(new_path, 100), 0);
    assert_int_equal(zone_look_again(zone, &none), -EBADMSG);
    assert_null(none);
    write_zone(new_path, BERLIN);
    expect_look(&zone, "CEST", 7200);
    assert_int_equal(unlink(new_path), 0);
    expect_look(&zone, "UTC", 0);
    expect_look(&zone, NULL, 0);
    write_zone(new_path, BERLIN);
    expect_look(&zone, "CEST", 7200);
    assert_int_equal(unlink(new_path), 0);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(rmdir(folder), 0);
    zone_unref(zone);
    assert_int_equal(zone_from_rule(BERLIN, &zone), 0);
    expect_look(&zone, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps_and_folds), cmocka_unit_test(test_against_mktime),
        cmocka_unit_test(test_file),           cmocka_unit_test(test_file_damaged),
        cmocka_unit_test(test_file_truncated), cmocka_unit_test(test_file_bits),
        cmocka_unit_test(test_names),          cmocka_unit_test(test_local),
        cmocka_unit_test(test_a_second_look),
    };

    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
