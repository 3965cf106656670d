/* SPDX-License-Identifier: MIT */
/*
 * Files that stay in the directory for a reason of their own, so that each is told of once, until
 * it is another file or goes away.
 */
#include <stdlib.h>
#include <string.h>

#include "modules/spool/spool.h"

/* A directory may be full of them. Beyond this they are neither named nor counted. */
#define TOLD_MAX 1000

struct told {
    struct told *next;
    char name[256];
    struct statx file;
    enum file_look what;
    bool seen; /* by the scan */
};

static struct told *find(const struct spool *spool, const char *name)
{
    for (struct told *told = spool->told; told; told = told->next)
        if (strcmp(told->name, name) == 0)
            return told;
    return NULL;
}

void told_begin(struct spool *spool)
{
    for (struct told *told = spool->told; told; told = told->next)
        told->seen = false;
}

static void drop(struct told **link)
{
    struct told *told = *link;

    *link = told->next;
    free(told);
}

void told_end(struct spool *spool)
{
    struct told **link = &spool->told;

    while (*link)
        if ((*link)->seen)
            link = &(*link)->next;
        else
            drop(link);
}

static struct told *add(struct rv_context *ctx, struct spool *spool, const char *name)
{
    struct told *told;
    unsigned count = 0;

    for (told = spool->told; told; told = told->next)
        count++;
    told = count < TOLD_MAX ? calloc(1, sizeof(*told)) : NULL;
    if (!told && !spool->many_told)
        rv_log(ctx, RV_LOG_WARNING, "more than %u files cannot be taken; the others are not named",
               count);
    spool->many_told = !told;
    if (!told)
        return NULL;
    strncpy(told->name, name, sizeof(told->name) - 1);
    told->next = spool->told;
    spool->told = told;
    return told;
}

bool told_first(struct rv_context *ctx, struct spool *spool, const char *name, enum file_look what)
{
    struct told *told = find(spool, name);
    bool is_new = !told;
    struct statx file = {0};

    if (!told)
        told = add(ctx, spool, name);
    if (!told)
        return false;
    (void)file_stat(spool->directory_fd, name, &file);
    is_new = is_new || told->what != what || !file_is_same(&told->file, &file);
    told->file = file;
    told->what = what;
    told->seen = true;
    return is_new;
}

bool told_unreadable(const struct spool *spool, const char *name)
{
    const struct told *told = find(spool, name);

    return told && told->what == FILE_UNREADABLE;
}

void told_forget(struct spool *spool, const char *name)
{
    for (struct told **link = &spool->told; *link; link = &(*link)->next)
        if (strcmp((*link)->name, name) == 0) {
            drop(link);
            return;
        }
}

unsigned told_count(const struct spool *spool)
{
    unsigned count = 0;

    for (const struct told *told = spool->told; told; told = told->next)
        count += told->what == FILE_UNREADABLE;
    return count;
}
