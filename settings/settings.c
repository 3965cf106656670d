/* SPDX-License-Identifier: MIT */
#include "settings/settings.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/nearest.h"
#include "base/size.h"

static const char *parse_string(const char *text, void *target)
{
    char **string = target;

    if (*text == '\0')
        return "a value";
    free(*string);
    *string = strdup(text);
    return *string ? NULL : "more memory";
}

static const char *parse_item(const char *text, void *target)
{
    if (*text == '\0')
        return "a value";
    return strings_add(target, text) < 0 ? "more memory" : NULL;
}

/* Names with blanks between them. */
static const char *parse_words(const char *text, void *target)
{
    while (*text != '\0') {
        size_t length = strcspn(text, " \t");

        if (length > 0 && strings_take(target, strndup(text, length)) < 0)
            return "more memory";
        text += length;
        text += strspn(text, " \t");
    }
    return NULL;
}

static const char *parse_bool(const char *text, void *target)
{
    return bool_parse(text, target) < 0 ? "yes or no" : NULL;
}

/* So that a few of them can be doubled and added to the time of day without an overflow. */
#define LONGEST (3650 * 86400 * NSEC_PER_SEC)

static const char *parse_duration(const char *text, void *target)
{
    int64_t ns;
    int r = duration_parse(text, &ns);

    if (r == -EINVAL)
        return "a duration with its unit, such as 500ms, 30s or 5min";
    if (r < 0 || ns > LONGEST)
        return "a duration of at most 3650d";
    *(int64_t *)target = ns;
    return NULL;
}

static const char *parse_rate(const char *text, void *target)
{
    struct config_rate *rate = target, parsed;
    const char *slash = strchr(text, '/');
    char count[16];
    long long number;

    if (!slash || slash == text || (size_t)(slash - text) >= sizeof(count))
        return "COUNT/DURATION, such as 5/60s";
    memcpy(count, text, (size_t)(slash - text));
    count[slash - text] = '\0';
    /* The supervisor remembers as many restarts as the largest count. */
    if (integer_parse(count, 1, 1000, &number) < 0 ||
        duration_parse(slash + 1, &parsed.window) < 0 || parsed.window <= 0 ||
        parsed.window > LONGEST)
        return "COUNT/DURATION with a count of 1 to 1000, such as 5/60s";
    parsed.count = (unsigned)number;
    *rate = parsed;
    return NULL;
}

static const char *parse_restart(const char *text, void *target)
{
    static const char *const names[] = {"always", "on-failure", "never"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *(enum config_restart *)target = (enum config_restart)i;
            return NULL;
        }
    return "always, on-failure or never";
}

static const char *parse_on_failed(const char *text, void *target)
{
    if (strcmp(text, "continue") != 0 && strcmp(text, "exit") != 0)
        return "continue or exit";
    *(enum config_on_failed *)target =
        *text == 'e' ? CONFIG_ON_FAILED_EXIT : CONFIG_ON_FAILED_CONTINUE;
    return NULL;
}

static const char *parse_log_level(const char *text, void *target)
{
    return log_level_parse(text, target) < 0 ? "error, warning, notice, info or debug" : NULL;
}

static const char *parse_log_format(const char *text, void *target)
{
    if (strcmp(text, "text") != 0 && strcmp(text, "json") != 0)
        return "text or json";
    *(enum log_format *)target = *text == 'j' ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
    return NULL;
}

static const char *parse_connections(const char *text, void *target)
{
    long long number;

    if (integer_parse(text, 1, 100000, &number) < 0)
        return "a number from 1 to 100000";
    *(unsigned *)target = (unsigned)number;
    return NULL;
}

/* Host names share the rules of module names, as both become parts of file and process names. */
static const char *parse_name(const char *text, void *target)
{
    for (const char *p = text; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_' && *p != '.')
            return "a name of letters, digits, '-', '_' and '.'";
    return strlen(text) > 40 ? "a name of at most 40 characters" : parse_string(text, target);
}

static const char *parse_memory(const char *text, void *target)
{
    uint64_t bytes;

    /* Less is not enough for a host's own threads, and more likely a forgotten unit. */
    if (size_parse(text, &bytes) < 0 || bytes < (4 << 20))
        return "a size of at least 4M, such as 64M or 1.5G";
    *(uint64_t *)target = bytes;
    return NULL;
}

static const char *parse_nofile(const char *text, void *target)
{
    long long number;

    /* The host itself needs a handful. */
    if (integer_parse(text, 16, 1 << 30, &number) < 0)
        return "a number of at least 16";
    *(unsigned *)target = (unsigned)number;
    return NULL;
}

static const char *parse_nice(const char *text, void *target)
{
    long long number;

    if (integer_parse(text, -20, 19, &number) < 0)
        return "a number from -20 to 19";
    *(struct config_nice *)target = (struct config_nice){.given = true, .value = (int)number};
    return NULL;
}

static const char *parse_cpu(const char *text, void *target)
{
    const char *percent = strchr(text, '%');
    char digits[16];
    long long number;

    if (!percent || percent[1] != '\0' || (size_t)(percent - text) >= sizeof(digits))
        return "a percentage of one processor, such as 50% or 150%";
    memcpy(digits, text, (size_t)(percent - text));
    digits[percent - text] = '\0';
    if (integer_parse(digits, 1, 1000000, &number) < 0)
        return "a percentage of one processor, from 1% up";
    *(unsigned *)target = (unsigned)number;
    return NULL;
}

static const char *parse_sandbox(const char *text, void *target)
{
    if (strcmp(text, "warn") != 0 && strcmp(text, "strict") != 0)
        return "warn or strict";
    *(enum config_sandbox *)target = *text == 's' ? CONFIG_SANDBOX_STRICT : CONFIG_SANDBOX_WARN;
    return NULL;
}

#define DAEMON(member) offsetof(struct config, member)

const struct setting daemon_settings[] = {
    {"listen", parse_item, DAEMON(listen), "127.0.0.1:8080", .list = true,
     .help = "ADDRESS:PORT where health and metrics are served over HTTP"},
    {"page", parse_bool, DAEMON(page), "yes",
     .help = "whether a page for people is served there at /, too"},
    {"host-name", parse_item, DAEMON(host_names), NULL, .list = true,
     .help = "name that a request's Host header may have besides localhost and IP addresses"},
    {"control", parse_string, DAEMON(control), NULL,
     .help = "path of the socket that reevectl uses; by default in the runtime directory"},
    {"control-read", peers_parse, DAEMON(control_read), NULL, .list = true,
     .help = "users and @GROUPs who may look at everything through the control socket"},
    {"control-write", peers_parse, DAEMON(control_write), NULL, .list = true,
     .help = "users and @GROUPs who may run, submit, start, stop and reload too"},
    {"modules", parse_item, DAEMON(modules_path), NULL, .list = true,
     .help = "folder with modules that `load = NAME` finds"},
    {"include", parse_item, DAEMON(include), NULL, .list = true,
     .help = "pattern of further files, relative to this one"},
    {"log-level", parse_log_level, DAEMON(log_level), "info",
     .help = "least important level that is logged"},
    {"log-format", parse_log_format, DAEMON(log_format), "text",
     .help = "what lines on stderr are where no journal reads them: text or json"},
    {"max-connections", parse_connections, DAEMON(connections_max), "512",
     .help = "HTTP connections at once; the one idle for longest makes place"},
    {"drain-delay", parse_duration, DAEMON(drain_delay), "0",
     .help = "time between turning unready and stopping, for load balancers"},
    {"shutdown-timeout", parse_duration, DAEMON(shutdown_timeout), "30s",
     .help = "longest time that a whole shutdown may take"},
    {NULL},
};

#define MODULE(member) offsetof(struct config_module, member)

const struct setting module_settings[] = {
    {"load", parse_string, MODULE(load), NULL, .required = true,
     .help = "name of a module in the module path, or the path of a .so, such as ./mine.so"},
    {"host", parse_name, MODULE(host), NULL,
     .help = "name of the process to share with other modules of the same host"},
    {"essential", parse_bool, MODULE(essential), "yes",
     .help = "whether this module's failure is the whole daemon's"},
    {"after", parse_words, MODULE(after), NULL, .list = true,
     .help = "modules that must be ready before this one starts"},
    {"requires", parse_words, MODULE(requires), NULL, .list = true,
     .help = "as after, and this module restarts when they do"},
    {"restart", parse_restart, MODULE(restart), "on-failure",
     .help = "when to start a module again that ended: always, on-failure, never"},
    {"restart-delay", parse_duration, MODULE(restart_delay), "500ms",
     .help = "delay before the first restart; doubles with each further one"},
    {"restart-delay-max", parse_duration, MODULE(restart_delay_max), "1min",
     .help = "longest delay between restarts"},
    {"restart-reset", parse_duration, MODULE(restart_reset), "1min",
     .help = "time that a module must stay ready for the delay to start anew"},
    {"restart-limit", parse_rate, MODULE(restart_limit), "10/10min",
     .help = "restarts within a time after which the module counts as failed"},
    {"on-failed", parse_on_failed, MODULE(on_failed), "continue",
     .help = "what the daemon does when the module has failed: continue or exit"},
    {"start-timeout", parse_duration, MODULE(start_timeout), "30s",
     .help = "time for loading and init, once its process is there"},
    {"reload-timeout", parse_duration, MODULE(reload_timeout), "10s",
     .help =
         "time for taking new options, once work under way has ended; past it the module is restarted"},
    {"drain", parse_duration, MODULE(drain), "10s",
     .help = "time for work under way to end by itself when the module stops"},
    {"drain-stall", parse_duration, MODULE(drain_stall), "30s",
     .help = "work that does not move for so long while draining is not waited for any more"},
    {"drain-queue", parse_bool, MODULE(drain_queue), "no",
     .help = "whether queued jobs are run too while draining"},
    {"grace", parse_duration, MODULE(grace), "5s", .help = "time between a cancel and SIGKILL"},
    {"memory-max", parse_memory, MODULE(limits.memory_max), NULL,
     .help = "memory that the module's host may take"},
    {"cpu-max", parse_cpu, MODULE(limits.cpu_max), NULL,
     .help = "processor time that the host may take, in percent of one processor"},
    {"nofile", parse_nofile, MODULE(limits.nofile), NULL,
     .help = "descriptors that the host may have open"},
    {"nice", parse_nice, MODULE(limits.nice), NULL, .help = "nice level of the host, -20 to 19"},
    {"user", parse_string, MODULE(limits.user), NULL,
     .help = "user that the host runs as; needs root or CAP_SETUID"},
    {"read-only", parse_words, MODULE(limits.read_only), NULL, .list = true, .paths = true,
     .help = "the only paths that may be read, beside read-write and what every program needs"},
    {"read-write", parse_words, MODULE(limits.read_write), NULL, .list = true, .paths = true,
     .help = "the only paths beneath which anything may be written"},
    {"network", parse_bool, MODULE(limits.network), "yes",
     .help = "whether the module may have sockets other than those of AF_UNIX"},
    {"sandbox", parse_sandbox, MODULE(limits.sandbox), "warn",
     .help = "what becomes of a limit that cannot be enforced: warn or strict"},
    {NULL},
};

const struct setting *setting_find(const struct setting *table, const char *key)
{
    for (; table->key; table++)
        if (strcmp(table->key, key) == 0)
            return table;
    return NULL;
}

void setting_nearest(const struct setting *table, struct nearest *nearest)
{
    for (; table->key; table++)
        nearest_offer(nearest, table->key);
}

const char *setting_apply(const struct setting *setting, void *base, const char *value)
{
    return setting->parse(value, (char *)base + setting->offset);
}

void settings_init(const struct setting *table, void *base)
{
    for (; table->key; table++)
        /* A list's default counts only when nothing was given; config.c adds it then. */
        if (table->fallback && !table->list) {
            const char *expected _unused_ = setting_apply(table, base, table->fallback);

            assert(!expected);
        }
}
