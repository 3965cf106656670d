/* SPDX-License-Identifier: MIT */
/*
 * The configuration as a value: read from files, checked as a whole, compared with another one, and
 * never changed once it is in use.
 */
#ifndef REEVE_SETTINGS_CONFIG_H
#define REEVE_SETTINGS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/file_id.h"
#include "base/log.h"
#include "base/name_map.h"
#include "base/setting.h"
#include "base/text.h"
#include "settings/errors.h"
#include "settings/limits.h"
#include "settings/peers.h"

struct nearest;

/* A key that is not the supervisor's: the module's own, as written, with its place. */
struct config_option {
    char *key;
    char *value;
    const char *file; /* one of config.files */
    unsigned line;
    char *secret;   /* what `credential:NAME` stands for: never to be shown; else NULL */
    bool unchecked; /* that could not be looked at, and is a placeholder */
};

enum config_restart { CONFIG_RESTART_ALWAYS, CONFIG_RESTART_ON_FAILURE, CONFIG_RESTART_NEVER };
enum config_on_failed { CONFIG_ON_FAILED_CONTINUE, CONFIG_ON_FAILED_EXIT };

/* A [module:NAME] section. */
struct config_module {
    char *name;
    size_t index; /* among the modules of its configuration */
    const char *file;
    unsigned line;
    char *load; /* as written */
    char *path; /* the .so that it names */
    struct file_id
        file_id; /* of path, when the configuration was read: a changed file is a changed module */
    char *host;  /* the host's name: the module's own unless several share one */
    enum config_restart restart;
    enum config_on_failed on_failed;
    bool essential;
    bool drain_queue;
    int64_t restart_delay;
    int64_t restart_delay_max;
    int64_t restart_reset;
    struct setting_rate restart_limit;
    struct strings after;
    struct strings requires;
    int64_t drain;
    int64_t drain_stall;
    int64_t grace;
    int64_t start_timeout;
    int64_t reload_timeout;
    struct config_limits limits;
    struct config_option *options;
    size_t option_count;
};

/* A line as it was written; one without a key begins its section. */
struct config_entry {
    const char *file; /* one of config.files */
    unsigned line;
    char *section;
    char *key; /* NULL: the section begins */
    char *value;
};

/* A host has room for so many modules in its scoreboard. */
#define CONFIG_TENANTS_MAX 512

/* The [daemon] section and all modules, in the files' order. */
struct config {
    unsigned references;
    struct strings files;         /* the main file first */
    struct config_entry *entries; /* all that was read, for config_rebuild() */
    size_t entry_count;
    struct strings listen;
    bool page; /* for people, beside health */
    struct strings allowed_hosts;
    struct strings modules_path;
    struct strings include;
    char *control;
    struct config_peers control_read;  /* may look, beside those who may change */
    struct config_peers control_write; /* may change, beside root and the daemon's own user */
    enum log_level log_level;
    enum log_format log_format;
    int64_t shutdown_timeout;
    int64_t drain_delay;
    unsigned connections_max;
    struct config_module **modules; /* in the order of the files */
    size_t module_count;
    struct name_map by_name; /* the same */
};

/*
 * Where things are unless the configuration says otherwise. Under systemd these come from the
 * unit's RuntimeDirectory= and StateDirectory= (systemd.exec(5)); REEVE_MODULE_PATH is for running
 * from a build tree.
 */
struct config_places {
    const char *runtime; /* the control socket's directory */
    const char *state;   /* the hosts' working directory: relative paths of modules start here */
    const char *modules;
    const char *credentials;   /* NULL: systemd gave none */
    bool credentials_optional; /* who only checks may do without */
};

void config_places_init(struct config_places *ret_places);

/*
 * Reads path and what it includes. Every error found is added to errors; then, or when there is no
 * memory, NULL is returned. Does not look into .so files: modules check their own options.
 */
struct config *config_load(const char *path, const struct config_places *places,
                           struct config_errors *errors);

/* The same for who only looks: what could be read of it is returned, errors or not. A module may be
 * without load and path then. NULL: there is no such file, or no memory. */
struct config *config_read(const char *path, const struct config_places *places,
                           struct config_errors *errors);

/*
 * Makes a configuration again from the files and entries of one that is in force, without a look at
 * the machine: what the .so files are, and whether paths exist, was found when it was read, and
 * files may have changed since. path and file_id of the modules are the caller's to set. Both lists
 * are copied. Errors and NULL as from config_load(): a setting that this version does not know.
 */
struct config *config_rebuild(const struct strings *files, const struct config_entry *entries,
                              size_t entry_count, const struct config_places *places,
                              struct config_errors *errors);

/* Several may hold one; the last config_free() frees it. */
struct config *config_ref(struct config *config);
void config_free(struct config *config);
static inline void config_free_pointer(struct config **config)
{
    config_free(*config);
}
#define cleanup_config _cleanup_(config_free_pointer)

struct config_module *config_find(const struct config *config, const char *name);

/* The module whose name is nearest to this one, which is none's. */
void config_nearest(const struct config *config, const char *name, struct nearest *ret_nearest);

#endif
