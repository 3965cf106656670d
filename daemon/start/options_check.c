/* SPDX-License-Identifier: MIT */
#include "daemon/start/options_check.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/loop/loop.h"
#include "daemon/process/host.h"
#include "daemon/process/orphan.h"
#include "daemon/unit/check.h"
#include "settings/config.h"
#include "settings/errors.h"

static void check_done(void *arg)
{
    loop_stop(arg);
}

/* Asks every module about its options. The errors go on in errors. */
static int check_modules(const struct places *places, const struct config *config,
                         struct config_errors *errors)
{
    struct check_options options = {
        .host_program = places->host_program, .directory = "/", .done = check_done};
    struct spawner *spawner = NULL;
    struct loop *loop = NULL;
    struct check *check;
    int r = loop_create(&loop);

    if (r == 0)
        r = spawner_create(loop, &spawner);
    if (r == 0)
        r = orphan_start(loop, false);
    if (r == 0) {
        options.loop = loop;
        options.spawner = spawner;
        options.arg = loop;
        r = check_start(&options, config, errors, &check);
    }
    if (r == 0)
        r = loop_run(loop);
    spawner_finish(spawner);
    orphan_stop();
    spawner_destroy(spawner);
    loop_destroy(loop);
    return r;
}

/* Outside of the service nobody knows what a credential is. */
static void note_unchecked(const struct config_module *module)
{
    for (size_t i = 0; i < module->option_count; i++)
        if (module->options[i].unchecked)
            fprintf(stderr,
                    "%s:%u: [module:%s] %s = %s: not checked, as there is no "
                    "CREDENTIALS_DIRECTORY\n",
                    module->options[i].file, module->options[i].line, module->name,
                    module->options[i].key, module->options[i].value);
}

int options_check(const char *config_path, struct places *places)
{
    struct config_errors errors = {0};
    cleanup_config struct config *config = NULL;
    bool failed;

    places->config.credentials_optional = true;
    config = config_load(config_path, &places->config, &errors);
    for (size_t i = 0; config && i < config->module_count; i++)
        note_unchecked(config->modules[i]);
    if (config) {
        int r = check_modules(places, config, &errors);

        if (r < 0)
            config_error(&errors, config_path, 0, "not checked: %s", strerror(-r));
    }
    failed = config_errors_any(&errors);
    for (size_t i = 0; i < errors.texts.count; i++)
        fprintf(stderr, "%s\n", errors.texts.items[i]);
    if (errors.failed)
        fprintf(stderr, "reeved: out of memory\n");
    config_errors_free(&errors);
    if (!failed)
        printf("%s: good, %zu module%s\n", config_path, config->module_count,
               plural(config->module_count, "", "s"));
    return failed ? 1 : 0;
}
