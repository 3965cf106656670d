#!/bin/sh
# SPDX-License-Identifier: MIT
# A group teardown of cmocka that fails is printed as FAILED, and the program succeeds all the same.
#
# Guess: cmocka_run_group_tests() returns a number above zero, as it does when the group's setup or the teardown of a
# single test fails, so that a check for leaks at the end of a group can fail the build.
# Seen: it returns 0. What only a group's teardown checks is checked by nobody who reads exit codes.
. "$(dirname "$0")/common.sh"

cat >"$work/test.c" <<'C'
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static int good(void **state) { (void)state; return 0; }
static int bad(void **state) { (void)state; return -1; }
static void test(void **state) { (void)state; }

int main(void)
{
    const struct CMUnitTest plain[] = {cmocka_unit_test(test)};
    const struct CMUnitTest torn[] = {cmocka_unit_test_teardown(test, bad)};
    int setup = cmocka_run_group_tests(plain, bad, NULL);
    int single = cmocka_run_group_tests(torn, NULL, NULL);
    int group = cmocka_run_group_tests(plain, good, bad);

    printf("returns: setup %d, teardown of a test %d, teardown of the group %d\n", setup, single, group);
    return 0;
}
C

outcome() {
    cp "$work/test.c" "$1/tmp/"
    inside "$1" gcc -o /tmp/test /tmp/test.c -lcmocka
    inside "$1" /tmp/test >"$work/said" 2>&1
    echo "$(sed -n 's/^returns: //p' "$work/said"); \"GROUP TEARDOWN\" in $(grep -c 'FAILED.*GROUP TEARDOWN' "$work/said") line"
}

mkdir -p "$work/old/tmp" "$work/new/tmp"
unpack "$work/old" trixie libcmocka-dev=1.1.7-3+b1 gcc=4:14.2.0-1 libc6-dev=2.41-12+deb13u5
unpack "$work/new" sid libcmocka-dev=2.0.2-1+b1 gcc=4:16.1.0-3 libc6-dev=2.43-7
expect 'cmocka 1.1.7' 'setup 1, teardown of a test 1, teardown of the group 0; "GROUP TEARDOWN" in 1 line' \
    outcome "$work/old"
expect 'cmocka 2.0.2' 'setup 1, teardown of a test 1, teardown of the group 0; "GROUP TEARDOWN" in 1 line' \
    outcome "$work/new"
