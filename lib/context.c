/* SPDX-License-Identifier: MIT */
/*
 * The context tree: making, cancelling, freeing.
 *
 * Properties: once rv_context_err() of a context is not 0, that of every descendant is not 0
 * either, and nobody has been woken before that held. The first cause wins. A cancelled context
 * leaves its parent's list at once.
 *
 * Operation: a tree is what hangs below a context that no other can cancel: a child of the
 * background or of rv_context_without_cancel(). Its topmost context has the tree lock. Cancelling
 * takes the tree lock, walks the descendants from the leaves up, sets each one's cause and then its
 * err, and unlinks it; those that have hooks go on a list. Then, without the tree lock, each of
 * these has its hook lock taken and its hooks run.
 *
 * Safety: the tree lock protects `children`, `sibling`, `linked` and who is marked; the hook lock
 * protects `hooks` and `fd`. No wake-up is lost: adding a hook first sets has_hooks and then looks
 * at err; marking first sets err and then looks at has_hooks; with both sequentially consistent one
 * of the two sees the other. Memory: a child holds a reference to its parent, the topmost context
 * outlives its tree, and the list of marked contexts holds references. A context whose count has
 * reached 0 is marked but not put on that list: nobody can wait for it.
 */
#include "lib/context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/shown.h"
#include "base/text.h"

static struct rv_context background = {
    .references = 1,
    .deadline = RV_NEVER,
    .fd = -1,
    .hook_lock = PTHREAD_MUTEX_INITIALIZER,
    .tree_lock = PTHREAD_MUTEX_INITIALIZER,
    .children = {&background.children, &background.children},
    .sibling = {&background.sibling, &background.sibling},
    .hooks = {&background.hooks, &background.hooks},
    .top = &background,
};

struct rv_context *rv_context_background(void)
{
    return &background;
}

/* Everybody uses it: a child of fork() must not find its locks taken. */
void contexts_lock(void)
{
    pthread_mutex_lock(&background.tree_lock);
    pthread_mutex_lock(&background.hook_lock);
    context_fd_lock();
}

void contexts_unlock(void)
{
    context_fd_unlock();
    pthread_mutex_unlock(&background.hook_lock);
    pthread_mutex_unlock(&background.tree_lock);
}

/* A thread that waits under the background is not in the child, where another thread may get the
 * stack that its hook is on. */
void contexts_forked(void)
{
    struct context_hook *hook, *next;

    LIST_FOREACH_SAFE (hook, next, &background.hooks, list)
        if (hook->wait) {
            list_remove(&hook->list);
            atomic_store_explicit(&hook->linked, false, memory_order_relaxed);
        }
    context_fds_forked();
}

/* Cancelling -------------------------------------------------------------- */

bool context_try_ref(struct rv_context *ctx)
{
    unsigned references = atomic_load_explicit(&ctx->references, memory_order_relaxed);

    if (ctx == &background)
        return true;
    while (references > 0)
        if (atomic_compare_exchange_weak_explicit(&ctx->references, &references, references + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

/* Under the tree lock. */
static void mark(struct rv_context *ctx, int code, struct shared_cause *cause,
                 struct rv_context **wake)
{
    if (ctx->linked) {
        list_remove(&ctx->sibling);
        ctx->linked = false;
    }
    ctx->cause = cause_ref(cause);
    atomic_store(&ctx->err, code);
    if (atomic_load(&ctx->has_hooks) && context_try_ref(ctx)) {
        ctx->wake_next = *wake;
        *wake = ctx;
    }
}

/* Under the tree lock: marks ctx and all below it, leaves first. A marked context has no children
 * left, so going down to a first child and marking on the way back needs neither recursion nor
 * memory. */
static void mark_tree(struct rv_context *ctx, int code, struct shared_cause *cause,
                      struct rv_context **wake)
{
    struct rv_context *node = ctx;

    for (;;) {
        while (!list_is_empty(&node->children))
            node = list_entry(node->children.next, struct rv_context, sibling);
        if (node == ctx)
            break;
        struct rv_context *parent = node->parent;

        mark(node, code, cause, wake);
        node = parent;
    }
    mark(ctx, code, cause, wake);
}

static void run_hooks(struct rv_context *ctx)
{
    pthread_mutex_lock(&ctx->hook_lock);
    while (!list_is_empty(&ctx->hooks)) {
        struct context_hook *hook = list_entry(ctx->hooks.next, struct context_hook, list);
        struct wait *wait = hook->wait;

        list_remove(&hook->list);
        if (wait) {
            struct parker *parker = wait->parker;

            wait_claim(wait, WAIT_CANCEL);
            /* The waiter may return from here on; its parker stays. */
            atomic_store_explicit(&hook->linked, false, memory_order_release);
            parker_unpark(parker);
        } else {
            atomic_store_explicit(&hook->linked, false, memory_order_release);
            hook->fn(hook);
        }
    }
    context_fd_done(ctx);
    pthread_mutex_unlock(&ctx->hook_lock);
}

static void cancel(struct rv_context *ctx, int code, struct shared_cause *cause)
{
    struct rv_context *wake = NULL, *next;
    struct rv_context *top = ctx->top;

    pthread_mutex_lock(&top->tree_lock);
    if (atomic_load_explicit(&ctx->err, memory_order_relaxed) == 0)
        mark_tree(ctx, code, cause, &wake);
    pthread_mutex_unlock(&top->tree_lock);
    for (; wake; wake = next) {
        next = wake->wake_next;
        run_hooks(wake);
        rv_context_unref(wake);
    }
}

void context_cancel_text(struct rv_context *ctx, int code, const char *text)
{
    struct shared_cause *cause;

    if (rv_context_err(ctx) != 0 || ctx == &background)
        return;
    /* If even the spare ones are used up, the code must do. */
    cause = text ? cause_create(code, text) : NULL;
    cancel(ctx, code, cause);
    cause_unref(cause);
}

void context_cancel_format(struct rv_context *ctx, int code, const char *format, va_list args)
{
    char text[sizeof(((struct rv_cause *)NULL)->text)];

    if (!ctx || rv_context_err(ctx) != 0)
        return;
    if (format)
        text_format_shown(text, sizeof(text), format, args);
    context_cancel_text(ctx, cancel_code(code), format ? text : NULL);
}

void rv_context_cancel(struct rv_cancel *cancel_handle, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    context_cancel_format((struct rv_context *)cancel_handle, code, format, args);
    va_end(args);
}

static void deadline_passed(struct timer *timer)
{
    struct rv_context *ctx = container_of(timer, struct rv_context, timer);

    /* The last reference may be going away at this moment: then rv_context_unref() waits for us. */
    if (!context_try_ref(ctx))
        return;
    cancel(ctx, -ETIMEDOUT, NULL);
    rv_context_unref(ctx);
}

/* Making and freeing ------------------------------------------------------ */

/* To the next tick of the kernel below: enough for an age, and nearly free. */
static rv_time coarse_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * RV_SECOND + now.tv_nsec;
}

/* A node with nothing of its own. `attach` links it to its parent, whose cancel is then its own. */
static struct rv_context *make(struct rv_context *parent, bool attach)
{
    struct rv_context *ctx = malloc(sizeof(*ctx));

    if (!ctx)
        return NULL;
    memset(ctx, 0, sizeof(*ctx));
    atomic_init(&ctx->references, 1);
    ctx->hook_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER; /* without a call */
    ctx->tree_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    list_init(&ctx->children);
    list_init(&ctx->sibling);
    list_init(&ctx->hooks);
    ctx->fd = -1;
    ctx->timer.fn = deadline_passed;
    ctx->created = coarse_now();
    ctx->parent = rv_context_ref(parent);
    ctx->labels = parent->labels;
    attach = attach && parent != &background;
    ctx->top = attach ? parent->top : ctx;
    ctx->deadline = attach ? parent->deadline : RV_NEVER;
    return ctx;
}

/* Links what make() made, or makes it done if its parent is. */
static void attach_to_parent(struct rv_context *ctx)
{
    struct rv_context *parent = ctx->parent, *top = ctx->top;
    int err;

    if (top == ctx)
        return;
    pthread_mutex_lock(&top->tree_lock);
    err = atomic_load_explicit(&parent->err, memory_order_relaxed);
    if (err == 0) {
        list_append(&parent->children, &ctx->sibling);
        ctx->linked = true;
    } else {
        ctx->cause = cause_ref(parent->cause);
        atomic_store(&ctx->err, err);
    }
    pthread_mutex_unlock(&top->tree_lock);
}

int rv_context_with_cancel(struct rv_context *parent, struct rv_context **ret_ctx,
                           struct rv_cancel **ret_cancel)
{
    struct rv_context *ctx = make(parent, true);

    if (!ctx)
        return error_bare(-ENOMEM);
    attach_to_parent(ctx);
    give_cancel(ctx, ret_cancel);
    *ret_ctx = ctx;
    return 0;
}

int rv_context_without_cancel(struct rv_context *parent, struct rv_context **ret_ctx,
                              struct rv_cancel **ret_cancel)
{
    struct rv_context *ctx = make(parent, false);

    if (!ctx)
        return error_bare(-ENOMEM);
    give_cancel(ctx, ret_cancel);
    *ret_ctx = ctx;
    return 0;
}

int rv_context_with_deadline(struct rv_context *parent, rv_time deadline,
                             struct rv_context **ret_ctx, struct rv_cancel **ret_cancel)
{
    struct rv_context *ctx = make(parent, true);
    bool earlier;
    int r = 0;

    if (!ctx)
        return error_bare(-ENOMEM);
    earlier = deadline < ctx->deadline;
    if (earlier)
        ctx->deadline = deadline;
    attach_to_parent(ctx);
    if (earlier && deadline <= rv_now())
        cancel(ctx, -ETIMEDOUT, NULL);
    else if (earlier && rv_context_err(ctx) == 0) {
        ctx->has_timer = true;
        r = timer_arm(&ctx->timer, deadline);
    }
    if (r < 0) {
        rv_context_unref(ctx);
        return runtime_is_forked() ? runtime_refuse_fork() : error_bare(r);
    }
    give_cancel(ctx, ret_cancel);
    *ret_ctx = ctx;
    return 0;
}

int rv_context_with_timeout(struct rv_context *parent, rv_duration timeout,
                            struct rv_context **ret_ctx, struct rv_cancel **ret_cancel)
{
    return rv_context_with_deadline(parent, timeout <= 0 ? 0 : deadline_after(timeout), ret_ctx,
                                    ret_cancel);
}

int rv_context_with_value(struct rv_context *parent, const void *key, void *value,
                          struct rv_context **ret_ctx, struct rv_cancel **ret_cancel)
{
    int r = rv_context_with_cancel(parent, ret_ctx, ret_cancel);

    if (r == 0) {
        (*ret_ctx)->key = key;
        (*ret_ctx)->value = value;
    }
    return r;
}

struct rv_context *rv_context_ref(struct rv_context *ctx)
{
    if (ctx != &background)
        atomic_fetch_add_explicit(&ctx->references, 1, memory_order_relaxed);
    return ctx;
}

static void destroy(struct rv_context *ctx)
{
    struct rv_context *top = ctx->top;

    if (top != ctx) {
        pthread_mutex_lock(&top->tree_lock);
        if (ctx->linked)
            list_remove(&ctx->sibling);
        pthread_mutex_unlock(&top->tree_lock);
    }
    if (ctx->has_timer)
        timer_remove(&ctx->timer);
    /* Hooks that are still there belong to what hangs on the context's end, however it comes. */
    if (atomic_load(&ctx->has_hooks))
        run_hooks(ctx);
    context_fd_close(ctx);
    cause_unref(ctx->cause);
    free(ctx->own_labels);
    pthread_mutex_destroy(&ctx->hook_lock);
    pthread_mutex_destroy(&ctx->tree_lock);
    free(ctx);
}

struct rv_context *rv_context_unref(struct rv_context *ctx)
{
    /* A loop, not a recursion: chains of contexts may be long. */
    while (ctx && ctx != &background &&
           atomic_fetch_sub_explicit(&ctx->references, 1, memory_order_acq_rel) == 1) {
        struct rv_context *parent = ctx->parent;

        destroy(ctx);
        ctx = parent;
    }
    return NULL;
}
