/* SPDX-License-Identifier: MIT */
/* Reading what the kernel writes about control groups: proc(5), cgroups(7). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process/cgroup.h"

/* "0::/system.slice/reeve.service": the path below the root of the hierarchy, with its length. */
static const char *find_membership(const char *text, size_t *ret_length)
{
    while (text && strncmp(text, "0::", 3) != 0) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    if (!text)
        return NULL;
    text += 3;
    *ret_length = strcspn(text, "\n");
    return text;
}

/* In mountinfo a blank, a tab, a line break and a backslash are "\040" and so on. In place. */
static void unescape(char *text)
{
    char *to = text;

    for (; *text != '\0'; text++)
        if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
            char digits[4] = {text[1], text[2], text[3]};

            *to++ = (char)strtol(digits, NULL, 8);
            text += 3;
        } else {
            *to++ = *text;
        }
    *to = '\0';
}

/* "41 31 0:38 ROOT POINT rw,relatime shared:9 - cgroup2 cgroup2 rw". root and point have room. */
static bool parse_mount(const char *line, size_t length, char *root, char *point)
{
    const char *type = memmem(line, length, " - cgroup2 ", strlen(" - cgroup2 "));

    if (!type || sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2)
        return false;
    unescape(root);
    unescape(point);
    return true;
}

int cgroup_find(const char *mountinfo, const char *membership, char *ret_path, size_t size)
{
    size_t length, below;
    const char *path = find_membership(membership, &length);
    char root[4096], point[4096];

    for (const char *line = mountinfo; path && *line != '\0';) {
        size_t line_length = strcspn(line, "\n");

        if (parse_mount(line, line_length, root, point)) {
            /* A mount may show only a part of the tree. */
            below = strcmp(root, "/") == 0 ? 0 : strlen(root);
            if (below <= length && strncmp(path, root, below) == 0 &&
                (below == length || path[below] == '/')) {
                int written =
                    snprintf(ret_path, size, "%s%.*s", point, (int)(length - below), path + below);

                return written < 0 || (size_t)written >= size ? -ENAMETOOLONG : 0;
            }
        }
        line += line_length + (line[line_length] == '\n');
    }
    return -ENOENT;
}

uint64_t cgroup_read_count(const char *text, const char *key)
{
    size_t length = strlen(key);

    for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n')
        if (strncmp(text, key, length) == 0 && text[length] == ' ')
            return strtoull(text + length + 1, NULL, 10);
    return 0;
}
