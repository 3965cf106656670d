/* SPDX-License-Identifier: MIT */
/* Keeps a report: a reader, and a power cut, find the old one or the new one. */
#include <fcntl.h>
#include <reeve/error.h>
#include <reeve/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    char folder[] = "/tmp/reports-XXXXXX";
    int fd, r;

    if (!mkdtemp(folder))
        return 1;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = rv_file_replace(fd, "report", "42\n", 3, 0644);
    if (r == 0)
        r = rv_file_move(fd, "report", fd, "report.old", RV_FILE_REPLACE);
    if (r < 0)
        fprintf(stderr, "%s\n", rv_error_text(r));
    unlinkat(fd, "report.old", 0);
    close(fd);
    rmdir(folder);
    return r < 0;
}
