/* SPDX-License-Identifier: MIT */
/*
 * A table of settings: each line is a key with all that is known of it. The keys of [daemon], of a
 * module, of tasks and of pools are such tables, and so are the options that a module declares.
 * Values are read by them, and errors, defaults, the manual, the completion of shells and the
 * sample of a configuration come from them.
 *
 * A message is one line, "KEY = VALUE: expected WHAT", for which the caller has the place.
 */
#ifndef REEVE_BASE_SETTING_H
#define REEVE_BASE_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nearest;

/* How a value is written, and what it is bound to. */
enum setting_kind {
    SETTING_STRING = 1, /* char * */
    SETTING_SECRET,     /* char *, in no message */
    SETTING_PATH,       /* char * */
    SETTING_NAME,       /* char *: letters, digits, '-', '_' and '.' */
    SETTING_LIST,       /* struct strings: each line is an item */
    SETTING_PATHS,      /* the same, and none is empty */
    SETTING_WORDS,      /* struct strings: each line has items with blanks between them */
    SETTING_BOOL,       /* bool */
    SETTING_INTEGER, /* int32_t, uint32_t or int64_t; of SETTING_OPTIONAL struct setting_optional */
    SETTING_SIZE,    /* uint64_t bytes */
    SETTING_DURATION, /* int64_t nanoseconds */
    SETTING_CHOICE,  /* an enum or integer of any size: the index among the choices, from minimum on
                      */
    SETTING_PERCENT, /* unsigned */
    SETTING_RATE,    /* struct setting_rate */
    SETTING_OWN,     /* as setting.own says */
};

enum setting_flag {
    SETTING_REQUIRED = 1 << 0,
    SETTING_REPEATED = 1 << 1, /* may be given several times; of lists and words always so */
    SETTING_EMPTY = 1 << 2,    /* a text that may be empty */
    SETTING_NEVER = 1 << 3,    /* a duration that may be "never", which is 0 */
    SETTING_OPTIONAL = 1 << 4,
    SETTING_FILES = 1 << 5,      /* words that are paths of what must be there */
    SETTING_OF_PROCESS = 1 << 6, /* of a module: a change needs another process */
    SETTING_EXACT = 1 << 7,      /* a bound of 0 is one */
};

/* A number for which 0 is not the same as none. */
struct setting_optional {
    bool given;
    int value;
};

/* "5/60s": at most count events within window. */
struct setting_rate {
    unsigned count;
    int64_t window;
};

/* The count of a rate is at most this. */
#define SETTING_RATE_MAX 1000

/* What setting_own.parse() expects when there is none. */
extern const char setting_no_memory[];

/* Members that only one table uses. */
struct setting_own {
    const char *type;    /* a word for people */
    const char *allowed; /* what a value may be, as setting_allowed() writes it */
    /* Reads text into *target. Returns NULL, or what was expected, for the error message. */
    const char *(*parse)(const char *text, void *target);
    /* Writes it as it is read; "" for what was never given. NULL: it has no default to show. */
    void (*format)(const void *target, char *buffer, size_t size);
};

struct setting {
    const char *key;
    enum setting_kind kind;
    unsigned flags;
    size_t offset; /* of the member in the structure of its table */
    size_t size;   /* of the member */
    /* The only place of the default, and what is applied: as it would be written. NULL: zero. */
    const char *fallback;
    /* Of a choice the value of the first. Of numbers, sizes, durations and percentages. A maximum
     * of 0 beside a minimum above it is none, and so is a minimum of 0 beside a maximum below it;
     * both 0: any, and so are INT64_MIN and INT64_MAX. With SETTING_EXACT a 0 is a bound. */
    int64_t minimum, maximum;
    const char *const *choices; /* ended by NULL */
    const struct setting_own *own;
    const char *example; /* a value for people where there is no default */
    const char *help;    /* one line for people */
};

/* The first fields of a line whose member is that of a structure. */
#define SETTING_OF(key_, kind_, type_, member_)                         \
    .key = (key_), .kind = (kind_), .offset = offsetof(type_, member_), \
    .size = sizeof(((type_ *)NULL)->member_)

#define SETTING_MESSAGE_SIZE 512

/* Tables end with a key of NULL. */
const struct setting *setting_find(const struct setting *table, const char *key);
/* Offers all keys of the table, each behind the prefix. */
void setting_offer_keys(const struct setting *table, const char *prefix, struct nearest *nearest);

static inline bool setting_is_list(const struct setting *setting)
{
    return setting->kind == SETTING_LIST || setting->kind == SETTING_PATHS ||
           setting->kind == SETTING_WORDS;
}

static inline bool setting_is_repeated(const struct setting *setting)
{
    return setting_is_list(setting) || (setting->flags & SETTING_REPEATED);
}

/*
 * Reads a value into its member. name is the key as it is written, such as "check.every" for
 * "every". Of a list, items are added. Returns 0; -EINVAL with a message, and the member is as
 * before; or -ENOMEM.
 */
int setting_parse(const struct setting *setting, const char *name, const char *value, void *member,
                  char *message, size_t size);

/* Applies the defaults of a table to a structure of zeros, but for those of lists, which count only
 * if nothing was given. Returns 0 or -ENOMEM. */
int settings_init(const struct setting *table, void *base);
/* Applies the default to a list that is empty. Returns 0 or -ENOMEM. */
int setting_fill(const struct setting *setting, void *member);

static inline void *setting_member(const struct setting *setting, void *base)
{
    return (char *)base + setting->offset;
}

/* Frees what a text or list has, and makes it empty. */
void setting_release(const struct setting *setting, void *member);

/* Whether two members are the same. Not of SETTING_OWN. */
bool setting_equal(const struct setting *setting, const void *a, const void *b);

/* Other faults of a key. A line may be 0, where it is not known. */
void setting_say_missing(const struct setting *setting, const char *name, char *message,
                         size_t size);
void setting_say_twice(const char *name, unsigned first_line, char *message, size_t size);
void setting_say_unknown(const char *name, const char *value, char *message, size_t size);

/* As text ----------------------------------------------------------------- */

/* One word for its kind. */
const char *setting_type(const struct setting *setting);

/* The bounds, INT64_MIN and INT64_MAX for none. Returns whether there is any. */
bool setting_bounds(const struct setting *setting, int64_t *ret_minimum, int64_t *ret_maximum);
/* A number of the setting's kind as it is written. */
char *setting_format_number(const struct setting *setting, int64_t number, char *buffer,
                            size_t size);

/* The values that are allowed, such as "a whole number from 1 to 200" and "skip or queue". */
char *setting_allowed(const struct setting *setting, char *buffer, size_t size);

/* Writes a member as it would be read, of a list with blanks between the items; "" for none. */
char *setting_format(const struct setting *setting, const void *member, char *buffer, size_t size);

/* How many bytes a member of the kind has; 0: that depends. */
size_t setting_kind_size(enum setting_kind kind);

#endif
