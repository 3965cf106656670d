/* SPDX-License-Identifier: MIT */
/*
 * cmocka.h with what it needs before it, and what differs between its versions.
 */
#ifndef REEVE_TESTS_SUPPORT_CMOCKA_H
#define REEVE_TESTS_SUPPORT_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* low <= value <= high. cmocka 2 has deprecated assert_in_range(), which 1.1 has alone. */
#define assert_between(value, low, high)                                                         \
    do {                                                                                         \
        int64_t between_ = (value);                                                              \
        if (between_ < (low) || between_ > (high))                                               \
            fail_msg("%s is %lld, not from %s to %s", #value, (long long)between_, #low, #high); \
    } while (0)

#endif
