/* SPDX-License-Identifier: MIT */
/* A host as one reeved hands it to the next, in a live upgrade. */
#ifndef REEVE_DAEMON_PROCESS_HOST_SERIALIZE_H
#define REEVE_DAEMON_PROCESS_HOST_SERIALIZE_H

#include "daemon/process/host.h"
#include "daemon/serialize/fields.h"

/* Whether every host of this process is either absent or up, has been sent all that it was to be
 * sent, and is one of `owned`; else ret_what names one that is not and what it does. */
bool hosts_are_settled(unsigned owned, char *ret_what, size_t size);

/* Limits and directories are not part of it, but whether they are still those of the settings. NULL
 * without memory. */
json_t *host_save(const struct host *host, const struct config_limits *limits);

/* Whether it can be read: 0, -EBADMSG or -ENOMEM. */
int host_check_state(const json_t *state, struct serialize_error *error);

/*
 * Makes an absent host, with its limits set, be what was saved: takes over its process and its
 * descriptors. foreign: it is of another wire version, readable: its scoreboard is of ours. Returns
 * 0 or a negative errno; the process is then killed.
 */
int host_adopt(struct host *host, const json_t *state, bool foreign, struct serialize_error *error);

/* Whether the descriptors of all hosts outlive an exec. */
void hosts_keep_descriptors(bool keep);

#endif
