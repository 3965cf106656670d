/* SPDX-License-Identifier: MIT */
#include "host/load/loaded_files.h"

#include <errno.h>
#include <pthread.h>
#include <reeve/error.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "wire/scoreboard.h"

struct loaded_file {
    struct file_id id;
    char *path;
    uint32_t slot; /* of the module that claimed it first */
    bool loading;  /* by another thread: what its table says is not known yet */
    bool reentrant;
};

static struct {
    pthread_mutex_t lock;   /* two modules may be loaded at once */
    pthread_cond_t changed; /* a file is loaded, or is not after all */
    struct loaded_file files[SCOREBOARD_MODULES];
    size_t count;
} loaded = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* With the lock. */
static struct loaded_file *find(const char *path)
{
    for (size_t i = 0; i < loaded.count; i++)
        if (strcmp(loaded.files[i].path, path) == 0)
            return &loaded.files[i];
    return NULL;
}

/* With the lock. */
static int find_other_path(const char *path, const struct file_id *file_id)
{
    for (size_t i = 0; i < loaded.count; i++)
        if (file_id_same_inode(&loaded.files[i].id, file_id) &&
            strcmp(loaded.files[i].path, path) != 0)
            return rv_fail_text(-EEXIST, "%s is the same file as %s, which is loaded in this host",
                                path, loaded.files[i].path);
    return 0;
}

/* With the lock; which it gives up while the file is being loaded. */
static int find_conflict(const char *path, const struct file_id *file_id, uint32_t slot)
{
    const struct loaded_file *file;
    int r = find_other_path(path, file_id);

    if (r < 0)
        return r;
    while ((file = find(path)) && file->loading)
        pthread_cond_wait(&loaded.changed, &loaded.lock);
    if (file && !file_id_same_inode(&file->id, file_id))
        return rv_fail_text(-ESTALE, "%s was replaced, and this process has loaded the one before",
                            path);
    if (file && file->slot != slot && !file->reentrant)
        return rv_fail_text(
            -EEXIST,
            "%s is loaded in this host already, and is not reentrant: the two would "
            "share its variables; give one of them another host",
            path);
    return 0;
}

int loaded_files_claim(const char *path, const struct file_id *file_id, uint32_t slot)
{
    int r;

    pthread_mutex_lock(&loaded.lock);
    r = find_conflict(path, file_id, slot);
    if (r == 0 && !find(path) && loaded.count < ARRAY_SIZE(loaded.files)) {
        loaded.files[loaded.count] =
            (struct loaded_file){*file_id, strdup(path), slot, true, false};
        loaded.count += loaded.files[loaded.count].path != NULL;
    }
    pthread_mutex_unlock(&loaded.lock);
    return r;
}

void loaded_files_confirm(const char *path, bool reentrant)
{
    struct loaded_file *file;

    pthread_mutex_lock(&loaded.lock);
    file = find(path);
    if (file) {
        file->loading = false;
        file->reentrant = reentrant;
    }
    pthread_cond_broadcast(&loaded.changed);
    pthread_mutex_unlock(&loaded.lock);
}

void loaded_files_disclaim(const char *path)
{
    struct loaded_file *file;

    pthread_mutex_lock(&loaded.lock);
    file = find(path);
    if (file && file->loading) {
        free(file->path);
        *file = loaded.files[--loaded.count];
    }
    pthread_cond_broadcast(&loaded.changed);
    pthread_mutex_unlock(&loaded.lock);
}
