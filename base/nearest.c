/* SPDX-License-Identifier: MIT */
#include "base/nearest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

#define NAME_LENGTH_MAX (NEAREST_NAME_SIZE - 1)

unsigned name_distance(const char *a, const char *b)
{
    unsigned rows[3][NAME_LENGTH_MAX + 1];
    size_t a_length = strlen(a), b_length = strlen(b);

    if (a_length > NAME_LENGTH_MAX || b_length > NAME_LENGTH_MAX)
        return UINT_MAX;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned shift = MIN(above[j], row[j - 1]);

            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = MIN(row[j], shift + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = MIN(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void nearest_begin(struct nearest *nearest, const char *wrong)
{
    *nearest = (struct nearest){.wrong = wrong, .distance = UINT_MAX};
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    unsigned distance = name_distance(nearest->wrong, candidate);
    unsigned allowed = MAX(2U, (unsigned)strlen(candidate) / 3);

    if (distance >= nearest->distance || distance > allowed || distance >= strlen(candidate))
        return;
    nearest->distance = distance;
    string_copy(nearest->name, sizeof(nearest->name), candidate);
}

const char *nearest_words(struct nearest *nearest)
{
    if (nearest_found(nearest))
        snprintf(nearest->words, sizeof(nearest->words), "; did you mean \"%s\"?", nearest->name);
    return nearest->words;
}
