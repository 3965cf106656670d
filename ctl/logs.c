/* SPDX-License-Identifier: MIT */
/* The last lines of the log, and with -f those that follow. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/table.h"

/* How often -f asks for more. */
static const struct timespec pause_between = {.tv_nsec = 300000000};

static void print_line(const struct ctl *ctl, const json_t *line)
{
    const char *level = get_text(line, "level");
    const char *colour = strcmp(level, "error") == 0     ? "\x1b[31m"
                         : strcmp(level, "warning") == 0 ? "\x1b[33m"
                                                         : "";
    char text[2400], time[64];

    if (ctl->json) {
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    string_copy(text, sizeof(text), get_text(line, "text"));
    text_sanitise(text);
    printf("%s %s%-7s %s%s\n", get_local_time(get_text(line, "time"), time, sizeof(time)),
           ctl->colour ? colour : "", level, text, ctl->colour && *colour ? "\x1b[0m" : "");
}

static int print_new(const struct ctl *ctl, const char *module, const char *lines, long long *last)
{
    char after[32];
    const struct ctl_parameter parameters[] = {{module ? "module" : NULL, module ? module : ""},
                                               {lines ? "lines" : NULL, lines ? lines : ""},
                                               {"after", after},
                                               {NULL, NULL}};
    json_t *answer, *line;
    size_t i;
    int r;

    snprintf(after, sizeof(after), "%lld", *last);
    r = ctl_request(ctl, "GET", "/v1/logs", parameters, NULL, 0, &answer);
    if (r != 0)
        return r;
    json_array_foreach(json_object_get(answer, "lines"), i, line) print_line(ctl, line);
    *last = get_number(answer, "last");
    json_decref(answer);
    return fflush(stdout) == 0 ? 0 : CTL_EXIT_FAILURE;
}

int command_logs(const struct ctl *ctl, int count, char **words)
{
    const char *module = count > 0 ? words[0] : NULL;
    long long last = 0;
    int r = print_new(ctl, module, ctl->lines, &last);

    while (r == 0 && ctl->follow) {
        nanosleep(&pause_between, NULL);
        r = print_new(ctl, module, NULL, &last);
    }
    return r;
}
