#!/bin/sh
# SPDX-License-Identifier: MIT
# inih cuts the name of a section to 49 characters without a word, and two long names become one section.
#
# Guess: a name of up to the length of a line is handed on as it is, as keys and values are; what is too long is an error
# with its line, as a line that is too long is.
# Seen: ini_parse() returns 0, and the handler gets the first 49 characters. Names that differ only behind them are the
# same to it: the second section's keys change the first's. Keys of the same length arrive whole.
. "$(dirname "$0")/common.sh"

cat >"$work/parse.c" <<'C'
#include <ini.h>
#include <stdio.h>
#include <string.h>

static int take(void *arg, const char *section, const char *key, const char *value)
{
    (void)arg;
    printf("section of %zu, key of %zu, ...%s = %s; ", strlen(section), strlen(key),
           section + strlen(section) - 4, value);
    return 1;
}

int main(void)
{
    printf("returns %d\n", ini_parse("/tmp/example.ini", take, NULL));
    return 0;
}
C
# 30 characters before the number, and 24 in it.
name=$(printf 'module:%s' backup-of-the-customers)
{
    printf '[%s-%024d]\n%s = one\n' "$name" 1 "$(printf 'key%057d' 0)"
    printf '[%s-%024d]\n%s = two\n' "$name" 2 "$(printf 'key%057d' 0)"
} >"$work/example.ini"

outcome() {
    cp "$work/parse.c" "$work/example.ini" "$1/tmp/"
    inside "$1" gcc -o /tmp/parse /tmp/parse.c -linih
    inside "$1" /tmp/parse
}

cut='section of 49, key of 60, ...0000 = one; section of 49, key of 60, ...0000 = two; returns 0'
mkdir -p "$work/old/tmp" "$work/new/tmp"
unpack "$work/old" bookworm libinih-dev=55-1 gcc=4:12.2.0-3 libc6-dev
unpack "$work/new" trixie libinih-dev=59-1 gcc=4:14.2.0-1 libc6-dev=2.41-12+deb13u5
expect 'inih 55' "$cut" outcome "$work/old"
expect 'inih 59' "$cut" outcome "$work/new"
