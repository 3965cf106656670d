/* SPDX-License-Identifier: MIT */
#include "settings/limits.h"

#include <errno.h>
#include <string.h>

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
