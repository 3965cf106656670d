/* SPDX-License-Identifier: MIT */
/* Prints "read the settings: open /no/such/file: No such file or directory". */
#include <errno.h>
#include <reeve/error.h>
#include <stdio.h>

static int open_file(const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return rv_fail(-errno, "open %s", path);
    fclose(file);
    return 0;
}

int main(void)
{
    int r = open_file("/no/such/file");

    if (r < 0)
        rv_wrap(r, "read the settings");
    puts(rv_error_text(r));
    return 0;
}
