/* SPDX-License-Identifier: MIT */
/*
 * A module's options: the keys of its section that are its own, bound to members of its state.
 *
 * The host reads and checks them all before init, and reports every error with its file and line. A
 * member a_b is the key "a-b". Strings and lists belong to the host; they are valid, unchanged,
 * until the module is stopped, or until reload returns, after which the new ones are.
 */
#ifndef REEVE_OPTION_H
#define REEVE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a member is, and what it is written as in a file. */
enum rv_option_type {
    RV_TYPE_STRING = 1, /* char * */
    RV_TYPE_LIST,       /* struct rv_list: the key may be repeated */
    RV_TYPE_BOOL,       /* bool: yes, no, true, false, on, off */
    RV_TYPE_INT,        /* int64_t */
    RV_TYPE_SIZE,       /* uint64_t bytes: 512, 64K, 1.5G */
    RV_TYPE_DURATION,   /* rv_duration: 500ms, 30s, 1h 30min */
    RV_TYPE_PATH,       /* char *: relative ones start at the state folder; not empty */
    RV_TYPE_ENUM,       /* int: the index of the choice */
    RV_TYPE_SECRET,     /* char *: never shown in logs or errors; alone may be `credential:NAME` */
};

/* What a list option is bound to. */
struct rv_list {
    char **items; /* ended by NULL */
    size_t count;
};

/* A key of a module's section. The macros fill in name, type and offset. */
struct rv_option {
    const char *name; /* the member; underscores are dashes in files */
    enum rv_option_type type;
    size_t offset;
    bool required; /* the key must be there, and its value, or each of a list, not be empty */
    const char *fallback; /* used when the key is not there; NULL: zero, NULL or an empty list */
    const char *help;     /* one line for people */
    int64_t minimum;      /* of numbers, sizes and durations; both 0: any */
    int64_t maximum;
    const char *const *choices; /* of an enum, ended by NULL */
};

#define RV_OPTION_(type_, state_, member_, ...) \
    {.name = #member_, .type = (type_), .offset = offsetof(state_, member_), __VA_ARGS__}

/*
 * An option for a member of the state; what follows are initialisers of struct rv_option:
 *
 *     RV_OPTION_STRING(struct probe, url, .required = true, .help = "URL to fetch")
 */
#define RV_OPTION_STRING(state, ...)   RV_OPTION_(RV_TYPE_STRING, state, __VA_ARGS__)
#define RV_OPTION_LIST(state, ...)     RV_OPTION_(RV_TYPE_LIST, state, __VA_ARGS__)
#define RV_OPTION_BOOL(state, ...)     RV_OPTION_(RV_TYPE_BOOL, state, __VA_ARGS__)
#define RV_OPTION_INT(state, ...)      RV_OPTION_(RV_TYPE_INT, state, __VA_ARGS__)
#define RV_OPTION_SIZE(state, ...)     RV_OPTION_(RV_TYPE_SIZE, state, __VA_ARGS__)
#define RV_OPTION_DURATION(state, ...) RV_OPTION_(RV_TYPE_DURATION, state, __VA_ARGS__)
#define RV_OPTION_PATH(state, ...)     RV_OPTION_(RV_TYPE_PATH, state, __VA_ARGS__)
#define RV_OPTION_ENUM(state, ...)     RV_OPTION_(RV_TYPE_ENUM, state, __VA_ARGS__)
#define RV_OPTION_SECRET(state, ...)   RV_OPTION_(RV_TYPE_SECRET, state, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
