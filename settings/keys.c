/* SPDX-License-Identifier: MIT */
#include "settings/keys.h"

#include <string.h>

#include "settings/config.h"

/* Own kinds --------------------------------------------------------------- */

static const struct setting_own users = {
    .type = "users",
    .allowed = "users of /etc/passwd, their numbers, or groups as @GROUP",
    .parse = peers_parse,
};

static const char *const log_formats[] = {
    [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", NULL};
static const char *const restarts[] = {[CONFIG_RESTART_ALWAYS] = "always",
                                       [CONFIG_RESTART_ON_FAILURE] = "on-failure",
                                       [CONFIG_RESTART_NEVER] = "never",
                                       NULL};
static const char *const on_failed[] = {
    [CONFIG_ON_FAILED_CONTINUE] = "continue", [CONFIG_ON_FAILED_EXIT] = "exit", NULL};
static const char *const sandboxes[] = {
    [CONFIG_SANDBOX_WARN] = "warn", [CONFIG_SANDBOX_STRICT] = "strict", NULL};

/* The tables -------------------------------------------------------------- */

#define DAEMON(key, kind, member) SETTING_OF(key, SETTING_##kind, struct config, member)
#define MODULE(key, kind, member) SETTING_OF(key, SETTING_##kind, struct config_module, member)

/* Of a duration. */
#define BOUNDED .maximum = SETTINGS_LONGEST

/* A host needs that for its own threads; and a smaller number has more likely lost its unit. */
#define MEMORY_LEAST (4 << 20)

/* The host itself needs a handful. */
#define NOFILE_LEAST 16

const struct setting daemon_keys[] = {
    {DAEMON("listen", LIST, listen), .fallback = "127.0.0.1:8080",
     .help = "ADDRESS:PORT where health and metrics are served over HTTP"},
    {DAEMON("page", BOOL, page), .fallback = "yes",
     .help = "whether a page for people is served there at /, too"},
    {DAEMON("allowed-host", LIST, allowed_hosts), .example = "health.example.org",
     .help = "name that a request's Host header may have besides localhost and IP addresses"},
    {DAEMON("control", PATH, control), .example = "/run/reeve/control",
     .help = "path of the socket that reevectl uses; by default in the runtime directory"},
    {DAEMON("control-read", OWN, control_read), .own = &users, .flags = SETTING_REPEATED,
     .example = "@adm",
     .help = "users and @GROUPs who may look at everything through the control socket"},
    {DAEMON("control-write", OWN, control_write), .own = &users, .flags = SETTING_REPEATED,
     .example = "@reeve",
     .help = "users and @GROUPs who may run, submit, start, stop and reload too"},
    {DAEMON("modules", LIST, modules_path), .example = "my-modules",
     .help = "directory with modules that `load = NAME` finds"},
    {DAEMON("include", LIST, include), .example = "conf.d/*.ini",
     .help = "pattern of further files, relative to this one"},
    {DAEMON("log-level", CHOICE, log_level), .choices = log_level_names, .minimum = LOG_LEVEL_ERROR,
     .fallback = "info", .help = "least important level that is logged"},
    {DAEMON("log-format", CHOICE, log_format), .choices = log_formats, .fallback = "text",
     .help = "what lines on stderr are where no journal reads them"},
    {DAEMON("max-connections", INTEGER, connections_max), .minimum = 1, .maximum = 100000,
     .fallback = "512", .help = "HTTP connections at once; the one idle for longest makes place"},
    {DAEMON("drain-delay", DURATION, drain_delay), BOUNDED, .fallback = "0s",
     .help = "time between turning unready and stopping, for load balancers"},
    {DAEMON("shutdown-timeout", DURATION, shutdown_timeout), BOUNDED, .fallback = "30s",
     .help = "longest time that a whole shutdown may take"},
    {NULL},
};

const struct setting module_keys[] = {
    {MODULE("load", STRING, load), .flags = SETTING_REQUIRED, .example = "httpcheck",
     .help = "name of a module in the module path, or the path of a .so, such as ./mine.so"},
    {MODULE("host", NAME, host), .flags = SETTING_OF_PROCESS, .example = "shared",
     .help = "name of the process to share with other modules of the same host"},
    {MODULE("essential", BOOL, essential), .fallback = "yes",
     .help = "whether this module's failure is the whole daemon's"},
    {MODULE("after", WORDS, after), .example = "database",
     .help = "modules that must be ready before this one starts"},
    {MODULE("requires", WORDS, requires), .example = "database",
     .help = "as after, and this module restarts when they do"},
    {MODULE("restart", CHOICE, restart), .choices = restarts, .fallback = "on-failure",
     .help = "when to start a module again that ended"},
    {MODULE("restart-delay", DURATION, restart_delay), BOUNDED, .fallback = "500ms",
     .help = "delay before the first restart; doubles with each further one"},
    {MODULE("restart-delay-max", DURATION, restart_delay_max), BOUNDED, .fallback = "1min",
     .help = "longest delay between restarts"},
    {MODULE("restart-reset", DURATION, restart_reset), BOUNDED, .fallback = "1min",
     .help = "time that a module must stay ready for the delay to start anew"},
    {MODULE("restart-limit", RATE, restart_limit), BOUNDED, .fallback = "10/10min",
     .help = "restarts within a time after which the module counts as failed"},
    {MODULE("on-failed", CHOICE, on_failed), .choices = on_failed, .fallback = "continue",
     .help = "what the daemon does when the module has failed"},
    {MODULE("start-timeout", DURATION, start_timeout), BOUNDED, .fallback = "30s",
     .help = "time for loading and init, once its process is there; a check of its options has as "
             "long"},
    {MODULE("reload-timeout", DURATION, reload_timeout), BOUNDED, .fallback = "10s",
     .help = "time for taking new options, once work under way has ended; past it the module is "
             "restarted"},
    {MODULE("drain", DURATION, drain), BOUNDED, .fallback = "10s",
     .help = "time for work under way to end by itself when the module stops"},
    {MODULE("drain-stall", DURATION, drain_stall), BOUNDED, .fallback = "30s",
     .help = "work that does not move for so long while draining is not waited for any more"},
    {MODULE("drain-queue", BOOL, drain_queue), .fallback = "no",
     .help = "whether queued jobs are run too while draining"},
    {MODULE("grace", DURATION, grace), BOUNDED, .fallback = "5s",
     .help = "time between a cancel and SIGKILL"},
    {MODULE("memory-max", SIZE, limits.memory_max), .minimum = MEMORY_LEAST,
     .flags = SETTING_OF_PROCESS, .example = "512M",
     .help = "memory that the module's host may take"},
    {MODULE("cpu-max", PERCENT, limits.cpu_max), .minimum = 1, .flags = SETTING_OF_PROCESS,
     .example = "50%",
     .help = "processor time that the host may take, in percent of one processor"},
    {MODULE("nofile", INTEGER, limits.nofile), .minimum = NOFILE_LEAST, .flags = SETTING_OF_PROCESS,
     .example = "256", .help = "descriptors that the host may have open"},
    {MODULE("nice", INTEGER, limits.nice), .minimum = -20, .maximum = 19,
     .flags = SETTING_OPTIONAL | SETTING_OF_PROCESS, .example = "10",
     .help = "nice level of the host"},
    {MODULE("user", STRING, limits.user), .flags = SETTING_OF_PROCESS, .example = "nobody",
     .help = "user that the host runs as; needs root or CAP_SETUID"},
    {MODULE("read-only", WORDS, limits.read_only), .flags = SETTING_FILES | SETTING_OF_PROCESS,
     .example = "/etc/ssl",
     .help = "the only paths that may be read, beside read-write and what every program needs"},
    {MODULE("read-write", WORDS, limits.read_write), .flags = SETTING_FILES | SETTING_OF_PROCESS,
     .example = "spool", .help = "the only paths beneath which anything may be written"},
    {MODULE("network", BOOL, limits.network), .fallback = "yes", .flags = SETTING_OF_PROCESS,
     .help = "whether the module may have sockets other than those of AF_UNIX"},
    {MODULE("sandbox", CHOICE, limits.sandbox), .choices = sandboxes, .fallback = "warn",
     .flags = SETTING_OF_PROCESS, .help = "what becomes of a limit that cannot be enforced"},
    {NULL},
};

bool settings_reserve(const char *key)
{
    return setting_find(module_keys, key) ||
           strncmp(key, SETTINGS_TO_COME, strlen(SETTINGS_TO_COME)) == 0;
}
