/* SPDX-License-Identifier: MIT */
/*
 * The tree that a program of reeve's was built in and still lies in: the others, and the modules,
 * are beside it. To run them is as safe as running the program from there: nobody may write where
 * they lie that may not write to its own directory.
 */
#ifndef REEVE_SETTINGS_BUILD_TREE_H
#define REEVE_SETTINGS_BUILD_TREE_H

#include <limits.h>

struct build_tree {
    char host[PATH_MAX];    /* reeve-host */
    char daemon[PATH_MAX];  /* reeved */
    char modules[PATH_MAX]; /* their directory */
};

/* program: this one's path, in a directory of the tree. Returns 0; -ENOENT where there is no such
 * tree: it is installed; or -EPERM, when others may put programs where those of a tree would lie,
 * with the paths filled in. */
int build_tree_find(const char *program, struct build_tree *ret_tree);

#endif
