/* SPDX-License-Identifier: MIT */
/*
 * A writer that opens its files again and again, as one upload may: it makes COUNT files in FOLDER, and
 * appends to each a few times, in opens of their own, while somebody else finds them complete.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPENS 20

int main(int argc, char **argv)
{
    int count = argc == 3 ? atoi(argv[2]) : 0;
    char path[4096];

    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/file%d", argv[1], i);
        for (int n = 0; n < OPENS; n++) {
            /* It waits for a lease that somebody holds; the file may be in done/ by now. */
            int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

            if (fd < 0 || write(fd, "x", 1) != 1) {
                perror(path);
                return 1;
            }
            close(fd);
        }
    }
    return 0;
}
