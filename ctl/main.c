/* SPDX-License-Identifier: MIT */
/*
 * reevectl: options, then a command (commands.c). Most speak HTTP and JSON to the daemon's control
 * socket (request.c) and print tables for people or JSON for programs.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "ctl/commands.h"
#include "ctl/options.h"
#include "ctl/socket.h"

int main(int argc, char **argv)
{
    struct ctl ctl = {0};
    uint32_t given;
    int r = fd_fill_standard();

    if (r < 0) {
        fprintf(stderr, "reevectl: cannot open /dev/null: %s\n", strerror(-r));
        return CTL_EXIT_FAILURE;
    }
    /* One that the caller ignores would take the status of the host that describes a module. */
    signal(SIGCHLD, SIG_DFL);
    r = options_parse(argc, argv, commands_print_help, &ctl, &given);
    if (r != 0)
        return fd_finish_output("reevectl", r - 1);
    r = socket_find(&ctl);
    if (r != 0)
        return r;
    ctl.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    if (optind == argc)
        return ctl_usage_error("what should it do?");
    return fd_finish_output("reevectl", commands_run(&ctl, given, argc - optind, argv + optind));
}
