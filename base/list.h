/* SPDX-License-Identifier: MIT */
/*
 * An intrusive, doubly linked, circular list. A node that is on no list points to itself once
 * list_init() was called on it, so that list_remove() may be called twice.
 */
#ifndef REEVE_BASE_LIST_H
#define REEVE_BASE_LIST_H

#include <stdbool.h>

#include "base/macro.h"

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

/* Links node before position: at the tail when position is the list's head. */
static inline void list_insert_before(struct list *position, struct list *node)
{
    node->prev = position->prev;
    node->next = position;
    position->prev->next = node;
    position->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}

static inline void list_prepend(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define list_entry(node, type, member) container_of(node, type, member)

#define LIST_FOREACH(item, head, member)                                 \
    for ((item) = list_entry((head)->next, __typeof__(*(item)), member); \
         &(item)->member != (head);                                      \
         (item) = list_entry((item)->member.next, __typeof__(*(item)), member))

/* As LIST_FOREACH, but the body may remove the present item. */
#define LIST_FOREACH_SAFE(item, following, head, member)                            \
    for ((item) = list_entry((head)->next, __typeof__(*(item)), member),            \
        (following) = list_entry((item)->member.next, __typeof__(*(item)), member); \
         &(item)->member != (head); (item) = (following),                           \
        (following) = list_entry((item)->member.next, __typeof__(*(item)), member))

#endif
