/* SPDX-License-Identifier: MIT */
/* reeve-host: runs modules for reeved, or one alone. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/dispositions.h"
#include "base/fd.h"
#include "host/control/control.h"
#include "host/standalone/describe.h"
#include "host/standalone/standalone.h"

static int print_help(FILE *file)
{
    fputs(
        "Usage: reeve-host --run FILE.so [KEY=VALUE]...\n"
        "Runs one module in the foreground until SIGINT or SIGTERM; logs to the terminal.\n"
        "\n"
        "  --run FILE.so KEY=VALUE  the module's own keys, and those of its tasks and pools\n"
        "  --describe FILE.so       what the module is, for reevectl; its code runs in a sandbox\n"
        "  --supervised NAME        how reeved starts it\n"
        "  --version, --help\n",
        file);
    return file == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    sigset_t none;
    int r = fd_fill_standard();

    if (r < 0) {
        fprintf(stderr, "reeve-host: cannot open /dev/null: %s\n", strerror(-r));
        return 1;
    }
    /* The reader of our output may go first: then there is an orderly end, or a log, to see to. */
    dispositions_set();
    /* A parent may have blocked what is to end us. */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (argc >= 3 && strcmp(argv[1], "--run") == 0)
        return standalone_run(argc - 2, argv + 2);
    if (argc == 3 && strcmp(argv[1], "--describe") == 0)
        return describe_file(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--supervised") == 0)
        return control_serve();
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("reeve-host %s\n", REEVE_VERSION);
        return fd_finish_output("reeve-host", 0);
    }
    return fd_finish_output(
        "reeve-host", print_help(argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr));
}
