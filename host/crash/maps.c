/* SPDX-License-Identifier: MIT */
#include "host/crash/maps.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/text.h"

/* The columns before a path are less than 80 bytes. The rest of a longer line is left out. */
#define LINE_SIZE 512

static int maps_fd = -1;
static struct stat opened; /* what that was */

struct reader {
    void (*fn)(const struct mapping *mapping, void *arg);
    void *arg;
    char line[LINE_SIZE];
    size_t used;
    /* The last mapping of a file. */
    uintptr_t end, base;
    char path[LINE_SIZE];
};

void maps_open(void)
{
    maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (maps_fd >= 0 && fstat(maps_fd, &opened) < 0)
        close(TAKE_FD(maps_fd));
}

/* A module can close all descriptors, and get this one for something else. */
static bool is_open(void)
{
    struct stat status;

    return maps_fd >= 0 && fstat(maps_fd, &status) == 0 && status.st_dev == opened.st_dev &&
           status.st_ino == opened.st_ino;
}

/* Takes a hexadecimal number and the byte behind it. */
static bool take_number(const char **text, char end, uintptr_t *ret_number)
{
    const char *at = *text;

    *ret_number = 0;
    for (; (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f'); at++)
        *ret_number = *ret_number << 4 | (uintptr_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
    if (at == *text || *at != end)
        return false;
    *text = at + 1;
    return true;
}

/* "START-END PERMISSIONS OFFSET DEVICE INODE PATH", with blanks before an absolute path. Several
 * mappings of one file follow one another, the first of which begins with the file. */
static void take_line(struct reader *reader)
{
    static const char deleted[] = " (deleted)";
    const char *at = reader->line;
    char *path = strchr(reader->line, '/');
    uintptr_t start, end, offset;
    size_t length;

    if (!path || !take_number(&at, '-', &start) || !take_number(&at, ' ', &end))
        return;
    at += strcspn(at, " ") + 1;
    if (at > path || !take_number(&at, ' ', &offset))
        return;
    /* It may have been replaced meanwhile. */
    length = strlen(path);
    if (length > strlen(deleted) && strcmp(path + length - strlen(deleted), deleted) == 0)
        path[length - strlen(deleted)] = '\0';
    if (strcmp(path, reader->path) != 0 || (offset == 0 && start != reader->end))
        reader->base = start - offset;
    string_copy(reader->path, sizeof(reader->path), path);
    reader->end = end;
    reader->fn(&(struct mapping){start, end, reader->base, path}, reader->arg);
}

static void take_bytes(struct reader *reader, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != '\n' && reader->used < LINE_SIZE - 1) {
            reader->line[reader->used++] = bytes[i];
        } else if (bytes[i] == '\n') {
            reader->line[reader->used] = '\0';
            reader->used = 0;
            take_line(reader);
        }
    }
}

/* No library's streams or buffers, and a small stack. */
void maps_each(void (*fn)(const struct mapping *mapping, void *arg), void *arg)
{
    struct reader reader = {.fn = fn, .arg = arg};
    char bytes[4096];
    off_t position = 0;
    ssize_t size;

    if (!is_open())
        return;
    /* Two threads may read at once. */
    while ((size = pread(maps_fd, bytes, sizeof(bytes), position)) > 0) {
        take_bytes(&reader, bytes, (size_t)size);
        position += size;
    }
}
