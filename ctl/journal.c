/* SPDX-License-Identifier: MIT */
#include "ctl/journal.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_kind.h"
#include "base/shown.h"
#include "base/text.h"
#include "ctl/output.h"

#define VALUE_SIZE 4096

/* How often it is looked whether anybody still reads what follows. */
#define LOOK_USEC 500000

static void journal_close(sd_journal **journal)
{
    if (*journal)
        sd_journal_close(*journal);
}

static int add_match(sd_journal *journal, const char *field, const char *value)
{
    cleanup_free char *match = value ? format_new("%s=%s", field, value) : NULL;

    if (!value)
        return 0;
    return match ? sd_journal_add_match(journal, match, 0) : -ENOMEM;
}

/* The value of a field, printable; "" without. Returns buffer. */
static const char *get_field(sd_journal *journal, const char *field, char *buffer, size_t size)
{
    const void *data;
    size_t length, skip = strlen(field) + 1;

    *buffer = '\0';
    if (sd_journal_get_data(journal, field, &data, &length) < 0 || length < skip)
        return buffer;
    length = MIN(length - skip, size - 1);
    memcpy(buffer, (const char *)data + skip, length);
    buffer[length] = '\0';
    /* Another program, or an older reeved, may have written it. */
    text_clean(buffer, size);
    return buffer;
}

static void set_text(json_t *line, const char *key, const char *value)
{
    json_object_set_new(line, key, *value != '\0' ? json_string(value) : json_null());
}

/* The members of the daemon's own lines; the number is of its ring only. */
static json_t *make_line(sd_journal *journal)
{
    char value[VALUE_SIZE], time[CLOCK_TEXT_SIZE];
    json_t *line = json_pack("{s:n}", "number");
    long long number;
    uint64_t usec = 0;

    (void)sd_journal_get_realtime_usec(journal, &usec);
    set_text(line, "time", clock_format((int64_t)usec * NSEC_PER_USEC, time, sizeof(time)));
    if (integer_parse(get_field(journal, "PRIORITY", value, sizeof(value)), LOG_LEVEL_ERROR,
                      LOG_LEVEL_DEBUG, &number) < 0)
        number = LOG_LEVEL_INFO;
    set_text(line, "level", log_level_name((enum log_level)number));
    set_text(line, "module", get_field(journal, "REEVE_MODULE", value, sizeof(value)));
    set_text(line, "task", get_field(journal, "REEVE_TASK", value, sizeof(value)));
    json_object_set_new(line, "run",
                        integer_parse(get_field(journal, "REEVE_RUN", value, sizeof(value)), 1,
                                      INT64_MAX, &number) < 0
                            ? json_null()
                            : json_integer(number));
    set_text(line, "event", get_field(journal, "REEVE_EVENT", value, sizeof(value)));
    set_text(line, "message_id", get_field(journal, "MESSAGE_ID", value, sizeof(value)));
    json_object_set_new(line, "text",
                        json_string(get_field(journal, "MESSAGE", value, sizeof(value))));
    return line;
}

/* Places it before the first that is wanted. */
static int seek(sd_journal *journal, const struct journal_query *query)
{
    uint64_t usec;
    int r;

    if (query->lines == SIZE_MAX)
        return query->since > 0
                   ? sd_journal_seek_realtime_usec(journal, (uint64_t)query->since / NSEC_PER_USEC)
                   : sd_journal_seek_head(journal);
    r = sd_journal_seek_tail(journal);
    /* Backwards one by one: how many of them are too old is not known. */
    for (size_t i = 0; r >= 0 && i <= query->lines; i++) {
        r = sd_journal_previous(journal);
        if (r == 0)
            return sd_journal_seek_head(journal);
        if (r > 0 && sd_journal_get_realtime_usec(journal, &usec) == 0 &&
            (int64_t)usec * NSEC_PER_USEC < query->since)
            return 0;
    }
    return r;
}

static int64_t read_on(sd_journal *journal, void (*fn)(const json_t *line, void *arg), void *arg)
{
    int64_t count = 0;
    int r;

    while ((r = sd_journal_next(journal)) > 0) {
        json_t *line = make_line(journal);

        fn(line, arg);
        json_decref(line);
        count++;
    }
    return r < 0 ? r : count;
}

int64_t journal_read(const struct journal_query *query, void (*fn)(const json_t *line, void *arg),
                     void *arg)
{
    _cleanup_(journal_close) sd_journal *journal = NULL;
    int64_t count;
    int r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

    if (r == 0)
        r = add_match(journal, "SYSLOG_IDENTIFIER", "reeved");
    if (r == 0)
        r = add_match(journal, "_SYSTEMD_UNIT", query->unit);
    if (r == 0)
        r = add_match(journal, "REEVE_MODULE", query->module);
    if (r == 0)
        r = seek(journal, query);
    count = r < 0 ? r : read_on(journal, fn, arg);
    while (count >= 0 && query->follow && output_wait(0)) {
        r = sd_journal_wait(journal, LOOK_USEC);
        if (r < 0)
            return r;
        count = read_on(journal, fn, arg);
    }
    return count;
}
