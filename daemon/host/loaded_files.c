/* SPDX-License-Identifier: MIT */
#include "daemon/host/loaded_files.h"

#include <errno.h>
#include <pthread.h>
#include <reeve/error.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "daemon/wire/scoreboard.h"

static struct {
    pthread_mutex_t lock; /* two modules may be loaded at once */
    struct {
        struct file_id id;
        char *path;
    } files[SCOREBOARD_MODULES];
    size_t count;
} loaded = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With the lock. */
static int find_conflict(const char *path, const struct file_id *file_id, bool *ret_known)
{
    *ret_known = false;
    for (size_t i = 0; i < loaded.count; i++) {
        bool same_path = strcmp(loaded.files[i].path, path) == 0;
        bool same_file = file_id_same_inode(&loaded.files[i].id, file_id);

        *ret_known = *ret_known || (same_path && same_file);
        if (same_file && !same_path)
            return rv_fail_text(-EEXIST, "%s is the same file as %s, which is loaded in this host",
                                path, loaded.files[i].path);
        if (same_path && !same_file)
            return rv_fail_text(
                -ESTALE, "%s was replaced, and this process has loaded the one before", path);
    }
    return 0;
}

int loaded_files_claim(const char *path, const struct file_id *file_id)
{
    bool known;
    int r;

    pthread_mutex_lock(&loaded.lock);
    r = find_conflict(path, file_id, &known);
    if (r == 0 && !known && loaded.count < ARRAY_SIZE(loaded.files)) {
        loaded.files[loaded.count].id = *file_id;
        loaded.files[loaded.count].path = strdup(path);
        loaded.count += loaded.files[loaded.count].path != NULL;
    }
    pthread_mutex_unlock(&loaded.lock);
    return r;
}

void loaded_files_disclaim(const char *path)
{
    pthread_mutex_lock(&loaded.lock);
    for (size_t i = 0; i < loaded.count; i++)
        if (strcmp(loaded.files[i].path, path) == 0) {
            free(loaded.files[i].path);
            loaded.files[i] = loaded.files[--loaded.count];
            break;
        }
    pthread_mutex_unlock(&loaded.lock);
}
