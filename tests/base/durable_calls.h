/* SPDX-License-Identifier: MIT */
/*
 * For tests of files that survive a power cut. The calls that write, sync and rename are wrapped by
 * the linker: a test sees their order, and makes each of them fail. What a real cut leaves is tried
 * in virtual machines; here it is the order of the calls that stands for it.
 */
#ifndef REEVE_TESTS_DURABLE_CALLS_H
#define REEVE_TESTS_DURABLE_CALLS_H

#include "tests/support/test.h"

struct fault {
    const char *call;
    int nth; /* from 1; 0: each */
    int error;
};

/* From here on calls are recorded, and those of the faults fail. Each may be NULL. */
void record(const struct fault *first, const struct fault *second);
/* The calls since then, with blanks between them. Ends the recording. */
const char *recorded(void);
/* Before the call of that name others do fn, until the test has ended; after it for "after CALL".
 */
void others(const char *call, void (*fn)(void));

/* Two directories of a test, one in the other. */
extern int folder, other;
int durable_setup(void **state);
int durable_teardown(void **state);

void put(int fd, const char *name, const char *text);
void empty(int fd);
/* The names in a directory, sorted, without the other directory. */
void expect_names(int fd, const char *expected);
void expect_content(int fd, const char *name, const char *expected);

#endif
