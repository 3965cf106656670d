/* SPDX-License-Identifier: MIT */
/* Runs and jobs: run, submit. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/table.h"

/* Splits "MODULE/PART". */
static int split_target(const char *command, const char *what, char *target, char **ret_module,
                        char **ret_part)
{
    char *slash = target ? strchr(target, '/') : NULL;

    if (!slash || slash == target || slash[1] == '\0')
        return ctl_usage_error("%s wants MODULE/%s", command, what);
    *slash = '\0';
    *ret_module = target;
    *ret_part = slash + 1;
    return 0;
}

static void print_result(const struct ctl *ctl, const json_t *result, const char *what)
{
    char seconds[DURATION_TEXT_SIZE], text[1024];

    if (ctl->json) {
        print_json(result);
        return;
    }
    if (!json_object_get(result, "code")) {
        printf("%s %lld accepted\n", what, get_number(result, "number"));
        return;
    }
    get_duration(result, "seconds", seconds, sizeof(seconds));
    string_copy(text, sizeof(text), get_text(result, "text"));
    text_sanitise(text);
    if (get_number(result, "code") == 0)
        printf("%s %lld succeeded in %s\n", what, get_number(result, "number"), seconds);
    else
        printf("%s %lld failed after %s: %s (%s)\n", what, get_number(result, "number"), seconds,
               text, get_text(result, "name"));
}

/* Asks for a run or a job and prints its number or, with --wait, how it went. A run or job that
 * failed is a failure. */
static int request_number(const struct ctl *ctl, const char *path,
                          const struct ctl_parameter *parameters, const void *body, size_t size,
                          const char *what)
{
    json_t *answer;
    int r = ctl_request(ctl, "POST", path, parameters, body, size, &answer);

    if (r != 0)
        return r;
    print_result(ctl, answer, what);
    r = get_number(answer, "code") < 0 ? CTL_EXIT_FAILURE : 0;
    json_decref(answer);
    return r;
}

int command_run(const struct ctl *ctl, int count _unused_, char **arguments)
{
    char *module = NULL, *task = NULL;
    int r = split_target("run", "TASK", arguments[0], &module, &task);

    if (r != 0)
        return r;
    return request_number(
        ctl, "/v1/run",
        (const struct ctl_parameter[]){
            {"module", module}, {"task", task}, {ctl->wait ? "wait" : NULL, ""}, {NULL, NULL}},
        NULL, 0, "run");
}

int command_submit(const struct ctl *ctl, int count _unused_, char **arguments)
{
    /* One more than the daemon takes, so that it is the daemon who says that it is too much. */
    static char data[64 * 1024 + 1];
    char *module = NULL, *pool = NULL;
    size_t size;
    int r = split_target("submit", "POOL", arguments[0], &module, &pool);

    if (r != 0)
        return r;
    size = fread(data, 1, sizeof(data), stdin);
    if (ferror(stdin)) {
        fprintf(stderr, "reevectl: cannot read standard input: %s\n", strerror(errno));
        return CTL_EXIT_FAILURE;
    }
    if (size == sizeof(data)) {
        fprintf(stderr, "reevectl: a job has at most 64 KiB of data: put it into a file, and its "
                        "path into the job\n");
        return CTL_EXIT_FAILURE;
    }
    return request_number(
        ctl, "/v1/submit",
        (const struct ctl_parameter[]){{"module", module},
                                       {"pool", pool},
                                       {ctl->wait ? "wait" : NULL, ""},
                                       {ctl->timeout ? "timeout" : NULL, ctl->timeout},
                                       {NULL, NULL}},
        data, size, "job");
}
