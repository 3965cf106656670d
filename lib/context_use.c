/* SPDX-License-Identifier: MIT */
/* The uses of a context besides cancelling it: asking, waiting, hooks, values, labels, the
 * live tree. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/context.h"

/* For who cannot inline. */
extern inline int rv_context_err(const struct rv_context *ctx);
_Static_assert(offsetof(struct rv_context, err) == 0 && sizeof(_Atomic int) == sizeof(int),
               "rv_context_err() reads it there");

bool rv_context_deadline(const struct rv_context *ctx, rv_time *ret_deadline)
{
    *ret_deadline = ctx->deadline;
    return ctx->deadline != RV_NEVER;
}

/* Hooks ------------------------------------------------------------------- */

int context_hook_add(struct rv_context *ctx, struct context_hook *hook)
{
    int err;

    pthread_mutex_lock(&ctx->hook_lock);
    atomic_store(&ctx->has_hooks, true);
    err = atomic_load(&ctx->err);
    atomic_init(&hook->linked, err == 0);
    if (err == 0)
        list_append(&ctx->hooks, &hook->list);
    pthread_mutex_unlock(&ctx->hook_lock);
    return err;
}

void context_hook_remove(struct rv_context *ctx, struct context_hook *hook)
{
    /* A waiter's hook that is no longer linked is no longer looked at by anybody. One with a
     * function may be running it, under the lock. */
    if (hook->wait && !atomic_load_explicit(&hook->linked, memory_order_acquire))
        return;
    pthread_mutex_lock(&ctx->hook_lock);
    if (atomic_load_explicit(&hook->linked, memory_order_relaxed)) {
        list_remove(&hook->list);
        atomic_store_explicit(&hook->linked, false, memory_order_relaxed);
    }
    pthread_mutex_unlock(&ctx->hook_lock);
}

int rv_context_wait(struct rv_context *ctx)
{
    struct context_hook hook = {0};
    struct wait wait;

    wait_init(&wait);
    hook.wait = &wait;
    if (context_hook_add(ctx, &hook) == 0) {
        wait_for(&wait, RV_NEVER);
        context_hook_remove(ctx, &hook);
    }
    return error_bare(rv_context_err(ctx));
}

/* After ------------------------------------------------------------------- */

/*
 * Safety: `lock` protects `state`. The hook's function only queues the work, and moves the state
 * from armed to queued under the hook lock; stopping removes the hook first, after which that can
 * no longer happen.
 */
struct rv_after {
    struct context_hook hook;
    struct work work;
    struct rv_context *ctx; /* a reference */
    void (*fn)(void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum { AFTER_ARMED, AFTER_QUEUED, AFTER_RUNNING, AFTER_DONE } state;
    pthread_t thread;    /* that runs fn */
    bool free_when_done; /* stopped from within fn */
};

static void after_free(struct rv_after *after)
{
    pthread_mutex_destroy(&after->lock);
    pthread_cond_destroy(&after->changed);
    rv_context_unref(after->ctx);
    free(after);
}

static void after_run(struct work *work)
{
    struct rv_after *after = container_of(work, struct rv_after, work);
    bool last;

    pthread_mutex_lock(&after->lock);
    after->state = AFTER_RUNNING;
    after->thread = pthread_self();
    pthread_mutex_unlock(&after->lock);
    rv_error_clear();
    after->fn(after->arg);
    pthread_mutex_lock(&after->lock);
    after->state = AFTER_DONE;
    last = after->free_when_done;
    pthread_cond_broadcast(&after->changed);
    pthread_mutex_unlock(&after->lock);
    if (last)
        after_free(after);
}

static void after_queue(struct rv_after *after)
{
    pthread_mutex_lock(&after->lock);
    after->state = AFTER_QUEUED;
    pthread_mutex_unlock(&after->lock);
    executor_queue_ending(&after->work);
}

static void after_fired(struct context_hook *hook)
{
    after_queue(container_of(hook, struct rv_after, hook));
}

int rv_after_create(struct rv_context *ctx, void (*fn)(void *arg), void *arg,
                    struct rv_after **ret_after)
{
    int r = runtime_is_forked() ? runtime_refuse_fork() : error_bare(executor_prepare_ending());
    struct rv_after *after;

    if (r < 0)
        return r;
    after = calloc(1, sizeof(*after));
    if (!after)
        return error_bare(-ENOMEM);
    list_init(&after->hook.list);
    after->hook.fn = after_fired;
    after->work.fn = after_run;
    after->ctx = rv_context_ref(ctx);
    after->fn = fn;
    after->arg = arg;
    pthread_mutex_init(&after->lock, NULL);
    pthread_cond_init(&after->changed, NULL);
    *ret_after = after;
    if (context_hook_add(ctx, &after->hook) != 0)
        after_queue(after);
    return 0;
}

bool rv_after_destroy(struct rv_after *after)
{
    bool never;

    if (!after)
        return false;
    context_hook_remove(after->ctx, &after->hook);
    pthread_mutex_lock(&after->lock);
    /* A call that no thread has begun is taken back: the thread that it waits for may be this one.
     */
    never = after->state == AFTER_ARMED ||
            (after->state == AFTER_QUEUED && executor_take_back(&after->work));
    if (after->state == AFTER_RUNNING && pthread_equal(after->thread, pthread_self())) {
        after->free_when_done = true;
        pthread_mutex_unlock(&after->lock);
        return false;
    }
    while (!never && after->state != AFTER_DONE && !runtime_is_forked())
        pthread_cond_wait(&after->changed, &after->lock);
    pthread_mutex_unlock(&after->lock);
    after_free(after);
    return never;
}

/* Values and labels ------------------------------------------------------- */

void *rv_context_value(const struct rv_context *ctx, const void *key)
{
    for (; ctx; ctx = ctx->parent)
        if (ctx->key == key && key)
            return ctx->value;
    return NULL;
}

bool context_has_value(const struct rv_context *ctx, const void *key, const void *value)
{
    for (; ctx; ctx = ctx->parent)
        if (ctx->key == key && ctx->value == value)
            return true;
    return false;
}

static char *append_string(char **position, const char *string)
{
    char *start = *position;

    strcpy(start, string);
    *position += strlen(string) + 1;
    return start;
}

int rv_context_with_labels(struct rv_context *parent, const struct rv_labels *labels,
                           struct rv_context **ret_ctx, struct rv_cancel **ret_cancel)
{
    struct rv_labels merged = rv_context_labels(parent);
    size_t size = sizeof(struct own_labels);
    struct own_labels *own;
    char *position;
    int r;

    merged.module = labels->module ? labels->module : merged.module;
    merged.task = labels->task ? labels->task : merged.task;
    merged.run = labels->run ? labels->run : merged.run;
    size += merged.module ? strlen(merged.module) + 1 : 0;
    size += merged.task ? strlen(merged.task) + 1 : 0;
    own = malloc(size);
    if (!own)
        return error_bare(-ENOMEM);
    r = rv_context_with_cancel(parent, ret_ctx, ret_cancel);
    if (r < 0) {
        free(own);
        return r;
    }
    position = own->strings;
    own->labels = (struct rv_labels){
        .module = merged.module ? append_string(&position, merged.module) : NULL,
        .task = merged.task ? append_string(&position, merged.task) : NULL,
        .run = merged.run,
    };
    (*ret_ctx)->own_labels = own;
    /* It is in the tree already, for rv_context_visit() to see. */
    pthread_mutex_lock(&(*ret_ctx)->top->tree_lock);
    (*ret_ctx)->labels = &own->labels;
    pthread_mutex_unlock(&(*ret_ctx)->top->tree_lock);
    return 0;
}

struct rv_labels rv_context_labels(const struct rv_context *ctx)
{
    return ctx->labels ? *ctx->labels : (struct rv_labels){0};
}

/* The live tree ----------------------------------------------------------- */

static struct rv_context *next_in_tree(struct rv_context *node, const struct rv_context *root,
                                       unsigned *depth)
{
    if (!list_is_empty(&node->children)) {
        (*depth)++;
        return list_entry(node->children.next, struct rv_context, sibling);
    }
    for (; node != root; node = node->parent, (*depth)--)
        if (node->sibling.next != &node->parent->children)
            return list_entry(node->sibling.next, struct rv_context, sibling);
    return NULL;
}

/* Under the tree lock: ctx and what is below it, with a reference each; as many as fit. Returns how
 * many there are. */
static size_t take_picture(struct rv_context *ctx, struct rv_context_info *infos, size_t room)
{
    unsigned depth = 0;
    size_t count = 0;

    for (struct rv_context *node = ctx; node; node = next_in_tree(node, ctx, &depth), count++)
        if (count < room && context_try_ref(node))
            infos[count] = (struct rv_context_info){
                .context = node,
                .depth = depth,
                .err = rv_context_err(node),
                .created = node->created,
                .deadline = node->deadline,
                .labels = rv_context_labels(node),
            };
    return count;
}

int rv_context_visit(struct rv_context *ctx,
                     int (*fn)(const struct rv_context_info *info, void *arg), void *arg)
{
    struct rv_context_info *infos = NULL;
    size_t room = 0, count = 1;
    int r = 0;

    while (count > room) {
        for (size_t i = 0; i < room; i++)
            rv_context_unref((struct rv_context *)(uintptr_t)infos[i].context);
        free(infos);
        room = count + count / 8;
        infos = calloc(room, sizeof(*infos));
        if (!infos)
            return error_bare(-ENOMEM);
        pthread_mutex_lock(&ctx->top->tree_lock);
        count = take_picture(ctx, infos, room);
        pthread_mutex_unlock(&ctx->top->tree_lock);
    }
    for (size_t i = 0; i < count; i++) {
        if (r == 0 && infos[i].context)
            r = fn(&infos[i], arg);
        rv_context_unref((struct rv_context *)(uintptr_t)infos[i].context);
    }
    free(infos);
    return r;
}
