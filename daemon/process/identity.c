/* SPDX-License-Identifier: MIT */
#include "daemon/process/identity.h"

#include <string.h>
#include <unistd.h>

#include "base/process.h"

/* There is one set of children per process, so this is the process's own state. */
static struct list all = {&all, &all};

void identity_add(struct identity *identity)
{
    list_append(&all, &identity->list);
}

void identity_remove(struct identity *identity)
{
    list_remove(&identity->list);
}

static bool is_living(const struct identity *identity)
{
    return identity->pid > 0 && !identity->ended;
}

bool identity_has_process(pid_t pid, bool descendants)
{
    pid_t session = descendants && pid > 0 ? getsid(pid) : -1;
    const struct identity *identity;

    LIST_FOREACH (identity, &all, list)
        if (is_living(identity) && (identity->pid == pid || identity->pid == session))
            return true;
    return false;
}

bool identity_has_mark(const char *mark)
{
    const struct identity *identity;

    LIST_FOREACH (identity, &all, list)
        if (is_living(identity) && strcmp(identity->mark, mark) == 0)
            return true;
    return false;
}

bool identity_has_uid(uid_t uid)
{
    const struct identity *identity;

    LIST_FOREACH (identity, &all, list)
        if (is_living(identity) && (identity->uid == uid || identity->uid == PROCESS_NO_UID))
            return true;
    return false;
}
