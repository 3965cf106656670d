/* SPDX-License-Identifier: MIT */
#include "daemon/unit/loaded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loaded_slot *loaded_slot(const struct loaded *loaded, uint32_t slot)
{
    return slot < loaded->count && loaded->slots[slot].name ? &loaded->slots[slot] : NULL;
}

/* The module's own slot, or one that was never used; SCOREBOARD_MODULES without any. */
static uint32_t find_slot(const struct loaded *loaded, const char *name)
{
    uint32_t unused = loaded->closed ? SCOREBOARD_MODULES : loaded->count;

    for (uint32_t i = 0; i < loaded->count; i++) {
        const char *other = loaded->slots[i].name;

        if (other && strcmp(other, name) == 0)
            return i;
        if (!other && i < unused && !loaded->closed)
            unused = i;
    }
    return unused;
}

/* Whether the file is in the way of another module with it. */
static bool is_in_the_way(const struct loaded_slot *slot, const struct config_module *module,
                          const struct file_id *file_id)
{
    bool same_path = strcmp(slot->path, module->path) == 0;

    /* One that was written over is the same for dlopen(). */
    if (!same_path && !file_id_same_inode(&slot->file_id, file_id))
        return false;
    return !slot->reentrant || !same_path || !file_id_equal(&slot->file_id, file_id);
}

int loaded_find(const struct loaded *loaded, const struct config_module *module,
                const struct file_id *file_id, uint32_t *ret_slot)
{
    uint32_t own = find_slot(loaded, module->name);

    for (uint32_t i = 0; i < loaded->count; i++) {
        const struct loaded_slot *slot = &loaded->slots[i];

        if (!slot->name)
            continue;
        if (i == own &&
            (strcmp(slot->path, module->path) != 0 || !file_id_equal(&slot->file_id, file_id)))
            return -ESTALE;
        if (i != own && is_in_the_way(slot, module, file_id)) {
            *ret_slot = i;
            return -EEXIST;
        }
    }
    *ret_slot = own;
    return own == SCOREBOARD_MODULES ? -ENOSPC : 0;
}

/* Has room for the slot. Returns 0 or -ENOMEM. */
static int reach(struct loaded *loaded, uint32_t slot)
{
    struct loaded_slot *slots;

    if (slot < loaded->count)
        return 0;
    slots = reallocarray(loaded->slots, slot + 1, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    memset(slots + loaded->count, 0, (slot + 1 - loaded->count) * sizeof(*slots));
    loaded->slots = slots;
    loaded->count = slot + 1;
    return 0;
}

int loaded_put(struct loaded *loaded, uint32_t slot, const struct config_module *module,
               const struct file_id *file_id)
{
    struct loaded_slot *to;

    if (reach(loaded, slot) < 0)
        return -ENOMEM;
    to = &loaded->slots[slot];
    *to = (struct loaded_slot){strdup(module->name), strdup(module->path), *file_id, false};
    if (to->name && to->path)
        return 0;
    free(to->name);
    free(to->path);
    *to = (struct loaded_slot){0};
    return -ENOMEM;
}

int loaded_take(struct loaded *loaded, const struct config_module *module,
                const struct file_id *file_id, uint32_t *ret_slot)
{
    uint32_t own = find_slot(loaded, module->name);

    if (own == SCOREBOARD_MODULES)
        return -ENOSPC;
    *ret_slot = own;
    return loaded_slot(loaded, own) ? 0 : loaded_put(loaded, own, module, file_id);
}

void loaded_clear(struct loaded *loaded)
{
    for (uint32_t i = 0; i < loaded->count; i++) {
        free(loaded->slots[i].name);
        free(loaded->slots[i].path);
    }
    free(loaded->slots);
    *loaded = (struct loaded){0};
}

json_t *loaded_save(const struct loaded *loaded)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < loaded->count && list; i++) {
        const struct loaded_slot *slot = &loaded->slots[i];
        json_t *item;

        if (!slot->name)
            continue;
        item = json_pack("{s:I, s:o, s:o, s:I, s:I, s:I, s:b}", "slot", (json_int_t)i, "name",
                         serialize_text(slot->name), "path", serialize_bytes(slot->path), "device",
                         (json_int_t)slot->file_id.device, "inode", (json_int_t)slot->file_id.inode,
                         "mtime", (json_int_t)slot->file_id.mtime, "reentrant", slot->reentrant);
        if (json_array_append_new(list, item) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static int bad(struct serialize_error *error, const char *what)
{
    snprintf(error->text, sizeof(error->text), "what a host has loaded has %s", what);
    return -EBADMSG;
}

static int load_slot(struct loaded *loaded, const json_t *item, struct serialize_error *error)
{
    json_int_t slot = json_integer_value(json_object_get(item, "slot"));
    const char *name = json_string_value(json_object_get(item, "name"));
    struct loaded_slot *to;

    if (slot < 0 || slot >= (json_int_t)SCOREBOARD_MODULES)
        return bad(error, "a slot that no host has");
    if (!name || !json_is_string(json_object_get(item, "path")))
        return bad(error, "a slot without a name or a path");
    if (!loaded)
        return 0;
    if (reach(loaded, (uint32_t)slot) < 0)
        return -ENOMEM;
    to = &loaded->slots[slot];
    if (to->name)
        return bad(error, "one slot twice");
    to->reentrant = json_is_true(json_object_get(item, "reentrant"));
    to->name = strdup(name);
    to->path = serialize_take_bytes(json_object_get(item, "path"));
    if (!to->name || !to->path)
        return -ENOMEM;
    to->file_id =
        (struct file_id){.device = (dev_t)json_integer_value(json_object_get(item, "device")),
                         .inode = (ino_t)json_integer_value(json_object_get(item, "inode")),
                         .mtime = json_integer_value(json_object_get(item, "mtime"))};
    return 0;
}

int loaded_load(struct loaded *loaded, const json_t *state, struct serialize_error *error)
{
    int r = 0;

    for (size_t i = 0; i < json_array_size(state) && r == 0; i++)
        r = load_slot(loaded, json_array_get(state, i), error);
    return r;
}
