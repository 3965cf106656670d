/* SPDX-License-Identifier: MIT */
/*
 * "did you mean": of the names that would have been right, the one nearest to a wrong one.
 *
 *     struct nearest nearest;
 *
 *     nearest_begin(&nearest, word);
 *     for (...)
 *         nearest_offer(&nearest, name);
 *     printf("there is no module \"%s\"%s", word, nearest_words(&nearest));
 */
#ifndef REEVE_BASE_NEAREST_H
#define REEVE_BASE_NEAREST_H

#define NEAREST_NAME_SIZE 64

struct nearest {
    const char *wrong; /* the caller's */
    unsigned distance; /* of name */
    char name[NEAREST_NAME_SIZE];
    char words[NEAREST_NAME_SIZE + sizeof("; did you mean \"\"?")];
};

void nearest_begin(struct nearest *nearest, const char *wrong);

/* A name that would have been right. The first of those that are equally near counts. */
void nearest_offer(struct nearest *nearest, const char *candidate);

/* Whether a name is near enough to help: at most a third of its letters, or two, would have to
 * change. */
static inline int nearest_found(const struct nearest *nearest)
{
    return nearest->name[0] != '\0';
}

/* What follows the error: "; did you mean "NAME"?", or nothing. Valid for as long as the structure.
 */
const char *nearest_words(struct nearest *nearest);

/*
 * How many edits (insert, remove, replace, swap neighbours) lead from a to b. Names longer than 63
 * bytes are as far as can be.
 */
unsigned name_distance(const char *a, const char *b);

#endif
