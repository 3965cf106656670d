/* SPDX-License-Identifier: MIT */
/* A context's record, for context.c, cause.c, context_fd.c and context_use.c. */
#ifndef REEVE_LIB_CONTEXT_H
#define REEVE_LIB_CONTEXT_H

#include "lib/internal.h"

struct shared_cause {
    _Atomic unsigned references;
    struct rv_cause cause;
};

/* cause.c. NULL is none, and may be referenced. */
struct shared_cause *cause_create(int code, const char *text);
struct shared_cause *cause_ref(struct shared_cause *cause);
void cause_unref(struct shared_cause *cause);

/* context_fd.c. Makes the descriptor readable, if there is one. With the hook lock. */
void context_fd_done(struct rv_context *ctx);
/* When the context goes away. */
void context_fd_close(struct rv_context *ctx);
void context_fd_lock(void);
void context_fd_unlock(void);
/* In a child of fork(), with the lock: contexts get descriptors of its own. */
void context_fds_forked(void);

/* The labels that a context adds, with its strings behind them. */
struct own_labels {
    struct rv_labels labels;
    char strings[];
};

struct rv_context {
    _Atomic int err;
    _Atomic unsigned references;
    _Atomic bool has_hooks; /* or an fd; never becomes false again */
    bool linked;            /* in the parent's list */
    bool has_timer;
    int fd;                    /* negative: none */
    struct rv_context *parent; /* a reference */
    struct rv_context *top;    /* of the tree; may be itself */
    struct list children;
    struct list sibling;
    struct list hooks;
    struct list fd_list; /* context_fd.c's, while there is an fd */
    struct rv_context *wake_next;
    struct shared_cause *cause; /* NULL: nothing beyond err */
    const void *key;
    void *value;
    const struct rv_labels *labels; /* those that count; NULL for none */
    struct own_labels *own_labels;
    rv_time created;
    rv_time deadline;
    struct timer timer; /* armed only if the deadline is earlier than the parent's */
    pthread_mutex_t hook_lock;
    pthread_mutex_t tree_lock; /* used only by the top of a tree */
};

#endif
