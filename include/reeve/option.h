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

#include <reeve/duration.h>

#ifdef __cplusplus
#include <type_traits>

extern "C" {
#endif

/* The type of a member, and how it is written in a file. */
enum rv_option_type {
    RV_OPTION_TYPE_STRING = 1, /* char *, or const char *, as of paths and secrets */
    RV_OPTION_TYPE_LIST,       /* struct rv_list: the key may be repeated */
    RV_OPTION_TYPE_BOOL,       /* bool: yes, no, true, false, on, off */
    RV_OPTION_TYPE_INT,        /* int, or int64_t: 12, -3 */
    RV_OPTION_TYPE_SIZE,       /* uint64_t bytes: 512, 64K, 1.5G */
    RV_OPTION_TYPE_DURATION,   /* rv_duration: 500ms, 30s, 1h 30min */
    RV_OPTION_TYPE_PATH,       /* char *: relative ones start at the state directory; not empty */
    RV_OPTION_TYPE_ENUM,       /* int, unsigned or an enum: the index of the choice */
    RV_OPTION_TYPE_SECRET, /* char *: never shown in logs or errors; alone may be `credential:NAME`
                            */
    RV_OPTION_TYPE_PATHS,  /* struct rv_list of paths: the key may be repeated */
};

/* The member of an option of several values. */
struct rv_list {
    char **items; /* ended by NULL */
    size_t count;
};

/* A key of a module's section. The macros fill in name, type, offset, size and given. */
struct rv_option {
    const char *name RV_ZERO_; /* the member; underscores are dashes in files */
    enum rv_option_type type RV_ZERO_;
    size_t offset RV_ZERO_; /* of the member, in the state */
    size_t size RV_ZERO_;   /* of the member: no more is written */
    /* The following initialisers, as a text: whether a bound of 0 is one. */
    const char *given RV_ZERO_;
    /* The key must be there, and its value, or each of a list, not be empty. */
    bool required RV_ZERO_;
    /* Used when the key is not there; NULL: zero, NULL or an empty list. */
    const char *fallback RV_ZERO_;
    const char *help RV_ZERO_; /* one line for people */
    int64_t minimum RV_ZERO_;  /* of numbers, sizes and durations. Each bound may stand alone */
    int64_t maximum RV_ZERO_;
    const char *const *choices RV_ZERO_; /* of an enum, ended by NULL */
};

/* A member's place, if it is of a type that the option can have; otherwise it does not compile. */
#ifdef __cplusplus
extern "C++" {
template <typename Member, typename Type, typename Other = Type> struct rv_member_ {
    static_assert(std::is_same<Member, Type>::value || std::is_same<Member, Other>::value,
                  "the member has another type than its option");
    static constexpr size_t size = sizeof(Member);
};

template <typename Member> struct rv_enum_member_ {
    static_assert(std::is_enum<Member>::value || std::is_same<Member, int>::value ||
                      std::is_same<Member, unsigned>::value,
                  "the member has another type than its option");
    static constexpr size_t size = sizeof(Member);
};
}

#define RV_TYPE_OF_(state_, member_) decltype(static_cast<state_ *>(nullptr)->member_)
#define RV_MEMBER_(state_, member_, ...) \
    .offset = offsetof(state_, member_), \
    .size = rv_member_<RV_TYPE_OF_(state_, member_), __VA_ARGS__>::size
#define RV_MEMBER_TEXT_(state_, member_) RV_MEMBER_(state_, member_, char *, const char *)
#define RV_MEMBER_ENUM_(state_, member_) \
    .offset = offsetof(state_, member_), .size = rv_enum_member_<RV_TYPE_OF_(state_, member_)>::size
#else
/* By a pointer to the member: an array would pass for one to its first element. */
#define RV_MEMBER_(state_, member_, type_)                                           \
    .offset = _Generic(&((state_ *)0)->member_, type_ *: offsetof(state_, member_)), \
    .size = sizeof(((state_ *)0)->member_)
#define RV_MEMBER_OR_(state_, member_, type_, other_) \
    .offset = _Generic(&((state_ *)0)->member_,       \
        type_ *: offsetof(state_, member_),           \
        other_ *: offsetof(state_, member_)),         \
    .size = sizeof(((state_ *)0)->member_)
#define RV_MEMBER_TEXT_(state_, member_) RV_MEMBER_OR_(state_, member_, char *, const char *)
#define RV_MEMBER_ENUM_(state_, member_) RV_MEMBER_OR_(state_, member_, int, unsigned)
#endif
#define RV_MEMBER_BOOL_(state_, member_)     RV_MEMBER_(state_, member_, bool)
#define RV_MEMBER_INT_(state_, member_)      RV_MEMBER_(state_, member_, int)
#define RV_MEMBER_INT64_(state_, member_)    RV_MEMBER_(state_, member_, int64_t)
#define RV_MEMBER_UINT64_(state_, member_)   RV_MEMBER_(state_, member_, uint64_t)
#define RV_MEMBER_DURATION_(state_, member_) RV_MEMBER_(state_, member_, rv_duration)
#define RV_MEMBER_LIST_(state_, member_)     RV_MEMBER_(state_, member_, struct rv_list)

/* The last argument is empty, and the comma before it ends the list: an option without initialisers
 * would leave out an argument, of which compilers warn. */
#define RV_OPTION_(type_, kind_, state_, member_, ...) \
    {.name = #member_,                                 \
     .type = RV_OPTION_TYPE_##type_,                   \
     RV_MEMBER_##kind_##_(state_, member_),            \
     .given = #__VA_ARGS__,                            \
     __VA_ARGS__}

/*
 * An option for a member of the state, of the type that `enum rv_option_type` says: a member of
 * another type does not compile. These are initialisers of struct rv_option:
 *
 *     RV_OPTION_STRING(struct probe, url, .required = true, .help = "URL to fetch"),
 *     RV_OPTION_INT(struct probe, retries, .fallback = "3", .minimum = 0)
 */
#define RV_OPTION_STRING(state, ...)   RV_OPTION_(STRING, TEXT, state, __VA_ARGS__, )
#define RV_OPTION_LIST(state, ...)     RV_OPTION_(LIST, LIST, state, __VA_ARGS__, )
#define RV_OPTION_BOOL(state, ...)     RV_OPTION_(BOOL, BOOL, state, __VA_ARGS__, )
#define RV_OPTION_INT(state, ...)      RV_OPTION_(INT, INT, state, __VA_ARGS__, )
#define RV_OPTION_INT64(state, ...)    RV_OPTION_(INT, INT64, state, __VA_ARGS__, )
#define RV_OPTION_SIZE(state, ...)     RV_OPTION_(SIZE, UINT64, state, __VA_ARGS__, )
#define RV_OPTION_DURATION(state, ...) RV_OPTION_(DURATION, DURATION, state, __VA_ARGS__, )
#define RV_OPTION_PATH(state, ...)     RV_OPTION_(PATH, TEXT, state, __VA_ARGS__, )
#define RV_OPTION_PATHS(state, ...)    RV_OPTION_(PATHS, LIST, state, __VA_ARGS__, )
#define RV_OPTION_ENUM(state, ...)     RV_OPTION_(ENUM, ENUM, state, __VA_ARGS__, )
#define RV_OPTION_SECRET(state, ...)   RV_OPTION_(SECRET, TEXT, state, __VA_ARGS__, )

#ifdef __cplusplus
}
#endif

#endif
