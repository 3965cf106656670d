/* SPDX-License-Identifier: MIT */
#include "base/log_kind.h"

#include <stddef.h>

#include "base/macro.h"

const char *const log_level_names[] = {"error", "warning", "notice", "info", "debug", NULL};

static const struct {
    const char *name;
    const char *id;
} events[] = {
    [LOG_EVENT_NONE] = {NULL, NULL},
    [LOG_EVENT_START] = {"start", "aaa6445bcd7a46f9adb3aa227e5761fb"},
    [LOG_EVENT_READY] = {"ready", "823bddafa264423eace8caa466896f04"},
    [LOG_EVENT_CRASH] = {"crash", "310c976137f54157a6bc19ad62b08158"},
    [LOG_EVENT_HANG] = {"hang", "78580eebe1704f5bb8ad792782d48fa3"},
    [LOG_EVENT_RESTART] = {"restart", "1d883d93d2794fe3ac9dfed9f5f293ce"},
    [LOG_EVENT_GIVE_UP] = {"give-up", "a890b52760af4841a7d0657e62554447"},
};
_Static_assert(ARRAY_SIZE(events) == LOG_EVENT_COUNT, "each event has its row");

const char *log_event_name(enum log_event event)
{
    return events[event].name;
}

const char *log_event_id(enum log_event event)
{
    return events[event].id;
}

const char *log_level_name(enum log_level level)
{
    return log_level_names[level - LOG_LEVEL_ERROR];
}
