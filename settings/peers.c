/* SPDX-License-Identifier: MIT */
#include "settings/peers.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/macro.h"
#include "base/setting.h"
#include "base/text.h"

/* The largest uid_t and gid_t, less the value that means none. */
#define ID_MAX 4294967294LL

static bool find_user(const char *name, uid_t *ret_user)
{
    cleanup_fclose FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *entry;

    while (file && (entry = fgetpwent(file)))
        if (strcmp(entry->pw_name, name) == 0) {
            *ret_user = entry->pw_uid;
            return true;
        }
    return false;
}

static bool find_group(const char *name, gid_t *ret_group)
{
    cleanup_fclose FILE *file = fopen("/etc/group", "re");
    const struct group *entry;

    while (file && (entry = fgetgrent(file)))
        if (strcmp(entry->gr_name, name) == 0) {
            *ret_group = entry->gr_gid;
            return true;
        }
    return false;
}

/* Both ids have the same type; which list it goes to tells what it is. */
static bool add(gid_t **ids, size_t *count, gid_t id)
{
    gid_t *grown = array_grow(*ids, *count, sizeof(*grown));

    if (!grown)
        return false;
    *ids = grown;
    grown[(*count)++] = id;
    return true;
}
_Static_assert(__builtin_types_compatible_p(uid_t, gid_t), "one list's code serves both");

static const char *take_word(struct config_peers *peers, const char *word)
{
    long long number;
    gid_t id;

    if (*word == '@') {
        if (integer_parse(word + 1, 0, ID_MAX, &number) == 0)
            id = (gid_t)number;
        else if (!find_group(word + 1, &id))
            return "groups of /etc/group behind '@', or their numbers";
        return add(&peers->groups, &peers->group_count, id) ? NULL : setting_no_memory;
    }
    if (integer_parse(word, 0, ID_MAX, &number) == 0)
        id = (uid_t)number;
    else if (!find_user(word, &id))
        return "users of /etc/passwd, their numbers, or groups as @GROUP";
    return add(&peers->users, &peers->user_count, id) ? NULL : setting_no_memory;
}

const char *peers_parse(const char *text, void *target)
{
    cleanup_free char *copy = strdup(text);
    char *rest = copy, *word;

    if (!copy)
        return setting_no_memory;
    while ((word = strsep(&rest, " \t"))) {
        const char *expected = *word != '\0' ? take_word(target, word) : NULL;

        if (expected)
            return expected;
    }
    return NULL;
}

bool peers_have(const struct config_peers *peers, uid_t user, const gid_t *groups, size_t count)
{
    for (size_t i = 0; i < peers->user_count; i++)
        if (peers->users[i] == user)
            return true;
    for (size_t i = 0; i < peers->group_count; i++)
        for (size_t j = 0; j < count; j++)
            if (peers->groups[i] == groups[j])
                return true;
    return false;
}

void peers_free(struct config_peers *peers)
{
    free(peers->users);
    free(peers->groups);
    *peers = (struct config_peers){0};
}
