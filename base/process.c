/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <stdio.h>
#include <string.h>

#include "base/macro.h"

#define ENVIRONMENT_MAX ((size_t)256 * 1024)

bool process_find_variable(pid_t pid, const char *prefix, char *ret_variable, size_t size)
{
    size_t prefix_length = strlen(prefix), length = 0; /* of the variable that is being read */
    bool matches = true, found = false;
    char path[64];
    FILE *file;
    int byte = 0;

    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    for (size_t i = 0; i <= ENVIRONMENT_MAX && !found && byte != EOF; i++) {
        byte = i < ENVIRONMENT_MAX ? getc_unlocked(file) : EOF;
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
    fclose(file);
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
