/* SPDX-License-Identifier: MIT */
/* A spool in a temporary directory, with what tests put there and look for. */
#ifndef REEVE_TESTS_MODULES_SPOOL_FOLDERS_H
#define REEVE_TESTS_MODULES_SPOOL_FOLDERS_H

#include "tests/support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "modules/spool/spool.h"

static char folder[64];
static struct spool spool;

static inline void put(int fd, const char *name, const char *text)
{
    int file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
}

/* Another file takes its name. */
static inline void replace(int fd, const char *name, const char *text)
{
    put(fd, ".new", text);
    assert_int_equal(renameat(fd, ".new", fd, name), 0);
}

static inline void append(int fd, const char *name, const char *text)
{
    int file = openat(fd, name, O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
}

static inline bool has(int fd, const char *name, const char *text)
{
    char data[64] = "";
    int file = openat(fd, name, O_RDONLY | O_CLOEXEC);
    bool same = file >= 0 && read(file, data, sizeof(data) - 1) >= 0 && strcmp(data, text) == 0;

    if (file >= 0)
        close(file);
    return same;
}

static inline unsigned count(int fd)
{
    DIR *directory = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *entry;
    unsigned names = 0;

    while ((entry = readdir(directory)))
        names += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return names;
}

static inline void empty(int fd)
{
    DIR *directory = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *entry;

    while ((entry = readdir(directory)))
        unlinkat(fd, entry->d_name, 0);
    closedir(directory);
}

static inline int make_folders(void)
{
    strcpy(folder, "/tmp/reeve-spool-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    spool = (struct spool){.lock = PTHREAD_MUTEX_INITIALIZER, .directory = folder};
    spool.directory_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mkdirat(spool.directory_fd, "done", 0700);
    mkdirat(spool.directory_fd, "failed", 0700);
    spool.done_fd = openat(spool.directory_fd, "done", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    spool.failed_fd = openat(spool.directory_fd, "failed", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    spool.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return spool.done_fd < 0 || spool.failed_fd < 0 || spool.wake_fd < 0 ? -1 : 0;
}

static inline int remove_folders(void)
{
    while (spool.claims)
        claim_release(&spool, spool.claims);
    trace_close_spares(&spool);
    empty(spool.done_fd);
    empty(spool.failed_fd);
    unlinkat(spool.directory_fd, "done", AT_REMOVEDIR);
    unlinkat(spool.directory_fd, "failed", AT_REMOVEDIR);
    empty(spool.directory_fd);
    close(spool.done_fd);
    close(spool.failed_fd);
    close(spool.directory_fd);
    close(spool.wake_fd);
    return rmdir(folder);
}

#endif
