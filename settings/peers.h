/* SPDX-License-Identifier: MIT */
/*
 * The users and groups that may use the control socket, by name or number. Names are those of
 * /etc/passwd and /etc/group: a name service could block the loop, which reads the configuration in
 * a reload.
 */
#ifndef REEVE_SETTINGS_PEERS_H
#define REEVE_SETTINGS_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct config_peers {
    uid_t *users;
    size_t user_count;
    gid_t *groups;
    size_t group_count;
};

/* Adds words: USER, @GROUP or their numbers. As struct setting_own wants it: returns NULL or what
 * was expected. */
const char *peers_parse(const char *text, void *target);

static inline bool peers_any(const struct config_peers *peers)
{
    return peers->user_count > 0 || peers->group_count > 0;
}

/* Whether the user, or one of the groups, is named. */
bool peers_have(const struct config_peers *peers, uid_t user, const gid_t *groups, size_t count);

void peers_free(struct config_peers *peers);

#endif
