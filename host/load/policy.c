/* SPDX-License-Identifier: MIT */
#include "host/load/policy.h"

#include "base/macro.h"

static const char *word(const char *const *words, size_t count, unsigned value)
{
    return value < count ? words[value] : "?";
}

const char *policy_overlap(enum rv_overlap overlap)
{
    static const char *const words[] = {"skip", "queue"};

    return word(words, ARRAY_SIZE(words), overlap);
}

const char *policy_on_error(enum rv_on_error on_error)
{
    static const char *const words[] = {"continue", "restart", "stop"};

    return word(words, ARRAY_SIZE(words), on_error);
}

const char *policy_on_stop(enum rv_on_stop on_stop)
{
    static const char *const words[] = {"cancel", "finish"};

    return word(words, ARRAY_SIZE(words), on_stop);
}

const char *policy_catch_up(enum rv_catch_up catch_up)
{
    static const char *const words[] = {NULL, "yes", "no"};

    return word(words, ARRAY_SIZE(words), catch_up);
}
