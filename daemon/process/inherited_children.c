/* SPDX-License-Identifier: MIT */
#include "daemon/process/inherited_children.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/macro.h"
#include "wire/message.h"

/* More are not known by their sessions. */
#define CHILDREN_MAX 4096

struct child {
    pid_t pid; /* 0: it has ended */
    pid_t session;
};

static struct {
    struct child *children;
    size_t count;
} inherited;

static void add(pid_t pid, pid_t session)
{
    struct child *children;

    if (inherited.count == CHILDREN_MAX)
        return;
    children = array_grow(inherited.children, inherited.count, sizeof(*children));
    if (!children)
        return;
    children[inherited.count++] = (struct child){pid, session};
    inherited.children = children;
}

void inherited_add(pid_t pid)
{
    add(pid, getsid(pid));
}

void inherited_remove(pid_t pid)
{
    for (size_t i = 0; i < inherited.count; i++)
        if (inherited.children[i].pid == pid)
            inherited.children[i].pid = 0;
}

bool inherited_any(void)
{
    return inherited.count > 0;
}

bool inherited_has(pid_t pid, pid_t session)
{
    if (session > 0 && session == getsid(0))
        return true;
    for (size_t i = 0; i < inherited.count; i++)
        if (inherited.children[i].pid == pid ||
            (session > 0 && inherited.children[i].session == session))
            return true;
    return false;
}

bool inherited_has_mark(const char *mark)
{
    const char *ours = getenv("REEVE_HOST");

    return ours && strcmp(mark + strlen(WIRE_MARK), ours) == 0;
}

json_t *inherited_save(void)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < inherited.count; i++)
        if (json_array_append_new(list, json_pack("[i, i]", (int)inherited.children[i].pid,
                                                  (int)inherited.children[i].session)) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

void inherited_load(const json_t *state)
{
    for (size_t i = 0; i < json_array_size(state); i++) {
        int pid, session;

        if (json_unpack(json_array_get(state, i), "[i, i]", &pid, &session) == 0 && pid >= 0)
            add(pid, session);
    }
}
