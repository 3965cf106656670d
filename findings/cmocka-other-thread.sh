#!/bin/sh
# SPDX-License-Identifier: MIT
# A cmocka assertion that fails in a thread other than the test's ends the whole program, without a summary.
#
# Guess: the test is counted as failed, as with an assertion in the test's own thread, and the next test runs; at the
# very least the program ends with the number of failed tests.
# Seen: neither the next test nor the summary. cmocka 1.1.7 exits with 255 and does not even say which assertion it was,
# where its output goes to a file; 2.0.2 names it, and exits with 1, as if one of the tests had failed.
. "$(dirname "$0")/common.sh"

cat >"$work/test.c" <<'C'
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

static void *work(void *arg) { assert_int_equal(1, 2); return arg; }

static void first(void **state)
{
    pthread_t thread;
    (void)state;
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
}

static void second(void **state) { (void)state; }

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first), cmocka_unit_test(second)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
C

outcome() {
    cp "$work/test.c" "$1/tmp/"
    inside "$1" gcc -o /tmp/test /tmp/test.c -lcmocka
    code=0
    inside "$1" /tmp/test >"$work/said" 2>&1 || code=$?
    echo "exit code $code, $(grep -c '1 != 0x2\|1 != 2' "$work/said") lines of the assertion," \
        "$(grep -c second "$work/said") of the next test, $(grep -c 'PASSED\|FAILED' "$work/said") of a summary"
}

mkdir -p "$work/old/tmp" "$work/new/tmp"
unpack "$work/old" trixie libcmocka-dev=1.1.7-3+b1 gcc=4:14.2.0-1 libc6-dev=2.41-12+deb13u5
unpack "$work/new" sid libcmocka-dev=2.0.2-1+b1 gcc=4:16.1.0-3 libc6-dev=2.43-7
expect 'cmocka 1.1.7' 'exit code 255, 0 lines of the assertion, 0 of the next test, 0 of a summary' \
    outcome "$work/old"
expect 'cmocka 2.0.2' 'exit code 1, 1 lines of the assertion, 0 of the next test, 0 of a summary' \
    outcome "$work/new"
