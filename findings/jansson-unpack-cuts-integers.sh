#!/bin/sh
# SPDX-License-Identifier: MIT
# json_unpack() stores the low 32 bits of an integer that does not fit, and says that all is well.
#
# Guess: an integer of a document that does not fit into the int of "i" is an error, as one of the wrong type is, and as
# one beyond 64 bits is when the document is read; under JSON_STRICT at the latest.
# Seen: json_unpack_ex() returns 0, and 4294967297 has become 1. An error comes for null in a member that "?" makes
# optional, which means absent, not empty. Only "I" takes every integer that can be read.
. "$(dirname "$0")/common.sh"

cat >"$work/unpack.c" <<'C'
#include <jansson.h>
#include <stdio.h>

int main(void)
{
    json_t *large = json_loads("{\"n\": 4294967297}", 0, NULL), *null = json_loads("{\"n\": null}", 0, NULL);
    json_error_t error;
    json_int_t whole = -1;
    int part = -1, r = json_unpack_ex(large, &error, JSON_STRICT, "{s:i}", "n", &part);

    printf("i returns %d and %d; ", r, part);
    r = json_unpack_ex(large, &error, JSON_STRICT, "{s:I}", "n", &whole);
    printf("I returns %d and %lld; ", r, (long long)whole);
    printf("a null of ?I: %s; ", json_unpack_ex(null, &error, 0, "{s?I}", "n", &whole) < 0 ? "error" : "absent");
    printf("beyond 64 bits: %s\n", json_loads("{\"n\": 9223372036854775808}", 0, &error) ? "read" : "error");
    return 0;
}
C

outcome() {
    cp "$work/unpack.c" "$1/tmp/"
    inside "$1" gcc -o /tmp/unpack /tmp/unpack.c -ljansson
    inside "$1" /tmp/unpack
}

cut='i returns 0 and 1; I returns 0 and 4294967297; a null of ?I: error; beyond 64 bits: error'
mkdir -p "$work/old/tmp" "$work/new/tmp"
unpack "$work/old" trixie libjansson-dev=2.14-2+b3 gcc=4:14.2.0-1 libc6-dev=2.41-12+deb13u5
unpack "$work/new" sid libjansson-dev=2.15.1-1 gcc=4:16.1.0-3 libc6-dev=2.43-7
expect 'jansson 2.14' "$cut" outcome "$work/old"
expect 'jansson 2.15.1' "$cut" outcome "$work/new"
