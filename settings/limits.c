/* SPDX-License-Identifier: MIT */
#include "settings/limits.h"

#include <errno.h>
#include <string.h>

const char *config_limits_differ(const struct config_limits *a, const struct config_limits *b)
{
    const struct {
        const char *key;
        bool same;
    } keys[] = {
        {"memory-max", a->memory_max == b->memory_max},
        {"cpu-max", a->cpu_max == b->cpu_max},
        {"nofile", a->nofile == b->nofile},
        {"nice", a->nice.given == b->nice.given && a->nice.value == b->nice.value},
        {"user", string_equal(a->user, b->user)},
        {"read-only", strings_equal(&a->read_only, &b->read_only)},
        {"read-write", strings_equal(&a->read_write, &b->read_write)},
        {"network", a->network == b->network},
        {"sandbox", a->sandbox == b->sandbox},
    };

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (!keys[i].same)
            return keys[i].key;
    return NULL;
}

int config_limits_copy(const struct config_limits *limits, struct config_limits *ret_copy)
{
    *ret_copy = *limits;
    ret_copy->read_only = ret_copy->read_write = (struct strings){0};
    ret_copy->user = limits->user ? strdup(limits->user) : NULL;
    if ((limits->user && !ret_copy->user) ||
        strings_append(&ret_copy->read_only, &limits->read_only) < 0 ||
        strings_append(&ret_copy->read_write, &limits->read_write) < 0) {
        config_limits_free(ret_copy);
        return -ENOMEM;
    }
    return 0;
}

void config_limits_free(struct config_limits *limits)
{
    free(limits->user);
    strings_free(&limits->read_only);
    strings_free(&limits->read_write);
    *limits = (struct config_limits){0};
}
