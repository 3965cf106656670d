/* SPDX-License-Identifier: MIT */
#include "tests/base/durable_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/macro.h"
#include "base/text.h"

/* Recorded calls and their failures --------------------------------------- */

static struct text calls;
static struct fault faults[4];
static int seen[4];
static _Atomic bool recording;
static const char *other_call; /* before it others do other_does() */
static void (*other_does)(void);

/* Returns the errno that the call is to fail with, or 0. */
static int note(const char *call)
{
    if (other_call && strcmp(call, other_call) == 0)
        other_does();
    if (!atomic_load(&recording))
        return 0;
    text_append_format(&calls, "%s%s", calls.length > 0 ? " " : "", call);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        if (faults[i].call && strcmp(faults[i].call, call) == 0) {
            seen[i]++;
            if (faults[i].nth == 0 || faults[i].nth == seen[i])
                return faults[i].error;
        }
    return 0;
}

static void note_end(const char *call)
{
    char text[32];

    snprintf(text, sizeof(text), "after %s", call);
    if (other_call && strcmp(text, other_call) == 0)
        other_does();
}

#define WRAP(type, name, parameters, arguments) \
    type __real_##name parameters;              \
    type __wrap_##name parameters;              \
    type __wrap_##name parameters               \
    {                                           \
        int error = note(#name);                \
        type r;                                 \
                                                \
        if (error != 0) {                       \
            errno = error;                      \
            return -1;                          \
        }                                       \
        r = __real_##name arguments;            \
        note_end(#name);                        \
        return r;                               \
    }

WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, syncfs, (int fd), (fd))
WRAP(int, flock, (int fd, int operation), (fd, operation))
WRAP(int, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(int, renameat2, (int a, const char *b, int c, const char *d, unsigned e), (a, b, c, d, e))
WRAP(int, linkat, (int a, const char *b, int c, const char *d, int e), (a, b, c, d, e))
WRAP(int, unlinkat, (int fd, const char *name, int flags), (fd, name, flags))

void __real_sync(void);
void __wrap_sync(void);
void __wrap_sync(void)
{
    note("sync");
    __real_sync();
}

void others(const char *call, void (*fn)(void))
{
    other_call = call;
    other_does = fn;
}

void record(const struct fault *first, const struct fault *second)
{
    text_free(&calls);
    calls = (struct text){0};
    memset(faults, 0, sizeof(faults));
    memset(seen, 0, sizeof(seen));
    if (first)
        faults[0] = *first;
    if (second)
        faults[1] = *second;
    atomic_store(&recording, true);
}

const char *recorded(void)
{
    atomic_store(&recording, false);
    return text_string(&calls);
}

/* The directories ------------------------------------------------------------- */

static char path[64];
int folder, other;

int durable_setup(void **state _unused_)
{
    strcpy(path, "/tmp/reeve-durable-XXXXXX");
    if (!mkdtemp(path))
        return -1;
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || mkdirat(folder, "other", 0700) < 0)
        return -1;
    other = openat(folder, "other", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return other < 0 ? -1 : 0;
}

void empty(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fdopendir(copy);
    struct dirent *entry;

    while ((entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(fd, entry->d_name, 0) < 0)
            unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    closedir(directory);
}

int durable_teardown(void **state _unused_)
{
    recorded();
    other_call = NULL;
    text_free(&calls);
    empty(other);
    empty(folder);
    close(other);
    close(folder);
    return rmdir(path);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

void expect_names(int fd, const char *expected)
{
    cleanup_text struct text text = {0};
    struct dirent **entries;
    int count = scandirat(fd, ".", &entries, NULL, by_name);

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "other") != 0)
            text_append_format(&text, "%s%s", text.length > 0 ? " " : "", name);
        free(entries[i]);
    }
    free(entries);
    assert_string_equal(text_string(&text), expected);
}

void expect_content(int fd, const char *name, const char *expected)
{
    char data[64] = "";
    cleanup_close int file = openat(fd, name, O_RDONLY | O_CLOEXEC);

    assert_true(file >= 0);
    assert_true(read(file, data, sizeof(data) - 1) >= 0);
    assert_string_equal(data, expected);
}

void put(int fd, const char *name, const char *text)
{
    cleanup_close int file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write_all(file, text, strlen(text)), 0);
}
