/* SPDX-License-Identifier: MIT */
/* The module path: that of a configuration, or where an installation has its modules. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/inspect.h"
#include "ctl/places.h"
#include "settings/config.h"
#include "settings/errors.h"

static void tell_errors(const char *path, const struct config_errors *errors, bool all)
{
    char program[PATH_MAX];

    if (errors->failed)
        fputs("reevectl: out of memory\n", stderr);
    else if (all)
        for (size_t i = 0; i < errors->texts.count; i++)
            fprintf(stderr, "%s\n", errors->texts.items[i]);
    else if (errors->texts.count > 0) {
        places_find_daemon(program, sizeof(program));
        fprintf(stderr, "reevectl: %s has errors, which `%s --check -c %s` lists\n", path, program,
                path);
    }
}

int inspect_read_config(const struct ctl *ctl, struct config **ret_config)
{
    const char *path = ctl->config ? ctl->config : REEVE_CONFIG_FILE;
    struct config_errors errors = {0};
    struct config_places places;

    *ret_config = NULL;
    /* Nobody has named it: without it an installation is looked at as it is. */
    if (!ctl->config && access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    places_find(&places);
    *ret_config = config_read(path, &places, &errors);
    tell_errors(path, &errors, !*ret_config);
    config_errors_free(&errors);
    return *ret_config ? 0 : CTL_EXIT_FAILURE;
}

int inspect_find_folders(const struct config *config, struct strings *ret_folders)
{
    struct config_places places;
    int r;

    *ret_folders = (struct strings){0};
    places_find(&places);
    r = config ? strings_append(ret_folders, &config->modules_path)
               : strings_add(ret_folders, places.modules);
    if (r < 0) {
        strings_free(ret_folders);
        fputs("reevectl: out of memory\n", stderr);
    }
    return r < 0 ? CTL_EXIT_FAILURE : 0;
}
