/* SPDX-License-Identifier: MIT */
/* Claims: which files have a job. There are never many: the queue of the pool bounds them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modules/spool/spool.h"

/* Values of a claim's `job`, which counts from 1. */
#define JOB_QUEUED 0          /* submitted by the watch, and not begun */
#define JOB_NONE   UINT64_MAX /* it waits for a job: to move its file, or to run the command anew */

/* Each result that waits holds an output in memory. If so many files cannot be moved, because the
 * disk is full, say, running more commands would not help. Those that are queued by then still run.
 */
#define WAITING_MAX 100

static struct claim *find(const struct spool *spool, const char *name)
{
    for (struct claim *claim = spool->claims; claim; claim = claim->next)
        if (strcmp(claim->name, name) == 0)
            return claim;
    return NULL;
}

static int add(struct spool *spool, const char *name, uint64_t job)
{
    struct claim *claim = calloc(1, sizeof(*claim));

    if (!claim)
        return -ENOMEM;
    strncpy(claim->name, name, sizeof(claim->name) - 1);
    claim->job = job;
    claim->next = spool->claims;
    spool->claims = claim;
    return 0;
}

static void drop(struct spool *spool, struct claim *claim)
{
    struct claim **link = &spool->claims;

    while (*link != claim)
        link = &(*link)->next;
    *link = claim->next;
    if (claim->left)
        spool->waiting--;
    free(claim->output);
    free(claim);
}

void claim_wake_watch(struct spool *spool)
{
    uint64_t one = 1;

    /* It cannot fail: the counter is far from full. */
    (void)!write(spool->wake_fd, &one, sizeof(one));
}

/* The claim has no job any more. */
static void give_up_job(struct spool *spool, struct claim *claim)
{
    if (claim->again)
        claim_wake_watch(spool);
    claim->again = false;
}

void claim_forget_result(struct claim *claim)
{
    free(claim->output);
    claim->output = NULL;
    claim->output_size = 0;
    claim->ended = false;
}

int claim_queue(struct spool *spool, const char *name, bool *arrived)
{
    struct claim *claim;
    int r = 0;

    pthread_mutex_lock(&spool->lock);
    claim = find(spool, name);
    if (claim && claim->job == JOB_NONE) {
        claim->job = JOB_QUEUED;
        *arrived = *arrived || claim->arrived;
        claim->arrived = false;
    } else if (claim) {
        /* A job that has not begun takes the file that is there then. */
        if (*arrived && claim->job != JOB_QUEUED)
            claim->again = claim->arrived = true;
        r = -EALREADY;
    } else {
        r = spool->waiting >= WAITING_MAX ? -EBUSY : add(spool, name, JOB_QUEUED);
    }
    pthread_mutex_unlock(&spool->lock);
    return r;
}

void claim_note_file(struct spool *spool, const char *name)
{
    struct claim *claim;

    pthread_mutex_lock(&spool->lock);
    claim = find(spool, name);
    if (claim && claim->job == JOB_QUEUED)
        (void)file_stat(spool->directory_fd, name, &claim->queued);
    pthread_mutex_unlock(&spool->lock);
}

bool claim_is_full(struct spool *spool)
{
    bool full;

    pthread_mutex_lock(&spool->lock);
    full = spool->waiting >= WAITING_MAX;
    pthread_mutex_unlock(&spool->lock);
    return full;
}

void claim_unqueue(struct spool *spool, const char *name)
{
    struct claim *claim;

    pthread_mutex_lock(&spool->lock);
    claim = find(spool, name);
    if (claim && claim->job == JOB_QUEUED && (claim->left || claim->changes > 0))
        claim->job = JOB_NONE;
    else if (claim && claim->job == JOB_QUEUED)
        drop(spool, claim);
    pthread_mutex_unlock(&spool->lock);
}

void claim_forget_gone(struct spool *spool)
{
    struct claim *claim, *next;

    pthread_mutex_lock(&spool->lock);
    for (claim = spool->claims; claim; claim = next) {
        next = claim->next;
        if (claim->job == JOB_NONE && file_is_gone(spool->directory_fd, claim->name))
            drop(spool, claim);
    }
    pthread_mutex_unlock(&spool->lock);
}

int claim_take(struct spool *spool, const char *name, uint64_t job, bool queued,
               struct claim **ret_claim)
{
    struct claim *claim;
    int r = 0;

    pthread_mutex_lock(&spool->lock);
    claim = find(spool, name);
    if (!claim) {
        r = add(spool, name, job);
    } else if (claim->job == JOB_NONE || (queued && claim->job == JOB_QUEUED)) {
        claim->job = job;
        claim->begun = false;
    } else if (claim->job != job) {
        r = -EALREADY;
    }
    if (r == 0)
        *ret_claim = claim ? claim : spool->claims;
    pthread_mutex_unlock(&spool->lock);
    return r;
}

static void leave(struct spool *spool, struct claim *claim)
{
    claim->job = JOB_NONE;
    if (!claim->left)
        spool->waiting++;
    claim->left = true;
}

void claim_end(struct spool *spool, uint64_t job)
{
    struct claim *claim;

    pthread_mutex_lock(&spool->lock);
    for (claim = spool->claims; claim && claim->job != job; claim = claim->next)
        ;
    if (claim) {
        give_up_job(spool, claim);
        if (claim->ended)
            leave(spool, claim);
        else
            drop(spool, claim);
    }
    pthread_mutex_unlock(&spool->lock);
}

void claim_renew(struct spool *spool, struct claim *claim)
{
    pthread_mutex_lock(&spool->lock);
    claim->job = JOB_NONE;
    if (claim->left)
        spool->waiting--;
    claim->left = false;
    claim_forget_result(claim);
    claim->again = true;
    give_up_job(spool, claim);
    pthread_mutex_unlock(&spool->lock);
}

void claim_release(struct spool *spool, struct claim *claim)
{
    pthread_mutex_lock(&spool->lock);
    give_up_job(spool, claim);
    drop(spool, claim);
    pthread_mutex_unlock(&spool->lock);
}
