/* SPDX-License-Identifier: MIT */
#include "daemon/process/orphan_owner.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "daemon/process/identity.h"
#include "daemon/process/inherited_children.h"
#include "wire/message.h"

static struct ended *find_ended(const struct list *known, pid_t session, const char *mark)
{
    struct ended *ended;

    LIST_FOREACH (ended, known, list)
        if ((session > 0 && ended->pid == session) || (mark && strcmp(ended->mark, mark) == 0))
            return ended;
    return NULL;
}

/* Its mark cannot be read. */
static enum owner find_by_user(pid_t pid, const struct list *known, struct ended **ret_ended)
{
    struct ended *ended;
    uid_t uid;

    /* A process that was there before may have left it, too. */
    if (inherited_any() || !process_find_uid(pid, &uid) || identity_has_uid(uid))
        return OWNER_HIDDEN;
    LIST_FOREACH (ended, known, list)
        if (ended->uid == uid) {
            *ret_ended = ended;
            return OWNER_ENDED;
        }
    return OWNER_HIDDEN;
}

static enum owner find_unmarked(pid_t pid, int error, const struct list *known,
                                struct ended **ret_ended)
{
    errno = error;
    if (error == EACCES)
        return find_by_user(pid, known, ret_ended);
    return error == EMFILE || error == ENFILE || error == ENOMEM ? OWNER_UNREAD : OWNER_NONE;
}

/* A session comes before a mark: whoever starts a process chooses its environment. The mark is read
 * once: that of a process which is being made appears at any moment. */
enum owner orphan_find_owner(pid_t pid, const char *made, const struct list *known,
                             struct ended **ret_ended)
{
    pid_t session = getsid(pid);
    char mark[128];
    bool marked;
    int error;

    errno = 0;
    marked = process_find_variable(pid, WIRE_MARK, mark, sizeof(mark));
    error = errno;
    *ret_ended = NULL;
    /* A living host first: an old pid may have come to a new one. */
    if (identity_has_process(pid, true) || (marked && made && strcmp(mark, made) == 0))
        return OWNER_LIVING;
    *ret_ended = find_ended(known, session, NULL);
    if (*ret_ended)
        return OWNER_ENDED;
    if (inherited_has(pid, session))
        return OWNER_BEFORE;
    if (!marked)
        return find_unmarked(pid, error, known, ret_ended);
    if (inherited_has_mark(mark))
        return OWNER_BEFORE;
    if (identity_has_mark(mark))
        return OWNER_LIVING;
    *ret_ended = find_ended(known, 0, mark);
    return OWNER_ENDED;
}
