/* SPDX-License-Identifier: MIT */
#include "daemon/start/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

#include "base/text.h"

static void print_help(void)
{
    printf(
        "Usage: reeved [-c FILE] [--check]\n"
        "Supervises modules: runs their tasks and pools, restarts what fails, answers /health.\n"
        "\n"
        "  -c, --config FILE  configuration (default %s)\n"
        "      --check        check the configuration and every module's options, start nothing;\n"
        "                     exits with 0 when all is well, else with 1\n"
        "      --check-state FD, --resume FD\n"
        "                     what a live upgrade (`reevectl upgrade`) calls the new program with\n"
        "      --version      print the version\n"
        "  -h, --help         print this\n"
        "\n"
        "Signals: SIGTERM, SIGINT stop (a second one at once); SIGHUP reloads; SIGUSR2 upgrades.\n"
        "See reeved(8), reeve.ini(5), and `reevectl --help`.\n",
        REEVE_CONFIG_FILE);
}

static int parse_descriptor(const char *option, const char *text, int *ret_fd)
{
    long long number;

    if (integer_parse(text, 3, INT_MAX, &number) < 0) {
        fprintf(stderr, "reeved: %s %s: expected the number of a descriptor\n", option, text);
        return -EINVAL;
    }
    *ret_fd = (int)number;
    return 0;
}

int arguments_parse(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"check-state", required_argument, NULL, 's'},
        {"resume", required_argument, NULL, 'r'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
        switch (option) {
        case 'c':
            arguments->config_path = optarg;
            break;
        case 'k':
            arguments->check = true;
            break;
        case 's':
            if (parse_descriptor("--check-state", optarg, &arguments->check_state) < 0)
                return -EINVAL;
            break;
        case 'r':
            if (parse_descriptor("--resume", optarg, &arguments->resume) < 0)
                return -EINVAL;
            break;
        case 'v':
            printf("reeved %s\n", REEVE_VERSION);
            return 1;
        case 'h':
            print_help();
            return 1;
        default:
            fprintf(stderr, "Try `reeved --help`.\n");
            return -EINVAL;
        }
    if (optind < argc) {
        fprintf(stderr, "reeved: unexpected argument \"%s\"; try `reeved --help`.\n", argv[optind]);
        return -EINVAL;
    }
    return 0;
}
