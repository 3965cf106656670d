/* SPDX-License-Identifier: MIT */
/*
 * upgrade: reeved goes over to the program that is installed now. The old program answers right
 * before the new one takes over; that the new one runs, its own answer to the next request shows.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "base/text.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/table.h"

/* How often it is looked whether all hosts have been replaced. */
#define LOOK (200 * NSEC_PER_MSEC)

static json_int_t get_integer(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void pause_a_moment(void)
{
    const struct timespec delay = {.tv_nsec = LOOK};

    nanosleep(&delay, NULL);
}

/* When something has come between the answer and the exec, the old program still answers, and may
 * yet try again. */
static int status_of_new(const struct ctl *ctl, json_int_t generation, json_t **ret_status)
{
    int r;

    while ((r = ctl_get_status(ctl, ret_status)) == 0 &&
           get_integer(*ret_status, "generation") < generation &&
           json_is_true(json_object_get(*ret_status, "upgrading"))) {
        json_decref(TAKE_PTR(*ret_status));
        pause_a_moment();
    }
    if (r != 0 || get_integer(*ret_status, "generation") >= generation)
        return r;
    fprintf(stderr, "reevectl: %s\n",
            *get_text(*ret_status, "upgrade_error") ? get_text(*ret_status, "upgrade_error")
                                                    : "the new program did not take over");
    return CTL_EXIT_FAILURE;
}

/* Until hosts of another wire version have been replaced, one by one. */
static int wait_for_hosts(const struct ctl *ctl, json_int_t generation)
{
    json_int_t told = -1;
    bool replacing = true;
    int r = 0;

    while (r == 0 && replacing) {
        json_t *status = NULL;

        r = status_of_new(ctl, generation, &status);
        replacing = json_is_true(json_object_get(status, "replacing"));
        if (r == 0 && replacing && !ctl->json && get_integer(status, "hosts_to_replace") != told) {
            told = get_integer(status, "hosts_to_replace");
            fprintf(stderr, "waiting: %lld %s still to be replaced\n", (long long)told,
                    plural((unsigned long long)told, "host is", "hosts are"));
        }
        json_decref(status);
        if (r == 0 && replacing)
            pause_a_moment();
    }
    return r;
}

static void print_result(const json_t *answer)
{
    json_int_t kept = get_integer(answer, "kept"), replaced = get_integer(answer, "replaced");

    printf("reeved %s has taken over from %s: generation %lld, %lld host%s kept",
           get_text(answer, "version"), get_text(answer, "from"),
           (long long)get_integer(answer, "generation"), (long long)kept,
           plural((unsigned long long)kept, "", "s"));
    if (replaced > 0)
        printf(", %lld replaced (another wire version)", (long long)replaced);
    putchar('\n');
}

int command_upgrade(const struct ctl *ctl, int count _unused_, char **words _unused_)
{
    json_t *answer;
    int r = ctl_request(ctl, "POST", "/v1/upgrade", NULL, NULL, 0, &answer);

    if (r == 0)
        r = wait_for_hosts(ctl, get_integer(answer, "generation"));
    if (r == 0 && ctl->json)
        print_json(answer);
    else if (r == 0)
        print_result(answer);
    json_decref(answer);
    return r;
}
