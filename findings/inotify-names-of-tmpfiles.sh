#!/bin/sh
# SPDX-License-Identifier: MIT
# inotify tells names of files that have none (O_TMPFILE), and never says that such a file was closed once it has one.
#
# Guess: a file without a name makes no events in its folder. Given one by linkat() while it is open, it shows up as created,
# and its later writes and its close bear this name, as those of any file do.
# Seen with Linux 6.1 and 6.12: its events bear "#" and its inode's number, a name that is in no listing of the folder,
# before the link and after it; the real name comes in IN_CREATE alone. So what waits for IN_CLOSE_WRITE or IN_MOVED_TO,
# which is how to wait for whole files, never hears of those that were written in the safest way there is.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/kernel.sh"

script='events /tmp | sed "s/#[0-9]*/#number/g"'

cat >"$work/events.c" <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

static void tell(const struct inotify_event *event)
{
    if (event->mask & IN_CREATE)
        printf("create:%s ", event->name);
    if (event->mask & IN_MODIFY)
        printf("modify:%s ", event->name);
    if (event->mask & IN_CLOSE_WRITE)
        printf("close:%s\n", event->name);
}

/* Writes, gives the file its name, writes on, closes, and tells what the folder's watch has seen. */
int main(int argc, char **argv)
{
    _Alignas(struct inotify_event) char events[4096];
    char path[100], name[100];
    int watch = inotify_init1(IN_CLOEXEC), fd;
    ssize_t length;

    if (argc != 2 || inotify_add_watch(watch, argv[1], IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE) < 0)
        return 1;
    fd = open(argv[1], O_TMPFILE | O_WRONLY, 0600);
    if (fd < 0 || write(fd, "1", 1) != 1)
        return 1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    snprintf(name, sizeof(name), "%s/name", argv[1]);
    if (linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0 || write(fd, "2", 1) != 1 || close(fd) < 0)
        return 1;
    length = read(watch, events, sizeof(events));
    for (char *p = events; p < events + length; p += sizeof(struct inotify_event) + ((struct inotify_event *)p)->len)
        tell((struct inotify_event *)p);
    return 0;
}
C

prepare_machine
mkdir -p "$work/gcc/tmp"
unpack "$work/gcc" trixie gcc=4:14.2.0-1 libc6-dev=2.41-12+deb13u5
cp "$work/events.c" "$work/gcc/tmp/"
inside "$work/gcc" gcc -static -o /tmp/events /tmp/events.c
cp "$work/gcc/tmp/events" "$tree/bin/"
kernel_of bookworm linux-image-6.1.0-50-cloud-amd64=6.1.176-1
kernel_of trixie linux-image-6.12.117+deb13-cloud-amd64=6.12.117-1
expected='modify:#number create:name modify:#number close:#number'
expect 'Linux 6.1.176' "$expected" boot bookworm "$script"
expect 'Linux 6.12.117' "$expected" boot trixie "$script"
