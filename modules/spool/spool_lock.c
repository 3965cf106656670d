/* SPDX-License-Identifier: MIT */
/*
 * One spool for a directory.
 *
 * Two would both run their commands for each file. So a spool holds a lock on the directory itself,
 * with the descriptor by which it has the directory open: it ends with the module, or with its
 * process, however that ends. Commands do not inherit it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

#include "modules/spool/spool.h"

/* Finds the process that holds the lock. Where /proc/locks is hidden, or the file system has a
 * number of its own, it is not known: 0. */
static int find_holder(int folder)
{
    FILE *locks = fopen("/proc/locks", "re");
    char line[256], wanted[64];
    struct stat status;
    int pid = 0, found = 0;

    if (!locks)
        return 0;
    if (fstat(folder, &status) == 0)
        snprintf(wanted, sizeof(wanted), " %02x:%02x:%llu ", major(status.st_dev),
                 minor(status.st_dev), (unsigned long long)status.st_ino);
    else
        wanted[0] = '\0';
    while (found == 0 && wanted[0] != '\0' && fgets(line, sizeof(line), locks))
        /* "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF". Those that wait have an arrow. */
        if (strstr(line, wanted) && sscanf(line, "%*d: FLOCK %*s WRITE %d ", &pid) == 1)
            found = pid;
    fclose(locks);
    return found;
}

/* "process 1234 (reeve-host orders)" */
static void describe(int pid, char *text, size_t size)
{
    char path[40], words[128];
    FILE *file;
    size_t length = 0;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
    file = fopen(path, "re");
    if (file) {
        length = fread(words, 1, sizeof(words) - 1, file);
        fclose(file);
    }
    for (size_t i = 0; i + 1 < length; i++)
        if (words[i] == '\0')
            words[i] = ' ';
    words[length] = '\0';
    snprintf(text, size, length > 0 ? "process %d (%s)" : "process %d", pid, words);
}

static int fail(const struct spool *spool)
{
    int pid = find_holder(spool->directory_fd);
    char holder[200] = "another module or another reeved";

    if (pid > 0)
        describe(pid, holder, sizeof(holder));
    return rv_fail_text(
        -EBUSY,
        "directory = %s: another spool processes this directory already: %s; give each "
        "spool a directory of its own",
        spool->directory, holder);
}

int spool_lock(struct rv_context *ctx, const struct spool *spool)
{
    if (flock(spool->directory_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return fail(spool);
    /* Some network file systems have no locks for directories. */
    rv_log(ctx, RV_LOG_NOTICE,
           "%s cannot be locked: %s; make sure that no other spool processes this directory",
           spool->directory, strerror(errno));
    return 0;
}
