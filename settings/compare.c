/* SPDX-License-Identifier: MIT */
#include "settings/compare.h"

#include <string.h>

#include "base/text.h"
#include "settings/keys.h"

/* The lines where options stand do not matter, only what they say. */
static bool same_options(const struct config_module *a, const struct config_module *b)
{
    if (a->option_count != b->option_count)
        return false;
    for (size_t i = 0; i < a->option_count; i++)
        if (strcmp(a->options[i].key, b->options[i].key) != 0 ||
            strcmp(a->options[i].value, b->options[i].value) != 0 ||
            !string_equal(a->options[i].secret, b->options[i].secret))
            return false;
    return true;
}

const char *config_limits_differ(const struct config_limits *a, const struct config_limits *b)
{
    const size_t start = offsetof(struct config_module, limits);

    for (const struct setting *s = module_keys; s->key; s++)
        if (s->offset >= start && s->offset < start + sizeof(*a) &&
            !setting_equal(s, (const char *)a + (s->offset - start),
                           (const char *)b + (s->offset - start)))
            return s->key;
    return NULL;
}

enum config_change config_compare(const struct config_module *before,
                                  const struct config_module *after)
{
    bool same_policy = true;

    /* However `load` is written. */
    if (strcmp(before->path, after->path) != 0)
        return CONFIG_RESTART;
    for (const struct setting *s = module_keys; s->key; s++) {
        if (strcmp(s->key, "load") == 0 ||
            setting_equal(s, (const char *)before + s->offset, (const char *)after + s->offset))
            continue;
        if (s->flags & SETTING_OF_PROCESS)
            return CONFIG_RESTART;
        same_policy = false;
    }
    if (!same_options(before, after))
        return CONFIG_RELOAD;
    return same_policy ? CONFIG_SAME : CONFIG_POLICY;
}

void config_keep_fixed(struct config *config, const struct config *before)
{
    char *control = strdup(before->control);

    strings_free(&config->listen);
    (void)strings_append(&config->listen, &before->listen);
    if (control) {
        free(config->control);
        config->control = control;
    }
    config->connections_max = before->connections_max;
}
