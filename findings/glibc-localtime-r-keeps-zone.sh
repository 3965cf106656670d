#!/bin/sh
# SPDX-License-Identifier: MIT
# localtime_r() keeps the machine's old time zone until somebody in the process calls localtime().
#
# Guess: a process that runs while /etc/localtime changes keeps the old zone for good, or takes the new one, in all of its calls
# alike: both functions convert by one and the same zone.
# Seen with glibc 2.41, without TZ: localtime_r() reads the file once. localtime() looks each time whether it is another file,
# and takes that; from then on localtime_r() has the new zone as well. So what a program's threads say of one moment changes in the
# middle, when some library happens to call localtime(), and never where none does.
. "$(dirname "$0")/common.sh"

cat >"$work/zone.c" <<'C'
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const time_t moment = 1700000000;

static int by_thread_safe(void)
{
    struct tm tm;

    return localtime_r(&moment, &tm)->tm_hour;
}

static void set_zone(const char *path)
{
    symlink(path, "/etc/localtime.new");
    rename("/etc/localtime.new", "/etc/localtime");
}

int main(void)
{
    set_zone("/usr/share/zoneinfo/Europe/Berlin");
    printf("Berlin: localtime_r %d\n", by_thread_safe());
    set_zone("/usr/share/zoneinfo/America/New_York");
    printf("New York: localtime_r %d\n", by_thread_safe());
    printf("New York: localtime %d\n", localtime(&moment)->tm_hour);
    printf("New York: localtime_r %d\n", by_thread_safe());
    return 0;
}
C

hours() {
    cp "$work/zone.c" "$work/root/tmp/"
    inside "$work/root" gcc -w -o /tmp/zone /tmp/zone.c
    inside "$work/root" /tmp/zone
}

mkdir -p "$work/root/tmp" "$work/root/etc"
unpack "$work/root" trixie gcc=4:14.2.0-1 libc6-dev=2.41-12+deb13u5 tzdata=2026f-0+deb13u1
expect 'glibc 2.41' 'Berlin: localtime_r 23
New York: localtime_r 23
New York: localtime 17
New York: localtime_r 17' hours
