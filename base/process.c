/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

#define ENVIRONMENT_MAX ((size_t)256 * 1024)

/* The environment, byte by byte. */
struct reader {
    int fd;
    size_t used, size; /* of the buffer */
    size_t left;       /* that may be read */
    char buffer[1024];
};

/* Returns EOF at the end. */
static int next_byte(struct reader *reader)
{
    ssize_t size;

    if (reader->left == 0)
        return EOF;
    if (reader->used == reader->size) {
        size = read(reader->fd, reader->buffer, sizeof(reader->buffer));
        reader->used = 0;
        reader->size = (size_t)MAX(size, (ssize_t)0);
        if (size <= 0)
            return EOF;
    }
    reader->left--;
    return (unsigned char)reader->buffer[reader->used++];
}

/* Without allocating: it is asked by who ends things, too. */
bool process_find_variable(pid_t pid, const char *prefix, char *ret_variable, size_t size)
{
    size_t prefix_length = strlen(prefix), length = 0; /* of the variable that is being read */
    struct reader reader = {.left = ENVIRONMENT_MAX};
    bool matches = true, found = false;
    char path[64];
    int byte = 0;

    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    reader.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader.fd < 0)
        return false;
    while (!found && byte != EOF) {
        byte = next_byte(&reader);
        if (byte == '\0' || byte == EOF) {
            found = matches && length >= prefix_length;
            ret_variable[found ? MIN(length, size - 1) : 0] = '\0';
            matches = true;
            length = 0;
            continue;
        }
        matches = matches && (length >= prefix_length || prefix[length] == (char)byte);
        if (matches && length < size - 1)
            ret_variable[length] = (char)byte;
        length++;
    }
    close(reader.fd);
    return found;
}

bool process_find_uid(pid_t pid, uid_t *ret_uid)
{
    char path[64], line[256];
    unsigned uid = 0;
    bool found = false;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    while (!found && fgets(line, sizeof(line), file))
        found = sscanf(line, "Uid: %u", &uid) == 1;
    fclose(file);
    *ret_uid = uid;
    return found;
}
