/* SPDX-License-Identifier: MIT */
/*
 * Whole configurations. A line of "%%" ends a file: the first is the main one, the others are
 * there to be included as conf.d/1.ini and so on. Either there is a configuration or there are
 * errors; one that is accepted must be safe to work with.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "daemon/control/reload.h"
#include "daemon/control/reload_changes.h"
#include "daemon/unit/policy.h"
#include "settings/address.h"
#include "settings/compare.h"
#include "settings/config.h"

#define INCLUDED_MAX 3

static char folder[256], main_path[300];

static void prepare(void)
{
    const char *temporary = getenv("TMPDIR");

    if (folder[0] != '\0')
        return;
    /* Removed by run.py, whose directory it lies in. */
    snprintf(folder, sizeof(folder), "%s/config-XXXXXX", temporary ? temporary : "/tmp");
    fuzz_check(mkdtemp(folder) && chdir(folder) == 0 && mkdir("conf.d", 0755) == 0,
               "no directory for the files");
    snprintf(main_path, sizeof(main_path), "%s/reeve.ini", folder);
    /* A few modules to be found; what is in a .so is not looked at here. */
    fuzz_check(close(creat("a.so", 0644)) == 0 && close(creat("b.so", 0644)) == 0, "no .so");
}

static void write_file(const char *path, const char *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    fuzz_check(fd >= 0 && write_all(fd, data, size) == 0, "cannot write %s", path);
    close(fd);
}

static void write_files(const char *text, size_t size)
{
    const char *rest = text, *end = text + size;
    char path[32] = "reeve.ini";

    for (int i = 0; i <= INCLUDED_MAX; i++) {
        const char *stop = rest < end ? memmem(rest, (size_t)(end - rest), "\n%%\n", 4) : NULL;
        const char *last = stop ? stop + 1 : end;

        if (rest < end || i == 0)
            write_file(path, rest, (size_t)(last - rest));
        else
            unlink(path);
        rest = stop ? stop + 4 : end;
        snprintf(path, sizeof(path), "conf.d/%d.ini", i + 1);
    }
}

/* Everything that the supervisor works out from a module's settings. */
static void use_module(const struct config_module *module)
{
    struct policy_history history = {0};
    int64_t now = clock_monotonic(), sum;

    fuzz_check(module->path && module->host && module->name[0] != '\0', "a module without parts");
    fuzz_check(!__builtin_add_overflow(module->drain, module->grace, &sum) &&
                   !__builtin_add_overflow(sum, now + 60 * NSEC_PER_SEC, &sum),
               "the end of a stop of %s is past all time", module->name);
    fuzz_check(policy_history_resize(&history, module->restart_limit.count) == 0, "no memory");
    for (unsigned i = 0; i < 3; i++) {
        struct policy_facts facts = {
            .end = POLICY_END_FAILURE, .now = now, .ready_since = now - i, .random = UINT32_MAX};
        struct policy_decision decision;

        history.streak = i * 30;
        decision = policy_decide(module, &history, &facts);
        fuzz_check(decision.delay >= 0, "a restart in the past");
        policy_record(&history, &decision, now);
    }
    policy_history_free(&history);
}

/* As a live upgrade makes it again. */
static void rebuild(const struct config *config, const struct config_places *places)
{
    struct config_errors errors = {0};
    struct config *again =
        config_rebuild(&config->files, config->entries, config->entry_count, places, &errors);

    fuzz_check(again && !config_errors_any(&errors), "what was accepted cannot be made again");
    fuzz_check(!reload_changes_fixed(config, again), "what was made again listens elsewhere");
    fuzz_check(again->module_count == config->module_count, "it has other modules");
    for (size_t i = 0; i < config->module_count; i++) {
        const struct config_module *module = config->modules[i];
        struct config_module *other = again->modules[i];

        other->path = strdup(module->path);
        other->file_id = module->file_id;
        fuzz_check(other->path && config_compare(module, other) == CONFIG_SAME,
                   "%s differs when it is made again", module->name);
    }
    config_free(again);
}

static void use_config(const struct config *config, const struct config_places *places)
{
    struct config_errors errors = {0};
    struct config *again = config_load(main_path, places, &errors);
    struct address address;

    fuzz_check(again && !config_errors_any(&errors), "what was accepted once is not again");
    for (size_t i = 0; i < config->listen.count; i++)
        fuzz_check(address_parse(config->listen.items[i], &address) == 0, "an address is none");
    for (size_t i = 0; i < config->module_count; i++) {
        const struct config_module *module = config->modules[i];
        const struct config_module *other = config_find(again, module->name);

        use_module(module);
        fuzz_check(config_find(config, module->name) == module, "%s stands twice", module->name);
        fuzz_check(other && config_compare(module, other) == CONFIG_SAME, "%s differs from itself",
                   module->name);
    }
    config_free(again);
    rebuild(config, places);
}

/* It would read whatever lies around on this machine. */
static bool looks_outside(const char *text)
{
    return strstr(text, "..") || strstr(text, "= /") || strstr(text, "=/") ||
           strstr(text, "=\t/") || strstr(text, "=  ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_errors errors = {0};
    struct config_places places;
    struct config *config;
    char *text = fuzz_string(data, size);

    prepare();
    if (looks_outside(text)) {
        free(text);
        return 0;
    }
    write_files(text, size);
    free(text);
    places = (struct config_places){
        .runtime = folder, .state = folder, .modules = folder, .credentials = folder};
    config = config_load(main_path, &places, &errors);
    fuzz_check(!config == config_errors_any(&errors), "a configuration and errors, or neither");
    for (size_t i = 0; i < errors.texts.count; i++)
        fuzz_check(strstr(errors.texts.items[i], ": "), "an error without a place");
    if (config)
        use_config(config, &places);
    config_free(config);
    config_errors_free(&errors);
    return 0;
}
