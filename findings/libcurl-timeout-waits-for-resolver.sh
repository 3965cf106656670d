#!/bin/sh
# SPDX-License-Identifier: MIT
# libcurl's timeout does not end a transfer whose name server says nothing; its quick exit leaves a thread behind each time.
#
# Guess: CURLOPT_TIMEOUT_MS, "the maximum time for the transfer", ends one that still waits for a name, and what is cleaned up
# is gone. CURLOPT_QUICK_EXIT, which the manual names for this, is then for programs that are about to end.
# Seen with 7.88.1 (Debian 12) and 8.14.1 (Debian 13): the transfer reports its timeout only after the resolver's own has passed, six
# times as long here, as its clean-up joins the thread that calls getaddrinfo(). With the quick exit it returns in time, and the
# thread goes on: three transfers, all cleaned up, leave three.
. "$(dirname "$0")/common.sh"

cat >"$work/names.c" <<'C'
#define _GNU_SOURCE
#include <curl/curl.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A loopback of our own, and at its port of name servers a socket that nobody reads. */
static int make_silent_server(void)
{
    struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd;

    if (unshare(CLONE_NEWNET) < 0)
        return -1;
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    return ioctl(fd, SIOCSIFFLAGS, &up) < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof(address));
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static int count_threads(void)
{
    DIR *threads = opendir("/proc/self/task");
    int count = 0;

    while (readdir(threads))
        count++;
    closedir(threads);
    return count - 2;
}

static void fetch(long quick)
{
    CURL *curl = curl_easy_init();
    double start = now();
    CURLcode code;

    curl_easy_setopt(curl, CURLOPT_URL, "http://a.test/");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 1000L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, quick);
    code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    printf("%s%s: %s the resolver's 6 s, %d threads more\n", quick ? "quick, " : "", curl_easy_strerror(code),
           now() - start < 5 ? "before" : "after", count_threads() - 1);
    fflush(stdout);
}

int main(void)
{
    if (make_silent_server() < 0) {
        perror("a namespace of the network");
        return 1;
    }
    fetch(0);
    for (int i = 0; i < 3; i++)
        fetch(1);
    _exit(0);
}
C

# fetches ROOT: what the program says in it.
fetches() {
    mkdir -p "$1/etc" "$1/proc"
    echo 'hosts: files dns' >"$1/etc/nsswitch.conf"
    printf 'nameserver 127.0.0.1\noptions timeout:6 attempts:1\n' >"$1/etc/resolv.conf"
    cp "$work/names.c" "$1/tmp/"
    inside "$1" gcc -w -o /tmp/names /tmp/names.c -lcurl
    unshare --map-root-user --mount --pid --fork sh -ec 'mount -t proc proc "$0/proc"; exec chroot "$0" /tmp/names' "$1"
}

seen='Timeout was reached: after the resolver'\''s 6 s, 0 threads more
quick, Timeout was reached: before the resolver'\''s 6 s, 1 threads more
quick, Timeout was reached: before the resolver'\''s 6 s, 2 threads more
quick, Timeout was reached: before the resolver'\''s 6 s, 3 threads more'
mkdir -p "$work/bookworm/tmp" "$work/trixie/tmp"
unpack "$work/bookworm" bookworm libcurl4-openssl-dev=7.88.1-10+deb12u15 gcc=4:12.2.0-3 libc6-dev
expect 'libcurl 7.88.1' "$seen" fetches "$work/bookworm"
unpack "$work/trixie" trixie libcurl4-openssl-dev=8.14.1-2+deb13u7 gcc=4:14.2.0-1 libc6-dev
expect 'libcurl 8.14.1' "$seen" fetches "$work/trixie"
